// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a block of the gemvt kernel computes, and how its threads share k.

#ifndef BOOSTR_PASSES_GPU_GEMV_GEMVTTILE_H
#define BOOSTR_PASSES_GPU_GEMV_GEMVTTILE_H

#include "boostr/dialect/BoostrAttrs.h"
#include "boostr/passes/gpu/gemv/FewRowsKernel.h"

namespace mlir::boostr::gemv {

struct GemvtTile : FewRowsTile {
  /// Columns that a thread reads at once, and has the sums of.
  int64_t chunk = 1;
  /// Steps of a row of lhs that it reads at once; divides `stages`, which is
  /// how many steps follow each other that a thread has.
  int64_t lhsChunk = 1;
  /// f64 for f64, else f32.
  Type sumType;

  /// Fails, telling `reason`, if the tile does not fit the kernel.
  static std::optional<GemvtTile> get(const SegmentedContraction &contraction,
                                      GpuTileAttr tile, StringRef &reason);

  /// Threads beside each other that read a row of the block's columns.
  int64_t lanes() const { return columns / chunk; }
  /// Such groups of threads, which share k.
  int64_t groups() const { return threads() / lanes(); }
  /// Steps of k that a block takes in one turn of its loop.
  int64_t stepsPerTurn() const { return groups() * stages; }
};

/// Columns that all of rhs has beside each other, in up to 16 bytes.
int64_t getColumnChunk(const SegmentedContraction &contraction);

/// The greatest number of steps that divides those of all terms; 0 if they are
/// not known.
int64_t getCommonSteps(const SegmentedContraction &contraction);

/// The tile for up to `rows` rows, of this kernel or of `SkinnyGemvtKernel`;
/// null if there are too many, or memory of rhs
/// is not known to run along n in pieces of 16 bytes.
GpuTileAttr chooseGemvtTile(MLIRContext *context, GpuTargetAttr target,
                            const SegmentedContraction &contraction,
                            int64_t rows);

} // namespace mlir::boostr::gemv

#endif // BOOSTR_PASSES_GPU_GEMV_GEMVTTILE_H
