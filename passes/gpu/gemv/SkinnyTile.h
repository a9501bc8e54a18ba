// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a block of the skinny kernel computes, and how its warps share k.

#ifndef BOOSTR_PASSES_GPU_GEMV_SKINNYTILE_H
#define BOOSTR_PASSES_GPU_GEMV_SKINNYTILE_H

#include "boostr/dialect/BoostrAttrs.h"
#include "boostr/dialect/SegmentedContraction.h"
#include "boostr/passes/gpu/gemv/FewRowsKernel.h"
#include "boostr/passes/gpu/mma/Instruction.h"

namespace mlir::boostr::gemv {

struct SkinnyTile : FewRowsTile {
  /// Elements that a thread reads at once: 16 bytes.
  static constexpr int64_t kChunk = 8;
  /// Steps of k that a warp multiplies at once: four threads share a row.
  static constexpr int64_t kSteps = 4 * kChunk;
  /// Columns of the result are rows of the instruction, so that few tokens
  /// leave little of it empty.
  static constexpr mma::Instruction kInstruction = {16, 8, 16};

  /// Fails, telling `reason`, if the tile does not fit the kernel. An unknown
  /// target is taken for sm_80.
  static std::optional<SkinnyTile> get(const SegmentedContraction &contraction,
                                       GpuTileAttr tile, GpuTargetAttr target,
                                       StringRef &reason);
};

/// Up to so many rows a kernel for few rows is faster than narrow tiles of
/// wgmma, as was measured (docs/gpu-performance.md).
int64_t getMostRowsBesideWgmma(const SegmentedContraction &contraction);

/// The tile for up to `rows` rows; null if the contraction is nothing for the
/// kernel on `target`.
GpuTileAttr chooseSkinnyTile(GpuTargetAttr target,
                             const SegmentedContraction &contraction,
                             int64_t rows);

} // namespace mlir::boostr::gemv

#endif // BOOSTR_PASSES_GPU_GEMV_SKINNYTILE_H
