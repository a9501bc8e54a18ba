// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "boostr/passes/gpu/gemv/SkinnyTile.h"
#include "boostr/passes/contraction/StaticExtents.h"
#include "boostr/passes/gpu/GpuTile.h"
#include "boostr/passes/gpu/gemv/GemvTile.h"

using namespace mlir;
using namespace mlir::boostr;
using namespace mlir::boostr::gemv;

static constexpr int64_t kMaxThreads = 512;
/// Columns of a block that is chosen here.
static constexpr int64_t kColumns = 16;
/// Pieces of 16 bytes that a thread has of both operands: half of its
/// registers.
static constexpr int64_t kMaxChunks = 32;
/// Registers of a thread that sums may take.
static constexpr int64_t kMaxSumRegisters = 64;

/// Why there is no such kernel for `contraction`; empty if there is.
static StringRef findMisfit(const SegmentedContraction &contraction,
                            GpuTargetAttr target) {
  const ContractionSegment &segment = contraction.segments.front();
  if (!segment.product || segment.lhsSum)
    return "gemv computes products and nothing beside them";
  Type type = getElementTypeOrSelf(segment.terms.front().lhs.array);
  if (!type.isF16() && !type.isBF16())
    return "gemv with 'warp' multiplies f16 and bf16";
  if (target && mma::getGeneration(target) < 80)
    return "gemv with 'warp' is for sm_80 and newer";
  if (getChunk(contraction) != SkinnyTile::kChunk)
    return "gemv with 'warp' reads operands that are known to run along k in "
           "pieces of 16 bytes";
  return {};
}

std::optional<SkinnyTile>
SkinnyTile::get(const SegmentedContraction &contraction, GpuTileAttr attr,
                GpuTargetAttr target, StringRef &reason) {
  auto fail = [&](StringRef why) {
    reason = why;
    return std::nullopt;
  };
  if (StringRef misfit = findMisfit(contraction, target); !misfit.empty())
    return fail(misfit);
  SkinnyTile tile;
  tile.rows = attr.getBlock()[0];
  tile.columns = attr.getBlock()[1];
  tile.warps = attr.getBlock()[2] / kSteps;
  tile.stages = attr.getStages();
  if (attr.getWarp() != attr.getBlock().take_front(2) ||
      tile.rows % kInstruction.columns != 0 ||
      tile.columns % kInstruction.rows != 0)
    return fail("a warp of gemv computes all of its block, a multiple of 8 "
                "rows and of 16 columns");
  if (tile.rows > kMaxSumRegisters * 32 ||
      tile.columns > kMaxSumRegisters * 32 / tile.rows)
    return fail("a warp of gemv computes at most 2048 elements");
  if (attr.getBlock()[2] % kSteps != 0 || tile.threads() > kMaxThreads ||
      tile.threads() % tile.columns != 0)
    return fail("steps of a block of gemv are 32 for each of up to 16 warps, "
                "whose threads are a multiple of its columns");
  if (tile.stages > kMaxChunks ||
      tile.stages * (tile.rows + tile.columns) / 8 > kMaxChunks)
    return fail("a thread of gemv reads at most 32 pieces of 16 bytes at once");
  return tile;
}

/// Whether an H100 runs all blocks of 16 warps at once: two of them on each
/// multiprocessor. Not if it is unknown how many there are.
static bool runsInOneWave(const SegmentedContraction &contraction) {
  constexpr int64_t atOnce = 2 * kMultiprocessors;
  int64_t blocks = 0;
  for (const ContractionSegment &segment : contraction.segments) {
    int64_t columns = getStaticProduct(segment.terms.front(), contraction.n);
    if (ShapedType::isDynamic(columns))
      return false;
    blocks += llvm::divideCeil(columns, kColumns);
  }
  return blocks <= atOnce;
}

int64_t gemv::getMostRowsBesideWgmma(const SegmentedContraction &contraction) {
  const ContractionTerm &term = contraction.segments.front().terms.front();
  bool isGemvt = runsAlong(term.rhs, contraction.n.back());
  return isGemvt || runsInOneWave(contraction) ? 16 : 8;
}

GpuTileAttr gemv::chooseSkinnyTile(GpuTargetAttr target,
                                   const SegmentedContraction &contraction,
                                   int64_t rows) {
  if (!target || rows > 16 || !findMisfit(contraction, target).empty())
    return {};
  // Enough bytes under way to keep the memory busy, and few enough registers
  // for three blocks on a multiprocessor: else weights of some sizes leave few
  // blocks for the end. More columns would read lhs less often, but need more
  // registers. Where all blocks run at once, none is left for the end, and more
  // warps with fewer stages each have their bytes under way sooner.
  int64_t tileRows = llvm::alignTo(rows, SkinnyTile::kInstruction.columns);
  bool isOneWave = runsInOneWave(contraction);
  constexpr int64_t columns = kColumns;
  int64_t warps = isOneWave ? 16 : 8, stages = isOneWave ? 2 : 4;
  return GpuTileAttr::get(
      target.getContext(), GpuKernel::Gemv,
      {tileRows, columns, warps * SkinnyTile::kSteps}, stages,
      /*group=*/1, /*split=*/1, /*narrow=*/{}, /*fewRows=*/{},
      /*warp=*/{tileRows, columns});
}
