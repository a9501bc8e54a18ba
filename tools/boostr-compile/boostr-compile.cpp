// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// `boostr-compile`: from an MLIR file to IR, machine code or a shared object.

#include "../common/LoweringOptions.h"
#include "../common/Tools.h"
#include "boostr/passes/driver/Compiler.h"
#include "boostr/passes/driver/Header.h"
#include "boostr/passes/driver/LinkSharedObject.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/MLIRContext.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FileUtilities.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/SourceMgr.h"

using namespace mlir;
using namespace mlir::boostr;
namespace cl = llvm::cl;

namespace {

enum class Emit {
  Linalg,
  LLVM,
  LLVMIR,
  Ptx,
  Cubin,
  Asm,
  Object,
  SharedObject,
  Header
};

struct CommandLine {
  cl::OptionCategory category{"boostr-compile options"};
  cl::opt<std::string> input{cl::Positional, cl::desc("FILE.mlir"),
                             cl::Required, cl::cat(category)};
  cl::opt<std::string> output{
      "o", cl::desc("Where to write; - is standard output (default for text)"),
      cl::value_desc("path"), cl::cat(category)};
  LoweringOptions lowering{category};
  cl::opt<Emit> emit{
      "emit", cl::desc("What to write"), cl::init(Emit::SharedObject),
      cl::values(
          clEnumValN(Emit::Linalg, "linalg",
                     "tensors and linalg, boostr ops as contractions on views"),
          clEnumValN(Emit::LLVM, "llvm", "the LLVM dialect"),
          clEnumValN(Emit::LLVMIR, "llvm-ir", "optimized LLVM IR"),
          clEnumValN(Emit::Ptx, "ptx", "the kernels for a GPU as PTX"),
          clEnumValN(Emit::Cubin, "cubin",
                     "the kernels for a GPU as machine code"),
          clEnumValN(Emit::Asm, "asm", "assembly"),
          clEnumValN(Emit::Object, "obj", "an object file"),
          clEnumValN(Emit::SharedObject, "so",
                     "a shared object that needs libboostr_runtime alone"),
          clEnumValN(Emit::Header, "header",
                     "a C header that declares the exported functions")),
      cl::cat(category)};
};

} // namespace

/// Writes `content` to `path`, whole or not at all.
static LogicalResult writeFile(StringRef path, StringRef content,
                               MLIRContext &context) {
  llvm::Error error = llvm::writeToOutput(path, [&](llvm::raw_ostream &os) {
    os << content;
    return llvm::Error::success();
  });
  if (!error)
    return success();
  return emitError(UnknownLoc::get(&context))
         << "cannot write '" << path
         << "': " << llvm::toString(std::move(error));
}

/// Emits what needs machine code.
static LogicalResult emitMachineCode(ModuleOp module, Emit emit,
                                     StringRef output, StringRef executable) {
  std::unique_ptr<llvm::TargetMachine> machine = createTargetMachine(module);
  llvm::LLVMContext llvmContext;
  std::unique_ptr<llvm::Module> ir =
      machine ? translateToLLVMIR(module, llvmContext, *machine) : nullptr;
  if (!ir)
    return failure();
  MLIRContext &context = *module.getContext();
  if (emit == Emit::LLVMIR) {
    std::string text;
    llvm::raw_string_ostream(text) << *ir;
    return writeFile(output, text, context);
  }
  auto type = emit == Emit::Asm ? llvm::CodeGenFileType::AssemblyFile
                                : llvm::CodeGenFileType::ObjectFile;
  FailureOr<SmallString<0>> code =
      emitCode(*ir, *machine, type, module.getLoc());
  if (failed(code))
    return failure();
  if (emit == Emit::SharedObject)
    return linkSharedObject(*code, output, findRuntimeLibrary(executable),
                            UnknownLoc::get(&context));
  return writeFile(output, *code, context);
}

/// How far to compile, and how, for what is to be written.
static LogicalResult setEmit(Emit emit, TargetOptions &options,
                             MLIRContext *context) {
  if (options.device)
    return emitError(UnknownLoc::get(context))
           << "target expected a chip, as in cuda:sm_90a, got device "
           << *options.device;
  bool isKernel = emit == Emit::Ptx || emit == Emit::Cubin;
  if (isKernel && !options.isCuda)
    return emitError(UnknownLoc::get(context))
           << "--emit=ptx and --emit=cubin expected --target=cuda";
  if (emit == Emit::Linalg) {
    options.setContractions(ContractionLowering::Linalg);
    options.cpu.stopAfter = CpuStage::Tensors;
    options.cuda.stopAfter = CudaStage::Tensors;
  }
  if (emit == Emit::Header) {
    options.cpu.stopAfter = CpuStage::Buffers;
    options.cuda.stopAfter = CudaStage::Buffers;
  }
  if (isKernel) {
    options.cuda.stopAfter = CudaStage::Device;
    options.cuda.images = emit == Emit::Ptx ? GpuImages::Ptx : GpuImages::Cubin;
  }
  return success();
}

static LogicalResult compile(const CommandLine &args, ModuleOp module,
                             StringRef output, StringRef executable) {
  TargetOptions options;
  if (failed(args.lowering.apply(options, module.getContext())) ||
      failed(setEmit(args.emit, options, module.getContext())) ||
      failed(runPipeline(module, options)))
    return failure();
  std::string text;
  llvm::raw_string_ostream os(text);
  switch (args.emit) {
  case Emit::Linalg:
  case Emit::LLVM:
    module.print(os);
    return writeFile(output, text, *module.getContext());
  case Emit::Header:
    printHeader(module, output, options.isCuda, os);
    return writeFile(output, text, *module.getContext());
  case Emit::Ptx:
  case Emit::Cubin: {
    FailureOr<std::string> kernels = getKernels(module, options.cuda.images);
    return failed(kernels) ? failure()
                           : writeFile(output, *kernels, *module.getContext());
  }
  default:
    return emitMachineCode(module, args.emit, output, executable);
  }
}

int mlir::boostr::compileMain(int argc, char **argv) {
  llvm::InitLLVM init(argc, argv);
  // The options of LLVM and lld, of which some have our names, are not ours.
  cl::ResetCommandLineParser();
  CommandLine args;
  cl::ParseCommandLineOptions(argc, argv,
                              "boostr-compile: ahead-of-time compiler for "
                              "boostr, linalg and tensor ops\n");

  bool isBinary = args.emit == Emit::Object ||
                  args.emit == Emit::SharedObject || args.emit == Emit::Cubin;
  if (isBinary && (args.output.empty() || args.output == "-")) {
    llvm::errs() << "boostr-compile: error: -o PATH expected for this --emit\n";
    return 1;
  }
  std::string output = args.output.empty() ? "-" : args.output.getValue();

  DialectRegistry registry;
  registerCompiler(registry);
  MLIRContext context(registry);
  llvm::SourceMgr sources;
  SourceMgrDiagnosticHandler handler(sources, &context);
  OwningOpRef<ModuleOp> module =
      mlir::boostr::parseSourceFile(args.input, sources, context);
  if (!module)
    return 1;
  std::string executable = llvm::sys::fs::getMainExecutable(
      argv[0], reinterpret_cast<void *>(&compileMain));
  return failed(compile(args, *module, output, executable));
}
