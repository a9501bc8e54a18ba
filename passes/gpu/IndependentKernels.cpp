// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "boostr/passes/gpu/IndependentKernels.h"
#include "boostr/passes/gpu/mma/Instruction.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/IR/SymbolTable.h"

using namespace mlir;
using namespace mlir::boostr;

bool boostr::canRunTogether(GpuTargetAttr target) {
  return mma::getGeneration(target) >= 90;
}

bool boostr::mayRunTogether(SegmentedContractionOpInterface op) {
  return op.getContractions().size() > 1;
}

/// The body of what `op` launches; null if that is nothing.
static Region *getLaunchedBody(Operation *op) {
  if (auto launch = dyn_cast<gpu::LaunchOp>(op))
    return &launch.getBody();
  auto launch = dyn_cast<gpu::LaunchFuncOp>(op);
  if (!launch)
    return nullptr;
  Operation *kernel =
      SymbolTable::lookupNearestSymbolFrom(launch, launch.getKernel());
  return kernel ? &kernel->getRegion(0) : nullptr;
}

static void control(OpBuilder &builder, Location loc,
                    NVVM::GridDepActionKind action) {
  NVVM::GriddepcontrolOp::create(builder, loc, action);
}

static void letLaterBegin(Region &body) {
  auto builder = OpBuilder::atBlockBegin(&body.front());
  control(builder, body.getLoc(), NVVM::GridDepActionKind::launch_dependents);
}

/// When all threads of the block are done: while one waits, the copy engine
/// works for none of them.
static void waitForEarlier(Region &body) {
  for (Block &block : body) {
    Operation *terminator = block.getTerminator();
    if (terminator->getNumSuccessors() != 0)
      continue;
    OpBuilder builder(terminator);
    if (isa<LLVM::ReturnOp>(terminator))
      NVVM::Barrier0Op::create(builder, terminator->getLoc());
    else
      gpu::BarrierOp::create(builder, terminator->getLoc());
    control(builder, terminator->getLoc(), NVVM::GridDepActionKind::wait);
  }
}

void boostr::letRunTogether(Block::iterator first, Block::iterator end,
                            bool withLater, bool withEarlier) {
  SmallVector<Region *> bodies;
  for (Operation &op : llvm::make_range(first, end))
    op.walk([&](Operation *inside) {
      if (Region *body = getLaunchedBody(inside))
        bodies.push_back(body);
    });
  for (Region *body : bodies) {
    if (withLater)
      letLaterBegin(*body);
    if (withEarlier)
      waitForEarlier(*body);
  }
}

bool boostr::runsWithEarlier(LLVM::LLVMFuncOp kernel) {
  WalkResult result = kernel.walk([](NVVM::GriddepcontrolOp op) {
    return op.getKind() == NVVM::GridDepActionKind::wait
               ? WalkResult::interrupt()
               : WalkResult::advance();
  });
  return result.wasInterrupted();
}
