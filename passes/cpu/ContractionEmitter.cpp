// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "boostr/passes/cpu/ContractionEmitter.h"
#include "boostr/passes/cpu/IndexMath.h"
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

void ContractionEmitter::prefetch(Value memory, OpFoldResult first,
                                  OpFoldResult count) {
  forLoop(
      b, count,
      [&](Value i) {
        memref::PrefetchOp::create(b, memory,
                                   ValueRange{toValue(b, add(b, first, i))},
                                   /*isWrite=*/false, /*localityHint=*/2,
                                   /*isDataCache=*/true);
      },
      /*step=*/getLineElements(getElementTypeOrSelf(memory)));
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
  bool isAmx = tile.getKernel() == CpuKernel::Amx;
  Type panelType = isAmx ? type : sumType;
  int64_t stepsPerLane = isAmx ? 2 : 1;
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

bool ContractionEmitter::isEpilogueContiguous() const {
  for (const Segment &segment : segments) {
    if (!segment.product)
      continue;
    DimGroup columns = columnsOf(segment.terms.front().extents);
    auto isContiguous = [&](const StridedArray &array) {
      return !array.hasAny(contraction.n) ||
             isContiguousInChunks(array, columns, lanes);
    };
    if (!isContiguous(segment.product->result) ||
        !llvm::all_of(segment.product->addends, isContiguous))
      return false;
  }
  return true;
}

/// True if columns of the result, in blocks of `block`, are whole vectors.
bool ContractionEmitter::hasWholeVectors(int64_t block) const {
  unsigned inner = contraction.n.back();
  return block % lanes == 0 &&
         llvm::all_of(segments, [&](const Segment &segment) {
           std::optional<int64_t> extent =
               getConstantIntValue(segment.terms.front().extents[inner]);
           return extent && *extent % lanes == 0;
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

//===----------------------------------------------------------------------===//
// Blocks and steps
//===----------------------------------------------------------------------===//

ContractionEmitter::Range ContractionEmitter::getRange(Value number,
                                                       int64_t size,
                                                       Value first, Value end) {
  Value start = toValue(b, add(b, first, mul(b, number, b.getIndexAttr(size))));
  Value length = toValue(b, min(b, sub(b, end, start), b.getIndexAttr(size)));
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

/// Blocks of rows of each segment that are packed at a time: as many as
/// `packed_bytes` hold, at least one.
OpFoldResult ContractionEmitter::countPackedBlocks() {
  const PanelFormat &format = formatOf(/*isLhs=*/true);
  int64_t bytes =
      format.countPanels(mc) * format.size() *
      llvm::divideCeil(format.elementType.getIntOrFloatBitWidth(), 8u) *
      (isLhsShared() ? 1 : segments.size());
  int64_t steps = std::max<int64_t>(tile.getPackedBytes() / bytes, 1);
  Value blocks =
      arith::DivUIOp::create(b, constant(b, steps), toValue(b, numSteps));
  return arith::MaxUIOp::create(b, blocks, constant(b, 1)).getResult();
}

/// Blocks of the segment's rows from `firstRow` on, of those that are packed.
OpFoldResult ContractionEmitter::countRowBlocks(const Segment &segment,
                                                Value firstRow) {
  Value end = rowsOf(segment.terms.front().extents).getSize(b);
  Value rest = toValue(b, sub(b, end, min(b, firstRow, end)));
  return min(b, ceilDiv(b, rest, mc), countPackedBlocks());
}

void ContractionEmitter::emit() {
  ArrayRef<int64_t> fewRows = tile.getFewRows();
  if (!canTakeFewRows())
    fewRows = {};
  emitFewRowsOr(fewRows, [&] { emitPacked(); });
}

/// Rows of the segment that has most.
Value ContractionEmitter::getMaxRows() {
  Value maxRows = constant(b, 0);
  for (const Segment &segment : segments)
    maxRows = arith::MaxUIOp::create(
        b, maxRows, rowsOf(segment.terms.front().extents).getSize(b));
  return maxRows;
}

/// For as many rows as `packed_bytes` hold at a time: packs them, and computes
/// what they contribute to.
void ContractionEmitter::emitPacked() {
  Scratch scratch(b);
  numSteps = b.getIndexAttr(1);
  for (const Segment &segment : segments)
    numSteps = arith::MaxUIOp::create(b, toValue(b, numSteps),
                                      toValue(b, countSteps(segment)))
                   .getResult();
  OpFoldResult slots = b.getIndexAttr(0);
  for (const Segment &segment : segments) {
    if (!isLhsShared() || &segment == &segments.front())
      slots = add(b, slots, countRowBlocks(segment, constant(b, 0)));
  }
  const PanelFormat &format = formatOf(/*isLhs=*/true);
  OpFoldResult size =
      mul(b, mul(b, slots, numSteps),
          b.getIndexAttr(format.countPanels(mc) * format.size()));
  packed = scratch.allocate(size, format.elementType);

  auto loop = scf::ForOp::create(
      b, constant(b, 0), getMaxRows(),
      toValue(b, mul(b, countPackedBlocks(), b.getIndexAttr(mc))));
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(loop.getBody()->getTerminator());
  emitRows(loop.getInductionVar());
  b.setInsertionPointAfter(loop);
}

/// What packing an element takes, in multiply-adds.
static constexpr int64_t kPackingWork = 16;

void ContractionEmitter::emitTasks(const NumberedBlocks &blocks,
                                   OpFoldResult work,
                                   llvm::function_ref<void(Value)> emitTask) {
  Value numBlocks = toValue(b, blocks.getCount());
  // One at least: a sum of nothing is to be stored too.
  OpFoldResult enough =
      ceilDiv(b, add(b, work, b.getIndexAttr(1)), minTaskWork);
  Value numTasks = toValue(b, min(b, blocks.getCount(), enough));
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
void ContractionEmitter::emitRows(Value firstRow) {
  auto countRows = [&](const Segment &segment) {
    return countRowBlocks(segment, firstRow);
  };
  auto countOne = [&](const Segment &) -> OpFoldResult {
    return b.getIndexAttr(1);
  };
  ArrayRef<Segment> packedSegments = segments;
  NumberedBlocks packs(
      b, isLhsShared() ? packedSegments.take_front() : packedSegments,
      countRows, [&](const Segment &segment) {
        return mul(b, countSteps(segment), b.getIndexAttr(countParts()));
      });
  emitTasks(packs, countWork(/*isProduct=*/false),
            [&](Value task) { packLhs(selectBlock(packs, firstRow, task)); });
  if (segments.front().lhsSum) {
    NumberedBlocks sums(b, segments, countRows, countOne);
    emitTasks(sums, countWork(/*isProduct=*/false),
              [&](Value task) { sumLhs(selectBlock(sums, firstRow, task)); });
  }
  if (segments.front().product) {
    NumberedBlocks products(
        b, segments, countRows, [&](const Segment &segment) {
          return ceilDiv(b, columnsOf(segment.terms.front().extents).getSize(b),
                         nc);
        });
    emitTasks(products, countWork(/*isProduct=*/true), [&](Value task) {
      computeBlock(selectBlock(products, firstRow, task));
    });
  }
}

ContractionEmitter::Block
ContractionEmitter::selectBlock(const NumberedBlocks &blocks, Value firstRow,
                                Value task) {
  std::pair<Segment, SegmentGrid> selected = blocks.select(b, task);
  const SegmentGrid &grid = selected.second;
  Value local = toValue(b, sub(b, task, grid.first));
  // Neighbouring tasks share columns, which are the rows of a weight.
  Value rowBlocks = toValue(b, grid.rowBlocks);
  Block block;
  Value rowBlock = arith::RemUIOp::create(b, local, rowBlocks);
  block.other = arith::DivUIOp::create(b, local, rowBlocks);
  block.packedRows = isLhsShared()
                         ? rowBlock
                         : toValue(b, add(b, grid.firstRowBlock, rowBlock));
  block.segment = std::move(selected.first);
  block.rows = getRange(rowBlock, mc, firstRow,
                        rowsOf(block.segment.terms.front().extents).getSize(b));
  return block;
}

/// Where the packed rows of the block lie for a block of steps.
Value ContractionEmitter::getPackedBlock(const Block &block, Value step) {
  const PanelFormat &format = formatOf(/*isLhs=*/true);
  OpFoldResult number = add(b, mul(b, block.packedRows, numSteps), step);
  return toValue(
      b,
      mul(b, number, b.getIndexAttr(format.countPanels(mc) * format.size())));
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

/// Packs a part of a block; `block.other` counts the parts of all its steps.
void ContractionEmitter::packLhs(const Block &block) {
  const PanelFormat &format = formatOf(/*isLhs=*/true);
  OpFoldResult part = rem(b, block.other, countParts());
  Value number = toValue(b, div(b, block.other, countParts()));
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
    packPanels(b, source, format, packed, place);
  };
  if (countParts() == 1)
    return pack();
  Value exists = arith::CmpIOp::create(b, arith::CmpIPredicate::ult, firstRow,
                                       block.rows.length);
  ifElse(b, exists, pack);
}

/// Adds up the packed rows of the block, and stores their sums as a block of
/// one column.
void ContractionEmitter::sumLhs(const Block &block) {
  Scratch scratch(b);
  const PanelFormat &format = rowFormat;
  Value sums = scratch.allocate(mc, sumType);
  auto type = VectorType::get({format.chunk()}, sumType);
  Value zeros = arith::ConstantOp::create(
      b, DenseElementsAttr::get(type, b.getZeroAttr(sumType)));
  auto addChunks = [&](Value row, Value number, Value sum) -> Value {
    Step step = selectStep(block.segment, number);
    Value place = toValue(
        b, add(b, getPackedBlock(block, number), format.getOffset(b, row)));
    Value numChunks = toValue(b, ceilDiv(b, step.length, format.chunk()));
    auto loop =
        scf::ForOp::create(b, constant(b, 0), numChunks, constant(b, 1), sum);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(loop.getBody());
    OpFoldResult chunk =
        mul(b, loop.getInductionVar(), b.getIndexAttr(format.chunkStride()));
    Value elements = vector::LoadOp::create(
        b, VectorType::get({format.chunk()}, format.elementType), packed,
        ValueRange{toValue(b, add(b, place, chunk))});
    Value next = arith::AddFOp::create(b, loop.getRegionIterArgs().front(),
                                       convertFloat(b, elements, sumType));
    scf::YieldOp::create(b, next);
    return loop.getResult(0);
  };
  forLoop(b, block.rows.length, [&](Value row) {
    auto loop = scf::ForOp::create(b, constant(b, 0),
                                   toValue(b, countSteps(block.segment)),
                                   constant(b, 1), zeros);
    {
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPointToStart(loop.getBody());
      scf::YieldOp::create(b, addChunks(row, loop.getInductionVar(),
                                        loop.getRegionIterArgs().front()));
    }
    memref::StoreOp::create(b, addLanes(loop.getResult(0)), sums, row);
  });

  Epilogue epilogue;
  epilogue.sums = {sums, mc, 1, 1};
  epilogue.isTransposed = false;
  epilogue.isContiguous = false;
  store(*block.segment.lhsSum, epilogue, block.segment.terms.front().extents,
        {block.rows, mc}, std::nullopt);
}

//===----------------------------------------------------------------------===//
// Blocks of a result
//===----------------------------------------------------------------------===//

SumBlock ContractionEmitter::allocateSums(Scratch &scratch, const Range &rows,
                                          const Range &columns) {
  int64_t height = isTransposed ? nc : mc, width = isTransposed ? mc : nc;
  SumBlock sums;
  sums.rows = rowFormat.width;
  sums.columns = columnFormat.width;
  sums.tilesPerRow = llvm::divideCeil(width, sums.columns);
  int64_t rowSize = sums.tilesPerRow * sums.tileSize();
  sums.memory =
      scratch.allocate(llvm::divideCeil(height, sums.rows) * rowSize, sumType);
  Value used = isTransposed ? columns.length : rows.length;
  fillZero(sums.memory, toValue(b, mul(b, ceilDiv(b, used, sums.rows),
                                       b.getIndexAttr(rowSize))));
  return sums;
}

void ContractionEmitter::computeBlock(const Block &block) {
  Scratch scratch(b);
  const Extents &extents = block.segment.terms.front().extents;
  Range columns =
      getRange(block.other, nc, constant(b, 0), columnsOf(extents).getSize(b));
  Epilogue epilogue;
  epilogue.sums = allocateSums(scratch, block.rows, columns);
  epilogue.isTransposed = isTransposed;
  epilogue.isContiguous = isEpilogueContiguous();
  epilogue.isWhole = hasWholeVectors(nc);
  accumulate(block, columns, epilogue.sums);
  store(*block.segment.product, epilogue, extents, {block.rows, mc},
        BoundedRange{columns, nc});
}

/// Multiplies rhs, packed for some steps at a time, with the packed rows.
void ContractionEmitter::accumulate(const Block &block, const Range &columns,
                                    const SumBlock &sums) {
  if (rhsLayout)
    return accumulatePacked(block, columns, sums);
  Scratch scratch(b);
  const PanelFormat &format = formatOf(/*isLhs=*/false);
  // A panel of rows is packed when it is multiplied, while it is in the
  // first-level cache; columns pass by for every panel of rows.
  int64_t packedColumns = isTransposed ? format.width : nc;
  RhsBuffer rhs;
  rhs.panels = scratch.allocate(
      format.countPanels(packedColumns) * format.size(), format.elementType);
  if (block.segment.terms.size() == 1)
    rhs.rows =
        getRows(scratch, /*isLhs=*/false, block.segment.terms.front(), columns);
  Value count = toValue(b, countSteps(block.segment));
  if (!isTransposed) {
    Value last = toValue(b, sub(b, count, b.getIndexAttr(1)));
    forLoop(b, count, [&](Value number) {
      Value next = toValue(b, min(b, add(b, number, b.getIndexAttr(1)), last));
      multiplyColumns(block, columns, sums, rhs, number, next);
    });
    return;
  }
  Value numPanels = toValue(b, ceilDiv(b, columns.length, rowFormat.width));
  OpFoldResult together = countStepsTogether(block);
  auto multiplyGroup = [&](Value first) {
    Value end = toValue(b, min(b, add(b, first, together), count));
    StepGroup group = {first, end, numPanels};
    forLoop(b, numPanels, [&](Value panel) {
      forLoop(b, group.first, group.end, [&](Value number) {
        multiplyRows(block, columns, sums, rhs, group, panel, number);
      });
    });
  };
  forLoop(b, b.getIndexAttr(0), count, multiplyGroup, together);
}

/// How many blocks of steps a panel of rows is multiplied for before the next:
/// as many as `cached_bytes` hold the packed columns of.
OpFoldResult ContractionEmitter::countStepsTogether(const Block &block) {
  int64_t elementBytes =
      llvm::divideCeil(columnFormat.elementType.getIntOrFloatBitWidth(), 8u);
  int64_t panels = tile.getCachedBytes() / (columnFormat.size() * elementBytes);
  if (panels <= 1)
    return b.getIndexAttr(1);
  Value used = toValue(b, ceilDiv(b, block.rows.length, columnFormat.width));
  Value fitting = arith::DivUIOp::create(b, constant(b, panels), used);
  return arith::MaxUIOp::create(b, fitting, constant(b, 1)).getResult();
}

/// Rhs as it is read for block `number` of steps.
PackSource ContractionEmitter::getRhs(Scratch &scratch, const Block &block,
                                      const Range &columns,
                                      const RhsBuffer &rhs, Value number) {
  Step step = selectStep(block.segment, number);
  PackSource source =
      block.segment.terms.size() == 1
          ? rhs.rows
          : getRows(scratch, /*isLhs=*/false, step.term, columns);
  addSteps(scratch, step, source);
  return source;
}

/// Packs all columns of the block for some steps, and multiplies the packed
/// rows with them. Meanwhile those for the `next` steps are on their way.
void ContractionEmitter::multiplyColumns(const Block &block,
                                         const Range &columns,
                                         const SumBlock &sums,
                                         const RhsBuffer &rhs, Value number,
                                         Value next) {
  Scratch tables(b);
  PackSource source = getRhs(tables, block, columns, rhs, number);
  packPanels(b, source, columnFormat, rhs.panels, constant(b, 0));
  bool isPrefetched =
      source.strategy == PackStrategy::AlongRows && contraction.n.size() == 1;
  Step nextStep = isPrefetched ? selectStep(block.segment, next) : Step();
  RegisterTile registerTile = getRegisterTile(source.numSteps, sums);
  registerTile.rows = packed;
  registerTile.columns = rhs.panels;
  Value lhs = getPackedBlock(block, number);
  Value numRows = toValue(b, ceilDiv(b, block.rows.length, rowFormat.width));
  Value numColumns = toValue(b, ceilDiv(b, columns.length, columnFormat.width));
  forLoop(b, numRows, [&](Value row) {
    registerTile.firstRow = rowFormat.getPanel(b, lhs, row);
    multiplyPanel(registerTile, sums, row, constant(b, 0), numColumns,
                  [](Value) {});
    if (isPrefetched)
      prefetchColumns(nextStep, columns, row, numRows);
  });
}

/// Asks for a share of the columns for `step`, one of `numShares`.
void ContractionEmitter::prefetchColumns(const Step &step, const Range &columns,
                                         Value number, Value numShares) {
  const StridedArray &array = step.term.rhs;
  Value column =
      getOffset(b, array, columnsOf(step.term.extents), columns.start);
  Value share = arith::CeilDivUIOp::create(b, step.length, numShares);
  OpFoldResult first = mul(b, number, share);
  OpFoldResult end = min(b, add(b, first, share), step.length);
  forLoop(b, first, end, [&](Value k) {
    Value row = getOffset(b, array, stepsOf(step.term.extents),
                          toValue(b, add(b, step.first, k)));
    prefetch(array.flat, add(b, row, column), columns.length);
  });
}

/// Packs a panel of rows of rhs for some steps, and multiplies it with the
/// packed columns.
void ContractionEmitter::multiplyRows(const Block &block, const Range &columns,
                                      const SumBlock &sums,
                                      const RhsBuffer &rhs,
                                      const StepGroup &group, Value row,
                                      Value number) {
  Scratch tables(b);
  PackSource source = getRhs(tables, block, columns, rhs, number);
  PackSource panel = source;
  panel.firstRow = toValue(b, mul(b, row, b.getIndexAttr(rowFormat.width)));
  panel.endFill =
      toValue(b, add(b, panel.firstRow, b.getIndexAttr(rowFormat.width)));
  packPanels(b, panel, rowFormat, rhs.panels, constant(b, 0));
  RegisterTile registerTile = getRegisterTile(source.numSteps, sums);
  registerTile.rows = rhs.panels;
  registerTile.columns = packed;
  registerTile.firstRow = constant(b, 0);
  Value lhs = getPackedBlock(block, number);
  Value numColumns =
      toValue(b, ceilDiv(b, block.rows.length, columnFormat.width));
  multiplyPanel(registerTile, sums, row, lhs, numColumns, [&](Value column) {
    prefetchPanel(source, group, row, number, column, numColumns);
  });
}

RegisterTile ContractionEmitter::getRegisterTile(Value numSteps,
                                                 const SumBlock &sums) {
  RegisterTile registerTile;
  registerTile.rowFormat = rowFormat;
  registerTile.columnFormat = columnFormat;
  registerTile.sums = sums.memory;
  registerTile.numChunks = toValue(b, ceilDiv(b, numSteps, rowFormat.chunk()));
  return registerTile;
}

void ContractionEmitter::multiplyPanel(
    RegisterTile registerTile, const SumBlock &sums, Value row,
    Value firstColumn, Value numColumns,
    llvm::function_ref<void(Value)> afterTile) {
  forLoop(b, numColumns, [&](Value column) {
    registerTile.firstColumn = columnFormat.getPanel(b, firstColumn, column);
    registerTile.firstSum = sums.getTile(b, row, column);
    multiplyTile(b, tile.getKernel(), registerTile);
    afterTile(column);
  });
}

/// Asks for a part of what is packed after panel `row` and block `number` of
/// steps, such that all of it is on its way when the last of `numColumns` tiles
/// is done.
void ContractionEmitter::prefetchPanel(const PackSource &source,
                                       const StepGroup &group, Value row,
                                       Value number, Value column,
                                       Value numColumns) {
  auto isLast = [&](Value index, Value end) -> Value {
    return arith::CmpIOp::create(b, arith::CmpIPredicate::eq,
                                 toValue(b, add(b, index, b.getIndexAttr(1))),
                                 end);
  };
  auto choose = [&](Value condition, Value one, Value other) -> Value {
    return arith::SelectOp::create(b, condition, one, other);
  };
  // The next steps; or the next panel, from the first steps of the group on; or
  // the first panel, with the first steps of the next group.
  Value zero = constant(b, 0), width = constant(b, rowFormat.width);
  Value isLastStep = isLast(number, group.end),
        isLastPanel = isLast(row, group.numPanels);
  Value nextPanel =
      choose(isLastPanel, zero, toValue(b, add(b, row, b.getIndexAttr(1))));
  Value panel = choose(isLastStep, nextPanel, row);
  Value back =
      toValue(b, mul(b, sub(b, group.first, number), b.getIndexAttr(kc)));
  Value isSameGroup =
      choose(isLastPanel, arith::ConstantIntOp::create(b, 0, 1), isLastStep);
  Value steps = choose(isSameGroup, back, constant(b, kc));
  OpFoldResult base = add(b, source.getStepOffset(b, zero), steps);

  Value share = arith::CeilDivUIOp::create(b, width, numColumns);
  Value first = toValue(b, min(b, mul(b, column, share), width));
  Value end = toValue(b, min(b, add(b, first, share), width));
  forLoop(b, first, end, [&](Value i) {
    Value member = toValue(b, add(b, mul(b, panel, width), i));
    Value rowOffset = memref::LoadOp::create(b, source.rowOffsets, member);
    prefetch(source.array.flat, add(b, base, rowOffset), source.numSteps);
  });
}

//===----------------------------------------------------------------------===//
// Results
//===----------------------------------------------------------------------===//

/// Fills in where the arrays lie, and emits the way out of a block.
void ContractionEmitter::store(const Output &output, Epilogue epilogue,
                               const Extents &extents, const BoundedRange &rows,
                               std::optional<BoundedRange> columns) {
  Scratch scratch(b);
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
  storeBlock(b, epilogue);
}
