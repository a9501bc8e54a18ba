// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The `--target` option that tools share.

#ifndef BOOSTR_PASSES_DRIVER_TARGETOPTION_H
#define BOOSTR_PASSES_DRIVER_TARGETOPTION_H

#include "boostr/passes/Pipelines.h"
#include "mlir/IR/MLIRContext.h"

namespace mlir::boostr {

/// Sets `options` for `cpu` (this machine) or `cpu:NAME,+FEATURE,-FEATURE,...`.
/// Without a NAME, features are added to plain x86-64. Reports an error for any
/// other target; names are checked when the target is set.
LogicalResult parseTarget(StringRef target, CpuPipelineOptions &options,
                          MLIRContext *context);

} // namespace mlir::boostr

#endif // BOOSTR_PASSES_DRIVER_TARGETOPTION_H
