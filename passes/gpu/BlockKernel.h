// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What kernels have in common that compute one block of the result in each
// thread block, with operands in shared memory (simt and mma): which block it
// is, where its operands and results lie, how these are read in large pieces,
// and what happens to sums before they are stored.

#ifndef BOOSTR_PASSES_GPU_BLOCKKERNEL_H
#define BOOSTR_PASSES_GPU_BLOCKKERNEL_H

#include "boostr/passes/contraction/SegmentArrays.h"
#include "boostr/passes/gpu/ArrayLayout.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

namespace mlir::boostr {

/// How the blocks of one operand come to shared memory.
struct LoadPlan {
  /// Whether neighbouring threads read neighbouring steps (else rows).
  bool alongSteps = false;
  /// Elements that a thread reads at once; they follow each other in memory.
  int64_t chunk = 1;
  /// Whether positions along rows, and along steps, are a product with one
  /// stride, so that no index has to be divided.
  bool isFlatInRows = false, isFlatInSteps = false;
  /// Whether all rows of a block, and all steps of a turn, are known to be
  /// there.
  bool hasWholeRows = false, hasWholeTurns = false;
};

/// How an array of the epilogue is read or written.
struct EpiloguePlan {
  bool isFlatInRows = false, isFlatInColumns = false;
  /// Whether `lanes` columns follow each other in memory, at a multiple of
  /// their size; also true if there are no columns.
  bool isContiguous = false;
};

/// How the blocks of a launch are spread over the device. Along k they may be
/// cut into parts, each of a thread block of its own.
struct BlockParts {
  /// How many, a value of the host; null if it is one.
  Value count;
  /// Where the address of memory is kept in which they leave their sums (see
  /// Workspaces).
  Value workspace;
  /// Shared memory that each asks for at least if there are no more blocks than
  /// multiprocessors, each of which is to have one: where an earlier kernel
  /// still runs, the first that it leaves would take as many as fit.
  int64_t leastBytes = 0;
};

class BlockKernel {
protected:
  using Extents = SmallVector<OpFoldResult, 5>;

  /// Rows or columns of the result: the first of this block, and how many there
  /// are in all.
  struct Range {
    Value start, end;
  };
  /// One operand's blocks in shared memory: `rows x steps` elements, loaded by
  /// `threads` threads.
  struct Operand {
    LoadPlan plan;
    bool isLhs;
    /// Rows of lhs, or of rhs (the result's columns).
    int64_t rows, steps, threads;
    /// One buffer for each stage, as the kernel arranges it.
    Value shared;

    int64_t chunksPerThread() const {
      return rows * steps / (plan.chunk * threads);
    }
  };
  /// What this thread reads of an operand, block by block along k.
  struct Walk {
    const Operand *operand;
    cpu::StridedArray array;
    /// Of k.
    Extents extents;
    Value numSteps;
    /// Of each chunk: its place in the block, and where its row begins.
    SmallVector<Value> rows, steps, rowOffsets, isRowThere;
    /// If all chunks, and all blocks, are at equal distances, these: offsets of
    /// its own for each chunk are two registers each.
    Value chunkDistance, blockDistance;
    /// Else the indices along the dimensions of k of how many steps blocks are
    /// from each other, and each chunk from the one before if these are at
    /// equal distances (from the block if it is the first, or they are not).
    /// Chunks that have none are at the steps of the first.
    bool hasEqualChunks = false;
    SmallVector<Value> blockSteps;
    SmallVector<SmallVector<Value>> chunkSteps;
    /// Where the block is that is read next: the offset of its first chunk, or
    /// indices along the dimensions of k.
    SmallVector<Value> place;
  };
  /// The chunks of a walk's block, one after the other.
  struct Chunks {
    const Walk *walk;
    size_t number;
    /// Indices of the last one, where there are indices.
    SmallVector<Value> indices;

    bool areDone() const { return number == walk->rows.size(); }
  };
  /// An array of the epilogue with the offsets of this thread's columns.
  struct EpilogueArray {
    cpu::StridedArray array;
    EpiloguePlan plan;
    bool hasColumns;
    SmallVector<Value> columnOffsets;
  };
  struct Epilogue {
    EpilogueArray result;
    SmallVector<EpilogueArray, 3> addends;
    /// Sums that are stored at once, and for each such group whether its
    /// columns are there.
    int64_t lanes;
    SmallVector<Value> isColumnThere;
  };

  BlockKernel(ImplicitLocOpBuilder &b, SegmentedContractionOpInterface op,
              const SegmentedContraction &contraction, Type sumType,
              MultipleExtents extents = MultipleExtents::Known,
              BlockParts parts = {})
      : b(b), op(op), contraction(contraction), sumType(sumType),
        multiples(extents), parts(parts) {}

  // BlockKernel.cpp: the frame.

  /// The blocks of a launch: how large they are, and how they are walked.
  struct Frame {
    int64_t rows, columns, threads;
    /// Rows of blocks that are walked together.
    int64_t group;
    int64_t sharedBytes;
    /// Whether there are no more rows than a block has, so that no block
    /// divides by how many blocks of rows there are before its first load.
    bool hasOneRowBlock = false;
    /// Where blocks may be cut into parts: the steps of a turn of the loop over
    /// k, and what a thread has of the sums.
    int64_t steps = 0;
    SmallVector<Type> sumTypes = {};
  };
  /// Emits a `gpu.launch` whose body is what `emitBlock` emits for one block,
  /// or a part of one, after `thread`, `rows`, `columns` and `isFirstColumn`
  /// are set.
  void
  emitLaunch(const Frame &frame,
             llvm::function_ref<void(const cpu::SegmentArrays &)> emitBlock);
  /// All of the launch's shared memory, and a part of it from `offset` on.
  Value createSharedBytes();
  Value viewShared(Value bytes, int64_t offset, ArrayRef<int64_t> shape,
                   Type elementType);
  /// Sums over all terms: `accumulate` adds those of one to the values that it
  /// is given, in `turns` if the frame has steps. The code for a term exists
  /// once. Between terms there is a barrier if operands are `inShared` memory.
  using Accumulate = llvm::function_ref<SmallVector<Value>(
      const cpu::TermArrays &, ArrayRef<Value>)>;
  SmallVector<Value> accumulateTerms(const cpu::SegmentArrays &segment,
                                     ArrayRef<Value> zeros,
                                     Accumulate accumulate,
                                     bool inShared = true);
  /// The same for sums that are not a list but have their `values()`.
  template <typename Sums, typename AccumulateTerm>
  void accumulateInto(Sums &sums, const cpu::SegmentArrays &segment,
                      AccumulateTerm accumulate) {
    auto accumulateValues = [&](const cpu::TermArrays &term,
                                ArrayRef<Value> carried) {
      Sums begun = sums;
      replace(begun.values(), carried);
      accumulate(term, begun);
      return read(begun.values());
    };
    replace(sums.values(),
            accumulateTerms(segment, read(sums.values()), accumulateValues));
  }

  // BlockLoads.cpp: from global memory.

  /// How lhs (or rhs) is read, right for all segments and terms.
  Operand planOperand(bool isLhs, int64_t rows, int64_t steps, int64_t threads);
  /// Begins at the first of `turns`.
  Walk startWalk(const Operand &operand, const cpu::StridedArray &array,
                 const Extents &extents, const Range &range);
  /// What this thread reads of the block at the walk's place, that of `turn`,
  /// as vectors of a chunk each; zeros outside of the array.
  SmallVector<Value> load(const Walk &walk, Value turn);
  /// Whether chunk `number` of that block is in the array.
  Value isChunkThere(const Walk &walk, size_t number, Value turn);
  Chunks startChunks(const Walk &walk) { return {&walk, 0, {}}; }
  /// Where the next chunk of the walk's block lies.
  Value takeChunkOffset(Chunks &chunks);
  /// To the next block, without a division.
  void advance(Walk &walk);
  /// The indices of a step along the dimensions of k, by divisions, and the
  /// offset of such indices, from that of a row if there is one.
  SmallVector<Value> splitStep(const Extents &extents, Value step);
  Value getStepOffset(const cpu::StridedArray &array, ValueRange indices,
                      Value rowOffset = {});

  // BlockParts.cpp: blocks in parts along k.

  using Store = llvm::function_ref<void(const cpu::SegmentArrays &)>;
  /// Emits `store` where this block has all of the sums: at once if blocks are
  /// whole; else in the last of its parts that is done, with the `sums` of all.
  void storeSumsOfParts(const cpu::SegmentArrays &segment,
                        ArrayRef<Value *> sums, Store store);

  // BlockEpilogue.cpp: from sums to global memory.

  /// Sums are stored as many at once as all arrays allow, of `lanes`, which
  /// decreases to 1.
  Epilogue startEpilogue(const cpu::OutputArrays &output, bool isLhsSum,
                         ArrayRef<int64_t> lanes);
  /// Adds a group of columns, from `column` on.
  void addColumns(Epilogue &epilogue, const Extents &extents, Value column);
  /// Where a row begins in the result and in each addend.
  SmallVector<Value> getRowOffsets(const Epilogue &epilogue,
                                   const Extents &extents, Value row);
  /// What is added to the sums of a group, as vectors of `type`.
  SmallVector<Value> loadAddends(const Epilogue &epilogue,
                                 ArrayRef<Value> rowOffsets, int64_t group,
                                 Type type);
  /// `sums`, a vector of a group, with what is added to them.
  Value addAddends(const Epilogue &epilogue, ArrayRef<Value> rowOffsets,
                   int64_t group, Value sums);
  /// Rounds `sums` and stores them.
  void storeSums(const Epilogue &epilogue, ArrayRef<Value> rowOffsets,
                 int64_t group, Value sums);
  /// Adds to, rounds and stores the sum of one row of lhs.
  void storeLhsSum(const cpu::OutputArrays &output, const Extents &extents,
                   Value row, Value sum);

  // Shared by all.

  /// Values that a loop carries, by where they are kept.
  static void carry(SmallVectorImpl<Value *> &places,
                    MutableArrayRef<Value> values);
  static SmallVector<Value> read(ArrayRef<Value *> places);
  static void replace(ArrayRef<Value *> places, ValueRange values);

  /// The dimensions of the rows of lhs, or of rhs (the result's columns).
  ArrayRef<unsigned> getRowDims(bool isLhs) const {
    return isLhs ? contraction.m : contraction.n;
  }
  Value offsetOf(const cpu::StridedArray &array, ArrayRef<unsigned> dims,
                 const Extents &extents, Value index, bool isFlat);
  Value getDivisor(OpFoldResult extent);
  Value isLess(Value x, Value y);
  Value isEqual(Value x, int64_t y);
  Value both(Value x, Value y);
  Value plus(Value x, Value y);
  Value plus(Value x, int64_t y);
  Value times(Value x, int64_t y);
  Value quotient(Value x, int64_t y);
  Value remainder(Value x, int64_t y);
  bool hasProduct() const {
    return contraction.segments.front().product.has_value();
  }
  bool hasLhsSum() const {
    return contraction.segments.front().lhsSum.has_value();
  }

  ImplicitLocOpBuilder &b;
  SegmentedContractionOpInterface op;
  const SegmentedContraction &contraction;
  Type sumType;
  MultipleExtents multiples;

  // Of this thread and its block.
  Value thread;
  Range rows, columns;
  /// Whether this block sums lhs too.
  Value isFirstColumn;
  /// Those of the loop over k of a term.
  Range turns;

private:
  /// Where sums of parts meet.
  struct Meeting {
    /// Of the launch; addresses, and what the flags start to count from.
    Value numBlocks, turnsPerPart, flags, sums, token;
    /// Of this thread block.
    Value block, part;
  };
  cpu::SegmentArrays locate(Value number);
  Value getSharedBytes(Value numBlocks);
  bool isInParts() const { return bool(parts.count); }
  void prepareMeeting(ArrayRef<cpu::SegmentArrays> segments, Value numBlocks);
  Range getTurns(const Extents &extents, OpFoldResult before);
  OpFoldResult countTurns(const Extents &extents);
  OpFoldResult countTurnsBefore(const cpu::SegmentArrays &segment,
                                size_t number);
  OpFoldResult selectTurnsBefore(const cpu::SegmentArrays &segment,
                                 Value number);
  SmallVector<Value> accumulateIfAny(const cpu::TermArrays &term,
                                     ArrayRef<Value> carried,
                                     Accumulate accumulate);
  int64_t getPartBytes() const;
  SmallVector<Value> getPlaces(Value part);
  void leaveSums(ArrayRef<Value> sums);
  Value meetOthers();
  SmallVector<Value> addSums();

  void startPlace(Walk &walk, int64_t perLine);
  SmallVector<Value> addSteps(const Walk &walk, ArrayRef<Value> place,
                              ArrayRef<Value> steps);
  std::pair<Value, Value>
  orderBlocks(Value number, const cpu::SegmentGrid &grid, const Frame &frame);
  EpiloguePlan planEpilogue(ArrayRef<ContractionOperand> arrays, int64_t lanes);
  SmallVector<ContractionOperand> collectResults(bool isLhsSum);
  SmallVector<ContractionOperand> collectAddends(bool isLhsSum, size_t number);
  Value loadAddend(const EpilogueArray &addend, Value rowOffset, int64_t group,
                   Type type);

  BlockParts parts;
  Frame frame;
  const cpu::NumberedBlocks *numbered = nullptr;
  Meeting meeting;
};

} // namespace mlir::boostr

#endif // BOOSTR_PASSES_GPU_BLOCKKERNEL_H
