// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// `boostr-constants-to-device`: constant arrays where kernels can read them.

#include "boostr/passes/Passes.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mlir::boostr {
#define GEN_PASS_DEF_CONSTANTSTODEVICE
#include "boostr/passes/Passes.h.inc"
} // namespace mlir::boostr

using namespace mlir;
using namespace mlir::boostr;

namespace {

struct ConstantsToDevice
    : boostr::impl::ConstantsToDeviceBase<ConstantsToDevice> {
  void runOnOperation() override;
};

} // namespace

/// Launches a kernel that copies the global, which it has of its own, to
/// `memory`.
static void createCopy(ImplicitLocOpBuilder &b, memref::GetGlobalOp global,
                       Value memory) {
  constexpr int64_t blockSize = 256;
  MemRefType type = global.getType();
  int64_t count = type.getNumElements();
  Value one = arith::ConstantIndexOp::create(b, 1);
  Value threads = arith::ConstantIndexOp::create(b, blockSize);
  Value blocks =
      arith::ConstantIndexOp::create(b, llvm::divideCeil(count, blockSize));
  auto launch = gpu::LaunchOp::create(b, blocks, one, one, threads, one, one);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(&launch.getBody().front());
  Value start = arith::MulIOp::create(
      b, launch.getBlockIds().x, arith::ConstantIndexOp::create(b, blockSize));
  Value number = arith::AddIOp::create(b, start, launch.getThreadIds().x);
  Value isInside =
      arith::CmpIOp::create(b, arith::CmpIPredicate::ult, number,
                            arith::ConstantIndexOp::create(b, count));
  auto inside = scf::IfOp::create(b, isInside, /*withElseRegion=*/false);
  gpu::TerminatorOp::create(b);
  b.setInsertionPointToStart(&inside.getThenRegion().front());
  ValueRange indices;
  if (type.getRank() > 0)
    indices =
        affine::AffineDelinearizeIndexOp::create(b, number, type.getShape())
            .getResults();
  Value source = memref::GetGlobalOp::create(b, type, global.getName());
  memref::StoreOp::create(b, memref::LoadOp::create(b, source, indices), memory,
                          indices);
}

static void replace(memref::GetGlobalOp global, func::FuncOp function) {
  ImplicitLocOpBuilder b(global.getLoc(), global.getContext());
  // Outside of loops: once is enough.
  b.setInsertionPointToStart(&function.getBody().front());
  Value memory = memref::AllocOp::create(b, global.getType());
  if (global.getType().getNumElements() > 0)
    createCopy(b, global, memory);
  function.walk([&](func::ReturnOp exit) {
    b.setInsertionPoint(exit);
    memref::DeallocOp::create(b, memory);
  });
  global.replaceAllUsesWith(memory);
  global.erase();
}

void ConstantsToDevice::runOnOperation() {
  SmallVector<memref::GetGlobalOp> globals;
  getOperation()->walk<WalkOrder::PreOrder>([&](Operation *op) {
    if (isa<gpu::GPUModuleOp, gpu::LaunchOp>(op))
      return WalkResult::skip();
    if (auto global = dyn_cast<memref::GetGlobalOp>(op))
      globals.push_back(global);
    return WalkResult::advance();
  });
  for (memref::GetGlobalOp global : globals)
    if (auto function = global->getParentOfType<func::FuncOp>())
      replace(global, function);
}
