// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The kernel for 2 to 16 rows of f16 or bf16, as when several tokens are
// decoded, or guesses of them are checked: tensor cores multiply, so that
// reading rhs (the weight) still takes all of the time.
//
// Operands go from global memory straight to where the instruction wants them.
// It takes k in any order that both operands have in common: a thread reads 8
// steps that follow each other, in 16 bytes, as what it has of two
// instructions.

#ifndef BOOSTR_PASSES_GPU_GEMV_SKINNYKERNEL_H
#define BOOSTR_PASSES_GPU_GEMV_SKINNYKERNEL_H

#include "boostr/passes/gpu/gemv/SkinnyTile.h"
#include "boostr/passes/gpu/gemv/WarpProductKernel.h"

namespace mlir::boostr::gemv {

class SkinnyKernel : public WarpProductKernel {
public:
  SkinnyKernel(ImplicitLocOpBuilder &b, SegmentedContractionOpInterface op,
               const SegmentedContraction &contraction, const SkinnyTile &tile,
               bool hasOneRowBlock = false);

private:
  SmallVector<Value> createZeros() override;
  SmallVector<Value> accumulateTerm(const cpu::TermArrays &term,
                                    ArrayRef<Value> sums) override;
  void stageSums(ArrayRef<Value> sums) override;
  SmallVector<Value> loadStage(const Lines &lines, Value step,
                               bool isLhs) override;
  SmallVector<Type> getStageTypes(const Lines &lines, bool isLhs) override;
  void multiply(ArrayRef<Value> lhs, ArrayRef<Value> rhs,
                SmallVector<Value> &sums) override;

  const SkinnyTile &tile;
};

} // namespace mlir::boostr::gemv

#endif // BOOSTR_PASSES_GPU_GEMV_SKINNYKERNEL_H
