// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "boostr/passes/gpu/wgmma/WgmmaCost.h"
#include "boostr/passes/cpu/IndexMath.h"
#include "boostr/passes/cpu/StridedArray.h"

using namespace mlir;
using namespace mlir::boostr;
using namespace mlir::boostr::wgmma;

/// Cycles of the ends of a tile, of which a block that has several waits for
/// less where the epilogue overlaps, and what sharing those of a round costs.
static constexpr int64_t kEnds = 4800, kOverlappedEnds = 1800, kSharing = 38700;

/// Cycles of a step: shared memory passes 128 bytes in one, a row of an
/// operand. Each row is written once, those of lhs are read by one consumer,
/// and those of rhs by each.
static int64_t getStepCycles(const WgmmaTile &tile) {
  return 2 * tile.rows() + tile.rhsBytes() / kRowBytes +
         tile.consumers * tile.columns;
}

static OpFoldResult add(ImplicitLocOpBuilder &b, OpFoldResult cycles,
                        int64_t more) {
  return cpu::add(b, cycles, OpFoldResult(b.getIndexAttr(more)));
}

static OpFoldResult mul(ImplicitLocOpBuilder &b, OpFoldResult cycles,
                        int64_t factor) {
  return cpu::mul(b, cycles, OpFoldResult(b.getIndexAttr(factor)));
}

CostModel::CostModel(ImplicitLocOpBuilder &b,
                     const SegmentedContraction &contraction,
                     const WgmmaShape &shape, OpFoldResult multiprocessors,
                     bool runsBeside, CountFunction count)
    : b(b), multiprocessors(multiprocessors), runsBeside(runsBeside),
      rows(b.getIndexAttr(0)), steps(b.getIndexAttr(0)) {
  for (const ContractionTerm &term : contraction.segments.front().terms)
    steps =
        cpu::add(b, steps, cpu::ceilDiv(b, count(term, contraction.k), kUnit));
  for (auto [number, segment] : llvm::enumerate(contraction.segments)) {
    const ContractionTerm &term = segment.terms.front();
    if (number == 0 || shape.segmented == SegmentedAxis::M)
      rows = cpu::add(b, rows, count(term, contraction.m));
    if (number == 0 || shape.segmented == SegmentedAxis::N)
      columns.push_back(count(term, contraction.n));
  }
}

OpFoldResult CostModel::countColumnTiles(const WgmmaTile &tile) const {
  OpFoldResult count = b.getIndexAttr(0);
  for (OpFoldResult ofSegment : columns)
    count =
        cpu::add(b, count,
                 tile.spansSegments ? ofSegment
                                    : cpu::ceilDiv(b, ofSegment, tile.columns));
  return tile.spansSegments ? cpu::ceilDiv(b, count, tile.columns) : count;
}

/// `x < y ? ifLess : otherwise`
static OpFoldResult selectIfLess(ImplicitLocOpBuilder &b, OpFoldResult x,
                                 OpFoldResult y, OpFoldResult ifLess,
                                 OpFoldResult otherwise) {
  std::optional<int64_t> knownX = getConstantIntValue(x),
                         knownY = getConstantIntValue(y);
  if (knownX && knownY)
    return *knownX < *knownY ? ifLess : otherwise;
  Value isLess = arith::CmpIOp::create(b, arith::CmpIPredicate::ult,
                                       cpu::toValue(b, x), cpu::toValue(b, y));
  return cpu::select(b, isLess, ifLess, otherwise);
}

/// All tiles in rounds.
CostModel::Time CostModel::estimateRounds(OpFoldResult tiles,
                                          OpFoldResult round) const {
  return {cpu::mul(b, cpu::ceilDiv(b, tiles, multiprocessors), round),
          cpu::div(b, cpu::mul(b, tiles, round), multiprocessors)};
}

/// The same, but blocks share the tiles of the last round if that is shorter:
/// then all are busy. `steps` are cycles.
CostModel::Time CostModel::estimateShared(OpFoldResult tiles,
                                          OpFoldResult steps) const {
  OpFoldResult zero = b.getIndexAttr(0);
  OpFoldResult round = add(b, steps, kOverlappedEnds);
  OpFoldResult numWhole = cpu::div(b, tiles, multiprocessors);
  OpFoldResult whole = cpu::mul(b, numWhole, round);
  OpFoldResult left =
      cpu::sub(b, tiles, cpu::mul(b, numWhole, multiprocessors));
  OpFoldResult part = cpu::div(b, cpu::mul(b, round, left), multiprocessors);
  OpFoldResult shared = add(b, part, kSharing);
  OpFoldResult last =
      selectIfLess(b, zero, left, cpu::min(b, round, shared), zero);
  OpFoldResult busyInLast = selectIfLess(b, last, round, last, part);
  return {cpu::add(b, whole, last), cpu::add(b, whole, busyInLast)};
}

OpFoldResult CostModel::estimate(const WgmmaTile &tile,
                                 OpFoldResult steps) const {
  OpFoldResult tiles =
      cpu::mul(b, cpu::ceilDiv(b, rows, tile.rows()), countColumnTiles(tile));
  OpFoldResult stepCycles = mul(b, steps, getStepCycles(tile));
  OpFoldResult round = add(b, stepCycles, kEnds);
  // Few rows are shared otherwise.
  bool mayBeShared = tile.split > 1 && !tile.isNarrow;
  Time time = mayBeShared ? estimateShared(tiles, stepCycles)
                          : estimateRounds(tiles, round);
  if (mayBeShared)
    for (OpFoldResult *cycles : {&time.all, &time.busy})
      *cycles = add(b, *cycles, kEnds - kOverlappedEnds);
  if (!runsBeside)
    return time.all;
  return cpu::add(b, mul(b, time.all, 5), mul(b, time.busy, 3));
}
