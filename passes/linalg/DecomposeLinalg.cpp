// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// `boostr-decompose-linalg`: linalg ops that loops cannot express become some
// that they can.

#include "boostr/passes/Passes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/PatternMatch.h"

namespace mlir::boostr {
#define GEN_PASS_DEF_DECOMPOSELINALG
#include "boostr/passes/Passes.h.inc"
} // namespace mlir::boostr

using namespace mlir;
using namespace mlir::boostr;

namespace {

struct DecomposeLinalg : boostr::impl::DecomposeLinalgBase<DecomposeLinalg> {
  void runOnOperation() override;
};

} // namespace

void DecomposeLinalg::runOnOperation() {
  SmallVector<linalg::AggregatedOpInterface> ops;
  getOperation()->walk([&](linalg::AggregatedOpInterface op) {
    if (isa<linalg::LinalgDialect>(op->getDialect()))
      ops.push_back(op);
  });
  IRRewriter rewriter(&getContext());
  for (linalg::AggregatedOpInterface op : ops) {
    rewriter.setInsertionPoint(op);
    FailureOr<SmallVector<Value>> results = op.decomposeOperation(rewriter);
    // What stays is the business of whoever lowers the rest.
    if (succeeded(results))
      rewriter.replaceOp(op, *results);
  }
}
