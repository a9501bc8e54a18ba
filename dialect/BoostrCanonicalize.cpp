// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Canonicalization patterns.

#include "boostr/dialect/BoostrOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/PatternMatch.h"

using namespace mlir;
using namespace mlir::boostr;

namespace {

/// Leaves out of `wrt` the gradients that nobody uses. Of separate weights all
/// go or none.
template <typename GradOp>
struct DropUnusedGradients : OpRewritePattern<GradOp> {
  using OpRewritePattern<GradOp>::OpRewritePattern;

  LogicalResult matchAndRewrite(GradOp op,
                                PatternRewriter &rewriter) const override {
    if (op.isBufferForm())
      return rewriter.notifyMatchFailure(op, "effects of the buffer form stay");
    using Gradients = decltype(op.getWrt());
    Gradients used = Gradients::None;
    SmallVector<Value> kept;
    for (Gradients gradient :
         {Gradients::Activations, Gradients::Weight, Gradients::Bias}) {
      ResultRange results = op.getGradientsOf(gradient);
      if (results.use_empty())
        continue;
      used = used | gradient;
      llvm::append_range(kept, results);
    }
    if (used == op.getWrt())
      return rewriter.notifyMatchFailure(op, "every gradient is used");
    if (kept.empty()) {
      rewriter.eraseOp(op);
      return success();
    }
    GradOp smaller =
        createWithout(op, used, TypeRange(ValueRange(kept)), rewriter);
    SmallVector<Value> replacements(op->getNumResults());
    for (auto [old, result] : llvm::zip_equal(kept, smaller->getResults()))
      replacements[cast<OpResult>(old).getResultNumber()] = result;
    rewriter.replaceOp(op, replacements);
    return success();
  }

private:
  /// `op` for the gradients of `used` alone, without what only others need.
  template <typename Gradients>
  static GradOp createWithout(GradOp op, Gradients used, TypeRange types,
                              PatternRewriter &rewriter) {
    auto smaller = cast<GradOp>(op->cloneWithoutRegions());
    smaller.setWrt(used);
    if (!bitEnumContainsAny(used, Gradients::Weight))
      smaller.getAccumulateWeightsMutable().clear();
    if (!bitEnumContainsAny(used, Gradients::Bias))
      smaller.getAccumulateBiasesMutable().clear();
    OperationState state(op.getLoc(), op->getName(), smaller->getOperands(),
                         types, smaller->getAttrs());
    smaller->erase();
    return cast<GradOp>(rewriter.create(state));
  }
};

} // namespace

/// The source of a cast that only forgets what is known of an array (extents,
/// or strides of a memref), otherwise `operand` itself.
static Value lookThroughCast(Value operand) {
  if (auto cast = operand.getDefiningOp<tensor::CastOp>())
    return tensor::canFoldIntoConsumerOp(cast) ? cast.getSource() : operand;
  if (auto cast = operand.getDefiningOp<memref::CastOp>())
    return memref::CastOp::canFoldIntoConsumerOp(cast) ? cast.getSource()
                                                       : operand;
  return operand;
}

namespace {

/// Reads the source of a cast that forgets, so that what it forgets is known
/// here and in the results. Extents that contradict each other stay forgotten:
/// code that never runs may have them, and must stay valid.
template <typename OpTy> struct FoldOperandCasts : OpRewritePattern<OpTy> {
  using OpRewritePattern<OpTy>::OpRewritePattern;

  LogicalResult matchAndRewrite(OpTy op,
                                PatternRewriter &rewriter) const override {
    SmallVector<Value> operands;
    for (Value operand : op->getOperands())
      operands.push_back(lookThroughCast(operand));
    if (llvm::equal(operands, op->getOperands()))
      return rewriter.notifyMatchFailure(op, "no operand is such a cast");

    SmallVector<Type> types;
    if (failed(OpTy::inferReturnTypes(
            op.getContext(), op.getLoc(), operands, op->getAttrDictionary(),
            op->getPropertiesStorage(), op->getRegions(), types)))
      return failure();
    OperationState state(op.getLoc(), op->getName(), operands, types,
                         op->getAttrs());
    Operation *folded = Operation::create(state);
    bool contradicts = false;
    auto sayNothing = [&] {
      contradicts = true;
      return InFlightDiagnostic();
    };
    (void)cast<OpTy>(folded).verifyConstraints(sayNothing);
    if (contradicts) {
      folded->destroy();
      return rewriter.notifyMatchFailure(op, "casts forget a contradiction");
    }
    rewriter.insert(folded);
    SmallVector<Value> results;
    for (auto [result, old] :
         llvm::zip_equal(folded->getResults(), op->getResults()))
      results.push_back(result.getType() == old.getType()
                            ? Value(result)
                            : tensor::CastOp::create(rewriter, op.getLoc(),
                                                     old.getType(), result));
    rewriter.replaceOp(op, results);
    return success();
  }
};

} // namespace

void FusedQKVOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                             MLIRContext *context) {
  patterns.add<FoldOperandCasts<FusedQKVOp>>(context);
}
void FusedQKVGradOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                                 MLIRContext *context) {
  patterns.add<DropUnusedGradients<FusedQKVGradOp>,
               FoldOperandCasts<FusedQKVGradOp>>(context);
}
void OutProjResidualOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                                    MLIRContext *context) {
  patterns.add<FoldOperandCasts<OutProjResidualOp>>(context);
}
void OutProjResidualGradOp::getCanonicalizationPatterns(
    RewritePatternSet &patterns, MLIRContext *context) {
  patterns.add<DropUnusedGradients<OutProjResidualGradOp>,
               FoldOperandCasts<OutProjResidualGradOp>>(context);
}
