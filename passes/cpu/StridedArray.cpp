// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "boostr/passes/cpu/StridedArray.h"
#include "boostr/passes/cpu/IndexMath.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace mlir::boostr;
using namespace mlir::boostr::cpu;

StridedArray StridedArray::get(ImplicitLocOpBuilder &b, Value memref,
                               const std::optional<HeadRows> &rows,
                               AffineMap map) {
  auto metadata = memref::ExtractStridedMetadataOp::create(b, memref);
  SmallVector<OpFoldResult> memrefStrides =
      metadata.getConstifiedMixedStrides();
  OpFoldResult offset = metadata.getConstifiedMixedOffset();
  SmallVector<OpFoldResult> viewStrides = memrefStrides;
  SmallVector<OpFoldResult> viewSizes = metadata.getConstifiedMixedSizes();
  if (rows) {
    OpFoldResult rowStride = memrefStrides.front();
    offset = add(b, offset, mul(b, rowStride, b.getIndexAttr(rows->offset)));
    viewStrides.insert(viewStrides.begin(),
                       mul(b, rowStride, b.getIndexAttr(rows->headDim)));
    viewSizes.front() = b.getIndexAttr(rows->headDim);
    viewSizes.insert(viewSizes.begin(), b.getIndexAttr(rows->heads));
  }

  StridedArray array;
  array.strides.resize(map.getNumDims());
  OpFoldResult length = b.getIndexAttr(1);
  for (auto [expr, stride, size] :
       llvm::zip_equal(map.getResults(), viewStrides, viewSizes)) {
    array.strides[cast<AffineDimExpr>(expr).getPosition()] = stride;
    length = add(b, length, mul(b, sub(b, size, b.getIndexAttr(1)), stride));
  }

  // Values, not attributes, so that all arrays have one type and can be
  // selected.
  auto type = MemRefType::get(
      {ShapedType::kDynamic}, getElementTypeOrSelf(memref),
      StridedLayoutAttr::get(b.getContext(), ShapedType::kDynamic, {1}),
      cast<MemRefType>(memref.getType()).getMemorySpace());
  array.flat = memref::ReinterpretCastOp::create(
      b, type, metadata.getBaseBuffer(), OpFoldResult(toValue(b, offset)),
      ArrayRef<OpFoldResult>{toValue(b, length)},
      ArrayRef<OpFoldResult>{b.getIndexAttr(1)});
  return array;
}

Type StridedArray::getElementType() const { return getElementTypeOrSelf(flat); }

bool StridedArray::hasAny(ArrayRef<unsigned> dims) const {
  return llvm::any_of(dims, [&](unsigned dim) { return bool(strides[dim]); });
}

Value DimGroup::getSize(ImplicitLocOpBuilder &b) const {
  OpFoldResult size = b.getIndexAttr(1);
  for (unsigned dim : dims)
    size = mul(b, size, extents[dim]);
  return toValue(b, size);
}

bool mlir::boostr::cpu::isContiguousInChunks(const StridedArray &array,
                                             const DimGroup &group,
                                             int64_t lanes) {
  unsigned inner = group.dims.back();
  if (!array.strides[inner] || !isConstantIntValue(array.strides[inner], 1))
    return false;
  if (group.dims.size() == 1)
    return true;
  std::optional<int64_t> extent = getConstantIntValue(group.extents[inner]);
  return extent && *extent % lanes == 0;
}

OpFoldResult mlir::boostr::cpu::select(ImplicitLocOpBuilder &b, Value condition,
                                       OpFoldResult ifTrue,
                                       OpFoldResult ifFalse) {
  if (!ifTrue || ifTrue == ifFalse)
    return ifTrue;
  return arith::SelectOp::create(b, condition, toValue(b, ifTrue),
                                 toValue(b, ifFalse))
      .getResult();
}

StridedArray mlir::boostr::cpu::select(ImplicitLocOpBuilder &b, Value condition,
                                       const StridedArray &ifTrue,
                                       const StridedArray &ifFalse) {
  StridedArray result;
  result.flat = toValue(b, select(b, condition, OpFoldResult(ifTrue.flat),
                                  OpFoldResult(ifFalse.flat)));
  result.strides = select(b, condition, ifTrue.strides, ifFalse.strides);
  return result;
}

SmallVector<OpFoldResult, 5>
mlir::boostr::cpu::select(ImplicitLocOpBuilder &b, Value condition,
                          ArrayRef<OpFoldResult> ifTrue,
                          ArrayRef<OpFoldResult> ifFalse) {
  SmallVector<OpFoldResult, 5> result;
  for (auto [one, other] : llvm::zip_equal(ifTrue, ifFalse))
    result.push_back(select(b, condition, one, other));
  return result;
}

Value mlir::boostr::cpu::getOffset(ImplicitLocOpBuilder &b,
                                   const StridedArray &array,
                                   const DimGroup &group, Value index) {
  OpFoldResult offset = b.getIndexAttr(0);
  OpFoldResult rest = index;
  for (auto [position, dim] : llvm::enumerate(llvm::reverse(group.dims))) {
    bool isOutermost = position + 1 == group.dims.size();
    OpFoldResult coordinate = rest;
    if (!isOutermost) {
      Value extent = toValue(b, group.extents[dim]);
      Value dividend = toValue(b, rest);
      // Extents may be zero where nothing is read, but never are in a task.
      coordinate = arith::RemUIOp::create(b, dividend, extent).getResult();
      rest = arith::DivUIOp::create(b, dividend, extent).getResult();
    }
    if (array.strides[dim])
      offset = add(b, offset, mul(b, coordinate, array.strides[dim]));
  }
  return toValue(b, offset);
}

void mlir::boostr::cpu::fillOffsetTable(ImplicitLocOpBuilder &b, Value table,
                                        const StridedArray &array,
                                        const DimGroup &group, Value start,
                                        Value end, Value count) {
  Value last = toValue(b, add(b, end, b.getIndexAttr(-1)));
  forLoop(b, count, [&](Value i) {
    Value index = arith::MinUIOp::create(b, toValue(b, add(b, start, i)), last);
    memref::StoreOp::create(b, getOffset(b, array, group, index), table, i);
  });
}
