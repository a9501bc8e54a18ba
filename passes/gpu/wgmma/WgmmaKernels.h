// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The kernels of a tile, of which the host launches the one that takes least.

#ifndef BOOSTR_PASSES_GPU_WGMMA_WGMMAKERNELS_H
#define BOOSTR_PASSES_GPU_WGMMA_WGMMAKERNELS_H

#include "boostr/passes/gpu/Workspaces.h"
#include "boostr/passes/gpu/wgmma/WgmmaCost.h"

namespace mlir::boostr::wgmma {

/// The kernels of one contraction, and what each costs when the code runs, in
/// no unit: that of the kernel to launch is the least, the first such counts.
struct WgmmaKernels {
  const SegmentedContraction *contraction;
  WgmmaShape shape;
  /// Flat ones, narrow ones, tall ones, the widest.
  SmallVector<WgmmaTile> tiles;
  /// Whether the first is for few rows.
  bool isForFewRows;
  /// None if there is but one.
  SmallVector<Value> costs;
  /// For each kernel whether its blocks may share tiles; without, they do where
  /// that is shorter.
  SmallVector<Value> mayShare;

  /// Those of `tile`, without costs; null, telling `reason`, if it does not
  /// fit. `leavesRoom`: see IndependentKernels.h.
  static std::optional<WgmmaKernels>
  get(const SegmentedContraction &contraction, const WgmmaShape &shape,
      GpuTileAttr tile, bool leavesRoom, StringRef &reason);

  /// Launches the one that costs least.
  void emit(ImplicitLocOpBuilder &b, SegmentedContractionOpInterface op,
            Workspaces &workspaces) const;
};

/// Sets the costs of kernels that run by themselves.
void estimateCosts(ImplicitLocOpBuilder &b, SegmentedContractionOpInterface op,
                   WgmmaKernels &kernels);

/// Sets the costs of kernels of which those of `second` begin where those of
/// `first` leave room: of the pairs the one that is done first.
void estimateCostsTogether(ImplicitLocOpBuilder &b,
                           SegmentedContractionOpInterface op,
                           WgmmaKernels &first, WgmmaKernels &second);

} // namespace mlir::boostr::wgmma

#endif // BOOSTR_PASSES_GPU_WGMMA_WGMMAKERNELS_H
