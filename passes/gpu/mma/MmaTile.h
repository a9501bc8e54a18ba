// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How the mma kernel splits a block of the result over warps, and which
// instruction of the tensor cores multiplies.

#ifndef BOOSTR_PASSES_GPU_MMA_MMATILE_H
#define BOOSTR_PASSES_GPU_MMA_MMATILE_H

#include "boostr/dialect/BoostrAttrs.h"
#include "boostr/dialect/SegmentedContraction.h"
#include "boostr/passes/gpu/mma/Instruction.h"

namespace mlir::boostr::mma {

inline constexpr int64_t kWarp = 32;

struct MmaTile {
  int64_t rows = 0, columns = 0, steps = 0;
  int64_t warpRows = 0, warpColumns = 0;
  /// Copies of the operands in shared memory: all but one are under way while
  /// one is multiplied.
  int64_t stages = 0;
  /// Rows of blocks that are walked together.
  int64_t group = 0;
  Instruction instruction;
  /// Of the operands; of the sums: f64 for f64, else f32.
  Type elementType, sumType;
  F32Precision precision = F32Precision::Ieee;

  /// Fails, telling `reason`, if the tile does not fit the kernel. An unknown
  /// target is taken for sm_80.
  static std::optional<MmaTile> get(const SegmentedContraction &contraction,
                                    GpuTileAttr tile, GpuTargetAttr target,
                                    StringRef &reason);

  int64_t warpsPerRow() const { return columns / warpColumns; }
  int64_t threads() const { return rows / warpRows * warpsPerRow() * kWarp; }
  int64_t elementBytes() const {
    return elementType.getIntOrFloatBitWidth() / 8;
  }
  int64_t sumBytes() const { return sumType.getIntOrFloatBitWidth() / 8; }

  /// A stage of an operand of `rows x steps` elements in shared memory: lines
  /// along which memory runs, with some elements in between, so that what a
  /// warp reads at once comes from different banks.
  SmallVector<int64_t, 3> sharedShape(int64_t rows, bool alongSteps) const;
  /// The same of the sums, through which they are stored.
  SmallVector<int64_t, 2> stagingShape() const;
  int64_t operandBytes(int64_t rows, bool alongSteps) const;
  int64_t sharedBytes(bool lhsAlongSteps, bool rhsAlongSteps) const;
};

/// Shared memory that a block may have on `target`; 0 before there were
/// asynchronous copies.
int64_t getSharedBytes(GpuTargetAttr target);

/// The tile of the kernel of `small` blocks beside that of `tile`.
GpuTileAttr getSmallTile(GpuTileAttr tile, ArrayRef<int64_t> small,
                         const SegmentedContraction &contraction);

/// The tile that is expected to be fastest for `contraction` on the chip;
/// null if tensor cores cannot compute it, or not faster than threads.
GpuTileAttr chooseTile(GpuTargetAttr target,
                       const SegmentedContraction &contraction,
                       F32Precision precision);

} // namespace mlir::boostr::mma

#endif // BOOSTR_PASSES_GPU_MMA_MMATILE_H
