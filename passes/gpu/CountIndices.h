// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Extents of a contraction as values of the host, which decides by them what it
// launches.

#ifndef BOOSTR_PASSES_GPU_COUNTINDICES_H
#define BOOSTR_PASSES_GPU_COUNTINDICES_H

#include "boostr/dialect/SegmentedContraction.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mlir::boostr {

/// The product of the extents of `dims` of a term.
Value countIndices(ImplicitLocOpBuilder &b,
                   const SegmentedContraction &contraction,
                   const ContractionTerm &term, ArrayRef<unsigned> dims);

/// The number of rows of the contraction's result, in its first segment.
Value countRows(ImplicitLocOpBuilder &b,
                const SegmentedContraction &contraction);

Value isAtMost(ImplicitLocOpBuilder &b, Value number, int64_t limit);

} // namespace mlir::boostr

#endif // BOOSTR_PASSES_GPU_COUNTINDICES_H
