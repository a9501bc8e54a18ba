// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The kernel for few rows where memory of rhs runs along n, as in the gradient
// of the input of few tokens: rhs is a weight that is read along its columns.
//
//   dX[t, k] = sum over terms, sum over n of dY[t, n] * W[n, k]
//
// A thread reads 16 bytes of a row of rhs's memory at a time, and has the sums
// of these columns for all rows. Threads beside each other read the columns of
// a block; such groups of threads share k:
//
//   group 0: steps 0 .. stages - 1; group 1: steps stages .. ; and so on
//
// Sums of the groups of a warp are exchanged between its threads, which add
// them in the order of a tree; then those of warps meet in shared memory.

#ifndef BOOSTR_PASSES_GPU_GEMV_GEMVTKERNEL_H
#define BOOSTR_PASSES_GPU_GEMV_GEMVTKERNEL_H

#include "boostr/passes/gpu/gemv/GemvtTile.h"

namespace mlir::boostr::gemv {

class GemvtKernel : public FewRowsKernel {
public:
  GemvtKernel(ImplicitLocOpBuilder &b, SegmentedContractionOpInterface op,
              const SegmentedContraction &contraction, const GemvtTile &tile,
              bool hasOneRowBlock = false);

private:
  /// Sums that a thread has after an exchange: those from `first` on, counted
  /// through the rows, and the columns of a row.
  struct Share {
    SmallVector<Value> sums;
    Value first;
  };

  SmallVector<Value> createZeros() override;
  SmallVector<Value> accumulateTerm(const cpu::TermArrays &term,
                                    ArrayRef<Value> sums) override;
  void stageSums(ArrayRef<Value> sums) override;

  SmallVector<Value> multiplySteps(const Lines &lhs, const Lines &rhs,
                                   Value step, int64_t stages, ValueRange sums);
  Share reduce(Share share, int64_t distance);

  const GemvtTile &tile;
};

} // namespace mlir::boostr::gemv

#endif // BOOSTR_PASSES_GPU_GEMV_GEMVTKERNEL_H
