// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What each op is as a list of segmented contractions.

#include "boostr/dialect/BoostrOps.h"

using namespace mlir;
using namespace mlir::boostr;

namespace {

/// Builds maps from named dimensions, as in `map({h, d, k})`.
struct DimensionMaps {
  MLIRContext *context;
  unsigned count;

  AffineMap operator()(ArrayRef<unsigned> dims) const {
    SmallVector<AffineExpr> exprs;
    for (unsigned dim : dims)
      exprs.push_back(getAffineDimExpr(dim, context));
    return AffineMap::get(count, 0, exprs, context);
  }
};

/// What the gradients of both projections have in common: rows of the weight
/// and of its gradients, and the arrays that hold the rows of dY.
struct GradientSegment {
  Value dY;
  /// Rows of the weight that dY's dimension belongs to; absent if dY has no
  /// heads.
  std::optional<HeadRows> rows;
};

} // namespace

/// Query, key and value rows of the packed weight, or of their own weights.
template <typename Op> static SmallVector<HeadRows, 3> getQKVRows(Op op) {
  int64_t heads = op.getNumHeads(), kvHeads = op.getNumKvHeads(),
          dim = op.getHeadDim();
  if (op.getWeights().size() > 1)
    return {{0, heads, dim}, {0, kvHeads, dim}, {0, kvHeads, dim}};
  return {{0, heads, dim},
          {heads * dim, kvHeads, dim},
          {(heads + kvHeads) * dim, kvHeads, dim}};
}

/// That of `arrays` which has the rows of segment `number`: its own, or the one
/// array for all; null if there is none.
static Value getPart(ValueRange arrays, unsigned number) {
  if (arrays.empty())
    return {};
  return arrays[arrays.size() > 1 ? number : 0];
}

//===----------------------------------------------------------------------===//
// Forward
//===----------------------------------------------------------------------===//

SmallVector<SegmentedContraction, 0> FusedQKVOp::getContractions() {
  enum : unsigned { B, S, H, D, K };
  DimensionMaps map{getContext(), 5};
  SegmentedContraction contraction;
  contraction.dims = {"b", "s", "h", "d", "k"};
  contraction.m = {B, S};
  contraction.n = {H, D};
  contraction.k = {K};
  for (auto [number, rows] : llvm::enumerate(getQKVRows(*this))) {
    ContractionResult result;
    result.number = number;
    result.map = map({B, H, S, D});
    if (Value bias = getPart(getBiases(), number))
      result.addends.push_back({bias, rows, map({H, D})});
    ContractionSegment segment;
    segment.terms.push_back(
        {{getInput(), std::nullopt, map({B, S, K})},
         {getPart(getWeights(), number), rows, map({H, D, K})}});
    segment.product = std::move(result);
    contraction.segments.push_back(std::move(segment));
  }
  SmallVector<SegmentedContraction, 0> contractions;
  contractions.push_back(std::move(contraction));
  return contractions;
}

SmallVector<Value> FusedQKVOp::getDestinations() {
  if (isBufferForm())
    return SmallVector<Value>(getOuts());
  return SmallVector<Value>(3);
}

SmallVector<SegmentedContraction, 0> OutProjResidualOp::getContractions() {
  enum : unsigned { B, S, N, P };
  DimensionMaps map{getContext(), 4};
  ContractionResult result;
  result.map = map({B, S, N});
  if (getBias())
    result.addends.push_back({getBias(), std::nullopt, map({N})});
  result.addends.push_back({getResidual(), std::nullopt, map({B, S, N})});

  ContractionSegment segment;
  segment.terms.push_back({{getAttn(), std::nullopt, map({B, S, P})},
                           {getWeight(), std::nullopt, map({N, P})}});
  segment.product = std::move(result);

  SegmentedContraction contraction;
  contraction.dims = {"b", "s", "n", "p"};
  contraction.m = {B, S};
  contraction.n = {N};
  contraction.k = {P};
  contraction.segments.push_back(std::move(segment));
  SmallVector<SegmentedContraction, 0> contractions;
  contractions.push_back(std::move(contraction));
  return contractions;
}

SmallVector<Value> OutProjResidualOp::getDestinations() {
  if (isBufferForm())
    return SmallVector<Value>(getOuts());
  return SmallVector<Value>(1);
}

//===----------------------------------------------------------------------===//
// Gradients
//===----------------------------------------------------------------------===//

/// d_input or d_attn: one sum over all segments of dY * weight.
static SegmentedContraction
getActivationsGradient(MLIRContext *context, ArrayRef<GradientSegment> segments,
                       ValueRange weights) {
  enum : unsigned { B, S, K, R, D };
  bool hasHeads = segments.front().rows.has_value();
  DimensionMaps map{context, hasHeads ? 5u : 4u};
  SegmentedContraction contraction;
  contraction.m = {B, S};
  contraction.n = {K};
  ContractionSegment sum;
  if (hasHeads) {
    contraction.dims = {"b", "s", "k", "h", "d"};
    contraction.k = {R, D};
    for (auto [number, segment] : llvm::enumerate(segments))
      sum.terms.push_back(
          {{segment.dY, std::nullopt, map({B, R, S, D})},
           {getPart(weights, number), segment.rows, map({R, D, K})}});
  } else {
    contraction.dims = {"b", "s", "p", "h"};
    contraction.k = {R};
    sum.terms.push_back({{segments.front().dY, std::nullopt, map({B, S, R})},
                         {weights.front(), std::nullopt, map({R, K})}});
  }
  sum.product.emplace();
  sum.product->map = map({B, S, K});
  contraction.segments.push_back(std::move(sum));
  return contraction;
}

namespace {

/// Where a weight or bias gradient goes: the number of its first result, how
/// many there are, and what they add to.
struct GradientTarget {
  unsigned number, count;
  ValueRange accumulate;
};

} // namespace

static ContractionResult getGradientResult(const GradientTarget &target,
                                           unsigned segment,
                                           const std::optional<HeadRows> &rows,
                                           AffineMap map) {
  ContractionResult result;
  result.number = target.number + (target.count > 1 ? segment : 0);
  result.rows = rows;
  result.map = map;
  if (Value accumulate = getPart(target.accumulate, segment)) {
    result.addends.push_back({accumulate, rows, map});
    result.accumulatesInPlace = true;
  }
  return result;
}

/// d_weight and d_bias: each segment of dY gives its rows of both.
static SegmentedContraction
getWeightGradient(MLIRContext *context, ArrayRef<GradientSegment> segments,
                  Value activations, std::optional<GradientTarget> weight,
                  std::optional<GradientTarget> bias) {
  bool hasHeads = segments.front().rows.has_value();
  // Dimensions (h, d, k, b, s) with heads, (h, p, b, s) without.
  unsigned h = 0, d = 1, k = hasHeads ? 2 : 1, b = k + 1, s = k + 2;
  DimensionMaps map{context, s + 1};
  SmallVector<unsigned> features = {h};
  if (hasHeads)
    features.push_back(d);
  SmallVector<unsigned> product(features);
  product.push_back(k);

  SegmentedContraction contraction;
  contraction.dims = {"h"};
  if (hasHeads)
    contraction.dims.push_back("d");
  contraction.dims.append({hasHeads ? "k" : "p", "b", "s"});
  contraction.m.assign(features.begin(), features.end());
  contraction.n = {k};
  contraction.k = {b, s};
  for (auto [number, segment] : llvm::enumerate(segments)) {
    AffineMap dYMap = hasHeads ? map({b, h, s, d}) : map({b, s, h});
    ContractionSegment rows;
    rows.terms.push_back({{segment.dY, std::nullopt, dYMap},
                          {activations, std::nullopt, map({b, s, k})}});
    if (weight)
      rows.product =
          getGradientResult(*weight, number, segment.rows, map(product));
    if (bias)
      rows.lhsSum =
          getGradientResult(*bias, number, segment.rows, map(features));
    contraction.segments.push_back(std::move(rows));
  }
  return contraction;
}

template <typename GradOp>
static SmallVector<SegmentedContraction, 0>
getGradientContractions(GradOp op, ArrayRef<GradientSegment> segments,
                        Value activations) {
  using Gradients = decltype(op.getWrt());
  unsigned number = 0;
  SmallVector<SegmentedContraction, 0> contractions;
  if (op.wants(Gradients::Activations)) {
    contractions.push_back(
        getActivationsGradient(op.getContext(), segments, op.getWeights()));
    ++number;
  }
  unsigned count = op.getWeights().size();
  std::optional<GradientTarget> weight, bias;
  if (op.wants(Gradients::Weight)) {
    weight = GradientTarget{number, count, op.getAccumulateWeights()};
    number += count;
  }
  if (op.wants(Gradients::Bias))
    bias = GradientTarget{number, count, op.getAccumulateBiases()};
  if (weight || bias)
    contractions.push_back(getWeightGradient(op.getContext(), segments,
                                             activations, weight, bias));
  return contractions;
}

/// Accumulated gradients start from their operand; in buffer form the others
/// take the memrefs of `outs` in order.
template <typename GradOp>
static SmallVector<Value> getGradientDestinations(GradOp op) {
  using Gradients = decltype(op.getWrt());
  auto outs = op.getOuts().begin();
  SmallVector<Value> destinations;
  auto add = [&](Gradients gradient, unsigned count, ValueRange accumulate) {
    if (!op.wants(gradient))
      return;
    for (unsigned part = 0; part < count; ++part) {
      if (!accumulate.empty() || !op.isBufferForm())
        destinations.push_back(getPart(accumulate, part));
      else
        destinations.push_back(*outs++);
    }
  };
  unsigned count = op.getWeights().size();
  add(Gradients::Activations, 1, {});
  add(Gradients::Weight, count, op.getAccumulateWeights());
  add(Gradients::Bias, count, op.getAccumulateBiases());
  return destinations;
}

SmallVector<SegmentedContraction, 0> FusedQKVGradOp::getContractions() {
  SmallVector<GradientSegment> segments;
  Value gradients[] = {getDQuery(), getDKey(), getDValue()};
  SmallVector<HeadRows, 3> qkvRows = getQKVRows(*this);
  for (auto [dY, rows] : llvm::zip_equal(gradients, qkvRows))
    segments.push_back({dY, rows});
  return getGradientContractions(*this, segments, getInput());
}

SmallVector<Value> FusedQKVGradOp::getDestinations() {
  return getGradientDestinations(*this);
}

SmallVector<SegmentedContraction, 0> OutProjResidualGradOp::getContractions() {
  return getGradientContractions(
      *this, GradientSegment{getDOutput(), std::nullopt}, getAttn());
}

SmallVector<Value> OutProjResidualGradOp::getDestinations() {
  return getGradientDestinations(*this);
}
