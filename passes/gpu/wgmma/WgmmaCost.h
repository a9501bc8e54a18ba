// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// About how long a wgmma kernel takes, to choose between several of one
// contraction when its extents are known.

#ifndef BOOSTR_PASSES_GPU_WGMMA_WGMMACOST_H
#define BOOSTR_PASSES_GPU_WGMMA_WGMMACOST_H

#include "boostr/passes/gpu/wgmma/WgmmaTile.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mlir::boostr::wgmma {

/// Emits code of the host that estimates the time of the kernel with tiles
/// `tile` on `multiprocessors`, in steps of k that each load one row:
///
///   rounds * (steps * (rows + columns) + ends)
///
/// since what a step of a tile takes is nearly proportional to what it loads
/// (docs/gpu-performance.md, step 28). Blocks that share the tiles of the last
/// round take their part of its steps, and what sharing costs.
Value estimateCost(ImplicitLocOpBuilder &b,
                   const SegmentedContraction &contraction,
                   const WgmmaShape &shape, const WgmmaTile &tile,
                   OpFoldResult multiprocessors);

} // namespace mlir::boostr::wgmma

#endif // BOOSTR_PASSES_GPU_WGMMA_WGMMACOST_H
