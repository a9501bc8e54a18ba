// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "boostr/passes/gpu/gemv/GerTile.h"
#include "boostr/passes/contraction/StaticExtents.h"
#include "boostr/passes/gpu/ArrayLayout.h"
#include "boostr/passes/gpu/gemv/GemvtTile.h"
#include "boostr/passes/gpu/gemv/SkinnyGerTile.h"

using namespace mlir;
using namespace mlir::boostr;
using namespace mlir::boostr::gemv;

static constexpr int64_t kMaxThreads = 1024;
static constexpr int64_t kMaxSteps = 8;
/// Bytes of sums that a thread may have.
static constexpr int64_t kMaxSumBytes = 512;

int64_t gemv::getRowChunk(const SegmentedContraction &contraction,
                          int64_t rows) {
  return getCommonChunk(contraction, &ContractionTerm::lhs, contraction.m,
                        rows);
}

std::optional<GerTile> GerTile::get(const SegmentedContraction &contraction,
                                    GpuTileAttr attr, StringRef &reason) {
  auto fail = [&](StringRef why) {
    reason = why;
    return std::nullopt;
  };
  if (!contraction.segments.front().product)
    return fail("ger computes products, and sums of lhs beside them");
  GerTile tile;
  tile.rows = attr.getBlock()[0];
  tile.columns = attr.getBlock()[1];
  tile.steps = attr.getBlock()[2];
  tile.group = attr.getGroup();
  tile.chunk = getColumnChunk(contraction);
  tile.lhsChunk = getRowChunk(contraction, tile.rows);
  tile.sumType = getAccumulatorType(getOperandType(contraction));
  if (tile.columns % (kWarp * tile.chunk) != 0 ||
      tile.threads() > kMaxThreads || tile.threads() < tile.rows)
    return fail("columns of a block of ger are what 1 to 32 warps read at "
                "once, with a thread for each row or more");
  if (tile.rows * tile.chunk * tile.sumType.getIntOrFloatBitWidth() / 8 >
      kMaxSumBytes)
    return fail("a thread of ger has at most 512 bytes of sums");
  if (attr.getStages() != 1 || tile.steps > kMaxSteps)
    return fail("ger has one stage, of up to 8 steps");
  return tile;
}

/// Small blocks, so that none waits long for its turn; fewer threads if these
/// fill rows without a rest.
static int64_t chooseThreads(int64_t columns, int64_t chunk) {
  constexpr int64_t usual = 128;
  for (int64_t threads : {usual, usual / 2, usual / 4})
    if (columns % (threads * chunk) == 0)
      return threads;
  return usual;
}

GpuTileAttr gemv::chooseGerTile(MLIRContext *context, GpuTargetAttr target,
                                const SegmentedContraction &contraction) {
  if (GpuTileAttr tile = chooseSkinnyGerTile(target, contraction))
    return tile;
  const ContractionSegment &segment = contraction.segments.front();
  int64_t chunk = getColumnChunk(contraction);
  int64_t bytes = getOperandType(contraction).getIntOrFloatBitWidth() / 8;
  int64_t columns = getStaticProduct(segment.terms.front(), contraction.n);
  if (!segment.product || chunk * bytes != 16 || ShapedType::isDynamic(columns))
    return {};
  // As many rows as share what is read of rhs, and still leave registers for
  // enough blocks on a multiprocessor.
  constexpr int64_t rows = 8, steps = 2;
  return GpuTileAttr::get(context, GpuKernel::Ger,
                          {rows, chooseThreads(columns, chunk) * chunk, steps},
                          /*stages=*/1,
                          /*group=*/1);
}
