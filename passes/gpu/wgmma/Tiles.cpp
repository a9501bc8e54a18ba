// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Which tiles a block walks over, and where tiles, stages of the ring, boxes
// and units of axes are.

#include "boostr/passes/cpu/IndexMath.h"
#include "boostr/passes/gpu/wgmma/WgmmaKernel.h"

using namespace mlir;
using namespace mlir::boostr;
using namespace mlir::boostr::wgmma;

//===----------------------------------------------------------------------===//
// Tiles
//===----------------------------------------------------------------------===//

/// A division takes long where every thread waits for it. By a small number it
/// is a product with this and a shift, exact for numbers below 2^27.
static constexpr int64_t kReciprocalOne = int64_t(1) << 31;

static int64_t getReciprocal(int64_t divisor) {
  return llvm::divideCeil(kReciprocalOne, divisor);
}

static Value divide(DeviceBuilder &b, Value x, Value reciprocal) {
  auto widen = [&](Value value) {
    return arith::ExtUIOp::create(b, b.getI64Type(), value);
  };
  Value product = arith::MulIOp::create(b, widen(x), widen(reciprocal));
  Value quotient = arith::ShRUIOp::create(b, product, b.number64(31));
  return arith::TruncIOp::create(b, b.getI32Type(), quotient);
}

/// That of the rows of the last group, if these are fewer than `group`.
OpFoldResult WgmmaKernel::getLastRowsReciprocal(OpFoldResult rowTiles) {
  Value rows = cpu::toValue(host, cpu::rem(host, rowTiles, tile.group));
  Value divisor = arith::MaxUIOp::create(host, rows, cpu::constant(host, 1));
  return arith::CeilDivUIOp::create(host, cpu::constant(host, kReciprocalOne),
                                    divisor)
      .getResult();
}

SmallVector<Value> WgmmaKernel::forEachTile(
    ValueRange carried,
    llvm::function_ref<SmallVector<Value>(const Tile &, ValueRange)> body) {
  Value first = b.blockId(), step = b.numBlocks();
  SmallVector<Value> last = b.loop(first, getWholeTilesEnd(), step, carried,
                                   [&](Value number, ValueRange values) {
                                     return body(decodeTile(number), values);
                                   });
  if (!canShareTiles())
    return last;
  // Code of its own, so that whole tiles are not slowed down.
  return forEachUnit(last, [&](Value number, ValueRange values) {
    return body(decodeUnit(number), values);
  });
}

/// Tiles are numbered through groups of rows: all of the rows of a group in one
/// column, then the next column. Blocks that run at a time then share operands
/// in the L2 cache.
WgmmaKernel::Tile WgmmaKernel::decodeTile(Value number) {
  Tile decoded;
  Value perGroup = b.mul(numColumnTiles, tile.group);
  Value firstRow = b.mul(b.div(number, perGroup), tile.group);
  Value inGroup = b.rem(number, perGroup);
  Value rowsThere = b.sub(numRowTiles, firstRow);
  Value isWhole = b.isLess(b.number(tile.group - 1), rowsThere);
  Value rows = b.select(isWhole, b.number(tile.group), rowsThere);
  Value reciprocal =
      b.select(isWhole, b.number(int32_t(getReciprocal(tile.group))),
               lastRowsReciprocal);
  decoded.n = divide(b, inGroup, reciprocal);
  decoded.m = b.add(firstRow, b.sub(inGroup, b.mul(decoded.n, rows)));
  decoded.row = decoded.m;
  if (shape.segmented != SegmentedAxis::None && !tile.spansSegments)
    findSegment(shape.segmented == SegmentedAxis::M ? decoded.m : decoded.n,
                decoded.isInFirst);
  return decoded;
}

/// Makes `index`, along the segmented axis, count from the start of its
/// segment.
void WgmmaKernel::findSegment(Value &index, SmallVectorImpl<Value> &isInFirst) {
  Value start = b.number(0);
  for (Value end : segmentEnds) {
    Value isBefore = b.isLess(index, end);
    isInFirst.push_back(isBefore);
    start = b.select(isBefore, start, end);
  }
  index = b.sub(index, start);
}

Value WgmmaKernel::select(ArrayRef<Value> isInFirst, const PerSegment &values) {
  Value chosen = values.back();
  // Values that all segments share have no segment to be chosen by.
  if (isInFirst.empty())
    return chosen;
  for (auto [isBefore, value] :
       llvm::reverse(llvm::zip_equal(isInFirst, ArrayRef(values).drop_back())))
    chosen = b.select(isBefore, value, chosen);
  return chosen;
}

//===----------------------------------------------------------------------===//
// The ring and coordinates
//===----------------------------------------------------------------------===//

Value WgmmaKernel::fullBarrier(Value slot) {
  return b.add(b.add(shared, b.mul(slot, 8)), tile.barrierOffset());
}

Value WgmmaKernel::emptyBarrier(Value slot) {
  return b.add(fullBarrier(slot), tile.stages * 8);
}

Value WgmmaKernel::stageAddress(Value slot) {
  return b.add(shared, b.mul(slot, ring.stageBytes));
}

WgmmaKernel::Position WgmmaKernel::next(const Position &position) {
  Value isLast = b.isEqual(position.slot, b.sub(ring.numStages, b.number(1)));
  return {b.select(isLast, b.number(0), b.add(position.slot, 1)),
          b.select(isLast, b.bitXor(position.parity, b.number(1)),
                   position.parity)};
}

Value WgmmaKernel::previous(Value slot) {
  Value after = b.select(b.isEqual(slot, 0), ring.numStages, slot);
  return b.sub(after, b.number(1));
}

WgmmaKernel::Coordinates WgmmaKernel::noCoordinates() {
  return Coordinates(contraction.dims.size());
}

/// The coordinates of a unit: the inner one, then the outer one if there is.
SmallVector<Value> WgmmaKernel::getPlace(const Axis &axis,
                                         const DeviceWalk &walk, Value unit) {
  if (!axis.outer)
    return {b.mul(unit, walk.innerBox)};
  return {b.mul(b.rem(unit, walk.perOuter), walk.innerBox),
          b.mul(b.div(unit, walk.perOuter), walk.outerBox)};
}

/// Those of the unit after `place`, without a division: this is for loops.
SmallVector<Value> WgmmaKernel::getNextPlace(const Axis &axis,
                                             const DeviceWalk &walk,
                                             ValueRange place) {
  if (!axis.outer)
    return {b.add(place[0], walk.innerBox)};
  Value inner = b.add(place[0], walk.innerBox);
  Value isEnd = b.isEqual(inner, b.mul(walk.perOuter, walk.innerBox));
  return {b.select(isEnd, b.number(0), inner),
          b.select(isEnd, b.add(place[1], walk.outerBox), place[1])};
}

void WgmmaKernel::setPlace(Coordinates &coordinates, const Axis &axis,
                           ValueRange place) {
  coordinates[axis.inner] = place[0];
  if (axis.outer)
    coordinates[*axis.outer] = place[1];
}

void WgmmaKernel::setUnit(Coordinates &coordinates, const Axis &axis,
                          const DeviceWalk &walk, Value unit) {
  setPlace(coordinates, axis, getPlace(axis, walk, unit));
}

WgmmaKernel::Columns WgmmaKernel::locateColumns(const Tile &tile,
                                                const ColumnBox &box) {
  Columns columns = {tile.isInFirst, {}};
  Value column = b.add(b.mul(tile.n, this->tile.columns), box.column);
  if (this->tile.spansSegments)
    findSegment(column, columns.isInFirst);
  if (!shape.n.outer)
    columns.place = {column};
  else if (this->tile.spansSegments)
    columns.place = {b.rem(column, shape.headDim),
                     b.div(column, shape.headDim)};
  else if (int64_t parts = this->tile.partsOfHead)
    columns.place = {
        b.add(b.mul(b.rem(tile.n, parts), this->tile.columns), box.inner),
        b.div(tile.n, parts)};
  else
    columns.place = {b.number(box.inner),
                     b.add(b.mul(tile.n, this->tile.heads), box.outer)};
  return columns;
}

SmallVector<Value>
WgmmaKernel::getMapCoordinates(ArrayRef<unsigned> dims,
                               const Coordinates &coordinates) {
  return llvm::map_to_vector(dims,
                             [&](unsigned dim) { return coordinates[dim]; });
}
