// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "boostr/passes/gpu/gemv/SkinnyGemvtTile.h"
#include "boostr/passes/contraction/StaticExtents.h"
#include "boostr/passes/gpu/GpuTile.h"
#include "boostr/passes/gpu/gemv/GemvtTile.h"

using namespace mlir;
using namespace mlir::boostr;
using namespace mlir::boostr::gemv;

static constexpr int64_t kMaxWarps = 32;
/// Loads that a thread may have under way.
static constexpr int64_t kMaxLoads = 32;
/// Registers of a thread that sums may take.
static constexpr int64_t kMaxSumRegisters = 64;
/// Shared memory of a block: what chips with these tensor cores have.
static constexpr int64_t kMaxSharedBytes = 96 << 10;
static constexpr int64_t kSumBytes = 4;

/// Why there is no such kernel for `contraction`; empty if there is.
static StringRef findMisfit(const SegmentedContraction &contraction,
                            GpuTargetAttr target) {
  const ContractionSegment &segment = contraction.segments.front();
  if (!segment.product || segment.lhsSum)
    return "gemvt computes products and nothing beside them";
  Type type = getElementTypeOrSelf(segment.terms.front().lhs.array);
  if (!type.isF16() && !type.isBF16())
    return "gemvt with 'warp' multiplies f16 and bf16";
  if (target && mma::getGeneration(target) < 80)
    return "gemvt with 'warp' is for sm_80 and newer";
  for (const ContractionTerm &term : segment.terms)
    if (!isContiguousInChunks(term.lhs, contraction.k,
                              SkinnyGemvtTile::kThreadSteps))
      return "gemvt with 'warp' reads lhs that is known to run along k in "
             "pieces of 8 bytes";
  return {};
}

std::optional<SkinnyGemvtTile>
SkinnyGemvtTile::get(const SegmentedContraction &contraction, GpuTileAttr attr,
                     GpuTargetAttr target, StringRef &reason) {
  auto fail = [&](StringRef why) {
    reason = why;
    return std::nullopt;
  };
  if (StringRef misfit = findMisfit(contraction, target); !misfit.empty())
    return fail(misfit);
  SkinnyGemvtTile tile;
  tile.rows = attr.getBlock()[0];
  tile.columns = attr.getBlock()[1];
  tile.warps = attr.getBlock()[2] / kInstruction.steps;
  tile.stages = attr.getStages();
  if (attr.getWarp() != attr.getBlock().take_front(2) ||
      tile.rows % kInstruction.columns != 0 ||
      !llvm::is_contained({16, 32, 64}, tile.columns))
    return fail("a warp of gemvt computes all of its block, a multiple of 8 "
                "rows and 16, 32 or 64 columns");
  if (getColumnChunk(contraction) % tile.chunk() != 0)
    return fail("gemvt with 'warp' reads rhs that is known to run along n in "
                "pieces of an eighth of its columns");
  if (attr.getBlock()[2] % kInstruction.steps != 0 || tile.warps > kMaxWarps ||
      tile.threads() % tile.columns != 0)
    return fail("steps of a block of gemvt are 16 for each of up to 32 warps, "
                "whose threads are a multiple of its columns");
  if (tile.rows > kMaxSumRegisters * kWarp / tile.columns)
    return fail("a warp of gemvt computes at most 2048 elements");
  if (tile.stages > kMaxLoads / kThreadSteps)
    return fail("a thread of gemvt has up to 32 loads under way");
  if (llvm::product_of(tile.sharedShape()) * kSumBytes > kMaxSharedBytes)
    return fail("sums of the warps of gemvt take at most 96 KiB");
  return tile;
}

/// About as many blocks as an H100 has multiprocessors, each with as many bytes
/// under way as threads have registers for.
GpuTileAttr gemv::chooseSkinnyGemvtTile(GpuTargetAttr target,
                                        const SegmentedContraction &contraction,
                                        int64_t rows) {
  constexpr int64_t chunk = 8, leastBlocks = kMultiprocessors * 3 / 4;
  constexpr int64_t steps = SkinnyGemvtTile::kInstruction.steps;
  const ContractionSegment &segment = contraction.segments.front();
  int64_t n = getStaticProduct(segment.terms.front(), contraction.n);
  if (!target || rows > 16 || !findMisfit(contraction, target).empty() ||
      getColumnChunk(contraction) != chunk || ShapedType::isDynamic(n))
    return {};
  int64_t tileRows = llvm::alignTo(rows, SkinnyGemvtTile::kInstruction.columns);
  // With more columns a thread has more bytes under way, and a warp more sums.
  bool isWide = llvm::divideCeil(n, 64) >= leastBlocks;
  int64_t columns = isWide ? 64 : 32, stages = isWide ? 2 : 1;
  int64_t warps = isWide ? kMaxWarps / 2 : kMaxWarps;
  int64_t common = getCommonSteps(contraction);
  while (warps > 8 && common % (warps * stages * steps) != 0)
    warps /= 2;
  return GpuTileAttr::get(target.getContext(), GpuKernel::Gemvt,
                          {tileRows, columns, warps * steps}, stages,
                          /*group=*/1, /*split=*/1, /*narrow=*/{},
                          /*fewRows=*/{}, /*warp=*/{tileRows, columns});
}
