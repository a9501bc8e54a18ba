// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "boostr/passes/gpu/BlockCost.h"
#include "boostr/passes/gpu/ArrayLayout.h"
#include "boostr/passes/gpu/GpuTile.h"

using namespace mlir;
using namespace mlir::boostr;

namespace {

/// 256 x 128 or 128 x 256, 128 x 128, 64 x 64.
enum BlockSize { Large, Middle, Small };

/// What a block takes of a multiprocessor for each step of k, and at least.
struct StepCost {
  int64_t each, least;
};

/// What it takes that parts exchange their sums: in all, for each part of a
/// block, and for each thread block of the launch.
struct ExchangeCost {
  int64_t once, eachPart, eachBlock;
};

} // namespace

// All in tenths of a nanosecond, by size, fitted to what an H100 took
// (docs/gpu-performance.md).
static constexpr StepCost kSimtSteps[] = {
    {1840, 1710}, {1010, 950}, {350, 390}};
/// Of 16 bits.
static constexpr StepCost kMmaSteps[] = {{224, 180}, {164, 140}, {72, 56}};
static constexpr StepCost kTransposedMmaSteps[] = {
    {200, 163}, {136, 113}, {68, 45}};
static constexpr StepCost kF64MmaStep = {195, 400},
                          kTransposedF64MmaStep = {200, 520};
/// Without a product.
static constexpr StepCost kSumsStep = {200, 620};

static BlockSize getSize(GpuTileAttr tile) {
  int64_t size = tile.getBlock()[0] * tile.getBlock()[1];
  return size > 128 * 128 ? Large : size > 64 * 64 ? Middle : Small;
}

static StepCost getStepCost(GpuTileAttr tile,
                            const SegmentedContraction &contraction) {
  if (!contraction.segments.front().product)
    return kSumsStep;
  Type type = getOperandType(contraction);
  auto scale = [](StepCost cost, double factor) -> StepCost {
    return {int64_t(double(cost.each) * factor),
            int64_t(double(cost.least) * factor)};
  };
  if (tile.getKernel() == GpuKernel::Simt)
    return scale(kSimtSteps[getSize(tile)], type.isF64() ? 2.0 : 1.0);
  bool isBothTransposed = isTransposed(contraction);
  if (type.isF64())
    return isBothTransposed ? kTransposedF64MmaStep : kF64MmaStep;
  StepCost cost =
      (isBothTransposed ? kTransposedMmaSteps : kMmaSteps)[getSize(tile)];
  if (!type.isF32())
    return cost;
  return scale(cost, tile.getPrecision() == F32Precision::Tf32x3 ? 6.5 : 2.9);
}

/// The last part reads those of one after the other; what all write and read
/// goes through the L2 cache, or memory, at 3.3 TB/s.
static ExchangeCost getExchangeCost(GpuTileAttr tile,
                                    const SegmentedContraction &contraction) {
  constexpr ExchangeCost ofSizes[] = {
      {62000, 8500, 0}, {32000, 5800, 0}, {23000, 3700, 0}};
  if (!contraction.segments.front().product)
    return ofSizes[Small];
  ExchangeCost cost = ofSizes[getSize(tile)];
  int64_t sumBytes = getOperandType(contraction).isF64() ? 8 : 4;
  cost.eachBlock = 2 * tile.getBlock()[0] * tile.getBlock()[1] * sumBytes / 330;
  return cost;
}

template <typename Math>
BlockEstimate<typename Math::Number> mlir::boostr::estimateBlocks(
    Math math, GpuTileAttr tile, const SegmentedContraction &contraction,
    typename Math::Number blocks, typename Math::Number steps) {
  using Number = typename Math::Number;
  StepCost cost = getStepCost(tile, contraction);
  ExchangeCost exchange = getExchangeCost(tile, contraction);
  auto estimate = [&](int64_t parts) {
    Number all = math.mul(blocks, math.number(parts));
    Number rounds = math.ceilDiv(all, math.number(kMultiprocessors));
    Number step = math.max(math.mul(rounds, math.number(cost.each)),
                           math.number(cost.least));
    Number time = math.mul(step, math.ceilDiv(steps, math.number(parts)));
    if (parts == 1)
      return time;
    // Estimates are not exact: it should save more than a sixteenth.
    time = math.add(time, math.div(time, math.number(16)));
    time =
        math.add(time, math.number(exchange.once + parts * exchange.eachPart));
    return math.add(time, math.mul(all, math.number(exchange.eachBlock)));
  };
  BlockEstimate<Number> best = {estimate(1), math.number(1)};
  for (int64_t parts : {2, 4, 8, 12, 16}) {
    if (parts > tile.getSplit())
      break;
    Number time = estimate(parts);
    best.parts =
        math.selectIfLess(time, best.time, math.number(parts), best.parts);
    best.time = math.min(time, best.time);
  }
  return best;
}

namespace mlir::boostr {
template BlockEstimate<int64_t> estimateBlocks(KnownMath, GpuTileAttr,
                                               const SegmentedContraction &,
                                               int64_t, int64_t);
template BlockEstimate<OpFoldResult>
estimateBlocks(EmittedMath, GpuTileAttr, const SegmentedContraction &,
               OpFoldResult, OpFoldResult);
} // namespace mlir::boostr
