// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "boostr/passes/gpu/gemv/GemvtTile.h"
#include "boostr/passes/contraction/StaticExtents.h"
#include "boostr/passes/gpu/ArrayLayout.h"
#include "boostr/passes/gpu/GpuTile.h"
#include "boostr/passes/gpu/gemv/SkinnyGemvtTile.h"
#include <numeric>

using namespace mlir;
using namespace mlir::boostr;
using namespace mlir::boostr::gemv;

static constexpr int64_t kMaxWarps = 32;
static constexpr int64_t kMaxStages = 16;
/// Registers of a thread that sums may take.
static constexpr int64_t kMaxSumRegisters = 128;
/// Shared memory that every GPU has for a block.
static constexpr int64_t kMaxSharedBytes = 64 << 10;
static constexpr int64_t kMostRows = 8;

int64_t gemv::getColumnChunk(const SegmentedContraction &contraction) {
  return getCommonChunk(contraction, &ContractionTerm::rhs, contraction.n);
}

std::optional<GemvtTile> GemvtTile::get(const SegmentedContraction &contraction,
                                        GpuTileAttr attr, StringRef &reason) {
  auto fail = [&](StringRef why) {
    reason = why;
    return std::nullopt;
  };
  const ContractionSegment &segment = contraction.segments.front();
  if (!segment.product || segment.lhsSum)
    return fail("gemvt computes products and nothing beside them");
  GemvtTile tile;
  tile.rows = attr.getBlock()[0];
  tile.columns = attr.getBlock()[1];
  tile.stages = attr.getStages();
  tile.chunk = getColumnChunk(contraction);
  tile.sumType = getAccumulatorType(getOperandType(contraction));
  int64_t sumBytes = tile.sumType.getIntOrFloatBitWidth() / 8;
  if (tile.columns % tile.chunk != 0 || kWarp % tile.lanes() != 0)
    return fail("columns of a block of gemvt are what 1, 2, 4, 8, 16 or 32 "
                "threads read at once");
  if (tile.stages > kMaxStages || attr.getBlock()[2] % tile.stages != 0)
    return fail("gemvt has up to 16 stages, which divide its steps");
  int64_t threads = attr.getBlock()[2] / tile.stages * tile.lanes();
  tile.warps = threads / kWarp;
  if (threads % kWarp != 0 || tile.warps > kMaxWarps ||
      threads % tile.columns != 0)
    return fail("steps of a block of gemvt are what 1 to 32 warps read, whose "
                "threads are a multiple of its columns");
  if (tile.rows > kMaxSumRegisters ||
      tile.rows * tile.chunk * sumBytes > kMaxSumRegisters * 4)
    return fail("a thread of gemvt has at most 512 bytes of sums");
  if (llvm::product_of(tile.sharedShape()) * sumBytes > kMaxSharedBytes)
    return fail("sums of the warps of gemvt take at most 64 KiB");
  tile.lhsChunk = getCommonChunk(contraction, &ContractionTerm::lhs,
                                 contraction.k, tile.stages);
  return tile;
}

/// How many threads read a row: as many as leave about as many blocks as an
/// H100 has multiprocessors, since one block reads all of its columns; 32 bytes
/// of a row at least, which is what memory is read by.
static int64_t chooseLanes(int64_t columns, int64_t chunk) {
  constexpr int64_t least = 2, leastBlocks = kMultiprocessors * 3 / 4;
  int64_t lanes = kWarp;
  while (lanes > least &&
         llvm::divideCeil(columns, lanes * chunk) < leastBlocks)
    lanes /= 2;
  return lanes;
}

int64_t gemv::getCommonSteps(const SegmentedContraction &contraction) {
  int64_t common = 0;
  for (const ContractionTerm &term : contraction.segments.front().terms) {
    int64_t steps = getStaticProduct(term, contraction.k);
    if (ShapedType::isDynamic(steps))
      return 0;
    common = std::gcd(common, steps);
  }
  return common;
}

/// The tile with `lanes` threads for each row of rhs.
static GpuTileAttr getTile(MLIRContext *context,
                           const SegmentedContraction &contraction,
                           int64_t rows, int64_t lanes) {
  int64_t chunk = getColumnChunk(contraction);
  // Many bytes under way. With many sums there are registers for fewer threads,
  // and for less that each of them has asked for.
  bool hasManySums = rows * chunk > 32;
  int64_t warps = kMaxWarps / 2;
  int64_t stages = hasManySums ? 2 : 4;
  // Fewer where a turn would be more than there is: the rest goes step by step.
  int64_t common = getCommonSteps(contraction);
  auto leavesRest = [&] {
    return common % (warps * kWarp / lanes * stages) != 0;
  };
  while (leavesRest() && stages > 2)
    stages /= 2;
  while (leavesRest() && warps > 8)
    warps /= 2;
  return GpuTileAttr::get(context, GpuKernel::Gemvt,
                          {rows, lanes * chunk, warps * kWarp / lanes * stages},
                          stages,
                          /*group=*/1);
}

GpuTileAttr gemv::chooseGemvtTile(MLIRContext *context, GpuTargetAttr target,
                                  const SegmentedContraction &contraction,
                                  int64_t rows) {
  if (GpuTileAttr tile = chooseSkinnyGemvtTile(target, contraction, rows))
    return tile;
  const ContractionSegment &segment = contraction.segments.front();
  int64_t chunk = getColumnChunk(contraction);
  int64_t bytes = getOperandType(contraction).getIntOrFloatBitWidth() / 8;
  int64_t columns = getStaticProduct(segment.terms.front(), contraction.n);
  if (!segment.product || segment.lhsSum || chunk * bytes != 16 ||
      rows > kMostRows || ShapedType::isDynamic(columns))
    return {};
  // Fewer columns where a block would not have the memory for their sums.
  StringRef reason;
  for (int64_t lanes = chooseLanes(columns, chunk); lanes > 0; lanes /= 2) {
    GpuTileAttr tile = getTile(context, contraction, rows, lanes);
    if (GemvtTile::get(contraction, tile, reason))
      return tile;
  }
  return {};
}
