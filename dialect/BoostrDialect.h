// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef BOOSTR_DIALECT_BOOSTRDIALECT_H
#define BOOSTR_DIALECT_BOOSTRDIALECT_H

#include "mlir/IR/Dialect.h"

#include "boostr/dialect/BoostrDialect.h.inc"

#endif // BOOSTR_DIALECT_BOOSTRDIALECT_H
