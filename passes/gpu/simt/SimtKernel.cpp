// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "boostr/passes/gpu/simt/SimtKernel.h"
#include "boostr/passes/cpu/IndexMath.h"
#include "boostr/passes/gpu/KeepLoads.h"
#include "boostr/passes/gpu/KeepRolled.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace mlir::boostr;
using namespace mlir::boostr::cpu;
using namespace mlir::boostr::simt;

SimtKernel::SimtKernel(ImplicitLocOpBuilder &b,
                       SegmentedContractionOpInterface op,
                       const SegmentedContraction &contraction,
                       const SimtTile &tile, BlockParts parts)
    : BlockKernel(b, op, contraction, tile.sumType, MultipleExtents::Known,
                  parts),
      tile(tile),
      lhs(planOperand(/*isLhs=*/true, tile.rows, tile.steps, kThreads)),
      rhs(planOperand(/*isLhs=*/false, tile.columns, tile.steps, kThreads)) {}

VectorType SimtKernel::lanesOf(Type elementType) const {
  return VectorType::get({tile.lanes()}, elementType);
}

//===----------------------------------------------------------------------===//
// The frame
//===----------------------------------------------------------------------===//

void SimtKernel::emit() {
  int64_t elements =
      tile.stages * tile.steps *
      (tile.paddedRows() + (hasProduct() ? tile.paddedColumns() : 0));
  Frame frame{tile.rows, tile.columns, kThreads, tile.group,
              elements * tile.sumType.getIntOrFloatBitWidth() / 8};
  frame.steps = tile.steps;
  frame.sumTypes.assign(countProducts(), lanesOf(tile.sumType));
  if (hasLhsSum())
    frame.sumTypes.push_back(tile.sumType);
  emitLaunch(frame, [&](const SegmentArrays &segment) { emitBlock(segment); });
}

void SimtKernel::emitBlock(const SegmentArrays &segment) {
  threadRow = quotient(thread, kSide);
  threadColumn = remainder(thread, kSide);
  createShared();
  Sums sums = createZeros();
  accumulateInto(sums, segment, [&](const TermArrays &term, Sums &begun) {
    accumulateTerm(term, begun);
  });
  storeSumsOfParts(segment, sums.values(), [&](const SegmentArrays &segment) {
    const Extents &extents = segment.terms.front().extents;
    if (segment.product)
      storeProducts(*segment.product, extents, sums);
    if (segment.lhsSum)
      storeSumOfLhs(*segment.lhsSum, extents, sums.lhs);
  });
}

void SimtKernel::createShared() {
  Value bytes = createSharedBytes();
  lhs.shared = viewShared(
      bytes, 0, {tile.stages, tile.steps, tile.paddedRows()}, tile.sumType);
  if (hasProduct())
    rhs.shared = viewShared(bytes,
                            tile.stages * tile.steps * tile.paddedRows() *
                                tile.sumType.getIntOrFloatBitWidth() / 8,
                            {tile.stages, tile.steps, tile.paddedColumns()},
                            tile.sumType);
}

/// Vectors that a thread has of them.
int64_t SimtKernel::countProducts() const {
  if (!hasProduct())
    return 0;
  return tile.threadRows() * tile.threadColumns() / tile.lanes();
}

SimtKernel::Sums SimtKernel::createZeros() {
  Sums sums;
  Value zeros =
      arith::ConstantOp::create(b, b.getZeroAttr(lanesOf(tile.sumType)));
  sums.products.assign(countProducts(), zeros);
  if (hasLhsSum())
    sums.lhs = arith::ConstantOp::create(b, b.getZeroAttr(tile.sumType));
  return sums;
}

//===----------------------------------------------------------------------===//
// Sums
//===----------------------------------------------------------------------===//

SmallVector<Value *> SimtKernel::Sums::values() {
  SmallVector<Value *> all;
  carry(all, products);
  if (lhs)
    all.push_back(&lhs);
  return all;
}

void SimtKernel::accumulateTerm(const TermArrays &term, Sums &sums) {
  SmallVector<Walk, 2> walks;
  walks.push_back(startWalk(lhs, term.lhs, term.extents, rows));
  if (hasProduct())
    walks.push_back(startWalk(rhs, term.rhs, term.extents, columns));
  auto loadAll = [&](Value turn) {
    SmallVector<Value> chunks;
    for (Walk &walk : walks) {
      chunks.append(load(walk, turn));
      advance(walk);
    }
    return chunks;
  };

  // Carried: sums, then what the next step multiplies, then where the walks
  // are.
  Value one = constant(b, 1);
  SmallVector<Value> chunks = loadAll(turns.start);
  auto getCarried = [&] {
    SmallVector<Value *> carried = sums.values();
    carry(carried, chunks);
    for (Walk &walk : walks)
      carry(carried, walk.place);
    return carried;
  };
  auto loop =
      scf::ForOp::create(b, turns.start, turns.end, one, read(getCarried()));
  keepRolled(loop);
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(loop.getBody());
    replace(getCarried(), loop.getRegionIterArgs());
    Value turn = loop.getInductionVar();
    Value stage = remainder(turn, tile.stages);
    ValueRange left = chunks;
    for (const Walk &walk : walks) {
      int64_t count = walk.operand->chunksPerThread();
      store(walk, stage, left.take_front(count));
      left = left.drop_front(count);
    }
    ::mlir::gpu::BarrierOp::create(b);
    // Loads first: they take longest.
    chunks = loadAll(plus(turn, one));
    keepLoadsBefore(b);
    if (hasLhsSum())
      sumLhs(stage, sums);
    if (hasProduct())
      multiply(stage, sums);
    if (tile.stages == 1)
      ::mlir::gpu::BarrierOp::create(b);
    scf::YieldOp::create(b, read(getCarried()));
  }
  replace(getCarried(), loop.getResults());
}

/// Converts what `load` read and writes it, with steps outermost.
void SimtKernel::store(const Walk &walk, Value stage, ValueRange chunks) {
  const LoadPlan &plan = walk.operand->plan;
  int64_t bytes = plan.chunk * tile.sumType.getIntOrFloatBitWidth() / 8;
  for (auto [chunk, row, step] :
       llvm::zip_equal(chunks, walk.rows, walk.steps)) {
    Value converted = convertFloat(b, chunk, tile.sumType);
    if (!plan.alongSteps) {
      vector::StoreOp::create(b, converted, walk.operand->shared,
                              ValueRange{stage, step, row},
                              /*nontemporal=*/false,
                              llvm::MaybeAlign(std::min<int64_t>(bytes, 16)));
      continue;
    }
    for (int64_t i = 0; i < plan.chunk; ++i)
      memref::StoreOp::create(b, vector::ExtractOp::create(b, converted, i),
                              walk.operand->shared,
                              ValueRange{stage, plus(step, i), row});
  }
}

/// `count` elements of this thread at one step, in vectors: each has `lanes` of
/// them beside each other, and those of all threads alternate, so that threads
/// read from all banks.
SmallVector<Value> SimtKernel::loadLanes(const Operand &operand, Value stage,
                                         int64_t step, Value index,
                                         int64_t count) {
  int64_t lanes = tile.lanes();
  SmallVector<Value> vectors;
  Value position = times(index, lanes);
  for (int64_t group = 0; group < count / lanes; ++group)
    vectors.push_back(vector::LoadOp::create(
        b, lanesOf(tile.sumType), operand.shared,
        ValueRange{stage, constant(b, step),
                   plus(position, group * lanes * kSide)},
        /*nontemporal=*/false, llvm::MaybeAlign(16)));
  return vectors;
}

void SimtKernel::multiply(Value stage, Sums &sums) {
  int64_t lanes = tile.lanes();
  for (int64_t step = 0; step < tile.steps; ++step) {
    SmallVector<Value> lhsLanes =
        loadLanes(lhs, stage, step, threadRow, tile.threadRows());
    SmallVector<Value> rhsLanes =
        loadLanes(rhs, stage, step, threadColumn, tile.threadColumns());
    auto *sum = sums.products.begin();
    for (int64_t row = 0; row < tile.threadRows(); ++row) {
      Value element =
          vector::ExtractOp::create(b, lhsLanes[row / lanes], row % lanes);
      Value factor =
          vector::BroadcastOp::create(b, lanesOf(tile.sumType), element);
      for (Value rhsVector : rhsLanes) {
        *sum = vector::FMAOp::create(b, factor, rhsVector, *sum);
        ++sum;
      }
    }
  }
}

/// Thread i sums row i of lhs.
void SimtKernel::sumLhs(Value stage, Sums &sums) {
  Value isMine = both(isFirstColumn, isLess(thread, constant(b, tile.rows)));
  auto branch = scf::IfOp::create(b, TypeRange(tile.sumType), isMine,
                                  /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(branch.thenBlock());
  Value sum = sums.lhs;
  for (int64_t step = 0; step < tile.steps; ++step)
    sum = arith::AddFOp::create(
        b, sum,
        memref::LoadOp::create(b, lhs.shared,
                               ValueRange{stage, constant(b, step), thread}));
  scf::YieldOp::create(b, sum);
  b.setInsertionPointToStart(branch.elseBlock());
  scf::YieldOp::create(b, sums.lhs);
  sums.lhs = branch.getResult(0);
}

//===----------------------------------------------------------------------===//
// Results
//===----------------------------------------------------------------------===//

void SimtKernel::storeProducts(const OutputArrays &output,
                               const Extents &extents, const Sums &sums) {
  int64_t lanes = tile.lanes();
  Epilogue epilogue = startEpilogue(output, /*isLhsSum=*/false, {lanes, 1});
  for (int64_t i = 0; i < tile.threadColumns(); i += epilogue.lanes) {
    Value column = plus(columns.start, times(threadColumn, lanes));
    addColumns(epilogue, extents,
               plus(column, i / lanes * lanes * kSide + i % lanes));
  }
  int64_t vectorsPerRow = tile.threadColumns() / lanes;
  int64_t groupsPerVector = lanes / epilogue.lanes;
  auto groupType = VectorType::get({epilogue.lanes}, tile.sumType);
  for (int64_t i = 0; i < tile.threadRows(); ++i) {
    Value row = plus(rows.start, times(threadRow, lanes));
    row = plus(row, i / lanes * lanes * kSide + i % lanes);
    ifElse(b, isLess(row, rows.end), [&] {
      SmallVector<Value> rowOffsets = getRowOffsets(epilogue, extents, row);
      for (auto [group, isThere] : llvm::enumerate(epilogue.isColumnThere))
        ifElse(b, isThere, [&, group = int64_t(group)] {
          Value vector =
              sums.products[i * vectorsPerRow + group / groupsPerVector];
          if (groupsPerVector > 1)
            vector = vector::FromElementsOp::create(
                b, groupType,
                vector::ExtractOp::create(b, vector, group % groupsPerVector)
                    .getResult());
          storeSums(epilogue, rowOffsets, group,
                    addAddends(epilogue, rowOffsets, group, vector));
        });
    });
  }
}

/// Thread i has the sum of row i.
void SimtKernel::storeSumOfLhs(const OutputArrays &output,
                               const Extents &extents, Value sum) {
  Value row = plus(rows.start, thread);
  Value isMine = both(isFirstColumn, isLess(thread, constant(b, tile.rows)));
  ifElse(b, both(isMine, isLess(row, rows.end)),
         [&] { storeLhsSum(output, extents, row, sum); });
}
