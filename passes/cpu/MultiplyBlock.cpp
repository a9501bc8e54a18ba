// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A block of a result: what a task computes. Rhs is packed on the way, as the
// side of columns or as that of rows.

#include "boostr/passes/cpu/ContractionEmitter.h"
#include "boostr/passes/cpu/IndexMath.h"
#include "boostr/passes/cpu/RegisterTile.h"
#include "boostr/passes/cpu/Scratch.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace mlir::boostr;
using namespace mlir::boostr::cpu;

//===----------------------------------------------------------------------===//
// Blocks of a result
//===----------------------------------------------------------------------===//

/// Sums of a row of tiles.
int64_t ContractionEmitter::getSumRowSize() const {
  int64_t tiles = llvm::divideCeil(isTransposed ? mc : nc, columnFormat.width);
  return tiles * rowFormat.width * columnFormat.width;
}

SumBlock ContractionEmitter::allocateSums(Scratch &scratch) {
  SumBlock sums;
  sums.rows = rowFormat.width;
  sums.columns = columnFormat.width;
  sums.group = getSumGroup(tile.getKernel(), columnFormat);
  sums.tilesPerRow = getSumRowSize() / sums.tileSize();
  int64_t tileRows = llvm::divideCeil(isTransposed ? nc : mc, sums.rows);
  sums.memory = scratch.allocate(tileRows * getSumRowSize(), sumType);
  return sums;
}

/// The columns of the block, at most `nc`. Blocks that are cut into units have
/// as many as each other, or one less.
ContractionEmitter::Range ContractionEmitter::getColumns(const Block &block) {
  Value end = columnsOf(block.segment.terms.front().extents).getSize(b);
  std::optional<int64_t> unit = getColumnUnit();
  if (!unit)
    return getRange(block.other, nc, constant(b, 0), end);
  OpFoldResult units = ceilDiv(b, end, *unit);
  auto getStart = [&](OpFoldResult number) -> OpFoldResult {
    Value first = arith::DivUIOp::create(b, toValue(b, mul(b, number, units)),
                                         toValue(b, block.columnBlocks));
    return min(b, mul(b, first, b.getIndexAttr(*unit)), end);
  };
  Value start = toValue(b, getStart(block.other));
  OpFoldResult next = getStart(add(b, block.other, b.getIndexAttr(1)));
  return {start, toValue(b, sub(b, next, start)), end};
}

void ContractionEmitter::computeBlock(const Block &block) {
  Scratch scratch(b);
  const Extents &extents = block.segment.terms.front().extents;
  Range columns = getColumns(block);
  Epilogue epilogue;
  epilogue.sums = allocateSums(scratch);
  epilogue.isTransposed = isTransposed;
  epilogue.isContiguous = isEpilogueContiguous();
  epilogue.isWhole = hasWholeVectors(nc);
  epilogue.storesPairs = storesPairs();
  addArrays(scratch, *block.segment.product, extents, {block.rows, mc},
            BoundedRange{columns, nc}, epilogue);
  // Sums of nothing are zero.
  const SumBlock &sums = epilogue.sums;
  Value rows = isTransposed ? columns.length : block.rows.length;
  Value isNothing = arith::CmpIOp::create(b, arith::CmpIPredicate::eq,
                                          toValue(b, countSteps(block.segment)),
                                          constant(b, 0));
  ifElse(b, isNothing, [&] {
    fillZero(sums.memory, toValue(b, mul(b, ceilDiv(b, rows, sums.rows),
                                         b.getIndexAttr(getSumRowSize()))));
  });
  auto copy = [&](bool isLoad) { copySums(block, sums, rows, isLoad); };
  if (span)
    ifElse(b, span->isFirst, [] {}, [&] { copy(/*isLoad=*/true); });
  if (!isTransposed && !rhsLayout) {
    takeTurns(block, columns, epilogue);
    return ifLastSpan([] {}, [&] { copy(/*isLoad=*/false); });
  }
  accumulate(block, columns, epilogue);
  ifLastSpan([&] { storeBlock(b, epilogue, constant(b, 0), epilogue.numRows); },
             [&] { copy(/*isLoad=*/false); });
}

/// `panels` for packed rhs.
ContractionEmitter::RhsBuffer
ContractionEmitter::getRhsBuffer(Scratch &scratch, const Block &block,
                                 const Range &columns, Value panels) {
  RhsBuffer rhs;
  rhs.panels = panels;
  if (block.segment.terms.size() == 1)
    rhs.rows =
        getRows(scratch, /*isLhs=*/false, block.segment.terms.front(), columns);
  return rhs;
}

//===----------------------------------------------------------------------===//
// Rhs as the side of columns
//===----------------------------------------------------------------------===//

/// Rhs is packed for a block of steps while that before is multiplied, a share
/// for each panel of rows: so memory is read all the time. In the last turn
/// nothing is packed, and a panel's sums are stored as soon as they are done.
/// Where columns are there already the first turn is left out.
void ContractionEmitter::takeTurns(const Block &block, const Range &columns,
                                   const Epilogue &epilogue) {
  Scratch scratch(b);
  RhsBuffer rhs = getRhsBuffer(scratch, block, columns, block.columnPanels);
  auto [begin, end] = getSpanSteps(block.segment);
  Value count = toValue(b, sub(b, end, begin));
  // Without steps the first turn is the last too.
  Value isSkipped =
      arith::IndexCastUIOp::create(b, b.getIndexType(), block.hasColumns);
  forLoop(b, min(b, isSkipped, count), add(b, count, b.getIndexAttr(1)),
          [&, begin = begin](Value turn) {
            takeTurn(block, columns, epilogue, rhs, begin, count, turn);
          });
}

/// The number before `number`, or 0.
static Value getNumberBefore(ImplicitLocOpBuilder &b, Value number) {
  Value positive = arith::MaxUIOp::create(b, number, constant(b, 1));
  return arith::SubIOp::create(b, positive, constant(b, 1));
}

/// Where columns are packed for block `number` of steps: in one part of the
/// buffer or another.
Value ContractionEmitter::getTurnBuffer(Value number) {
  Value part = arith::RemUIOp::create(b, number, numColumnBuffers);
  return toValue(b, mul(b, part,
                        b.getIndexAttr(columnFormat.countPanels(nc) *
                                       columnFormat.size())));
}

/// Packs block `turn` of `count` blocks of steps from `begin` on, and
/// multiplies the one before.
void ContractionEmitter::takeTurn(const Block &block, const Range &columns,
                                  const Epilogue &epilogue,
                                  const RhsBuffer &rhs, Value begin,
                                  Value count, Value turn) {
  Scratch tables(b);
  auto compare = [&](arith::CmpIPredicate predicate, Value x,
                     Value y) -> Value {
    return arith::CmpIOp::create(b, predicate, x, y);
  };
  Turn step;
  Value isMissing = arith::XOrIOp::create(
      b, block.hasColumns, arith::ConstantIntOp::create(b, 1, 1));
  step.isPacked = arith::AndIOp::create(
      b, isMissing, compare(arith::CmpIPredicate::ult, turn, count));
  Value isMultiplied = compare(arith::CmpIPredicate::ne, turn, constant(b, 0));
  step.isStored = compare(arith::CmpIPredicate::eq, turn, count);
  if (span)
    step.isStored = arith::AndIOp::create(b, step.isStored, span->isLast);
  auto getNumber = [&](OpFoldResult inSpan) {
    return toValue(b, add(b, begin, inSpan));
  };
  step.source = getRhs(tables, block, columns, rhs,
                       getNumber(min(b, turn, getNumberBefore(b, count))));
  Value number = getNumber(getNumberBefore(b, turn));
  step.buffer = getTurnBuffer(number);
  step.nextBuffer = getTurnBuffer(getNumber(turn));
  step.tile = getRegisterTile(selectStep(block.segment, number).length,
                              epilogue.sums, number);
  step.tile.rows = packed;
  step.tile.columns = rhs.panels;
  Value lhs = getPackedBlock(block, number);
  Value numRows = toValue(b, ceilDiv(b, block.rows.length, rowFormat.width));
  step.numColumns = toValue(b, ceilDiv(b, columns.length, columnFormat.width));
  forLoop(b, numRows, [&](Value row) {
    selectShare(row, numRows, step.source);
    ifElse(b, isMultiplied, [&] {
      step.tile.firstRow = rowFormat.getPanel(b, lhs, row);
      multiplyTurn(step, epilogue, numRows, row);
    });
    Value hasShare = compare(arith::CmpIPredicate::ult, step.source.beginStep,
                             step.source.numSteps);
    ifElse(b, arith::AndIOp::create(b, step.isPacked, hasShare), [&] {
      packPanels(b, step.source, columnFormat, rhs.panels, step.nextBuffer);
    });
    ifElse(b, step.isStored, [&] { storePanel(block, epilogue, row); });
  });
}

/// Multiplies panel `row` of `numRows` of rows. Meanwhile the next one is asked
/// for, and what is read after it: the share that is packed next, or the
/// columns of the next turn if they are packed, or in the last turn where the
/// panel will be stored.
void ContractionEmitter::multiplyTurn(const Turn &turn,
                                      const Epilogue &epilogue, Value numRows,
                                      Value row) {
  multiplyPanel(
      turn.tile, epilogue.sums, row, turn.buffer, turn.numColumns,
      [&](ImplicitLocOpBuilder &body, Value column, Value chunk) {
        prefetchPackedRows(body, turn.tile, turn.numColumns, column, chunk);
        ifElse(
            body, turn.isStored,
            [&] { prefetchResult(body, epilogue, row, column, chunk); },
            [&] {
              ifElse(
                  body, turn.isPacked,
                  [&] { prefetchShare(body, turn.source, column, chunk); },
                  [&] {
                    prefetchNextColumns(body, turn.tile.columns,
                                        turn.nextBuffer, getRhsBlockSize(),
                                        numRows, turn.numColumns, row, column,
                                        chunk);
                  });
            });
      });
}

/// Stores the sums of panel `row` of rows.
void ContractionEmitter::storePanel(const Block &block,
                                    const Epilogue &epilogue, Value row) {
  OpFoldResult width = b.getIndexAttr(rowFormat.width);
  Value first = toValue(b, mul(b, row, width));
  Value end = toValue(b, min(b, add(b, first, width), block.rows.length));
  storeBlock(b, epilogue, first, end);
}

/// The steps that are packed with panel `row` of `numRows`: whole chunks, or
/// single steps where these are copied.
void ContractionEmitter::selectShare(Value row, Value numRows,
                                     PackSource &source) {
  int64_t multiple = source.strategy == PackStrategy::AlongRows
                         ? columnFormat.stepsPerLane
                         : columnFormat.chunk();
  OpFoldResult pieces = ceilDiv(b, source.numSteps, multiple);
  Value share = arith::CeilDivUIOp::create(b, toValue(b, pieces), numRows);
  OpFoldResult steps = mul(b, share, b.getIndexAttr(multiple));
  source.beginStep = toValue(b, min(b, mul(b, row, steps), source.numSteps));
  source.endStep =
      toValue(b, min(b, add(b, source.beginStep, steps), source.numSteps));
}

/// Columns that a block has at least, if there are not very many threads.
int64_t ContractionEmitter::getUsualColumns() const {
  std::optional<int64_t> unit = getColumnUnit();
  return unit ? std::max(nc / 2, *unit) : nc;
}

/// Asks for the part of the panel of packed rows behind the one at `firstRow`
/// that falls to a chunk of tile `column` of `numColumns`.
void ContractionEmitter::prefetchPackedRows(ImplicitLocOpBuilder &body,
                                            const RegisterTile &registerTile,
                                            Value numColumns, Value column,
                                            Value chunk) {
  int64_t size = rowFormat.size();
  OpFoldResult next = add(body, registerTile.firstRow, body.getIndexAttr(size));
  if (tile.getKernel() == CpuKernel::Amx)
    return prefetchRowPanel(body, packed, next, registerTile.numChunks,
                            numColumns, column, chunk);
  int64_t tiles = columnFormat.countPanels(getUsualColumns());
  prefetchKnownPart(body, packed, next, size, tiles, body.getIndexAttr(size),
                    column, chunk);
}

/// Asks for the part of the panel of rows at `panel`, of `numChunks`, that
/// falls to a chunk of tile `column` of `numColumns`.
void ContractionEmitter::prefetchRowPanel(ImplicitLocOpBuilder &body,
                                          Value memory, OpFoldResult panel,
                                          Value numChunks, Value numColumns,
                                          Value column, Value chunk) {
  OpFoldResult part = add(body, mul(body, column, numChunks), chunk);
  prefetchPart(body, memory, panel, rowFormat, part, numColumns, numChunks);
}

/// Asks for part `part` of what begins with `first`: of `numChunks` chunks of a
/// format, each of which `shares` parts have. AMX asks for as few lines as can
/// be at a time, since many hold up its loads.
void ContractionEmitter::prefetchPart(ImplicitLocOpBuilder &body, Value memory,
                                      OpFoldResult first,
                                      const PanelFormat &format,
                                      OpFoldResult part, OpFoldResult shares,
                                      OpFoldResult numChunks) {
  int64_t line = getLineElements(format.elementType);
  OpFoldResult perChunk =
      body.getIndexAttr(llvm::divideCeil(format.chunkStride(), line));
  OpFoldResult numLines = mul(body, numChunks, perChunk);
  OpFoldResult share = ceilDiv(body, perChunk, shares);
  OpFoldResult begin = min(body, mul(body, part, share), numLines);
  OpFoldResult end = min(body, add(body, begin, share), numLines);
  OpFoldResult width = body.getIndexAttr(line);
  prefetch(body, memory, add(body, first, mul(body, begin, width)),
           mul(body, sub(body, end, begin), width));
}

/// Asks for the part of what begins with `first` that falls to a chunk of tile
/// `number`, of which `tiles` share `size` elements, up to `end`. A known
/// number of lines leaves the loop of `fma` fewer instructions.
void ContractionEmitter::prefetchKnownPart(ImplicitLocOpBuilder &body,
                                           Value memory, OpFoldResult first,
                                           int64_t size, int64_t tiles,
                                           OpFoldResult end,
                                           OpFoldResult number, Value chunk) {
  int64_t chunks = llvm::divideCeil(kc, rowFormat.chunk());
  int64_t share = llvm::alignTo(llvm::divideCeil(size, tiles * chunks),
                                getLineElements(getElementTypeOrSelf(memory)));
  OpFoldResult offset =
      add(body, mul(body, number, body.getIndexAttr(share * chunks)),
          mul(body, chunk, body.getIndexAttr(share)));
  Value exists =
      arith::CmpIOp::create(body, arith::CmpIPredicate::ult,
                            toValue(body, offset), toValue(body, end));
  ifElse(body, exists,
         [&] { prefetchPiece(body, memory, add(body, first, offset), share); });
}

/// Asks for the part that falls to a chunk, of the share that is packed next,
/// of the columns of tile `column`.
void ContractionEmitter::prefetchShare(ImplicitLocOpBuilder &body,
                                       const PackSource &source, Value column,
                                       Value chunk) {
  if (source.strategy != PackStrategy::AlongRows)
    return;
  int64_t line = getLineElements(source.array.getElementType());
  int64_t perStep = llvm::divideCeil(columnFormat.width, line);
  int64_t steps = llvm::divideCeil(kc, rowFormat.countPanels(mc));
  int64_t perChunk = llvm::divideCeil(steps * perStep,
                                      llvm::divideCeil(kc, rowFormat.chunk()));
  Value first =
      toValue(body, mul(body, column, body.getIndexAttr(columnFormat.width)));
  Value rowOffset = memref::LoadOp::create(body, source.rowOffsets, first);
  Value last = toValue(body, sub(body, source.numSteps, body.getIndexAttr(1)));
  for (int64_t i = 0; i < perChunk; ++i) {
    OpFoldResult number =
        add(body, mul(body, chunk, body.getIndexAttr(perChunk)),
            body.getIndexAttr(i));
    OpFoldResult step = add(body, source.beginStep, div(body, number, perStep));
    OpFoldResult piece =
        mul(body, rem(body, number, perStep), body.getIndexAttr(line));
    Value k = toValue(body, min(body, step, last));
    prefetchPiece(
        body, source.array.flat,
        add(body, add(body, rowOffset, piece), source.getStepOffset(body, k)),
        line);
  }
}

/// Asks for the part that falls to a chunk of where tile (`row`, `column`) of
/// the result will be stored.
void ContractionEmitter::prefetchResult(ImplicitLocOpBuilder &body,
                                        const Epilogue &epilogue, Value row,
                                        Value column, Value chunk) {
  int64_t rows = llvm::divideCeil(rowFormat.width,
                                  llvm::divideCeil(kc, rowFormat.chunk()));
  const EpilogueArray &result = epilogue.result;
  Value first =
      toValue(body, mul(body, column, body.getIndexAttr(columnFormat.width)));
  Value columnOffset =
      memref::LoadOp::create(body, result.columnOffsets, first);
  Value last = toValue(body, sub(body, epilogue.numRows, body.getIndexAttr(1)));
  OpFoldResult begin =
      add(body, mul(body, row, body.getIndexAttr(rowFormat.width)),
          mul(body, chunk, body.getIndexAttr(rows)));
  for (int64_t i = 0; i < rows; ++i) {
    Value member =
        toValue(body, min(body, add(body, begin, body.getIndexAttr(i)), last));
    Value rowOffset = memref::LoadOp::create(body, result.rowOffsets, member);
    prefetchPiece(body, result.array.flat, add(body, rowOffset, columnOffset),
                  columnFormat.width);
  }
}

//===----------------------------------------------------------------------===//
// Rhs as the side of rows
//===----------------------------------------------------------------------===//

/// Multiplies rhs, a panel packed for some steps at a time, with the packed
/// rows of lhs. A panel is in the first-level cache when it is multiplied;
/// columns pass by for every panel.
void ContractionEmitter::accumulate(const Block &block, const Range &columns,
                                    const Epilogue &epilogue) {
  if (rhsLayout)
    return accumulatePacked(block, columns, epilogue);
  Scratch scratch(b);
  Value memory = block.columnPanels;
  if (!memory)
    memory = scratch.allocate(rowFormat.countPanels(rowFormat.width) *
                                  rowFormat.size(),
                              rowFormat.elementType);
  RhsBuffer rhs = getRhsBuffer(scratch, block, columns, memory);
  auto [begin, endStep] = getSpanSteps(block.segment);
  Value numPanels = toValue(b, ceilDiv(b, columns.length, rowFormat.width));
  OpFoldResult together = countStepsTogether(block);
  auto multiplyGroup = [&, endStep = endStep](Value first) {
    Value end = toValue(b, min(b, add(b, first, together), endStep));
    Value isLast =
        arith::CmpIOp::create(b, arith::CmpIPredicate::eq, end, endStep);
    StepGroup group = {first, end, numPanels, isLast};
    forLoop(b, numPanels, [&](Value panel) {
      forLoop(b, group.first, group.end, [&](Value number) {
        multiplyRows(block, columns, epilogue, rhs, group, panel, number);
      });
    });
  };
  forLoop(b, begin, endStep, multiplyGroup, together);
}

/// How far rows of a result may be apart, in bytes, to be asked for: those of a
/// block that lie a multiple of a page apart share few sets of the cache. What
/// is added to them is asked for all the same, since it is waited for.
static constexpr int64_t kMaxResultStride = 1024;
/// Blocks of steps that results are asked for in the last of.
static constexpr int64_t kMinBlocksForResults = 4;

/// How many times `cached_bytes` the packed columns may take if these are of
/// all steps then.
static constexpr int64_t kWholeRowsFactor = 3;

/// How many blocks of steps a panel of rows is multiplied for before the next:
/// as many as `cached_bytes` hold the packed columns of. Or all, if these take
/// somewhat more: whole rows of rhs come faster from memory.
OpFoldResult ContractionEmitter::countStepsTogether(const Block &block) {
  int64_t elementBytes = columnFormat.elementBytes();
  int64_t panels = tile.getCachedBytes() / (columnFormat.size() * elementBytes);
  if (panels <= 1)
    return b.getIndexAttr(1);
  Value used = toValue(b, ceilDiv(b, block.rows.length, columnFormat.width));
  auto [begin, end] = getSpanSteps(block.segment);
  OpFoldResult all = sub(b, end, begin);
  Value fits = arith::CmpIOp::create(
      b, arith::CmpIPredicate::ule, toValue(b, mul(b, all, OpFoldResult(used))),
      constant(b, kWholeRowsFactor * panels));
  Value fitting = arith::DivUIOp::create(b, constant(b, panels), used);
  OpFoldResult count = select(b, fits, all, OpFoldResult(fitting));
  return max(b, count, b.getIndexAttr(1));
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

/// Where panel `panel` of rows of rhs is packed for block `number` of steps: in
/// a place of its own if panels are kept.
Value ContractionEmitter::getRhsPanel(Value panel, Value number) {
  OpFoldResult index =
      add(b, mul(b, number, b.getIndexAttr(countPanelsOfSteps())), panel);
  Value place = arith::RemUIOp::create(b, toValue(b, index), numColumnBuffers);
  return toValue(b, mul(b, place, b.getIndexAttr(rowFormat.size())));
}

/// Packs a panel of rows of rhs for some steps, if it is not there, and
/// multiplies it with the packed columns.
void ContractionEmitter::multiplyRows(const Block &block, const Range &columns,
                                      const Epilogue &epilogue,
                                      const RhsBuffer &rhs,
                                      const StepGroup &group, Value row,
                                      Value number) {
  Scratch tables(b);
  PackSource source = getRhs(tables, block, columns, rhs, number);
  PackSource panel = source;
  panel.firstRow = toValue(b, mul(b, row, b.getIndexAttr(rowFormat.width)));
  panel.endFill =
      toValue(b, add(b, panel.firstRow, b.getIndexAttr(rowFormat.width)));
  Value place = block.hasColumns ? getRhsPanel(row, number) : constant(b, 0);
  auto pack = [&] { packPanels(b, panel, rowFormat, rhs.panels, place); };
  if (block.hasColumns)
    ifElse(b, block.hasColumns, [] {}, pack);
  else
    pack();
  const SumBlock &sums = epilogue.sums;
  RegisterTile registerTile = getRegisterTile(source.numSteps, sums, number);
  registerTile.rows = rhs.panels;
  registerTile.columns = packed;
  registerTile.firstRow = place;
  registerTile.isLastNarrow = isLastNarrow(block);
  Value lhs = getPackedBlock(block, number);
  Value numColumns =
      toValue(b, ceilDiv(b, block.rows.length, columnFormat.width));
  // Columns for the steps that follow are on their way, a part with each tile.
  OpFoldResult next =
      add(b, lhs, mul(b, sub(b, group.end, group.first), blockSize));
  OpFoldResult nextSize = select(b, group.isLast, b.getIndexAttr(0), blockSize);
  NextPanel nextPanel = getNextPanel(source, group, row, number);
  bool areColumnsThere = keepsPackedColumns();
  // In the last block of steps results are asked for instead, if at all.
  Value isLastBlock;
  if (asksForResults(epilogue))
    isLastBlock = arith::AndIOp::create(
        b, group.isLast,
        arith::CmpIOp::create(b, arith::CmpIPredicate::eq,
                              toValue(b, add(b, number, b.getIndexAttr(1))),
                              group.end));
  // A piece goes with each chunk: many at once hold up the loads.
  multiplyPanel(
      registerTile, sums, row, lhs, numColumns,
      [&](ImplicitLocOpBuilder &body, Value column, Value chunk) {
        auto prefetchColumns = [&] {
          if (!areColumnsThere)
            prefetchNextColumns(body, packed, next, nextSize, group.numPanels,
                                numColumns, row, column, chunk);
        };
        if (!isLastBlock)
          prefetchColumns();
        else
          ifElse(
              body, isLastBlock,
              [&] {
                prefetchResults(body, epilogue, numColumns, row, column, chunk);
              },
              prefetchColumns);
        prefetchNextPanel(body, block, source, rhs, nextPanel,
                          registerTile.numChunks, numColumns, column, chunk);
      });
}

/// Whether an array has a row and a column for each of the result.
static bool hasShapeOfResult(const EpilogueArray &array) {
  return array.rowOffsets && array.columnOffsets;
}

/// True if rows of results follow each other closely, so that those of a block
/// have room in the cache.
bool ContractionEmitter::hasCloseRows(const EpilogueArray &result) {
  std::optional<int64_t> stride =
      getConstantIntValue(result.array.strides[contraction.m.back()]);
  int64_t bytes = result.array.getElementType().getIntOrFloatBitWidth() / 8;
  return stride && *stride * bytes <= kMaxResultStride;
}

/// True if results, or what is added to them, are to be asked for before they
/// are stored: rows are close, or are read, and there are steps enough for
/// their lines to come one by one.
bool ContractionEmitter::asksForResults(const Epilogue &epilogue) {
  if (tile.getKernel() == CpuKernel::Amx || !epilogue.isContiguous)
    return false;
  std::optional<int64_t> steps = getConstantIntValue(
      stepsOf(segments.front().terms.front().extents).getSize(b));
  return (hasCloseRows(epilogue.result) ||
          llvm::any_of(epilogue.addends, hasShapeOfResult)) &&
         steps && *steps >= kMinBlocksForResults * kc;
}

/// Asks for the part that falls to a chunk of tile (`row`, `column`) of the
/// block of where its results will be stored, and of what has a row and a
/// column for each: pieces of up to four lines of a row, one row after the
/// other.
void ContractionEmitter::prefetchResults(ImplicitLocOpBuilder &body,
                                         const Epilogue &epilogue,
                                         Value numColumns, Value row,
                                         Value column, Value chunk) {
  OpFoldResult number = add(body, mul(body, row, numColumns), column);
  int64_t width = 4 * getLineElements(epilogue.result.array.getElementType());
  while (width > lanes && !areContiguous(width))
    width /= 2;
  int64_t perRow = llvm::divideCeil(nc, width);
  int64_t chunks = llvm::divideCeil(kc, rowFormat.chunk());
  int64_t share =
      llvm::divideCeil(mc * perRow, rowFormat.countPanels(nc) *
                                        columnFormat.countPanels(mc) * chunks);
  OpFoldResult first =
      mul(body, add(body, mul(body, number, body.getIndexAttr(chunks)), chunk),
          body.getIndexAttr(share));
  for (int64_t i = 0; i < share; ++i) {
    OpFoldResult piece = add(body, first, body.getIndexAttr(i));
    Value resultRow = toValue(body, div(body, piece, perRow));
    Value resultColumn = toValue(
        body, mul(body, rem(body, piece, perRow), body.getIndexAttr(width)));
    auto isLess = [&](Value x, Value y) -> Value {
      return arith::CmpIOp::create(body, arith::CmpIPredicate::ult, x, y);
    };
    Value exists =
        arith::AndIOp::create(body, isLess(resultRow, epilogue.numRows),
                              isLess(resultColumn, epilogue.numColumns));
    auto ask = [&](const EpilogueArray &array) {
      Value rowOffset =
          memref::LoadOp::create(body, array.rowOffsets, resultRow);
      Value columnOffset =
          memref::LoadOp::create(body, array.columnOffsets, resultColumn);
      prefetchPiece(body, array.array.flat, add(body, rowOffset, columnOffset),
                    width);
    };
    ifElse(body, exists, [&] {
      if (hasCloseRows(epilogue.result))
        ask(epilogue.result);
      for (const EpilogueArray &addend : epilogue.addends)
        if (hasShapeOfResult(addend))
          ask(addend);
    });
  }
}

/// The tile for `length` steps, of block `number` of them.
RegisterTile ContractionEmitter::getRegisterTile(Value length,
                                                 const SumBlock &sums,
                                                 Value number) {
  RegisterTile registerTile;
  registerTile.rowFormat = rowFormat;
  registerTile.columnFormat = columnFormat;
  registerTile.numColumns = columnFormat.width;
  registerTile.sums = sums.memory;
  registerTile.numChunks = toValue(b, ceilDiv(b, length, rowFormat.chunk()));
  registerTile.isFirst = arith::CmpIOp::create(b, arith::CmpIPredicate::eq,
                                               number, constant(b, 0));
  registerTile.streamsColumns = tile.getStreamsColumns();
  return registerTile;
}

/// True if the rows of the block, as the side of columns, leave no more of its
/// last panel than a narrow register tile has; null if they never do.
Value ContractionEmitter::isLastNarrow(const Block &block) {
  int64_t width = columnFormat.width, narrow = getNarrowWidth(columnFormat);
  auto canLeaveFew = [&](const Segment &segment) {
    const Extents &extents = segment.terms.front().extents;
    std::optional<int64_t> rows =
        getConstantIntValue(rowsOf(extents).getSize(b));
    int64_t rest = rows.value_or(1) % width;
    return mc % width != 0 || (rest != 0 && rest <= narrow);
  };
  if (!isTransposed || narrow == width || llvm::none_of(segments, canLeaveFew))
    return {};
  Value rest =
      toValue(b, rem(b, sub(b, block.rows.length, b.getIndexAttr(1)), width));
  return arith::CmpIOp::create(b, arith::CmpIPredicate::ult, rest,
                               constant(b, narrow));
}

/// Tiles that a panel of rows which takes most of the first-level cache is to
/// be multiplied with: until it is there takes some of them.
static constexpr int64_t kMinTiles = 8;

void ContractionEmitter::multiplyPanel(
    RegisterTile registerTile, const SumBlock &sums, Value row,
    Value firstColumn, Value numColumns,
    llvm::function_ref<void(ImplicitLocOpBuilder &, Value, Value)> atChunk) {
  registerTile.firstColumn = firstColumn;
  registerTile.firstSum = sums.getTile(b, row, constant(b, 0));
  if (!isTransposed || !tile.getStreamsColumns())
    return multiplyTiles(b, tile.getKernel(), registerTile, numColumns,
                         atChunk);
  // For fewer tiles half of the panel at a time.
  Value numChunks = registerTile.numChunks;
  Value isFew = arith::CmpIOp::create(b, arith::CmpIPredicate::ult, numColumns,
                                      constant(b, kMinTiles));
  Value half = toValue(b, ceilDiv(b, numChunks, 2));
  Value part = arith::SelectOp::create(b, isFew, half, numChunks);
  auto multiplyPart = [&](Value first) {
    auto skip = [&](Value panel, const PanelFormat &format) {
      return toValue(
          b,
          add(b, panel, mul(b, first, b.getIndexAttr(format.chunkStride()))));
    };
    RegisterTile ofPart = registerTile;
    ofPart.firstRow = skip(registerTile.firstRow, rowFormat);
    ofPart.firstColumn = skip(firstColumn, columnFormat);
    ofPart.numChunks = toValue(b, min(b, part, sub(b, numChunks, first)));
    Value isBegin = arith::CmpIOp::create(b, arith::CmpIPredicate::eq, first,
                                          constant(b, 0));
    ofPart.isFirst = arith::AndIOp::create(b, registerTile.isFirst, isBegin);
    multiplyTiles(b, tile.getKernel(), ofPart, numColumns,
                  [&](ImplicitLocOpBuilder &body, Value column, Value chunk) {
                    atChunk(body, column,
                            toValue(body, add(body, first, chunk)));
                  });
  };
  forLoop(b, b.getIndexAttr(0), numChunks, multiplyPart, OpFoldResult(part));
}

/// Parts that AMX asks for a chunk of a weight's packed columns in at least.
/// Few panels of rows would ask for more at a time than comes from memory.
static constexpr int64_t kMinShares = 8;

/// Asks for the part of the packed columns, `size` elements from `first` of
/// `panels` on, that falls to a chunk of tile (`row`, `column`) of the block.
void ContractionEmitter::prefetchNextColumns(ImplicitLocOpBuilder &body,
                                             Value panels, OpFoldResult first,
                                             OpFoldResult size, Value numRows,
                                             Value numColumns, Value row,
                                             Value column, Value chunk) {
  OpFoldResult number = add(body, mul(body, row, numColumns), column);
  if (tile.getKernel() == CpuKernel::Amx) {
    OpFoldResult chunks =
        body.getIndexAttr(llvm::divideCeil(kc, columnFormat.chunk()));
    OpFoldResult shares = numRows;
    if (!isTransposed)
      shares = max(body, shares, body.getIndexAttr(kMinShares));
    OpFoldResult part = add(body, mul(body, number, chunks), chunk);
    OpFoldResult there =
        div(body, size, body.getIndexAttr(columnFormat.chunkStride()));
    return prefetchPart(body, panels, first, columnFormat, part, shares,
                        min(body, mul(body, numColumns, chunks), there));
  }
  int64_t rows = isTransposed ? getUsualColumns() : mc;
  prefetchKnownPart(body, panels, first, columnFormat.size(),
                    rowFormat.countPanels(rows), size, number, chunk);
}

/// What is packed after panel `row` and block `number` of steps.
ContractionEmitter::NextPanel ContractionEmitter::getNextPanel(
    const PackSource &source, const StepGroup &group, Value row, Value number) {
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
  Value zero = constant(b, 0);
  Value isLastStep = isLast(number, group.end),
        isLastPanel = isLast(row, group.numPanels);
  Value nextRow =
      choose(isLastPanel, zero, toValue(b, add(b, row, b.getIndexAttr(1))));
  Value panel = choose(isLastStep, nextRow, row);
  Value back =
      toValue(b, mul(b, sub(b, group.first, number), b.getIndexAttr(kc)));
  Value isSameGroup =
      choose(isLastPanel, arith::ConstantIntOp::create(b, 0, 1), isLastStep);
  Value steps = choose(isSameGroup, back, constant(b, kc));
  Value nextNumber = choose(isSameGroup, group.first,
                            toValue(b, add(b, number, b.getIndexAttr(1))));
  Value place = numColumnBuffers ? getRhsPanel(panel, nextNumber) : Value();
  return {place, toValue(b, mul(b, panel, b.getIndexAttr(rowFormat.width))),
          toValue(b, add(b, source.getStepOffset(b, zero), steps))};
}

/// Asks for the part of the panel that is multiplied next that falls to a chunk
/// of tile `column` of `numColumns`: where it is packed, or where it lies.
void ContractionEmitter::prefetchNextPanel(
    ImplicitLocOpBuilder &body, const Block &block, const PackSource &source,
    const RhsBuffer &rhs, const NextPanel &next, Value numChunks,
    Value numColumns, Value column, Value chunk) {
  auto prefetchSource = [&] {
    prefetchPanel(body, source, next, column, numColumns,
                  mul(body, chunk, body.getIndexAttr(rowFormat.chunk())),
                  body.getIndexAttr(rowFormat.chunk()));
  };
  if (!block.hasColumns)
    return prefetchSource();
  ifElse(
      body, block.hasColumns,
      [&] {
        prefetchRowPanel(body, rhs.panels, next.place, numChunks, numColumns,
                         column, chunk);
      },
      prefetchSource);
}

/// Asks for `numSteps` from `firstStep` on of a part of the rows of `next`,
/// such that all of them are on their way when the last of `numColumns` tiles
/// is done.
void ContractionEmitter::prefetchPanel(ImplicitLocOpBuilder &body,
                                       const PackSource &source,
                                       const NextPanel &next, Value column,
                                       Value numColumns, OpFoldResult firstStep,
                                       OpFoldResult numSteps) {
  Value width = constant(body, rowFormat.width);
  Value share = arith::CeilDivUIOp::create(body, width, numColumns);
  Value first = toValue(body, min(body, mul(body, column, share), width));
  Value end = toValue(body, min(body, add(body, first, share), width));
  OpFoldResult base = add(body, next.steps, firstStep);
  forLoop(body, first, end, [&](Value i) {
    Value member = toValue(body, add(body, next.firstRow, i));
    Value rowOffset = memref::LoadOp::create(body, source.rowOffsets, member);
    prefetch(body, source.array.flat, add(body, base, rowOffset), numSteps);
  });
}
