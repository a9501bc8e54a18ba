// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "boostr/passes/export/ExtentBuilder.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Affine/Utils.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Interfaces/DestinationStyleOpInterface.h"
#include "mlir/Interfaces/LoopLikeInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "llvm/Support/SaveAndRestore.h"

using namespace mlir;
using namespace mlir::boostr;

unsigned ExtentBuilder::SameOp::getHashValue(const Operation *op) {
  return OperationEquivalence::computeHash(
      const_cast<Operation *>(op),
      /*hashOperands=*/OperationEquivalence::directHashValue,
      /*hashResults=*/OperationEquivalence::ignoreHashValue,
      OperationEquivalence::IgnoreLocations);
}

bool ExtentBuilder::SameOp::isEqual(const Operation *lhs,
                                    const Operation *rhs) {
  if (lhs == rhs)
    return true;
  if (lhs == getTombstoneKey() || lhs == getEmptyKey() ||
      rhs == getTombstoneKey() || rhs == getEmptyKey())
    return false;
  return OperationEquivalence::isEquivalentTo(
      const_cast<Operation *>(lhs), const_cast<Operation *>(rhs),
      OperationEquivalence::IgnoreLocations);
}

void ExtentBuilder::bind(Value argument, ArrayRef<OpFoldResult> values) {
  for (auto [dim, value] : llvm::enumerate(values))
    extents[{argument, dim}] = value;
}

InFlightDiagnostic ExtentBuilder::emit(Location loc) {
  InFlightDiagnostic diagnostic = emitError(loc);
  if (isQuiet)
    diagnostic.abandon();
  return diagnostic;
}

LogicalResult ExtentBuilder::emitHidden(Value tensor, int64_t dim) {
  Location loc = tensor.getLoc();
  if (auto result = dyn_cast<OpResult>(tensor))
    return emit(loc) << "'" << result.getOwner()->getName()
                     << "' op the extent of dimension " << dim << " of result "
                     << result.getResultNumber()
                     << " cannot be computed from the extents of the "
                        "function's arguments";
  return emit(loc) << "the extent of dimension " << dim
                   << " of a block argument cannot be computed from the "
                      "extents of the function's arguments";
}

FailureOr<OpFoldResult> ExtentBuilder::getExtent(Value tensor, int64_t dim) {
  auto type = cast<RankedTensorType>(tensor.getType());
  if (!type.isDynamicDim(dim))
    return OpFoldResult(builder.getIndexAttr(type.getDimSize(dim)));
  if (OpFoldResult computed = extents.lookup({tensor, dim}))
    return computed;
  auto argument = dyn_cast<BlockArgument>(tensor);
  FailureOr<OpFoldResult> extent =
      argument ? getArgumentExtent(argument, dim)
               : computeExtent(cast<OpResult>(tensor), dim);
  if (succeeded(extent))
    extents[{tensor, dim}] = *extent;
  return extent;
}

/// Of a value that a loop carries: that of what it starts from, if every
/// iteration keeps it.
FailureOr<OpFoldResult> ExtentBuilder::getLoopExtent(Value init, Value argument,
                                                     Value yielded,
                                                     int64_t dim) {
  FailureOr<OpFoldResult> first = getExtent(init, dim);
  if (failed(first))
    return failure();
  // Suppose that an iteration finds this extent. Then it must leave it so.
  extents[{argument, dim}] = *first;
  FailureOr<OpFoldResult> next = getExtent(yielded, dim);
  if (failed(next))
    return failure();
  if (*next != *first)
    return emit(argument.getLoc())
           << "the extent of dimension " << dim
           << " of a value that a loop carries changes from one iteration to "
              "the next";
  return first;
}

FailureOr<OpFoldResult> ExtentBuilder::getArgumentExtent(BlockArgument tensor,
                                                         int64_t dim) {
  auto loop =
      dyn_cast_or_null<LoopLikeOpInterface>(tensor.getOwner()->getParentOp());
  OpOperand *init = loop ? loop.getTiedLoopInit(tensor) : nullptr;
  OpOperand *yielded = init ? loop.getTiedLoopYieldedValue(tensor) : nullptr;
  if (!yielded)
    return emitHidden(tensor, dim);
  return getLoopExtent(init->get(), tensor, yielded->get(), dim);
}

/// Of a result of `scf.if`: that which both branches give it.
FailureOr<OpFoldResult> ExtentBuilder::getBranchExtent(OpResult tensor,
                                                       int64_t dim) {
  auto branch = cast<scf::IfOp>(tensor.getOwner());
  unsigned number = tensor.getResultNumber();
  FailureOr<OpFoldResult> yes =
      getExtent(branch.thenYield().getOperand(number), dim);
  if (failed(yes))
    return failure();
  FailureOr<OpFoldResult> no =
      getExtent(branch.elseYield().getOperand(number), dim);
  if (failed(no))
    return failure();
  if (*yes != *no)
    return emitHidden(tensor, dim);
  return yes;
}

FailureOr<OpFoldResult> ExtentBuilder::computeExtent(OpResult tensor,
                                                     int64_t dim) {
  Operation *op = tensor.getOwner();
  if (auto destination = dyn_cast<DestinationStyleOpInterface>(op))
    return getExtent(destination.getTiedOpOperand(tensor)->get(), dim);
  if (auto cast = dyn_cast<tensor::CastOp>(op))
    if (isa<RankedTensorType>(cast.getSource().getType()))
      return getExtent(cast.getSource(), dim);
  if (isa<scf::IfOp>(op))
    return getBranchExtent(tensor, dim);
  if (auto loop = dyn_cast<LoopLikeOpInterface>(op)) {
    BlockArgument argument = loop.getTiedLoopRegionIterArg(tensor);
    if (!argument)
      return emitHidden(tensor, dim);
    return getExtent(argument, dim);
  }
  if (OpTrait::hasElementwiseMappableTraits(op))
    for (Value operand : op->getOperands())
      if (isa<RankedTensorType>(operand.getType()))
        return getExtent(operand, dim);
  return reifyExtent(tensor, dim);
}

FailureOr<OpFoldResult> ExtentBuilder::reifyExtent(OpResult tensor,
                                                   int64_t dim) {
  Operation *op = tensor.getOwner();
  auto shape = reified.find(op);
  if (shape == reified.end()) {
    OpBuilder scratch(op);
    ReifiedRankedShapedTypeDims shapes;
    if (failed(reifyResultShapes(scratch, op, shapes)))
      return emitHidden(tensor, dim);
    shape = reified.try_emplace(op, std::move(shapes)).first;
  }
  // Copied: going on may grow the map.
  OpFoldResult extent = shape->second[tensor.getResultNumber()][dim];
  return getScalar(extent);
}

FailureOr<OpFoldResult> ExtentBuilder::getScalar(OpFoldResult value) {
  // Ops write the numbers that they know in any type.
  if (isa<Attribute>(value)) {
    std::optional<int64_t> number = getConstantIntValue(value);
    return number ? OpFoldResult(builder.getIndexAttr(*number)) : value;
  }
  Value scalar = cast<Value>(value);
  if (OpFoldResult computed = scalars.lookup(scalar))
    return computed;
  Attribute constant;
  if (matchPattern(scalar, m_Constant(&constant)))
    return OpFoldResult(constant);
  Operation *op = scalar.getDefiningOp();
  if (!op)
    return emit(scalar.getLoc())
           << "an extent depends on a block argument of type "
           << scalar.getType();
  if (auto dim = dyn_cast<tensor::DimOp>(op)) {
    std::optional<int64_t> number = dim.getConstantIndex();
    auto type = dyn_cast<RankedTensorType>(dim.getSource().getType());
    if (!type || !number || *number < 0 || *number >= type.getRank())
      return emit(dim.getLoc()) << "'tensor.dim' op names no dimension of a "
                                   "ranked tensor, but an extent depends on it";
    FailureOr<OpFoldResult> extent = getExtent(dim.getSource(), *number);
    if (succeeded(extent))
      scalars[scalar] = *extent;
    return extent;
  }
  if (failed(cloneScalarOp(op)))
    return failure();
  return scalars.lookup(scalar);
}

FailureOr<OpFoldResult> ExtentBuilder::tryGetScalar(OpFoldResult value) {
  llvm::SaveAndRestore quiet(isQuiet, true);
  return getScalar(value);
}

Value ExtentBuilder::materialize(Location loc, OpFoldResult value) {
  if (auto scalar = dyn_cast<Value>(value))
    return scalar;
  Operation *constant = arith::ConstantOp::create(
      builder, loc, cast<TypedAttr>(cast<Attribute>(value)));
  auto [earlier, isNew] = known.insert(constant);
  if (!isNew)
    constant->erase();
  return (*earlier)->getResult(0);
}

/// Folds `op`, which is new at `builder`, or finds an earlier one like it.
void ExtentBuilder::simplify(Operation *op,
                             SmallVectorImpl<OpFoldResult> &results) {
  SmallVector<Value> values;
  bool folded = succeeded(builder.tryFold(op, values)) && !values.empty();
  if (folded) {
    op->erase();
  } else {
    auto [earlier, isNew] = known.insert(op);
    values.assign((*earlier)->result_begin(), (*earlier)->result_end());
    if (!isNew)
      op->erase();
  }
  for (Value value : values)
    results.push_back(getAsOpFoldResult(value));
}

static bool isDivision(Operation *op) {
  return isa<arith::DivSIOp, arith::DivUIOp, arith::CeilDivSIOp,
             arith::CeilDivUIOp, arith::FloorDivSIOp, arith::RemSIOp,
             arith::RemUIOp>(op);
}

/// `divisor`, or 1 instead of 0: a division by zero must be reported as a
/// broken constraint, not happen.
OpFoldResult ExtentBuilder::avoidZero(Operation *division,
                                      OpFoldResult divisor) {
  std::optional<int64_t> constant = getConstantIntValue(divisor);
  if (constant && *constant != 0)
    return divisor;
  divisors.push_back({divisor, division});
  Location loc = division->getLoc();
  Value value = materialize(loc, divisor);
  Value zero = materialize(loc, builder.getIntegerAttr(value.getType(), 0));
  Value one = materialize(loc, builder.getIntegerAttr(value.getType(), 1));
  Value isZero = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::eq,
                                       value, zero);
  return arith::SelectOp::create(builder, loc, isZero, one, value).getResult();
}

/// Moves `op`, which computes integers from integers, to `builder`.
LogicalResult ExtentBuilder::cloneScalarOp(Operation *op) {
  // In terms of arithmetic, extents that are equal look equal.
  if (auto apply = dyn_cast<affine::AffineApplyOp>(op)) {
    OpBuilder scratch(op);
    std::optional<SmallVector<Value, 8>> expanded = affine::expandAffineMap(
        scratch, op->getLoc(), apply.getAffineMap(), apply.getMapOperands());
    if (expanded) {
      FailureOr<OpFoldResult> moved = getScalar(expanded->front());
      if (failed(moved))
        return failure();
      scalars[apply] = *moved;
      return success();
    }
  }
  auto isInteger = [](Type type) { return type.isIntOrIndex(); };
  if (!(isPure(op) || isDivision(op)) || op->getNumRegions() != 0 ||
      !llvm::all_of(op->getOperandTypes(), isInteger) ||
      !llvm::all_of(op->getResultTypes(), isInteger))
    return emit(op->getLoc())
           << "'" << op->getName()
           << "' op gives a value that an extent depends on, and it cannot be "
              "computed from the extents of the function's arguments";
  IRMapping mapping;
  for (Value operand : op->getOperands()) {
    FailureOr<OpFoldResult> moved = getScalar(operand);
    if (failed(moved))
      return failure();
    if (isDivision(op) && operand == op->getOperand(1))
      moved = avoidZero(op, *moved);
    mapping.map(operand, materialize(op->getLoc(), *moved));
  }
  Operation *clone = builder.clone(*op, mapping);
  // Promises about overflow hold only where constraints do. They would also
  // make equal extents look different.
  if (auto flags = dyn_cast<arith::ArithIntegerOverflowFlagsInterface>(clone))
    clone->setAttr(flags.getIntegerOverflowAttrName(),
                   arith::IntegerOverflowFlagsAttr::get(
                       op->getContext(), arith::IntegerOverflowFlags::none));
  SmallVector<OpFoldResult> results;
  simplify(clone, results);
  for (auto [original, result] : llvm::zip_equal(op->getResults(), results))
    scalars[original] = result;
  return success();
}

template <typename OpTy>
OpFoldResult ExtentBuilder::create(Location loc, OpFoldResult lhs,
                                   OpFoldResult rhs) {
  SmallVector<OpFoldResult> results;
  simplify(
      OpTy::create(builder, loc, materialize(loc, lhs), materialize(loc, rhs)),
      results);
  return results.front();
}

OpFoldResult ExtentBuilder::add(Location loc, OpFoldResult lhs,
                                OpFoldResult rhs) {
  return create<arith::AddIOp>(loc, lhs, rhs);
}

OpFoldResult ExtentBuilder::multiply(Location loc, OpFoldResult lhs,
                                     OpFoldResult rhs) {
  return create<arith::MulIOp>(loc, lhs, rhs);
}
