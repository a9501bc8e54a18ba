// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// `boostr-order-loops`: which loop of a linalg op runs innermost.

#include "boostr/passes/Passes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/IR/PatternMatch.h"

namespace mlir::boostr {
#define GEN_PASS_DEF_ORDERLOOPS
#include "boostr/passes/Passes.h.inc"
} // namespace mlir::boostr

using namespace mlir;
using namespace mlir::boostr;

namespace {

struct OrderLoops : boostr::impl::OrderLoopsBase<OrderLoops> {
  void runOnOperation() override;
};

} // namespace

/// True if consecutive iterations of loop `dim` touch elements that are apart.
static bool isStrided(AffineMap map, unsigned dim) {
  for (auto [position, expr] : llvm::enumerate(map.getResults())) {
    if (!expr.isFunctionOfDim(dim))
      continue;
    bool isLast = position + 1 == map.getNumResults();
    if (!isLast || !isa<AffineDimExpr>(expr))
      return true;
  }
  return false;
}

static unsigned countStrided(linalg::GenericOp op, unsigned dim) {
  return llvm::count_if(op.getIndexingMapsArray(),
                        [&](AffineMap map) { return isStrided(map, dim); });
}

/// The loop along which the fewest operands are strided; the innermost one as
/// it is, if no other is better.
static unsigned chooseInnermost(linalg::GenericOp op) {
  unsigned best = op.getNumLoops() - 1;
  for (unsigned dim = op.getNumLoops(); dim-- > 0;)
    if (countStrided(op, dim) < countStrided(op, best))
      best = dim;
  return best;
}

/// Lets the sum over the innermost loop be taken in vectors of partial sums:
/// linalg gives sums no order.
static void relaxSum(linalg::GenericOp op) {
  auto yield = cast<linalg::YieldOp>(op.getBody()->getTerminator());
  auto flags = arith::FastMathFlags::reassoc | arith::FastMathFlags::contract;
  for (OpOperand &yielded : yield->getOpOperands()) {
    auto sum = yielded.get().getDefiningOp<arith::AddFOp>();
    BlockArgument out = op.getRegionOutputArgs()[yielded.getOperandNumber()];
    if (!sum || out.getType().getIntOrFloatBitWidth() < 32 ||
        !llvm::is_contained(sum->getOperands(), out))
      continue;
    sum.setFastmath(sum.getFastmath() | flags);
    for (Value operand : sum->getOperands())
      if (auto product = operand.getDefiningOp<arith::MulFOp>())
        product.setFastmath(product.getFastmath() |
                            arith::FastMathFlags::contract);
  }
}

static void order(linalg::GenericOp op, IRRewriter &rewriter) {
  if (op.getNumLoops() == 0)
    return;
  unsigned innermost = chooseInnermost(op);
  if (innermost + 1 != op.getNumLoops()) {
    SmallVector<unsigned> permutation;
    for (unsigned dim = 0; dim < op.getNumLoops(); ++dim)
      if (dim != innermost)
        permutation.push_back(dim);
    permutation.push_back(innermost);
    rewriter.setInsertionPoint(op);
    FailureOr<linalg::GenericOp> moved =
        linalg::interchangeGenericOp(rewriter, op, permutation);
    if (failed(moved))
      return;
    op = *moved;
  }
  if (op.getIteratorTypesArray().back() == utils::IteratorType::reduction)
    relaxSum(op);
}

void OrderLoops::runOnOperation() {
  SmallVector<linalg::GenericOp> ops;
  getOperation()->walk([&](linalg::GenericOp op) {
    if (op.hasPureBufferSemantics())
      ops.push_back(op);
  });
  IRRewriter rewriter(&getContext());
  for (linalg::GenericOp op : ops)
    order(op, rewriter);
}
