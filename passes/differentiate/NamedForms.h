// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Gradients are built as linalg.generic; those with a simpler form get it.

#ifndef BOOSTR_PASSES_DIFFERENTIATE_NAMEDFORMS_H
#define BOOSTR_PASSES_DIFFERENTIATE_NAMEDFORMS_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"

namespace mlir::boostr {

/// Replaces `generic`, which has one result without uses, by
/// * its input, if it copies that as it is;
/// * `linalg.transpose` or `linalg.broadcast`, if it copies its input so;
/// * `linalg.contract`, if it sums products of two inputs, possibly extended,
///   over maps which that op admits;
/// or leaves it. Returns the value that stands for the result.
Value replaceByNamedForm(OpBuilder &builder, linalg::GenericOp generic);

} // namespace mlir::boostr

#endif // BOOSTR_PASSES_DIFFERENTIATE_NAMEDFORMS_H
