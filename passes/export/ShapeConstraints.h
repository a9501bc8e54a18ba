// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a function's ops demand of the extents of its arguments.

#ifndef BOOSTR_PASSES_EXPORT_SHAPECONSTRAINTS_H
#define BOOSTR_PASSES_EXPORT_SHAPECONSTRAINTS_H

#include "boostr/dialect/SegmentedContraction.h"
#include "boostr/passes/export/ExtentBuilder.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/EquivalenceClasses.h"
#include <string>

namespace mlir::boostr {

/// `lhs` equals `rhs`, is at most `rhs`, or is something else than `rhs`. Both
/// are of the same type.
struct ShapeConstraint {
  enum Kind { Equal, AtMost, Differ };
  Kind kind = Equal;
  OpFoldResult lhs, rhs;
  Location loc;
  /// In words that follow "expected that".
  std::string text;
};

/// Collects constraints, op by op, in the order of the function. Leaves out
/// what holds anyway, and what follows from equalities collected before.
class ShapeConstraints {
public:
  /// `names` says what the extents of arguments are called.
  ShapeConstraints(ExtentBuilder &extents,
                   const llvm::DenseMap<Value, std::string> &names)
      : extents(extents), names(names) {}

  /// Adds what `op` demands. Fails with a diagnostic if an extent that it
  /// constrains cannot be computed.
  LogicalResult addOp(Operation *op);

  /// Adds that nothing divides by zero in the extents computed so far.
  void addDivisors();

  ArrayRef<ShapeConstraint> get() const { return constraints; }

private:
  /// An operand or result of an op.
  struct Place {
    Place() = default;
    Place(OpOperand &operand)
        : tensor(operand.get()), op(operand.getOwner()), kind("operand"),
          number(operand.getOperandNumber()) {}
    Place(OpResult result)
        : tensor(result), op(result.getOwner()), kind("result"),
          number(result.getResultNumber()) {}

    Value tensor;
    Operation *op = nullptr;
    StringRef kind;
    unsigned number = 0;
  };
  /// The extent of a dimension, and where it is.
  struct Extent {
    OpFoldResult value;
    Place place;
    int64_t dim = 0;
    /// If not 1: the product of so many dimensions.
    int64_t numFactors = 1;
  };
  /// For each dimension of an iteration space the first extent seen.
  using Space = SmallVector<Extent>;

  FailureOr<Extent> getExtent(const Place &place, int64_t dim);
  std::string describe(const Extent &extent);
  void addAtMost(Location loc, OpFoldResult value, OpFoldResult bound,
                 std::string text);
  void addEqual(Location loc, const Extent &extent, const Extent &earlier);
  LogicalResult addToSpace(Space &space, AffineExpr position,
                           const Place &place, int64_t dim);

  LogicalResult addContraction(SegmentedContractionOpInterface op,
                               const SegmentedContraction &contraction);
  LogicalResult addView(Space &space, const Place &place,
                        const ContractionOperand &view);
  static Place findPlace(SegmentedContractionOpInterface op, Value array);
  static Place findDestination(SegmentedContractionOpInterface op,
                               unsigned number);
  LogicalResult addHeadRows(SegmentedContractionOpInterface op);
  LogicalResult addLinalg(linalg::LinalgOp op);
  LogicalResult addWindow(const Space &space, AffineExpr expr,
                          const Place &place, int64_t dim);
  LogicalResult addSlice(OffsetSizeAndStrideOpInterface op, const Place &whole);
  LogicalResult addElementwise(Operation *op);
  LogicalResult addCast(tensor::CastOp op);
  LogicalResult addConcat(tensor::ConcatOp op);
  LogicalResult addExpandShape(tensor::ExpandShapeOp op);

  ExtentBuilder &extents;
  const llvm::DenseMap<Value, std::string> &names;
  SmallVector<ShapeConstraint> constraints;
  size_t numDivisorsSeen = 0;
  /// Extents that are equal by the constraints so far.
  llvm::EquivalenceClasses<void *> equal;
};

} // namespace mlir::boostr

#endif // BOOSTR_PASSES_EXPORT_SHAPECONSTRAINTS_H
