// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The frame of kernels for few steps of k, as in the gradient of the weight of
// few tokens, a sum of few outer products (ger is what BLAS calls one of them):
//
//   dW[n, k] = sum over few t of dY[t, n] * X[t, k]
//
// Writing the result takes all of the time, so it is written by 16 bytes a
// thread, in whole lines, and all that is added to it is asked for at once. A
// thread has the same columns of several rows, so that what it reads of rhs
// serves all of them.

#ifndef BOOSTR_PASSES_GPU_GEMV_FEWSTEPSKERNEL_H
#define BOOSTR_PASSES_GPU_GEMV_FEWSTEPSKERNEL_H

#include "boostr/passes/gpu/BlockKernel.h"

namespace mlir::boostr::gemv {

/// What a block of these kernels computes.
struct FewStepsTile {
  int64_t rows = 0, columns = 0;
  /// Steps that a thread reads before it uses the first.
  int64_t steps = 0;
  /// Rows of blocks that are walked together.
  int64_t group = 1;
  /// Columns of rhs, and rows of lhs, that a thread reads at once.
  int64_t chunk = 1, lhsChunk = 1;
};

class FewStepsKernel : protected BlockKernel {
public:
  virtual ~FewStepsKernel() = default;

  /// Emits a `gpu.launch` with the kernel as its body.
  void emit();

protected:
  FewStepsKernel(ImplicitLocOpBuilder &b, SegmentedContractionOpInterface op,
                 const SegmentedContraction &contraction,
                 const FewStepsTile &tile, int64_t threads, Type sumType);

  /// The first of this thread's `chunk` columns, from that of its block.
  virtual Value getColumnPlace() = 0;
  /// This thread's rows, from the first of its block.
  virtual SmallVector<Value> getRowPlaces() = 0;
  virtual SmallVector<Value> createZeros() = 0;
  virtual SmallVector<Value> accumulateTerm(const cpu::TermArrays &term,
                                            ArrayRef<Value> sums) = 0;
  /// Those of each row, vectors of `chunk`.
  virtual SmallVector<Value> arrangeSums(ArrayRef<Value> sums) = 0;

  /// Row `place` of the block, the first of `count`, all of which are there or
  /// none. Instead of those that are not there it is the last.
  Value getRow(Value place, int64_t count);
  /// Where `lhsChunk` rows, from that one of the block on, begin.
  Value getRowOffset(const cpu::TermArrays &term, Value place);
  /// Where this thread's columns begin; those that are not there are the last.
  Value getColumnOffset(const cpu::TermArrays &term);
  /// `count` elements that follow each other.
  Value loadChunk(const cpu::StridedArray &array, int64_t count,
                  Value rowOffset, Value stepOffset);

  /// The indices of the step after that of `indices`, so that none but the
  /// first is found by a division.
  SmallVector<Value> getNextIndices(const cpu::TermArrays &term,
                                    ValueRange indices);

private:
  void emitBlock(const cpu::SegmentArrays &segment);
  void storeProducts(const cpu::OutputArrays &output, const Extents &extents,
                     ArrayRef<Value> sums);
  void emitSumsOfLhs(const cpu::SegmentArrays &segment);
  Value sumLhs(const cpu::TermArrays &term, Value row, Value sum);

  const FewStepsTile &tile;
  int64_t threads;
  LoadPlan lhsPlan, rhsPlan;
  /// The first of this thread's columns.
  Value column;
};

} // namespace mlir::boostr::gemv

#endif // BOOSTR_PASSES_GPU_GEMV_FEWSTEPSKERNEL_H
