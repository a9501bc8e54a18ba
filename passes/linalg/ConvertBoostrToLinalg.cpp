// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// `convert-boostr-to-linalg`: applies the decomposition that every op
// implements.

#include "boostr/dialect/BoostrOps.h"
#include "boostr/passes/Passes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/PatternMatch.h"

namespace mlir::boostr {
#define GEN_PASS_DEF_CONVERTBOOSTRTOLINALG
#include "boostr/passes/Passes.h.inc"
} // namespace mlir::boostr

using namespace mlir;
using namespace mlir::boostr;

namespace {

struct ConvertBoostrToLinalg
    : boostr::impl::ConvertBoostrToLinalgBase<ConvertBoostrToLinalg> {
  void runOnOperation() override;
};

} // namespace

static LogicalResult lowerToLinalg(SegmentedContractionOpInterface op,
                                   IRRewriter &rewriter) {
  if (op.isBufferForm())
    return op->emitOpError("expected the value form, on tensors, got the "
                           "buffer form; lower to linalg before bufferization");
  rewriter.setInsertionPoint(op);
  auto aggregated = dyn_cast<linalg::AggregatedOpInterface>(op.getOperation());
  if (!aggregated)
    return op->emitOpError("has no decomposition");
  FailureOr<SmallVector<Value>> results =
      aggregated.decomposeOperation(rewriter);
  if (failed(results))
    return op->emitOpError("failed to decompose");
  rewriter.replaceOp(op, *results);
  return success();
}

void ConvertBoostrToLinalg::runOnOperation() {
  SmallVector<SegmentedContractionOpInterface> ops;
  getOperation()->walk(
      [&](SegmentedContractionOpInterface op) { ops.push_back(op); });
  IRRewriter rewriter(&getContext());
  for (SegmentedContractionOpInterface op : ops)
    if (failed(lowerToLinalg(op, rewriter)))
      return signalPassFailure();
}
