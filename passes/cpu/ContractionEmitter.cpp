// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "boostr/passes/cpu/ContractionEmitter.h"
#include "boostr/passes/cpu/IndexMath.h"
#include "boostr/passes/cpu/NumThreads.h"
#include "boostr/passes/cpu/RegisterTile.h"
#include "boostr/passes/cpu/Scratch.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include <numeric>

using namespace mlir;
using namespace mlir::boostr;
using namespace mlir::boostr::cpu;

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

void ContractionEmitter::fillZero(Value memory, Value count) {
  auto type = VectorType::get({lanes}, sumType);
  Value zeros = arith::ConstantOp::create(
      b, DenseElementsAttr::get(type, b.getZeroAttr(sumType)));
  forLoop(
      b, count,
      [&](Value i) {
        vector::StoreOp::create(b, zeros, memory, ValueRange{i});
      },
      lanes);
}

void ContractionEmitter::prefetch(ImplicitLocOpBuilder &body, Value memory,
                                  OpFoldResult first, OpFoldResult count) {
  forLoop(
      body, count,
      [&](Value i) {
        memref::PrefetchOp::create(
            body, memory, ValueRange{toValue(body, add(body, first, i))},
            /*isWrite=*/false, /*localityHint=*/2,
            /*isDataCache=*/true);
      },
      /*step=*/getLineElements(getElementTypeOrSelf(memory)));
}

void ContractionEmitter::prefetchPiece(ImplicitLocOpBuilder &body, Value memory,
                                       OpFoldResult first, int64_t count,
                                       unsigned locality) {
  int64_t line = getLineElements(getElementTypeOrSelf(memory));
  for (int64_t i = 0; i < count; i += line)
    memref::PrefetchOp::create(
        body, memory,
        ValueRange{toValue(body, add(body, first, body.getIndexAttr(i)))},
        /*isWrite=*/false, /*localityHint=*/locality, /*isDataCache=*/true);
}

/// The sum of the lanes of `vector`, added up in pairs.
Value ContractionEmitter::addLanes(Value vector) {
  return vector::ReductionOp::create(b, vector::CombiningKind::ADD, vector,
                                     arith::FastMathFlags::reassoc);
}

//===----------------------------------------------------------------------===//
// What the contraction reads and writes
//===----------------------------------------------------------------------===//

ContractionEmitter::ContractionEmitter(ImplicitLocOpBuilder &b,
                                       SegmentedContractionOpInterface op,
                                       const SegmentedContraction &contraction,
                                       CpuTileAttr tile, int64_t minTaskWork)
    : b(b), contraction(contraction), tile(tile), mc(tile.getBlock()[0]),
      nc(tile.getBlock()[1]), kc(tile.getBlock()[2]), lanes(tile.getLanes()),
      minTaskWork(minTaskWork), segments(getSegmentArrays(b, op, contraction)) {
  Type type = segments.front().terms.front().lhs.getElementType();
  sumType = getAccumulatorType(type);
  bool hasPairs = multipliesPairs(tile.getKernel());
  Type panelType = hasPairs ? type : sumType;
  int64_t stepsPerLane = hasPairs ? 2 : 1;
  rowFormat = {
      PanelSide::Rows, tile.getRegisterTile()[0], kc, lanes, stepsPerLane,
      panelType};
  columnFormat = {
      PanelSide::Columns, tile.getRegisterTile()[1], kc, lanes, stepsPerLane,
      panelType};
  bool hasLhsSum = llvm::any_of(segments, [](const Segment &segment) {
    return segment.lhsSum.has_value();
  });
  // Sums of lhs are taken from panels of rows.
  isTransposed = !hasLhsSum && getStrategy(/*isLhs=*/false, rowFormat) ==
                                   PackStrategy::AlongK;
  Value rhs = contraction.segments.front().terms.front().rhs.array;
  if (auto packed = rhs.getDefiningOp<PackedArrayOp>())
    usePackedRhs(packed);
}

/// The strategy that is right for every term of every segment.
PackStrategy ContractionEmitter::getStrategy(bool isLhs,
                                             const PanelFormat &format) const {
  std::optional<PackStrategy> common;
  for (const Segment &segment : segments) {
    for (const Term &term : segment.terms) {
      DimGroup rows = isLhs ? rowsOf(term.extents) : columnsOf(term.extents);
      PackStrategy strategy = choosePackStrategy(
          isLhs ? term.lhs : term.rhs, rows, stepsOf(term.extents), format);
      if (common && *common != strategy)
        return PackStrategy::Gather;
      common = strategy;
    }
  }
  return *common;
}

/// Rows of every term of every segment that follow each other.
int64_t ContractionEmitter::getRowsTogether(bool isLhs) const {
  int64_t count = std::numeric_limits<int64_t>::max();
  for (const Segment &segment : segments)
    for (const Term &term : segment.terms) {
      DimGroup rows = isLhs ? rowsOf(term.extents) : columnsOf(term.extents);
      count = std::min(count, countTogether(isLhs ? term.lhs : term.rhs, rows,
                                            formatOf(isLhs)));
    }
  return count;
}

/// True if `count` columns follow each other in every array that results are
/// made from or stored to.
bool ContractionEmitter::areContiguous(int64_t count) const {
  for (const Segment &segment : segments) {
    if (!segment.product)
      continue;
    DimGroup columns = columnsOf(segment.terms.front().extents);
    auto isContiguous = [&](const StridedArray &array) {
      return !array.hasAny(contraction.n) ||
             isContiguousInChunks(array, columns, count);
    };
    if (!isContiguous(segment.product->result) ||
        !llvm::all_of(segment.product->addends, isContiguous))
      return false;
  }
  return true;
}

/// True if columns of the result, in blocks of `block`, are whole times
/// `count`.
bool ContractionEmitter::hasWholeColumns(int64_t block, int64_t count) const {
  unsigned inner = contraction.n.back();
  return block % count == 0 &&
         llvm::all_of(segments, [&](const Segment &segment) {
           std::optional<int64_t> extent =
               getConstantIntValue(segment.terms.front().extents[inner]);
           return extent && *extent % count == 0;
         });
}

/// True if sums can leave as StorePairs.h has it.
bool ContractionEmitter::storesPairs() const {
  int64_t count = 2 * lanes;
  if (!isTransposed || !sumType.isF32() || rowFormat.width % count != 0 ||
      columnFormat.width % lanes != 0 || !hasWholeColumns(nc, count) ||
      !areContiguous(count))
    return false;
  auto isPair = [&](const StridedArray &array) {
    return array.getElementType().isBF16() && array.hasAny(contraction.n);
  };
  return llvm::all_of(segments, [&](const Segment &segment) {
    return !segment.product || (isPair(segment.product->result) &&
                                segment.product->result.hasAny(contraction.m) &&
                                llvm::all_of(segment.product->addends, isPair));
  });
}

/// True if all segments read the same lhs, so that it is packed once.
bool ContractionEmitter::isLhsShared() const {
  ArrayRef<ContractionTerm> first = contraction.segments.front().terms;
  return llvm::all_of(
      contraction.segments, [&](const ContractionSegment &segment) {
        return segment.terms.size() == first.size() &&
               llvm::all_of(
                   llvm::zip_equal(segment.terms, first), [](auto pair) {
                     const ContractionOperand &one = std::get<0>(pair).lhs;
                     const ContractionOperand &other = std::get<1>(pair).lhs;
                     return one.array == other.array && !one.rows &&
                            !other.rows && one.map == other.map;
                   });
      });
}

/// True if the packed columns of a block of rows of lhs are known to stay in
/// the cache for all steps: `cached_bytes` hold them.
bool ContractionEmitter::keepsPackedColumns() const {
  if (!isTransposed)
    return false;
  int64_t steps = 0;
  for (const Segment &segment : segments) {
    int64_t ofSegment = 0;
    for (const Term &term : segment.terms) {
      std::optional<int64_t> size =
          getConstantIntValue(stepsOf(term.extents).getSize(b));
      if (!size)
        return false;
      ofSegment += llvm::alignTo(*size, kc);
    }
    steps = std::max(steps, ofSegment);
  }
  std::optional<int64_t> rows = getConstantIntValue(
      rowsOf(segments.front().terms.front().extents).getSize(b));
  int64_t width = columnFormat.countPanels(std::min(mc, rows.value_or(mc))) *
                  columnFormat.width;
  int64_t elementBytes = columnFormat.elementBytes();
  return steps * width * elementBytes <= tile.getCachedBytes();
}

//===----------------------------------------------------------------------===//
// Blocks and steps
//===----------------------------------------------------------------------===//

ContractionEmitter::Range ContractionEmitter::getRange(Value number,
                                                       OpFoldResult size,
                                                       Value first, Value end) {
  Value start = toValue(b, add(b, first, mul(b, number, size)));
  Value length = toValue(b, min(b, sub(b, end, start), size));
  return {start, length, end};
}

/// Blocks of kc steps, numbered through all terms.
OpFoldResult ContractionEmitter::countSteps(const Segment &segment) {
  OpFoldResult count = b.getIndexAttr(0);
  for (const Term &term : segment.terms)
    count = add(b, count, ceilDiv(b, stepsOf(term.extents).getSize(b), kc));
  return count;
}

ContractionEmitter::Step ContractionEmitter::selectStep(const Segment &segment,
                                                        Value number) {
  SmallVector<OpFoldResult> firstBlocks = {b.getIndexAttr(0)};
  for (const Term &term : segment.terms)
    firstBlocks.push_back(
        add(b, firstBlocks.back(),
            ceilDiv(b, stepsOf(term.extents).getSize(b), kc)));
  firstBlocks.pop_back();

  Term term = segment.terms.back();
  OpFoldResult first = firstBlocks.back();
  for (size_t index = segment.terms.size() - 1; index-- > 0;) {
    Value isBefore = arith::CmpIOp::create(b, arith::CmpIPredicate::ult, number,
                                           toValue(b, firstBlocks[index + 1]));
    term = select(b, isBefore, segment.terms[index], term);
    first = select(b, isBefore, firstBlocks[index], first);
  }
  Value firstStep =
      toValue(b, mul(b, sub(b, number, first), b.getIndexAttr(kc)));
  // Known, if k is whole blocks, so that there is no code for the rest of one.
  bool isWhole = llvm::all_of(segment.terms, [&](const Term &each) {
    std::optional<int64_t> size =
        getConstantIntValue(stepsOf(each.extents).getSize(b));
    return size && *size % kc == 0;
  });
  if (isWhole)
    return {term, firstStep, constant(b, kc)};
  Value end = stepsOf(term.extents).getSize(b);
  Value length = toValue(b, min(b, sub(b, end, firstStep), b.getIndexAttr(kc)));
  return {term, firstStep, length};
}

/// The rows of one operand in `range`, with a table of their offsets.
PackSource ContractionEmitter::getRows(Scratch &scratch, bool isLhs,
                                       const Term &term, const Range &range) {
  const PanelFormat &format = formatOf(isLhs);
  PackSource source;
  source.array = isLhs ? term.lhs : term.rhs;
  source.strategy = getStrategy(isLhs, format);
  source.rowsTogether = getRowsTogether(isLhs);
  source.firstRow = constant(b, 0);
  source.endRow = range.length;
  OpFoldResult filled = mul(b, ceilDiv(b, range.length, format.width),
                            b.getIndexAttr(format.width));
  source.endFill =
      toValue(b, mul(b, ceilDiv(b, filled, lanes), b.getIndexAttr(lanes)));
  // Panels are filled by whole vectors, the last of which may reach further.
  int64_t maxRows = format.countPanels(isLhs ? mc : nc) * format.width;
  source.rowOffsets =
      scratch.allocate(llvm::alignTo(maxRows, lanes) + lanes, b.getIndexType());
  fillOffsetTable(b, source.rowOffsets, source.array,
                  isLhs ? rowsOf(term.extents) : columnsOf(term.extents),
                  range.start, range.end,
                  toValue(b, add(b, source.endFill, b.getIndexAttr(lanes))));
  return source;
}

/// Completes `source` with a table of offsets for the steps.
void ContractionEmitter::addSteps(Scratch &scratch, const Step &step,
                                  PackSource &source) {
  DimGroup steps = stepsOf(step.term.extents);
  source.numSteps = step.length;
  if (contraction.k.size() == 1) {
    source.firstStep = getOffset(b, source.array, steps, step.first);
    source.stepStride = source.array.strides[contraction.k.front()];
    return;
  }
  source.kOffsets = scratch.allocate(kc, b.getIndexType());
  fillOffsetTable(b, source.kOffsets, source.array, steps, step.first,
                  steps.getSize(b), step.length);
}

//===----------------------------------------------------------------------===//
// Packed rows
//===----------------------------------------------------------------------===//

/// Blocks of rows of each segment that are packed at a time: as many as there
/// is room for, at least one.
OpFoldResult ContractionEmitter::countPackedBlocks() {
  const PanelFormat &format = formatOf(/*isLhs=*/true);
  int64_t bytes = format.elementBytes() * (isLhsShared() ? 1 : segments.size());
  OpFoldResult block =
      mul(b, mul(b, blockSize, b.getIndexAttr(bytes)), spanSteps);
  return max(b, div(b, packedBytes, block), b.getIndexAttr(1));
}

/// Blocks of the segment's rows from `firstRow` on, of those that are packed.
OpFoldResult ContractionEmitter::countRowBlocks(const Segment &segment,
                                                Value firstRow) {
  Value end = rowsOf(segment.terms.front().extents).getSize(b);
  Value rest = toValue(b, sub(b, end, min(b, firstRow, end)));
  return min(b, ceilDiv(b, rest, OpFoldResult(blockRows)), countPackedBlocks());
}

void ContractionEmitter::emit() {
  ArrayRef<int64_t> fewRows = tile.getFewRows();
  if (!canTakeFewRows())
    fewRows = {};
  // Few rows are one block.
  blockRows = constant(b, mc);
  emitFewRowsOr(fewRows, [&] { emitPacked(); });
}

/// The most that `count` says of a segment, but at least `least`.
Value ContractionEmitter::getMost(
    int64_t least, llvm::function_ref<OpFoldResult(const Segment &)> count) {
  OpFoldResult most = b.getIndexAttr(least);
  for (const Segment &segment : segments)
    most = max(b, most, count(segment));
  return toValue(b, most);
}

/// Rows of the segment that has most.
Value ContractionEmitter::getMaxRows() {
  return getMost(0, [&](const Segment &segment) {
    return rowsOf(segment.terms.front().extents).getSize(b);
  });
}

/// For as many rows as `packed_bytes` hold at a time: packs them, and computes
/// what they contribute to.
void ContractionEmitter::emitPacked() {
  Scratch scratch(b);
  numSteps =
      getMost(1, [&](const Segment &segment) { return countSteps(segment); });
  planSpans();
  OpFoldResult slots = b.getIndexAttr(0);
  for (const Segment &segment : segments) {
    if (!isLhsShared() || &segment == &segments.front())
      slots = add(b, slots, countRowBlocks(segment, constant(b, 0)));
  }
  const PanelFormat &format = formatOf(/*isLhs=*/true);
  OpFoldResult size = mul(b, mul(b, slots, spanSteps), blockSize);
  packed = scratch.allocate(size, format.elementType);
  if (segments.front().lhsSum)
    lhsParts = scratch.allocate(
        mul(b, mul(b, slots, spanSteps), countLhsPart()), sumType);

  auto loop = scf::ForOp::create(
      b, constant(b, 0), getMaxRows(),
      toValue(b, mul(b, countPackedBlocks(), OpFoldResult(blockRows))));
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(loop.getBody()->getTerminator());
  emitSpans(loop.getInductionVar());
  b.setInsertionPointAfter(loop);
}

/// What packing an element takes, in multiply-adds.
static constexpr int64_t kPackingWork = 16;

void ContractionEmitter::emitTasks(OpFoldResult count, OpFoldResult work,
                                   llvm::function_ref<void(Value)> emitTask) {
  Value numBlocks = toValue(b, count);
  // One at least: a sum of nothing is to be stored too.
  OpFoldResult enough =
      ceilDiv(b, add(b, work, b.getIndexAttr(1)), minTaskWork);
  Value numTasks = toValue(b, min(b, count, enough));
  auto tasks =
      scf::ParallelOp::create(b, constant(b, 0), numTasks, constant(b, 1));
  tasks->setAttr(BoostrDialect::getGrainAttrName(), b.getI64IntegerAttr(1));
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(tasks.getBody()->getTerminator());
  auto loop = scf::ForOp::create(b, tasks.getInductionVars().front(), numBlocks,
                                 numTasks);
  b.setInsertionPoint(loop.getBody()->getTerminator());
  emitTask(loop.getInductionVar());
}

OpFoldResult ContractionEmitter::countWork(bool isProduct) {
  OpFoldResult work = b.getIndexAttr(0);
  for (const Segment &segment : segments)
    for (const Term &term : segment.terms) {
      OpFoldResult perRow = stepsOf(term.extents).getSize(b);
      perRow = mul(b, perRow,
                   isProduct ? OpFoldResult(columnsOf(term.extents).getSize(b))
                             : b.getIndexAttr(kPackingWork));
      work = add(b, work, mul(b, perRow, rowsOf(term.extents).getSize(b)));
    }
  return work;
}

/// Packs rows of lhs from `firstRow` on, and computes what they contribute to.
/// `products` are numbered already where there are spans.
void ContractionEmitter::emitRows(Value firstRow,
                                  const NumberedBlocks *products) {
  auto countRows = [&](const Segment &segment) {
    return countRowBlocks(segment, firstRow);
  };
  ArrayRef<Segment> packedSegments = segments;
  NumberedBlocks packs(
      b, isLhsShared() ? packedSegments.take_front() : packedSegments,
      countRows, [&](const Segment &segment) {
        auto [begin, end] = getSpanSteps(segment);
        return mul(b, sub(b, end, begin), b.getIndexAttr(countParts()));
      });
  emitTasks(packs.getCount(), countWork(/*isProduct=*/false),
            [&](Value task) { packLhs(selectBlock(packs, firstRow, task)); });
  if (segments.front().lhsSum)
    emitLhsSums(firstRow);
  if (!segments.front().product)
    return;
  SmallVector<int64_t> fewRows = getRowsByColumns();
  auto emitMore = [&] {
    emitFewStepsOr(firstRow, [&] {
      emitProducts(products ? *products : numberProducts(firstRow), firstRow);
    });
  };
  if (fewRows.empty())
    return emitMore();
  ifElse(
      b, areFewRowsByColumns(fewRows), [&] { emitRowsByColumns(fewRows); },
      emitMore);
}

/// Adds up the packed rows of lhs.
void ContractionEmitter::emitLhsSums(Value firstRow) {
  NumberedBlocks sums(
      b, segments,
      [&](const Segment &segment) { return countRowBlocks(segment, firstRow); },
      [&](const Segment &) -> OpFoldResult { return b.getIndexAttr(1); });
  OpFoldResult count = sums.getCount();
  // Once, whatever blocks of results the steps are packed for.
  if (span)
    count = select(b, isZero(span->firstBlock), count, b.getIndexAttr(0));
  emitTasks(count, countWork(/*isProduct=*/false),
            [&](Value task) { sumLhs(selectBlock(sums, firstRow, task)); });
}

/// What blocks of columns are cut into: whole panels and whole vectors, so that
/// no work is for columns that are not there. Nothing if blocks are cut
/// already, as those of a packed weight are.
std::optional<int64_t> ContractionEmitter::getColumnUnit() const {
  int64_t unit = std::lcm(formatOf(/*isLhs=*/false).width, lanes);
  if (rhsLayout || nc % unit != 0)
    return std::nullopt;
  return unit;
}

/// What the busiest of `numThreads` does if blocks have `width` columns, in
/// columns of a block of rows. A block costs something itself: rows of lhs are
/// read for each.
OpFoldResult ContractionEmitter::getLargestShare(Value firstRow,
                                                 Value numThreads,
                                                 Value width) {
  constexpr int64_t kBlockColumns = 16;
  OpFoldResult blocks = b.getIndexAttr(0);
  for (const Segment &segment : segments) {
    Value columns = columnsOf(segment.terms.front().extents).getSize(b);
    Value columnBlocks = arith::CeilDivUIOp::create(b, columns, width);
    blocks =
        add(b, blocks, mul(b, countRowBlocks(segment, firstRow), columnBlocks));
  }
  Value rounds = arith::CeilDivUIOp::create(b, toValue(b, blocks), numThreads);
  return mul(b, rounds, add(b, width, b.getIndexAttr(kBlockColumns)));
}

/// False for what is known to be too little for two tasks.
bool ContractionEmitter::isShared() {
  std::optional<int64_t> work =
      getConstantIntValue(countWork(/*isProduct=*/true));
  return !work || *work >= minTaskWork;
}

/// How many columns the widest blocks are to have: such that the busiest thread
/// has least to do, and as many as can be.
Value ContractionEmitter::chooseWidth(Value firstRow) {
  std::optional<int64_t> unit = getColumnUnit();
  if (!unit || nc == *unit || !isShared())
    return constant(b, nc);
  Value numThreads = getNumThreads(b);
  Value widest = constant(b, nc);
  Value share = toValue(b, getLargestShare(firstRow, numThreads, widest));
  auto loop = scf::ForOp::create(b, constant(b, 1), constant(b, nc / *unit),
                                 constant(b, 1), ValueRange{widest, share});
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  Value less =
      toValue(b, mul(b, loop.getInductionVar(), b.getIndexAttr(*unit)));
  Value width = arith::SubIOp::create(b, widest, less);
  Value best = loop.getRegionIterArgs()[0], least = loop.getRegionIterArgs()[1];
  share = toValue(b, getLargestShare(firstRow, numThreads, width));
  Value isLess =
      arith::CmpIOp::create(b, arith::CmpIPredicate::ult, share, least);
  scf::YieldOp::create(
      b, ValueRange{arith::SelectOp::create(b, isLess, width, best),
                    arith::SelectOp::create(b, isLess, share, least)});
  return loop.getResult(0);
}

/// Blocks of the results that the packed rows contribute to.
NumberedBlocks ContractionEmitter::numberProducts(Value firstRow) {
  Value width = chooseWidth(firstRow);
  return NumberedBlocks(
      b, segments,
      [&](const Segment &segment) { return countRowBlocks(segment, firstRow); },
      [&](const Segment &segment) {
        return ceilDiv(b, columnsOf(segment.terms.front().extents).getSize(b),
                       OpFoldResult(width));
      });
}

/// Computes these blocks, or those whose turn it is.
void ContractionEmitter::emitProducts(const NumberedBlocks &products,
                                      Value firstRow) {
  OpFoldResult first = b.getIndexAttr(0), end = products.getCount();
  if (span)
    std::tie(first, end) = std::tuple(span->firstBlock, span->endBlock);
  if (takesRuns())
    return emitRuns(products, firstRow, first, end);
  emitTasks(sub(b, end, first), countWork(/*isProduct=*/true), [&](Value task) {
    Value number = toValue(b, add(b, first, task));
    computeBlock(selectBlock(products, firstRow, number));
  });
}

/// True if tasks take runs of blocks: where they pack rhs as columns, and with
/// AMX, which copying takes a fifth of the time of, also as rows, unless packed
/// rows of lhs are to stay in the cache from task to task.
bool ContractionEmitter::takesRuns() const {
  return !rhsLayout && (!isTransposed || (tile.getKernel() == CpuKernel::Amx &&
                                          !keepsPackedColumns()));
}

/// Panels that a block has of rhs for a block of steps.
int64_t ContractionEmitter::countPanelsOfSteps() const {
  return formatOf(/*isLhs=*/false).countPanels(nc);
}

/// What packed columns may take to be kept from block to block. It is more than
/// the second-level cache: they come from the third faster than they are
/// packed.
static constexpr int64_t kMaxKeptBytes = int64_t(4) << 20;
/// Runs of blocks that there should be for each thread.
static constexpr int64_t kMinRuns = 2;

/// How many blocks, which have the same columns and other rows, a task computes
/// one after the other, so that columns are packed once for them: as many as
/// leave enough tasks for threads to share, if there is room for all steps.
Value ContractionEmitter::chooseRun(OpFoldResult numBlocks, Value firstRow) {
  Value one = constant(b, 1);
  if (!isShared())
    return one;
  Value numRuns =
      toValue(b, mul(b, getNumThreads(b), b.getIndexAttr(kMinRuns)));
  Value run = arith::DivUIOp::create(b, toValue(b, numBlocks), numRuns);
  Value rowBlocks = getMost(1, [&](const Segment &segment) {
    return countRowBlocks(segment, firstRow);
  });
  run =
      arith::MaxUIOp::create(b, arith::MinUIOp::create(b, run, rowBlocks), one);
  const PanelFormat &format = formatOf(/*isLhs=*/false);
  int64_t blockBytes =
      countPanelsOfSteps() * format.size() * format.elementBytes();
  Value fits =
      arith::CmpIOp::create(b, arith::CmpIPredicate::ule, toValue(b, spanSteps),
                            constant(b, kMaxKeptBytes / blockBytes));
  return arith::SelectOp::create(b, fits, run, one);
}

/// Computes blocks [`firstBlock`, `endBlock`), for which tasks pack rhs.
void ContractionEmitter::emitRuns(const NumberedBlocks &products,
                                  Value firstRow, OpFoldResult firstBlock,
                                  OpFoldResult endBlock) {
  OpFoldResult numBlocks = sub(b, endBlock, firstBlock);
  Value run = chooseRun(numBlocks, firstRow);
  // Two blocks of steps take turns, or a panel of rows the place of the last,
  // unless they are kept.
  Value isKept =
      arith::CmpIOp::create(b, arith::CmpIPredicate::ugt, run, constant(b, 1));
  const PanelFormat &format = formatOf(/*isLhs=*/false);
  int64_t panels = countPanelsOfSteps();
  OpFoldResult all =
      mul(b, spanSteps, b.getIndexAttr(isTransposed ? panels : 1));
  numColumnBuffers = arith::SelectOp::create(b, isKept, toValue(b, all),
                                             constant(b, isTransposed ? 1 : 2));
  OpFoldResult numRuns = ceilDiv(b, numBlocks, OpFoldResult(run));
  emitTasks(numRuns, countWork(/*isProduct=*/true), [&](Value task) {
    Scratch scratch(b);
    OpFoldResult size =
        mul(b, numColumnBuffers,
            b.getIndexAttr((isTransposed ? 1 : panels) * format.size()));
    Value memory = scratch.allocate(size, format.elementType);
    Value first = toValue(b, add(b, firstBlock, mul(b, task, run)));
    Value end = toValue(b, min(b, add(b, first, run), endBlock));
    forLoop(b, first, end, [&](Value number) {
      Block block = selectBlock(products, firstRow, number);
      auto isNot = [&](Value x, Value y) -> Value {
        return arith::CmpIOp::create(b, arith::CmpIPredicate::ne, x, y);
      };
      block.columnPanels = memory;
      block.hasColumns = arith::AndIOp::create(
          b, isNot(number, first), isNot(block.rowBlock, constant(b, 0)));
      computeBlock(block);
    });
  });
}

ContractionEmitter::Block
ContractionEmitter::selectBlock(const NumberedBlocks &blocks, Value firstRow,
                                Value task) {
  std::pair<Segment, SegmentGrid> selected = blocks.select(b, task);
  const SegmentGrid &grid = selected.second;
  Value local = toValue(b, sub(b, task, grid.first));
  // Neighbouring tasks share columns, which are the rows of a weight; or rows,
  // if what is packed of them stays in the cache.
  bool sharesRows = keepsPackedColumns();
  Value inner = toValue(b, sharesRows ? grid.columnBlocks : grid.rowBlocks);
  Block block;
  block.number = task;
  Value rowBlock = arith::RemUIOp::create(b, local, inner);
  block.other = arith::DivUIOp::create(b, local, inner);
  if (sharesRows)
    std::swap(rowBlock, block.other);
  block.columnBlocks = grid.columnBlocks;
  block.rowBlock = rowBlock;
  block.packedRows = isLhsShared()
                         ? rowBlock
                         : toValue(b, add(b, grid.firstRowBlock, rowBlock));
  block.segment = std::move(selected.first);
  block.rows = getRange(rowBlock, blockRows, firstRow,
                        rowsOf(block.segment.terms.front().extents).getSize(b));
  return block;
}

/// Where the packed rows of the block lie for a block of steps.
Value ContractionEmitter::getPackedBlock(const Block &block, Value step) {
  OpFoldResult inSpan = span ? sub(b, step, span->first) : OpFoldResult(step);
  OpFoldResult number = add(b, mul(b, block.packedRows, spanSteps), inSpan);
  return toValue(b, mul(b, number, blockSize));
}

/// Rows that are packed by one task: a part of a block, so that there are tasks
/// for all threads where there are few blocks; whole panels and whole vectors.
int64_t ContractionEmitter::getPartRows() const {
  constexpr int64_t kParts = 4;
  return llvm::alignTo(llvm::divideCeil(mc, kParts),
                       std::lcm(formatOf(/*isLhs=*/true).width, lanes));
}

int64_t ContractionEmitter::countParts() const {
  return llvm::divideCeil(mc, getPartRows());
}

/// Packs a part of a block; `block.other` counts the parts of all steps that
/// are packed.
void ContractionEmitter::packLhs(const Block &block) {
  const PanelFormat &format = formatOf(/*isLhs=*/true);
  OpFoldResult part = rem(b, block.other, countParts());
  OpFoldResult inSpan = div(b, block.other, countParts());
  Value number = toValue(b, span ? add(b, span->first, inSpan) : inSpan);
  Value firstRow = toValue(b, mul(b, part, b.getIndexAttr(getPartRows())));
  auto pack = [&] {
    Scratch scratch(b);
    Step step = selectStep(block.segment, number);
    Range rows = block.rows;
    rows.start = toValue(b, add(b, rows.start, firstRow));
    rows.length = toValue(b, min(b, sub(b, rows.length, firstRow),
                                 b.getIndexAttr(getPartRows())));
    PackSource source = getRows(scratch, /*isLhs=*/true, step.term, rows);
    addSteps(scratch, step, source);
    Value place = toValue(b, add(b, getPackedBlock(block, number),
                                 format.getOffset(b, firstRow)));
    if (block.segment.lhsSum) {
      source.rowSums = lhsParts;
      source.firstSum = getLhsPart(block, number, firstRow);
    }
    packPanels(b, source, format, packed, place);
  };
  if (countParts() == 1)
    return pack();
  Value exists = arith::CmpIOp::create(b, arith::CmpIPredicate::ult, firstRow,
                                       block.rows.length);
  ifElse(b, exists, pack);
}

/// An element of packed lhs: step `k` of the row that begins at `row` of the
/// block of steps at `block`.
Value ContractionEmitter::loadLhs(ImplicitLocOpBuilder &body, Value block,
                                  Value row, Value k) {
  const PanelFormat &format = rowFormat;
  OpFoldResult chunks = mul(body, div(body, k, format.chunk()),
                            body.getIndexAttr(format.chunkStride()));
  OpFoldResult place = add(body, add(body, block, row),
                           add(body, chunks, rem(body, k, format.chunk())));
  Value element = memref::LoadOp::create(body, packed, toValue(body, place));
  return convertFloat(body, element, sumType);
}

/// Sums of rows that there is room for with each block of steps: panels may be
/// filled with more rows than there are.
OpFoldResult ContractionEmitter::countLhsPart() {
  return add(b, blockRows, b.getIndexAttr(rowFormat.width + lanes));
}

/// Where the part of the sum of packed row `row` of the block lies that its
/// steps of block `number` of them add up to.
Value ContractionEmitter::getLhsPart(const Block &block, Value number,
                                     OpFoldResult row) {
  OpFoldResult inSpan =
      span ? sub(b, number, span->first) : OpFoldResult(number);
  OpFoldResult part = add(b, mul(b, block.packedRows, spanSteps), inSpan);
  return toValue(b, add(b, mul(b, part, countLhsPart()), row));
}

/// Adds up the parts of the sums of the block's packed rows, in the order of
/// steps, and stores the sums as a block of one column.
void ContractionEmitter::sumLhs(const Block &block) {
  Scratch scratch(b);
  Value sums = scratch.allocate(mc, sumType);
  Value zero = arith::ConstantOp::create(b, b.getZeroAttr(sumType));
  forLoop(b, block.rows.length, [&](Value row) {
    auto [begin, end] = getSpanSteps(block.segment);
    auto loop = scf::ForOp::create(b, begin, end, constant(b, 1),
                                   loadLhsSum(block, row, zero));
    {
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPointToStart(loop.getBody());
      Value part = memref::LoadOp::create(
          b, lhsParts, getLhsPart(block, loop.getInductionVar(), row));
      scf::YieldOp::create(
          b, arith::AddFOp::create(b, loop.getRegionIterArgs().front(), part)
                 .getResult());
    }
    saveLhsSum(block, row, loop.getResult(0), [&] {
      memref::StoreOp::create(b, loop.getResult(0), sums, row);
    });
  });

  Epilogue epilogue;
  epilogue.sums = {sums, mc, 1, 1};
  epilogue.isTransposed = false;
  epilogue.isContiguous = false;
  ifLastSpan([&] {
    store(*block.segment.lhsSum, epilogue, block.segment.terms.front().extents,
          {block.rows, mc}, std::nullopt);
  });
}

//===----------------------------------------------------------------------===//
// Results
//===----------------------------------------------------------------------===//

/// Fills in where the arrays lie.
void ContractionEmitter::addArrays(Scratch &scratch, const Output &output,
                                   const Extents &extents,
                                   const BoundedRange &rows,
                                   std::optional<BoundedRange> columns,
                                   Epilogue &epilogue) {
  auto createTable = [&](const StridedArray &array, const DimGroup &group,
                         const BoundedRange &range) {
    Value table = scratch.allocate(range.maxLength, b.getIndexType());
    fillOffsetTable(b, table, array, group, range.range.start, range.range.end,
                    range.range.length);
    return table;
  };
  auto getArray = [&](const StridedArray &array) {
    EpilogueArray result{array, {}, {}};
    if (array.hasAny(contraction.m))
      result.rowOffsets = createTable(array, rowsOf(extents), rows);
    if (columns && array.hasAny(contraction.n))
      result.columnOffsets = createTable(array, columnsOf(extents), *columns);
    return result;
  };
  epilogue.result = getArray(output.result);
  for (const StridedArray &addend : output.addends)
    epilogue.addends.push_back(getArray(addend));
  epilogue.numRows = rows.range.length;
  epilogue.numColumns = columns ? columns->range.length : constant(b, 1);
  epilogue.lanes = lanes;
}

/// Emits the way out of a block.
void ContractionEmitter::store(const Output &output, Epilogue epilogue,
                               const Extents &extents, const BoundedRange &rows,
                               std::optional<BoundedRange> columns) {
  Scratch scratch(b);
  addArrays(scratch, output, extents, rows, columns, epilogue);
  storeBlock(b, epilogue, constant(b, 0), epilogue.numRows);
}
