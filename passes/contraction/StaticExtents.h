// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What is known of a contraction's size before it runs.

#ifndef BOOSTR_PASSES_CONTRACTION_STATICEXTENTS_H
#define BOOSTR_PASSES_CONTRACTION_STATICEXTENTS_H

#include "boostr/dialect/SegmentedContraction.h"

namespace mlir::boostr {

/// The product of the static extents of `dims`; `ShapedType::kDynamic` if one
/// is unknown or the product overflows.
int64_t getStaticProduct(const ContractionTerm &term, ArrayRef<unsigned> dims);

} // namespace mlir::boostr

#endif // BOOSTR_PASSES_CONTRACTION_STATICEXTENTS_H
