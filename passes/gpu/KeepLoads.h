// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Loads of kernels that are begun where they are written.

#ifndef BOOSTR_PASSES_GPU_KEEPLOADS_H
#define BOOSTR_PASSES_GPU_KEEPLOADS_H

#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mlir::boostr {

/// Keeps loads before this point before it: no load crosses a barrier of the
/// warp. Without, ptxas moves each to where it is used, to save registers, and
/// few are under way. All threads of the warp must be here.
void keepLoadsBefore(ImplicitLocOpBuilder &b);

} // namespace mlir::boostr

#endif // BOOSTR_PASSES_GPU_KEEPLOADS_H
