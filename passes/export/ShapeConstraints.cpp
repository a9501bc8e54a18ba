// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "boostr/passes/export/ShapeConstraints.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace mlir::boostr;

FailureOr<ShapeConstraints::Extent>
ShapeConstraints::getExtent(const Place &place, int64_t dim) {
  FailureOr<OpFoldResult> value = extents.getExtent(place.tensor, dim);
  if (failed(value))
    return failure();
  return Extent{*value, place, dim};
}

/// As the caller of the function knows it, if possible.
std::string ShapeConstraints::describe(const Extent &extent) {
  if (std::optional<int64_t> constant = getConstantIntValue(extent.value))
    return std::to_string(*constant);
  if (auto name = names.find(dyn_cast<Value>(extent.value));
      name != names.end())
    return name->second;
  std::string text;
  llvm::raw_string_ostream os(text);
  if (extent.numFactors > 1)
    os << "the product of dimensions " << extent.dim << " to "
       << extent.dim + extent.numFactors - 1 << " of result "
       << extent.place.number << " of '" << extent.place.op->getName() << "'";
  else
    os << "dimension " << extent.dim << " of " << extent.place.kind << " "
       << extent.place.number << " of '" << extent.place.op->getName() << "'";
  return text;
}

void ShapeConstraints::addEqual(Location loc, const Extent &extent,
                                const Extent &earlier) {
  void *lhs = extent.value.getOpaqueValue();
  void *rhs = earlier.value.getOpaqueValue();
  if (equal.isEquivalent(lhs, rhs))
    return;
  equal.unionSets(lhs, rhs);
  // What callers should look at first: the later argument. A number is what an
  // extent is expected to be, never the other way round.
  auto getPriority = [](const Extent &side) -> int64_t {
    if (getConstantIntValue(side.value))
      return -2;
    auto argument = dyn_cast<BlockArgument>(cast<Value>(side.value));
    return argument ? static_cast<int64_t>(argument.getArgNumber()) : -1;
  };
  bool swap = getPriority(extent) < getPriority(earlier);
  const Extent &subject = swap ? earlier : extent;
  const Extent &object = swap ? extent : earlier;
  constraints.push_back({ShapeConstraint::Equal, subject.value, object.value,
                         loc,
                         describe(subject) + " equals " + describe(object)});
}

void ShapeConstraints::addAtMost(Location loc, OpFoldResult value,
                                 OpFoldResult bound, std::string text) {
  std::optional<int64_t> constant = getConstantIntValue(value);
  std::optional<int64_t> constantBound = getConstantIntValue(bound);
  if (constant && constantBound && *constant <= *constantBound)
    return;
  constraints.push_back(
      {ShapeConstraint::AtMost, value, bound, loc, std::move(text)});
}

/// Dimension `dim` of `place` runs along dimension `position` of `space`.
LogicalResult ShapeConstraints::addToSpace(Space &space, AffineExpr position,
                                           const Place &place, int64_t dim) {
  auto along = dyn_cast<AffineDimExpr>(position);
  if (!along)
    return success();
  FailureOr<Extent> extent = getExtent(place, dim);
  if (failed(extent))
    return failure();
  Extent &first = space[along.getPosition()];
  if (first.value)
    addEqual(place.op->getLoc(), *extent, first);
  else
    first = *extent;
  return success();
}

//===----------------------------------------------------------------------===//
// Segmented contractions
//===----------------------------------------------------------------------===//

ShapeConstraints::Place
ShapeConstraints::findPlace(SegmentedContractionOpInterface op, Value array) {
  for (OpOperand &operand : op->getOpOperands())
    if (operand.get() == array)
      return operand;
  return Place();
}

/// What receives result `number`: what it starts from, if there is such an
/// operand.
ShapeConstraints::Place
ShapeConstraints::findDestination(SegmentedContractionOpInterface op,
                                  unsigned number) {
  if (Value destination = op.getDestinations()[number])
    return findPlace(op, destination);
  return op->getResult(number);
}

LogicalResult ShapeConstraints::addView(Space &space, const Place &place,
                                        const ContractionOperand &view) {
  if (!place.op)
    return success();
  Builder b(place.op->getContext());
  for (auto [dim, expr] : llvm::enumerate(view.map.getResults())) {
    if (!view.rows || dim > 1) {
      if (failed(addToSpace(space, expr, place, view.rows ? dim - 1 : dim)))
        return failure();
      continue;
    }
    // The rows are split by constants, whatever the array's extent.
    Extent constant;
    constant.value =
        b.getIndexAttr(dim == 0 ? view.rows->heads : view.rows->headDim);
    Extent &first = space[cast<AffineDimExpr>(expr).getPosition()];
    if (first.value)
      addEqual(place.op->getLoc(), constant, first);
    else
      first = constant;
  }
  return success();
}

/// The dimensions of result and operands agree in a segment, those that are
/// summed over in a term: other segments and terms may have other heads.
LogicalResult
ShapeConstraints::addContraction(SegmentedContractionOpInterface op,
                                 const SegmentedContraction &contraction) {
  for (const ContractionSegment &segment : contraction.segments) {
    Space space(contraction.dims.size());
    for (const ContractionTerm &term : segment.terms) {
      for (unsigned dim : contraction.k)
        space[dim] = Extent();
      if (failed(addView(space, findPlace(op, term.lhs.array), term.lhs)) ||
          failed(addView(space, findPlace(op, term.rhs.array), term.rhs)))
        return failure();
    }
    for (const std::optional<ContractionResult> &result :
         {segment.product, segment.lhsSum}) {
      if (!result)
        continue;
      ContractionOperand view{Value(), result->rows, result->map};
      if (failed(addView(space, findDestination(op, result->number), view)))
        return failure();
      for (const ContractionOperand &addend : result->addends)
        if (failed(addView(space, findPlace(op, addend.array), addend)))
          return failure();
    }
  }
  return success();
}

/// An array that is read or written by rows of heads has as many rows as they
/// are.
LogicalResult
ShapeConstraints::addHeadRows(SegmentedContractionOpInterface op) {
  llvm::MapVector<Value, int64_t> numRows;
  auto see = [&](Value array, const std::optional<HeadRows> &rows) {
    if (array && rows)
      numRows[array] =
          std::max(numRows[array], rows->offset + rows->getNumRows());
  };
  SmallVector<Value> destinations = op.getDestinations();
  for (const SegmentedContraction &contraction : op.getContractions()) {
    for (const ContractionSegment &segment : contraction.segments) {
      for (const ContractionTerm &term : segment.terms) {
        see(term.lhs.array, term.lhs.rows);
        see(term.rhs.array, term.rhs.rows);
      }
      for (const std::optional<ContractionResult> &result :
           {segment.product, segment.lhsSum}) {
        if (!result)
          continue;
        see(destinations[result->number], result->rows);
        for (const ContractionOperand &addend : result->addends)
          see(addend.array, addend.rows);
      }
    }
  }
  Builder b(op.getContext());
  for (auto [array, rows] : numRows) {
    Place place = findPlace(op, array);
    if (!place.op)
      continue;
    FailureOr<Extent> extent = getExtent(place, 0);
    if (failed(extent))
      return failure();
    Extent expected;
    expected.value = b.getIndexAttr(rows);
    addEqual(op.getLoc(), *extent, expected);
  }
  return success();
}

//===----------------------------------------------------------------------===//
// Other ops
//===----------------------------------------------------------------------===//

/// True for sums of dimensions times constants that are not negative.
static bool isGrowing(AffineExpr expr) {
  if (auto constant = dyn_cast<AffineConstantExpr>(expr))
    return constant.getValue() >= 0;
  auto binary = dyn_cast<AffineBinaryOpExpr>(expr);
  if (!binary)
    return isa<AffineDimExpr>(expr);
  if (expr.getKind() == AffineExprKind::Mul &&
      !isa<AffineConstantExpr>(binary.getRHS()))
    return false;
  return (expr.getKind() == AffineExprKind::Mul ||
          expr.getKind() == AffineExprKind::Add) &&
         isGrowing(binary.getLHS()) && isGrowing(binary.getRHS());
}

/// Dimension `dim` of `place` is indexed by `expr`, a window that slides over
/// it: the last index is inside.
LogicalResult ShapeConstraints::addWindow(const Space &space, AffineExpr expr,
                                          const Place &place, int64_t dim) {
  if (!isGrowing(expr))
    return success();
  Location loc = place.op->getLoc();
  Builder b(place.op->getContext());
  // expr(extents - 1) + 1, term by term.
  auto evaluate = [&](auto &&self, AffineExpr part) -> OpFoldResult {
    if (auto constant = dyn_cast<AffineConstantExpr>(part))
      return b.getIndexAttr(constant.getValue());
    if (auto position = dyn_cast<AffineDimExpr>(part)) {
      OpFoldResult extent = space[position.getPosition()].value;
      return extent ? extents.add(loc, extent, b.getIndexAttr(-1)) : extent;
    }
    auto binary = cast<AffineBinaryOpExpr>(part);
    OpFoldResult lhs = self(self, binary.getLHS());
    OpFoldResult rhs = self(self, binary.getRHS());
    if (!lhs || !rhs)
      return {};
    return part.getKind() == AffineExprKind::Mul
               ? extents.multiply(loc, lhs, rhs)
               : extents.add(loc, lhs, rhs);
  };
  OpFoldResult last = evaluate(evaluate, expr);
  // A loop that no operand gives an extent does not run along anything.
  if (!last)
    return success();
  FailureOr<Extent> extent = getExtent(place, dim);
  if (failed(extent))
    return failure();
  addAtMost(loc, extents.add(loc, last, b.getIndexAttr(1)), extent->value,
            ("the window of '" + place.op->getName().getStringRef() +
             "' fits into " + describe(*extent))
                .str());
  return success();
}

/// All operands that are indexed by the same loop alone agree, and windows are
/// inside of theirs.
LogicalResult ShapeConstraints::addLinalg(linalg::LinalgOp op) {
  Space space(op.getNumLoops());
  auto forEach = [&](auto action) -> LogicalResult {
    for (OpOperand &operand : op->getOpOperands()) {
      if (!isa<RankedTensorType>(operand.get().getType()))
        continue;
      AffineMap map = op.getMatchingIndexingMap(&operand);
      for (auto [dim, expr] : llvm::enumerate(map.getResults()))
        if (failed(action(expr, operand, dim)))
          return failure();
    }
    return success();
  };
  if (failed(forEach([&](AffineExpr expr, OpOperand &operand, int64_t dim) {
        return addToSpace(space, expr, operand, dim);
      })))
    return failure();
  return forEach([&](AffineExpr expr, OpOperand &operand, int64_t dim) {
    return isa<AffineDimExpr>(expr) ? success()
                                    : addWindow(space, expr, operand, dim);
  });
}

/// A slice lies inside of `whole`, as far as its position depends on nothing
/// but extents.
LogicalResult ShapeConstraints::addSlice(OffsetSizeAndStrideOpInterface op,
                                         const Place &whole) {
  Location loc = op.getLoc();
  Builder b(op.getContext());
  std::string slice =
      ("of the slice of '" + op->getName().getStringRef() + "'").str();
  OpFoldResult zero = b.getIndexAttr(0);
  for (auto [dim, offset, size, stride] : llvm::enumerate(
           op.getMixedOffsets(), op.getMixedSizes(), op.getMixedStrides())) {
    FailureOr<OpFoldResult> first = extents.tryGetScalar(offset);
    FailureOr<OpFoldResult> length = extents.tryGetScalar(size);
    FailureOr<OpFoldResult> step = extents.tryGetScalar(stride);
    if (failed(first) || failed(length) || failed(step))
      continue;
    FailureOr<Extent> extent = getExtent(whole, dim);
    if (failed(extent))
      return failure();
    std::string in = " in dimension " + std::to_string(dim) + " " + slice;
    addAtMost(loc, zero, *first, "the offset" + in + " is not negative");
    addAtMost(loc, zero, *length, "the size" + in + " is not negative");
    OpFoldResult end = extents.add(loc, *first, *length);
    if (!isConstantIntValue(*step, 1)) {
      // first + (length - 1) * step + 1
      OpFoldResult steps = extents.add(loc, *length, b.getIndexAttr(-1));
      end = extents.add(loc, extents.multiply(loc, steps, *step),
                        extents.add(loc, *first, b.getIndexAttr(1)));
    }
    if (end != extent->value)
      addAtMost(loc, end, extent->value,
                "the end" + in + " is at most " + describe(*extent));
  }
  return success();
}

/// All tensors have the same extents.
LogicalResult ShapeConstraints::addElementwise(Operation *op) {
  Space space;
  for (OpOperand &operand : op->getOpOperands()) {
    auto type = dyn_cast<RankedTensorType>(operand.get().getType());
    if (!type)
      continue;
    space.resize(type.getRank());
    for (int64_t dim = 0; dim < type.getRank(); ++dim)
      if (failed(addToSpace(space, getAffineDimExpr(dim, op->getContext()),
                            operand, dim)))
        return failure();
  }
  return success();
}

/// A cast may promise an extent that its operand's type leaves open.
LogicalResult ShapeConstraints::addCast(tensor::CastOp op) {
  auto source = dyn_cast<RankedTensorType>(op.getSource().getType());
  auto target = dyn_cast<RankedTensorType>(op.getType());
  if (!source || !target)
    return success();
  Builder b(op.getContext());
  for (int64_t dim = 0; dim < target.getRank(); ++dim) {
    if (target.isDynamicDim(dim) || !source.isDynamicDim(dim))
      continue;
    FailureOr<Extent> extent = getExtent(op.getSourceMutable(), dim);
    if (failed(extent))
      return failure();
    Extent promised;
    promised.value = b.getIndexAttr(target.getDimSize(dim));
    addEqual(op.getLoc(), *extent, promised);
  }
  return success();
}

LogicalResult ShapeConstraints::addConcat(tensor::ConcatOp op) {
  int64_t rank = op.getResultType().getRank();
  Space space(rank);
  for (OpOperand &operand : op->getOpOperands())
    for (int64_t dim = 0; dim < rank; ++dim)
      if (dim != static_cast<int64_t>(op.getDim()) &&
          failed(addToSpace(space, getAffineDimExpr(dim, op.getContext()),
                            operand, dim)))
        return failure();
  return success();
}

/// An extent equals the product of those that it is split into.
LogicalResult ShapeConstraints::addExpandShape(tensor::ExpandShapeOp op) {
  Builder b(op.getContext());
  for (auto [dim, group] : llvm::enumerate(op.getReassociationIndices())) {
    FailureOr<Extent> extent = getExtent(op.getSrcMutable(), dim);
    if (failed(extent))
      return failure();
    Extent product{b.getIndexAttr(1), OpResult(op->getResult(0)), group.front(),
                   static_cast<int64_t>(group.size())};
    for (int64_t part : group) {
      FailureOr<OpFoldResult> factor = extents.getExtent(op.getResult(), part);
      if (failed(factor))
        return failure();
      product.value = extents.multiply(op.getLoc(), product.value, *factor);
    }
    addEqual(op.getLoc(), *extent, product);
  }
  return success();
}

void ShapeConstraints::addDivisors() {
  ArrayRef<ExtentBuilder::Divisor> all = extents.getDivisors();
  for (const auto &[value, op] : all.drop_front(numDivisorsSeen)) {
    Builder b(op->getContext());
    TypedAttr zero = b.getIntegerAttr(op->getResult(0).getType(), 0);
    constraints.push_back(
        {ShapeConstraint::Differ, value, zero, op->getLoc(),
         ("the divisor of '" + op->getName().getStringRef() + "' is not zero")
             .str()});
  }
  numDivisorsSeen = all.size();
}

LogicalResult ShapeConstraints::addOp(Operation *op) {
  return llvm::TypeSwitch<Operation *, LogicalResult>(op)
      .Case([&](SegmentedContractionOpInterface contractions) {
        for (const SegmentedContraction &contraction :
             contractions.getContractions())
          if (failed(addContraction(contractions, contraction)))
            return failure();
        return addHeadRows(contractions);
      })
      .Case([&](linalg::LinalgOp linalgOp) { return addLinalg(linalgOp); })
      // Not a structured op before it is decomposed.
      .Case([&](linalg::SoftmaxOp softmax) { return addElementwise(softmax); })
      .Case([&](tensor::CastOp cast) { return addCast(cast); })
      .Case([&](tensor::ConcatOp concat) { return addConcat(concat); })
      .Case([&](tensor::ExtractSliceOp slice) {
        return addSlice(slice, slice.getSourceMutable());
      })
      .Case<tensor::InsertSliceOp, tensor::ParallelInsertSliceOp>(
          [&](auto slice) { return addSlice(slice, slice.getDestMutable()); })
      .Case(
          [&](tensor::ExpandShapeOp expand) { return addExpandShape(expand); })
      .Default([&](Operation *other) {
        return OpTrait::hasElementwiseMappableTraits(other)
                   ? addElementwise(other)
                   : success();
      });
}
