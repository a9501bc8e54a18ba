// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Few rows, as when tokens are generated one by one: reading rhs, usually a
// weight, takes all of the time, so nothing of it is packed. Tasks each read
// some of its rows, several at a time, and multiply them with all rows of lhs.

#include "boostr/passes/cpu/ContractionEmitter.h"
#include "boostr/passes/cpu/IndexMath.h"
#include "boostr/passes/cpu/Scratch.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace mlir::boostr;
using namespace mlir::boostr::cpu;

/// Rows of rhs that a task reads: enough to be worth one, few enough that there
/// is one for every thread.
static constexpr int64_t kTaskRows = 32;

/// Rows of lhs that are multiplied at once; more are multiplied in groups, for
/// which rows of rhs are read again while they are in the cache.
static constexpr int64_t kGroupRows = 8;

/// Rows of rhs that are read at once: each is a stream of memory, and with
/// `group` rows of lhs they make sums enough to keep the multipliers busy.
static int64_t getStreams(int64_t group) {
  constexpr int64_t kSums = 16, kMaxStreams = 8;
  return std::clamp<int64_t>(kSums / group, 1, kMaxStreams);
}

/// True if every row of rhs is one piece of memory, and all segments read the
/// same lhs.
bool ContractionEmitter::canTakeFewRows() const {
  return isTransposed && isLhsShared() && contraction.k.size() == 1 &&
         llvm::all_of(segments, [](const Segment &segment) {
           return segment.terms.size() == 1 && segment.product;
         });
}

/// Emits code for each of `counts` rows, which increase, the first that has all
/// rows of lhs, and what `emitMore` emits for more.
void ContractionEmitter::emitFewRowsOr(ArrayRef<int64_t> counts,
                                       llvm::function_ref<void()> emitMore) {
  if (counts.empty())
    return emitMore();
  Value isEnough = arith::CmpIOp::create(
      b, arith::CmpIPredicate::ule, getMaxRows(), constant(b, counts.front()));
  ifElse(
      b, isEnough, [&] { emitFewRows(counts.front()); },
      [&] { emitFewRowsOr(counts.drop_front(), emitMore); });
}

/// Packs all of lhs, `count` rows at most, in groups, and starts the tasks.
void ContractionEmitter::emitFewRows(int64_t count) {
  Scratch scratch(b);
  const Term &term = segments.front().terms.front();
  DimGroup rows = rowsOf(term.extents), steps = stepsOf(term.extents);
  Value zero = constant(b, 0), numRows = rows.getSize(b),
        numSteps = steps.getSize(b);
  FewRows few;
  few.group = std::min(count, kGroupRows);
  few.numGroups = toValue(b, ceilDiv(b, numRows, few.group));
  few.groupSize = toValue(b, mul(b, ceilDiv(b, numSteps, lanes),
                                 b.getIndexAttr(few.group * lanes)));
  few.lhs = scratch.allocate(mul(b, few.numGroups, few.groupSize), sumType);

  PanelFormat format = {PanelSide::Rows,    few.group, /*steps=*/lanes, lanes,
                        /*stepsPerLane=*/1, sumType};
  PackSource source;
  source.array = term.lhs;
  source.strategy = choosePackStrategy(term.lhs, rows, steps, format);
  // Groups are smaller than vectors.
  if (source.strategy == PackStrategy::AlongRows)
    source.strategy = PackStrategy::Gather;
  int64_t filled = llvm::alignTo(count, few.group);
  source.rowOffsets = scratch.allocate(filled, b.getIndexType());
  source.kOffsets = scratch.allocate(numSteps, b.getIndexType());
  source.endRow = numRows;
  source.numSteps = numSteps;
  fillOffsetTable(b, source.rowOffsets, term.lhs, rows, zero, numRows,
                  constant(b, filled));
  fillOffsetTable(b, source.kOffsets, term.lhs, steps, zero, numSteps,
                  numSteps);
  forLoop(b, few.numGroups, [&](Value number) {
    source.firstRow = toValue(b, mul(b, number, b.getIndexAttr(few.group)));
    source.endFill =
        toValue(b, add(b, source.firstRow, b.getIndexAttr(few.group)));
    packPanels(b, source, format, few.lhs,
               toValue(b, mul(b, number, few.groupSize)));
  });

  NumberedBlocks blocks(
      b, segments,
      [&](const Segment &segment) {
        // No row, no task.
        return min(b, rowsOf(segment.terms.front().extents).getSize(b),
                   b.getIndexAttr(1));
      },
      [&](const Segment &segment) {
        return ceilDiv(b, columnsOf(segment.terms.front().extents).getSize(b),
                       kTaskRows);
      });
  emitTasks(blocks, countWork(/*isProduct=*/true), [&](Value task) {
    computeFewRows(selectBlock(blocks, zero, task), few, filled);
  });
}

/// Some columns of the result.
void ContractionEmitter::computeFewRows(const Block &block, const FewRows &few,
                                        int64_t maxRows) {
  Scratch scratch(b);
  const Term &term = block.segment.terms.front();
  DimGroup columnDims = columnsOf(term.extents);
  Range columns =
      getRange(block.other, kTaskRows, constant(b, 0), columnDims.getSize(b));
  int64_t streams = getStreams(few.group);
  int64_t numOffsets = llvm::alignTo(kTaskRows, streams);
  Value offsets = scratch.allocate(numOffsets, b.getIndexType());
  fillColumnTable(offsets, term, columns, numOffsets);
  Value sums = scratch.allocate(maxRows * numOffsets, sumType);
  forLoop(
      b, columns.length,
      [&](Value column) {
        forLoop(b, few.numGroups, [&](Value number) {
          Value lhs = toValue(b, mul(b, number, few.groupSize));
          OpFoldResult firstRow = mul(b, number, b.getIndexAttr(few.group));
          OpFoldResult firstSum =
              add(b, mul(b, firstRow, b.getIndexAttr(numOffsets)), column);
          multiplyGroup(block, few, lhs, {offsets, column, streams},
                        {sums, toValue(b, firstSum), numOffsets});
        });
      },
      /*step=*/streams);

  Epilogue epilogue;
  epilogue.sums = {sums, maxRows, numOffsets, /*tilesPerRow=*/1};
  epilogue.isTransposed = false;
  epilogue.isContiguous = isEpilogueContiguous();
  Value numRows = rowsOf(term.extents).getSize(b);
  Range rows = {constant(b, 0), numRows, numRows};
  store(*block.segment.product, epilogue, term.extents, {rows, maxRows},
        BoundedRange{columns, kTaskRows});
}

/// The sum of row `r` of rhs and row `i` of the group becomes `sum over k of
/// rhs[offset of r + k] * lhs[first + i][k]`.
void ContractionEmitter::multiplyGroup(const Block &block, const FewRows &few,
                                       Value first, const Streams &columns,
                                       const GroupSums &sums) {
  const StridedArray &rhs = block.segment.terms.front().rhs;
  Value numSteps = stepsOf(block.segment.terms.front().extents).getSize(b);
  Value rest = arith::RemUIOp::create(b, numSteps, constant(b, lanes));
  Value wholeSteps = toValue(b, sub(b, numSteps, rest));
  auto vectorType = VectorType::get({lanes}, sumType);
  auto rhsType = VectorType::get({lanes}, rhs.getElementType());
  Value zeros = arith::ConstantOp::create(
      b, DenseElementsAttr::get(vectorType, b.getZeroAttr(sumType)));
  int64_t numOffsets = columns.count;
  SmallVector<Value> offsets;
  for (int64_t i = 0; i < numOffsets; ++i)
    offsets.push_back(memref::LoadOp::create(
        b, columns.offsets,
        toValue(b, add(b, columns.first, b.getIndexAttr(i)))));

  // Where the steps of row `i` of the group from `k` on lie.
  auto getPlace = [&](ImplicitLocOpBuilder &body, Value k, int64_t i) {
    OpFoldResult chunk =
        add(body, first, mul(body, k, body.getIndexAttr(few.group)));
    return toValue(body, add(body, chunk, body.getIndexAttr(i * lanes)));
  };
  auto loop = scf::ForOp::create(
      b, constant(b, 0), wholeSteps, constant(b, lanes),
      SmallVector<Value>(numOffsets * few.group, zeros),
      [&](OpBuilder &nested, Location loc, Value k, ValueRange carried) {
        ImplicitLocOpBuilder body(loc, nested);
        SmallVector<Value> vectors;
        Value step = getColumnStep(body, k);
        for (Value offset : offsets) {
          Value loaded = vector::LoadOp::create(
              body, rhsType, rhs.flat,
              ValueRange{toValue(body, add(body, offset, step))});
          vectors.push_back(convertFloat(body, loaded, sumType));
        }
        SmallVector<Value> next;
        for (int64_t i = 0; i < few.group; ++i) {
          Value row = vector::LoadOp::create(body, vectorType, few.lhs,
                                             ValueRange{getPlace(body, k, i)});
          for (Value column : vectors)
            next.push_back(
                vector::FMAOp::create(body, column, row, carried[next.size()]));
        }
        scf::YieldOp::create(body, next);
      });
  auto getSum = [&](int64_t r, int64_t i) {
    return toValue(b, add(b, sums.first, b.getIndexAttr(i * sums.stride + r)));
  };
  for (auto [number, sum] : llvm::enumerate(loop.getResults()))
    memref::StoreOp::create(
        b, vector::ReductionOp::create(b, vector::CombiningKind::ADD, sum),
        sums.memory, getSum(number % numOffsets, number / numOffsets));

  // What is left of k, one by one.
  forLoop(b, wholeSteps, numSteps, [&](Value k) {
    forLoop(b, b.getIndexAttr(few.group), [&](Value i) {
      OpFoldResult chunk =
          add(b, first, mul(b, wholeSteps, b.getIndexAttr(few.group)));
      OpFoldResult place = add(b, add(b, chunk, sub(b, k, wholeSteps)),
                               mul(b, i, b.getIndexAttr(lanes)));
      Value row = memref::LoadOp::create(b, few.lhs, toValue(b, place));
      forLoop(b, b.getIndexAttr(numOffsets), [&](Value r) {
        Value offset = memref::LoadOp::create(
            b, columns.offsets, toValue(b, add(b, columns.first, r)));
        Value loaded = memref::LoadOp::create(
            b, rhs.flat, toValue(b, add(b, offset, getColumnStep(b, k))));
        Value column = convertFloat(b, loaded, sumType);
        Value to = toValue(
            b,
            add(b, add(b, sums.first, mul(b, i, b.getIndexAttr(sums.stride))),
                r));
        Value sum = memref::LoadOp::create(b, sums.memory, to);
        memref::StoreOp::create(b, math::FmaOp::create(b, column, row, sum),
                                sums.memory, to);
      });
    });
  });
}
