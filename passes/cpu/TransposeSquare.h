// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A square of elements, transposed in registers.

#ifndef BOOSTR_PASSES_CPU_TRANSPOSESQUARE_H
#define BOOSTR_PASSES_CPU_TRANSPOSESQUARE_H

#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mlir::boostr::cpu {

/// Transposes as many vectors as each has elements, a power of two: in round d,
/// blocks of d x d elements off the diagonal change places, for d = 1, 2, 4,
/// ...
void transposeSquare(ImplicitLocOpBuilder &b, MutableArrayRef<Value> rows);

} // namespace mlir::boostr::cpu

#endif // BOOSTR_PASSES_CPU_TRANSPOSESQUARE_H
