// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Differentiation rules for the upstream dialects. The boostr ops implement
// the interface themselves.

#ifndef BOOSTR_PASSES_DIFFERENTIATE_EXTERNALMODELS_H
#define BOOSTR_PASSES_DIFFERENTIATE_EXTERNALMODELS_H

namespace mlir {
class DialectRegistry;
} // namespace mlir

namespace mlir::boostr {

/// Arithmetic and math ops, on scalars and, elementwise, on tensors.
void registerArithMathDifferentiation(DialectRegistry &registry);
/// The structured ops of linalg, and linalg.softmax.
void registerLinalgDifferentiation(DialectRegistry &registry);
/// Reshapes, slices, casts, padding and concatenation of tensors.
void registerTensorDifferentiation(DialectRegistry &registry);

/// All of the above: what a tool that runs `boostr-differentiate` registers.
void registerDifferentiationExternalModels(DialectRegistry &registry);

} // namespace mlir::boostr

#endif // BOOSTR_PASSES_DIFFERENTIATE_EXTERNALMODELS_H
