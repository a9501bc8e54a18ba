// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How the shared memory and the warpgroups of a block are used.

#ifndef BOOSTR_PASSES_GPU_WGMMA_WGMMATILE_H
#define BOOSTR_PASSES_GPU_WGMMA_WGMMATILE_H

#include "boostr/passes/gpu/wgmma/WgmmaShape.h"
#include "llvm/ADT/Sequence.h"

namespace mlir::boostr::wgmma {

/// Rows of a warpgroup's product, and rows and columns of a box of 16-bit
/// elements: 64 elements are the 128 bytes of one swizzled row.
inline constexpr int64_t kUnit = 64;
/// Warpgroups that multiply, 64 rows of a tile each; another one feeds them.
inline constexpr int64_t kConsumers = 2;
/// Of tall tiles, and of flat ones.
inline constexpr int64_t kTallConsumers = 3, kFlatConsumers = 1;
inline constexpr int64_t kWarpgroup = 128;
/// Bytes of a row of a box, and of a box of 64 rows.
inline constexpr int64_t kRowBytes = 128;
inline constexpr int64_t kBoxBytes = kUnit * kRowBytes;
/// The most columns of one warpgroup product, and of a tall tile, whose threads
/// have fewer registers.
inline constexpr int64_t kMaxColumns = 256, kMaxTallColumns = 192;
/// Bytes of a row of bias.
inline constexpr int64_t kBiasBytes = kMaxColumns * 2;
/// The fewest columns of a box that the copy engine swizzles.
inline constexpr int64_t kLeastBoxColumns = 16;
/// The fewest boxes through which a consumer's results leave, in turn.
inline constexpr int64_t kLeastStagingBoxes = 2;

/// The most boxes of results that leave beside the products of the next tile:
/// each is code of its own.
inline constexpr int64_t kMaxOverlappedBoxes = 8;

/// What a block of sm_90 may have.
inline constexpr int64_t kMaxSharedBytes = 227 * 1024;

/// A box of the result's columns, in one warpgroup's accumulators.
struct ColumnBox {
  /// The first column within the tile, and how many there are.
  int64_t column, width;
  /// Position along n's outer dimension (0 if flat) and along the inner one,
  /// both within the tile.
  int64_t outer, inner;

  /// The sums that a thread has of it, in pairs of neighbours: of 8 columns two
  /// in each of two rows.
  auto getPairs() const { return llvm::seq(column / 4, (column + width) / 4); }
};

struct WgmmaTile {
  /// Warpgroups that multiply.
  int64_t consumers = kConsumers;
  /// Columns of a tile; multiple of 8 up to 256.
  int64_t columns = 0;
  /// Heads in these columns; 0 if n is flat, or if they are a part of a head,
  /// of which it has `partsOfHead`.
  int64_t heads = 0, partsOfHead = 0;
  /// Whether columns count on from one segment to the next, so that a tile may
  /// have some of several: where a segment is no whole number of tiles. Each
  /// box of columns, of rhs and of the result, is of one segment and one head.
  bool spansSegments = false;
  /// Of the ring; of a narrow tile the most that there may be.
  int64_t stages = 0;
  /// Boxes through which a consumer's results leave: as many as a tile has, if
  /// there is room beside the stages, since a box that is used again must wait
  /// for the copy engine, which is busy with the next tile.
  int64_t stagingBoxes = kLeastStagingBoxes;
  /// Rows of tiles that are walked together.
  int64_t group = 0;
  /// The most blocks that share a tile, each with a part of k.
  int64_t split = 1;
  /// Whether this is for few rows: of lhs only those that are there are loaded,
  /// and stages are only as large as that, so that more of them fit.
  bool isNarrow = false;
  bool rhsAlongK = false;

  /// Fails, telling `reason`, if the tile does not fit the kernel. Blocks share
  /// no tile if the kernel `leavesRoom` (IndependentKernels.h).
  static std::optional<WgmmaTile> get(const WgmmaShape &shape, GpuTileAttr tile,
                                      bool leavesRoom, StringRef &reason);
  /// That of a kernel beside it: `columns` is one of the tile's `flat`,
  /// `narrow` or `tall`, which have `kFlatConsumers`, `kConsumers` or
  /// `kTallConsumers`.
  static std::optional<WgmmaTile> getFurther(const WgmmaShape &shape,
                                             GpuTileAttr tile,
                                             int64_t consumers, int64_t columns,
                                             StringRef &reason);

  /// The most columns of a box of 16-bit elements: 64, or the largest power of
  /// two that divides the tile's, unless boxes end where heads do.
  int64_t unitColumns() const {
    if (heads > 0)
      return kUnit;
    return std::clamp<int64_t>(columns & -columns, kLeastBoxColumns, kUnit);
  }
  /// Columns of a box of rhs: all, if one can have them.
  int64_t rhsBoxColumns() const {
    if (!rhsAlongK)
      return kUnit;
    return spansSegments ? unitColumns() : columns;
  }
  int64_t rows() const { return consumers * kUnit; }
  int64_t threads() const { return (consumers + 1) * kWarpgroup; }
  int64_t lhsBytes() const { return consumers * kBoxBytes; }
  int64_t rhsBytes() const;
  /// Of all rows.
  int64_t stageBytes() const { return lhsBytes() + rhsBytes(); }
  /// The ring takes what `stages` need; that of a narrow tile all that is left
  /// beside the rest.
  int64_t ringBytes() const;

  // Offsets in shared memory, from a multiple of 1024.
  int64_t stagingOffset() const { return ringBytes(); }
  /// A row of bias for each consumer, or the matrix of ones: no contraction has
  /// both.
  int64_t extraOffset() const { return stagingOffset() + stagingBytes(); }
  int64_t barrierOffset() const { return extraOffset() + extraBytes(); }
  /// Of the barriers of addends, one for each box of a consumer.
  int64_t addendBarrierOffset() const {
    return barrierOffset() + 2 * stages * 8;
  }
  /// With room to align the start.
  int64_t sharedBytes() const {
    return barrierOffset() + barrierBytes() + kAlignment;
  }

  /// Boxes of the result whose elements have `bytes` bytes.
  SmallVector<ColumnBox> getColumnBoxes(const WgmmaShape &shape,
                                        int64_t bytes) const;
  /// Columns of a box of the result, whose elements have `bytes` bytes: those
  /// of a row of 128 bytes, but none of the next tile's.
  int64_t boxColumns(int64_t bytes) const {
    return std::min(kRowBytes / bytes, unitColumns());
  }
  /// Bytes of a row of such a box.
  int64_t boxRowBytes(int64_t bytes) const { return boxColumns(bytes) * bytes; }
  /// How many boxes of each consumer fit in a stage of the ring.
  int64_t boxesPerStage() const {
    return isNarrow ? 1 : stageBytes() / (consumers * kBoxBytes);
  }

private:
  /// `tile`, whose consumers, columns, stages, group and split are given, with
  /// the rest.
  static std::optional<WgmmaTile> fit(const WgmmaShape &shape, WgmmaTile tile,
                                      StringRef &reason);
  /// The same, with all stages that fit.
  static std::optional<WgmmaTile> fitNarrow(const WgmmaShape &shape,
                                            WgmmaTile tile, StringRef &reason);

  static constexpr int64_t kAlignment = 1024, kOnesBytes = 1024;
  int64_t stagingBytes() const { return consumers * stagingBoxes * kBoxBytes; }
  int64_t extraBytes() const {
    return std::max(kOnesBytes, consumers * kBiasBytes);
  }
  /// A full and an empty one for each stage, and those of addends.
  int64_t barrierBytes() const {
    return (2 * stages + consumers * kMaxOverlappedBoxes) * 8;
  }
};

} // namespace mlir::boostr::wgmma

#endif // BOOSTR_PASSES_GPU_WGMMA_WGMMATILE_H
