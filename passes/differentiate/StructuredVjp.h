// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// One rule for all structured computation: elementwise ops, broadcasts,
// transposes, contractions and reductions are scalar functions applied at the
// points of an iteration space, and so are their gradients.

#ifndef BOOSTR_PASSES_DIFFERENTIATE_STRUCTUREDVJP_H
#define BOOSTR_PASSES_DIFFERENTIATE_STRUCTUREDVJP_H

#include "mlir/IR/AffineMap.h"
#include "mlir/IR/Builders.h"
#include "llvm/ADT/BitVector.h"

namespace mlir::boostr {

/// At each point `p` of a space of `numDims` dimensions, `body` is evaluated on
/// elements `inputs[i][inputMaps[i](p)]`, and what it yields goes to
/// `results[k][resultMaps[k](p)]`. A result whose map leaves out dimensions is
/// reduced over these, starting with its init.
struct StructuredFunction {
  /// Errors are reported here.
  Operation *op;
  unsigned numDims;
  /// An argument for each input; the terminator has an operand for each result.
  Block *body;
  SmallVector<Value> inputs;
  SmallVector<AffineMap> inputMaps;
  SmallVector<Value> results;
  SmallVector<AffineMap> resultMaps;
  /// Inputs from here on are the inits of the results, in their order. The
  /// number of inputs if there are none.
  unsigned firstInit;
};

/// Builds gradients as `DifferentiableOpInterface::vjp` does; bits and
/// gradients are those of the inputs.
///
/// The gradient of input `i` is
///
///   dx_i[M_i(p)] = sum over dimensions missing in M_i of
///                  sum_k (dbody_k/dx_i)(x(p))^T * dy_k[N_k(p)]
///
/// which is again structured: a contraction's is a `linalg.contract` with the
/// maps permuted, a sum's is a broadcast, a transpose's a transpose, and the
/// cotangent itself where nothing is to be done. Anything else is a
/// `linalg.generic`.
///
/// Reductions are sums (`acc + f(x)`, `acc - f(x)`) and extrema (`max`, `min`
/// of `acc` and `f(x)`, of which there is one winner for each result: the init,
/// or else the first of the largest in the order of iteration).
///
/// Sums accumulate in f32 for f16 and bf16.
LogicalResult differentiateStructured(OpBuilder &builder,
                                      const StructuredFunction &function,
                                      ArrayRef<Value> cotangents,
                                      const llvm::BitVector &needed,
                                      SmallVectorImpl<Value> &gradients);

} // namespace mlir::boostr

#endif // BOOSTR_PASSES_DIFFERENTIATE_STRUCTUREDVJP_H
