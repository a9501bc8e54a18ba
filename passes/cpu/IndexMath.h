// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Index arithmetic and loops for code that emits code. Constants fold at once,
// so that what is static leaves no trace in the output.

#ifndef BOOSTR_PASSES_CPU_INDEXMATH_H
#define BOOSTR_PASSES_CPU_INDEXMATH_H

#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mlir::boostr::cpu {

Value toValue(ImplicitLocOpBuilder &b, OpFoldResult value);
Value constant(ImplicitLocOpBuilder &b, int64_t value);

OpFoldResult add(ImplicitLocOpBuilder &b, OpFoldResult x, OpFoldResult y);
OpFoldResult sub(ImplicitLocOpBuilder &b, OpFoldResult x, OpFoldResult y);
OpFoldResult mul(ImplicitLocOpBuilder &b, OpFoldResult x, OpFoldResult y);
/// `x / y` rounded up, for non-negative x.
OpFoldResult ceilDiv(ImplicitLocOpBuilder &b, OpFoldResult x, int64_t y);
OpFoldResult ceilDiv(ImplicitLocOpBuilder &b, OpFoldResult x, OpFoldResult y);
/// `x / y` and `x % y`, for non-negative x.
OpFoldResult div(ImplicitLocOpBuilder &b, OpFoldResult x, int64_t y);
OpFoldResult div(ImplicitLocOpBuilder &b, OpFoldResult x, OpFoldResult y);
OpFoldResult rem(ImplicitLocOpBuilder &b, OpFoldResult x, int64_t y);
/// Of numbers that are not negative.
OpFoldResult min(ImplicitLocOpBuilder &b, OpFoldResult x, OpFoldResult y);
OpFoldResult max(ImplicitLocOpBuilder &b, OpFoldResult x, OpFoldResult y);

/// Elements of a line of the cache.
int64_t getLineElements(Type elementType);

/// `for i in [0, count)`, by `step`.
void forLoop(ImplicitLocOpBuilder &b, OpFoldResult count,
             llvm::function_ref<void(Value)> body, int64_t step = 1);
void forLoop(ImplicitLocOpBuilder &b, OpFoldResult begin, OpFoldResult end,
             llvm::function_ref<void(Value)> body, int64_t step = 1);
void forLoop(ImplicitLocOpBuilder &b, OpFoldResult begin, OpFoldResult end,
             llvm::function_ref<void(Value)> body, OpFoldResult step);

/// `if condition { ifTrue } else { ifFalse }`; `ifFalse` may be null.
void ifElse(ImplicitLocOpBuilder &b, Value condition,
            llvm::function_ref<void()> ifTrue,
            llvm::function_ref<void()> ifFalse = {});

/// `value`, a float or a vector of floats, with elements of type `elementType`.
Value convertFloat(ImplicitLocOpBuilder &b, Value value, Type elementType);

/// The first and the second elements of a vector of pairs of bf16, as vectors
/// of f32. A bf16 is the upper half of an f32.
std::pair<Value, Value> splitPairs(ImplicitLocOpBuilder &b, Value pairs);
/// The vector of pairs of bf16 that two vectors of f32 are rounded to, as a
/// vector of f32.
Value joinPairs(ImplicitLocOpBuilder &b, Value first, Value second);

} // namespace mlir::boostr::cpu

#endif // BOOSTR_PASSES_CPU_INDEXMATH_H
