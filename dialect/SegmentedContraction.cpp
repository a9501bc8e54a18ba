// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "boostr/dialect/SegmentedContraction.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace mlir::boostr;

#include "boostr/dialect/SegmentedContractionOpInterface.cpp.inc"

FloatType mlir::boostr::getAccumulatorType(Type elementType) {
  if (elementType.isF64())
    return cast<FloatType>(elementType);
  return Float32Type::get(elementType.getContext());
}

/// `((0, 1), (2), ...)`: how `(heads, headDim, ...)` folds into `(rows, ...)`.
static SmallVector<ReassociationIndices> getHeadReassociation(int64_t rank) {
  SmallVector<ReassociationIndices> groups = {{0, 1}};
  for (int64_t dim = 1; dim < rank; ++dim)
    groups.push_back({dim + 1});
  return groups;
}

static IndexRange getHeadRange(OpBuilder &b, const HeadRows &rows) {
  return rows.range.value_or(
      IndexRange{b.getIndexAttr(0), b.getIndexAttr(rows.heads)});
}

namespace {

/// Offsets, sizes and strides of a slice of whole rows.
struct RowSlice {
  SmallVector<OpFoldResult> offsets, sizes, strides;

  RowSlice(OpBuilder &b, Location loc, Value array, const HeadRows &rows)
      : sizes(tensor::getMixedSizes(b, loc, array)) {
    offsets.assign(sizes.size(), b.getIndexAttr(0));
    strides.assign(sizes.size(), b.getIndexAttr(1));
    AffineExpr head = b.getAffineSymbolExpr(0);
    IndexRange range = getHeadRange(b, rows);
    offsets[0] = affine::makeComposedFoldedAffineApply(
        b, loc, head * rows.headDim + rows.offset, range.offset);
    sizes[0] = affine::makeComposedFoldedAffineApply(
        b, loc, head * rows.headDim, range.size);
  }
};

} // namespace

/// Whether `rows` are known to be all that `array` has.
static bool areAll(const HeadRows &rows, Value array) {
  return !rows.range && rows.offset == 0 &&
         cast<ShapedType>(array.getType()).getDimSize(0) == rows.getNumRows();
}

Value mlir::boostr::createView(OpBuilder &b, Location loc, Value array,
                               const std::optional<HeadRows> &rows) {
  if (!rows)
    return array;
  RowSlice slice(b, loc, array, *rows);
  Value sliced = array;
  if (!areAll(*rows, array))
    sliced = tensor::ExtractSliceOp::create(b, loc, array, slice.offsets,
                                            slice.sizes, slice.strides);

  SmallVector<OpFoldResult> sizes = {getHeadRange(b, *rows).size,
                                     b.getIndexAttr(rows->headDim)};
  llvm::append_range(sizes, ArrayRef(slice.sizes).drop_front());
  SmallVector<int64_t> shape;
  for (OpFoldResult size : sizes)
    shape.push_back(getConstantIntValue(size).value_or(ShapedType::kDynamic));
  auto type = RankedTensorType::get(shape, getElementTypeOrSelf(array));
  return tensor::ExpandShapeOp::create(
      b, loc, type, sliced, getHeadReassociation(slice.sizes.size()), sizes);
}

Value mlir::boostr::insertView(OpBuilder &b, Location loc, Value view,
                               Value destination,
                               const std::optional<HeadRows> &rows) {
  if (!rows)
    return view;
  RowSlice slice(b, loc, destination, *rows);
  Value merged = tensor::CollapseShapeOp::create(
      b, loc, view, getHeadReassociation(slice.sizes.size()));
  if (areAll(*rows, destination))
    return merged;
  return tensor::InsertSliceOp::create(
      b, loc, merged, destination, slice.offsets, slice.sizes, slice.strides);
}

/// Extent of dimension `dim` of the view that `operand` describes.
static OpFoldResult getViewExtent(OpBuilder &b, Location loc,
                                  const ContractionOperand &operand,
                                  unsigned dim) {
  if (operand.rows) {
    if (dim == 0)
      return getHeadRange(b, *operand.rows).size;
    if (dim == 1)
      return b.getIndexAttr(operand.rows->headDim);
    --dim;
  }
  if (isa<MemRefType>(operand.array.getType()))
    return memref::getMixedSize(b, loc, operand.array, dim);
  return tensor::getMixedSize(b, loc, operand.array, dim);
}

SmallVector<OpFoldResult>
mlir::boostr::getExtents(OpBuilder &b, Location loc,
                         const SegmentedContraction &contraction,
                         const ContractionTerm &term) {
  SmallVector<OpFoldResult> extents(contraction.dims.size());
  // A static extent of any operand is better than a dynamic one.
  for (const ContractionOperand *operand : {&term.lhs, &term.rhs}) {
    for (auto [dim, expr] : llvm::enumerate(operand->map.getResults())) {
      OpFoldResult &extent = extents[cast<AffineDimExpr>(expr).getPosition()];
      if (!extent || !getConstantIntValue(extent))
        extent = getViewExtent(b, loc, *operand, dim);
    }
  }
  return extents;
}
