// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Whether this CPU can run a compiled function.

#ifndef BOOSTR_RUNTIME_CPUFEATURES_H
#define BOOSTR_RUNTIME_CPUFEATURES_H

#include "boostr/runtime/boostr_runtime.h"

#include <cstdint>

namespace boostr::runtime {

/// Those of `features` that this CPU lacks, or the system does not permit.
uint64_t findMissingCpuFeatures(uint64_t features);

/// The name of the first of `features`, as in "avx2"; null for none or one that
/// this runtime does not know.
const char *cpuFeatureName(uint64_t features);

/// BOOSTR_OK if the CPU has all `features` of boostr_function.cpu_features,
/// else BOOSTR_UNSUPPORTED, whose message names the first that is missing. Asks
/// the system to permit AMX to this process if that is one of them.
boostr_status checkCpuFeatures(uint64_t features);

} // namespace boostr::runtime

#endif // BOOSTR_RUNTIME_CPUFEATURES_H
