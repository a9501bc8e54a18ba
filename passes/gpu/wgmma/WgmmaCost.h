// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// About how long a wgmma kernel takes, to choose between several of one
// contraction: when it is compiled, as far as its extents are known then, and
// when it is launched.

#ifndef BOOSTR_PASSES_GPU_WGMMA_WGMMACOST_H
#define BOOSTR_PASSES_GPU_WGMMA_WGMMACOST_H

#include "boostr/passes/gpu/wgmma/WgmmaTile.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mlir::boostr::wgmma {

/// Estimates in cycles, times a constant:
///
///   rounds * (steps * step + ends)
///
/// A step takes what passes through shared memory in it, which is never less
/// than its products take (docs/gpu-performance.md, step 34). Blocks that share
/// the tiles of the last round take their part of its steps, and what sharing
/// costs. Where the kernel runs beside another one (IndependentKernels.h),
/// which uses some of what it leaves idle, 3/8 of the time count only as far as
/// multiprocessors are busy.
class CostModel {
public:
  /// The product of the extents of some dimensions of a term.
  using CountFunction = llvm::function_ref<OpFoldResult(
      const ContractionTerm &term, ArrayRef<unsigned> dims)>;

  /// `count` is called here alone. `multiprocessors` and what it returns are
  /// constants, or values of the host, which `b` computes with.
  CostModel(ImplicitLocOpBuilder &b, const SegmentedContraction &contraction,
            const WgmmaShape &shape, OpFoldResult multiprocessors,
            bool runsBeside, CountFunction count);

  /// Of the kernel with tiles `tile`; a constant if all is known.
  OpFoldResult estimate(const WgmmaTile &tile) const {
    return estimate(tile, steps);
  }
  /// The same with so many steps of 64 indices of k.
  OpFoldResult estimate(const WgmmaTile &tile, OpFoldResult steps) const;

private:
  /// Cycles of a kernel, and those for which a multiprocessor is busy on the
  /// average.
  struct Time {
    OpFoldResult all, busy;
  };

  OpFoldResult countColumnTiles(const WgmmaTile &tile) const;
  Time estimateRounds(OpFoldResult tiles, OpFoldResult round) const;
  Time estimateShared(OpFoldResult tiles, OpFoldResult steps) const;

  ImplicitLocOpBuilder &b;
  OpFoldResult multiprocessors;
  bool runsBeside;
  /// Of the result, columns by segment.
  OpFoldResult rows, steps;
  SmallVector<OpFoldResult, 3> columns;
};

} // namespace mlir::boostr::wgmma

#endif // BOOSTR_PASSES_GPU_WGMMA_WGMMACOST_H
