// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "boostr/passes/gpu/SmallBlocks.h"
#include "boostr/passes/contraction/SegmentArrays.h"
#include "boostr/passes/contraction/StaticExtents.h"
#include "boostr/passes/cpu/IndexMath.h"
#include "boostr/passes/gpu/ArrayLayout.h"
#include "boostr/passes/gpu/GpuTile.h"
#include "boostr/passes/gpu/mma/MmaTile.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace mlir::boostr;
using namespace mlir::boostr::cpu;

//===----------------------------------------------------------------------===//
// Costs
//===----------------------------------------------------------------------===//

namespace {

/// What a block takes of a multiprocessor, and at least, for each step of k; of
/// one unit for all blocks of a kernel.
struct Cost {
  int64_t each, least;
};

} // namespace

/// Whether memory of both operands runs along rows, as in the gradient of the
/// weight.
static bool isTransposed(const SegmentedContraction &contraction) {
  const ContractionTerm &term = contraction.segments.front().terms.front();
  return !runsAlong(term.lhs, contraction.k.back()) &&
         !runsAlong(term.rhs, contraction.k.back());
}

/// As measured on an H100 (docs/gpu-performance.md).
static Cost getCost(GpuTileAttr tile, const SegmentedContraction &contraction) {
  int64_t size = tile.getBlock()[0] * tile.getBlock()[1];
  bool isLarge = size > 128 * 128, isMiddle = size > 64 * 64;
  if (tile.getKernel() == GpuKernel::Simt)
    return isLarge ? Cost{49, 49} : isMiddle ? Cost{28, 30} : Cost{10, 18};
  if (isTransposed(contraction))
    return isLarge ? Cost{28, 28} : isMiddle ? Cost{16, 16} : Cost{13, 13};
  return isLarge ? Cost{28, 28} : isMiddle ? Cost{25, 25} : Cost{10, 11};
}

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

SmallVector<Value, 3> mlir::boostr::estimateTimes(
    ImplicitLocOpBuilder &b, SegmentedContractionOpInterface op,
    const SegmentedContraction &contraction, ArrayRef<GpuTileAttr> tiles) {
  SmallVector<Value, 3> times;
  for (GpuTileAttr tile : tiles) {
    Cost cost = getCost(tile, contraction);
    NumberedBlocks blocks(b, op, contraction, tile.getBlock()[0],
                          tile.getBlock()[1]);
    OpFoldResult rounds = ceilDiv(b, blocks.getCount(), kMultiprocessors);
    times.push_back(toValue(b, max(b, mul(b, rounds, b.getIndexAttr(cost.each)),
                                   b.getIndexAttr(cost.least))));
  }
  return times;
}

//===----------------------------------------------------------------------===//
// Tiles
//===----------------------------------------------------------------------===//

static GpuTileAttr getSmallTile(GpuTileAttr tile, ArrayRef<int64_t> small,
                                const SegmentedContraction &contraction) {
  if (tile.getKernel() == GpuKernel::Mma)
    return mma::getSmallTile(tile, small, contraction);
  return GpuTileAttr::get(tile.getContext(), tile.getKernel(),
                          {small[0], small[1], tile.getBlock()[2]},
                          tile.getStages(), tile.getGroup());
}

SmallVector<GpuTileAttr, 3>
mlir::boostr::listTiles(GpuTileAttr tile,
                        const SegmentedContraction &contraction) {
  SmallVector<GpuTileAttr, 3> tiles = {tile.withSmall({})};
  for (ArrayRef<int64_t> small = tile.getSmall(); !small.empty();
       small = small.drop_front(2))
    tiles.push_back(getSmallTile(tile, small.take_front(2), contraction));
  return tiles;
}

GpuTileAttr mlir::boostr::addSmall(GpuTileAttr tile,
                                   const SegmentedContraction &contraction) {
  if (!contraction.segments.front().product)
    return tile;
  int64_t rows = tile.getBlock()[0], columns = tile.getBlock()[1];
  SmallVector<int64_t, 4> small;
  if ((tile.getKernel() == GpuKernel::Simt || isTransposed(contraction)) &&
      rows * columns > 128 * 128)
    small = {128, 128};
  if (rows >= 64 && columns >= 64 && rows * columns > 64 * 64)
    small.append({64, 64});
  GpuTileAttr all = tile.withSmall(small);
  GpuTileAttr best;
  int64_t leastTime = std::numeric_limits<int64_t>::max();
  for (GpuTileAttr one : listTiles(all, contraction)) {
    int64_t blocks = countStaticBlocks(contraction, one.getBlock());
    if (ShapedType::isDynamic(blocks))
      return all;
    Cost cost = getCost(one, contraction);
    int64_t time = std::max<int64_t>(
        cost.least, cost.each * llvm::divideCeil(blocks, kMultiprocessors));
    if (time < leastTime) {
      best = one;
      leastTime = time;
    }
  }
  return best;
}
