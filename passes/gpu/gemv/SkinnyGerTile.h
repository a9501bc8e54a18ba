// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a block of the ger kernel by tensor cores computes.

#ifndef BOOSTR_PASSES_GPU_GEMV_SKINNYGERTILE_H
#define BOOSTR_PASSES_GPU_GEMV_SKINNYGERTILE_H

#include "boostr/dialect/BoostrAttrs.h"
#include "boostr/dialect/SegmentedContraction.h"
#include "boostr/passes/gpu/GpuTile.h"
#include "boostr/passes/gpu/gemv/FewRowsKernel.h"
#include "boostr/passes/gpu/gemv/FewStepsKernel.h"
#include "boostr/passes/gpu/mma/Instruction.h"

namespace mlir::boostr::gemv {

struct SkinnyGerTile : FewStepsTile {
  /// Columns of the result are rows of the instruction.
  static constexpr mma::Instruction kInstruction = {16, 8, 16};
  /// Steps that a thread has of an instruction.
  static constexpr int64_t kThreadSteps = 4;
  /// Of a warp, which has all rows of the block.
  static constexpr int64_t kWarpColumns = 64;

  /// Fails, telling `reason`, if the tile does not fit the kernel. An unknown
  /// target is taken for sm_80.
  static std::optional<SkinnyGerTile>
  get(const SegmentedContraction &contraction, GpuTileAttr tile,
      GpuTargetAttr target, StringRef &reason);

  int64_t threads() const { return columns / kWarpColumns * kWarp; }
  /// Rows of lhs that a thread reads.
  int64_t threadRows() const { return rows / kInstruction.columns; }
};

/// The tile for few steps; null if the contraction is nothing for the kernel on
/// `target`, which may be null.
GpuTileAttr chooseSkinnyGerTile(GpuTargetAttr target,
                                const SegmentedContraction &contraction);

} // namespace mlir::boostr::gemv

#endif // BOOSTR_PASSES_GPU_GEMV_SKINNYGERTILE_H
