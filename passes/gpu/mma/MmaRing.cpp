// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The loop over steps of k of the mma kernel: the ring of stages in shared
// memory, and what is loaded from it ahead of the products.

#include "boostr/passes/cpu/IndexMath.h"
#include "boostr/passes/gpu/KeepRolled.h"
#include "boostr/passes/gpu/mma/MmaKernel.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/NVGPU/IR/NVGPUDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace mlir::boostr;
using namespace mlir::boostr::cpu;
using namespace mlir::boostr::mma;

/// The least and the most bytes of an asynchronous copy.
static constexpr int64_t kLeastCopy = 4, kLargestCopy = 16;

SmallVector<Value *> MmaKernel::Turn::values() {
  SmallVector<Value *> all = {&slot};
  for (Walk &walk : walks)
    carry(all, walk.place);
  llvm::append_range(all, fragments.values());
  llvm::append_range(all, sums.values());
  return all;
}

static void commitCopies(ImplicitLocOpBuilder &b) {
  NVVM::CpAsyncCommitGroupOp::create(b);
}

/// Until all but the last `count` groups of copies of this thread have come,
/// and no thread reads what it read before.
static void waitForCopies(ImplicitLocOpBuilder &b, int64_t count) {
  NVVM::CpAsyncWaitGroupOp::create(b, count);
  ::mlir::gpu::BarrierOp::create(b);
}

void MmaKernel::accumulateTerm(const TermArrays &term, Sums &sums) {
  Turn turn;
  turn.walks = {startWalk(lhs, term.lhs, term.extents, rows),
                startWalk(rhs, term.rhs, term.extents, columns)};
  for (int64_t stage = 0; stage + 1 < tile.stages; ++stage) {
    Value slot = constant(b, stage);
    Value number = plus(turns.start, stage);
    finishLoads(turn.walks, slot, startLoads(turn.walks, number));
    for (Chunks &chunks : startCopies(turn.walks))
      while (!chunks.areDone())
        copyNext(chunks, slot, number);
    commitCopies(b);
    for (Walk &walk : turn.walks)
      advance(walk);
  }
  waitForCopies(b, tile.stages - 2);

  Value zero = constant(b, 0), one = constant(b, 1);
  turn.slot = zero;
  turn.fragments = loadStep(zero, 0);
  turn.sums = sums;
  auto loop =
      scf::ForOp::create(b, turns.start, turns.end, one, read(turn.values()));
  keepRolled(loop);
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(loop.getBody());
    replace(turn.values(), loop.getRegionIterArgs());
    emitTurn(turn, loop.getInductionVar());
    scf::YieldOp::create(b, read(turn.values()));
  }
  // The ring is free for the next term or the sums.
  waitForCopies(b, 0);
  replace(turn.values(), loop.getResults());
  sums = turn.sums;
}

/// Multiplies a stage, whose first fragments have been loaded, loads the first
/// ones of the next, and asks between the products for the one that takes the
/// place of the stage before.
void MmaKernel::emitTurn(Turn &turn, Value number) {
  Value zero = constant(b, 0), one = constant(b, 1);
  Value slot = turn.slot;
  Value next = arith::SelectOp::create(b, isEqual(slot, tile.stages - 1), zero,
                                       plus(slot, one));
  Value free =
      arith::SelectOp::create(b, isEqual(slot, 0), constant(b, tile.stages - 1),
                              toValue(b, sub(b, slot, one)));
  Value later = plus(number, tile.stages - 1);
  SmallVector<Value> chunks = startLoads(turn.walks, later);
  SmallVector<Chunks, 2> copies = startCopies(turn.walks);

  int64_t numParts = tile.steps / tile.instruction.steps;
  int64_t perPart =
      llvm::divideCeil(lhs.chunksPerThread() + rhs.chunksPerThread(),
                       std::max<int64_t>(numParts - 1, 1));
  for (int64_t part = 1; part <= numParts; ++part) {
    bool isLast = part == numParts;
    Fragments ahead;
    if (!isLast)
      ahead = loadStep(slot, part * tile.instruction.steps);
    int64_t left = perPart;
    for (Chunks &chunks : copies)
      for (; left > 0 && !chunks.areDone(); --left)
        copyNext(chunks, free, later);
    if (isLast) {
      commitCopies(b);
      finishLoads(turn.walks, free, chunks);
      waitForCopies(b, tile.stages - 2);
      ahead = loadStep(next, 0);
    }
    multiply(turn.fragments, turn.sums);
    turn.fragments = std::move(ahead);
  }
  turn.slot = next;
  for (Walk &walk : turn.walks)
    advance(walk);
}

bool MmaKernel::isAsync(const Operand &operand) const {
  return operand.plan.chunk * tile.elementBytes() >= kLeastCopy;
}

SmallVector<BlockKernel::Chunks, 2>
MmaKernel::startCopies(ArrayRef<Walk> walks) {
  SmallVector<Chunks, 2> all;
  for (const Walk &walk : walks)
    if (isAsync(*walk.operand))
      all.push_back(startChunks(walk));
  return all;
}

/// What is not copied asynchronously is returned, to be stored when it is here.
SmallVector<Value> MmaKernel::startLoads(ArrayRef<Walk> walks, Value number) {
  SmallVector<Value> chunks;
  for (const Walk &walk : walks)
    if (!isAsync(*walk.operand))
      llvm::append_range(chunks, load(walk, number));
  return chunks;
}

void MmaKernel::finishLoads(ArrayRef<Walk> walks, Value slot,
                            ArrayRef<Value> chunks) {
  for (const Walk &walk : walks) {
    if (isAsync(*walk.operand))
      continue;
    size_t count = walk.rows.size();
    for (auto [chunk, row, step] :
         llvm::zip_equal(chunks.take_front(count), walk.rows, walk.steps))
      vector::StoreOp::create(b, chunk, walk.operand->shared,
                              getIndices(*walk.operand, slot, row, step));
    chunks = chunks.drop_front(count);
  }
}

/// A copy of no elements leaves zeros, and reads nothing.
void MmaKernel::copyNext(Chunks &chunks, Value slot, Value number) {
  const Walk &walk = *chunks.walk;
  const LoadPlan &plan = walk.operand->plan;
  bool isLargest = plan.chunk * tile.elementBytes() == kLargestCopy;
  Value row = walk.rows[chunks.number], step = walk.steps[chunks.number];
  Value isThere = isChunkThere(walk, chunks.number, number);
  Value count = arith::SelectOp::create(b, isThere, constant(b, plan.chunk),
                                        constant(b, 0));
  nvgpu::DeviceAsyncCopyOp::create(
      b, nvgpu::DeviceAsyncTokenType::get(b.getContext()), walk.operand->shared,
      getIndices(*walk.operand, slot, row, step), walk.array.flat,
      takeChunkOffset(chunks), b.getIndexAttr(plan.chunk), count,
      isLargest ? b.getUnitAttr() : UnitAttr());
}

SmallVector<Value> MmaKernel::getIndices(const Operand &operand, Value slot,
                                         Value row, Value step) {
  if (operand.plan.alongSteps)
    return {slot, row, step};
  return {slot, step, row};
}
