// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef BOOSTR_DIALECT_BOOSTRATTRS_H
#define BOOSTR_DIALECT_BOOSTRATTRS_H

#include "boostr/dialect/BoostrDialect.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinTypes.h"

#include "boostr/dialect/BoostrEnums.h.inc"

#define GET_ATTRDEF_CLASSES
#include "boostr/dialect/BoostrAttrs.h.inc"

#endif // BOOSTR_DIALECT_BOOSTRATTRS_H
