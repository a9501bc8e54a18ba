// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "boostr/passes/gpu/gemv/SkinnyGerTile.h"
#include "boostr/passes/contraction/StaticExtents.h"
#include "boostr/passes/gpu/gemv/GemvtTile.h"
#include "boostr/passes/gpu/gemv/GerTile.h"

using namespace mlir;
using namespace mlir::boostr;
using namespace mlir::boostr::gemv;

static constexpr int64_t kMaxWarps = 32;

/// Why there is no such kernel for `contraction`; empty if there is.
static StringRef findMisfit(const SegmentedContraction &contraction,
                            GpuTargetAttr target) {
  const ContractionSegment &segment = contraction.segments.front();
  if (!segment.product)
    return "ger computes products, and sums of lhs beside them";
  Type type = getElementTypeOrSelf(segment.terms.front().lhs.array);
  if (!type.isF16() && !type.isBF16())
    return "ger with 'warp' multiplies f16 and bf16";
  if (target && mma::getGeneration(target) < 80)
    return "ger with 'warp' is for sm_80 and newer";
  if (getColumnChunk(contraction) != 8)
    return "ger with 'warp' reads rhs that is known to run along n in pieces "
           "of 16 bytes";
  return {};
}

std::optional<SkinnyGerTile>
SkinnyGerTile::get(const SegmentedContraction &contraction, GpuTileAttr attr,
                   GpuTargetAttr target, StringRef &reason) {
  auto fail = [&](StringRef why) {
    reason = why;
    return std::nullopt;
  };
  if (StringRef misfit = findMisfit(contraction, target); !misfit.empty())
    return fail(misfit);
  SkinnyGerTile tile;
  tile.rows = attr.getBlock()[0];
  tile.columns = attr.getBlock()[1];
  tile.steps = attr.getBlock()[2];
  tile.group = attr.getGroup();
  if (!llvm::is_contained({8, 16, 32, 64}, tile.rows) ||
      attr.getWarp() != ArrayRef<int64_t>{tile.rows, kWarpColumns})
    return fail("a warp of ger computes 64 columns of all rows of its block, "
                "8, 16, 32 or 64");
  if (tile.columns % kWarpColumns != 0 || tile.threads() > kMaxWarps * kWarp ||
      tile.threads() < tile.rows)
    return fail("columns of a block of ger are those of 1 to 32 warps, with a "
                "thread for each row or more");
  if (attr.getStages() != 1 || tile.steps != kInstruction.steps)
    return fail("ger with 'warp' has one stage of 16 steps");
  tile.chunk = 8;
  tile.lhsChunk = getRowChunk(contraction, tile.threadRows());
  return tile;
}

GpuTileAttr gemv::chooseSkinnyGerTile(GpuTargetAttr target,
                                      const SegmentedContraction &contraction) {
  const ContractionSegment &segment = contraction.segments.front();
  int64_t n = getStaticProduct(segment.terms.front(), contraction.n);
  if (!target || !findMisfit(contraction, target).empty() ||
      ShapedType::isDynamic(n))
    return {};
  // Fewer warps if these fill rows without a rest.
  constexpr int64_t rows = 32, width = SkinnyGerTile::kWarpColumns;
  int64_t warps = 4;
  while (warps > 1 && n % (warps * width) != 0)
    warps /= 2;
  if (n % width != 0)
    warps = 4;
  return GpuTileAttr::get(
      target.getContext(), GpuKernel::Ger,
      {rows, warps * width, SkinnyGerTile::kInstruction.steps}, /*stages=*/1,
      /*group=*/1, /*split=*/1, /*narrow=*/{}, /*fewRows=*/{},
      /*warp=*/{rows, width});
}
