// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// `boostr-set-cpu-target`: which CPU code is generated for.

#include "boostr/passes/Passes.h"
#include "boostr/passes/cpu/CpuTarget.h"

namespace mlir::boostr {
#define GEN_PASS_DEF_SETCPUTARGET
#include "boostr/passes/Passes.h.inc"
} // namespace mlir::boostr

using namespace mlir;
using namespace mlir::boostr;

namespace {

struct SetCpuTarget : boostr::impl::SetCpuTargetBase<SetCpuTarget> {
  using SetCpuTargetBase::SetCpuTargetBase;
  void runOnOperation() override;
};

} // namespace

void SetCpuTarget::runOnOperation() {
  ModuleOp module = getOperation();
  StringRef name = BoostrDialect::getCpuTargetAttrName();
  if (module->hasAttr(name))
    return;
  CpuTargetAttr target = cpu::getCpuTarget(
      &getContext(), [&] { return module.emitError(); }, cpu, features);
  if (!target)
    return signalPassFailure();
  module->setAttr(name, target);
}
