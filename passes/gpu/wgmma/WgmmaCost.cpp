// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "boostr/passes/gpu/wgmma/WgmmaCost.h"
#include "boostr/passes/cpu/StridedArray.h"

using namespace mlir;
using namespace mlir::boostr;
using namespace mlir::boostr::wgmma;

// Cycles, fitted to what an H100 took (docs/gpu-performance.md, steps 34 to
// 36): the ends of a tile, of which a block that has several waits for less
// where the epilogue overlaps. Of forward products storing results is a part of
// it.
static constexpr int64_t kEnds = 3000, kForwardEnds = 4800,
                         kOverlappedEnds = 1800;
/// Of flat tiles, whose boxes of results leave one after the other.
static constexpr int64_t kFlatEnds = 4000, kFlatBox = 800;
/// What warps that sum rows of lhs take to exchange their sums.
static constexpr int64_t kExchange = 3500;
/// What sharing costs: for each equal part of a tile but one, or in all where
/// helpers take a piece of several; in forward products in all.
static constexpr int64_t kPart = 10000, kHelp = 17000, kForwardSharing = 38700;
/// Bytes of results that all blocks together store in a cycle.
static constexpr int64_t kStoredBytes = 700;

/// Cycles of a step: shared memory passes 128 bytes in one, a row of an
/// operand. Each row is written once, those of lhs are read by one consumer,
/// and those of rhs by each. A product with ones reads lhs once more.
static int64_t getSharedMemoryCycles(const WgmmaTile &tile, bool sumsLhs) {
  int64_t cycles = 2 * tile.rows() + tile.rhsBytes() / kRowBytes +
                   tile.consumers * tile.columns;
  return sumsLhs && tile.isNarrow ? cycles + tile.rows() : cycles;
}

/// What fetching a step takes: 4 rows come in 9 cycles. That is more than the
/// above for flat tiles and those of few columns.
static int64_t getFetchCycles(const WgmmaTile &tile) {
  return (tile.rows() + tile.rhsBytes() / kRowBytes) * 9 / 4;
}

static int64_t getStepCycles(const WgmmaTile &tile, bool sumsLhs) {
  return std::max(getSharedMemoryCycles(tile, sumsLhs), getFetchCycles(tile));
}

template <typename Math>
CostModel<Math>::CostModel(Math math, const SegmentedContraction &contraction,
                           const WgmmaShape &shape, Number multiprocessors,
                           CountFunction count)
    : math(math), multiprocessors(multiprocessors), isForward(shape.rhsAlongK),
      sumsLhs(contraction.segments.front().lhsSum.has_value()),
      resultBytes(shape.resultBytes), rows(math.number(0)),
      steps(math.number(0)) {
  for (const ContractionTerm &term : contraction.segments.front().terms)
    steps = math.add(
        steps, math.ceilDiv(count(term, contraction.k), math.number(kUnit)));
  for (auto [number, segment] : llvm::enumerate(contraction.segments)) {
    const ContractionTerm &term = segment.terms.front();
    if (number == 0 || shape.segmented == SegmentedAxis::M)
      rows = math.add(rows, count(term, contraction.m));
    if (number == 0 || shape.segmented == SegmentedAxis::N)
      columns.push_back(count(term, contraction.n));
  }
}

template <typename Math>
auto CostModel<Math>::countTiles(const WgmmaTile &tile) const -> Number {
  Number count = math.number(0), width = math.number(tile.columns);
  for (Number ofSegment : columns)
    count = math.add(
        count, tile.spansSegments ? ofSegment : math.ceilDiv(ofSegment, width));
  if (tile.spansSegments)
    count = math.ceilDiv(count, width);
  return math.mul(math.ceilDiv(rows, math.number(tile.rows())), count);
}

template <typename Math>
int64_t CostModel<Math>::getEnds(const WgmmaTile &tile) const {
  if (tile.consumers == kFlatConsumers)
    return kFlatEnds +
           kFlatBox *
               llvm::divideCeil(tile.columns, tile.boxColumns(resultBytes));
  if (!tile.isNarrow)
    return kOverlappedEnds;
  return isForward ? kForwardEnds : kEnds;
}

/// Of one tile of a block.
template <typename Math>
auto CostModel<Math>::estimateRound(const WgmmaTile &tile) const -> Number {
  return math.add(math.mul(steps, math.number(getStepCycles(tile, sumsLhs))),
                  math.number(getEnds(tile)));
}

template <typename Math>
auto CostModel<Math>::estimateStores(const WgmmaTile &tile, Number tiles) const
    -> Number {
  if (isForward)
    return math.number(0);
  int64_t bytes = tile.rows() * tile.columns * resultBytes;
  return math.div(math.mul(tiles, math.number(bytes)),
                  math.number(kStoredBytes));
}

template <typename Math>
auto CostModel<Math>::estimate(const WgmmaTile &tile) const
    -> BlockTimes<Number> {
  Number tiles = countTiles(tile), round = estimateRound(tile);
  Number rounds = math.ceilDiv(tiles, multiprocessors);
  Number before = math.sub(math.max(rounds, math.number(1)), math.number(1));
  Number last = math.sub(tiles, math.mul(before, multiprocessors));
  int64_t ends = 0;
  if (!tile.isNarrow)
    ends = (isForward ? kForwardEnds : kEnds) - kOverlappedEnds +
           (sumsLhs ? kExchange : 0);
  return {math.min(tiles, multiprocessors),
          last,
          math.add(math.mul(rounds, round), math.number(ends)),
          math.mul(before, round),
          estimateStores(tile, last),
          estimateStores(tile, tiles)};
}

/// Of a last round of `left` tiles that blocks share (SharedTiles.cpp): a tile
/// in equal parts for several blocks, or what helpers leave of it.
template <typename Math>
auto CostModel<Math>::estimatePart(const WgmmaTile &tile, Number left) const
    -> Number {
  Number one = math.number(1), round = estimateRound(tile);
  if (isForward)
    return math.add(math.div(math.mul(round, left), multiprocessors),
                    math.number(kForwardSharing));
  Number parts = math.min(math.div(multiprocessors, math.max(left, one)),
                          math.number(tile.split));
  Number equal = math.add(
      math.div(round, math.max(parts, one)),
      math.mul(math.sub(math.max(parts, one), one), math.number(kPart)));
  Number idle = math.max(math.sub(multiprocessors, left), one);
  Number perHelper = math.ceilDiv(left, idle);
  Number helped =
      math.add(math.sub(round, math.div(round, math.add(perHelper, one))),
               math.number(kHelp));
  return math.selectIfLess(parts, math.number(2), helped, equal);
}

template <typename Math>
auto CostModel<Math>::estimateShared(const WgmmaTile &tile) const
    -> BlockTimes<Number> {
  BlockTimes<Number> times = estimate(tile);
  Number tiles = countTiles(tile);
  Number left = math.sub(
      tiles, math.mul(math.div(tiles, multiprocessors), multiprocessors));
  Number shared = math.add(math.sub(times.longest, estimateRound(tile)),
                           estimatePart(tile, left));
  // Without such tiles as it was.
  auto choose = [&](Number &value, Number ifShared) {
    value = math.selectIfLess(math.number(0), left, ifShared, value);
  };
  choose(times.blocks, multiprocessors);
  choose(times.numLongest, multiprocessors);
  choose(times.longest, shared);
  choose(times.others, shared);
  return times;
}

template <typename Math>
typename Math::Number
wgmma::estimateAlone(Math math,
                     const BlockTimes<typename Math::Number> &times) {
  return math.max(math.add(times.longest, times.ending), times.storing);
}

template <typename Math>
typename Math::Number
wgmma::estimateTogether(Math math,
                        const BlockTimes<typename Math::Number> &first,
                        const BlockTimes<typename Math::Number> &second,
                        typename Math::Number multiprocessors) {
  using Number = typename Math::Number;
  Number room = math.sub(multiprocessors, first.numLongest);
  // Where the longest blocks of the second all have room at once, those that
  // begin when the first is done are the others.
  Number behind =
      math.add(first.longest,
               math.max(math.selectIfLess(room, second.numLongest,
                                          second.longest, second.others),
                        math.div(math.mul(second.storing, first.numLongest),
                                 multiprocessors)));
  Number inTurn = math.ceilDiv(second.blocks, math.max(room, math.number(1)));
  Number beside = math.add(
      first.others, math.max(math.mul(inTurn, second.longest), second.storing));
  Number done = math.max(math.add(first.others, second.longest),
                         math.min(behind, beside));
  return math.max(math.add(first.longest, first.ending),
                  math.max(math.add(done, second.ending),
                           math.add(first.storing, second.storing)));
}

namespace mlir::boostr::wgmma {
template class CostModel<KnownMath>;
template class CostModel<EmittedMath>;
template int64_t estimateAlone(KnownMath, const BlockTimes<int64_t> &);
template OpFoldResult estimateAlone(EmittedMath,
                                    const BlockTimes<OpFoldResult> &);
template int64_t estimateTogether(KnownMath, const BlockTimes<int64_t> &,
                                  const BlockTimes<int64_t> &, int64_t);
template OpFoldResult estimateTogether(EmittedMath,
                                       const BlockTimes<OpFoldResult> &,
                                       const BlockTimes<OpFoldResult> &,
                                       OpFoldResult);
} // namespace mlir::boostr::wgmma
