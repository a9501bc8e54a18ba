// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The kernel for few rows by multiply-adds, as when one token is decoded.
//
// It computes whatever has a product, but where memory of the operands does not
// run along k, it is slow.

#ifndef BOOSTR_PASSES_GPU_GEMV_GEMVKERNEL_H
#define BOOSTR_PASSES_GPU_GEMV_GEMVKERNEL_H

#include "boostr/passes/gpu/gemv/GemvTile.h"

namespace mlir::boostr::gemv {

class GemvKernel : public FewRowsKernel {
public:
  GemvKernel(ImplicitLocOpBuilder &b, SegmentedContractionOpInterface op,
             const SegmentedContraction &contraction, const GemvTile &tile,
             bool hasOneRowBlock = false);

private:
  SmallVector<Value> createZeros() override;
  SmallVector<Value> accumulateTerm(const cpu::TermArrays &term,
                                    ArrayRef<Value> sums) override;
  void stageSums(ArrayRef<Value> sums) override;

  void multiply(ArrayRef<Value> lhs, ArrayRef<Value> rhs,
                SmallVector<Value> &sums);
  SmallVector<Value> multiplySteps(const Lines &lhs, const Lines &rhs,
                                   Value step, int64_t stages, ValueRange sums);
  Value reduce(Value sums);

  const GemvTile &tile;
};

} // namespace mlir::boostr::gemv

#endif // BOOSTR_PASSES_GPU_GEMV_GEMVKERNEL_H
