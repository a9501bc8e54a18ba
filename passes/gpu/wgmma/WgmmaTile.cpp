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
  int64_t rest = stagingBytes() + kExtraBytes + barrierBytes() + kAlignment;
  return llvm::alignDown(kMaxSharedBytes - rest, kAlignment);
}

/// Whether boxes of 64 columns are of one segment and one head each.
static bool canSpanSegments(const WgmmaShape &shape, int64_t columns) {
  return shape.segmented == SegmentedAxis::N && !shape.readsAddend &&
         shape.commonColumns > 0 && shape.rhsAlongK && columns % kUnit == 0 &&
         shape.commonColumns % kUnit == 0 && shape.headDim % kUnit == 0;
}

std::optional<WgmmaTile> WgmmaTile::get(const WgmmaShape &shape,
                                        GpuTileAttr attr, StringRef &reason) {
  auto fail = [&](StringRef why) {
    reason = why;
    return std::nullopt;
  };
  ArrayRef<int64_t> block = attr.getBlock();
  WgmmaTile tile;
  tile.columns = block[1];
  tile.stages = attr.getStages();
  tile.group = attr.getGroup();
  tile.split = attr.getSplit();
  tile.rhsAlongK = shape.rhsAlongK;
  if (block[0] != kConsumers * kUnit || block[2] != kUnit)
    return fail("a tile of wgmma has 128 rows and 64 steps of k");
  if (tile.columns % 8 != 0 || tile.columns > 256)
    return fail("a tile of wgmma has a multiple of 8 columns up to 256");
  if (!shape.rhsAlongK && tile.columns % kUnit != 0)
    return fail("columns that memory runs along come in multiples of 64");
  // Rows of whole boxes, or of one that the copy engine swizzles too.
  if (!shape.n.outer && tile.columns * shape.resultBytes % kRowBytes != 0 &&
      (shape.resultBytes != 2 || tile.columns != 32))
    return fail("columns that are no heads fill rows of 128 bytes of the "
                "result, or are 32 of 16 bits");
  tile.spansSegments = canSpanSegments(shape, tile.columns) &&
                       shape.commonColumns % tile.columns != 0;
  if (shape.n.outer && !tile.spansSegments) {
    if (tile.columns % shape.headDim == 0)
      tile.heads = tile.columns / shape.headDim;
    else if (shape.headDim % tile.columns == 0 && tile.columns % kUnit == 0)
      tile.partsOfHead = shape.headDim / tile.columns;
    else
      return fail("columns of a tile must be whole heads, or 64, 128 or 192 "
                  "columns that divide one");
  }
  if (tile.stages < 2 || tile.sharedBytes() > kMaxSharedBytes)
    return fail("two to as many stages as shared memory holds are possible");
  tile.stagingBoxes = tile.getColumnBoxes(shape, shape.resultBytes).size();
  if (tile.stagingBoxes < kLeastStagingBoxes ||
      tile.sharedBytes() > kMaxSharedBytes)
    tile.stagingBoxes = kLeastStagingBoxes;
  return tile;
}

std::optional<WgmmaTile> WgmmaTile::getNarrow(const WgmmaShape &shape,
                                              GpuTileAttr attr, int64_t columns,
                                              StringRef &reason) {
  // More bytes than these would not come sooner.
  constexpr int64_t mostStages = 16;
  // Wider ones are for more rows, which have enough tiles.
  ArrayRef<int64_t> narrow = attr.getNarrow();
  bool isFirst = narrow.empty() || columns == narrow.front();
  int64_t split = isFirst ? attr.getSplit() : 1;
  std::optional<WgmmaTile> tile =
      get(shape,
          GpuTileAttr::get(attr.getContext(), attr.getKernel(),
                           {attr.getBlock()[0], columns, attr.getBlock()[2]},
                           /*stages=*/2, attr.getGroup(), split),
          reason);
  if (!tile)
    return std::nullopt;
  tile->isNarrow = true;
  tile->stages = mostStages;
  tile->stagingBoxes = kLeastStagingBoxes;
  return tile;
}

SmallVector<ColumnBox> WgmmaTile::getColumnBoxes(const WgmmaShape &shape,
                                                 int64_t bytes) const {
  int64_t width = boxColumns(shape, bytes);
  int64_t span = heads ? shape.headDim : columns;
  SmallVector<ColumnBox> boxes;
  for (int64_t head = 0; head < columns / span; ++head)
    for (int64_t inner = 0; inner < span; inner += width)
      boxes.push_back(
          {head * span + inner, std::min(width, span - inner), head, inner});
  return boxes;
}
