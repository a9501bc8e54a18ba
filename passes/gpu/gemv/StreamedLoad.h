// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Loads of what a kernel reads once, as a weight for few tokens.

#ifndef BOOSTR_PASSES_GPU_GEMV_STREAMEDLOAD_H
#define BOOSTR_PASSES_GPU_GEMV_STREAMEDLOAD_H

#include "boostr/dialect/BoostrAttrs.h"
#include "boostr/passes/cpu/StridedArray.h"

namespace mlir::boostr::gemv {

/// Whether a load may have so many bytes.
inline bool canStream(int64_t bytes) { return bytes == 16 || bytes == 8; }

/// Whether the target of the module around `op` has such loads: sm_89 and
/// newer, by the version of PTX that is written for them.
bool hasStreamedLoads(Operation *op);

/// The 16 or 8 bytes of `array` from element `offset` on, a multiple of as
/// many, as a vector of `type`. The L1 cache does not keep them, so that what
/// is read again stays there, and the L2 cache asks for 256 bytes at once. The
/// load keeps its place among barriers.
Value loadStreamed(ImplicitLocOpBuilder &b, const cpu::StridedArray &array,
                   VectorType type, Value offset);

} // namespace mlir::boostr::gemv

#endif // BOOSTR_PASSES_GPU_GEMV_STREAMEDLOAD_H
