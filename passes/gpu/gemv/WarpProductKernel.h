// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What kernels for several rows have in common whose warps multiply by tensor
// cores: turns of k, in which every warp has stages of its own.

#ifndef BOOSTR_PASSES_GPU_GEMV_WARPPRODUCTKERNEL_H
#define BOOSTR_PASSES_GPU_GEMV_WARPPRODUCTKERNEL_H

#include "boostr/passes/gpu/gemv/FewRowsKernel.h"

namespace mlir::boostr::gemv {

class WarpProductKernel : public FewRowsKernel {
protected:
  /// `stageSteps` are the steps of k of a stage, `threadSteps` those of them
  /// that a thread has, beside each other; four threads have all.
  WarpProductKernel(ImplicitLocOpBuilder &b, SegmentedContractionOpInterface op,
                    const SegmentedContraction &contraction,
                    const FewRowsTile &tile, int64_t chunk, int64_t stageSteps,
                    int64_t threadSteps, bool hasOneRowBlock);

  /// What this thread reads of an operand for the stage at `step`.
  virtual SmallVector<Value> loadStage(const Lines &lines, Value step,
                                       bool isLhs) = 0;
  /// The types of these values.
  virtual SmallVector<Type> getStageTypes(const Lines &lines, bool isLhs) = 0;
  /// Adds the products of a stage to `sums`.
  virtual void multiply(ArrayRef<Value> lhs, ArrayRef<Value> rhs,
                        SmallVector<Value> &sums) = 0;

  /// Adds the products of all steps to `sums`.
  SmallVector<Value> accumulateSteps(const Lines &lhs, const Lines &rhs,
                                     Value numSteps, ArrayRef<Value> sums);

private:
  SmallVector<Value> multiplyTurn(const Lines &lhs, const Lines &rhs,
                                  Value step, ValueRange sums);
  SmallVector<Value> multiplyRest(const Lines &lhs, const Lines &rhs,
                                  Value step, Value numSteps, ValueRange sums);

  int64_t numWarps, numStages, stageSteps, threadSteps;
};

} // namespace mlir::boostr::gemv

#endif // BOOSTR_PASSES_GPU_GEMV_WARPPRODUCTKERNEL_H
