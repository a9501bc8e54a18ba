// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "boostr/passes/gpu/gemv/GemvTile.h"
#include "boostr/passes/contraction/StaticExtents.h"
#include "boostr/passes/gpu/ArrayLayout.h"
#include "boostr/passes/gpu/gemv/GemvtTile.h"
#include "boostr/passes/gpu/gemv/SkinnyGemvtTile.h"
#include "boostr/passes/gpu/gemv/SkinnyTile.h"

using namespace mlir;
using namespace mlir::boostr;
using namespace mlir::boostr::gemv;

static constexpr int64_t kMaxWarps = 32;
static constexpr int64_t kMaxStages = 16;

int64_t gemv::getChunk(const SegmentedContraction &contraction) {
  return std::min(
      getCommonChunk(contraction, &ContractionTerm::lhs, contraction.k),
      getCommonChunk(contraction, &ContractionTerm::rhs, contraction.k));
}

std::optional<GemvTile> GemvTile::get(const SegmentedContraction &contraction,
                                      GpuTileAttr attr, StringRef &reason) {
  auto fail = [&](StringRef why) {
    reason = why;
    return std::nullopt;
  };
  const ContractionSegment &segment = contraction.segments.front();
  if (!segment.product || segment.lhsSum)
    return fail("gemv computes products and nothing beside them");
  GemvTile tile;
  tile.rows = attr.getBlock()[0];
  tile.columns = attr.getBlock()[1];
  tile.stages = attr.getStages();
  tile.chunk = getChunk(contraction);
  tile.sumType = getAccumulatorType(getOperandType(contraction));
  int64_t warpSteps = kWarp * tile.chunk;
  tile.warps = attr.getBlock()[2] / warpSteps;
  if (attr.getBlock()[2] % warpSteps != 0 || tile.warps > kMaxWarps)
    return fail("steps of a block of gemv are what 1 to 32 warps read at once");
  if (tile.rows * tile.columns > kWarp)
    return fail("a block of gemv computes at most 32 elements");
  if (tile.threads() % tile.columns != 0)
    return fail("columns of a block of gemv divide its number of threads");
  if (tile.stages > kMaxStages)
    return fail("gemv has up to 16 stages");
  return tile;
}

int64_t gemv::getMostRows(GpuTargetAttr target,
                          const SegmentedContraction &contraction) {
  return chooseSkinnyTile(target, contraction, 1) ||
                 chooseSkinnyGemvtTile(target, contraction, 1)
             ? 16
             : 8;
}

/// Pieces of 16 bytes for each thread of a warp that a line of an operand has;
/// rounded up; 0 if that is unknown.
static int64_t countPieces(const SegmentedContraction &contraction,
                           int64_t chunk) {
  int64_t steps = getStaticProduct(contraction.segments.front().terms.front(),
                                   contraction.k);
  return ShapedType::isDynamic(steps) ? 0
                                      : llvm::divideCeil(steps, kWarp * chunk);
}

/// How many warps share k for one row: if possible, each thread has two pieces
/// of a line in all, which are read in one turn (docs/gpu-performance.md, step
/// 25).
static int64_t chooseWarps(int64_t pieces) {
  constexpr int64_t least = 4, most = 16, usual = 8;
  if (pieces > 0 && pieces < least)
    return pieces;
  if (pieces % 2 == 0 && pieces / 2 >= least && pieces / 2 <= most)
    return pieces / 2;
  for (int64_t warps = most; pieces > 0 && warps >= least; --warps)
    if (pieces % warps == 0)
      return warps;
  return usual;
}

GpuTileAttr gemv::chooseTile(MLIRContext *context, GpuTargetAttr target,
                             const SegmentedContraction &contraction,
                             int64_t rows) {
  if (rows > 1)
    if (GpuTileAttr tile = chooseSkinnyTile(target, contraction, rows))
      return tile;
  const ContractionSegment &segment = contraction.segments.front();
  int64_t chunk = getChunk(contraction);
  int64_t bytes = getOperandType(contraction).getIntOrFloatBitWidth() / 8;
  if (!segment.product || segment.lhsSum || chunk * bytes != 16 || rows > 8)
    return chooseGemvtTile(context, target, contraction, rows);
  int64_t pieces = countPieces(contraction, chunk);
  int64_t warps = 4, columns = 2, stages = 2;
  if (rows == 1) {
    warps = chooseWarps(pieces);
    stages = pieces % (2 * warps) == 0 ? 2 : 1;
    // A block that has little to read of a column takes two.
    columns = pieces > 0 && pieces <= 4 ? 2 : 1;
  }
  return GpuTileAttr::get(context, GpuKernel::Gemv,
                          {rows, columns, warps * kWarp * chunk}, stages,
                          /*group=*/1, /*split=*/1, /*narrow=*/{},
                          /*fewRows=*/{});
}
