// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How the simt kernel splits a block of the result over threads, and which
// arrays it reads and writes in how large pieces.

#ifndef BOOSTR_PASSES_GPU_SIMT_SIMTTILE_H
#define BOOSTR_PASSES_GPU_SIMT_SIMTTILE_H

#include "boostr/dialect/BoostrAttrs.h"
#include "boostr/dialect/SegmentedContraction.h"

namespace mlir::boostr::simt {

/// Threads of a block: 16 x 16, each with sums of some rows and columns.
inline constexpr int64_t kSide = 16;
inline constexpr int64_t kThreads = kSide * kSide;

struct SimtTile {
  int64_t rows = 0, columns = 0, steps = 0;
  /// Copies of the operands in shared memory: with two of them, one barrier for
  /// each step is enough.
  int64_t stages = 0;
  /// Rows of blocks that are walked together.
  int64_t group = 0;
  /// f64 for f64, else f32.
  Type sumType;

  /// Fails, telling `reason`, if the tile does not fit the kernel.
  static std::optional<SimtTile> get(const SegmentedContraction &contraction,
                                     GpuTileAttr tile, StringRef &reason);

  /// Sums in 16 bytes: what a thread reads from shared memory at once.
  int64_t lanes() const { return 128 / sumType.getIntOrFloatBitWidth(); }
  int64_t threadRows() const { return rows / kSide; }
  int64_t threadColumns() const { return columns / kSide; }
  /// Elements of a row of steps in shared memory, with some in between that
  /// spread what is beside each other over the banks.
  int64_t paddedRows() const { return rows + lanes(); }
  int64_t paddedColumns() const { return columns + lanes(); }
};

} // namespace mlir::boostr::simt

#endif // BOOSTR_PASSES_GPU_SIMT_SIMTTILE_H
