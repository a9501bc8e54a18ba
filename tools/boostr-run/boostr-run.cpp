// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// `boostr-run`: compiles a function, runs it on .npy files, writes its results.

#include "../common/CacheOptions.h"
#include "../common/Compilation.h"
#include "../common/LoweringOptions.h"
#include "../common/Tools.h"
#include "Call.h"
#include "boostr/passes/driver/Compiler.h"
#include "boostr/passes/driver/CountFlops.h"
#include "boostr/passes/driver/GemmChoices.h"
#include "boostr/passes/driver/Jit.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/SmallVectorMemoryBuffer.h"

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
  cl::opt<bool> measure{
      "measure",
      cl::desc(
          "With --gemm=auto and a CUDA device: run the function both ways, "
          "with kernels of our own and with cuBLASLt, some dozen times, and "
          "take the faster one; what came of it is kept in the folder of "
          "--cache, for shapes of about this size"),
      cl::cat(category)};
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

static int fail(llvm::Error error) {
  llvm::errs() << "boostr-run: error: " << llvm::toString(std::move(error))
               << "\n";
  return 1;
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

/// Calls the function many times and prints the median time.
static llvm::Error printTime(const CommandLine &args, Call &call,
                             const boostr_function &function,
                             std::optional<double> flops) {
  auto median = measureMedian(args.repeat, [&] { return call.run(function); });
  if (!median)
    return median.takeError();
  llvm::outs() << llvm::formatv("median of {0}: {1:f3} ms",
                                args.repeat.getValue(), *median * 1e3);
  if (flops && *flops > 0)
    llvm::outs() << llvm::formatv(", {0:f1} GFLOP/s", *flops / *median * 1e-9);
  llvm::outs() << "\n";
  return llvm::Error::success();
}

static llvm::Error run(const CommandLine &args, Call &call,
                       const boostr_function &function,
                       llvm::function_ref<FlopCounts()> getFlops) {
  if (llvm::Error error = checkOutputs(args, function))
    return error;
  if (llvm::Error error = call.run(function))
    return error;
  auto outputs = call.getOutputs();
  if (!outputs)
    return outputs.takeError();
  if (llvm::Error error = writeOutputs(args, function, *outputs))
    return error;
  if (args.repeat == 0)
    return llvm::Error::success();
  return printTime(args, call, function,
                   getFlops().get(function.name, call.getShapes()));
}

namespace {

/// The function to run, compiled and loaded.
struct Program {
  Jit jit;
  const boostr_function *function;
};

} // namespace

/// Compiles with `options` and loads. What goes wrong is said.
static std::optional<Program> load(CommandLine &args, TargetOptions &options,
                                   const ArtifactCache &cache,
                                   Compilation &compilation) {
  FailureOr<Artifact> object = getObject(args, options, cache, compilation);
  if (failed(object))
    return std::nullopt;
  auto jit = Jit::load(object->code);
  if (!jit) {
    fail(jit.takeError());
    return std::nullopt;
  }
  auto function = findEntry(*jit, args.entry);
  if (!function) {
    fail(function.takeError());
    return std::nullopt;
  }
  return Program{std::move(*jit), *function};
}

/// Runs both and says which is faster; kernels of our own, which are
/// `generated`, where the library cannot be measured.
static Gemm compare(Call &call, const Program &generated,
                    const Program &cublaslt, StringRef key,
                    const GemmChoices &choices) {
  auto seconds =
      compareFunctions(call, {generated.function, cublaslt.function});
  if (!seconds) {
    // Nothing to remember: a library may be there next time.
    llvm::outs() << "gemm: generated; not measured: "
                 << llvm::toString(seconds.takeError()) << "\n";
    return Gemm::Generated;
  }
  Gemm way = (*seconds)[1] < (*seconds)[0] ? Gemm::Cublaslt : Gemm::Generated;
  llvm::outs() << llvm::formatv(
      "gemm: {0}; generated {1:f4} ms, cublaslt {2:f4} ms for {3}\n",
      stringifyGemm(way), (*seconds)[0] * 1e3, (*seconds)[1] * 1e3, key);
  choices.set(key, way);
  return way;
}

/// Puts the faster of both ways into `program`, which has kernels of our own.
/// False if it does not compile, which has been said.
static bool takeFaster(CommandLine &args, TargetOptions &options,
                       const ArtifactCache &cache,
                       const Compilation &compilation, Call &call,
                       Program &program) {
  GemmChoices choices(cache.getFolder(), compilation.getSource().getBuffer(),
                      options);
  std::string key = getMeasuredKey(program.function->name, call.getShapes());
  std::optional<Gemm> way = choices.get(key);
  if (way)
    llvm::outs() << "gemm: " << stringifyGemm(*way)
                 << ", as measured before for " << key << "\n";
  if (way == Gemm::Generated)
    return true;
  options.cuda.gemm = Gemm::Cublaslt;
  // Of its own, since what is said is kept with what is compiled.
  Compilation second;
  second.readAgain(compilation);
  std::optional<Program> other = load(args, options, cache, second);
  if (!other)
    return false;
  if (!way)
    way = compare(call, program, *other, key, choices);
  if (way == Gemm::Cublaslt)
    program = std::move(*other);
  return true;
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

/// Whether to measure; an error if there is nothing to choose.
static llvm::Expected<bool> mustMeasure(const CommandLine &args,
                                        const TargetOptions &options) {
  if (!args.measure || (options.isCuda && args.lowering.gemm == Gemm::Auto))
    return args.measure;
  return llvm::createStringError(
      "--measure expected --gemm=auto and a CUDA device as --target");
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
  auto measures = mustMeasure(args, options);
  if (!measures)
    return fail(measures.takeError());
  if (*measures)
    options.cuda.gemm = Gemm::Generated;
  if (failed(compilation.read(args.file)))
    return 1;
  std::optional<Program> program = load(args, options, *cache, compilation);
  if (!program)
    return 1;
  auto call =
      Call::create(*program->function, args.inputs, *device, args.threads);
  if (!call)
    return fail(call.takeError());
  if (*measures &&
      !takeFaster(args, options, *cache, compilation, **call, *program))
    return 1;
  auto getFlops = [&] { return countSourceFlops(compilation); };
  if (llvm::Error error = run(args, **call, *program->function, getFlops))
    return fail(std::move(error));
  return 0;
}
