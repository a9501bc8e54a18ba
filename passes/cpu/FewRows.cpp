// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Few rows, as when tokens are generated one by one: reading rhs, usually a
// weight, takes all of the time, so nothing of it is packed. Tasks each read
// some of its rows, several at a time, and multiply them with all rows of lhs.
// Only the multiplication of a group of rows exists for several numbers of
// them.

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

/// Rows of rhs that rows of lhs are multiplied with at a time if these are one
/// group; the most that are read at once.
static constexpr int64_t kColumns = 8;

/// Rows of rhs that are read at once: each is a stream of memory, and with
/// `group` rows of lhs they make sums enough to keep the multipliers busy.
static int64_t getStreams(int64_t group) {
  constexpr int64_t kSums = 16;
  return std::clamp<int64_t>(llvm::bit_floor<uint64_t>(kSums / group), 1,
                             kColumns);
}

/// Rows that a group may have, the most last.
static SmallVector<int64_t> getGroups(ArrayRef<int64_t> counts) {
  SmallVector<int64_t> groups;
  for (int64_t count : counts)
    if (groups.empty() || groups.back() < kGroupRows)
      groups.push_back(std::min(count, kGroupRows));
  return groups;
}

/// True if every row of rhs is one piece of memory, and all segments read the
/// same lhs.
bool ContractionEmitter::canTakeFewRows() const {
  return isTransposed && isLhsShared() && contraction.k.size() == 1 &&
         llvm::all_of(segments, [](const Segment &segment) {
           return segment.terms.size() == 1 && segment.product;
         });
}

/// Emits code for at most the last of `counts` rows, and what `emitMore` emits
/// for more.
void ContractionEmitter::emitFewRowsOr(ArrayRef<int64_t> counts,
                                       llvm::function_ref<void()> emitMore) {
  if (counts.empty())
    return emitMore();
  Value isEnough = arith::CmpIOp::create(
      b, arith::CmpIPredicate::ule, getMaxRows(), constant(b, counts.back()));
  ifElse(b, isEnough, [&] { emitFewRows(counts); }, emitMore);
}

/// Packs all of lhs, as rows of the type of accumulation.
void ContractionEmitter::packFewRows(Scratch &scratch, FewRows &few) {
  const Term &term = segments.front().terms.front();
  DimGroup rows = rowsOf(term.extents), steps = stepsOf(term.extents);
  Value zero = constant(b, 0), numSteps = steps.getSize(b);
  few.numRows = rows.getSize(b);
  // Longer by a vector, so that rows do not share sets of the cache.
  OpFoldResult vectors = add(b, ceilDiv(b, numSteps, lanes), b.getIndexAttr(1));
  few.rowSize = toValue(b, mul(b, vectors, b.getIndexAttr(lanes)));
  few.lhs = scratch.allocate(mul(b, few.numRows, few.rowSize), sumType);

  PanelFormat format = {PanelSide::Rows,    /*width=*/1, /*steps=*/lanes, lanes,
                        /*stepsPerLane=*/1, sumType};
  PackSource source;
  source.array = term.lhs;
  source.strategy = choosePackStrategy(term.lhs, rows, steps, format);
  // Rows are packed one by one.
  if (source.strategy == PackStrategy::AlongRows)
    source.strategy = PackStrategy::Gather;
  source.rowOffsets = scratch.allocate(few.maxRows, b.getIndexType());
  source.firstStep = zero;
  source.stepStride = term.lhs.strides[contraction.k.front()];
  source.endRow = few.numRows;
  source.numSteps = numSteps;
  fillOffsetTable(b, source.rowOffsets, term.lhs, rows, zero, few.numRows,
                  few.numRows);
  forLoop(b, few.numRows, [&](Value row) {
    source.firstRow = row;
    source.endFill = toValue(b, add(b, row, b.getIndexAttr(1)));
    packPanels(b, source, format, few.lhs,
               toValue(b, mul(b, row, few.rowSize)));
  });
}

/// Packs lhs, and starts the tasks.
void ContractionEmitter::emitFewRows(ArrayRef<int64_t> counts) {
  Scratch scratch(b);
  FewRows few;
  few.groups = getGroups(counts);
  few.maxRows = llvm::alignTo(counts.back(), few.groups.back());
  packFewRows(scratch, few);
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
    computeFewRows(selectBlock(blocks, constant(b, 0), task), few);
  });
}

/// Some columns of the result.
void ContractionEmitter::computeFewRows(const Block &block,
                                        const FewRows &few) {
  Scratch scratch(b);
  const Term &term = block.segment.terms.front();
  DimGroup columnDims = columnsOf(term.extents);
  Range columns =
      getRange(block.other, kTaskRows, constant(b, 0), columnDims.getSize(b));
  Value offsets = scratch.allocate(kTaskRows, b.getIndexType());
  fillColumnTable(offsets, term, columns, kTaskRows);
  Value sums = scratch.allocate(few.maxRows * kTaskRows, sumType);
  // Several groups take turns on rows of rhs that the first-level cache holds.
  int64_t most = few.groups.back();
  Value isOneGroup = arith::CmpIOp::create(b, arith::CmpIPredicate::ule,
                                           few.numRows, constant(b, most));
  Value together = arith::SelectOp::create(b, isOneGroup, constant(b, kColumns),
                                           constant(b, getStreams(most)));
  auto multiply = [&](Value column) {
    FewSums some = {sums, offsets, /*row=*/{}, column, together};
    auto multiplyFrom = [&](Value row) {
      FewSums group = some;
      group.row = row;
      multiplyGroups(block, few, few.groups, group);
    };
    forLoop(b, few.numRows, multiplyFrom, /*step=*/most);
    multiplyRest(block, few, some);
  };
  forLoop(b, b.getIndexAttr(0), columns.length, multiply, together);

  Epilogue epilogue;
  epilogue.sums = {sums, few.maxRows, kTaskRows, /*tilesPerRow=*/1};
  epilogue.isTransposed = false;
  epilogue.isContiguous = isEpilogueContiguous();
  epilogue.isWhole = hasWholeVectors(kTaskRows);
  Range rows = {constant(b, 0), few.numRows, few.numRows};
  store(*block.segment.product, epilogue, term.extents, {rows, few.maxRows},
        BoundedRange{columns, kTaskRows});
}

/// Multiplies the rows from `sums.row` on by code for the first of `groups`
/// that has all rows, or for the last.
void ContractionEmitter::multiplyGroups(const Block &block, const FewRows &few,
                                        ArrayRef<int64_t> groups,
                                        const FewSums &sums) {
  int64_t group = groups.front();
  auto multiply = [&] {
    int64_t streams = getStreams(group);
    forLoop(
        b, sums.numColumns,
        [&](Value first) {
          FewSums some = sums;
          some.column = toValue(b, add(b, sums.column, first));
          multiplyGroup(block, few, group, streams, some);
        },
        /*step=*/streams);
  };
  if (groups.size() == 1)
    return multiply();
  Value isEnough = arith::CmpIOp::create(b, arith::CmpIPredicate::ule,
                                         few.numRows, constant(b, group));
  ifElse(b, isEnough, multiply,
         [&] { multiplyGroups(block, few, groups.drop_front(), sums); });
}

/// Steps of k in whole vectors.
Value ContractionEmitter::getWholeSteps(const Block &block) {
  Value numSteps = stepsOf(block.segment.terms.front().extents).getSize(b);
  return toValue(b, sub(b, numSteps, rem(b, numSteps, lanes)));
}

/// The sum of each of `group` rows of lhs and `streams` of rhs becomes that of
/// their products, over whole vectors of k. Rows past the end repeat the last.
void ContractionEmitter::multiplyGroup(const Block &block, const FewRows &few,
                                       int64_t group, int64_t streams,
                                       const FewSums &sums) {
  const StridedArray &rhs = block.segment.terms.front().rhs;
  auto vectorType = VectorType::get({lanes}, sumType);
  auto rhsType = VectorType::get({lanes}, rhs.getElementType());
  Value zeros = arith::ConstantOp::create(
      b, DenseElementsAttr::get(vectorType, b.getZeroAttr(sumType)));
  SmallVector<Value> rows, columns;
  Value last = toValue(b, sub(b, few.numRows, b.getIndexAttr(1)));
  for (int64_t i = 0; i < group; ++i) {
    Value row = toValue(b, min(b, add(b, sums.row, b.getIndexAttr(i)), last));
    rows.push_back(toValue(b, mul(b, row, few.rowSize)));
  }
  for (int64_t i = 0; i < streams; ++i)
    columns.push_back(memref::LoadOp::create(
        b, sums.offsets, toValue(b, add(b, sums.column, b.getIndexAttr(i)))));

  auto loop = scf::ForOp::create(
      b, constant(b, 0), getWholeSteps(block), constant(b, lanes),
      SmallVector<Value>(group * streams, zeros),
      [&](OpBuilder &nested, Location loc, Value k, ValueRange carried) {
        ImplicitLocOpBuilder body(loc, nested);
        auto load = [&](VectorType type, Value memory, Value x, Value y) {
          Value loaded = vector::LoadOp::create(
              body, type, memory, ValueRange{toValue(body, add(body, x, y))});
          return convertFloat(body, loaded, sumType);
        };
        SmallVector<Value> vectors, next;
        Value step = getColumnStep(body, k);
        for (Value column : columns)
          vectors.push_back(load(rhsType, rhs.flat, column, step));
        for (Value offset : rows) {
          Value row = load(vectorType, few.lhs, offset, k);
          for (Value column : vectors)
            next.push_back(
                vector::FMAOp::create(body, column, row, carried[next.size()]));
        }
        scf::YieldOp::create(body, next);
      });
  for (auto [number, sum] : llvm::enumerate(loop.getResults())) {
    Value row = toValue(b, add(b, sums.row, b.getIndexAttr(number / streams)));
    Value column =
        toValue(b, add(b, sums.column, b.getIndexAttr(number % streams)));
    memref::StoreOp::create(b, addLanes(sum), sums.memory,
                            sums.getPlace(b, row, column));
  }
}

/// Adds the products of what is left of k, one by one.
void ContractionEmitter::multiplyRest(const Block &block, const FewRows &few,
                                      const FewSums &sums) {
  const StridedArray &rhs = block.segment.terms.front().rhs;
  Value numSteps = stepsOf(block.segment.terms.front().extents).getSize(b);
  auto load = [&](Value memory, OpFoldResult x, OpFoldResult y) {
    Value loaded = memref::LoadOp::create(b, memory, toValue(b, add(b, x, y)));
    return convertFloat(b, loaded, sumType);
  };
  forLoop(b, getWholeSteps(block), numSteps, [&](Value k) {
    Value step = getColumnStep(b, k);
    forLoop(b, few.numRows, [&](Value i) {
      Value row = load(few.lhs, mul(b, i, few.rowSize), k);
      forLoop(b, sums.numColumns, [&](Value r) {
        Value column = toValue(b, add(b, sums.column, r));
        Value offset = memref::LoadOp::create(b, sums.offsets, column);
        Value place = sums.getPlace(b, i, column);
        Value sum = memref::LoadOp::create(b, sums.memory, place);
        memref::StoreOp::create(
            b, math::FmaOp::create(b, load(rhs.flat, offset, step), row, sum),
            sums.memory, place);
      });
    });
  });
}

Value ContractionEmitter::FewSums::getPlace(ImplicitLocOpBuilder &b, Value row,
                                            Value column) const {
  return toValue(b, add(b, mul(b, row, b.getIndexAttr(kTaskRows)), column));
}
