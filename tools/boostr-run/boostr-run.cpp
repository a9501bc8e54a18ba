// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// `boostr-run`: compiles a function, runs it on .npy files, writes its results.

#include "../common/CacheOptions.h"
#include "../common/Compilation.h"
#include "../common/LoweringOptions.h"
#include "../common/Tools.h"
#include "Tensors.h"
#include "boostr/passes/driver/Compiler.h"
#include "boostr/passes/driver/CountFlops.h"
#include "boostr/passes/driver/Jit.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/SmallVectorMemoryBuffer.h"
#include <chrono>

using namespace mlir;
using namespace mlir::boostr;
namespace cl = llvm::cl;

namespace {

/// Those of both pipelines.
enum class Stage {
  Gradients,
  Tensors,
  Buffers,
  Kernels,
  Loops,
  Tasks,
  Device,
  LLVM
};

struct CommandLine {
  cl::OptionCategory category{"boostr-run options"};
  cl::opt<std::string> file{cl::Positional, cl::desc("FILE.mlir"), cl::Required,
                            cl::cat(category)};
  cl::opt<std::string> entry{"entry", cl::desc("The public function to run"),
                             cl::value_desc("name"), cl::Required,
                             cl::cat(category)};
  LoweringOptions lowering{category};
  CacheOptions cache{category};
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
  cl::bits<Stage> dumpIR{
      "dump-ir",
      cl::desc("Print the IR at the end of a stage to standard error"),
      cl::CommaSeparated,
      cl::values(
          clEnumValN(Stage::Gradients, "gradients", "with VJP functions"),
          clEnumValN(Stage::Tensors, "tensors", "tensors, simplified"),
          clEnumValN(Stage::Buffers, "buffers", "on memrefs"),
          clEnumValN(Stage::Kernels, "kernels", "boostr ops lowered"),
          clEnumValN(Stage::Loops, "loops", "linalg ops lowered"),
          clEnumValN(Stage::Tasks, "tasks", "runtime calls, on a CPU"),
          clEnumValN(Stage::Device, "device", "kernels compiled, on a GPU"),
          clEnumValN(Stage::LLVM, "llvm", "the LLVM dialect")),
      cl::cat(category)};
};

} // namespace

static llvm::Error runtimeError() {
  return llvm::createStringError(boostr_last_error());
}

static Stage parseStage(StringRef name) {
  return llvm::StringSwitch<Stage>(name)
      .Case("gradients", Stage::Gradients)
      .Case("tensors", Stage::Tensors)
      .Case("buffers", Stage::Buffers)
      .Case("kernels", Stage::Kernels)
      .Case("loops", Stage::Loops)
      .Case("tasks", Stage::Tasks)
      .Case("device", Stage::Device)
      .Default(Stage::LLVM);
}

/// An object file of the source. Diagnostics have been printed if it fails.
static FailureOr<SmallString<0>>
compile(CommandLine &args, TargetOptions &options, Compilation &compilation) {
  OwningOpRef<ModuleOp> module = compilation.parse();
  if (!module)
    return failure();
  auto afterStage = [&](StringRef name, ModuleOp module) {
    if (args.dumpIR.isSet(parseStage(name)))
      llvm::errs() << "// ----- after stage " << name << "\n" << module << "\n";
  };
  return compileToObject(*module, options, afterStage);
}

/// The same, or what was compiled before.
static FailureOr<Artifact> getObject(CommandLine &args, TargetOptions &options,
                                     const ArtifactCache &cache,
                                     Compilation &compilation) {
  if (failed(compilation.read(args.file)))
    return failure();
  if (!args.dumpIR.getBits())
    if (auto artifact = compilation.find(cache, options, kObjectForm))
      return std::move(*artifact);
  FailureOr<SmallString<0>> object = compile(args, options, compilation);
  if (failed(object))
    return failure();
  compilation.keep(cache, options, kObjectForm, *object);
  auto file = std::make_unique<llvm::SmallVectorMemoryBuffer>(
      std::move(*object), /*RequiresNullTerminator=*/false);
  StringRef code = file->getBuffer();
  return Artifact{std::move(file), code, /*messages=*/""};
}

/// The arithmetic of the source, for any target; nothing is known of what does
/// not compile.
static FlopCounts countSourceFlops(Compilation &compilation) {
  TargetOptions options;
  options.cpu.stopAfter = CpuStage::Gradients;
  OwningOpRef<ModuleOp> module = compilation.parse();
  if (!module || failed(runPipeline(*module, options)))
    return {};
  return countFlops(*module);
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
                           llvm::function_ref<llvm::Error()> call) {
  std::vector<double> seconds;
  for (unsigned i = 0; i < args.repeat; ++i) {
    auto start = std::chrono::steady_clock::now();
    if (llvm::Error error = call())
      return error;
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

static llvm::Error checkOutputs(const CommandLine &args,
                                const boostr_function &function) {
  if (args.outputs.size() > static_cast<size_t>(function.num_outputs))
    return llvm::createStringError(llvm::formatv(
        "function '{0}' has {1} results, got {2} files (--out)", function.name,
        function.num_outputs, args.outputs.size()));
  llvm::StringSet<> paths;
  for (const std::string &path : args.outputs)
    if (!paths.insert(path).second)
      return llvm::createStringError("'" + path +
                                     "' is given for two results (--out)");
  return llvm::Error::success();
}

/// Prints results and writes them to files, as the command line says.
static llvm::Error writeOutputs(const CommandLine &args,
                                const boostr_function &function,
                                ArrayRef<Argument> outputs) {
  if (args.print)
    for (auto [number, output] : llvm::enumerate(outputs))
      printArgument(llvm::outs(), ("result " + llvm::Twine(number)).str(),
                    output, function.outputs[number].dtype);
  std::vector<npy::NpyOutput> files;
  for (auto [path, output] : llvm::zip(args.outputs, outputs))
    files.push_back({path, output.typeCode, output.shape,
                     StringRef(output.data.data(), output.data.size())});
  return npy::writeNpy(files);
}

static llvm::Error run(const CommandLine &args, const boostr_function &function,
                       std::optional<int32_t> device,
                       llvm::function_ref<FlopCounts()> getFlops) {
  auto inputs = readInputs(function, ArrayRef<std::string>(args.inputs));
  if (!inputs)
    return inputs.takeError();
  if (llvm::Error error = checkOutputs(args, function))
    return error;
  auto inputTensors = Tensors::create(*inputs, function.inputs, device);
  if (!inputTensors)
    return inputTensors.takeError();
  auto outputs = createOutputs(function, inputTensors->getPointers());
  if (!outputs)
    return outputs.takeError();
  auto outputTensors = Tensors::create(*outputs, function.outputs, device);
  if (!outputTensors)
    return outputTensors.takeError();

  boostr_context_options options = {};
  options.num_threads = args.threads;
  boostr_context *context = nullptr;
  if (boostr_context_create(&options, &context) != BOOSTR_OK)
    return runtimeError();
  std::unique_ptr<boostr_context, decltype(&boostr_context_destroy)> owner(
      context, &boostr_context_destroy);
  auto call = [&]() -> llvm::Error {
    if (boostr_call(context, &function, inputTensors->getPointers().data(),
                    inputs->size(), outputTensors->getPointers().data(),
                    outputs->size()) != BOOSTR_OK)
      return runtimeError();
    if (device &&
        boostr_cuda_synchronize(*device, /*stream=*/nullptr) != BOOSTR_OK)
      return runtimeError();
    return llvm::Error::success();
  };
  if (llvm::Error error = call())
    return error;
  if (llvm::Error error = outputTensors->copyBack())
    return error;
  if (llvm::Error error = writeOutputs(args, function, *outputs))
    return error;
  if (args.repeat == 0)
    return llvm::Error::success();
  SmallVector<SmallVector<int64_t>> shapes;
  for (const Argument &input : *inputs)
    shapes.push_back(input.shape);
  return measure(args, getFlops().get(function.name, shapes), call);
}

/// The device to run on, whose chip is compiled for unless one was named. None
/// for the CPU.
static llvm::Expected<std::optional<int32_t>>
chooseDevice(TargetOptions &options, StringRef target) {
  if (!options.isCuda)
    return std::nullopt;
  int32_t device = options.device.value_or(0);
  // Also if a chip was named: what is to run needs a device.
  auto chip = getCudaChip(device);
  if (!chip)
    return chip.takeError();
  if (options.device || !target.contains(':'))
    options.cuda.chip = *chip;
  return device;
}

static int fail(llvm::Error error) {
  llvm::errs() << "boostr-run: error: " << llvm::toString(std::move(error))
               << "\n";
  return 1;
}

int mlir::boostr::runMain(int argc, char **argv) {
  llvm::InitLLVM init(argc, argv);
  // The options of LLVM and lld, of which some have our names, are not ours.
  cl::ResetCommandLineParser();
  CommandLine args;
  cl::ParseCommandLineOptions(
      argc, argv,
      "boostr-run: compiles a function of an MLIR file and runs it on .npy "
      "files\n");
  fixOptions(args.category);

  auto cache = args.cache.open();
  if (!cache)
    return fail(cache.takeError());
  Compilation compilation;
  TargetOptions options;
  if (failed(args.lowering.apply(options, &compilation.getContext())))
    return 1;
  auto device = chooseDevice(options, args.lowering.target);
  if (!device)
    return fail(device.takeError());
  FailureOr<Artifact> object = getObject(args, options, *cache, compilation);
  if (failed(object))
    return 1;
  auto jit = Jit::load(object->code);
  if (!jit)
    return fail(jit.takeError());
  auto function = findEntry(*jit, args.entry);
  if (!function)
    return fail(function.takeError());
  auto getFlops = [&] { return countSourceFlops(compilation); };
  if (llvm::Error error = run(args, **function, *device, getFlops))
    return fail(std::move(error));
  return 0;
}
