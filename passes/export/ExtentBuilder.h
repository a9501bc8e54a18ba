// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Extents of tensors as functions of other extents.

#ifndef BOOSTR_PASSES_EXPORT_EXTENTBUILDER_H
#define BOOSTR_PASSES_EXPORT_EXTENTBUILDER_H

#include "mlir/IR/Builders.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/DenseSet.h"

namespace mlir::boostr {

/// Computes extents of the tensors of a function outside of it, from the
/// extents of its arguments alone. What ops know about their shapes
/// (`ReifyRankedShapedTypeOpInterface`, destinations, loops) is read from them;
/// index arithmetic is cloned.
///
/// The function is scratch: reifying shapes leaves new ops in it.
class ExtentBuilder {
public:
  /// `builder` is where the extents are computed.
  explicit ExtentBuilder(OpBuilder &builder) : builder(builder) {}

  /// Says that `extents` are those of the tensor `argument`.
  void bind(Value argument, ArrayRef<OpFoldResult> extents);

  /// Extent of dimension `dim` of `tensor`: an index attribute or an index
  /// value at `builder`. Fails with a diagnostic at the op that hides it.
  FailureOr<OpFoldResult> getExtent(Value tensor, int64_t dim);

  /// The integer or index `value`, moved to `builder`. Fails as `getExtent`.
  FailureOr<OpFoldResult> getScalar(OpFoldResult value);

  /// As `getScalar`, without a diagnostic.
  FailureOr<OpFoldResult> tryGetScalar(OpFoldResult value);

  /// Arithmetic at `builder`, folded if possible.
  OpFoldResult add(Location loc, OpFoldResult lhs, OpFoldResult rhs);
  OpFoldResult multiply(Location loc, OpFoldResult lhs, OpFoldResult rhs);

  /// What the extents computed so far divide by.
  struct Divisor {
    OpFoldResult value;
    Operation *op;
  };
  ArrayRef<Divisor> getDivisors() const { return divisors; }

private:
  InFlightDiagnostic emit(Location loc);
  LogicalResult emitHidden(Value tensor, int64_t dim);
  FailureOr<OpFoldResult> computeExtent(OpResult tensor, int64_t dim);
  FailureOr<OpFoldResult> reifyExtent(OpResult tensor, int64_t dim);
  FailureOr<OpFoldResult> getLoopExtent(Value init, Value argument,
                                        Value yielded, int64_t dim);
  FailureOr<OpFoldResult> getBranchExtent(OpResult tensor, int64_t dim);
  FailureOr<OpFoldResult> getArgumentExtent(BlockArgument tensor, int64_t dim);
  LogicalResult cloneScalarOp(Operation *op);
  OpFoldResult avoidZero(Operation *division, OpFoldResult divisor);
  void simplify(Operation *op, SmallVectorImpl<OpFoldResult> &results);
  template <typename OpTy>
  OpFoldResult create(Location loc, OpFoldResult lhs, OpFoldResult rhs);
  Value materialize(Location loc, OpFoldResult value);

  /// Ops that compute the same from the same.
  struct SameOp : llvm::DenseMapInfo<Operation *> {
    static unsigned getHashValue(const Operation *op);
    static bool isEqual(const Operation *lhs, const Operation *rhs);
  };

  OpBuilder &builder;
  bool isQuiet = false;
  /// What has been made at `builder`, so that equal extents are one value.
  llvm::DenseSet<Operation *, SameOp> known;
  llvm::DenseMap<std::pair<Value, int64_t>, OpFoldResult> extents;
  llvm::DenseMap<Value, OpFoldResult> scalars;
  llvm::DenseMap<Operation *, ReifiedRankedShapedTypeDims> reified;
  SmallVector<Divisor> divisors;
};

} // namespace mlir::boostr

#endif // BOOSTR_PASSES_EXPORT_EXTENTBUILDER_H
