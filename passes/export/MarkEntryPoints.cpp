// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// `boostr-mark-entry-points`: what public functions may be called from, and
// what they must not do.

#include "boostr/passes/Passes.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

namespace mlir::boostr {
#define GEN_PASS_DEF_MARKENTRYPOINTS
#include "boostr/passes/Passes.h.inc"
} // namespace mlir::boostr

using namespace mlir;
using namespace mlir::boostr;

namespace {

struct MarkEntryPoints : boostr::impl::MarkEntryPointsBase<MarkEntryPoints> {
  void runOnOperation() override;
};

} // namespace

/// Copies what a function returns more than once, as a gradient that two
/// arguments share: each result is a buffer of its own, which
/// `buffer-results-to-out-params` takes for granted.
static void separateResults(func::FuncOp function) {
  function.walk([](func::ReturnOp op) {
    llvm::SmallDenseSet<Value> seen;
    OpBuilder builder(op);
    for (OpOperand &operand : op->getOpOperands()) {
      auto type = dyn_cast<RankedTensorType>(operand.get().getType());
      if (type && !seen.insert(operand.get()).second)
        operand.set(bufferization::AllocTensorOp::create(
            builder, op.getLoc(), type, /*dynamicSizes=*/ValueRange(),
            /*copy=*/operand.get()));
    }
  });
}

void MarkEntryPoints::runOnOperation() {
  StringRef writable = bufferization::BufferizationDialect::kWritableAttrName;
  auto no = BoolAttr::get(&getContext(), false);
  for (auto function : getOperation().getOps<func::FuncOp>()) {
    separateResults(function);
    if (!function.isPublic() || function.isExternal())
      continue;
    function->setAttr(LLVM::LLVMDialect::getEmitCWrapperAttrName(),
                      UnitAttr::get(&getContext()));
    for (unsigned i = 0, e = function.getNumArguments(); i < e; ++i)
      if (isa<TensorType>(function.getArgumentTypes()[i]) &&
          !function.getArgAttr(i, writable))
        function.setArgAttr(i, writable, no);
  }
}
