// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "Compile.h"
#include "boostr/passes/Register.h"
#include "boostr/passes/driver/ArtifactCache.h"
#include "boostr/passes/driver/Compiler.h"
#include "boostr/passes/driver/LinkSharedObject.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/InitAllPasses.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"
#include "llvm/Support/SourceMgr.h"
#include <mutex>

using namespace mlir;
using namespace mlir::boostr;
using namespace boostr_python;

namespace {

/// A context that keeps what is reported in it.
class Session {
public:
  Session(Diagnostics &diagnostics)
      : context(getRegistry()), os(diagnostics.text),
        printer(sources, &context, os),
        // Registered last, asked first; it leaves the printing to `printer`.
        recorder(&context, [&](mlir::Diagnostic &diagnostic) {
          record(diagnostic, diagnostics);
          return failure();
        }) {}

  MLIRContext context;
  llvm::SourceMgr sources;

private:
  static const DialectRegistry &getRegistry() {
    static const DialectRegistry registry = [] {
      DialectRegistry registry;
      registerCompiler(registry);
      return registry;
    }();
    return registry;
  }

  static void record(mlir::Diagnostic &diagnostic, Diagnostics &into) {
    boostr_python::Diagnostic entry;
    switch (diagnostic.getSeverity()) {
    case DiagnosticSeverity::Error:
      entry.severity = "error";
      break;
    case DiagnosticSeverity::Warning:
      entry.severity = "warning";
      break;
    case DiagnosticSeverity::Note:
      entry.severity = "note";
      break;
    case DiagnosticSeverity::Remark:
      entry.severity = "remark";
      break;
    }
    if (auto loc = diagnostic.getLocation()->findInstanceOf<FileLineColLoc>()) {
      entry.file = loc.getFilename().str();
      entry.line = loc.getLine();
      entry.column = loc.getColumn();
    }
    entry.message = diagnostic.str();
    into.list.push_back(std::move(entry));
  }

  llvm::raw_string_ostream os;
  SourceMgrDiagnosticHandler printer;
  ScopedDiagnosticHandler recorder;
};

} // namespace

/// The enumerator of this name, or an error that lists what there is.
template <typename Enum>
static std::optional<Enum>
parseOption(StringRef option, StringRef value,
            ArrayRef<std::pair<StringRef, Enum>> choices,
            MLIRContext &context) {
  std::string names;
  for (auto &[name, choice] : choices) {
    if (name == value)
      return choice;
    names += (names.empty() ? "" : ", ") + name.str();
  }
  emitError(UnknownLoc::get(&context))
      << option << " expected one of " << names << ", got '" << value << "'";
  return std::nullopt;
}

static LogicalResult readOptions(const CompileRequest &request,
                                 mlir::boostr::TargetOptions &options,
                                 MLIRContext &context) {
  auto contractions = parseOption<ContractionLowering>(
      "contractions", request.contractions,
      {{"generated", ContractionLowering::Generated},
       {"linalg", ContractionLowering::Linalg}},
      context);
  auto precision =
      parseOption<F32Precision>("f32_precision", request.f32Precision,
                                {{"ieee", F32Precision::Ieee},
                                 {"tf32", F32Precision::Tf32},
                                 {"tf32x3", F32Precision::Tf32x3}},
                                context);
  auto gemm = parseOption<Gemm>("gemm", request.gemm,
                                {{"generated", Gemm::Generated},
                                 {"cublaslt", Gemm::Cublaslt},
                                 {"auto", Gemm::Auto}},
                                context);
  if (!contractions || !precision || !gemm ||
      failed(parseTarget(request.target, options, &context)))
    return failure();
  if (options.device)
    return emitError(UnknownLoc::get(&context))
           << "target expected a chip, as in cuda:sm_90a, got device "
           << *options.device;
  options.setContractions(*contractions);
  options.cuda.f32Precision = *precision;
  options.cuda.gemm = *gemm;
  options.cuda.ptxas = request.ptxas;
  return success();
}

static LogicalResult compileTo(const std::string &path,
                               const CompileRequest &request,
                               Diagnostics &diagnostics) {
  Session session(diagnostics);
  mlir::boostr::TargetOptions options;
  if (failed(readOptions(request, options, session.context)))
    return failure();
  OwningOpRef<ModuleOp> module = parseSource(request.source, request.name,
                                             session.sources, session.context);
  if (!module)
    return failure();
  FailureOr<SmallString<0>> object = compileToObject(*module, options);
  if (failed(object))
    return failure();
  return linkSharedObject(*object, path, request.runtimeLibrary,
                          UnknownLoc::get(&session.context));
}

/// Everything that the result depends on.
static std::string hashRequest(const CompileRequest &request) {
  mlir::boostr::TargetOptions options;
  options.isCuda = StringRef(request.target).starts_with("cuda");
  options.cuda.ptxas = request.ptxas;
  return hashArtifact({request.source, request.target, request.contractions,
                       request.f32Precision, request.gemm, request.ptxas,
                       request.runtimeLibrary, describeSurroundings(options)});
}

CompileResult boostr_python::compile(const CompileRequest &request) {
  CompileResult result;
  auto compileInto = [&](StringRef path) {
    result.failed = failed(compileTo(path.str(), request, result.diagnostics));
    return !result.failed;
  };
  ArtifactCache cache(request.cacheFolder, request.cacheBytes);
  if (cache.createFolder()) {
    std::string hash = hashRequest(request);
    std::optional<std::string> path = cache.getFile(hash);
    result.wasCached = path.has_value();
    if (!path)
      path = cache.putFile(hash, compileInto);
    if (path || result.failed) {
      result.path = path.value_or("");
      return result;
    }
  }
  result.path = request.output;
  compileInto(result.path);
  return result;
}

RunPassesResult boostr_python::runPasses(const std::string &source,
                                         const std::string &name,
                                         const std::string &pipeline) {
  static std::once_flag once;
  std::call_once(once, [] {
    registerAllPasses();
    registerPassesAndPipelines();
  });
  RunPassesResult result;
  Session session(result.diagnostics);
  OwningOpRef<ModuleOp> module =
      parseSource(source, name, session.sources, session.context);
  result.failed = true;
  if (!module)
    return result;
  std::string message;
  llvm::raw_string_ostream os(message);
  FailureOr<OpPassManager> passes = parsePassPipeline(pipeline, os);
  if (failed(passes)) {
    emitError(UnknownLoc::get(&session.context)) << StringRef(message).trim();
    return result;
  }
  PassManager manager(&session.context, passes->getOpAnchorName());
  static_cast<OpPassManager &>(manager) = std::move(*passes);
  if (failed(manager.run(*module)))
    return result;
  result.failed = false;
  llvm::raw_string_ostream(result.text) << *module;
  return result;
}
