// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Few rows where rhs lies along its columns, as in the gradient of the input:
// reading rhs takes all of the time. It is read where it lies, in vectors of
// columns, each step's row of it from one end of a page to the other. So that
// there are tasks for all threads nevertheless, steps are cut into parts, whose
// sums are added up in their order at the end.

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

/// Parts that steps are cut into, at most: they depend on the extents alone, as
/// results must not depend on the number of threads.
static constexpr int64_t kParts = 8;

/// What packed rows and sums of all parts may take. A single thread packs so
/// much at a time at least.
static constexpr int64_t kMaxPackedBytes = int64_t(10) << 20,
                         kMaxSumBytes = int64_t(5) << 20;

/// What a task reads of each step's row of rhs: less than a page at a time is
/// read at half the speed.
static constexpr int64_t kRowBytes = 8192;

/// Steps whose rows are read in turn, as many streams of memory; and those of
/// a panel that was packed ahead of time before the next panel has its turn.
static constexpr int64_t kSteps = 12, kPanelSteps = 16;

/// Up to how many rows of lhs panels of pairs take turns.
static constexpr int64_t kMaxTurnRows = 4;

/// How far ahead the rows of such a panel are asked for.
static constexpr int64_t kPanelBytes = 2048;

/// Rows of lhs that are multiplied at once, and the most there may be. More at
/// once would save little, and cost compile time.
static constexpr int64_t kGroupRows = 4, kMaxRows = 16;

/// Columns of which a task adds up the parts.
static constexpr int64_t kResultColumns = 256;

/// Rows that there is code for, the most last; none if rhs does not lie along
/// its columns, or a block of these, as it is packed ahead of time, would end
/// within a panel. Then plain arrays take the other way too, so that results
/// are the same to the bit.
SmallVector<int64_t> ContractionEmitter::getRowsByColumns() {
  bool fits =
      !isTransposed && segments.size() == 1 && segments.front().product &&
      !segments.front().lhsSum && contraction.n.size() == 1 &&
      nc % columnFormat.width == 0 &&
      getStrategy(/*isLhs=*/false, columnFormat) == PackStrategy::AlongRows;
  SmallVector<int64_t> counts;
  for (int64_t count : tile.getFewRows())
    if (fits && (counts.empty() || counts.back() < kMaxRows))
      counts.push_back(std::min(count, kMaxRows));
  if (counts.empty())
    return counts;
  std::optional<int64_t> known = getConstantIntValue(
      rowsOf(segments.front().terms.front().extents).getSize(b));
  if (counts.back() > mc || known.value_or(0) > counts.back())
    counts.clear();
  return counts;
}

/// Elements of a row of sums: more than a power of two, and with room for the
/// last vectors of columns.
OpFoldResult ContractionEmitter::countSumRowSize() {
  Value numColumns =
      columnsOf(segments.front().terms.front().extents).getSize(b);
  OpFoldResult vectors =
      add(b, ceilDiv(b, numColumns, columnFormat.width), b.getIndexAttr(1));
  return mul(b, vectors, b.getIndexAttr(columnFormat.width));
}

/// Rows that groups of them can have at once.
static SmallVector<int64_t> getGroups(ArrayRef<int64_t> counts) {
  SmallVector<int64_t> groups;
  // One row takes little less time than a few, not worth code of its own.
  for (int64_t count : counts.size() > 1 ? counts.drop_front() : counts)
    if (groups.empty() || groups.back() < kGroupRows)
      groups.push_back(std::min(count, kGroupRows));
  return groups;
}

/// Rows of sums that there is room for.
static int64_t getMaxFewRows(ArrayRef<int64_t> counts) {
  return llvm::alignTo(counts.back(), getGroups(counts).back());
}

/// Parts that there is room for, of `maxRows` sums of `rowSize` each.
OpFoldResult ContractionEmitter::countSumParts(int64_t maxRows,
                                               OpFoldResult rowSize) {
  int64_t most = kMaxSumBytes * 8 / (sumType.getIntOrFloatBitWidth() * maxRows);
  return min(b, div(b, b.getIndexAttr(most), rowSize), b.getIndexAttr(kParts));
}

/// True if there are few enough rows, and there is room for them with all steps
/// and for their sums. That follows from the extents alone.
Value ContractionEmitter::areFewRowsByColumns(ArrayRef<int64_t> counts) {
  auto compare = [&](arith::CmpIPredicate predicate, OpFoldResult x,
                     OpFoldResult y) -> Value {
    return arith::CmpIOp::create(b, predicate, toValue(b, x), toValue(b, y));
  };
  Value areFew = compare(arith::CmpIPredicate::ule, getMaxRows(),
                         b.getIndexAttr(counts.back()));
  auto require = [&](Value condition) {
    areFew = arith::AndIOp::create(b, areFew, condition);
  };
  OpFoldResult parts = countSumParts(getMaxFewRows(counts), countSumRowSize());
  if (getConstantIntValue(parts).value_or(0) == 0)
    require(compare(arith::CmpIPredicate::ne, parts, b.getIndexAttr(0)));
  int64_t bytes = countPackedRowBytes(counts.back());
  int64_t most = std::min(tile.getPackedBytes(), kMaxPackedBytes) / bytes;
  if (getConstantIntValue(numSteps).value_or(most + 1) > most)
    require(compare(arith::CmpIPredicate::ule, numSteps, b.getIndexAttr(most)));
  return areFew;
}

/// Multiplies the packed rows, few enough to be one block of them.
void ContractionEmitter::emitRowsByColumns(ArrayRef<int64_t> counts) {
  Scratch scratch(b);
  const Segment &segment = segments.front();
  RowsByColumns few;
  few.groups = getGroups(counts);
  few.maxRows = getMaxFewRows(counts);
  const Extents &extents = segment.terms.front().extents;
  few.numRows = rowsOf(extents).getSize(b);
  Value numColumns = columnsOf(extents).getSize(b);
  int64_t bytes =
      segment.terms.front().rhs.getElementType().getIntOrFloatBitWidth() / 8;
  few.columns =
      rhsLayout ? nc : llvm::alignTo(kRowBytes / bytes, columnFormat.width);

  few.numBlocks = toValue(b, countSteps(segment));
  few.rowSize = toValue(b, countSumRowSize());
  OpFoldResult mostParts = countSumParts(few.maxRows, few.rowSize);
  few.blocksOfPart = arith::MaxUIOp::create(
      b, toValue(b, ceilDiv(b, few.numBlocks, mostParts)), constant(b, 1));
  few.numParts = arith::CeilDivUIOp::create(b, few.numBlocks, few.blocksOfPart);
  few.partSize = toValue(b, mul(b, few.rowSize, b.getIndexAttr(few.maxRows)));
  few.sums = scratch.allocate(mul(b, few.partSize, few.numParts), sumType);

  auto countRows = [&](const Segment &) {
    return min(b, few.numRows, b.getIndexAttr(1));
  };
  NumberedBlocks parts(b, segments, countRows, [&](const Segment &) {
    return mul(b, ceilDiv(b, numColumns, few.columns), few.numParts);
  });
  emitTasks(parts.getCount(), countWork(/*isProduct=*/true), [&](Value task) {
    multiplyPart(selectBlock(parts, constant(b, 0), task), few);
  });
  NumberedBlocks results(b, segments, countRows, [&](const Segment &) {
    return ceilDiv(b, numColumns, kResultColumns);
  });
  emitTasks(results.getCount(), countWork(/*isProduct=*/false),
            [&](Value task) {
              addParts(selectBlock(results, constant(b, 0), task), few);
            });
}

/// The sums of a part of the steps for some columns.
void ContractionEmitter::multiplyPart(const Block &block,
                                      const RowsByColumns &few) {
  Value part = arith::RemUIOp::create(b, block.other, few.numParts);
  Value number = arith::DivUIOp::create(b, block.other, few.numParts);
  const Extents &extents = block.segment.terms.front().extents;
  Range columns = getRange(number, few.columns, constant(b, 0),
                           columnsOf(extents).getSize(b));
  Value sums = toValue(b, add(b, mul(b, part, few.partSize), columns.start));
  Value filled = toValue(
      b, min(b, add(b, few.numRows, b.getIndexAttr(few.groups.back() - 1)),
             b.getIndexAttr(few.maxRows)));
  auto type = VectorType::get({lanes}, sumType);
  Value zeros = arith::ConstantOp::create(b, b.getZeroAttr(type));
  forLoop(b, filled, [&](Value row) {
    OpFoldResult first = add(b, sums, mul(b, row, few.rowSize));
    forLoop(
        b, columns.length,
        [&](Value column) {
          vector::StoreOp::create(
              b, zeros, few.sums,
              ValueRange{toValue(b, add(b, first, column))});
        },
        /*step=*/lanes);
  });
  Value begin = toValue(b, mul(b, part, few.blocksOfPart));
  Value end =
      toValue(b, min(b, add(b, begin, few.blocksOfPart), few.numBlocks));
  forLoop(b, begin, end, [&](Value steps) {
    ColumnTile tile;
    tile.sums = sums;
    tile.lhs = getPackedBlock(block, steps);
    if (rhsLayout)
      multiplyPackedColumns(block, few, tile, number, steps, columns);
    else
      multiplyColumns(block, few, tile, steps, columns);
  });
}

/// Multiplies a block of steps of rhs where it lies. Some rows of it take turns
/// on as many columns as fit registers.
void ContractionEmitter::multiplyColumns(const Block &block,
                                         const RowsByColumns &few,
                                         ColumnTile tile, Value number,
                                         const Range &columns) {
  Scratch scratch(b);
  Step step = selectStep(block.segment, number);
  DimGroup dims = stepsOf(step.term.extents);
  Value offsets = scratch.allocate(kc + kSteps, b.getIndexType());
  fillOffsetTable(b, offsets, step.term.rhs, dims, step.first, dims.getSize(b),
                  toValue(b, add(b, step.length, b.getIndexAttr(kSteps))));
  Value memory = step.term.rhs.flat;
  Type type = getElementTypeOrSelf(memory);
  int64_t width = columnFormat.width;
  Value whole =
      toValue(b, sub(b, columns.length, rem(b, columns.length, width)));
  tile.load = [=](ImplicitLocOpBuilder &body, Value k, Value column) {
    OpFoldResult first = add(body, columns.start, column);
    Value ahead = memref::LoadOp::create(
        body, offsets, toValue(body, add(body, k, body.getIndexAttr(kSteps))));
    prefetchPiece(body, memory, add(body, ahead, first), width,
                  /*locality=*/3);
    OpFoldResult place =
        add(body, memref::LoadOp::create(body, offsets, k).getResult(), first);
    SmallVector<Value> vectors;
    for (int64_t i = 0; i < width; i += lanes) {
      Value there = toValue(body, add(body, place, body.getIndexAttr(i)));
      Value vector = vector::LoadOp::create(
          body, VectorType::get({lanes}, type), memory, ValueRange{there});
      vectors.push_back(convertFloat(body, vector, sumType));
    }
    return vectors;
  };
  forLoop(
      b, step.length,
      [&](Value first) {
        tile.begin = first;
        tile.end = toValue(
            b, min(b, add(b, first, b.getIndexAttr(kSteps)), step.length));
        forLoop(
            b, whole,
            [&](Value column) { multiplyRowsByColumns(few, tile, column); },
            /*step=*/width);
      },
      /*step=*/kSteps);
  forLoop(b, whole, columns.length, [&](Value column) {
    Value place = toValue(b, add(b, columns.start, column));
    multiplyColumn(few, tile, memory, offsets, place, column, step.length);
  });
}

/// One column, element by element.
void ContractionEmitter::multiplyColumn(const RowsByColumns &few,
                                        const ColumnTile &tile, Value memory,
                                        Value offsets, Value place,
                                        Value column, Value length) {
  forLoop(b, length, [&](Value k) {
    Value offset = memref::LoadOp::create(b, offsets, k);
    Value element =
        memref::LoadOp::create(b, memory, toValue(b, add(b, offset, place)));
    Value factor = convertFloat(b, element, sumType);
    forLoop(b, few.numRows, [&](Value row) {
      Value there = toValue(
          b, add(b, add(b, tile.sums, column), mul(b, row, few.rowSize)));
      Value sum = memref::LoadOp::create(b, few.sums, there);
      Value lhs = loadLhs(b, tile.lhs, rowFormat.getOffset(b, row), k);
      memref::StoreOp::create(b, math::FmaOp::create(b, factor, lhs, sum),
                              few.sums, there);
    });
  });
}

/// Multiplies a block of steps of rhs that was packed ahead of time. Panels
/// take turns.
void ContractionEmitter::multiplyPackedColumns(const Block &block,
                                               const RowsByColumns &few,
                                               ColumnTile tile, Value number,
                                               Value steps,
                                               const Range &columns) {
  const Term &first = block.segment.terms.front();
  Value memory = first.rhs.flat;
  Value start = getPackedBlockOffset(
      b, rhsLayout, add(b, first.firstPackedBlock, number), steps);
  Value length = selectStep(block.segment, steps).length;
  int64_t width = columnFormat.width, pair = columnFormat.stepsPerLane;
  int64_t ahead =
      kPanelBytes * 8 / columnFormat.elementType.getIntOrFloatBitWidth();
  tile.stepsAtOnce = pair;
  tile.load = [=](ImplicitLocOpBuilder &body, Value k, Value column) {
    Value panel = columnFormat.getPanel(
        body, start, toValue(body, div(body, column, width)));
    OpFoldResult place =
        add(body, panel, mul(body, k, body.getIndexAttr(width)));
    prefetchPiece(body, memory, add(body, place, body.getIndexAttr(ahead)),
                  width * pair);
    SmallVector<Value> vectors;
    for (int64_t i = 0; i < width; i += lanes) {
      Value there =
          toValue(body, add(body, place, body.getIndexAttr(i * pair)));
      vectors.push_back(vector::LoadOp::create(
          body, VectorType::get({lanes * pair}, columnFormat.elementType),
          memory, ValueRange{there}));
    }
    if (pair == 1)
      return vectors;
    // Those of the first steps, then those of the second.
    SmallVector<Value> first, second;
    for (Value pairs : vectors) {
      auto [one, other] = splitPairs(body, pairs);
      first.push_back(one);
      second.push_back(other);
    }
    first.append(second);
    return first;
  };
  // Sums of many rows are not to be loaded for a few steps of pairs.
  Value isSmall = arith::CmpIOp::create(b, arith::CmpIPredicate::ule,
                                        few.numRows, constant(b, kMaxTurnRows));
  Value turn =
      arith::SelectOp::create(b, isSmall, constant(b, kPanelSteps),
                              constant(b, pair == 1 ? kPanelSteps : kc));
  auto takeTurns = [&](Value begin) {
    tile.begin = begin;
    tile.end = toValue(b, min(b, add(b, begin, turn), length));
    forLoop(
        b, columns.length,
        [&](Value column) { multiplyRowsByColumns(few, tile, column); },
        /*step=*/width);
  };
  forLoop(b, b.getIndexAttr(0), length, takeTurns, turn);
}

/// Multiplies vectors of columns from `column` on with all rows of lhs, a group
/// at a time, by code for the first group that has all of them, or the last.
void ContractionEmitter::multiplyRowsByColumns(const RowsByColumns &few,
                                               const ColumnTile &tile,
                                               Value column) {
  int64_t most = few.groups.back();
  forLoop(
      b, few.numRows,
      [&](Value row) {
        std::function<void(ArrayRef<int64_t>)> choose =
            [&](ArrayRef<int64_t> groups) {
              auto multiply = [&] {
                multiplyGroupByColumns(few, tile, groups.front(), row, column);
              };
              if (groups.size() == 1)
                return multiply();
              Value isEnough = arith::CmpIOp::create(
                  b, arith::CmpIPredicate::ule, few.numRows,
                  constant(b, groups.front()));
              ifElse(b, isEnough, multiply,
                     [&] { choose(groups.drop_front()); });
            };
        choose(few.groups);
      },
      /*step=*/most);
}

/// Adds the products of `group` rows of lhs from `row` on and the vectors of
/// columns from `column` on, step by step. Rows past the end repeat the last.
void ContractionEmitter::multiplyGroupByColumns(const RowsByColumns &few,
                                                const ColumnTile &tile,
                                                int64_t group, Value row,
                                                Value column) {
  auto type = VectorType::get({lanes}, sumType);
  int64_t vectors = columnFormat.width / lanes;
  Value last = toValue(b, sub(b, few.numRows, b.getIndexAttr(1)));
  SmallVector<Value> rows, places, sums;
  for (int64_t i = 0; i < group; ++i) {
    Value member = toValue(b, add(b, row, b.getIndexAttr(i)));
    rows.push_back(rowFormat.getOffset(b, toValue(b, min(b, member, last))));
    OpFoldResult first =
        add(b, add(b, tile.sums, column), mul(b, member, few.rowSize));
    for (int64_t j = 0; j < vectors; ++j) {
      places.push_back(toValue(b, add(b, first, b.getIndexAttr(j * lanes))));
      sums.push_back(
          vector::LoadOp::create(b, type, few.sums, ValueRange{places.back()}));
    }
  }
  /// Multiplies from `begin` on, the first `count` of the steps at once.
  auto multiply = [&](Value begin, Value end, int64_t count) {
    auto loop = scf::ForOp::create(
        b, begin, end, constant(b, tile.stepsAtOnce), sums,
        [&](OpBuilder &nested, Location loc, Value k, ValueRange carried) {
          ImplicitLocOpBuilder body(loc, nested);
          SmallVector<Value> loaded = tile.load(body, k, column);
          SmallVector<Value> next(carried);
          for (int64_t i = 0; i < count; ++i) {
            Value step = toValue(body, add(body, k, body.getIndexAttr(i)));
            for (auto [number, start] : llvm::enumerate(rows)) {
              Value factor = vector::BroadcastOp::create(
                  body, type, loadLhs(body, tile.lhs, start, step));
              for (int64_t j = 0; j < vectors; ++j) {
                Value &sum = next[number * vectors + j];
                sum = vector::FMAOp::create(body, loaded[i * vectors + j],
                                            factor, sum);
              }
            }
          }
          scf::YieldOp::create(body, next);
        });
    sums.assign(loop.getResults().begin(), loop.getResults().end());
  };
  OpFoldResult rest = rem(b, sub(b, tile.end, tile.begin), tile.stepsAtOnce);
  Value whole = toValue(b, sub(b, tile.end, rest));
  multiply(tile.begin, whole, tile.stepsAtOnce);
  if (!isConstantIntValue(rest, 0))
    multiply(whole, tile.end, /*count=*/1);
  for (auto [sum, place] : llvm::zip_equal(sums, places))
    vector::StoreOp::create(b, sum, few.sums, ValueRange{place});
}

/// Adds up the parts for some columns, and stores.
void ContractionEmitter::addParts(const Block &block,
                                  const RowsByColumns &few) {
  Scratch scratch(b);
  const Extents &extents = block.segment.terms.front().extents;
  Range columns = getRange(block.other, kResultColumns, constant(b, 0),
                           columnsOf(extents).getSize(b));
  Value results = scratch.allocate(few.maxRows * kResultColumns, sumType);
  auto type = VectorType::get({lanes}, sumType);
  Value zeros = arith::ConstantOp::create(b, b.getZeroAttr(type));
  auto addVectors = [&](Value row, Value column) {
    OpFoldResult place =
        add(b, add(b, columns.start, column), mul(b, row, few.rowSize));
    auto loop = scf::ForOp::create(
        b, constant(b, 0), few.numParts, constant(b, 1), ValueRange{zeros},
        [&](OpBuilder &nested, Location loc, Value part, ValueRange carried) {
          ImplicitLocOpBuilder body(loc, nested);
          Value there =
              toValue(body, add(body, place, mul(body, part, few.partSize)));
          Value sum =
              vector::LoadOp::create(body, type, few.sums, ValueRange{there});
          scf::YieldOp::create(
              body,
              arith::AddFOp::create(body, carried.front(), sum).getResult());
        });
    Value result =
        toValue(b, add(b, mul(b, row, b.getIndexAttr(kResultColumns)), column));
    vector::StoreOp::create(b, loop.getResult(0), results, ValueRange{result});
  };
  forLoop(b, few.numRows, [&](Value row) {
    forLoop(
        b, columns.length, [&](Value column) { addVectors(row, column); },
        /*step=*/lanes);
  });
  Epilogue epilogue;
  epilogue.sums = {results, few.maxRows, kResultColumns, /*tilesPerRow=*/1};
  epilogue.isTransposed = false;
  epilogue.isContiguous = isEpilogueContiguous();
  epilogue.isWhole = hasWholeVectors(kResultColumns);
  Range rows = {constant(b, 0), few.numRows, few.numRows};
  store(*block.segment.product, epilogue, extents, {rows, few.maxRows},
        BoundedRange{columns, kResultColumns});
}
