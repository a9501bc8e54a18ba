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
#include <numeric>

using namespace mlir;
using namespace mlir::boostr;
using namespace mlir::boostr::cpu;

/// Rows of rhs that a task reads: enough to be worth one, few enough that there
/// is one for every thread.
static constexpr int64_t kTaskRows = 32;

/// The same for panels of a packed rhs: at most so many, and not fewer tasks.
static constexpr int64_t kTaskPanels = 8, kMinTasks = 16;

/// Rows of lhs that are multiplied at once; more are multiplied in groups, for
/// which rows of rhs are read again while they are in the cache.
static constexpr int64_t kGroupRows = 8;

/// Rows of rhs that are read together where they lie: streams of memory.
static constexpr int64_t kPanelRows = 8;

/// What all rows of lhs may take.
static constexpr int64_t kMaxLhsBytes = int64_t(12) << 20;

/// Vectors of sums that keep the multipliers busy and leave registers for what
/// is loaded.
static int64_t getMaxSums(int64_t lanes, Type sumType) {
  return lanes * sumType.getIntOrFloatBitWidth() == 512 ? 24 : 12;
}

/// Rows of rhs, of the `panel` that are read together, that are multiplied at
/// once if these make up to `maxSums` sums with `group` rows of lhs.
static int64_t getStreams(int64_t group, int64_t panel, int64_t maxSums) {
  int64_t streams = std::clamp<int64_t>(maxSums / group, 1, panel);
  while (panel % streams != 0)
    --streams;
  return streams;
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
  // Of very many steps there is room for fewer rows.
  OpFoldResult rowSize = countFewRowSize();
  int64_t most = kMaxLhsBytes * 8 / sumType.getIntOrFloatBitWidth();
  std::optional<int64_t> known = getConstantIntValue(rowSize);
  if (!known || *known * counts.back() > most) {
    OpFoldResult size = mul(b, OpFoldResult(getMaxRows()), rowSize);
    Value fits = arith::CmpIOp::create(b, arith::CmpIPredicate::ule,
                                       toValue(b, size), constant(b, most));
    isEnough = arith::AndIOp::create(b, isEnough, fits);
  }
  ifElse(b, isEnough, [&] { emitFewRows(counts); }, emitMore);
}

/// Elements of a row of lhs with its steps. It is longer by a vector, so that
/// rows do not share sets of the cache.
OpFoldResult ContractionEmitter::countFewRowSize() {
  Value numSteps = stepsOf(segments.front().terms.front().extents).getSize(b);
  OpFoldResult vectors = add(b, ceilDiv(b, numSteps, lanes), b.getIndexAttr(1));
  return mul(b, vectors, b.getIndexAttr(lanes));
}

/// Packs all of lhs, as rows of the type of accumulation.
void ContractionEmitter::packFewRows(Scratch &scratch, FewRows &few) {
  const Term &term = segments.front().terms.front();
  DimGroup rows = rowsOf(term.extents), steps = stepsOf(term.extents);
  Value zero = constant(b, 0), numSteps = steps.getSize(b);
  few.numRows = rows.getSize(b);
  few.rowSize = toValue(b, countFewRowSize());
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

/// Rows of lhs that code multiplies: groups are filled up.
static Value countFilledRows(ImplicitLocOpBuilder &b, ArrayRef<int64_t> groups,
                             Value numRows) {
  int64_t most = groups.back();
  Value filled =
      toValue(b, mul(b, ceilDiv(b, numRows, most), b.getIndexAttr(most)));
  for (int64_t group : llvm::reverse(groups)) {
    Value isEnough = arith::CmpIOp::create(b, arith::CmpIPredicate::ule,
                                           numRows, constant(b, group));
    filled = arith::SelectOp::create(b, isEnough, constant(b, group), filled);
  }
  return filled;
}

namespace {

/// In which order a task reads: some panels take turns, a piece of some steps
/// each; what is read so many turns later is on its way meanwhile.
struct Turns {
  int64_t panels, steps, ahead;
};

} // namespace

/// Decides what a task reads, and in which order.
void ContractionEmitter::planFewRows(FewRows &few) {
  Turns one, more;
  if (rhsLayout) {
    // Whole panels and whole vectors.
    few.panel = rowFormat.width;
    int64_t panels = std::accumulate(rhsLayout.getRows().begin(),
                                     rhsLayout.getRows().end(), int64_t(0)) /
                     (kMinTasks * few.panel);
    few.columns =
        llvm::alignTo(few.panel * std::clamp<int64_t>(panels, 1, kTaskPanels),
                      std::lcm(few.panel, lanes));
    one = more = {1, kc, 1};
    // A panel of more rows than there are sums is not read at once; by small
    // pieces of several it is in its order nevertheless.
    if (few.panel > getMaxSums(lanes, sumType))
      one = {kTaskPanels, rowFormat.chunk(), kTaskPanels / 2};
  } else {
    constexpr int64_t kPieceSteps = 256, kPieceBytes = 512;
    Type type = segments.front().terms.front().rhs.getElementType();
    few.panel = kPanelRows;
    few.columns = kTaskRows;
    one = {1, kPieceSteps, 1};
    more = {1, kPieceBytes * 8 / type.getIntOrFloatBitWidth(), 1};
  }
  Value isOne = arith::CmpIOp::create(b, arith::CmpIPredicate::ule, few.numRows,
                                      constant(b, 1));
  auto choose = [&](int64_t Turns::*member) -> Value {
    return arith::SelectOp::create(b, isOne, constant(b, one.*member),
                                   constant(b, more.*member));
  };
  few.panelsInTurn = choose(&Turns::panels);
  few.piece = choose(&Turns::steps);
  few.turnsAhead = choose(&Turns::ahead);
}

/// Packs lhs, and starts the tasks.
void ContractionEmitter::emitFewRows(ArrayRef<int64_t> counts) {
  Scratch scratch(b);
  FewRows few;
  few.groups = getGroups(counts);
  few.maxRows = llvm::alignTo(counts.back(), few.groups.back());
  packFewRows(scratch, few);
  planFewRows(few);
  NumberedBlocks blocks(
      b, segments,
      [&](const Segment &segment) {
        // No row, no task.
        return min(b, rowsOf(segment.terms.front().extents).getSize(b),
                   b.getIndexAttr(1));
      },
      [&](const Segment &segment) {
        Value size = columnsOf(segment.terms.front().extents).getSize(b);
        if (!rhsLayout)
          return ceilDiv(b, size, few.columns);
        return mul(b, ceilDiv(b, size, nc),
                   b.getIndexAttr(llvm::divideCeil(nc, few.columns)));
      });
  emitTasks(blocks.getCount(), countWork(/*isProduct=*/true), [&](Value task) {
    Block block = selectBlock(blocks, constant(b, 0), task);
    Range columns = getFewColumns(block, few);
    if (!rhsLayout)
      return computeFewRows(block, few, columns);
    // The last block may have fewer.
    Value exists = arith::CmpIOp::create(b, arith::CmpIPredicate::slt,
                                         columns.start, columns.end);
    ifElse(b, exists, [&] { computeFewRows(block, few, columns); });
  });
}

/// The columns of a task; those of a packed weight are all of one block of it.
ContractionEmitter::Range
ContractionEmitter::getFewColumns(const Block &block, const FewRows &few) {
  Value end = columnsOf(block.segment.terms.front().extents).getSize(b);
  if (!rhsLayout)
    return getRange(block.other, few.columns, constant(b, 0), end);
  int64_t tasks = llvm::divideCeil(nc, few.columns);
  OpFoldResult first = mul(b, div(b, block.other, tasks), b.getIndexAttr(nc));
  Value endOfBlock = toValue(b, min(b, add(b, first, b.getIndexAttr(nc)), end));
  return getRange(toValue(b, rem(b, block.other, tasks)), few.columns,
                  toValue(b, first), endOfBlock);
}

/// Some columns of the result. Vectors of sums are kept between pieces, and
/// their lanes added up at the end.
void ContractionEmitter::computeFewRows(const Block &block, const FewRows &few,
                                        const Range &columns) {
  Scratch scratch(b);
  const Term &term = block.segment.terms.front();
  FewSums sums;
  sums.offsets = scratch.allocate(few.columns, b.getIndexType());
  fillColumnTable(sums.offsets, term, columns, few.columns);
  sums.numPanels = toValue(b, ceilDiv(b, columns.length, few.panel));
  int64_t size = few.maxRows * few.columns;
  sums.vectors = scratch.allocate(size * lanes, sumType);
  forLoop(b, sums.numPanels, [&](Value panel) {
    Value filled = countFilledRows(b, few.groups, few.numRows);
    forLoop(b, toValue(b, mul(b, filled, b.getIndexAttr(few.panel))),
            [&](Value number) {
              Value place = getFewSum(few, constant(b, 0), panel, number);
              auto type = VectorType::get({lanes}, sumType);
              Value zeros = arith::ConstantOp::create(b, b.getZeroAttr(type));
              vector::StoreOp::create(b, zeros, sums.vectors,
                                      ValueRange{place});
            });
  });
  multiplyPieces(block, few, sums);
  storeFewRows(block, few, sums, columns);
}

/// Adds up the lanes of the sums, adds the rest of k, and stores.
void ContractionEmitter::storeFewRows(const Block &block, const FewRows &few,
                                      const FewSums &sums,
                                      const Range &columns) {
  Scratch scratch(b);
  auto type = VectorType::get({lanes}, sumType);
  Value results = scratch.allocate(few.maxRows * few.columns, sumType);
  forLoop(b, few.numRows, [&](Value row) {
    forLoop(b, columns.length, [&](Value column) {
      Value panel = toValue(b, div(b, column, few.panel));
      Value place = getFewSum(few, row, panel, rem(b, column, few.panel));
      Value vector =
          vector::LoadOp::create(b, type, sums.vectors, ValueRange{place});
      memref::StoreOp::create(b, addLanes(vector), results,
                              getFewResult(few, row, column));
    });
  });
  multiplyRest(block, few, sums.offsets, results, columns.length);

  Epilogue epilogue;
  epilogue.sums = {results, few.maxRows, few.columns, /*tilesPerRow=*/1};
  epilogue.isTransposed = false;
  epilogue.isContiguous = isEpilogueContiguous();
  epilogue.isWhole = hasWholeVectors(few.columns);
  Range rows = {constant(b, 0), few.numRows, few.numRows};
  store(*block.segment.product, epilogue, block.segment.terms.front().extents,
        {rows, few.maxRows}, BoundedRange{columns, few.columns});
}

/// Where the vector of sums of a row of lhs and a column of a panel lies: those
/// of a panel lie together.
Value ContractionEmitter::getFewSum(const FewRows &few, Value row, Value panel,
                                    OpFoldResult column) {
  OpFoldResult first =
      mul(b, add(b, mul(b, panel, b.getIndexAttr(few.maxRows)), row),
          b.getIndexAttr(few.panel * lanes));
  return toValue(b, add(b, first, mul(b, column, b.getIndexAttr(lanes))));
}

/// Where the sum of that vector goes.
Value ContractionEmitter::getFewResult(const FewRows &few, Value row,
                                       Value column) {
  return toValue(b, add(b, mul(b, row, b.getIndexAttr(few.columns)), column));
}

/// Multiplies the panels, piece by piece. Some panels take turns: as many
/// streams of memory.
void ContractionEmitter::multiplyPieces(const Block &block, const FewRows &few,
                                        FewSums sums) {
  Value end = getWholeSteps(block);
  auto multiplyPanels = [&](Value first) {
    Value endPanel =
        toValue(b, min(b, add(b, first, few.panelsInTurn), sums.numPanels));
    auto multiplyPiece = [&](Value step, Value endStep) {
      sums.firstStep = step;
      sums.numSteps = toValue(b, min(b, sub(b, endStep, step), few.piece));
      forLoop(b, first, endPanel, [&](Value panel) {
        sums.panel = panel;
        sums.ahead = getNextPiece(few, sums, first, endPanel, end);
        forLoop(
            b, few.numRows,
            [&](Value row) {
              sums.row = row;
              multiplyGroups(block, few, few.groups, sums);
            },
            /*step=*/few.groups.back());
      });
    };
    if (!rhsLayout)
      return forLoop(
          b, b.getIndexAttr(0), end,
          [&](Value step) { multiplyPiece(step, end); }, few.piece);
    forLoop(
        b, b.getIndexAttr(0), end,
        [&](Value start) {
          Value stop =
              toValue(b, min(b, add(b, start, b.getIndexAttr(kc)), end));
          forLoop(
              b, start, stop, [&](Value step) { multiplyPiece(step, stop); },
              few.piece);
        },
        /*step=*/kc);
  };
  forLoop(b, b.getIndexAttr(0), sums.numPanels, multiplyPanels,
          few.panelsInTurn);
}

/// How far from the piece of `sums` the one lies whose turn comes `turnsAhead`
/// later: the same steps of a panel before `endPanel`, or the next steps from
/// `firstPanel` on, or the first of the panels after these. Zero after the
/// last.
Value ContractionEmitter::getNextPiece(const FewRows &few, const FewSums &sums,
                                       Value firstPanel, Value endPanel,
                                       Value endStep) {
  auto isLess = [&](OpFoldResult x, Value y) -> Value {
    return arith::CmpIOp::create(b, arith::CmpIPredicate::ult, toValue(b, x),
                                 y);
  };
  auto choose = [&](Value condition, OpFoldResult x, OpFoldResult y) -> Value {
    return arith::SelectOp::create(b, condition, toValue(b, x), toValue(b, y));
  };
  auto getPlace = [&](Value panel, Value step) {
    Value offset = memref::LoadOp::create(
        b, sums.offsets, toValue(b, mul(b, panel, b.getIndexAttr(few.panel))));
    return add(b, offset, getPieceStart(step));
  };
  OpFoldResult count = sub(b, endPanel, firstPanel);
  Value panel = toValue(b, add(b, sums.panel, min(b, few.turnsAhead, count)));
  Value step = toValue(b, add(b, sums.firstStep, sums.numSteps));
  Value hasPanel = isLess(panel, endPanel), hasSteps = isLess(step, endStep);
  panel =
      choose(hasPanel, panel, choose(hasSteps, sub(b, panel, count), panel));
  step = choose(hasPanel, sums.firstStep,
                choose(hasSteps, step, b.getIndexAttr(0)));
  // After the last, the last again.
  Value isThere = isLess(panel, sums.numPanels);
  panel = choose(isThere, panel, sums.panel);
  step = choose(isThere, step, sums.firstStep);
  return toValue(
      b, sub(b, getPlace(panel, step), getPlace(sums.panel, sums.firstStep)));
}

/// Multiplies the rows from `sums.row` on by code for the first of `groups`
/// that has all rows, or for the last.
void ContractionEmitter::multiplyGroups(const Block &block, const FewRows &few,
                                        ArrayRef<int64_t> groups,
                                        const FewSums &sums) {
  int64_t group = groups.front();
  auto multiply = [&] {
    int64_t streams = getStreams(group, few.panel, getMaxSums(lanes, sumType));
    forLoop(
        b, b.getIndexAttr(few.panel),
        [&](Value first) {
          multiplyGroup(block, few, group, streams, first, sums);
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

/// Adds the products of `group` rows of lhs and `streams` of rhs, from `column`
/// of the panel on, over the steps of a piece to their vectors of sums. Rows
/// past the end repeat the last.
void ContractionEmitter::multiplyGroup(const Block &block, const FewRows &few,
                                       int64_t group, int64_t streams,
                                       Value column, const FewSums &sums) {
  const StridedArray &rhs = block.segment.terms.front().rhs;
  auto vectorType = VectorType::get({lanes}, sumType);
  auto rhsType = VectorType::get({lanes}, rhs.getElementType());
  SmallVector<Value> rows, columns, places, begin;
  Value last = toValue(b, sub(b, few.numRows, b.getIndexAttr(1)));
  Value start = getPieceStart(sums.firstStep);
  Value firstSum = getFewSum(few, sums.row, sums.panel, column);
  for (int64_t i = 0; i < group; ++i) {
    for (int64_t j = 0; j < streams; ++j) {
      OpFoldResult rest = b.getIndexAttr((i * few.panel + j) * lanes);
      places.push_back(toValue(b, add(b, firstSum, rest)));
      begin.push_back(vector::LoadOp::create(b, vectorType, sums.vectors,
                                             ValueRange{places.back()}));
    }
    Value row = toValue(b, add(b, sums.row, b.getIndexAttr(i)));
    Value there = toValue(b, min(b, row, last));
    rows.push_back(
        toValue(b, add(b, mul(b, there, few.rowSize), sums.firstStep)));
  }
  OpFoldResult first =
      add(b, mul(b, sums.panel, b.getIndexAttr(few.panel)), column);
  for (int64_t j = 0; j < streams; ++j) {
    Value offset = memref::LoadOp::create(
        b, sums.offsets, toValue(b, add(b, first, b.getIndexAttr(j))));
    columns.push_back(toValue(b, add(b, offset, start)));
  }

  auto loop = scf::ForOp::create(
      b, constant(b, 0), sums.numSteps, constant(b, lanes), begin,
      [&](OpBuilder &nested, Location loc, Value k, ValueRange carried) {
        ImplicitLocOpBuilder body(loc, nested);
        auto load = [&](VectorType type, Value memory, Value place) {
          Value loaded =
              vector::LoadOp::create(body, type, memory, ValueRange{place});
          return convertFloat(body, loaded, sumType);
        };
        SmallVector<Value> vectors, next;
        // Rows have their addresses in registers, for loads and prefetches
        // alike.
        Value step = getStepInPiece(body, k);
        Value ahead = toValue(body, add(body, step, sums.ahead));
        for (Value start : columns) {
          Value place = toValue(body, add(body, start, step));
          vectors.push_back(load(rhsType, rhs.flat, place));
          memref::PrefetchOp::create(
              body, rhs.flat,
              ValueRange{toValue(body, add(body, start, ahead))},
              /*isWrite=*/false, /*localityHint=*/rhsLayout ? 2 : 3,
              /*isDataCache=*/true);
        }
        for (Value start : rows) {
          Value row =
              load(vectorType, few.lhs, toValue(body, add(body, start, k)));
          for (Value vector : vectors)
            next.push_back(
                vector::FMAOp::create(body, vector, row, carried[next.size()]));
        }
        scf::YieldOp::create(body, next);
      });
  for (auto [sum, place] : llvm::zip_equal(loop.getResults(), places))
    vector::StoreOp::create(b, sum, sums.vectors, ValueRange{place});
}

/// Adds the products of what is left of k, one by one.
void ContractionEmitter::multiplyRest(const Block &block, const FewRows &few,
                                      Value offsets, Value results,
                                      Value numColumns) {
  const StridedArray &rhs = block.segment.terms.front().rhs;
  Value numSteps = stepsOf(block.segment.terms.front().extents).getSize(b);
  auto load = [&](Value memory, OpFoldResult x, OpFoldResult y) {
    Value loaded = memref::LoadOp::create(b, memory, toValue(b, add(b, x, y)));
    return convertFloat(b, loaded, sumType);
  };
  forLoop(b, getWholeSteps(block), numSteps, [&](Value k) {
    OpFoldResult inChunk = rem(b, k, rowFormat.chunk());
    OpFoldResult step =
        add(b, getPieceStart(toValue(b, sub(b, k, inChunk))), inChunk);
    forLoop(b, few.numRows, [&](Value i) {
      Value row = load(few.lhs, mul(b, i, few.rowSize), k);
      forLoop(b, numColumns, [&](Value column) {
        Value offset = memref::LoadOp::create(b, offsets, column);
        Value place = getFewResult(few, i, column);
        Value sum = memref::LoadOp::create(b, results, place);
        memref::StoreOp::create(
            b, math::FmaOp::create(b, load(rhs.flat, offset, step), row, sum),
            results, place);
      });
    });
  });
}
