// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// `boostr-strided-copy-to-linalg`: copies that memcpy cannot do.

#include "boostr/passes/Passes.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

namespace mlir::boostr {
#define GEN_PASS_DEF_STRIDEDCOPYTOLINALG
#include "boostr/passes/Passes.h.inc"
} // namespace mlir::boostr

using namespace mlir;
using namespace mlir::boostr;

/// True if the elements of `value` are known to lie one after the other.
static bool isContiguous(Value value) {
  auto type = dyn_cast<MemRefType>(value.getType());
  return type && type.getLayout().isIdentity();
}

namespace {

struct StridedCopyToLinalg
    : boostr::impl::StridedCopyToLinalgBase<StridedCopyToLinalg> {
  void runOnOperation() override;
};

} // namespace

void StridedCopyToLinalg::runOnOperation() {
  getOperation()->walk([](memref::CopyOp op) {
    Value source = op.getSource(), target = op.getTarget();
    if (isContiguous(source) && isContiguous(target))
      return;
    if (!isa<MemRefType>(source.getType()) ||
        !isa<MemRefType>(target.getType()))
      return;
    OpBuilder builder(op);
    linalg::CopyOp::create(builder, op.getLoc(), source, target);
    op.erase();
  });
}
