// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// `boostr-fuse-elementwise`: linalg ops with the elementwise ops before them.

#include "boostr/passes/Passes.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Tensor/Transforms/Transforms.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace mlir::boostr {
#define GEN_PASS_DEF_FUSEELEMENTWISE
#include "boostr/passes/Passes.h.inc"
} // namespace mlir::boostr

using namespace mlir;
using namespace mlir::boostr;

namespace {

struct FuseElementwise : boostr::impl::FuseElementwiseBase<FuseElementwise> {
  void runOnOperation() override;
};

} // namespace

/// Nobody else needs what the producer computes, and running it again gives the
/// same: a fused op with more loops would add to a destination again and again.
static bool canFuse(OpOperand *operand) {
  Operation *producer = operand->get().getDefiningOp();
  if (!producer || !producer->hasOneUse())
    return false;
  auto linalgOp = dyn_cast<linalg::LinalgOp>(producer);
  if (!linalgOp)
    return true;
  return llvm::none_of(linalgOp.getDpsInitsMutable(), [&](OpOperand &init) {
    return linalgOp.payloadUsesValueFromOperand(&init);
  });
}

void FuseElementwise::runOnOperation() {
  MLIRContext *context = &getContext();
  RewritePatternSet patterns(context);
  linalg::populateElementwiseOpsFusionPatterns(patterns, canFuse);
  linalg::populateFoldReshapeOpsByExpansionPatterns(patterns, canFuse);
  linalg::populateConstantFoldLinalgOperations(patterns, canFuse);
  tensor::populateBubbleUpExpandShapePatterns(patterns);
  affine::AffineApplyOp::getCanonicalizationPatterns(patterns, context);
  linalg::GenericOp::getCanonicalizationPatterns(patterns, context);
  tensor::ExpandShapeOp::getCanonicalizationPatterns(patterns, context);
  tensor::CollapseShapeOp::getCanonicalizationPatterns(patterns, context);
  context->getLoadedDialect<linalg::LinalgDialect>()
      ->getCanonicalizationPatterns(patterns);
  // Reaching the limit of rewrites leaves valid code.
  (void)applyPatternsGreedily(getOperation(), std::move(patterns),
                              GreedyRewriteConfig().setUseTopDownTraversal());
}
