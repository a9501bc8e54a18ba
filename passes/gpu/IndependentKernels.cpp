// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "boostr/passes/gpu/IndependentKernels.h"
#include "boostr/passes/gpu/mma/Instruction.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/IR/SymbolTable.h"

using namespace mlir;
using namespace mlir::boostr;

bool boostr::canRunTogether(GpuTargetAttr target) {
  return mma::getGeneration(target) >= 90;
}

bool boostr::mayRunTogether(SegmentedContractionOpInterface op) {
  return op.getContractions().size() > 1;
}

bool boostr::leavesRoom(SegmentedContractionOpInterface op, unsigned number) {
  return number + 1 < op.getContractions().size();
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

/// Whether this is the last block, at a place in `body`.
static Value isLastBlock(ImplicitLocOpBuilder &b, Region &body) {
  auto isLast = [&](Value number, Value count) -> Value {
    Value one =
        arith::ConstantOp::create(b, b.getIntegerAttr(number.getType(), 1));
    Value next = arith::AddIOp::create(b, number, one);
    return arith::CmpIOp::create(b, arith::CmpIPredicate::eq, next, count);
  };
  auto launch = dyn_cast<gpu::LaunchOp>(body.getParentOp());
  if (!launch)
    return isLast(NVVM::BlockIdXOp::create(b, b.getI32Type()),
                  NVVM::GridDimXOp::create(b, b.getI32Type()));
  gpu::KernelDim3 block = launch.getBlockIds(), grid = launch.getGridSize();
  Value isLastAlongX = isLast(block.x, grid.x);
  if (isConstantIntValue(launch.getGridSizeY(), 1))
    return isLastAlongX;
  return arith::AndIOp::create(b, isLastAlongX, isLast(block.y, grid.y));
}

/// The last block waits for all, since a kernel is done when its last block is:
/// others that are done leave their multiprocessor to those that have not
/// begun. When all threads of the block are done: while one waits, the copy
/// engine works for none of them.
static void waitForEarlier(Region &body) {
  SmallVector<Operation *> ends;
  for (Block &block : body)
    if (block.getTerminator()->getNumSuccessors() == 0)
      ends.push_back(block.getTerminator());
  for (Operation *end : ends) {
    ImplicitLocOpBuilder b(end->getLoc(), end);
    auto branch = scf::IfOp::create(b, isLastBlock(b, body),
                                    /*withElseRegion=*/false);
    b.setInsertionPoint(branch.thenBlock()->getTerminator());
    if (isa<LLVM::ReturnOp>(end))
      NVVM::Barrier0Op::create(b);
    else
      gpu::BarrierOp::create(b);
    control(b, b.getLoc(), NVVM::GridDepActionKind::wait);
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
