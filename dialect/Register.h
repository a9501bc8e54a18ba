// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The one function that makes the dialect known; tools, plugin and hosts call
// it.

#ifndef BOOSTR_DIALECT_REGISTER_H
#define BOOSTR_DIALECT_REGISTER_H

#include "mlir/IR/DialectRegistry.h"

namespace mlir::boostr {

/// Registers the boostr dialect.
void registerDialect(DialectRegistry &registry);

} // namespace mlir::boostr

#endif // BOOSTR_DIALECT_REGISTER_H
