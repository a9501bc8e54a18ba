// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a block of the gemv kernel computes.

#ifndef BOOSTR_PASSES_GPU_GEMV_GEMVTILE_H
#define BOOSTR_PASSES_GPU_GEMV_GEMVTILE_H

#include "boostr/dialect/BoostrAttrs.h"
#include "boostr/passes/gpu/gemv/FewRowsKernel.h"

namespace mlir::boostr::gemv {

struct GemvTile : FewRowsTile {
  /// Elements that a thread reads at once.
  int64_t chunk = 1;
  /// f64 for f64, else f32.
  Type sumType;

  /// Fails, telling `reason`, if the tile does not fit the kernel.
  static std::optional<GemvTile> get(const SegmentedContraction &contraction,
                                     GpuTileAttr tile, StringRef &reason);

  /// Steps of k that a block takes at once, and in one turn of its loop.
  int64_t steps() const { return threads() * chunk; }
  int64_t stepsPerTurn() const { return steps() * stages; }
};

/// Elements that all operands have beside each other along k, in up to 16
/// bytes.
int64_t getChunk(const SegmentedContraction &contraction);

/// The most rows for which there is a kernel for few rows on `target`, which
/// may be null.
int64_t getMostRows(GpuTargetAttr target,
                    const SegmentedContraction &contraction);

/// The tile for up to `rows` rows, of this kernel, of `SkinnyKernel` or of
/// `GemvtKernel`; null if there are too many, or memory of the operands is not
/// known to run along k, or that of rhs along n, in pieces of 16 bytes.
GpuTileAttr chooseTile(MLIRContext *context, GpuTargetAttr target,
                       const SegmentedContraction &contraction, int64_t rows);

} // namespace mlir::boostr::gemv

#endif // BOOSTR_PASSES_GPU_GEMV_GEMVTILE_H
