// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Kernels of simt and mma with smaller blocks beside the one with the largest,
// and blocks that are cut along k. Large blocks take less time for each element
// of the result, but where there are few of them they leave most
// multiprocessors idle.

#ifndef BOOSTR_PASSES_GPU_SMALLBLOCKS_H
#define BOOSTR_PASSES_GPU_SMALLBLOCKS_H

#include "boostr/passes/gpu/BlockCost.h"

namespace mlir::boostr {

/// `tile` with smaller blocks beside it, and parts along k, as far as they are
/// the best for some extents that are not known; if all are known, that of
/// these tiles by itself that is estimated to take the least time.
GpuTileAttr addSmall(GpuTileAttr tile, const SegmentedContraction &contraction);

/// The tiles of the kernels of `tile`, the largest first, each by itself.
SmallVector<GpuTileAttr, 3> listTiles(GpuTileAttr tile,
                                      const SegmentedContraction &contraction);

/// What the kernels of `tiles` are estimated to take, as values of the host.
SmallVector<BlockEstimate<Value>, 3>
estimateTimes(ImplicitLocOpBuilder &b, SegmentedContractionOpInterface op,
              const SegmentedContraction &contraction,
              ArrayRef<GpuTileAttr> tiles);

} // namespace mlir::boostr

#endif // BOOSTR_PASSES_GPU_SMALLBLOCKS_H
