// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Every op of the dialect as linalg on views: the specification that can be
// run. One function for all ops, since all are segmented contractions.

#include "boostr/dialect/BoostrOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace mlir::boostr;

namespace {

/// Lowers segments one by one, each into the tensor that it is given.
class LinalgLowering {
public:
  LinalgLowering(OpBuilder &b, Location loc) : b(b), loc(loc) {}

  Value lowerProduct(const SegmentedContraction &contraction,
                     const ContractionSegment &segment, Value destination);
  Value lowerLhsSum(const SegmentedContraction &contraction,
                    const ContractionSegment &segment, Value destination);

private:
  Value finish(const ContractionResult &result, AffineMap resultMap,
               Value accumulated, Value destination);
  Value createZeros(ArrayRef<OpFoldResult> sizes, Type elementType);
  Value startFrom(const ContractionResult &result, Value destination,
                  ArrayRef<OpFoldResult> extents);

  OpBuilder &b;
  Location loc;
};

} // namespace

/// The extents along the dimensions of `map`.
static SmallVector<OpFoldResult> select(ArrayRef<OpFoldResult> extents,
                                        AffineMap map) {
  SmallVector<OpFoldResult> selected;
  for (AffineExpr expr : map.getResults())
    selected.push_back(extents[cast<AffineDimExpr>(expr).getPosition()]);
  return selected;
}

/// `map` with the dimensions renumbered so that `resultMap` becomes the
/// identity: turns a map over all dimensions into one over those of the result.
static AffineMap relativeTo(AffineMap resultMap, AffineMap map) {
  SmallVector<AffineExpr> renumbered(
      map.getNumDims(), getAffineConstantExpr(0, map.getContext()));
  for (auto [position, expr] : llvm::enumerate(resultMap.getResults()))
    renumbered[cast<AffineDimExpr>(expr).getPosition()] =
        getAffineDimExpr(position, map.getContext());
  return map.replaceDimsAndSymbols(renumbered, {}, resultMap.getNumResults(),
                                   0);
}

Value LinalgLowering::createZeros(ArrayRef<OpFoldResult> sizes,
                                  Type elementType) {
  Value zero = arith::ConstantOp::create(b, loc, b.getZeroAttr(elementType));
  Value empty = tensor::EmptyOp::create(b, loc, sizes, elementType);
  return linalg::FillOp::create(b, loc, zero, empty).getResult(0);
}

/// What a sum begins with, in the accumulator type: zeros, or the view of the
/// destination itself where that is what it accumulates into.
Value LinalgLowering::startFrom(const ContractionResult &result,
                                Value destination,
                                ArrayRef<OpFoldResult> extents) {
  Type elementType = getElementTypeOrSelf(destination);
  FloatType accumulator = getAccumulatorType(elementType);
  if (elementType != accumulator)
    return createZeros(select(extents, result.map), accumulator);
  Value view = createView(b, loc, destination, result.rows);
  if (result.accumulatesInPlace)
    return view;
  Value zero = arith::ConstantOp::create(b, loc, b.getZeroAttr(accumulator));
  return linalg::FillOp::create(b, loc, zero, view).getResult(0);
}

/// Adds what is to be added, rounds, and inserts the view into the destination.
Value LinalgLowering::finish(const ContractionResult &result,
                             AffineMap resultMap, Value accumulated,
                             Value destination) {
  Type elementType = getElementTypeOrSelf(destination);
  Type accumulator = getElementTypeOrSelf(accumulated);
  bool rounds = elementType != accumulator;
  SmallVector<ContractionOperand> addends;
  for (const ContractionOperand &addend : result.addends)
    if (rounds || !result.accumulatesInPlace)
      addends.push_back(addend);
  if (addends.empty() && !rounds)
    return insertView(b, loc, accumulated, destination, result.rows);

  unsigned rank = resultMap.getNumResults();
  AffineMap identity = b.getMultiDimIdentityMap(rank);
  SmallVector<Value> inputs;
  SmallVector<AffineMap> maps;
  // Without rounding, the sum is updated in place.
  Value out = accumulated;
  if (rounds) {
    inputs.push_back(accumulated);
    maps.push_back(identity);
    out = createView(b, loc, destination, result.rows);
  }
  for (const ContractionOperand &addend : addends) {
    inputs.push_back(createView(b, loc, addend.array, addend.rows));
    maps.push_back(relativeTo(resultMap, addend.map));
  }
  maps.push_back(identity);
  SmallVector<utils::IteratorType> iterators(rank,
                                             utils::IteratorType::parallel);
  auto generic = linalg::GenericOp::create(
      b, loc, out.getType(), inputs, out, maps, iterators,
      [&](OpBuilder &nested, Location loc, ValueRange elements) {
        Value sum = rounds ? elements.front() : elements.back();
        for (Value addend : elements.drop_back().drop_front(rounds ? 1 : 0))
          sum = arith::AddFOp::create(
              nested, loc, sum,
              convertScalarToDtype(nested, loc, addend, accumulator,
                                   /*isUnsignedCast=*/false));
        linalg::YieldOp::create(nested, loc,
                                convertScalarToDtype(nested, loc, sum,
                                                     elementType,
                                                     /*isUnsignedCast=*/false));
      });
  return insertView(b, loc, generic.getResult(0), destination, result.rows);
}

Value LinalgLowering::lowerProduct(const SegmentedContraction &contraction,
                                   const ContractionSegment &segment,
                                   Value destination) {
  const ContractionResult &result = *segment.product;
  Value sum = startFrom(result, destination,
                        getExtents(b, loc, contraction, segment.terms.front()));
  for (const ContractionTerm &term : segment.terms) {
    Value lhs = createView(b, loc, term.lhs.array, term.lhs.rows);
    Value rhs = createView(b, loc, term.rhs.array, term.rhs.rows);
    ArrayAttr maps =
        b.getAffineMapArrayAttr({term.lhs.map, term.rhs.map, result.map});
    sum = linalg::ContractOp::create(b, loc, sum.getType(),
                                     ValueRange{lhs, rhs}, sum, maps)
              .getResult(0);
  }
  return finish(result, result.map, sum, destination);
}

Value LinalgLowering::lowerLhsSum(const SegmentedContraction &contraction,
                                  const ContractionSegment &segment,
                                  Value destination) {
  const ContractionResult &result = *segment.lhsSum;
  Value sum = startFrom(result, destination,
                        getExtents(b, loc, contraction, segment.terms.front()));
  for (const ContractionTerm &term : segment.terms) {
    Value lhs = createView(b, loc, term.lhs.array, term.lhs.rows);
    // The loops are those of lhs alone, in the order of its dimensions.
    AffineMap identity = b.getMultiDimIdentityMap(term.lhs.map.getNumResults());
    AffineMap outMap = relativeTo(term.lhs.map, result.map);
    SmallVector<utils::IteratorType> iterators(identity.getNumResults(),
                                               utils::IteratorType::reduction);
    for (AffineExpr expr : outMap.getResults())
      iterators[cast<AffineDimExpr>(expr).getPosition()] =
          utils::IteratorType::parallel;
    sum = linalg::GenericOp::create(
              b, loc, sum.getType(), lhs, sum,
              SmallVector<AffineMap>{identity, outMap}, iterators,
              [&](OpBuilder &nested, Location loc, ValueRange elements) {
                Value element = convertScalarToDtype(nested, loc, elements[0],
                                                     elements[1].getType(),
                                                     /*isUnsignedCast=*/false);
                linalg::YieldOp::create(
                    nested, loc,
                    arith::AddFOp::create(nested, loc, elements[1], element)
                        .getResult());
              })
              .getResult(0);
  }
  return finish(result, result.map, sum, destination);
}

/// What each result starts from: what it accumulates into, or an empty tensor.
static FailureOr<SmallVector<Value>>
createDestinations(OpBuilder &b, SegmentedContractionOpInterface op) {
  ReifiedRankedShapedTypeDims shapes;
  if (failed(reifyResultShapes(b, op, shapes)))
    return failure();
  SmallVector<Value> destinations = op.getDestinations();
  for (auto [destination, result, shape] :
       llvm::zip_equal(destinations, op->getResults(), shapes))
    if (!destination)
      destination = tensor::EmptyOp::create(b, op.getLoc(), shape,
                                            getElementTypeOrSelf(result));
  return destinations;
}

static FailureOr<SmallVector<Value>>
decompose(OpBuilder &b, SegmentedContractionOpInterface op) {
  if (op.isBufferForm())
    return failure();
  FailureOr<SmallVector<Value>> results = createDestinations(b, op);
  if (failed(results))
    return failure();
  LinalgLowering lowering(b, op.getLoc());
  for (const SegmentedContraction &contraction : op.getContractions()) {
    for (const ContractionSegment &segment : contraction.segments) {
      // Each entry is what the segments so far have been inserted into.
      if (segment.product) {
        Value &result = (*results)[segment.product->number];
        result = lowering.lowerProduct(contraction, segment, result);
      }
      if (segment.lhsSum) {
        Value &result = (*results)[segment.lhsSum->number];
        result = lowering.lowerLhsSum(contraction, segment, result);
      }
    }
  }
  // Static extents that only another operand knows can be missing in a view.
  for (auto [value, result] : llvm::zip_equal(*results, op->getResults()))
    if (value.getType() != result.getType())
      value = tensor::CastOp::create(b, op.getLoc(), result.getType(), value);
  return results;
}

Value mlir::boostr::lowerProductToLinalg(
    OpBuilder &b, Location loc, const SegmentedContraction &contraction,
    const ContractionSegment &segment, Value destination) {
  return LinalgLowering(b, loc).lowerProduct(contraction, segment, destination);
}

FailureOr<SmallVector<Value>> FusedQKVOp::decomposeOperation(OpBuilder &b) {
  return decompose(b, *this);
}
FailureOr<SmallVector<Value>> FusedQKVGradOp::decomposeOperation(OpBuilder &b) {
  return decompose(b, *this);
}
FailureOr<SmallVector<Value>>
OutProjResidualOp::decomposeOperation(OpBuilder &b) {
  return decompose(b, *this);
}
FailureOr<SmallVector<Value>>
OutProjResidualGradOp::decomposeOperation(OpBuilder &b) {
  return decompose(b, *this);
}
