// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Emits one segmented contraction: lhs is packed by tasks, a range of rows at a
// time, then tasks each compute a block of a result.

#ifndef BOOSTR_PASSES_CPU_CONTRACTIONEMITTER_H
#define BOOSTR_PASSES_CPU_CONTRACTIONEMITTER_H

#include "boostr/dialect/BoostrAttrs.h"
#include "boostr/passes/contraction/SegmentArrays.h"
#include "boostr/passes/cpu/Epilogue.h"
#include "boostr/passes/cpu/PackPanels.h"
#include "boostr/passes/cpu/PackedLayout.h"
#include "boostr/passes/cpu/RegisterTile.h"
#include <functional>

namespace mlir::boostr::cpu {

class Scratch;

/// Emits code for one contraction of an op in buffer form.
///
/// Which operand is the side of rows of the register tile, and which that of
/// columns (PanelFormat.h), follows from how they lie: rhs, usually a weight,
/// is to be copied and not transposed. So where its steps of k follow each
/// other it is the side of rows, and the block of sums comes out transposed.
///
/// Blocks of all segments are numbered through, and one `scf.parallel` runs
/// over them. Segments differ only in addresses, strides and extents, so a task
/// selects these by its number and the code that follows exists once.
class ContractionEmitter {
public:
  ContractionEmitter(ImplicitLocOpBuilder &b,
                     SegmentedContractionOpInterface op,
                     const SegmentedContraction &contraction, CpuTileAttr tile,
                     int64_t minTaskWork);
  void emit();

private:
  using Extents = SmallVector<OpFoldResult, 5>;
  using Term = TermArrays;
  using Output = OutputArrays;
  using Segment = SegmentArrays;

  /// A range [start, start + length) of a group of dimensions that ends at
  /// `end`.
  struct Range {
    Value start, length, end;
  };
  struct BoundedRange {
    Range range;
    int64_t maxLength;
  };
  /// Some steps of k, all of one term.
  struct Step {
    Term term;
    Value first, length;
  };
  /// Blocks of steps that are packed at a time, from `first` on, where there is
  /// no room for all; and the blocks of results that they contribute to
  /// meanwhile. Their sums are kept from span to span.
  struct Span {
    Value first, isFirst, isLast;
    Value firstBlock, endBlock;
    Value sums, lhsSums;
  };
  /// What a task computes or packs: a block of a segment.
  struct Block {
    Segment segment;
    /// Among all blocks.
    Value number;
    /// The number of its rows among the packed ones, and its second number: of
    /// a block of columns or of steps.
    Value packedRows, other;
    /// Blocks of columns of the segment.
    OpFoldResult columnBlocks;
    Range rows;
    /// The number of its rows among those of the segment that are packed.
    Value rowBlock;
    /// Where rhs is packed by tasks: memory for its columns, which has them
    /// already if a block before has packed them.
    Value columnPanels, hasColumns;
  };
  /// Memory that rhs is packed into, and if it has one term its rows.
  struct RhsBuffer {
    Value panels;
    PackSource rows;
  };
  /// Blocks of steps that all panels of rows are multiplied for in turn.
  struct StepGroup {
    Value first, end, numPanels, isLast;
  };
  /// Rows of rhs that are multiplied next: where they are packed, if panels are
  /// kept; the first of them, and the offset of the first step.
  struct NextPanel {
    Value place, firstRow, steps;
  };
  /// What is done in a turn of a block: of rhs `source` is packed, or in the
  /// last turn sums are stored; and the columns that lie in `buffer` are
  /// multiplied.
  struct Turn {
    Value isPacked, isStored, buffer, nextBuffer, numColumns;
    PackSource source;
    RegisterTile tile;
  };
  /// All rows of lhs, each `rowSize` elements after the other.
  struct FewRows {
    /// Rows that may be multiplied at once; `maxRows` is a multiple of the
    /// last.
    SmallVector<int64_t> groups;
    int64_t maxRows;
    Value lhs, numRows, rowSize;
    /// Columns of a task and of a panel, which are read together. Some panels
    /// take turns: a piece of each, so many steps, is read before the next.
    int64_t columns, panel;
    Value panelsInTurn, piece, turnsAhead;
  };
  /// Sums of a task as vectors, where its columns begin, and what is multiplied
  /// now: rows of lhs from `row` on with a piece of a panel. The next piece
  /// lies `ahead` elements behind it.
  struct FewSums {
    Value vectors, offsets, numPanels;
    Value row, panel, firstStep, numSteps, ahead;
  };

  /// A product of few packed rows with rhs that lies along its columns.
  struct RowsByColumns {
    /// Rows that may be multiplied at once; `maxRows` is a multiple of the
    /// last.
    SmallVector<int64_t> groups;
    int64_t maxRows;
    /// Columns of a task.
    int64_t columns;
    /// Sums of each part of the blocks of steps, rows of `rowSize`.
    Value sums, rowSize, partSize;
    Value numRows, numBlocks, numParts, blocksOfPart;
  };
  /// Steps [begin, end) of a block of them: where the packed lhs of the block
  /// and the sums of the first column lie, and how vectors of columns from one
  /// on are loaded, those of a step or of some at once.
  struct ColumnTile {
    Value sums, lhs, begin, end;
    int64_t stepsAtOnce = 1;
    std::function<SmallVector<Value>(ImplicitLocOpBuilder &, Value, Value)>
        load;
  };

  /// Few steps of k: where steps of rhs and packed rows lie, from a row of
  /// their block on, and where sums go.
  struct FewSteps {
    Value rhs, offsets, firstColumn, lhs, firstRow, numSteps;
    Epilogue epilogue;
  };

  // Few rows (FewRows.cpp).
  bool canTakeFewRows() const;
  void emitFewRowsOr(ArrayRef<int64_t> counts,
                     llvm::function_ref<void()> emitMore);
  void emitFewRows(ArrayRef<int64_t> counts);
  OpFoldResult countFewRowSize();
  void packFewRows(Scratch &scratch, FewRows &few);
  void planFewRows(FewRows &few);
  Range getFewColumns(const Block &block, const FewRows &few);
  void computeFewRows(const Block &block, const FewRows &few,
                      const Range &columns);
  void storeFewRows(const Block &block, const FewRows &few, const FewSums &sums,
                    const Range &columns);
  Value getFewSum(const FewRows &few, Value row, Value panel,
                  OpFoldResult column);
  Value getFewResult(const FewRows &few, Value row, Value column);
  void multiplyPieces(const Block &block, const FewRows &few, FewSums sums);
  Value getNextPiece(const FewRows &few, const FewSums &sums, Value firstPanel,
                     Value endPanel, Value endStep);
  void multiplyGroups(const Block &block, const FewRows &few,
                      ArrayRef<int64_t> groups, const FewSums &sums);
  void multiplyGroup(const Block &block, const FewRows &few, int64_t group,
                     int64_t streams, Value column, const FewSums &sums);
  void multiplyRest(const Block &block, const FewRows &few, Value offsets,
                    Value results, Value numColumns);
  Value getWholeSteps(const Block &block);

  // Few rows of which rhs lies along its columns (FewRowsByColumns.cpp).
  SmallVector<int64_t> getRowsByColumns();
  Value areFewRowsByColumns(ArrayRef<int64_t> counts);
  OpFoldResult countSumRowSize();
  OpFoldResult countSumParts(int64_t maxRows, OpFoldResult rowSize);
  void emitRowsByColumns(ArrayRef<int64_t> counts);
  void multiplyPart(const Block &block, const RowsByColumns &few);
  void multiplyColumns(const Block &block, const RowsByColumns &few,
                       ColumnTile tile, Value number, const Range &columns);
  void multiplyColumn(const RowsByColumns &few, const ColumnTile &tile,
                      Value memory, Value offsets, Value place, Value column,
                      Value length);
  void multiplyPackedColumns(const Block &block, const RowsByColumns &few,
                             ColumnTile tile, Value number, Value steps,
                             const Range &columns);
  void multiplyRowsByColumns(const RowsByColumns &few, const ColumnTile &tile,
                             Value column);
  Value loadLhs(ImplicitLocOpBuilder &body, Value block, Value row, Value k);
  void multiplyGroupByColumns(const RowsByColumns &few, const ColumnTile &tile,
                              int64_t group, Value row, Value column);
  void addParts(const Block &block, const RowsByColumns &few);

  // Few steps of k (FewSteps.cpp).
  bool canTakeFewSteps();
  void emitFewStepsOr(Value firstRow, llvm::function_ref<void()> emitMore);
  void emitFewSteps(Value firstRow);
  void multiplyFewSteps(const Block &block, Value firstRow, Value number);
  void multiplySteps(const FewSteps &few, Value row, int64_t numRows,
                     Value column, int64_t vectors);

  // The rows of lhs that are packed at a time.
  Value getMost(int64_t least,
                llvm::function_ref<OpFoldResult(const Segment &)> count);
  Value getMaxRows();
  void emitPacked();
  void emitRows(Value firstRow, const NumberedBlocks *products);
  void emitLhsSums(Value firstRow);
  NumberedBlocks numberProducts(Value firstRow);
  void emitProducts(const NumberedBlocks &products, Value firstRow);
  void emitRuns(const NumberedBlocks &products, Value firstRow,
                OpFoldResult firstBlock, OpFoldResult endBlock);
  Value chooseRun(OpFoldResult numBlocks, Value firstRow);
  bool takesRuns() const;
  int64_t countPanelsOfSteps() const;
  bool isShared();
  std::optional<int64_t> getColumnUnit() const;
  Value chooseWidth(Value firstRow);
  OpFoldResult getLargestShare(Value firstRow, Value numThreads, Value width);
  OpFoldResult countPackedBlocks();
  OpFoldResult countRowBlocks(const Segment &segment, Value firstRow);
  /// Starts tasks for numbers up to `count`; `work` is how many multiply-adds
  /// all of them have.
  void emitTasks(OpFoldResult count, OpFoldResult work,
                 llvm::function_ref<void(Value)> emitTask);
  /// The multiply-adds of the product, or what packing lhs takes instead.
  OpFoldResult countWork(bool isProduct);
  Block selectBlock(const NumberedBlocks &blocks, Value firstRow, Value task);
  Value getPackedBlock(const Block &block, Value step);
  int64_t getPartRows() const;
  int64_t countParts() const;
  void packLhs(const Block &block);
  Value getLhsPart(const Block &block, Value number, OpFoldResult row);
  OpFoldResult countLhsPart();
  void sumLhs(const Block &block);

  // Spans of steps (StepSpans.cpp).
  int64_t countPackedRowBytes(int64_t rows) const;
  int64_t getBytesPerThread() const;
  OpFoldResult countPackedBytes(int64_t perThread);
  bool mayNeedSpans();
  void planSpans();
  void emitSpans(Value firstRow);
  std::pair<Value, Value> getSpanSteps(const Segment &segment);
  void ifLastSpan(llvm::function_ref<void()> ifLast,
                  llvm::function_ref<void()> ifNot = {});
  Value isZero(Value number);
  int64_t getSumRowSize() const;
  OpFoldResult countSlotSums();
  void copySums(const Block &block, const SumBlock &sums, Value rows,
                bool isLoad);
  Value getLhsSum(const Block &block, Value row);
  Value loadLhsSum(const Block &block, Value row, Value zero);
  void saveLhsSum(const Block &block, Value row, Value sum,
                  llvm::function_ref<void()> finish);

  // Where rhs was packed ahead of time (PackedRhs.cpp).
  void usePackedRhs(PackedArrayOp op);
  void accumulatePacked(const Block &block, const Range &columns,
                        const Epilogue &epilogue);
  void fillColumnTable(Value table, const Term &term, const Range &columns,
                       int64_t count);
  Value getPieceStart(Value step);
  Value getStepInPiece(ImplicitLocOpBuilder &body, Value k) const;

  // A block of a result (MultiplyBlock.cpp).
  void computeBlock(const Block &block);
  Range getColumns(const Block &block);
  SumBlock allocateSums(Scratch &scratch);
  RhsBuffer getRhsBuffer(Scratch &scratch, const Block &block,
                         const Range &columns, Value panels);
  PackSource getRhs(Scratch &scratch, const Block &block, const Range &columns,
                    const RhsBuffer &rhs, Value number);
  void takeTurns(const Block &block, const Range &columns,
                 const Epilogue &epilogue);
  void takeTurn(const Block &block, const Range &columns,
                const Epilogue &epilogue, const RhsBuffer &rhs, Value begin,
                Value count, Value turn);
  Value getTurnBuffer(Value number);
  void multiplyTurn(const Turn &turn, const Epilogue &epilogue, Value numRows,
                    Value row);
  void storePanel(const Block &block, const Epilogue &epilogue, Value row);
  void selectShare(Value row, Value numRows, PackSource &source);
  void prefetchPackedRows(ImplicitLocOpBuilder &body,
                          const RegisterTile &registerTile, Value numColumns,
                          Value column, Value chunk);
  int64_t getUsualColumns() const;
  static void prefetchPart(ImplicitLocOpBuilder &body, Value memory,
                           OpFoldResult first, const PanelFormat &format,
                           OpFoldResult part, OpFoldResult shares,
                           OpFoldResult numChunks);
  void prefetchRowPanel(ImplicitLocOpBuilder &body, Value memory,
                        OpFoldResult panel, Value numChunks, Value numColumns,
                        Value column, Value chunk);
  void prefetchKnownPart(ImplicitLocOpBuilder &body, Value memory,
                         OpFoldResult first, int64_t size, int64_t tiles,
                         OpFoldResult end, OpFoldResult number, Value chunk);
  void prefetchShare(ImplicitLocOpBuilder &body, const PackSource &source,
                     Value column, Value chunk);
  void prefetchResult(ImplicitLocOpBuilder &body, const Epilogue &epilogue,
                      Value row, Value column, Value chunk);
  void accumulate(const Block &block, const Range &columns,
                  const Epilogue &epilogue);
  OpFoldResult countStepsTogether(const Block &block);
  bool hasCloseRows(const EpilogueArray &result);
  bool asksForResults(const Epilogue &epilogue);
  void prefetchResults(ImplicitLocOpBuilder &body, const Epilogue &epilogue,
                       Value numColumns, Value row, Value column, Value chunk);
  void multiplyRows(const Block &block, const Range &columns,
                    const Epilogue &epilogue, const RhsBuffer &rhs,
                    const StepGroup &group, Value row, Value number);
  RegisterTile getRegisterTile(Value length, const SumBlock &sums,
                               Value number);
  Value isLastNarrow(const Block &block);
  /// Multiplies the tile's panel of rows, number `row`, with each of
  /// `numColumns` from `firstColumn` on; `atChunk` emits what is done meanwhile
  /// (the builder, the tile's column and the chunk are given).
  void multiplyPanel(
      RegisterTile registerTile, const SumBlock &sums, Value row,
      Value firstColumn, Value numColumns,
      llvm::function_ref<void(ImplicitLocOpBuilder &, Value, Value)> atChunk);
  void prefetchNextColumns(ImplicitLocOpBuilder &body, Value panels,
                           OpFoldResult first, OpFoldResult size, Value numRows,
                           Value numColumns, Value row, Value column,
                           Value chunk);
  NextPanel getNextPanel(const PackSource &source, const StepGroup &group,
                         Value row, Value number);
  Value getRhsPanel(Value panel, Value number);
  void prefetchNextPanel(ImplicitLocOpBuilder &body, const Block &block,
                         const PackSource &source, const RhsBuffer &rhs,
                         const NextPanel &next, Value numChunks,
                         Value numColumns, Value column, Value chunk);
  void prefetchPanel(ImplicitLocOpBuilder &body, const PackSource &source,
                     const NextPanel &next, Value column, Value numColumns,
                     OpFoldResult firstStep, OpFoldResult numSteps);
  void addArrays(Scratch &scratch, const Output &output, const Extents &extents,
                 const BoundedRange &rows, std::optional<BoundedRange> columns,
                 Epilogue &epilogue);
  void store(const Output &output, Epilogue epilogue, const Extents &extents,
             const BoundedRange &rows, std::optional<BoundedRange> columns);

  OpFoldResult countSteps(const Segment &segment);
  Step selectStep(const Segment &segment, Value number);
  PackSource getRows(Scratch &scratch, bool isLhs, const Term &term,
                     const Range &range);
  void addSteps(Scratch &scratch, const Step &step, PackSource &source);
  Range getRange(Value number, OpFoldResult size, Value first, Value end);
  Range getRange(Value number, int64_t size, Value first, Value end) {
    return getRange(number, OpFoldResult(b.getIndexAttr(size)), first, end);
  }
  PackStrategy getStrategy(bool isLhs, const PanelFormat &format) const;
  int64_t getRowsTogether(bool isLhs) const;
  bool isEpilogueContiguous() const { return areContiguous(lanes); }
  bool areContiguous(int64_t count) const;
  bool hasWholeVectors(int64_t block) const {
    return hasWholeColumns(block, lanes);
  }
  bool hasWholeColumns(int64_t block, int64_t count) const;
  bool storesPairs() const;
  bool isLhsShared() const;
  bool keepsPackedColumns() const;
  void fillZero(Value memory, Value count);
  /// Asks for `count` elements from `first` on, to come to the second-level
  /// cache.
  static void prefetch(ImplicitLocOpBuilder &body, Value memory,
                       OpFoldResult first, OpFoldResult count);
  /// Asks for `count` elements, a known number, from `first` on, to come to the
  /// second-level cache, or the first with a `locality` of 3.
  static void prefetchPiece(ImplicitLocOpBuilder &body, Value memory,
                            OpFoldResult first, int64_t count,
                            unsigned locality = 2);
  Value addLanes(Value vector);

  DimGroup rowsOf(ArrayRef<OpFoldResult> extents) const {
    return {contraction.m, extents};
  }
  DimGroup columnsOf(ArrayRef<OpFoldResult> extents) const {
    return {contraction.n, extents};
  }
  DimGroup stepsOf(ArrayRef<OpFoldResult> extents) const {
    return {contraction.k, extents};
  }
  /// Elements of rhs as columns of a block, for one block of steps.
  OpFoldResult getRhsBlockSize() const {
    return b.getIndexAttr(columnFormat.countPanels(nc) * columnFormat.size());
  }
  const PanelFormat &formatOf(bool isLhs) const {
    return isLhs != isTransposed ? rowFormat : columnFormat;
  }

  ImplicitLocOpBuilder &b;
  const SegmentedContraction &contraction;
  CpuTileAttr tile;
  int64_t mc, nc, kc, lanes, minTaskWork;
  Type sumType;
  SmallVector<Segment, 0> segments;
  PanelFormat rowFormat, columnFormat;
  /// True if rhs is the side of rows.
  bool isTransposed;
  /// How rhs was packed ahead of time; null if it is packed here.
  PackedLayoutAttr rhsLayout;
  /// Packed rows of lhs: blocks of rows, of each the blocks of steps of a span,
  /// which usually has all.
  Value packed;
  OpFoldResult numSteps, spanSteps;
  /// Where rows of lhs are summed up: of each packed row the sums of each of
  /// its blocks of steps.
  Value lhsParts;
  /// What they may take.
  OpFoldResult packedBytes;
  /// True if there may be spans of fewer steps; then the one that code is
  /// emitted for.
  bool hasSpans = false;
  std::optional<Span> span;
  /// Rows of such a block, at most mc, and its elements for one block of steps.
  Value blockRows;
  OpFoldResult blockSize;
  /// Blocks of steps, or panels, that tasks have memory for where they pack rhs
  /// as columns, or as rows.
  Value numColumnBuffers;
};

} // namespace mlir::boostr::cpu

#endif // BOOSTR_PASSES_CPU_CONTRACTIONEMITTER_H
