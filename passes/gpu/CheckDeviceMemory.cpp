// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// `boostr-check-device-memory`: refuses host code that touches arrays.

#include "boostr/passes/Passes.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

namespace mlir::boostr {
#define GEN_PASS_DEF_CHECKDEVICEMEMORY
#include "boostr/passes/Passes.h.inc"
} // namespace mlir::boostr

using namespace mlir;
using namespace mlir::boostr;

namespace {

struct CheckDeviceMemory
    : boostr::impl::CheckDeviceMemoryBase<CheckDeviceMemory> {
  void runOnOperation() override;
};

} // namespace

/// True if `op` itself reads or writes elements of a memref.
static bool touchesElements(Operation *op) {
  auto effects = dyn_cast<MemoryEffectOpInterface>(op);
  if (!effects || isa<gpu::LaunchFuncOp>(op))
    return false;
  return llvm::any_of(op->getOperands(), [&](Value operand) {
    if (!isa<BaseMemRefType>(operand.getType()))
      return false;
    SmallVector<MemoryEffects::EffectInstance> instances;
    effects.getEffectsOnValue(operand, instances);
    return llvm::any_of(instances, [](const auto &instance) {
      return isa<MemoryEffects::Read, MemoryEffects::Write>(
          instance.getEffect());
    });
  });
}

void CheckDeviceMemory::runOnOperation() {
  bool isValid = true;
  getOperation()->walk<WalkOrder::PreOrder>([&](Operation *op) {
    if (isa<gpu::GPUModuleOp, gpu::LaunchOp>(op))
      return WalkResult::skip();
    if (touchesElements(op)) {
      op->emitOpError("runs on the host, which cannot read or write the "
                      "memory of the device that arrays are in");
      isValid = false;
    } else if (isa<memref::AllocaOp, memref::GetGlobalOp>(op)) {
      op->emitOpError("is memory of the host, which kernels cannot read or "
                      "write");
      isValid = false;
    }
    return WalkResult::advance();
  });
  if (!isValid)
    signalPassFailure();
}
