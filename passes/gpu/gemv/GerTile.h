// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a block of the ger kernel computes.

#ifndef BOOSTR_PASSES_GPU_GEMV_GERTILE_H
#define BOOSTR_PASSES_GPU_GEMV_GERTILE_H

#include "boostr/dialect/BoostrAttrs.h"
#include "boostr/dialect/SegmentedContraction.h"
#include "boostr/passes/gpu/gemv/FewStepsKernel.h"

namespace mlir::boostr::gemv {

struct GerTile : FewStepsTile {
  /// f64 for f64, else f32.
  Type sumType;

  /// Fails, telling `reason`, if the tile does not fit the kernel.
  static std::optional<GerTile> get(const SegmentedContraction &contraction,
                                    GpuTileAttr tile, StringRef &reason);

  int64_t threads() const { return columns / chunk; }
};

/// Up to this many steps of k the kernel is faster than others.
inline constexpr int64_t kMostSteps = 16;

/// Rows that all of lhs has beside each other, of which `rows` is a multiple.
int64_t getRowChunk(const SegmentedContraction &contraction, int64_t rows);

/// The tile for few steps of k, of this kernel or of `SkinnyGerKernel`; null if
/// memory of rhs is not known to run along n in pieces of 16 bytes, or there is
/// no product. `target` may be null.
GpuTileAttr chooseGerTile(MLIRContext *context, GpuTargetAttr target,
                          const SegmentedContraction &contraction);

} // namespace mlir::boostr::gemv

#endif // BOOSTR_PASSES_GPU_GEMV_GERTILE_H
