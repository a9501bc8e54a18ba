// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// `boostr-gpu-to-runtime`: launches become calls of the runtime, and binaries
// constants.

#include "boostr/passes/Passes.h"
#include "boostr/passes/export/ConstantData.h"
#include "boostr/passes/gpu/IndependentKernels.h"
#include "mlir/Conversion/LLVMCommon/TypeConverter.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/FunctionCallUtils.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

namespace mlir::boostr {
#define GEN_PASS_DEF_GPUTORUNTIME
#include "boostr/passes/Passes.h.inc"
} // namespace mlir::boostr

using namespace mlir;
using namespace mlir::boostr;

namespace {

struct GpuToRuntime : boostr::impl::GpuToRuntimeBase<GpuToRuntime> {
  void runOnOperation() override;
};

/// A kernel of a binary: what its module is called, and its number in there.
struct Kernel {
  FlatSymbolRefAttr module;
  int32_t number = 0;
  gpu::KernelMetadataAttr metadata;

  bool runsWithEarlier() const {
    DictionaryAttr others = metadata.getMetadata();
    return others && others.contains(kRunsWithEarlierName);
  }
};

/// Turns one launch into a call.
class LaunchLowering {
public:
  LaunchLowering(gpu::LaunchFuncOp launch, const Kernel &kernel,
                 LLVM::LLVMFuncOp callee)
      : launch(launch), kernel(kernel), callee(callee),
        b(launch.getLoc(), launch), converter(launch.getContext()),
        pointer(LLVM::LLVMPointerType::get(launch.getContext())) {}

  LogicalResult run();

private:
  LogicalResult collectOperands();
  Value convert(Value value, Type type);
  Value createMemory(Type type);
  void store(Value value, ArrayRef<LLVM::GEPArg> position);
  Value getAddress(ArrayRef<LLVM::GEPArg> position);
  void storeGrid();
  void storeParameters();
  bool isByValue(unsigned number);

  gpu::LaunchFuncOp launch;
  const Kernel &kernel;
  LLVM::LLVMFuncOp callee;
  ImplicitLocOpBuilder b;
  LLVMTypeConverter converter;
  Type pointer;
  SmallVector<Value> operands;
  /// `{boostr_cuda_grid, void *[], operands...}` on the stack.
  Type memoryType;
  Value memory;
};

} // namespace

//===----------------------------------------------------------------------===//
// Launches
//===----------------------------------------------------------------------===//

Value LaunchLowering::convert(Value value, Type type) {
  if (value.getType() == type)
    return value;
  return UnrealizedConversionCastOp::create(b, type, value).getResult(0);
}

/// The operands as the kernel takes them: memrefs field by field. The casts in
/// between vanish when the host code is lowered.
LogicalResult LaunchLowering::collectOperands() {
  SmallVector<Value> converted;
  for (Value operand : launch.getKernelOperands()) {
    Type type = converter.convertType(operand.getType());
    if (!type)
      return launch.emitOpError("passes a value of type ")
             << operand.getType() << ", which has no counterpart in LLVM";
    converted.push_back(convert(operand, type));
  }
  llvm::append_range(operands,
                     converter.promoteOperands(
                         b.getLoc(), launch.getKernelOperands(), converted, b));
  Type type = kernel.metadata.getFunctionType();
  SmallVector<Type> expected;
  if (auto lowered = dyn_cast<LLVM::LLVMFunctionType>(type))
    llvm::append_range(expected, lowered.getParams());
  if (TypeRange(operands) == TypeRange(expected))
    return success();
  return launch.emitOpError("passes ")
         << TypeRange(operands) << " to kernel '"
         << launch.getKernelName().getValue() << "' of type " << type;
}

/// A tensor map, say: its bytes are the argument, not its address.
bool LaunchLowering::isByValue(unsigned number) {
  gpu::KernelMetadataAttr metadata = kernel.metadata;
  StringRef name = LLVM::LLVMDialect::getByValAttrName();
  return static_cast<bool>(metadata.getArgAttr(number, name));
}

/// In the entry block, so that a loop around takes no more stack.
Value LaunchLowering::createMemory(Type type) {
  auto function = launch->getParentOfType<FunctionOpInterface>();
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(&function.getFunctionBody().front());
  Value one =
      LLVM::ConstantOp::create(b, b.getI64Type(), b.getI64IntegerAttr(1));
  return LLVM::AllocaOp::create(b, pointer, type, one, /*alignment=*/16);
}

Value LaunchLowering::getAddress(ArrayRef<LLVM::GEPArg> position) {
  SmallVector<LLVM::GEPArg> indices = {0};
  llvm::append_range(indices, position);
  return LLVM::GEPOp::create(b, pointer, memoryType, memory, indices);
}

void LaunchLowering::store(Value value, ArrayRef<LLVM::GEPArg> position) {
  LLVM::StoreOp::create(b, value, getAddress(position));
}

/// `boostr_cuda_grid`: ten numbers of 32 bits.
void LaunchLowering::storeGrid() {
  Type i32 = b.getI32Type();
  auto narrow = [&](Value value) -> Value {
    if (value.getType().isIndex())
      return arith::IndexCastOp::create(b, i32, value);
    if (value.getType() == i32)
      return value;
    return LLVM::TruncOp::create(b, i32, value);
  };
  Value zero = LLVM::ConstantOp::create(b, i32, b.getI32IntegerAttr(0));
  SmallVector<Value> sizes;
  auto add = [&](gpu::KernelDim3 dims) {
    for (Value dim : {dims.x, dims.y, dims.z})
      sizes.push_back(narrow(dim));
  };
  add(launch.getGridSizeOperandValues());
  add(launch.getBlockSizeOperandValues());
  if (launch.hasClusterSize())
    add(launch.getClusterSizeOperandValues());
  else
    sizes.append(3, zero);
  Value shared = launch.getDynamicSharedMemorySize();
  sizes.push_back(shared ? shared : zero);
  for (auto [number, size] : llvm::enumerate(sizes))
    store(size, {0, static_cast<int32_t>(number)});
}

/// Their addresses, which are those on the stack but for arguments by value.
void LaunchLowering::storeParameters() {
  for (auto [number, operand] : llvm::enumerate(operands)) {
    Value address = operand;
    if (!isByValue(number)) {
      address = getAddress({static_cast<int32_t>(number) + 2});
      LLVM::StoreOp::create(b, operand, address);
    }
    store(address, {1, static_cast<int32_t>(number)});
  }
}

LogicalResult LaunchLowering::run() {
  if (launch.getAsyncToken() || !launch.getAsyncDependencies().empty())
    return launch.emitOpError(
        "is async; the runtime orders launches by stream");
  if (!launch->getParentOfType<FunctionOpInterface>())
    return launch.emitOpError("expected inside a function");
  if (failed(collectOperands()))
    return failure();
  SmallVector<Type> fields = {
      LLVM::LLVMArrayType::get(b.getI32Type(), 10),
      LLVM::LLVMArrayType::get(pointer, operands.size())};
  llvm::append_range(fields, ValueRange(operands).getTypes());
  memoryType = LLVM::LLVMStructType::getLiteral(b.getContext(), fields);
  memory = createMemory(memoryType);
  storeGrid();
  storeParameters();
  Value module = LLVM::AddressOfOp::create(b, pointer, kernel.module);
  Value number = LLVM::ConstantOp::create(b, b.getI32Type(),
                                          b.getI32IntegerAttr(kernel.number));
  LLVM::CallOp::create(
      b, callee, ValueRange{module, number, getAddress({0}), getAddress({1})});
  launch.erase();
  return success();
}

//===----------------------------------------------------------------------===//
// Binaries
//===----------------------------------------------------------------------===//

/// Adds the constant of `binary`. Null after an error.
static FlatSymbolRefAttr addModule(ConstantData &data, gpu::BinaryOp binary,
                                   gpu::KernelTableAttr kernels) {
  SmallVector<ConstantData::CudaImage> images;
  for (auto object : binary.getObjects().getAsRange<gpu::ObjectAttr>()) {
    auto target = dyn_cast<NVVM::NVVMTargetAttr>(object.getTarget());
    bool isText = object.getFormat() == gpu::CompilationTarget::Assembly;
    if (!target ||
        !(isText || object.getFormat() == gpu::CompilationTarget::Binary)) {
      binary.emitOpError("expected objects of the formats 'bin' and 'assembly' "
                         "for NVIDIA GPUs");
      return {};
    }
    images.push_back({isText ? StringRef() : target.getChip(),
                      object.getObject().getValue()});
  }
  auto names = llvm::map_to_vector(kernels, [](gpu::KernelMetadataAttr kernel) {
    return kernel.getName().getValue();
  });
  return data.addCudaModule(binary.getLoc(), (binary.getName() + "_cuda").str(),
                            images, names);
}

static gpu::KernelTableAttr getKernels(gpu::BinaryOp binary) {
  return cast<gpu::ObjectAttr>(binary.getObjects()[0]).getKernels();
}

/// What `launch` runs. Fails with a diagnostic at it.
static FailureOr<Kernel>
findKernel(gpu::LaunchFuncOp launch, SymbolTable &symbols,
           const llvm::DenseMap<StringAttr, FlatSymbolRefAttr> &modules) {
  auto binary = symbols.lookup<gpu::BinaryOp>(launch.getKernelModuleName());
  if (!binary)
    return launch.emitOpError("expected kernel module '")
           << launch.getKernelModuleName().getValue()
           << "' to be a gpu.binary; run boostr-gpu-to-binary before";
  gpu::KernelTableAttr kernels = getKernels(binary);
  for (auto [number, metadata] : llvm::enumerate(kernels))
    if (metadata.getName() == launch.getKernelName())
      return Kernel{modules.lookup(binary.getSymNameAttr()),
                    static_cast<int32_t>(number), metadata};
  return launch.emitOpError("expected a kernel '")
         << launch.getKernelName().getValue() << "' in gpu.binary '"
         << binary.getName() << "'";
}

/// The function of the runtime that launches `kernel`.
static FailureOr<LLVM::LLVMFuncOp> getCallee(ModuleOp module,
                                             const Kernel &kernel) {
  OpBuilder builder(module.getContext());
  auto pointer = LLVM::LLVMPointerType::get(module.getContext());
  StringRef name = kernel.runsWithEarlier() ? "boostr_cuda_launch_beside"
                                            : "boostr_cuda_launch";
  return LLVM::lookupOrCreateFn(
      builder, module, name, {pointer, builder.getI32Type(), pointer, pointer},
      LLVM::LLVMVoidType::get(module.getContext()));
}

void GpuToRuntime::runOnOperation() {
  ModuleOp module = getOperation();
  SymbolTable symbols(module);
  ConstantData data(symbols);
  llvm::DenseMap<StringAttr, FlatSymbolRefAttr> modules;
  SmallVector<gpu::BinaryOp> binaries(module.getOps<gpu::BinaryOp>());
  for (gpu::BinaryOp binary : binaries) {
    gpu::KernelTableAttr kernels = getKernels(binary);
    if (!kernels) {
      binary.emitOpError("expected a table of kernels in its first object");
      return signalPassFailure();
    }
    FlatSymbolRefAttr symbol = addModule(data, binary, kernels);
    if (!symbol)
      return signalPassFailure();
    modules[binary.getSymNameAttr()] = symbol;
  }

  SmallVector<gpu::LaunchFuncOp> launches;
  module.walk([&](gpu::LaunchFuncOp launch) { launches.push_back(launch); });
  for (gpu::LaunchFuncOp launch : launches) {
    FailureOr<Kernel> kernel = findKernel(launch, symbols, modules);
    if (failed(kernel))
      return signalPassFailure();
    FailureOr<LLVM::LLVMFuncOp> callee = getCallee(module, *kernel);
    if (failed(callee) ||
        failed(LaunchLowering(launch, *kernel, *callee).run()))
      return signalPassFailure();
  }
  for (gpu::BinaryOp binary : binaries)
    symbols.erase(binary);
  module->removeAttr(gpu::GPUDialect::getContainerModuleAttrName());
}
