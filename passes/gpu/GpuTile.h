// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Which kernel computes a contraction on a GPU, and in which tiles.

#ifndef BOOSTR_PASSES_GPU_GPUTILE_H
#define BOOSTR_PASSES_GPU_GPUTILE_H

#include "boostr/dialect/BoostrAttrs.h"
#include "boostr/dialect/SegmentedContraction.h"

namespace mlir::boostr {

/// Of an H100, on which tiles were measured.
inline constexpr int64_t kMultiprocessors = 132;

/// The kernels and tiles for `contractions`, those of `op` in buffer form;
/// `precision` is that of products of f32. There always are: `simt` fits
/// everything.
SmallVector<GpuTileAttr, 2>
chooseGpuTiles(GpuTargetAttr target, SegmentedContractionOpInterface op,
               ArrayRef<SegmentedContraction> contractions,
               F32Precision precision);

/// That for a contraction by itself that is nothing for `wgmma`.
GpuTileAttr chooseGpuTile(GpuTargetAttr target,
                          const SegmentedContraction &contraction,
                          F32Precision precision);

} // namespace mlir::boostr

#endif // BOOSTR_PASSES_GPU_GPUTILE_H
