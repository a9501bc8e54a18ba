// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The epilogue of a tile beside the products of the next one.
//
// The copy engine takes boxes of results from shared memory, which has room for
// few of them: who stores all boxes of a tile at once waits for it, and the
// tensor cores wait too. Rounded to 16 bits, the results of a tile are half as
// many registers as its sums, and both fit beside each other. So a tile ends by
// rounding, and its boxes leave beside some steps of the next tile, whose
// products are under way meanwhile. Registers and places in shared memory that
// are free then take the addend of that tile, box by box, so that it is there
// when the products are done.
//
//   tile i      ... multiply | add, round
//   tile i + 1                           multiply ...  multiply ...  multiply
//   beside it                            store boxes,  fetch addend
//
// What does not fit beside the steps of a tile because these are few is done
// behind them, and so is the last tile's own epilogue.

#include "boostr/passes/gpu/wgmma/WgmmaKernel.h"

using namespace mlir;
using namespace mlir::boostr;
using namespace mlir::boostr::wgmma;

/// A box of 16-bit results for each consumer, as code that exists once for each
/// box. Narrow tiles are few for each block.
bool WgmmaKernel::overlapsEpilogue() const {
  return !tile.isNarrow && !hasWideResult() &&
         countBoxes() <= kMaxOverlappedBoxes;
}

/// Steps of k of a tile, 0 if their number shows when the code runs.
int64_t WgmmaKernel::getKnownSteps() const {
  return getConstantIntValue(hostSteps).value_or(0);
}

SmallVector<Value> WgmmaKernel::Pending::pack() const {
  SmallVector<Value> values = {numBoxes, tile.m, tile.n, bits, parity};
  llvm::append_range(values, tile.isInFirst);
  return values;
}

WgmmaKernel::Pending WgmmaKernel::Pending::unpack(ValueRange values) {
  Pending pending;
  pending.numBoxes = values[0];
  pending.tile.m = values[1];
  pending.tile.n = values[2];
  pending.bits = values[3];
  pending.parity = values[4];
  llvm::append_range(pending.tile.isInFirst, values.drop_front(5));
  return pending;
}

WgmmaKernel::Pending WgmmaKernel::createNothingPending() {
  Pending none;
  none.numBoxes = none.tile.m = none.tile.n = none.parity = b.number(0);
  if (shape.segmented != SegmentedAxis::None && !tile.spansSegments)
    none.tile.isInFirst.assign(
        segmentEnds.size(), arith::ConstantIntOp::create(b, b.getI1Type(), 0));
  auto type = LLVM::LLVMStructType::getLiteral(
      b.getContext(), SmallVector<Type>(tile.columns / 4, b.getI32Type()));
  none.bits = LLVM::UndefOp::create(b, type);
  return none;
}

WgmmaKernel::Position WgmmaKernel::multiplyWholeTiles(Position position) {
  SmallVector<Value> carried = {position.slot, position.parity};
  llvm::append_range(carried, createNothingPending().pack());
  Value end = getWholeTilesEnd();
  SmallVector<Value> last =
      b.loop(b.blockId(), end, b.numBlocks(), carried,
             [&](Value number, ValueRange values) {
               Pending pending = Pending::unpack(values.drop_front(2));
               Position position = {values[0], values[1]};
               Value isLast =
                   b.invert(b.isLess(b.add(number, b.numBlocks()), end));
               std::tie(pending, position) = multiplyBesideEpilogue(
                   decodeTile(number), isLast, pending, position);
               SmallVector<Value> results = {position.slot, position.parity};
               llvm::append_range(results, pending.pack());
               return results;
             });
  return {last[0], last[1]};
}

std::pair<WgmmaKernel::Pending, WgmmaKernel::Position>
WgmmaKernel::multiplyBesideEpilogue(const Tile &tile, Value isLast,
                                    const Pending &before, Position position) {
  // Requested here, needed after the products.
  Value biasBits = hasBias() ? loadBias(tile) : Value();
  Value end = b.number(getLastTurnEnd());
  auto beside = [&](Value step, ValueRange bits) {
    return b.whenElse(b.isLess(step, end), bits, [&] {
      return takeTurns(tile, before, bits[0],
                       [&](Value due) { return b.isEqual(step, due); });
    });
  };
  SmallVector<Value> bits = {before.bits};
  Sums sums;
  std::tie(sums, position) =
      multiplySteps(numSteps, position, /*sumsLhs=*/false, bits, beside);
  // What few steps have left.
  if (getKnownSteps() < getLastTurnEnd())
    bits = b.whenElse(b.isLess(numSteps, end), bits, [&] {
      return takeTurns(tile, before, bits[0], [&](Value due) {
        return b.invert(b.isLess(due, numSteps));
      });
    });

  if (hasBias()) {
    stageBias(biasBits);
    b.syncWarpgroup(b.add(consumer, 1));
  }
  Pending after = before;
  after.bits = roundTile(sums.product, bits[0]);
  b.when(isLast, [&] { storeAtOnce(tile, after.bits); });
  after.numBoxes = b.number(countBoxes());
  after.tile = tile;
  if (shape.readsAddend)
    after.parity = b.bitXor(before.parity, b.number(1));
  return {after, position};
}

//===----------------------------------------------------------------------===//
// Turns
//===----------------------------------------------------------------------===//

/// In turn i box i of the results leaves, and beside the next step the same box
/// of the addend is requested, to the same place. It is received when the place
/// is needed again.
static constexpr int64_t kPlaces = kLeastStagingBoxes;

int64_t WgmmaKernel::countTurns() const {
  return countBoxes() + (shape.readsAddend ? kPlaces : 0);
}

/// Beside which step a turn begins. Turns are spread over the steps: all blocks
/// are at about the same place, and memory has operands to bring, too.
int64_t WgmmaKernel::getTurnStep(int64_t turn) const {
  constexpr int64_t least = 2, most = 4;
  return turn * std::clamp(getKnownSteps() / countTurns(), least, most);
}

/// The end of the steps beside which turns are taken.
int64_t WgmmaKernel::getLastTurnEnd() const {
  return getTurnStep(countTurns() - 1) + 1;
}

/// Takes the turns of which the step `isDue`; the new `bits`.
SmallVector<Value>
WgmmaKernel::takeTurns(const Tile &tile, const Pending &before, Value bits,
                       llvm::function_ref<Value(Value step)> isDue) {
  SmallVector<ColumnBox> boxes =
      this->tile.getColumnBoxes(shape, shape.resultBytes);
  int64_t count = boxes.size();
  SmallVector<Value> values = unpack(bits);
  for (int64_t turn = 0; turn < countTurns(); ++turn) {
    int64_t received = shape.readsAddend ? turn - kPlaces : -1;
    values = b.whenElse(isDue(b.number(getTurnStep(turn))), values, [&] {
      if (received >= 0)
        receiveAddend(boxes[received], received, before.parity, values);
      if (turn < count)
        b.when(b.isLess(b.number(0), before.numBoxes),
               [&] { storeRounded(before.tile, turn, values); });
      return values;
    });
    if (shape.readsAddend && turn < count)
      b.when(isDue(b.number(getTurnStep(turn) + 1)),
             [&] { requestAddend(tile, boxes[turn], turn); });
  }
  return {pack(values)};
}

//===----------------------------------------------------------------------===//
// Addends
//===----------------------------------------------------------------------===//

Value WgmmaKernel::addendBarrier(int64_t box) {
  Value first = b.add(shared, b.mul(consumer, kMaxOverlappedBoxes * 8));
  return b.add(first, tile.addendBarrierOffset() + box * 8);
}

void WgmmaKernel::receiveAddend(const ColumnBox &box, int64_t number,
                                Value parity, MutableArrayRef<Value> bits) {
  b.wait(addendBarrier(number), parity);
  readBox(box, getStaging(number), bits);
  // All have read what the copy engine may write over.
  b.fenceForAsync();
  b.syncWarpgroup(b.add(consumer, 1));
}

void WgmmaKernel::requestAddend(const Tile &tile, const ColumnBox &box,
                                int64_t number) {
  b.when(getLeader(), [&] {
    // The result has left.
    b.waitForStoreReads(0);
    Value barrier = addendBarrier(number);
    b.arriveAndExpect(barrier, kUnit * this->tile.boxRowBytes(2));
    auto [map, place] = locateBox(tile, box, addends);
    SharedBox staging = getStaging(number);
    b.loadBox(map, place, b.add(staging.base, staging.offset), barrier);
  });
}

//===----------------------------------------------------------------------===//
// Sums
//===----------------------------------------------------------------------===//

/// Adds to the sums and rounds them.
Value WgmmaKernel::roundTile(Value product, Value addend) {
  SmallVector<Value> sums = unpack(product), bits = unpack(addend);
  for (const ColumnBox &box : tile.getColumnBoxes(shape, shape.resultBytes)) {
    if (shape.readsAddend)
      addBox(box, bits, sums);
    if (hasBias())
      addBias(box, sums);
    roundBox(box, sums, bits);
  }
  return pack(bits);
}

/// Behind the last tile nothing is multiplied.
void WgmmaKernel::storeAtOnce(const Tile &tile, Value bits) {
  SmallVector<Value> values = unpack(bits);
  for (int64_t i = 0; i < countBoxes(); ++i)
    storeRounded(tile, i, values);
}

void WgmmaKernel::storeRounded(const Tile &tile, int64_t number,
                               ArrayRef<Value> bits) {
  ColumnBox box = this->tile.getColumnBoxes(shape, shape.resultBytes)[number];
  storeBox(tile, box, number,
           [&](const SharedBox &place) { stageNarrow(box, place, bits); });
}
