// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How many threads share the tasks of emitted code.

#ifndef BOOSTR_PASSES_CPU_NUMTHREADS_H
#define BOOSTR_PASSES_CPU_NUMTHREADS_H

#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mlir::boostr::cpu {

/// Emits a call of the runtime's `boostr_num_threads`, which it declares unless
/// the module does. At least 1: a guess where an executor of the host decides.
Value getNumThreads(ImplicitLocOpBuilder &b);

} // namespace mlir::boostr::cpu

#endif // BOOSTR_PASSES_CPU_NUMTHREADS_H
