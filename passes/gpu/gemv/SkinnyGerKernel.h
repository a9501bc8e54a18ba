// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The kernel for few steps of f16 or bf16, by tensor cores: multiply-adds of
// threads would take longer than writing the result.
//
// As in `SkinnyGemvtKernel`, columns of the result are rows of the instruction,
// and elements of two steps at the same column, or row, are what it takes as a
// pair. A thread reads four steps, in any order of k that both operands have in
// common, and writes 16 bytes of each of its rows; eight threads write a line.
//
//   thread 4 g + t:     columns 8 g .. 8 g + 7, and rows r g .. r g + r - 1, of
//                       steps 4 t .. 4 t + 3, r an eighth of the rows
//   instruction (i, j): column 8 g + 2 i and the next; rows r n + j, n = 0 .. 7

#ifndef BOOSTR_PASSES_GPU_GEMV_SKINNYGERKERNEL_H
#define BOOSTR_PASSES_GPU_GEMV_SKINNYGERKERNEL_H

#include "boostr/passes/gpu/gemv/SkinnyGerTile.h"

namespace mlir::boostr::gemv {

class SkinnyGerKernel : public FewStepsKernel {
public:
  SkinnyGerKernel(ImplicitLocOpBuilder &b, SegmentedContractionOpInterface op,
                  const SegmentedContraction &contraction,
                  const SkinnyGerTile &tile);

private:
  Value getColumnPlace() override;
  SmallVector<Value> getRowPlaces() override;
  SmallVector<Value> createZeros() override;
  SmallVector<Value> accumulateTerm(const cpu::TermArrays &term,
                                    ArrayRef<Value> sums) override;
  SmallVector<Value> arrangeSums(ArrayRef<Value> sums) override;

  SmallVector<Value> loadSteps(const cpu::TermArrays &term, Value first,
                               Value numSteps, ArrayRef<Value> rowOffsets,
                               Value columnOffset);
  SmallVector<Value> multiply(ArrayRef<Value> steps, ValueRange sums);

  const SkinnyGerTile &tile;
};

} // namespace mlir::boostr::gemv

#endif // BOOSTR_PASSES_GPU_GEMV_SKINNYGERKERNEL_H
