// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Products of a warp by tensor cores (`mma.sync`), and which chips have them.

#ifndef BOOSTR_PASSES_GPU_MMA_INSTRUCTION_H
#define BOOSTR_PASSES_GPU_MMA_INSTRUCTION_H

#include "boostr/dialect/BoostrAttrs.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mlir::boostr::mma {

/// One `mma.sync`: `rows x columns` sums of a warp, over `steps` steps of k.
/// Thread `4 * g + t` of the warp has elements at rows `g + 8 * p` (columns of
/// rhs alike) and steps `t + 4 * q` of 32 and 64 bits, or the pairs at steps
/// `2 * t + 8 * q` of 16 bits; and sums at columns `2 * t` and `2 * t + 1`.
struct Instruction {
  int64_t rows = 0, columns = 0, steps = 0;
};

/// The generation of `target`, 80 for `sm_80`; 0 if that is not known.
int64_t getGeneration(GpuTargetAttr target);

/// The sums of a thread, by rows.
VectorType getSumsType(const Instruction &shape, Type sumType);

/// `sums` with the product of `lhs` and `rhs` added: a thread's operands of one
/// instruction, by `q`, then `p`. They are pairs of `elementType` (of bf16 as
/// i32), TF32 as i32, or f64.
Value emitProduct(ImplicitLocOpBuilder &b, const Instruction &shape,
                  Type elementType, ArrayRef<Value> lhs, ArrayRef<Value> rhs,
                  Value sums);

/// Elements `2 * number` and the next of a vector of 16-bit elements, as
/// `emitProduct` takes them.
Value getPair(ImplicitLocOpBuilder &b, Value elements, int64_t number);

} // namespace mlir::boostr::mma

#endif // BOOSTR_PASSES_GPU_MMA_INSTRUCTION_H
