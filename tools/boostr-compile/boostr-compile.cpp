// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// `boostr-compile`: from an MLIR file to IR, machine code or a shared object.

#include "../common/CacheOptions.h"
#include "../common/Compilation.h"
#include "../common/LoweringOptions.h"
#include "../common/Tools.h"
#include "boostr/passes/driver/Compiler.h"
#include "boostr/passes/driver/Header.h"
#include "boostr/passes/driver/LinkSharedObject.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FileUtilities.h"
#include "llvm/Support/InitLLVM.h"

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
  CacheOptions cache{category};
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

/// What a form of compiled code is called in the cache; empty if it is not
/// kept, since making it takes no longer.
static StringRef getForm(Emit emit) {
  switch (emit) {
  case Emit::Object:
  case Emit::SharedObject:
    return kObjectForm;
  case Emit::Asm:
    return "asm";
  case Emit::LLVMIR:
    return "llvm-ir";
  case Emit::Ptx:
    return "ptx";
  case Emit::Cubin:
    return "cubin";
  case Emit::Linalg:
  case Emit::LLVM:
  case Emit::Header:
    return "";
  }
  return "";
}

/// Assembly, or the last form before it.
static FailureOr<SmallString<0>> makeAssembly(ModuleOp module, Emit emit) {
  std::unique_ptr<llvm::TargetMachine> machine = createTargetMachine(module);
  llvm::LLVMContext llvmContext;
  std::unique_ptr<llvm::Module> ir =
      machine ? translateToLLVMIR(module, llvmContext, *machine) : nullptr;
  if (!ir)
    return failure();
  if (emit == Emit::LLVMIR) {
    SmallString<0> text;
    llvm::raw_svector_ostream(text) << *ir;
    return text;
  }
  return emitCode(*ir, *machine, llvm::CodeGenFileType::AssemblyFile,
                  module.getLoc());
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
  bool isOneModule =
      emit == Emit::LLVM || emit == Emit::LLVMIR || emit == Emit::Asm;
  if (isOneModule && options.variants.size() > 1)
    return emitError(UnknownLoc::get(context))
           << "--emit=llvm, --emit=llvm-ir and --emit=asm expected one CPU as "
              "--target";
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
    options.cuda.splitKernels = false; // One file.
    options.cuda.images = emit == Emit::Ptx ? GpuImages::Ptx : GpuImages::Cubin;
  }
  return success();
}

/// What is to be written, a shared object as the object to be linked into it.
static FailureOr<SmallString<0>> compile(const CommandLine &args,
                                         TargetOptions &options,
                                         StringRef output,
                                         Compilation &compilation) {
  OwningOpRef<ModuleOp> module = compilation.parse();
  if (!module)
    return failure();
  if (args.emit == Emit::Object || args.emit == Emit::SharedObject)
    return compileToObject(*module, options);
  if (failed(runPipeline(*module, options)))
    return failure();
  SmallString<0> text;
  llvm::raw_svector_ostream os(text);
  switch (args.emit) {
  case Emit::Linalg:
  case Emit::LLVM:
    module->print(os);
    return text;
  case Emit::Header:
    printHeader(*module, output, options.isCuda, os);
    return text;
  case Emit::Ptx:
  case Emit::Cubin: {
    FailureOr<std::string> kernels = getKernels(*module, options.cuda.images);
    if (failed(kernels))
      return failure();
    return SmallString<0>(*kernels);
  }
  default:
    return makeAssembly(*module, args.emit);
  }
}

static LogicalResult write(Emit emit, StringRef code, StringRef output,
                           StringRef executable, MLIRContext &context) {
  if (emit == Emit::SharedObject)
    return linkSharedObject(code, output, findRuntimeLibrary(executable),
                            UnknownLoc::get(&context));
  return writeFile(output, code, context);
}

static LogicalResult run(const CommandLine &args, const ArtifactCache &cache,
                         StringRef output, StringRef executable) {
  Compilation compilation;
  MLIRContext &context = compilation.getContext();
  TargetOptions options;
  if (failed(compilation.read(args.input)) ||
      failed(args.lowering.apply(options, &context)) ||
      failed(setEmit(args.emit, options, &context)))
    return failure();
  StringRef form = getForm(args.emit);
  if (!form.empty())
    if (auto artifact = compilation.find(cache, options, form))
      return write(args.emit, artifact->code, output, executable, context);
  FailureOr<SmallString<0>> code = compile(args, options, output, compilation);
  if (failed(code))
    return failure();
  if (!form.empty())
    compilation.keep(cache, options, form, *code);
  return write(args.emit, *code, output, executable, context);
}

int mlir::boostr::compileMain(int argc, char **argv) {
  llvm::InitLLVM init(argc, argv);
  // The options of LLVM and lld, of which some have our names, are not ours.
  cl::ResetCommandLineParser();
  CommandLine args;
  cl::ParseCommandLineOptions(argc, argv,
                              "boostr-compile: ahead-of-time compiler for "
                              "boostr, linalg and tensor ops\n");
  fixOptions(args.category);

  bool isBinary = args.emit == Emit::Object ||
                  args.emit == Emit::SharedObject || args.emit == Emit::Cubin;
  if (isBinary && (args.output.empty() || args.output == "-")) {
    llvm::errs() << "boostr-compile: error: -o PATH expected for this --emit\n";
    return 1;
  }
  std::string output = args.output.empty() ? "-" : args.output.getValue();

  auto cache = args.cache.open();
  if (!cache) {
    llvm::errs() << "boostr-compile: error: "
                 << llvm::toString(cache.takeError()) << "\n";
    return 1;
  }
  std::string executable = llvm::sys::fs::getMainExecutable(
      argv[0], reinterpret_cast<void *>(&compileMain));
  return failed(run(args, *cache, output, executable));
}
