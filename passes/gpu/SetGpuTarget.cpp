// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// `boostr-set-gpu-target`: which GPU code is generated for.

#include "boostr/dialect/BoostrAttrs.h"
#include "boostr/dialect/BoostrDialect.h"
#include "boostr/passes/Passes.h"
#include "boostr/passes/Subtarget.h"

namespace mlir::boostr {
#define GEN_PASS_DEF_SETGPUTARGET
#include "boostr/passes/Passes.h.inc"
} // namespace mlir::boostr

using namespace mlir;
using namespace mlir::boostr;

namespace {

struct SetGpuTarget : boostr::impl::SetGpuTargetBase<SetGpuTarget> {
  using SetGpuTargetBase::SetGpuTargetBase;
  void runOnOperation() override;
};

} // namespace

/// Which version of PTX to write where nobody says: the one that first has all
/// that our kernels for the chip use. Empty for LLVM's choice.
static StringRef getDefaultFeatures(StringRef chip) {
  return chip.starts_with("sm_90") ? "+ptx83" : "";
}

void SetGpuTarget::runOnOperation() {
  ModuleOp module = getOperation();
  StringRef name = BoostrDialect::getGpuTargetAttrName();
  if (module->hasAttr(name))
    return;
  std::string wanted =
      features.empty() ? getDefaultFeatures(chip).str() : features.getValue();
  if (!createNvidiaSubtarget([&] { return module.emitError(); }, chip, wanted))
    return signalPassFailure();
  module->setAttr(name, GpuTargetAttr::get(&getContext(), chip, wanted));
}
