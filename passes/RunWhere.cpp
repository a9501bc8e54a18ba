// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "boostr/passes/RunWhere.h"
#include "mlir/Pass/Pass.h"

using namespace mlir;
using namespace mlir::boostr;

namespace {

class RunWhere : public PassWrapper<RunWhere, OperationPass<>> {
public:
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(RunWhere)

  RunWhere(std::function<bool(Operation *)> isFor, OpPassManager passes)
      : isFor(std::move(isFor)), passes(std::move(passes)) {}

  StringRef getName() const override { return "RunWhere"; }
  void getDependentDialects(DialectRegistry &registry) const override {
    passes.getDependentDialects(registry);
  }
  void runOnOperation() override;

private:
  std::function<bool(Operation *)> isFor;
  OpPassManager passes;
};

} // namespace

void RunWhere::runOnOperation() {
  WalkResult found = getOperation()->walk([&](Operation *op) {
    return isFor(op) ? WalkResult::interrupt() : WalkResult::advance();
  });
  if (!found.wasInterrupted())
    return markAllAnalysesPreserved();
  if (failed(runPipeline(passes, getOperation())))
    signalPassFailure();
}

void mlir::boostr::addPassWhere(OpPassManager &pm,
                                std::function<bool(Operation *)> isFor,
                                std::unique_ptr<Pass> pass) {
  OpPassManager passes(pm.getOpAnchorName());
  passes.addPass(std::move(pass));
  pm.addPass(std::make_unique<RunWhere>(std::move(isFor), std::move(passes)));
}
