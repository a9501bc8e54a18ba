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

namespace mlir::boostr {

/// Whether panels hold bf16 as it is, two steps of k in a lane, of which the
/// products are added at once; else the type of the sums.
inline bool multipliesPairs(CpuKernel kernel) {
  return kernel != CpuKernel::Fma;
}

} // namespace mlir::boostr

#endif // BOOSTR_DIALECT_BOOSTRATTRS_H
