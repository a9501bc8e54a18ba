// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "boostr/passes/gpu/simt/SimtTile.h"

using namespace mlir;
using namespace mlir::boostr;
using namespace mlir::boostr::simt;

/// What a block may have on any GPU.
static constexpr int64_t kMaxSharedBytes = 64 * 1024;
/// Registers of a thread that sums may take.
static constexpr int64_t kMaxSumRegisters = 128;

std::optional<SimtTile> SimtTile::get(const SegmentedContraction &contraction,
                                      GpuTileAttr attr, StringRef &reason) {
  auto fail = [&](StringRef why) {
    reason = why;
    return std::nullopt;
  };
  Value lhs = contraction.segments.front().terms.front().lhs.array;
  SimtTile tile;
  tile.rows = attr.getBlock()[0];
  tile.columns = attr.getBlock()[1];
  tile.steps = attr.getBlock()[2];
  tile.stages = attr.getStages();
  tile.group = attr.getGroup();
  tile.sumType = getAccumulatorType(getElementTypeOrSelf(lhs));
  int64_t perThread = kSide * tile.lanes();
  if (tile.rows % perThread != 0 || tile.columns % perThread != 0 ||
      tile.rows > kThreads || tile.columns > kThreads)
    return fail("rows and columns of a tile of simt are multiples of 64 (of 32 "
                "for f64) up to 256");
  if (tile.threadRows() * tile.threadColumns() *
          tile.sumType.getIntOrFloatBitWidth() >
      kMaxSumRegisters * 32)
    return fail("sums of a tile of simt are at most 128 x 256 (128 x 128 for "
                "f64)");
  if (tile.steps % kSide != 0)
    return fail("steps of a tile of simt are a multiple of 16");
  if (tile.stages > 2)
    return fail("simt has one or two stages");
  int64_t elements =
      tile.stages * tile.steps * (tile.paddedRows() + tile.paddedColumns());
  if (elements * tile.sumType.getIntOrFloatBitWidth() / 8 > kMaxSharedBytes)
    return fail("stages of simt are at most 64 KiB");
  return tile;
}
