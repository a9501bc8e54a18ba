// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "boostr/passes/gpu/SmallBlocks.h"
#include "boostr/passes/contraction/SegmentArrays.h"
#include "boostr/passes/contraction/StaticExtents.h"
#include "boostr/passes/cpu/IndexMath.h"
#include "boostr/passes/gpu/ArrayLayout.h"
#include "boostr/passes/gpu/CountIndices.h"
#include "boostr/passes/gpu/mma/MmaTile.h"

using namespace mlir;
using namespace mlir::boostr;
using namespace mlir::boostr::cpu;

/// The most parts that a block is cut into.
static constexpr int64_t kMostParts = 16;
/// Numbers of steps of k that stand for all, where it is not known.
static constexpr int64_t kLeastSteps = 16, kMostSteps = int64_t(1) << 20;

//===----------------------------------------------------------------------===//
// Tiles
//===----------------------------------------------------------------------===//

static GpuTileAttr getSmallTile(GpuTileAttr tile, ArrayRef<int64_t> small,
                                const SegmentedContraction &contraction) {
  if (tile.getKernel() == GpuKernel::Mma)
    return mma::getSmallTile(tile, small, contraction);
  return GpuTileAttr::get(tile.getContext(), tile.getKernel(),
                          {small[0], small[1], tile.getBlock()[2]},
                          tile.getStages(), tile.getGroup(), tile.getSplit());
}

/// Whether cutting blocks along k is worth the registers that it takes: there
/// are few where mma copies small pieces, and beside the sums of the largest
/// blocks. Kernels of several terms, and those of simt that are chosen for many
/// rows too, would spill some or be slower.
static bool canBeCut(GpuTileAttr tile,
                     const SegmentedContraction &contraction) {
  bool isMma = tile.getKernel() == GpuKernel::Mma;
  if (isMma && !hasLargePieces(contraction))
    return false;
  return tile.getBlock()[0] * tile.getBlock()[1] <= 128 * 128 ||
         (contraction.segments.front().terms.size() == 1 &&
          (isMma || isTransposed(contraction)));
}

SmallVector<GpuTileAttr, 3>
mlir::boostr::listTiles(GpuTileAttr tile,
                        const SegmentedContraction &contraction) {
  SmallVector<GpuTileAttr, 3> tiles = {tile.withSmall({})};
  for (ArrayRef<int64_t> small = tile.getSmall(); !small.empty();
       small = small.drop_front(2))
    tiles.push_back(getSmallTile(tile, small.take_front(2), contraction));
  for (GpuTileAttr &one : tiles)
    if (!canBeCut(one, contraction))
      one = one.withSplit(1);
  return tiles;
}

//===----------------------------------------------------------------------===//
// The host's choice
//===----------------------------------------------------------------------===//

SmallVector<BlockEstimate<Value>, 3> mlir::boostr::estimateTimes(
    ImplicitLocOpBuilder &b, SegmentedContractionOpInterface op,
    const SegmentedContraction &contraction, ArrayRef<GpuTileAttr> tiles) {
  OpFoldResult steps = b.getIndexAttr(0);
  for (const ContractionTerm &term : contraction.segments.front().terms)
    steps = add(b, steps, countIndices(b, contraction, term, contraction.k));
  SmallVector<BlockEstimate<Value>, 3> estimates;
  for (GpuTileAttr tile : tiles) {
    NumberedBlocks blocks(b, op, contraction, tile.getBlock()[0],
                          tile.getBlock()[1]);
    BlockEstimate<OpFoldResult> estimate = estimateBlocks(
        EmittedMath{b}, tile, contraction, blocks.getCount(), steps);
    estimates.push_back(
        {toValue(b, estimate.time), toValue(b, estimate.parts)});
  }
  return estimates;
}

//===----------------------------------------------------------------------===//
// The compiler's choice
//===----------------------------------------------------------------------===//

static int64_t countStaticBlocks(const SegmentedContraction &contraction,
                                 ArrayRef<int64_t> block) {
  int64_t count = 0;
  for (const ContractionSegment &segment : contraction.segments) {
    const ContractionTerm &term = segment.terms.front();
    int64_t m = getStaticProduct(term, contraction.m);
    int64_t n = getStaticProduct(term, contraction.n);
    if (ShapedType::isDynamic(m) || ShapedType::isDynamic(n))
      return ShapedType::kDynamic;
    count += llvm::divideCeil(m, block[0]) * llvm::divideCeil(n, block[1]);
  }
  return count;
}

static int64_t countStaticSteps(const SegmentedContraction &contraction) {
  int64_t count = 0;
  for (const ContractionTerm &term : contraction.segments.front().terms) {
    int64_t k = getStaticProduct(term, contraction.k);
    if (ShapedType::isDynamic(k))
      return ShapedType::kDynamic;
    count += k;
  }
  return count;
}

namespace {

/// One of several tiles, for a number of blocks, and steps, that are known.
struct Choice {
  GpuTileAttr tile;
  int64_t parts = 1;
};

} // namespace

static Choice choose(ArrayRef<GpuTileAttr> tiles,
                     const SegmentedContraction &contraction, int64_t steps) {
  Choice best;
  int64_t leastTime = std::numeric_limits<int64_t>::max();
  for (GpuTileAttr tile : tiles) {
    int64_t blocks = countStaticBlocks(contraction, tile.getBlock());
    auto [time, parts] =
        estimateBlocks(KnownMath(), tile, contraction, blocks, steps);
    if (time < leastTime) {
      best = {tile, parts};
      leastTime = time;
    }
  }
  return best;
}

/// The sizes of blocks that may be worth it beside those of `tile`.
static SmallVector<int64_t, 4>
getSmallSizes(GpuTileAttr tile, const SegmentedContraction &contraction) {
  int64_t rows = tile.getBlock()[0], columns = tile.getBlock()[1];
  SmallVector<int64_t, 4> small;
  if (!contraction.segments.front().product)
    return small;
  if (rows * columns > 128 * 128)
    small = {128, 128};
  if (rows >= 64 && columns >= 64 && rows * columns > 64 * 64)
    small.append({64, 64});
  return small;
}

GpuTileAttr mlir::boostr::addSmall(GpuTileAttr tile,
                                   const SegmentedContraction &contraction) {
  GpuTileAttr all =
      tile.withSmall(getSmallSizes(tile, contraction)).withSplit(kMostParts);
  if (llvm::all_of(listTiles(all, contraction),
                   [](GpuTileAttr one) { return one.getSplit() == 1; }))
    all = all.withSplit(1);
  if (ShapedType::isDynamic(countStaticBlocks(contraction, tile.getBlock())))
    return all;
  SmallVector<GpuTileAttr, 3> tiles = listTiles(all, contraction);
  int64_t steps = countStaticSteps(contraction);
  if (!ShapedType::isDynamic(steps)) {
    Choice best = choose(tiles, contraction, steps);
    return best.tile.withSplit(best.parts);
  }
  // Those that are the best for any number of steps.
  SmallVector<bool, 3> isBest(tiles.size(), false);
  int64_t mostParts = 1;
  for (steps = kLeastSteps; steps <= kMostSteps; steps *= 2) {
    Choice best = choose(tiles, contraction, steps);
    isBest[llvm::find(tiles, best.tile) - tiles.begin()] = true;
    mostParts = std::max(mostParts, best.parts);
  }
  SmallVector<int64_t, 4> small;
  GpuTileAttr largest;
  for (auto [one, isNeeded] : llvm::zip_equal(tiles, isBest)) {
    if (!isNeeded)
      continue;
    if (largest)
      small.append({one.getBlock()[0], one.getBlock()[1]});
    else
      largest = one;
  }
  return largest.withSmall(small).withSplit(mostParts);
}
