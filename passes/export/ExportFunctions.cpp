// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// `boostr-export-functions`: the C interface of lowered functions, as
// boostr_runtime.h describes it.

#include "boostr/dialect/BoostrAttrs.h"
#include "boostr/dialect/BoostrDialect.h"
#include "boostr/passes/Passes.h"
#include "boostr/passes/Subtarget.h"
#include "boostr/passes/export/CNames.h"
#include "boostr/passes/export/ConstantData.h"
#include "boostr/runtime/boostr_runtime.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mlir::boostr {
#define GEN_PASS_DEF_EXPORTFUNCTIONS
#include "boostr/passes/Passes.h.inc"
} // namespace mlir::boostr

using namespace mlir;
using namespace mlir::boostr;

namespace {

struct ExportFunctions : boostr::impl::ExportFunctionsBase<ExportFunctions> {
  using ExportFunctionsBase::ExportFunctionsBase;
  void runOnOperation() override;
};

/// Which of several modules for different CPUs one is.
struct Variant {
  int64_t number = 0, count = 1;
};

/// A lowered function and what belongs to it.
struct Lowered {
  LLVM::LLVMFuncOp body;
  /// Takes pointers to descriptors: `_mlir_ciface_<name>`.
  LLVM::LLVMFuncOp wrapper;
  LLVM::LLVMFuncOp shapes;
  ArrayAttr constraints;
  Signature signature;
};

/// Gives one function its C interface.
class FunctionExporter {
public:
  FunctionExporter(SymbolTable &symbols, Lowered lowered,
                   DLDeviceType deviceType, uint64_t cpuFeatures,
                   Variant variant);

  /// The symbol of the `boostr_function`; null after an error.
  FlatSymbolRefAttr run();

private:
  LogicalResult checkNames();
  LogicalResult renameBody();
  FlatSymbolRefAttr createPacked();
  FlatSymbolRefAttr createShapes();
  FlatSymbolRefAttr createDescription();
  FlatSymbolRefAttr createVariants(ConstantData &data,
                                   const ConstantData::Function &function);
  LogicalResult createPlainEntry(FlatSymbolRefAttr description);
  LogicalResult createCheckedEntry(FlatSymbolRefAttr description);

  LLVM::LLVMFuncOp createFunction(StringRef name, Type result,
                                  ArrayRef<Type> arguments,
                                  LLVM::Linkage linkage);
  LLVM::LLVMFuncOp createEntry(StringRef name, ArrayRef<Type> arguments);
  LLVM::LLVMFuncOp declare(StringRef name, Type result,
                           ArrayRef<Type> arguments);
  Value createElementAddress(Type elementType, Value array, int32_t position);
  size_t getNumTensors() {
    return lowered.signature.inputs.size() + lowered.signature.outputs.size();
  }

  SymbolTable &symbols;
  Lowered lowered;
  DLDeviceType deviceType;
  uint64_t cpuFeatures;
  Variant variant;
  std::string name;
  ImplicitLocOpBuilder b;
  LLVM::LLVMPointerType pointer;
  Type i32, i64, nothing;
};

} // namespace

static constexpr StringLiteral wrapperPrefix = "_mlir_ciface_";
static constexpr StringLiteral listName = "boostr_module_functions";

FunctionExporter::FunctionExporter(SymbolTable &symbols, Lowered function,
                                   DLDeviceType deviceType,
                                   uint64_t cpuFeatures, Variant variant)
    : symbols(symbols), lowered(std::move(function)), deviceType(deviceType),
      cpuFeatures(cpuFeatures), variant(variant),
      name(lowered.body.getName().str()),
      b(lowered.body.getLoc(), symbols.getOp()->getContext()),
      pointer(LLVM::LLVMPointerType::get(b.getContext())), i32(b.getI32Type()),
      i64(b.getI64Type()), nothing(LLVM::LLVMVoidType::get(b.getContext())) {}

//===----------------------------------------------------------------------===//
// Names
//===----------------------------------------------------------------------===//

/// The exported names must be fit for C and free.
LogicalResult FunctionExporter::checkNames() {
  if (StringRef reason = explainUnfitName(name); !reason.empty())
    return lowered.body.emitError()
           << "cannot export function '" << name << "': " << reason;
  for (StringRef suffix : {"_function", "_dlpack"}) {
    std::string exported = name + suffix.str();
    if (Operation *other = symbols.lookup(exported)) {
      InFlightDiagnostic diagnostic = lowered.body.emitError()
                                      << "cannot export function '" << name
                                      << "': the symbol '" << exported
                                      << "' is taken";
      diagnostic.attachNote(other->getLoc()) << "by this";
      return diagnostic;
    }
  }
  return success();
}

/// Leaves the name of the lowered function to the plain entry. Calls go on to
/// reach the body.
LogicalResult FunctionExporter::renameBody() {
  std::string internal = name + "__body";
  while (symbols.lookup(internal))
    internal += "_";
  if (failed(symbols.rename(lowered.body, internal)))
    return lowered.body.emitError()
           << "cannot export function '" << name << "': failed to rename it";
  return success();
}

//===----------------------------------------------------------------------===//
// Code
//===----------------------------------------------------------------------===//

/// Leaves `b` at the start of the new function's body.
LLVM::LLVMFuncOp FunctionExporter::createFunction(StringRef functionName,
                                                  Type result,
                                                  ArrayRef<Type> arguments,
                                                  LLVM::Linkage linkage) {
  auto type = LLVM::LLVMFunctionType::get(result, arguments);
  b.clearInsertionPoint();
  auto function = LLVM::LLVMFuncOp::create(b, functionName, type, linkage);
  symbols.insert(function);
  b.setInsertionPointToStart(function.addEntryBlock(b));
  return function;
}

/// A function that hosts call. It runs on any CPU, since the runtime is yet to
/// find out whether this one has what the others need.
LLVM::LLVMFuncOp FunctionExporter::createEntry(StringRef functionName,
                                               ArrayRef<Type> arguments) {
  LLVM::LLVMFuncOp entry =
      createFunction(functionName, i32, arguments, LLVM::Linkage::External);
  entry.setTargetCpu("x86-64");
  entry.setTargetFeaturesAttr(LLVM::TargetFeaturesAttr::get(
      b.getContext(), ArrayRef<StringRef>{"+sse2"}));
  return entry;
}

/// A function of the runtime. Null, after an error, if the module has another
/// symbol of that name.
LLVM::LLVMFuncOp FunctionExporter::declare(StringRef functionName, Type result,
                                           ArrayRef<Type> arguments) {
  auto type = LLVM::LLVMFunctionType::get(result, arguments);
  Operation *known = symbols.lookup(functionName);
  if (!known) {
    OpBuilder detached(b.getContext());
    auto function = LLVM::LLVMFuncOp::create(detached, b.getLoc(), functionName,
                                             type, LLVM::Linkage::External);
    symbols.insert(function);
    return function;
  }
  auto function = dyn_cast<LLVM::LLVMFuncOp>(known);
  if (function && function.isExternal() && function.getFunctionType() == type)
    return function;
  known->emitError() << "the symbol '" << functionName
                     << "' belongs to the runtime";
  return {};
}

Value FunctionExporter::createElementAddress(Type elementType, Value array,
                                             int32_t position) {
  return LLVM::GEPOp::create(b, pointer, elementType, array,
                             ArrayRef<LLVM::GEPArg>{position});
}

/// `void packed(void **descriptors)`.
FlatSymbolRefAttr FunctionExporter::createPacked() {
  LLVM::LLVMFuncOp packed = createFunction(name + "__packed", nothing,
                                           {pointer}, LLVM::Linkage::Internal);
  SmallVector<Value> descriptors;
  for (size_t number = 0; number < getNumTensors(); ++number)
    descriptors.push_back(LLVM::LoadOp::create(
        b, pointer,
        createElementAddress(pointer, packed.getArgument(0), number)));
  LLVM::CallOp::create(b, lowered.wrapper, descriptors);
  LLVM::ReturnOp::create(b, ValueRange());
  return FlatSymbolRefAttr::get(packed.getSymNameAttr());
}

/// `int64_t shapes(const int64_t *input_extents, int64_t *output_extents)`.
FlatSymbolRefAttr FunctionExporter::createShapes() {
  LLVM::LLVMFuncOp function = createFunction(
      name + "__extents", i64, {pointer, pointer}, LLVM::Linkage::Internal);
  SmallVector<Value> inputs;
  for (size_t i = 0, e = lowered.shapes.getNumArguments(); i < e; ++i)
    inputs.push_back(LLVM::LoadOp::create(
        b, i64, createElementAddress(i64, function.getArgument(0), i)));
  Value result = LLVM::CallOp::create(b, lowered.shapes, inputs).getResult();
  Value status = result;
  if (auto type = dyn_cast<LLVM::LLVMStructType>(result.getType())) {
    status = LLVM::ExtractValueOp::create(b, result, 0);
    for (size_t i = 1, e = type.getBody().size(); i < e; ++i)
      LLVM::StoreOp::create(
          b, LLVM::ExtractValueOp::create(b, result, static_cast<int64_t>(i)),
          createElementAddress(i64, function.getArgument(1), i - 1));
  }
  LLVM::ReturnOp::create(b, status);
  return FlatSymbolRefAttr::get(function.getSymNameAttr());
}

/// `boostr_status name(const boostr_memref_Kd *...)`.
LogicalResult
FunctionExporter::createPlainEntry(FlatSymbolRefAttr description) {
  LLVM::LLVMFuncOp invoke =
      declare("boostr_invoke", i32, {pointer, pointer, pointer});
  if (!invoke)
    return failure();
  LLVM::LLVMFuncOp entry =
      createEntry(name, SmallVector<Type>(getNumTensors(), pointer));
  Value null = LLVM::ZeroOp::create(b, pointer);
  Value descriptors = null;
  if (getNumTensors() > 0)
    descriptors = LLVM::AllocaOp::create(
        b, pointer, pointer,
        LLVM::ConstantOp::create(b, i64, b.getI64IntegerAttr(getNumTensors())));
  for (auto [number, argument] : llvm::enumerate(entry.getArguments()))
    LLVM::StoreOp::create(b, argument,
                          createElementAddress(pointer, descriptors, number));
  Value function = LLVM::AddressOfOp::create(b, pointer, description);
  auto call =
      LLVM::CallOp::create(b, invoke, ValueRange{null, function, descriptors});
  LLVM::ReturnOp::create(b, call.getResult());
  return success();
}

/// `boostr_status name_dlpack(context, inputs, n, outputs, m)`.
LogicalResult
FunctionExporter::createCheckedEntry(FlatSymbolRefAttr description) {
  LLVM::LLVMFuncOp call = declare(
      "boostr_call", i32, {pointer, pointer, pointer, i32, pointer, i32});
  if (!call)
    return failure();
  LLVM::LLVMFuncOp entry =
      createEntry(name + "_dlpack", {pointer, pointer, i32, pointer, i32});
  SmallVector<Value> arguments(entry.getArguments());
  arguments.insert(arguments.begin() + 1,
                   LLVM::AddressOfOp::create(b, pointer, description));
  LLVM::ReturnOp::create(b,
                         LLVM::CallOp::create(b, call, arguments).getResult());
  return success();
}

//===----------------------------------------------------------------------===//
// Data
//===----------------------------------------------------------------------===//

/// The description of this variant and, in the first module, what describes all
/// of them.
FlatSymbolRefAttr
FunctionExporter::createVariants(ConstantData &data,
                                 const ConstantData::Function &function) {
  Location loc = b.getLoc();
  auto getName = [&](int64_t number) {
    return name + "__variant_" + std::to_string(number);
  };
  FlatSymbolRefAttr own = data.addFunction(loc, getName(variant.number),
                                           function, /*isHidden=*/true);
  if (variant.number > 0)
    return own;
  SmallVector<FlatSymbolRefAttr> all = {own};
  for (int64_t number = 1; number < variant.count; ++number)
    all.push_back(data.declareFunction(loc, getName(number)));
  all.push_back({});
  ConstantData::Function common = function;
  common.cpuFeatures = 0;
  common.variants =
      data.addPointers(loc, name + "__variants", all, LLVM::Linkage::Internal);
  return data.addFunction(loc, name + "_function", common);
}

FlatSymbolRefAttr FunctionExporter::createDescription() {
  LLVM::LLVMFuncOp runtime = declare("boostr_runtime_copy", pointer, {});
  if (!runtime)
    return {};
  ConstantData data(symbols);
  Location loc = b.getLoc();
  const Signature &signature = lowered.signature;
  SmallVector<FlatSymbolRefAttr> texts;
  for (auto [number, text] :
       llvm::enumerate(lowered.constraints.getAsRange<StringAttr>()))
    texts.push_back(data.addString(
        loc, (name + "__constraint_" + Twine(number)).str(), text));

  SmallVector<FlatSymbolRefAttr> layouts;
  for (auto [number, text] : llvm::enumerate(signature.inputLayouts))
    layouts.push_back(
        text.empty()
            ? FlatSymbolRefAttr()
            : data.addString(loc, (name + "__layout_" + Twine(number)).str(),
                             text));

  ConstantData::Function function;
  function.name = data.addString(loc, name + "__name", name);
  function.numInputs = signature.inputs.size();
  function.numOutputs = signature.outputs.size();
  function.inputs = data.addSpecs(loc, name + "__inputs", signature.inputs,
                                  signature.inputNames);
  function.outputs = data.addSpecs(loc, name + "__outputs", signature.outputs,
                                   signature.outputNames);
  function.packed = createPacked();
  function.shapes = createShapes();
  function.deviceType = deviceType;
  function.cpuFeatures = cpuFeatures;
  function.runtime = FlatSymbolRefAttr::get(runtime.getSymNameAttr());
  function.numConstraints = texts.size();
  function.constraints = data.addPointers(loc, name + "__constraints", texts,
                                          LLVM::Linkage::Internal);
  function.inputLayouts = data.addPointers(loc, name + "__layouts", layouts,
                                           LLVM::Linkage::Internal);
  if (variant.count > 1)
    return createVariants(data, function);
  return data.addFunction(loc, name + "_function", function);
}

FlatSymbolRefAttr FunctionExporter::run() {
  if (failed(checkNames()) || failed(renameBody()))
    return {};
  FlatSymbolRefAttr description = createDescription();
  if (!description || variant.number > 0)
    return description;
  if (failed(createPlainEntry(description)) ||
      failed(createCheckedEntry(description)))
    return {};
  return description;
}

//===----------------------------------------------------------------------===//
// The pass
//===----------------------------------------------------------------------===//

/// True if all of `types` are `type`, and they are `count`.
static bool isFilledWith(ArrayRef<Type> types, Type type, size_t count) {
  return types.size() == count && llvm::all_equal(types) &&
         (types.empty() || types.front() == type);
}

/// The function that takes pointers to descriptors. Null after an error.
static LLVM::LLVMFuncOp findWrapper(SymbolTable &symbols, LLVM::LLVMFuncOp body,
                                    const Signature &signature) {
  auto wrapper =
      symbols.lookup<LLVM::LLVMFuncOp>((wrapperPrefix + body.getName()).str());
  if (!wrapper || wrapper.isExternal()) {
    body.emitError() << "cannot export function '" << body.getName()
                     << "': expected it to be lowered with the attribute "
                        "'llvm.emit_c_interface', found no function '"
                     << wrapperPrefix << body.getName() << "'";
    return {};
  }
  LLVM::LLVMFunctionType type = wrapper.getFunctionType();
  size_t count = signature.inputs.size() + signature.outputs.size();
  if (isa<LLVM::LLVMVoidType>(type.getReturnType()) &&
      isFilledWith(type.getParams(),
                   LLVM::LLVMPointerType::get(body.getContext()), count))
    return wrapper;
  wrapper.emitError() << "cannot export function '" << body.getName()
                      << "': expected pointers to descriptors of "
                      << signature.inputs.size() << " inputs and "
                      << signature.outputs.size() << " outputs, got " << type;
  return {};
}

/// The lowered shape function. Null after an error.
static LLVM::LLVMFuncOp findShapes(SymbolTable &symbols, LLVM::LLVMFuncOp body,
                                   const Signature &signature) {
  auto symbol = body->getAttrOfType<FlatSymbolRefAttr>(
      BoostrDialect::getShapesAttrName());
  auto shapes = symbol ? symbols.lookup<LLVM::LLVMFuncOp>(symbol.getAttr())
                       : LLVM::LLVMFuncOp();
  if (!shapes || shapes.isExternal() ||
      !shapes->getAttrOfType<ArrayAttr>(
          BoostrDialect::getConstraintsAttrName())) {
    body.emitError() << "cannot export function '" << body.getName()
                     << "': found no function for its shapes";
    return {};
  }
  size_t numInputs = 0, numResults = 1;
  for (RankedTensorType type : signature.inputs)
    numInputs += type.getRank();
  for (RankedTensorType type : signature.outputs)
    numResults += type.getRank();
  LLVM::LLVMFunctionType type = shapes.getFunctionType();
  auto i64 = IntegerType::get(body.getContext(), 64);
  SmallVector<Type> results = {type.getReturnType()};
  if (auto fields = dyn_cast<LLVM::LLVMStructType>(results.front()))
    results.assign(fields.getBody().begin(), fields.getBody().end());
  if (isFilledWith(type.getParams(), i64, numInputs) &&
      isFilledWith(results, i64, numResults))
    return shapes;
  shapes.emitError() << "cannot export function '" << body.getName()
                     << "': expected its shape function to take " << numInputs
                     << " and to return " << numResults
                     << " numbers of 64 bits, got " << type;
  return {};
}

static FailureOr<Lowered> findLowered(SymbolTable &symbols,
                                      LLVM::LLVMFuncOp body) {
  std::optional<Signature> signature = readSignature(body);
  if (!signature)
    return body.emitError()
           << "cannot export function '" << body.getName() << "': expected a '"
           << BoostrDialect::getSignatureAttrName()
           << "' and names as boostr-create-shape-functions writes them";
  LLVM::LLVMFuncOp wrapper = findWrapper(symbols, body, *signature);
  if (!wrapper)
    return failure();
  LLVM::LLVMFuncOp shapes = findShapes(symbols, body, *signature);
  if (!shapes)
    return failure();
  auto constraints =
      shapes->getAttrOfType<ArrayAttr>(BoostrDialect::getConstraintsAttrName());
  return Lowered{body, wrapper, shapes, constraints, std::move(*signature)};
}

/// What callers must not see becomes internal, and what only this pass reads
/// goes away.
static void hideImplementation(ModuleOp module, ArrayRef<Lowered> exported) {
  auto hide = [](LLVM::LLVMFuncOp function) {
    function.setLinkage(LLVM::Linkage::Internal);
  };
  for (const Lowered &lowered : exported) {
    hide(lowered.body);
    hide(lowered.wrapper);
    hide(lowered.shapes);
  }
  for (auto function : module.getOps<LLVM::LLVMFuncOp>()) {
    if (function.isPrivate() && !function.isExternal())
      hide(function);
    for (StringRef name : {BoostrDialect::getSignatureAttrName(),
                           BoostrDialect::getSignatureNamesAttrName(),
                           BoostrDialect::getSignatureLayoutsAttrName(),
                           BoostrDialect::getShapesAttrName(),
                           BoostrDialect::getShapesOfAttrName(),
                           BoostrDialect::getConstraintsAttrName()})
      function->removeAttr(name);
    for (unsigned number = 0; number < function.getNumArguments(); ++number)
      for (StringRef name : {BoostrDialect::getNameAttrName(),
                             BoostrDialect::getPackedLayoutAttrName()})
        function.removeArgAttr(number, name);
  }
}

/// True if any code multiplies with AMX: a process that has no use for it need
/// not ask for it.
static bool usesAmx(ModuleOp module) {
  return module
      .walk([](LLVM::CallIntrinsicOp call) {
        return call.getIntrin().starts_with("llvm.x86.tdp")
                   ? WalkResult::interrupt()
                   : WalkResult::advance();
      })
      .wasInterrupted();
}

/// The features of `boostr.cpu_target` that the runtime knows to look for.
static uint64_t getCpuFeatures(ModuleOp module) {
  auto target = module->getAttrOfType<CpuTargetAttr>(
      BoostrDialect::getCpuTargetAttrName());
  if (!target)
    return 0;
  std::unique_ptr<llvm::MCSubtargetInfo> subtarget =
      createX86Subtarget([] { return InFlightDiagnostic(); }, target.getCpu(),
                         target.getFeatures());
  uint64_t features = 0;
  auto collect = [&](int bit, StringRef name) {
    if (subtarget && subtarget->checkFeatures(("+" + name).str()))
      features |= uint64_t(1) << bit;
  };
#define BOOSTR_CPU_FEATURE(bit, name) collect(bit, name);
#define BOOSTR_CPU_FEATURE_AMX(bit, name)                                      \
  if (usesAmx(module))                                                         \
    collect(bit, name);
#include "boostr/runtime/CpuFeatures.def"
  return features;
}

void ExportFunctions::runOnOperation() {
  ModuleOp module = getOperation();
  if (variant < 0 || variant >= variants) {
    module.emitError() << "'variant' expected 0 to " << variants - 1 << ", got "
                       << variant.getValue();
    return signalPassFailure();
  }
  SymbolTable symbols(module);
  SmallVector<Lowered, 0> functions;
  for (auto function : module.getOps<LLVM::LLVMFuncOp>()) {
    // Wrappers inherit the attributes of what they wrap.
    if (function.isExternal() ||
        function.getName().starts_with(wrapperPrefix) ||
        !function->hasAttr(BoostrDialect::getSignatureAttrName()))
      continue;
    FailureOr<Lowered> lowered = findLowered(symbols, function);
    if (failed(lowered))
      return signalPassFailure();
    functions.push_back(std::move(*lowered));
  }
  if (functions.empty())
    return;
  if (Operation *other = symbols.lookup(listName)) {
    other->emitError() << "the symbol '" << listName
                       << "' belongs to the list of exported functions";
    return signalPassFailure();
  }
  uint64_t features = getCpuFeatures(module);
  SmallVector<FlatSymbolRefAttr> descriptions;
  for (const Lowered &lowered : functions) {
    descriptions.push_back(FunctionExporter(symbols, lowered,
                                            cuda ? kDLCUDA : kDLCPU, features,
                                            {variant, variants})
                               .run());
    if (!descriptions.back())
      return signalPassFailure();
  }
  descriptions.push_back({});
  if (variant == 0)
    ConstantData(symbols).addPointers(module.getLoc(), listName, descriptions,
                                      LLVM::Linkage::External);
  hideImplementation(module, functions);
}
