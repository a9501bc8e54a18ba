// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// From accumulators to the result. Of a product of 64 rows, thread t of the
// warpgroup holds, for each group of 8 columns, 4 sums: columns 2q and 2q + 1,
// q = t % 4, of rows r and r + 8, r = t / 32 * 16 + t % 32 / 4.

#include "boostr/passes/gpu/wgmma/WgmmaKernel.h"

using namespace mlir;
using namespace mlir::boostr;
using namespace mlir::boostr::wgmma;

static constexpr int64_t kGroup = 8;

//===----------------------------------------------------------------------===//
// Vectors of two
//===----------------------------------------------------------------------===//

/// Two sums, rounded, as the bits of a register.
static Value roundPair(DeviceBuilder &b, Value first, Value second,
                       Type elementType) {
  Value rounded = LLVM::FPTruncOp::create(b, VectorType::get(2, elementType),
                                          b.createPair(first, second));
  return LLVM::BitcastOp::create(b, b.getI32Type(), rounded);
}

//===----------------------------------------------------------------------===//
// Bias
//===----------------------------------------------------------------------===//

/// Two columns of the tile per thread, as the bits of a register; zero where
/// the result ends.
Value WgmmaKernel::loadBias(const Tile &tile) {
  Value first = b.add(b.mul(tile.n, this->tile.columns), b.mul(thread, 2));
  SmallVector<Value, 2> isInFirst = tile.isInFirst;
  if (this->tile.spansSegments)
    findSegment(first, isInFirst);
  Value end = select(isInFirst, numColumns);
  Value base = b.globalPointer(select(isInFirst, bias));
  auto load = [&](Value column) -> Value {
    Value zero = LLVM::ConstantOp::create(
        b, shape.elementType, b.getFloatAttr(shape.elementType, 0.0));
    auto loadElement = [&]() -> SmallVector<Value> {
      Value element = LLVM::GEPOp::create(b, base.getType(), shape.elementType,
                                          base, ArrayRef<LLVM::GEPArg>{column});
      return {LLVM::LoadOp::create(b, shape.elementType, element)};
    };
    return b.whenElse(b.isLess(column, end), zero, loadElement)[0];
  };
  Value one = load(first);
  Value pair = b.createPair(one, load(b.add(first, 1)));
  return LLVM::BitcastOp::create(b, b.getI32Type(), pair);
}

Value WgmmaKernel::getBiasAddress() {
  return b.add(b.add(shared, b.mul(consumer, kBiasBytes)), tile.extraOffset());
}

void WgmmaKernel::stageBias(Value bits) {
  LLVM::StoreOp::create(
      b, bits, b.sharedPointer(b.add(getBiasAddress(), b.mul(thread, 4))));
}

void WgmmaKernel::addBias(const ColumnBox &box, MutableArrayRef<Value> sums) {
  Value base = b.add(getBiasAddress(), b.mul(b.bitAnd(thread, 3), 4));
  for (int64_t column = 0; column < box.width; column += kGroup) {
    int64_t group = (box.column + column) / kGroup;
    Value pointer = b.sharedPointer(base, group * kGroup * 2);
    auto [first, second] = b.extendPair(
        LLVM::LoadOp::create(b, b.getI32Type(), pointer), shape.elementType);
    for (int64_t half : {0, 2}) {
      Value &even = sums[group * 4 + half], &odd = sums[group * 4 + half + 1];
      even = b.addFloats(even, first);
      odd = b.addFloats(odd, second);
    }
  }
}

//===----------------------------------------------------------------------===//
// Boxes in shared memory
//===----------------------------------------------------------------------===//

/// Where this thread's row of a 16 x 16 block lies (stmatrix, ldmatrix): of
/// groups `group`, which is even, and `group + 1` of a box with swizzled rows.
Value WgmmaKernel::getFragment(const SharedBox &box, int64_t group) {
  Value lane = b.bitAnd(thread, 31);
  Value row = b.add(b.mul(b.div(thread, 32), 16), b.bitAnd(lane, 15));
  // The copy engine swizzles the pieces of a row by which 128 bytes it is in.
  int64_t rowBytes = tile.boxRowBytes(2);
  Value start = b.mul(row, rowBytes);
  Value swizzle = b.bitAnd(b.div(start, kRowBytes), int32_t(rowBytes / 16 - 1));
  Value chunk = b.bitXor(b.div(lane, 16), swizzle);
  Value place = b.add(start, b.mul(chunk, 16));
  return b.sharedPointer(b.add(box.base, b.bitXor(place, b.number(group * 16))),
                         box.offset);
}

/// Groups come in pairs but for the last one of an odd number.
static int64_t getNumMatrices(const ColumnBox &box, int64_t group) {
  return group + 1 < box.width / kGroup ? 4 : 2;
}

static NVVM::LdStMatrixShapeAttr getMatrixShape(MLIRContext *context) {
  return NVVM::LdStMatrixShapeAttr::get(context, 8, 8);
}

/// The sum of matrix `matrix` of the pair of groups that begins at `group`.
static int64_t getFirstSum(const ColumnBox &box, int64_t group,
                           int64_t matrix) {
  return (box.column / kGroup + group + matrix / 2) * 4 + matrix % 2 * 2;
}

/// Reads a box of 16-bit elements to where `roundBox` would put them.
void WgmmaKernel::readBox(const ColumnBox &box, const SharedBox &source,
                          MutableArrayRef<Value> bits) {
  MLIRContext *context = b.getContext();
  for (int64_t group = 0; group < box.width / kGroup; group += 2) {
    int64_t count = getNumMatrices(box, group);
    auto type = LLVM::LLVMStructType::getLiteral(
        context, SmallVector<Type>(count, b.getI32Type()));
    Value matrices = NVVM::LdMatrixOp::create(
        b, type, getFragment(source, group), b.getI32IntegerAttr(count),
        NVVM::MMALayoutAttr::get(context, NVVM::MMALayout::row),
        getMatrixShape(context),
        NVVM::LdStMatrixEltTypeAttr::get(context,
                                         NVVM::LdStMatrixEltType::B16));
    for (int64_t matrix = 0; matrix < count; ++matrix)
      bits[getFirstSum(box, group, matrix) / 2] =
          LLVM::ExtractValueOp::create(b, matrices, matrix);
  }
}

/// Adds a box of 16-bit elements to the sums.
void WgmmaKernel::addBox(const ColumnBox &box, ArrayRef<Value> bits,
                         MutableArrayRef<Value> sums) {
  for (int64_t pair : box.getPairs()) {
    auto [even, odd] = b.extendPair(bits[pair], shape.elementType);
    sums[pair * 2] = b.addFloats(sums[pair * 2], even);
    sums[pair * 2 + 1] = b.addFloats(sums[pair * 2 + 1], odd);
  }
}

/// Rounds the sums of a box to 16-bit elements: the bits of two neighbours in
/// a register, number i those of sums 2i and 2i + 1.
void WgmmaKernel::roundBox(const ColumnBox &box, ArrayRef<Value> sums,
                           MutableArrayRef<Value> bits) {
  for (int64_t pair : box.getPairs())
    bits[pair] =
        roundPair(b, sums[pair * 2], sums[pair * 2 + 1], shape.elementType);
}

/// Writes a box of rounded elements.
void WgmmaKernel::stageNarrow(const ColumnBox &box, const SharedBox &target,
                              ArrayRef<Value> bits) {
  MLIRContext *context = b.getContext();
  for (int64_t group = 0; group < box.width / kGroup; group += 2) {
    SmallVector<Value, 4> matrices;
    for (int64_t i = 0, e = getNumMatrices(box, group); i < e; ++i)
      matrices.push_back(bits[getFirstSum(box, group, i) / 2]);
    NVVM::StMatrixOp::create(
        b, getFragment(target, group), matrices,
        NVVM::MMALayoutAttr::get(context, NVVM::MMALayout::row),
        getMatrixShape(context),
        NVVM::LdStMatrixEltTypeAttr::get(context,
                                         NVVM::LdStMatrixEltType::B16));
  }
}

/// Writes a box of f32 elements.
void WgmmaKernel::stageWide(const ColumnBox &box, const SharedBox &target,
                            MutableArrayRef<Value> sums) {
  Value lane = b.bitAnd(thread, 31);
  Value quarter = b.bitAnd(thread, 3);
  Value row = b.add(b.mul(b.div(thread, 32), 16), b.div(lane, 4));
  Value swizzle = b.bitAnd(row, 7); // Also that of row + 8.
  Value base = b.add(b.add(target.base, b.mul(row, 128)),
                     b.mul(b.bitAnd(quarter, 1), 8));
  for (int64_t group = 0; group < box.width / kGroup; ++group) {
    Value chunk = b.bitXor(b.add(b.div(quarter, 2), group * 2), swizzle);
    Value place = b.add(base, b.mul(chunk, 16));
    int64_t first = (box.column / kGroup + group) * 4;
    for (int64_t half : {0, 1})
      LLVM::StoreOp::create(
          b, b.createPair(sums[first + half * 2], sums[first + half * 2 + 1]),
          b.sharedPointer(place, target.offset + half * 8 * 128),
          /*alignment=*/8);
  }
}

//===----------------------------------------------------------------------===//
// Results
//===----------------------------------------------------------------------===//

/// Boxes of a tile's results, of one consumer.
int64_t WgmmaKernel::countBoxes() const {
  return tile.getColumnBoxes(shape, shape.resultBytes).size();
}

/// The place in shared memory through which box `number` passes.
WgmmaKernel::SharedBox WgmmaKernel::getStaging(unsigned number) {
  int64_t places = tile.stagingBoxes;
  return {b.add(b.add(shared, b.mul(consumer, places * kBoxBytes)),
                tile.stagingOffset()),
          int64_t(number % places) * kBoxBytes};
}

/// Where this consumer's box of a tile is in the array of its segment that
/// `maps` has.
std::pair<Value, SmallVector<Value>>
WgmmaKernel::locateBox(const Tile &tile, const ColumnBox &box,
                       const PerSegment &maps) {
  Coordinates coordinates = noCoordinates();
  setUnit(coordinates, shape.m, m,
          b.add(b.mul(tile.m, numConsumers), consumer));
  Columns columns = locateColumns(tile, box);
  setPlace(coordinates, shape.n, columns.place);
  return {select(columns.isInFirst, maps),
          getMapCoordinates(resultDims, coordinates)};
}

/// Stores box `number` of the tile, which `stage` writes to its place in shared
/// memory.
void WgmmaKernel::storeBox(
    const Tile &tile, const ColumnBox &box, unsigned number,
    llvm::function_ref<void(const SharedBox &place)> stage) {
  Value id = b.add(consumer, 1);
  int64_t places = this->tile.stagingBoxes;
  SharedBox staged = getStaging(number);
  // The boxes before have the other places, unless their number is no multiple.
  bool mustWaitForAll = number == 0 && countBoxes() % places != 0;
  b.when(getLeader(),
         [&] { b.waitForStoreReads(mustWaitForAll ? 0 : places - 1); });
  b.syncWarpgroup(id);
  stage(staged);
  b.fenceForAsync();
  b.syncWarpgroup(id);
  b.when(getLeader(), [&] {
    auto [map, place] = locateBox(tile, box, results);
    Value address = b.add(staged.base, staged.offset);
    // A wide result accumulates: it is a sum of what was there and one tile.
    if (hasWideResult())
      b.addBox(map, place, address);
    else
      b.storeBox(map, place, address);
    b.commitStores();
  });
}

SmallVector<Value> WgmmaKernel::unpack(Value packed) {
  SmallVector<Value> values;
  size_t count = cast<LLVM::LLVMStructType>(packed.getType()).getBody().size();
  for (size_t i = 0; i < count; ++i)
    values.push_back(
        LLVM::ExtractValueOp::create(b, packed, static_cast<int64_t>(i)));
  return values;
}

Value WgmmaKernel::pack(ArrayRef<Value> values) {
  auto type = LLVM::LLVMStructType::getLiteral(
      b.getContext(), SmallVector<Type>(values.size(), values[0].getType()));
  Value packed = LLVM::UndefOp::create(b, type);
  for (auto [i, value] : llvm::enumerate(values))
    packed =
        LLVM::InsertValueOp::create(b, packed, value, static_cast<int64_t>(i));
  return packed;
}

WgmmaKernel::Position WgmmaKernel::storeTile(const Tile &tile, Value product,
                                             Position position) {
  SmallVector<ColumnBox> boxes =
      this->tile.getColumnBoxes(shape, shape.resultBytes);
  SmallVector<Value> sums = unpack(product), bits(sums.size() / 2);
  auto stage = [&](const ColumnBox &box, const SharedBox &place) {
    if (hasBias())
      addBias(box, sums);
    if (hasWideResult())
      return stageWide(box, place, sums);
    roundBox(box, sums, bits);
    stageNarrow(box, place, bits);
  };
  size_t perStage =
      shape.readsAddend ? this->tile.boxesPerStage() : boxes.size();
  for (size_t first = 0; first < boxes.size(); first += perStage) {
    size_t end = std::min(first + perStage, boxes.size());
    if (shape.readsAddend)
      position = addFromRing(ArrayRef(boxes).slice(first, end - first),
                             position, sums);
    for (size_t number = first; number < end; ++number)
      storeBox(tile, boxes[number], number,
               [&](const SharedBox &place) { stage(boxes[number], place); });
  }
  return position;
}

/// Adds the boxes of the addend that a stage of the ring has.
WgmmaKernel::Position WgmmaKernel::addFromRing(ArrayRef<ColumnBox> boxes,
                                               Position position,
                                               MutableArrayRef<Value> sums) {
  b.wait(fullBarrier(position.slot), position.parity);
  Value offset = b.mul(ring.unitBytes, this->tile.boxesPerStage());
  Value stage = b.add(stageAddress(position.slot), b.mul(consumer, offset));
  SmallVector<Value> bits(sums.size() / 2);
  for (auto [number, box] : llvm::enumerate(boxes)) {
    readBox(box, {stage, int64_t(number) * kBoxBytes}, bits);
    addBox(box, bits, sums);
  }
  releaseRead(position.slot);
  return next(position);
}

/// The sum of lhs over k: every column of a product with ones has it.
void WgmmaKernel::storeProductWithOnes(const Tile &tile, Value sums) {
  Coordinates coordinates = noCoordinates();
  setUnit(coordinates, shape.m, m,
          b.add(b.mul(tile.m, numConsumers), consumer));
  Value inner = coordinates[shape.m.inner];
  Value lane = b.bitAnd(thread, 31);
  Value firstRow =
      b.add(inner, b.add(b.mul(b.div(thread, 32), 16), b.div(lane, 4)));
  Value isInside = b.isEqual(b.bitAnd(thread, 3), 0);
  Value base = b.globalPointer(select(tile, lhsSums));
  Value start = b.number(0);
  if (shape.m.outer) {
    Value outer = coordinates[*shape.m.outer];
    isInside = arith::AndIOp::create(b, isInside,
                                     b.isLess(outer, select(tile, outerRows)));
    start = b.mul(outer, innerRows);
  }
  for (int64_t half : {0, 1}) {
    Value row = b.add(firstRow, half * 8);
    b.when(arith::AndIOp::create(b, isInside, b.isLess(row, innerRows)), [&] {
      Value sum = LLVM::ExtractValueOp::create(b, sums, half * 2);
      storeLhsSum(base, b.add(start, row), sum);
    });
  }
}
