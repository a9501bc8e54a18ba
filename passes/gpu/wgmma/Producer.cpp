// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The warpgroup that feeds the ring: one of its threads does all the work.

#include "boostr/passes/gpu/wgmma/WgmmaKernel.h"

using namespace mlir;
using namespace mlir::boostr;
using namespace mlir::boostr::wgmma;

void WgmmaKernel::emitProducer() {
  if (dividesRegisters())
    NVVM::SetMaxRegisterOp::create(b, registers.producer,
                                   NVVM::SetMaxRegisterAction::decrease);
  auto load = [&] {
    // The first turn of each slot has nothing to wait for.
    forEachTile({b.number(0), b.number(1)},
                [&](const Tile &tile, ValueRange carried) {
                  Position position = {carried[0], carried[1]};
                  position = loadTile(tile, position);
                  return SmallVector<Value>{position.slot, position.parity};
                });
  };
  // Steps of wide tiles are long enough, and their producer has too few
  // registers for what it then computes ahead.
  if (tile.isNarrow)
    b.whenElected(thread, load);
  else
    b.when(b.isEqual(thread, 0), load);
  if (sumsByWarps())
    emitLhsSums();
}

WgmmaKernel::Position WgmmaKernel::loadTile(const Tile &tile,
                                            Position position) {
  for (const Term &term : terms)
    position = loadTerm(tile, term, position);
  if (tile.isShared())
    position = loadPartials(tile, position);
  if (loadsAddends(tile))
    position = loadOwnedAddends(tile, position);
  return position;
}

/// Consumers fetch the addends of whole tiles themselves if there is time.
bool WgmmaKernel::loadsAddends(const Tile &tile) const {
  return shape.readsAddend && (tile.isShared() || !overlapsEpilogue());
}

int64_t WgmmaKernel::countAddendStages() const {
  return llvm::divideCeil(tile.getColumnBoxes(shape, 2).size(),
                          tile.boxesPerStage());
}

/// The steps of a term that this block has to do.
std::pair<Value, Value> WgmmaKernel::getRange(const Tile &tile,
                                              const Term &term) {
  if (!tile.isShared())
    return {b.number(0), term.numSteps};
  Value termEnd = b.add(term.firstStep, term.numSteps);
  auto clamp = [&](Value step) {
    return b.sub(b.min(b.max(step, term.firstStep), termEnd), term.firstStep);
  };
  return {clamp(tile.firstStep), clamp(tile.endStep)};
}

/// How many steps before the end of a tile its addend begins to be asked for.
static constexpr int64_t kPrefetchSteps = 16;

WgmmaKernel::Position WgmmaKernel::loadTerm(const Tile &tile, const Term &term,
                                            Position position) {
  Value begin, end, firstPrefetch;
  std::tie(begin, end) = getRange(tile, term);
  // Late enough that it is still in the L2 cache when it is loaded.
  if (prefetchesAddend() && !tile.isShared())
    firstPrefetch = b.max(begin, b.sub(b.max(end, b.number(kPrefetchSteps)),
                                       b.number(kPrefetchSteps)));
  // One thread does all this: what it computes for each step is the time that
  // the ring takes to fill.
  SmallVector<SmallVector<Value>> rowPlaces;
  for (int64_t i = 0; i < numConsumers; ++i)
    rowPlaces.push_back(
        getPlace(shape.m, m, b.add(b.mul(tile.m, numConsumers), i)));
  SmallVector<RhsBox> columns = locateRhs(tile, term);
  SmallVector<Value> carried = {position.slot, position.parity};
  carried.append(getPlace(shape.k, term.k, begin));
  SmallVector<Value> last = b.loop(
      begin, end, b.number(1), carried, [&](Value step, ValueRange values) {
        Position current = {values[0], values[1]};
        ValueRange stepPlace = values.drop_front(2);
        if (firstPrefetch)
          prefetchAddend(tile, b.sub(step, firstPrefetch));
        b.wait(emptyBarrier(current.slot), current.parity);
        loadStep(tile, term, rowPlaces, columns, stepPlace, current.slot);
        current = next(current);
        SmallVector<Value> results = {current.slot, current.parity};
        results.append(getNextPlace(shape.k, term.k, stepPlace));
        return results;
      });
  return {last[0], last[1]};
}

/// The units of rows of a tile, one for each consumer; of a narrow tile those
/// that are there. What is not loaded gives rows that are not stored.
void WgmmaKernel::forEachLoadedUnit(
    const Tile &tile,
    llvm::function_ref<void(int64_t consumer, Value unit)> body) {
  Value first = b.mul(tile.m, numConsumers);
  for (int64_t i = 0; i < numConsumers; ++i) {
    Value unit = b.add(first, i);
    if (this->tile.isNarrow)
      b.when(b.isLess(unit, numUnits), [&] { body(i, unit); });
    else
      body(i, unit);
  }
}

Value WgmmaKernel::countLoadedRows(const Tile &tile) {
  if (!this->tile.isNarrow)
    return b.number(numConsumers * kUnit);
  Value units = b.sub(numUnits, b.mul(tile.m, numConsumers));
  return b.mul(b.min(units, b.number(numConsumers)), unitRows);
}

SmallVector<WgmmaKernel::RhsBox> WgmmaKernel::locateRhs(const Tile &tile,
                                                        const Term &term) {
  SmallVector<RhsBox> boxes;
  int64_t width = this->tile.rhsBoxColumns();
  for (int64_t column = 0; column < this->tile.columns; column += width) {
    Columns columns = locateColumns(tile, {column, width, 0, column});
    boxes.push_back(
        {select(columns.isInFirst, term.rhs), columns.place, column});
  }
  return boxes;
}

/// Loads 64 indices of k of both operands.
void WgmmaKernel::loadStep(const Tile &tile, const Term &term,
                           ArrayRef<SmallVector<Value>> rowPlaces,
                           ArrayRef<RhsBox> columns, ValueRange stepPlace,
                           Value slot) {
  Value barrier = fullBarrier(slot);
  b.arriveAndExpect(barrier, b.add(b.mul(countLoadedRows(tile), kRowBytes),
                                   this->tile.rhsBytes()));
  Value address = stageAddress(slot);
  Coordinates coordinates = noCoordinates();
  setPlace(coordinates, shape.k, stepPlace);

  Value lhs = select(tile, term.lhs);
  forEachLoadedUnit(tile, [&](int64_t unit, Value) {
    setPlace(coordinates, shape.m, rowPlaces[unit]);
    b.loadBox(lhs, getMapCoordinates(lhsDims, coordinates),
              b.add(address, b.mul(ring.unitBytes, unit)), barrier);
  });

  Value rhsAddress = b.add(address, ring.rhsOffset);
  for (const RhsBox &box : columns) {
    setPlace(coordinates, shape.n, box.place);
    b.loadBox(box.map, getMapCoordinates(rhsDims, coordinates),
              b.add(rhsAddress, box.column * kRowBytes), barrier);
  }
}

/// Brings box number `step` of the addend to the L2 cache, if there is one. All
/// blocks ask for their addends at about the same time; what is asked for box
/// by box during the products has come when it is loaded.
void WgmmaKernel::prefetchAddend(const Tile &tile, Value step) {
  int64_t perUnit = this->tile.getColumnBoxes(shape, 2).size();
  Value isThere = b.isLess(step, b.number(numConsumers * perUnit));
  b.when(isThere, [&] {
    Coordinates coordinates = noCoordinates();
    setUnit(coordinates, shape.m, m,
            b.add(b.mul(tile.m, numConsumers), b.div(step, perUnit)));
    coordinates[shape.n.inner] =
        b.add(b.mul(tile.n, this->tile.columns),
              b.mul(b.rem(step, perUnit), this->tile.boxColumns(2)));
    b.prefetchBox(select(tile, addends),
                  getMapCoordinates(resultDims, coordinates));
  });
}

/// Every box of the addend, of all consumers.
void WgmmaKernel::forEachAddendBox(
    const Tile &tile,
    llvm::function_ref<void(int64_t, size_t, ValueRange)> body) {
  Coordinates coordinates = noCoordinates();
  forEachLoadedUnit(tile, [&](int64_t unit, Value index) {
    setUnit(coordinates, shape.m, m, index);
    for (auto [number, box] :
         llvm::enumerate(this->tile.getColumnBoxes(shape, 2))) {
      setPlace(coordinates, shape.n, locateColumns(tile, box).place);
      body(unit, number, getMapCoordinates(resultDims, coordinates));
    }
  });
}

/// Addends are for the block that stores the tile.
WgmmaKernel::Position WgmmaKernel::loadOwnedAddends(const Tile &tile,
                                                    Position position) {
  if (!tile.isShared())
    return loadAddends(tile, position);
  auto load = [&]() -> SmallVector<Value> {
    Position end = loadAddends(tile, position);
    return {end.slot, end.parity};
  };
  SmallVector<Value> after =
      b.whenElse(tile.isOwner, {position.slot, position.parity}, load);
  return {after[0], after[1]};
}

/// Loads the boxes that are added to the result, in the order in which the
/// consumers come to them: of each consumer as many as fit in a stage.
WgmmaKernel::Position WgmmaKernel::loadAddends(const Tile &tile,
                                               Position position) {
  size_t count = this->tile.getColumnBoxes(shape, 2).size();
  size_t perStage = this->tile.boxesPerStage();
  Value addend = select(tile, addends);
  for (size_t first = 0; first < count; first += perStage) {
    size_t end = std::min(first + perStage, count);
    b.wait(emptyBarrier(position.slot), position.parity);
    Value barrier = fullBarrier(position.slot);
    b.arriveAndExpect(barrier,
                      b.mul(countLoadedRows(tile),
                            (end - first) * this->tile.boxRowBytes(2)));
    Value address = stageAddress(position.slot);
    forEachAddendBox(
        tile, [&](int64_t unit, size_t number, ValueRange coordinates) {
          if (number < first || number >= end)
            return;
          Value offset = b.add(b.mul(ring.unitBytes, unit * perStage),
                               (number - first) * kBoxBytes);
          b.loadBox(addend, coordinates, b.add(address, offset), barrier);
        });
    position = next(position);
  }
  return position;
}
