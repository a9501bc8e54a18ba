// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// `boostr-lower-copies`: copies between buffers become loops like all others.

#include "boostr/passes/Passes.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/Utils/Utils.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/PatternMatch.h"

namespace mlir::boostr {
#define GEN_PASS_DEF_LOWERCOPIES
#include "boostr/passes/Passes.h.inc"
} // namespace mlir::boostr

using namespace mlir;
using namespace mlir::boostr;

namespace {

struct LowerCopies : boostr::impl::LowerCopiesBase<LowerCopies> {
  void runOnOperation() override;
};

} // namespace

void LowerCopies::runOnOperation() {
  SmallVector<memref::CopyOp> copies;
  getOperation()->walk([&](memref::CopyOp copy) { copies.push_back(copy); });
  IRRewriter rewriter(&getContext());
  for (memref::CopyOp copy : copies) {
    if (!isa<MemRefType>(copy.getSource().getType()) ||
        !isa<MemRefType>(copy.getTarget().getType()))
      continue;
    rewriter.setInsertionPoint(copy);
    linalg::makeMemRefCopyOp(rewriter, copy.getLoc(), copy.getSource(),
                             copy.getTarget());
    rewriter.eraseOp(copy);
  }
}
