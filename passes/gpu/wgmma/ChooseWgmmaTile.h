// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The tiles of the wgmma kernels that compute a contraction.

#ifndef BOOSTR_PASSES_GPU_WGMMA_CHOOSEWGMMATILE_H
#define BOOSTR_PASSES_GPU_WGMMA_CHOOSEWGMMATILE_H

#include "boostr/dialect/BoostrAttrs.h"
#include "boostr/dialect/SegmentedContraction.h"

namespace mlir::boostr::wgmma {

/// The tile that costs least with many rows, with narrower and taller ones that
/// cost less with some numbers of rows: where these are known, with those that
/// do with them. Null if the contraction is nothing for the kernel, or `target`
/// is no sm_90a.
GpuTileAttr chooseTile(GpuTargetAttr target,
                       const SegmentedContraction &contraction,
                       SegmentedContractionOpInterface op);

} // namespace mlir::boostr::wgmma

#endif // BOOSTR_PASSES_GPU_WGMMA_CHOOSEWGMMATILE_H
