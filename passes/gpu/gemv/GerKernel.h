// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The kernel for few steps of k, as in the gradient of the weight of few
// tokens, a sum of few outer products (ger is what BLAS calls one of them):
//
//   dW[n, k] = sum over few t of dY[t, n] * X[t, k]
//
// Writing the result takes all of the time, so it is written by 16 bytes a
// thread, in whole lines, and all that is added to it is asked for at once. A
// thread has a piece of several rows: what it reads of rhs serves all of them,
// and what it reads of lhs is the same for all threads of a block.

#ifndef BOOSTR_PASSES_GPU_GEMV_GERKERNEL_H
#define BOOSTR_PASSES_GPU_GEMV_GERKERNEL_H

#include "boostr/passes/gpu/BlockKernel.h"
#include "boostr/passes/gpu/gemv/GerTile.h"

namespace mlir::boostr::gemv {

class GerKernel : BlockKernel {
public:
  GerKernel(ImplicitLocOpBuilder &b, SegmentedContractionOpInterface op,
            const SegmentedContraction &contraction, const GerTile &tile);

  /// Emits a `gpu.launch` with the kernel as its body.
  void emit();

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

  void emitBlock(const cpu::SegmentArrays &segment);
  SmallVector<Value> accumulateTerm(const cpu::TermArrays &term,
                                    ArrayRef<Value> sums);
  Operands getOperands(const cpu::TermArrays &term);
  Step load(const Operands &operands, Value index);
  SmallVector<Value> multiplySteps(const Operands &operands, Value first,
                                   int64_t count, ValueRange sums);
  void multiply(const Step &step, SmallVector<Value> &sums);
  void storeProducts(const cpu::OutputArrays &output, const Extents &extents,
                     ArrayRef<Value> sums);
  void emitSumsOfLhs(const cpu::SegmentArrays &segment);
  Value sumLhs(const cpu::TermArrays &term, Value row, Value sum);
  Value getRow(int64_t place, int64_t count);

  const GerTile &tile;
  LoadPlan lhsPlan, rhsPlan;
  /// Whether each segment is known to have whole blocks of rows.
  bool hasAllRows;
  /// The first of this thread's columns.
  Value column;
};

} // namespace mlir::boostr::gemv

#endif // BOOSTR_PASSES_GPU_GEMV_GERKERNEL_H
