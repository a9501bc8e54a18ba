// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Derivatives of scalar arith and math ops. One table serves scalars in a
// function, the bodies of linalg ops, and the same ops on tensors.

#ifndef BOOSTR_PASSES_DIFFERENTIATE_ARITHMATHRULES_H
#define BOOSTR_PASSES_DIFFERENTIATE_ARITHMATHRULES_H

#include "mlir/IR/Builders.h"
#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/BitVector.h"

namespace mlir::boostr {

/// Computes the derivatives by the operands of `op`, which works on scalars and
/// may stand in another block than `builder`'s.
///
/// * `values` maps values of that other block to those to read here; values
/// that
///   it lacks are read as they are.
/// * `adjoints` has the derivative by each result in the wide type of the
/// result,
///   or null for zero.
/// * `needed` has a bit for each operand; `gradients` gets a value in the
///   operand's wide type for each needed operand, null for zero.
///
/// An op that is not in the table is asked for its `DifferentiableOpInterface`;
/// if it has none, an error is emitted at the op.
LogicalResult differentiateScalarOp(OpBuilder &builder, Operation *op,
                                    const IRMapping &values,
                                    ArrayRef<Value> adjoints,
                                    const llvm::BitVector &needed,
                                    SmallVectorImpl<Value> &gradients);

} // namespace mlir::boostr

#endif // BOOSTR_PASSES_DIFFERENTIATE_ARITHMATHRULES_H
