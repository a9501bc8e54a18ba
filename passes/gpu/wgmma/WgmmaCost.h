// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// About how long a wgmma kernel takes, to choose between several of one
// contraction: when it is compiled, as far as its extents are known then, and
// when it is launched.

#ifndef BOOSTR_PASSES_GPU_WGMMA_WGMMACOST_H
#define BOOSTR_PASSES_GPU_WGMMA_WGMMACOST_H

#include "boostr/passes/gpu/CostMath.h"
#include "boostr/passes/gpu/wgmma/WgmmaTile.h"

namespace mlir::boostr::wgmma {

/// What the blocks of a kernel take, at most one for each multiprocessor. The
/// first `numLongest` have a tile more than the others.
template <typename Number> struct BlockTimes {
  Number blocks, numLongest;
  /// Cycles until a block of the first ones has done its tiles, and one of the
  /// others, 0 without a tile.
  Number longest, others;
  /// Cycles in which the last results of all, which blocks leave at the same
  /// time, come to memory, and in which all results could.
  Number ending, storing;
};

/// Estimates in cycles:
///
///   rounds * (steps * step + ends)
///
/// A step takes what passes through shared memory in it, which is never less
/// than its products take, or what a multiprocessor can fetch of it
/// (docs/gpu-performance.md, steps 34 to 36).
template <typename Math> class CostModel {
public:
  using Number = typename Math::Number;
  /// The product of the extents of some dimensions of a term.
  using CountFunction = llvm::function_ref<Number(const ContractionTerm &term,
                                                  ArrayRef<unsigned> dims)>;

  /// `count` is called here alone.
  CostModel(Math math, const SegmentedContraction &contraction,
            const WgmmaShape &shape, Number multiprocessors,
            CountFunction count);

  /// Of the kernel with tiles `tile`, of which blocks share none.
  BlockTimes<Number> estimate(const WgmmaTile &tile) const;
  /// The same where they share those of the last round, if these leave any
  /// block without one.
  BlockTimes<Number> estimateShared(const WgmmaTile &tile) const;

private:
  Number countTiles(const WgmmaTile &tile) const;
  int64_t getEnds(const WgmmaTile &tile) const;
  Number estimateRound(const WgmmaTile &tile) const;
  Number estimateStores(const WgmmaTile &tile, Number tiles) const;
  Number estimatePart(const WgmmaTile &tile, Number left) const;

  Math math;
  Number multiprocessors;
  bool isForward, sumsLhs;
  int64_t resultBytes;
  /// Of the result, columns by segment.
  Number rows, steps;
  SmallVector<Number, 3> columns;
};

/// Cycles of a kernel by itself.
template <typename Math>
typename Math::Number
estimateAlone(Math math, const BlockTimes<typename Math::Number> &times);

/// Cycles of two kernels of which the second begins where the first leaves room
/// (IndependentKernels.h). Multiprocessors on which the first has a tile less,
/// or none, take blocks of the second one after the other; the rest take one
/// each when the first is done:
///
///     first: longest                   | a block of the second
///     others  | a block   | a block    | a block
template <typename Math>
typename Math::Number
estimateTogether(Math math, const BlockTimes<typename Math::Number> &first,
                 const BlockTimes<typename Math::Number> &second,
                 typename Math::Number multiprocessors);

} // namespace mlir::boostr::wgmma

#endif // BOOSTR_PASSES_GPU_WGMMA_WGMMACOST_H
