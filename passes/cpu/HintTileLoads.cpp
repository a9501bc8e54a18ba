// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// `boostr-hint-tile-loads`: AMX tiles that need not stay in the first-level
// cache.

#include "boostr/dialect/BoostrDialect.h"
#include "boostr/passes/Passes.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

namespace mlir::boostr {
#define GEN_PASS_DEF_HINTTILELOADS
#include "boostr/passes/Passes.h.inc"
} // namespace mlir::boostr

using namespace mlir;
using namespace mlir::boostr;

namespace {

struct HintTileLoads : boostr::impl::HintTileLoadsBase<HintTileLoads> {
  void runOnOperation() override;
};

} // namespace

void HintTileLoads::runOnOperation() {
  StringRef name = BoostrDialect::getStreamedAttrName();
  getOperation()->walk([&](LLVM::CallIntrinsicOp op) {
    if (op.getIntrin() != "llvm.x86.tileloadd64.internal" || !op->hasAttr(name))
      return;
    op.setIntrin("llvm.x86.tileloaddt164.internal");
    op->removeAttr(name);
  });
}
