// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Who of several blocks is the last to arrive at a place.

#ifndef BOOSTR_PASSES_GPU_COUNTARRIVALS_H
#define BOOSTR_PASSES_GPU_COUNTARRIVALS_H

#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mlir::boostr {

/// Bytes of a flag in global memory.
inline constexpr int64_t kFlagBytes = 8;

/// Memory of all threads on the device, as LLVM calls it.
inline constexpr StringLiteral kDeviceScope = "device";

/// Code of a thread: one more of at most `most` arrivals at the i64 that `flag`
/// points to, which counts from `start` on; what it has else is none. Returns
/// the number of arrivals. Who arrives sees what was written before by those
/// who arrived before. Numbers are i64.
Value countArrivals(ImplicitLocOpBuilder &b, Value flag, Value start,
                    Value most);

} // namespace mlir::boostr

#endif // BOOSTR_PASSES_GPU_COUNTARRIVALS_H
