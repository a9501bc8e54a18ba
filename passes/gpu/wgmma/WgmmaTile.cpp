// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "boostr/passes/gpu/wgmma/WgmmaTile.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace mlir::boostr;
using namespace mlir::boostr::wgmma;

int64_t WgmmaTile::rhsBytes() const {
  return rhsAlongK ? columns * 128
                   : llvm::divideCeil(columns, kUnit) * kBoxBytes;
}

int64_t WgmmaTile::ringBytes() const {
  if (!isNarrow)
    return stages * stageBytes();
  int64_t rest = stagingBytes() + extraBytes() + barrierBytes() + kAlignment;
  return llvm::alignDown(kMaxSharedBytes - rest, kAlignment);
}

/// Whether boxes of a tile's columns are of one segment and one head each.
static bool canSpanSegments(const WgmmaShape &shape, const WgmmaTile &tile) {
  int64_t unit = tile.unitColumns();
  return shape.segmented == SegmentedAxis::N && !shape.readsAddend &&
         shape.commonColumns > 0 && shape.rhsAlongK &&
         tile.columns % unit == 0 && shape.commonColumns % unit == 0 &&
         shape.headDim % unit == 0;
}

/// Makes columns that have heads whole heads, a part of one, or boxes that may
/// be of several segments. Returns whether they can be one of these.
static bool divideHeads(const WgmmaShape &shape, WgmmaTile &tile) {
  bool areWhole = tile.columns % shape.headDim == 0;
  bool arePart = shape.headDim % tile.columns == 0 && tile.columns % kUnit == 0;
  bool endsWithSegments = shape.commonColumns % tile.columns == 0;
  bool canSpan = canSpanSegments(shape, tile);
  // Smaller boxes take the copy engine longer.
  bool hasLargeBoxes = tile.unitColumns() == kUnit;
  if (canSpan && hasLargeBoxes && !endsWithSegments)
    tile.spansSegments = true;
  else if (areWhole)
    tile.heads = tile.columns / shape.headDim;
  else if (arePart)
    tile.partsOfHead = shape.headDim / tile.columns;
  else
    tile.spansSegments = canSpan;
  return areWhole || arePart || canSpan;
}

std::optional<WgmmaTile> WgmmaTile::fit(const WgmmaShape &shape, WgmmaTile tile,
                                        StringRef &reason) {
  auto fail = [&](StringRef why) {
    reason = why;
    return std::nullopt;
  };
  tile.rhsAlongK = shape.rhsAlongK;
  if (tile.columns % 8 != 0 || tile.columns > kMaxColumns)
    return fail("a tile of wgmma has a multiple of 8 columns up to 256");
  if (tile.consumers > kConsumers && tile.columns > kMaxTallColumns)
    return fail("a tall tile of wgmma has up to 192 columns");
  // Boxes of the result are whole then, and those of f32 fill rows of 128
  // bytes.
  int64_t least = shape.resultBytes == 2 ? kLeastBoxColumns : kUnit / 2;
  if (!shape.n.outer && tile.columns % least != 0)
    return fail(
        "columns that are no heads come in multiples of 16, or 32 of an "
        "f32 result");
  if (shape.n.outer && !divideHeads(shape, tile))
    return fail("columns of a tile must be whole heads, or 64, 128 or 192 "
                "columns that divide one, or a multiple of 16 whose largest "
                "power of two up to 64 divides heads and segments");
  if (tile.stages < 2 || tile.sharedBytes() > kMaxSharedBytes)
    return fail("two to as many stages as shared memory holds are possible");
  return tile;
}

std::optional<WgmmaTile> WgmmaTile::get(const WgmmaShape &shape,
                                        GpuTileAttr attr, bool leavesRoom,
                                        StringRef &reason) {
  ArrayRef<int64_t> block = attr.getBlock();
  if (block[0] != kConsumers * kUnit || block[2] != kUnit) {
    reason = "a tile of wgmma has 128 rows and 64 steps of k";
    return std::nullopt;
  }
  WgmmaTile start;
  start.columns = block[1];
  start.stages = attr.getStages();
  start.group = attr.getGroup();
  start.split = leavesRoom ? 1 : attr.getSplit();
  std::optional<WgmmaTile> tile = fit(shape, start, reason);
  if (!tile)
    return std::nullopt;
  tile->stagingBoxes = tile->getColumnBoxes(shape, shape.resultBytes).size();
  if (tile->stagingBoxes < kLeastStagingBoxes ||
      tile->sharedBytes() > kMaxSharedBytes)
    tile->stagingBoxes = kLeastStagingBoxes;
  return tile;
}

/// How many blocks may share a tile. Those for more rows have enough tiles.
static int64_t getSplit(GpuTileAttr attr, int64_t consumers, int64_t columns) {
  bool hasFlat = !attr.getFlat().empty();
  ArrayRef<int64_t> all = hasFlat ? attr.getFlat() : attr.getNarrow();
  bool isForFewRows = consumers == (hasFlat ? kFlatConsumers : kConsumers) &&
                      (all.empty() || columns == all.front());
  return isForFewRows ? attr.getSplit() : 1;
}

std::optional<WgmmaTile>
WgmmaTile::getFurther(const WgmmaShape &shape, GpuTileAttr attr,
                      int64_t consumers, int64_t columns, StringRef &reason) {
  WgmmaTile tile;
  tile.consumers = consumers;
  tile.columns = columns;
  tile.group = attr.getGroup();
  tile.split = getSplit(attr, consumers, columns);
  return fitNarrow(shape, tile, reason);
}

std::optional<WgmmaTile> WgmmaTile::fitNarrow(const WgmmaShape &shape,
                                              WgmmaTile start,
                                              StringRef &reason) {
  // More bytes than these would not come sooner.
  constexpr int64_t mostStages = 16;
  start.stages = 2;
  std::optional<WgmmaTile> tile = fit(shape, start, reason);
  if (!tile)
    return std::nullopt;
  tile->isNarrow = true;
  tile->stages = mostStages;
  return tile;
}

SmallVector<ColumnBox> WgmmaTile::getColumnBoxes(const WgmmaShape &shape,
                                                 int64_t bytes) const {
  int64_t width = boxColumns(bytes);
  int64_t span = heads ? shape.headDim : columns;
  SmallVector<ColumnBox> boxes;
  for (int64_t head = 0; head < columns / span; ++head)
    for (int64_t inner = 0; inner < span; inner += width)
      boxes.push_back(
          {head * span + inner, std::min(width, span - inner), head, inner});
  return boxes;
}
