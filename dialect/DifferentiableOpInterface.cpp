// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "boostr/dialect/DifferentiableOpInterface.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/Interfaces/DestinationStyleOpInterface.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"

#include "boostr/dialect/DifferentiableOpInterface.cpp.inc"

namespace mlir::boostr {

bool isDifferentiableType(Type type) {
  if (auto tensor = dyn_cast<RankedTensorType>(type))
    type = tensor.getElementType();
  return isa<Float64Type, Float32Type, Float16Type, BFloat16Type>(type);
}

bool carriesOtherReals(Type type) {
  return !isDifferentiableType(type) &&
         isa<FloatType, ComplexType>(getElementTypeOrSelf(type));
}

/// The tensor that has the extents of `tensor` and was there before it, or
/// null.
static Value getShapeSource(Value tensor) {
  auto result = dyn_cast<OpResult>(tensor);
  if (!result)
    return {};
  Operation *op = result.getOwner();
  if (auto destination = dyn_cast<DestinationStyleOpInterface>(op))
    return destination.getTiedOpOperand(result)->get();
  if (auto cast = dyn_cast<tensor::CastOp>(op))
    return isa<RankedTensorType>(cast.getSource().getType()) ? cast.getSource()
                                                             : Value();
  if (!OpTrait::hasElementwiseMappableTraits(op))
    return {};
  for (Value operand : op->getOperands())
    if (isa<RankedTensorType>(operand.getType()))
      return operand;
  return {};
}

/// The extent that the defining op of `tensor` names or can compute, or null.
static OpFoldResult getExtentFromDefinition(OpBuilder &builder, Location loc,
                                            Value tensor, int64_t index) {
  auto result = dyn_cast<OpResult>(tensor);
  if (!result)
    return {};
  Operation *op = result.getOwner();
  if (auto empty = dyn_cast<tensor::EmptyOp>(op))
    return empty.getMixedSizes()[index];
  if (auto expand = dyn_cast<tensor::ExpandShapeOp>(op))
    return expand.getMixedOutputShape()[index];
  if (auto slice = dyn_cast<tensor::ExtractSliceOp>(op)) {
    llvm::SmallBitVector dropped = slice.getDroppedDims();
    for (auto [dim, size] : llvm::enumerate(slice.getMixedSizes()))
      if (!dropped.test(dim) && index-- == 0)
        return size;
    return {};
  }
  if (!isa<ReifyRankedShapedTypeOpInterface>(op))
    return {};
  FailureOr<OpFoldResult> extent =
      reifyDimOfResult(builder, op, static_cast<int>(result.getResultNumber()),
                       static_cast<int>(index));
  return succeeded(extent) ? *extent : OpFoldResult();
}

Value createExtent(OpBuilder &builder, Location loc, Value tensor,
                   int64_t index) {
  // Every step goes to a value defined earlier, so the walk ends.
  while (true) {
    auto type = cast<RankedTensorType>(tensor.getType());
    if (!type.isDynamicDim(index))
      return arith::ConstantIndexOp::create(builder, loc,
                                            type.getDimSize(index));
    if (Value source = getShapeSource(tensor)) {
      tensor = source;
      continue;
    }
    OpFoldResult extent = getExtentFromDefinition(builder, loc, tensor, index);
    if (!extent)
      return tensor::DimOp::create(builder, loc, tensor, index);
    auto value = dyn_cast<Value>(extent);
    if (!value)
      return arith::ConstantIndexOp::create(builder, loc,
                                            *getConstantIntValue(extent));
    auto dim = value.getDefiningOp<tensor::DimOp>();
    std::optional<int64_t> source = dim ? dim.getConstantIndex() : std::nullopt;
    if (!source || !isa<RankedTensorType>(dim.getSource().getType()))
      return value;
    tensor = dim.getSource();
    index = *source;
  }
}

SmallVector<Value> createDynamicExtents(OpBuilder &builder, Location loc,
                                        Value tensor) {
  SmallVector<Value> extents;
  auto type = cast<RankedTensorType>(tensor.getType());
  for (int64_t index = 0; index < type.getRank(); ++index)
    if (type.isDynamicDim(index))
      extents.push_back(createExtent(builder, loc, tensor, index));
  return extents;
}

Value createEmptyLike(OpBuilder &builder, Location loc, Value like,
                      Type elementType) {
  auto type = cast<RankedTensorType>(like.getType());
  return tensor::EmptyOp::create(
      builder, loc, cast<RankedTensorType>(type.clone(elementType)),
      createDynamicExtents(builder, loc, like));
}

Value createZeroLike(OpBuilder &builder, Location loc, Value like,
                     Type elementType) {
  if (!elementType)
    elementType = getElementTypeOrSelf(like.getType());
  Value zero = arith::ConstantOp::create(
      builder, loc, FloatAttr::get(cast<FloatType>(elementType), 0.0));
  if (!isa<RankedTensorType>(like.getType()))
    return zero;
  Value empty = createEmptyLike(builder, loc, like, elementType);
  return linalg::FillOp::create(builder, loc, zero, empty).getResult(0);
}

} // namespace mlir::boostr
