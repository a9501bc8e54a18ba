// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a block of the gemvt kernel by tensor cores computes, and how its warps
// share k.

#ifndef BOOSTR_PASSES_GPU_GEMV_SKINNYGEMVTTILE_H
#define BOOSTR_PASSES_GPU_GEMV_SKINNYGEMVTTILE_H

#include "boostr/dialect/BoostrAttrs.h"
#include "boostr/dialect/SegmentedContraction.h"
#include "boostr/passes/gpu/gemv/FewRowsKernel.h"
#include "boostr/passes/gpu/mma/Instruction.h"

namespace mlir::boostr::gemv {

struct SkinnyGemvtTile : FewRowsTile {
  /// As of `SkinnyTile`, columns of the result are rows of the instruction.
  static constexpr mma::Instruction kInstruction = {16, 8, 16};
  /// Steps that follow each other, which a thread has of an instruction.
  static constexpr int64_t kThreadSteps = 4;
  /// Groups of four threads: each group has columns of its own, and each of its
  /// threads has steps of its own.
  static constexpr int64_t kGroups = kWarp / 4;

  /// Fails, telling `reason`, if the tile does not fit the kernel. An unknown
  /// target is taken for sm_80.
  static std::optional<SkinnyGemvtTile>
  get(const SegmentedContraction &contraction, GpuTileAttr tile,
      GpuTargetAttr target, StringRef &reason);

  /// Columns that a thread reads at once.
  int64_t chunk() const { return columns / kGroups; }
};

/// The tile for up to `rows` rows; null if the contraction is nothing for the
/// kernel on `target`.
GpuTileAttr chooseSkinnyGemvtTile(GpuTargetAttr target,
                                  const SegmentedContraction &contraction,
                                  int64_t rows);

} // namespace mlir::boostr::gemv

#endif // BOOSTR_PASSES_GPU_GEMV_SKINNYGEMVTTILE_H
