// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// `boostr-run`: compiles a function, runs it on .npy files, writes its results.

#include "../common/LoweringOptions.h"
#include "Arguments.h"
#include "boostr/passes/driver/Compiler.h"
#include "boostr/passes/driver/CountFlops.h"
#include "boostr/passes/driver/Jit.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/MLIRContext.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/SourceMgr.h"
#include <chrono>

using namespace mlir;
using namespace mlir::boostr;
namespace cl = llvm::cl;

namespace {

struct CommandLine {
  cl::OptionCategory category{"boostr-run options"};
  cl::opt<std::string> file{cl::Positional, cl::desc("FILE.mlir"), cl::Required,
                            cl::cat(category)};
  cl::opt<std::string> entry{"entry", cl::desc("The public function to run"),
                             cl::value_desc("name"), cl::Required,
                             cl::cat(category)};
  LoweringOptions lowering{category};
  cl::list<std::string> inputs{
      "in",
      cl::desc(
          "An input, in the order of the arguments; bf16 travels as uint16 "
          "bits"),
      cl::value_desc("file.npy"), cl::cat(category)};
  cl::list<std::string> outputs{
      "out", cl::desc("Where to write a result, in order; may be fewer"),
      cl::value_desc("file.npy"), cl::cat(category)};
  cl::opt<bool> print{"print",
                      cl::desc("Print shapes and values of the results"),
                      cl::cat(category)};
  cl::opt<unsigned> repeat{
      "repeat",
      cl::desc(
          "Run that many times more and print the median time, and GFLOP/s "
          "of the contractions where these are known"),
      cl::value_desc("N"), cl::init(0), cl::cat(category)};
  cl::opt<int> threads{"threads",
                       cl::desc("Threads; 0 is one for each processor"),
                       cl::value_desc("N"), cl::init(0), cl::cat(category)};
  cl::bits<CpuStage> dumpIR{
      "dump-ir",
      cl::desc("Print the IR at the end of a stage to standard error"),
      cl::CommaSeparated,
      cl::values(
          clEnumValN(CpuStage::Gradients, "gradients", "with VJP functions"),
          clEnumValN(CpuStage::Tensors, "tensors", "tensors, simplified"),
          clEnumValN(CpuStage::Buffers, "buffers", "on memrefs"),
          clEnumValN(CpuStage::Kernels, "kernels", "boostr ops lowered"),
          clEnumValN(CpuStage::Loops, "loops", "linalg ops lowered"),
          clEnumValN(CpuStage::Tasks, "tasks", "runtime calls"),
          clEnumValN(CpuStage::LLVM, "llvm", "the LLVM dialect")),
      cl::cat(category)};
};

} // namespace

static llvm::Error runtimeError() {
  return llvm::createStringError(boostr_last_error());
}

/// Compiles the file. Diagnostics have been printed if it fails.
static FailureOr<SmallString<0>> compile(CommandLine &args,
                                         MLIRContext &context,
                                         llvm::SourceMgr &sources,
                                         FlopCounts &flops) {
  OwningOpRef<ModuleOp> module =
      mlir::boostr::parseSourceFile(args.file, sources, context);
  CpuPipelineOptions options;
  if (!module || failed(args.lowering.apply(options, &context)))
    return failure();
  auto afterStage = [&](CpuStage stage, ModuleOp module) {
    if (stage == CpuStage::Gradients)
      flops = countFlops(module);
    if (!args.dumpIR.isSet(stage))
      return;
    llvm::errs() << "// ----- after stage " << stringifyCpuStage(stage) << "\n"
                 << module << "\n";
  };
  if (failed(runCpuPipeline(*module, options, afterStage)))
    return failure();
  std::unique_ptr<llvm::TargetMachine> machine = createTargetMachine(*module);
  llvm::LLVMContext llvmContext;
  std::unique_ptr<llvm::Module> ir =
      machine ? translateToLLVMIR(*module, llvmContext, *machine) : nullptr;
  if (!ir)
    return failure();
  return emitCode(*ir, *machine, llvm::CodeGenFileType::ObjectFile,
                  module->getLoc());
}

/// The names of all functions of the module, for an error message.
static std::string listFunctions(Jit &jit) {
  auto table = jit.lookup("boostr_module_functions");
  if (!table) {
    llvm::consumeError(table.takeError());
    return "none";
  }
  SmallVector<std::string> names;
  for (auto **next = static_cast<const boostr_function **>(*table); *next;
       ++next)
    names.push_back(std::string("'") + (*next)->name + "'");
  return names.empty() ? "none" : llvm::join(names, ", ");
}

static llvm::Expected<const boostr_function *> findEntry(Jit &jit,
                                                         StringRef entry) {
  auto address = jit.lookup((entry + "_function").str());
  if (address)
    return static_cast<const boostr_function *>(*address);
  llvm::consumeError(address.takeError());
  return llvm::createStringError("entry '" + entry +
                                 "' is no public function of the module, which "
                                 "has " +
                                 listFunctions(jit));
}

/// Runs `call` and prints the median time.
static llvm::Error measure(const CommandLine &args, std::optional<double> flops,
                           llvm::function_ref<boostr_status()> call) {
  std::vector<double> seconds;
  for (unsigned i = 0; i < args.repeat; ++i) {
    auto start = std::chrono::steady_clock::now();
    if (call() != BOOSTR_OK)
      return runtimeError();
    std::chrono::duration<double> time =
        std::chrono::steady_clock::now() - start;
    seconds.push_back(time.count());
  }
  llvm::sort(seconds);
  double median = seconds[seconds.size() / 2];
  llvm::outs() << llvm::formatv("median of {0}: {1:f3} ms", seconds.size(),
                                median * 1e3);
  if (flops && *flops > 0)
    llvm::outs() << llvm::formatv(", {0:f1} GFLOP/s", *flops / median * 1e-9);
  llvm::outs() << "\n";
  return llvm::Error::success();
}

static llvm::Error run(const CommandLine &args, const boostr_function &function,
                       const FlopCounts &flops) {
  auto inputs = readInputs(function, ArrayRef<std::string>(args.inputs));
  if (!inputs)
    return inputs.takeError();
  if (args.outputs.size() > static_cast<size_t>(function.num_outputs))
    return llvm::createStringError(llvm::formatv(
        "function '{0}' has {1} results, got {2} files (--out)", function.name,
        function.num_outputs, args.outputs.size()));
  llvm::StringSet<> paths;
  for (const std::string &path : args.outputs)
    if (!paths.insert(path).second)
      return llvm::createStringError("'" + path +
                                     "' is given for two results (--out)");
  std::vector<DLTensor> tensors;
  SmallVector<SmallVector<int64_t>> shapes;
  for (auto [number, input] : llvm::enumerate(*inputs)) {
    tensors.push_back(input.getTensor(function.inputs[number].dtype));
    shapes.push_back(input.shape);
  }
  auto addresses = [](std::vector<DLTensor> &list) {
    return llvm::map_to_vector(
        list, [](DLTensor &tensor) -> const DLTensor * { return &tensor; });
  };
  auto inputTensors = addresses(tensors);
  auto outputs = createOutputs(function, inputTensors);
  if (!outputs)
    return outputs.takeError();
  std::vector<DLTensor> results;
  for (auto [number, output] : llvm::enumerate(*outputs))
    results.push_back(output.getTensor(function.outputs[number].dtype));
  auto outputTensors = addresses(results);

  boostr_context_options options = {};
  options.num_threads = args.threads;
  boostr_context *context = nullptr;
  if (boostr_context_create(&options, &context) != BOOSTR_OK)
    return runtimeError();
  std::unique_ptr<boostr_context, decltype(&boostr_context_destroy)> owner(
      context, &boostr_context_destroy);
  auto call = [&] {
    return boostr_call(context, &function, inputTensors.data(),
                       inputTensors.size(), outputTensors.data(),
                       outputTensors.size());
  };
  if (call() != BOOSTR_OK)
    return runtimeError();
  for (auto [number, output] : llvm::enumerate(*outputs))
    if (args.print)
      printArgument(llvm::outs(), ("result " + llvm::Twine(number)).str(),
                    output, function.outputs[number].dtype);
  std::vector<npy::NpyOutput> files;
  for (auto [path, output] : llvm::zip(args.outputs, *outputs))
    files.push_back({path, output.typeCode, output.shape,
                     StringRef(output.data.data(), output.data.size())});
  if (llvm::Error error = npy::writeNpy(files))
    return error;
  if (args.repeat == 0)
    return llvm::Error::success();
  return measure(args, flops.get(function.name, shapes), call);
}

static int fail(llvm::Error error) {
  llvm::errs() << "boostr-run: error: " << llvm::toString(std::move(error))
               << "\n";
  return 1;
}

int main(int argc, char **argv) {
  llvm::InitLLVM init(argc, argv);
  // The options of LLVM and lld, of which some have our names, are not ours.
  cl::ResetCommandLineParser();
  CommandLine args;
  cl::ParseCommandLineOptions(
      argc, argv,
      "boostr-run: compiles a function of an MLIR file and runs it on .npy "
      "files\n");

  DialectRegistry registry;
  registerCompiler(registry);
  MLIRContext context(registry);
  llvm::SourceMgr sources;
  SourceMgrDiagnosticHandler handler(sources, &context);
  FlopCounts flops;
  FailureOr<SmallString<0>> object = compile(args, context, sources, flops);
  if (failed(object))
    return 1;
  auto jit = Jit::load(*object);
  if (!jit)
    return fail(jit.takeError());
  auto function = findEntry(*jit, args.entry);
  if (!function)
    return fail(function.takeError());
  if (llvm::Error error = run(args, **function, flops))
    return fail(std::move(error));
  return 0;
}
