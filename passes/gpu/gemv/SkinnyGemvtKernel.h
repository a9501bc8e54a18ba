// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The gemvt kernel for several rows of f16 or bf16, by tensor cores, so that
// reading rhs still takes all of the time.
//
// A thread reads pieces of four rows of rhs's memory, which are steps of k that
// follow each other. Elements of two of them at the same column are what the
// instruction takes as a pair; an instruction has two columns of each thread:
//
//   thread 4 g + t: columns g c .. g c + c - 1 of steps 4 t .. 4 t + 3
//   instruction i:  row g is column g c + 2 i, row g + 8 is the next
//
// It takes k in any order that both operands have in common, so 8 bytes of lhs
// are all that a thread needs of a row of it.

#ifndef BOOSTR_PASSES_GPU_GEMV_SKINNYGEMVTKERNEL_H
#define BOOSTR_PASSES_GPU_GEMV_SKINNYGEMVTKERNEL_H

#include "boostr/passes/gpu/gemv/SkinnyGemvtTile.h"
#include "boostr/passes/gpu/gemv/WarpProductKernel.h"

namespace mlir::boostr::gemv {

class SkinnyGemvtKernel : public WarpProductKernel {
public:
  SkinnyGemvtKernel(ImplicitLocOpBuilder &b, SegmentedContractionOpInterface op,
                    const SegmentedContraction &contraction,
                    const SkinnyGemvtTile &tile, bool hasOneRowBlock = false);

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

  const SkinnyGemvtTile &tile;
};

} // namespace mlir::boostr::gemv

#endif // BOOSTR_PASSES_GPU_GEMV_SKINNYGEMVTKERNEL_H
