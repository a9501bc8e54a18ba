// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "boostr/passes/gpu/wgmma/WgmmaCost.h"
#include "boostr/passes/cpu/IndexMath.h"
#include "boostr/passes/cpu/StridedArray.h"

using namespace mlir;
using namespace mlir::boostr;

/// What a tile costs at its ends, and sharing those of a round.
static constexpr int64_t kEnds = 1800, kSharing = 14500;

namespace {

/// Sizes of the result and of the sum.
struct Size {
  OpFoldResult rows, columnTiles, steps;
};

} // namespace

static Size getSize(ImplicitLocOpBuilder &b,
                    const SegmentedContraction &contraction,
                    const wgmma::WgmmaShape &shape,
                    const wgmma::WgmmaTile &tile) {
  auto count = [&](const ContractionTerm &term, ArrayRef<unsigned> dims) {
    SmallVector<OpFoldResult> extents =
        getExtents(b, b.getLoc(), contraction, term);
    return OpFoldResult(cpu::DimGroup{dims, extents}.getSize(b));
  };
  Size size = {b.getIndexAttr(0), b.getIndexAttr(0), b.getIndexAttr(0)};
  for (const ContractionTerm &term : contraction.segments.front().terms)
    size.steps =
        cpu::add(b, size.steps,
                 cpu::ceilDiv(b, count(term, contraction.k), wgmma::kUnit));
  for (auto [number, segment] : llvm::enumerate(contraction.segments)) {
    const ContractionTerm &term = segment.terms.front();
    if (number == 0 || shape.segmented == wgmma::SegmentedAxis::M)
      size.rows = cpu::add(b, size.rows, count(term, contraction.m));
    if (number > 0 && shape.segmented != wgmma::SegmentedAxis::N)
      continue;
    OpFoldResult columns = count(term, contraction.n);
    if (!tile.spansSegments)
      columns = cpu::ceilDiv(b, columns, tile.columns);
    size.columnTiles = cpu::add(b, size.columnTiles, columns);
  }
  if (tile.spansSegments)
    size.columnTiles = cpu::ceilDiv(b, size.columnTiles, tile.columns);
  return size;
}

Value wgmma::estimateCost(ImplicitLocOpBuilder &b,
                          const SegmentedContraction &contraction,
                          const WgmmaShape &shape, const WgmmaTile &tile,
                          OpFoldResult multiprocessors) {
  auto number = [&](int64_t value) -> OpFoldResult {
    return b.getIndexAttr(value);
  };
  constexpr int64_t tileRows = kConsumers * kUnit;
  Size size = getSize(b, contraction, shape, tile);
  OpFoldResult tiles =
      cpu::mul(b, cpu::ceilDiv(b, size.rows, tileRows), size.columnTiles);
  OpFoldResult loads = cpu::mul(b, size.steps, number(tileRows + tile.columns));
  OpFoldResult round = cpu::add(b, loads, number(kEnds));
  // Few rows are shared otherwise.
  if (tile.isNarrow || tile.split == 1)
    return cpu::toValue(
        b, cpu::mul(b, cpu::ceilDiv(b, tiles, multiprocessors), round));
  OpFoldResult whole = cpu::div(b, tiles, multiprocessors);
  OpFoldResult left = cpu::sub(b, tiles, cpu::mul(b, whole, multiprocessors));
  OpFoldResult part = cpu::div(b, cpu::mul(b, loads, left), multiprocessors);
  OpFoldResult shared = cpu::add(b, part, number(kEnds + kSharing));
  Value isLeft = arith::CmpIOp::create(
      b, arith::CmpIPredicate::ne, cpu::toValue(b, left), cpu::constant(b, 0));
  Value last = arith::SelectOp::create(
      b, isLeft, cpu::toValue(b, cpu::min(b, round, shared)),
      cpu::constant(b, 0));
  return cpu::toValue(
      b, cpu::add(b, cpu::mul(b, whole, round), OpFoldResult(last)));
}
