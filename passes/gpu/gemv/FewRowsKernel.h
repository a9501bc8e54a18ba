// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the kernels for few rows have in common (gemv, skinny and gemvt).
// Reading rhs (the weight) takes all of the time, so each of its elements is
// read once, by loads of 16 bytes, many of them before the first is used. The
// warps of a block share k: each sums up a part of it for all elements of the
// block. Their sums meet in shared memory, where they are added in a fixed
// order.
//
//   for each turn: ask for rhs, then for lhs; multiply
//   sums -> shared memory -> add those of all warps; store
//
// Blocks are small, and there are many: so a multiprocessor that is done with
// one goes on with the next, and none waits for another at the end.

#ifndef BOOSTR_PASSES_GPU_GEMV_FEWROWSKERNEL_H
#define BOOSTR_PASSES_GPU_GEMV_FEWROWSKERNEL_H

#include "boostr/passes/gpu/BlockKernel.h"

namespace mlir::boostr::gemv {

inline constexpr int64_t kWarp = 32;

struct FewRowsTile {
  /// Of a block, and of each of its warps.
  int64_t rows = 0, columns = 0;
  /// They share k.
  int64_t warps = 0;
  /// How many pieces of each column a thread reads before it uses the first.
  int64_t stages = 0;

  int64_t threads() const { return warps * kWarp; }
  /// Sums of all warps, those of a row beside each other.
  SmallVector<int64_t, 3> sharedShape() const;
};

class FewRowsKernel : protected BlockKernel {
public:
  virtual ~FewRowsKernel() = default;

  /// Emits a `gpu.launch` with the kernel as its body.
  void emit();

protected:
  /// Lines of an operand (rows of lhs or of rhs) of which a thread reads
  /// `chunk` steps at once.
  struct Lines {
    cpu::StridedArray array;
    bool isFlatInSteps;
    Extents extents;
    SmallVector<Value> offsets;
  };

  /// `chunk` are the elements of a load. `stepsPerTurn` are the steps of k that
  /// a block takes in one turn of its loop. `hasOneRowBlock`: whether there are
  /// no more rows than a block has.
  FewRowsKernel(ImplicitLocOpBuilder &b, SegmentedContractionOpInterface op,
                const SegmentedContraction &contraction,
                const FewRowsTile &tile, int64_t chunk, int64_t stepsPerTurn,
                Type sumType, bool hasOneRowBlock);

  /// What sums begin with.
  virtual SmallVector<Value> createZeros() = 0;
  /// Adds the products of one term to `sums`.
  virtual SmallVector<Value> accumulateTerm(const cpu::TermArrays &term,
                                            ArrayRef<Value> sums) = 0;
  /// Writes this warp's sums to `shared`.
  virtual void stageSums(ArrayRef<Value> sums) = 0;

  /// Those of lhs, or of rhs, `places` after the block's first. Those that do
  /// not exist are the last one once more: nobody stores what comes of them.
  /// Of lines that a thread reads `count` of at once, there are whole such
  /// groups, and each place is the first of one.
  Lines getLines(const cpu::TermArrays &term, bool isLhs,
                 ArrayRef<Value> places, int64_t count = 1);
  /// What this thread reads of each line from `step` on; of rhs in such a way
  /// that lhs stays in the first-level cache.
  SmallVector<Value> load(const Lines &lines, Value step, bool isLhs);
  /// `chunk` elements from each line and `step` on, that lie beside each other;
  /// by `loadStreamed` or not.
  SmallVector<Value> loadChunks(const Lines &lines, Value step, int64_t chunk,
                                bool isStreamed);

  int64_t chunk;
  LoadPlan lhsPlan, rhsPlan;
  /// Whether rhs comes by `loadStreamed`.
  bool streamsRhs;
  /// Sums of all warps, of `sharedShape`.
  Value shared;
  /// Of this thread: its warp, and its place in it.
  Value warp, lane;

private:
  /// What a thread stores at once: one element of the result, or two.
  struct Item {
    Value row, isThere;
    SmallVector<Value> offsets, addends;
  };

  void emitBlock(const cpu::SegmentArrays &segment);
  SmallVector<Item> startItems(Epilogue &epilogue, const Extents &extents);
  SmallVector<Value> loadAddends(const Epilogue &epilogue, const Item &item);
  void store(const Epilogue &epilogue, const Item &item);

  const FewRowsTile &tile;
  bool hasOneRowBlock;
  /// Which columns this thread stores, counted from the block's first.
  Value storedColumn;
};

} // namespace mlir::boostr::gemv

#endif // BOOSTR_PASSES_GPU_GEMV_FEWROWSKERNEL_H
