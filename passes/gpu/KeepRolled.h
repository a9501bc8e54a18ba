// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Loops of kernels that stay as they are written.

#ifndef BOOSTR_PASSES_GPU_KEEPROLLED_H
#define BOOSTR_PASSES_GPU_KEEPROLLED_H

#include "mlir/Dialect/SCF/IR/SCF.h"

namespace mlir::boostr {

/// Keeps LLVM from unrolling and peeling `loop`. An iteration has enough to do
/// in parallel; several run out of registers, and each takes long to assemble.
void keepRolled(scf::ForOp loop);

} // namespace mlir::boostr

#endif // BOOSTR_PASSES_GPU_KEEPROLLED_H
