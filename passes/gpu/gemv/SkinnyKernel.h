// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The kernel for 2 to 16 rows of f16 or bf16, as when several tokens are
// decoded, or guesses of them are checked: tensor cores multiply, so that
// reading rhs (the weight) still takes all of the time.
//
//   for each turn: ask for rhs, then for lhs; multiply
//   sums -> shared memory -> add those of all warps, which share k; store
//
// Operands go from global memory straight to where the instruction wants them.
// It takes k in any order that both operands have in common: a thread reads 8
// steps that follow each other, in 16 bytes, as what it has of two
// instructions.

#ifndef BOOSTR_PASSES_GPU_GEMV_SKINNYKERNEL_H
#define BOOSTR_PASSES_GPU_GEMV_SKINNYKERNEL_H

#include "boostr/passes/gpu/BlockKernel.h"
#include "boostr/passes/gpu/gemv/SkinnyTile.h"

namespace mlir::boostr::gemv {

class SkinnyKernel : BlockKernel {
public:
  SkinnyKernel(ImplicitLocOpBuilder &b, SegmentedContractionOpInterface op,
               const SegmentedContraction &contraction, const SkinnyTile &tile,
               bool hasOneRowBlock = false);

  /// Emits a `gpu.launch` with the kernel as its body.
  void emit();

private:
  /// Rows of an operand that a thread reads, 8 apart.
  struct Lines {
    cpu::StridedArray array;
    LoadPlan plan;
    Extents extents;
    SmallVector<Value> offsets;
  };
  /// What a thread stores at once: one element of the result, or two.
  struct Item {
    Value row, isThere;
    SmallVector<Value> offsets, addends;
  };

  void emitBlock(const cpu::SegmentArrays &segment);
  SmallVector<Value> accumulateTerm(const cpu::TermArrays &term,
                                    ArrayRef<Value> sums);
  Lines getLines(const LoadPlan &plan, const cpu::StridedArray &array,
                 ArrayRef<unsigned> dims, const Extents &extents, Value first,
                 Value end, int64_t count);
  void load(const Lines &lines, Value step, bool isStreamed,
            SmallVector<Value> &chunks);
  void multiply(ArrayRef<Value> lhs, ArrayRef<Value> rhs,
                SmallVector<Value> &sums);
  SmallVector<Value> multiplyTurn(const Lines &lhs, const Lines &rhs,
                                  Value step, ValueRange sums);
  SmallVector<Value> multiplyRest(const Lines &lhs, const Lines &rhs,
                                  Value step, Value numSteps, ValueRange sums);

  SmallVector<Item> startItems(Epilogue &epilogue, const Extents &extents);
  SmallVector<Value> loadAddends(const Epilogue &epilogue, const Item &item);
  void stageSums(ArrayRef<Value> sums);
  void store(const Epilogue &epilogue, const Item &item);

  const SkinnyTile &tile;
  /// Whether rhs comes by `loadStreamed`.
  bool streamsRhs;
  bool hasOneRowBlock;
  LoadPlan lhsPlan, rhsPlan;
  /// Sums of all warps; which of its columns this thread stores.
  Value shared, storedColumn;
  /// Of this thread: its warp, and its place in groups of four of it (`g` and
  /// `t` of `mma::Instruction`).
  Value warp, group, inGroup;
};

} // namespace mlir::boostr::gemv

#endif // BOOSTR_PASSES_GPU_GEMV_SKINNYKERNEL_H
