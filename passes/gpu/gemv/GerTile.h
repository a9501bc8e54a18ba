// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a block of the ger kernel computes.

#ifndef BOOSTR_PASSES_GPU_GEMV_GERTILE_H
#define BOOSTR_PASSES_GPU_GEMV_GERTILE_H

#include "boostr/dialect/BoostrAttrs.h"
#include "boostr/dialect/SegmentedContraction.h"

namespace mlir::boostr::gemv {

struct GerTile {
  /// Of a block; a thread has `chunk` columns of all rows.
  int64_t rows = 0, columns = 0;
  /// Steps that a thread reads before it uses the first.
  int64_t steps = 0;
  /// Rows of blocks that are walked together.
  int64_t group = 1;
  /// Columns of rhs, and rows of lhs, that a thread reads at once.
  int64_t chunk = 1, lhsChunk = 1;
  /// f64 for f64, else f32.
  Type sumType;

  /// Fails, telling `reason`, if the tile does not fit the kernel.
  static std::optional<GerTile> get(const SegmentedContraction &contraction,
                                    GpuTileAttr tile, StringRef &reason);

  int64_t threads() const { return columns / chunk; }
};

/// Up to this many steps of k the kernel is faster than others.
inline constexpr int64_t kMostSteps = 16;

/// The tile for few steps of k; null if memory of rhs is not known to run along
/// n in pieces of 16 bytes, or there is no product.
GpuTileAttr chooseGerTile(MLIRContext *context,
                          const SegmentedContraction &contraction);

} // namespace mlir::boostr::gemv

#endif // BOOSTR_PASSES_GPU_GEMV_GERTILE_H
