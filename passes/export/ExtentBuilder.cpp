// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "boostr/passes/export/ExtentBuilder.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Interfaces/DestinationStyleOpInterface.h"
#include "mlir/Interfaces/LoopLikeInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

using namespace mlir;
using namespace mlir::boostr;

void ExtentBuilder::bind(Value argument, ArrayRef<OpFoldResult> values) {
  for (auto [dim, value] : llvm::enumerate(values))
    extents[{argument, dim}] = value;
}

static LogicalResult emitHidden(Value tensor, int64_t dim) {
  Location loc = tensor.getLoc();
  if (auto result = dyn_cast<OpResult>(tensor))
    return emitError(loc) << "'" << result.getOwner()->getName()
                          << "' op the extent of dimension " << dim
                          << " of result " << result.getResultNumber()
                          << " cannot be computed from the extents of the "
                             "function's arguments";
  return emitError(loc) << "the extent of dimension " << dim
                        << " of a block argument cannot be computed from the "
                           "extents of the function's arguments";
}

FailureOr<OpFoldResult> ExtentBuilder::getExtent(Value tensor, int64_t dim) {
  auto type = cast<RankedTensorType>(tensor.getType());
  if (!type.isDynamicDim(dim))
    return OpFoldResult(builder.getIndexAttr(type.getDimSize(dim)));
  if (OpFoldResult known = extents.lookup({tensor, dim}))
    return known;
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
    return emitError(argument.getLoc())
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
  auto known = reified.find(op);
  if (known == reified.end()) {
    OpBuilder scratch(op);
    ReifiedRankedShapedTypeDims shapes;
    if (failed(reifyResultShapes(scratch, op, shapes)))
      return emitHidden(tensor, dim);
    known = reified.try_emplace(op, std::move(shapes)).first;
  }
  // Copied: going on may grow the map.
  OpFoldResult extent = known->second[tensor.getResultNumber()][dim];
  return getScalar(extent);
}

FailureOr<OpFoldResult> ExtentBuilder::getScalar(OpFoldResult value) {
  if (isa<Attribute>(value))
    return value;
  Value scalar = cast<Value>(value);
  if (OpFoldResult known = scalars.lookup(scalar))
    return known;
  Attribute constant;
  if (matchPattern(scalar, m_Constant(&constant)))
    return OpFoldResult(constant);
  Operation *op = scalar.getDefiningOp();
  if (!op)
    return emitError(scalar.getLoc())
           << "an extent depends on a block argument of type "
           << scalar.getType();
  if (auto dim = dyn_cast<tensor::DimOp>(op)) {
    std::optional<int64_t> number = dim.getConstantIndex();
    auto type = dyn_cast<RankedTensorType>(dim.getSource().getType());
    if (!type || !number || *number < 0 || *number >= type.getRank())
      return dim.emitOpError("names no dimension of a ranked tensor, but an "
                             "extent depends on it");
    FailureOr<OpFoldResult> extent = getExtent(dim.getSource(), *number);
    if (succeeded(extent))
      scalars[scalar] = *extent;
    return extent;
  }
  if (failed(cloneScalarOp(op)))
    return failure();
  return scalars.lookup(scalar);
}

Value ExtentBuilder::materialize(Location loc, OpFoldResult value) {
  if (auto known = dyn_cast<Value>(value))
    return known;
  return arith::ConstantOp::create(builder, loc,
                                   cast<TypedAttr>(cast<Attribute>(value)));
}

/// Clones `op`, which computes integers from integers, or folds it.
LogicalResult ExtentBuilder::cloneScalarOp(Operation *op) {
  auto isInteger = [](Type type) { return type.isIntOrIndex(); };
  if (!isPure(op) || op->getNumRegions() != 0 ||
      !llvm::all_of(op->getOperandTypes(), isInteger) ||
      !llvm::all_of(op->getResultTypes(), isInteger))
    return op->emitOpError("gives a value that an extent depends on, and it "
                           "cannot be computed from the extents of the "
                           "function's arguments");
  IRMapping mapping;
  for (Value operand : op->getOperands()) {
    FailureOr<OpFoldResult> moved = getScalar(operand);
    if (failed(moved))
      return failure();
    mapping.map(operand, materialize(op->getLoc(), *moved));
  }
  Operation *clone = builder.clone(*op, mapping);
  SmallVector<Value> results(clone->getResults());
  if (succeeded(builder.tryFold(clone, results)))
    clone->erase();
  for (auto [original, result] : llvm::zip_equal(op->getResults(), results))
    scalars[original] = getAsOpFoldResult(result);
  return success();
}

OpFoldResult ExtentBuilder::add(Location loc, OpFoldResult lhs,
                                OpFoldResult rhs) {
  AffineExpr a, b;
  bindSymbols(builder.getContext(), a, b);
  return affine::makeComposedFoldedAffineApply(builder, loc, a + b, {lhs, rhs});
}

OpFoldResult ExtentBuilder::multiply(Location loc, OpFoldResult lhs,
                                     OpFoldResult rhs) {
  return getAsOpFoldResult(builder.createOrFold<arith::MulIOp>(
      loc, materialize(loc, lhs), materialize(loc, rhs)));
}
