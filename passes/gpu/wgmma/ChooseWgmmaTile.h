// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The tiles of the wgmma kernels that compute the contractions of an op.

#ifndef BOOSTR_PASSES_GPU_WGMMA_CHOOSEWGMMATILE_H
#define BOOSTR_PASSES_GPU_WGMMA_CHOOSEWGMMATILE_H

#include "boostr/dialect/BoostrAttrs.h"
#include "boostr/dialect/SegmentedContraction.h"

namespace mlir::boostr::wgmma {

/// For each of the contractions of `op` the tile that costs least with many
/// rows, with narrower and taller ones that cost less with some numbers of
/// rows: where these are known, with those that do with them. Contractions that
/// run at the same time (IndependentKernels.h) are looked at together. Null
/// where a contraction is nothing for the kernel, or `target` is no sm_90a.
SmallVector<GpuTileAttr, 2>
chooseTiles(GpuTargetAttr target, SegmentedContractionOpInterface op,
            ArrayRef<SegmentedContraction> contractions);

} // namespace mlir::boostr::wgmma

#endif // BOOSTR_PASSES_GPU_WGMMA_CHOOSEWGMMATILE_H
