// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The one function that makes the passes and pipelines known.

#ifndef BOOSTR_PASSES_REGISTER_H
#define BOOSTR_PASSES_REGISTER_H

#include "mlir/IR/DialectRegistry.h"

namespace mlir::boostr {

/// Registers every pass and pipeline of this project by name.
void registerPassesAndPipelines();

/// Registers the dialect, the differentiation rules of other dialects, and what
/// the pipelines need of upstream dialects.
void registerDialects(DialectRegistry &registry);

} // namespace mlir::boostr

#endif // BOOSTR_PASSES_REGISTER_H
