// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The kernel for few steps of any type: each thread has whole rows of a block,
// and multiplies for itself. What it reads of lhs is the same for all threads
// of the block.

#ifndef BOOSTR_PASSES_GPU_GEMV_GERKERNEL_H
#define BOOSTR_PASSES_GPU_GEMV_GERKERNEL_H

#include "boostr/passes/gpu/gemv/GerTile.h"

namespace mlir::boostr::gemv {

class GerKernel : public FewStepsKernel {
public:
  GerKernel(ImplicitLocOpBuilder &b, SegmentedContractionOpInterface op,
            const SegmentedContraction &contraction, const GerTile &tile);

private:
  /// What a thread reads of the operands of a term, in each step.
  struct Operands {
    const cpu::TermArrays &term;
    /// Where its pieces of rows, and its columns, begin.
    SmallVector<Value> rowOffsets;
    Value columnOffset;
  };
  /// Those of one step: a vector for each piece.
  struct Step {
    SmallVector<Value> lhs;
    Value rhs;
  };

  Value getColumnPlace() override;
  SmallVector<Value> getRowPlaces() override;
  SmallVector<Value> createZeros() override;
  SmallVector<Value> accumulateTerm(const cpu::TermArrays &term,
                                    ArrayRef<Value> sums) override;
  SmallVector<Value> arrangeSums(ArrayRef<Value> sums) override;

  Step load(const Operands &operands, ValueRange indices);
  void multiply(const Step &step, MutableArrayRef<Value> sums);
  SmallVector<Value> multiplySteps(const Operands &operands, int64_t count,
                                   ValueRange carried);

  const GerTile &tile;
};

} // namespace mlir::boostr::gemv

#endif // BOOSTR_PASSES_GPU_GEMV_GERKERNEL_H
