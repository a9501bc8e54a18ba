// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "boostr/passes/gpu/wgmma/KernelParameters.h"
#include "boostr/passes/cpu/IndexMath.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/FunctionCallUtils.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace mlir::boostr;
using namespace mlir::boostr::cpu;
using namespace mlir::boostr::wgmma;

// Of the CUDA driver's interface.
static constexpr int64_t kTensorMapBytes = 128, kTensorMapAlignment = 64;
/// CU_TENSOR_MAP_SWIZZLE_{32B, 64B, 128B}: 1 to 3.
static int64_t getSwizzle(int64_t rowBytes) {
  return llvm::Log2_64(rowBytes / 16);
}

/// CUtensorMapDataType of an element type that tensor maps are made for.
static int64_t getDataType(Type type) {
  if (type.isF32())
    return 7;
  return type.isF16() ? 6 : 9;
}

//===----------------------------------------------------------------------===//
// Host code
//===----------------------------------------------------------------------===//

/// In the entry block of the function, since launches may be in loops.
Value KernelParameters::createAlloca(Type elementType, int64_t count,
                                     int64_t alignment) {
  OpBuilder::InsertionGuard guard(host);
  auto function = host.getInsertionBlock()
                      ->getParent()
                      ->getParentOfType<FunctionOpInterface>();
  host.setInsertionPointToStart(&function.getFunctionBody().front());
  Value size = LLVM::ConstantOp::create(host, host.getI64Type(),
                                        host.getI64IntegerAttr(count));
  return LLVM::AllocaOp::create(host,
                                LLVM::LLVMPointerType::get(host.getContext()),
                                elementType, size, alignment);
}

Value KernelParameters::createArray(ArrayRef<OpFoldResult> values,
                                    Type elementType) {
  Value array = createAlloca(elementType, values.size(), /*alignment=*/0);
  for (auto [position, value] : llvm::enumerate(values)) {
    Value element =
        arith::IndexCastOp::create(host, elementType, toValue(host, value));
    Value address = LLVM::GEPOp::create(
        host, array.getType(), elementType, array,
        ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(position)});
    LLVM::StoreOp::create(host, element, address);
  }
  return array;
}

static int64_t getElementBytes(const StridedArray &array) {
  return array.getElementType().getIntOrFloatBitWidth() / 8;
}

static Value getAddress(ImplicitLocOpBuilder &host, const StridedArray &array) {
  auto metadata = memref::ExtractStridedMetadataOp::create(host, array.flat);
  Value base = memref::ExtractAlignedPointerAsIndexOp::create(host, array.flat);
  OpFoldResult offset = mul(host, metadata.getConstifiedMixedOffset(),
                            host.getIndexAttr(getElementBytes(array)));
  return arith::IndexCastOp::create(host, host.getI64Type(),
                                    toValue(host, add(host, base, offset)));
}

//===----------------------------------------------------------------------===//
// Parameters
//===----------------------------------------------------------------------===//

Value KernelParameters::addParameter(Value operand, Type type, bool byValue) {
  operands.push_back(operand);
  isByValue.push_back(byValue);
  return kernel.getBody().front().addArgument(type, host.getLoc());
}

Value KernelParameters::addNumber(OpFoldResult value) {
  if (std::optional<int64_t> known = getConstantIntValue(value))
    return device.number(*known);
  Value narrow =
      arith::IndexCastOp::create(host, host.getI32Type(), toValue(host, value));
  return addParameter(narrow, host.getI32Type());
}

Value KernelParameters::addAddress(const StridedArray &array) {
  return addAddress(getAddress(host, array));
}

Value KernelParameters::addAddress(Value address) {
  return addParameter(address, host.getI64Type());
}

Value KernelParameters::addTensorMap(const TensorView &view,
                                     ArrayRef<OpFoldResult> box,
                                     int64_t rowBytes) {
  OpFoldResult bytes = host.getIndexAttr(getElementBytes(view.array));
  SmallVector<OpFoldResult> extents, strides, boxExtents;
  for (unsigned dim : view.dims) {
    extents.push_back(view.extents[dim]);
    boxExtents.push_back(box[dim]);
    if (dim != view.dims.front())
      strides.push_back(mul(host, view.array.strides[dim], bytes));
  }
  Type i32 = host.getI32Type(), i64 = host.getI64Type();
  auto pointer = LLVM::LLVMPointerType::get(host.getContext());
  Value map =
      createAlloca(host.getI8Type(), kTensorMapBytes, kTensorMapAlignment);
  Value address =
      LLVM::IntToPtrOp::create(host, pointer, getAddress(host, view.array));
  auto number = [&](int64_t value) -> Value {
    return arith::ConstantIntOp::create(host, i32, value);
  };
  auto module = kernel->getParentOp()->getParentOfType<ModuleOp>();
  FailureOr<LLVM::LLVMFuncOp> encode = LLVM::lookupOrCreateFn(
      host, module, "boostr_cuda_encode_tensor_map",
      {pointer, i32, i32, pointer, pointer, pointer, pointer, i32},
      LLVM::LLVMVoidType::get(host.getContext()));
  LLVM::CallOp::create(
      host, *encode,
      ValueRange{map, number(getDataType(view.array.getElementType())),
                 number(view.dims.size()), address, createArray(extents, i64),
                 createArray(strides, i64), createArray(boxExtents, i32),
                 number(getSwizzle(rowBytes))});
  return addParameter(map, pointer, /*byValue=*/true);
}

void KernelParameters::finalize() {
  Block &entry = kernel.getBody().front();
  kernel.setFunctionType(
      LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(host.getContext()),
                                  llvm::to_vector(entry.getArgumentTypes())));
  for (auto [number, byValue] : llvm::enumerate(isByValue)) {
    if (!byValue)
      continue;
    auto type = LLVM::LLVMArrayType::get(host.getI8Type(), kTensorMapBytes);
    kernel.setArgAttr(number, LLVM::LLVMDialect::getByValAttrName(),
                      TypeAttr::get(type));
    kernel.setArgAttr(number, LLVM::LLVMDialect::getAlignAttrName(),
                      host.getI64IntegerAttr(kTensorMapAlignment));
    kernel.setArgAttr(number, NVVM::NVVMDialect::getGridConstantAttrName(),
                      host.getUnitAttr());
  }
}
