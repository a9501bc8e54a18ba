// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// `boostr-lower-expand-shapes`: dimensions split by extents that only run time
// knows.

#include "boostr/passes/Passes.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/PatternMatch.h"

namespace mlir::boostr {
#define GEN_PASS_DEF_LOWEREXPANDSHAPES
#include "boostr/passes/Passes.h.inc"
} // namespace mlir::boostr

using namespace mlir;
using namespace mlir::boostr;

namespace {

struct LowerExpandShapes
    : boostr::impl::LowerExpandShapesBase<LowerExpandShapes> {
  void runOnOperation() override;
};

} // namespace

/// The stride of every dimension of the result: the last of a group has that of
/// the dimension which was split, the others the extents behind them times
/// that.
static SmallVector<OpFoldResult>
getStrides(RewriterBase &rewriter, memref::ExpandShapeOp op,
           ArrayRef<OpFoldResult> sizes, ArrayRef<OpFoldResult> sourceStrides) {
  AffineExpr x, y;
  bindSymbols(rewriter.getContext(), x, y);
  SmallVector<OpFoldResult> strides(sizes.size());
  for (auto [group, stride] :
       llvm::zip_equal(op.getReassociationIndices(), sourceStrides)) {
    OpFoldResult next = stride;
    for (int64_t dim : llvm::reverse(group)) {
      strides[dim] = next;
      next = affine::makeComposedFoldedAffineApply(rewriter, op.getLoc(), x * y,
                                                   {next, sizes[dim]});
    }
  }
  return strides;
}

static void lower(RewriterBase &rewriter, memref::ExpandShapeOp op) {
  rewriter.setInsertionPoint(op);
  auto metadata = memref::ExtractStridedMetadataOp::create(
      rewriter, op.getLoc(), op.getSrc());
  SmallVector<OpFoldResult> sizes = op.getMixedOutputShape();
  SmallVector<OpFoldResult> strides =
      getStrides(rewriter, op, sizes, metadata.getConstifiedMixedStrides());
  Value cast = memref::ReinterpretCastOp::create(
      rewriter, op.getLoc(), metadata.getBaseBuffer(),
      metadata.getConstifiedMixedOffset(), sizes, strides);
  if (cast.getType() != op.getResultType())
    cast =
        memref::CastOp::create(rewriter, op.getLoc(), op.getResultType(), cast);
  rewriter.replaceOp(op, cast);
}

/// Upstream's expansion of metadata takes one dynamic extent in a group.
static bool hasDynamicGroup(memref::ExpandShapeOp op) {
  return llvm::any_of(op.getReassociationIndices(),
                      [&](ArrayRef<int64_t> group) {
                        return llvm::count_if(group, [&](int64_t dim) {
                                 return op.getResultType().isDynamicDim(dim);
                               }) > 1;
                      });
}

void LowerExpandShapes::runOnOperation() {
  SmallVector<memref::ExpandShapeOp> ops;
  getOperation()->walk([&](memref::ExpandShapeOp op) {
    if (hasDynamicGroup(op))
      ops.push_back(op);
  });
  IRRewriter rewriter(&getContext());
  for (memref::ExpandShapeOp op : ops)
    lower(rewriter, op);
}
