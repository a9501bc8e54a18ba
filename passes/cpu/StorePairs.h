// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The way out of transposed f32 sums as bf16, two columns at a time.

#ifndef BOOSTR_PASSES_CPU_STOREPAIRS_H
#define BOOSTR_PASSES_CPU_STOREPAIRS_H

#include "boostr/passes/cpu/Epilogue.h"

namespace mlir::boostr::cpu {

/// Adds what is to be added to the rows from `firstRow` to before `endRow`,
/// rounds and stores. Rounded sums of neighbouring columns are one lane, so
/// that half as many vectors are transposed. `epilogue.storesPairs` is true.
void storePairs(ImplicitLocOpBuilder &b, const Epilogue &epilogue,
                Value firstRow, Value endRow);

} // namespace mlir::boostr::cpu

#endif // BOOSTR_PASSES_CPU_STOREPAIRS_H
