// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "boostr/passes/driver/CountFlops.h"
#include "boostr/dialect/SegmentedContraction.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace mlir::boostr;

static std::optional<FlopExtent> traceExtent(Value value, unsigned dim);

/// Extent of dimension `dim` of the contraction, from the operands of `term`.
static std::optional<FlopExtent> traceDim(const ContractionTerm &term,
                                          unsigned dim) {
  for (const ContractionOperand *operand : {&term.lhs, &term.rhs}) {
    for (auto [position, expr] : llvm::enumerate(operand->map.getResults())) {
      if (cast<AffineDimExpr>(expr).getPosition() != dim)
        continue;
      if (!operand->rows)
        return traceExtent(operand->array, position);
      if (position == 0)
        return FlopExtent{operand->rows->heads};
      if (position == 1)
        return FlopExtent{operand->rows->headDim};
      return traceExtent(operand->array, position - 1);
    }
  }
  return std::nullopt;
}

/// Extent of a result of a boostr op, which a dimension of its contraction has.
static std::optional<FlopExtent> traceResult(OpResult result, unsigned dim) {
  auto op = dyn_cast<SegmentedContractionOpInterface>(result.getOwner());
  if (!op)
    return std::nullopt;
  for (const SegmentedContraction &contraction : op.getContractions())
    for (const ContractionSegment &segment : contraction.segments)
      if (segment.product && !segment.product->rows &&
          segment.product->number == result.getResultNumber())
        return traceDim(segment.terms.front(),
                        segment.product->map.getDimPosition(dim));
  return std::nullopt;
}

static std::optional<FlopExtent> traceExtent(Value value, unsigned dim) {
  auto type = cast<ShapedType>(value.getType());
  if (!type.isDynamicDim(dim))
    return FlopExtent{type.getDimSize(dim)};
  if (auto argument = dyn_cast<BlockArgument>(value)) {
    if (!isa<func::FuncOp>(argument.getOwner()->getParentOp()))
      return std::nullopt;
    return FlopExtent{1, argument.getArgNumber(), dim};
  }
  if (auto cast = value.getDefiningOp<tensor::CastOp>())
    return traceExtent(cast.getSource(), dim);
  return traceResult(cast<OpResult>(value), dim);
}

/// The extents whose product is the work of one term, halved.
static std::optional<SmallVector<FlopExtent>>
traceTerm(const SegmentedContraction &contraction,
          const ContractionTerm &term) {
  SmallVector<FlopExtent> product;
  for (unsigned dim = 0; dim < contraction.dims.size(); ++dim) {
    std::optional<FlopExtent> extent = traceDim(term, dim);
    if (!extent)
      return std::nullopt;
    product.push_back(*extent);
  }
  return product;
}

FlopCounts mlir::boostr::countFlops(ModuleOp module) {
  FlopCounts counts;
  for (auto function : module.getOps<func::FuncOp>()) {
    SmallVector<SmallVector<FlopExtent>> products;
    bool isKnown = true;
    function.walk([&](SegmentedContractionOpInterface op) {
      for (const SegmentedContraction &contraction : op.getContractions())
        for (const ContractionSegment &segment : contraction.segments)
          for (const ContractionTerm &term : segment.terms) {
            if (!segment.product)
              continue;
            if (auto product = traceTerm(contraction, term))
              products.push_back(*product);
            else
              isKnown = false;
          }
    });
    if (isKnown && !products.empty())
      counts.products[function.getName()] = std::move(products);
  }
  return counts;
}

std::optional<double>
FlopCounts::get(StringRef function,
                ArrayRef<SmallVector<int64_t>> shapes) const {
  auto found = products.find(function);
  if (found == products.end())
    return std::nullopt;
  double flops = 0;
  for (ArrayRef<FlopExtent> product : found->second) {
    double multiplications = 1;
    for (const FlopExtent &extent : product)
      multiplications *= extent.argument < 0
                             ? extent.constant
                             : shapes[extent.argument][extent.dim];
    flops += 2 * multiplications;
  }
  return flops;
}
