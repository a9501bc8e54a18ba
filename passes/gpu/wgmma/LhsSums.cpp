// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Sums of lhs over k, as of the gradient of a bias. They ride along: what the
// ring brings for the products is read once more by two warps of the
// producer's warpgroup, which have nothing else to do, one for the rows of each
// consumer. That takes shared memory an eighth of its time, which products need
// all of: so several tiles of a row of tiles do a part, of N tile n every N-th
// step of k from the n-th on, and leave it in the workspace. Who is the last
// adds all of them, in the order of the tiles: nobody waits for a block that
// may not have begun, and results do not depend on who was last.
//
// Rows of shared memory are indices of k, of 128 bytes each: 64 indices of m in
// 16 pieces of 8 bytes, which the swizzle has permuted by twos. Of a warp
//
//   lane 16 * g + c   reads piece c of the rows 32 * g .. 32 * g + 31, and has
//                     in the end the sums of m = 4 * c + 2 * g and the next,
//                     after an exchange with the lane of the other g
//
// 16 lanes read a whole row at a time, so no two of them the same bank. By
// tensor cores (mma.sync) it is slower: products of the other warpgroups wait.
//
// Steps of narrow tiles are too short for this; there the sums are a product
// with ones (Consumer.cpp).

#include "boostr/passes/cpu/IndexMath.h"
#include "boostr/passes/gpu/wgmma/WgmmaKernel.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"

using namespace mlir;
using namespace mlir::boostr;
using namespace mlir::boostr::wgmma;

static constexpr int64_t kWarp = 32;
/// Elements of a piece, pieces of a row, groups of rows, rows of a group.
static constexpr int64_t kPiece = 4, kPieces = 16, kGroups = 2, kGroupRows = 32;
/// The swizzle: rows after which it repeats, and bytes that stay together.
static constexpr int64_t kSwizzleRows = 8, kSwizzleBytes = 16;

/// Warps 2 and 3 are for this; warp 0 loads.
static constexpr int64_t kFirstWarp = 2;
/// How many of the sums that others leave are read at a time.
static constexpr int64_t kBatch = 4;

/// The tiles of a row that do a part each.
OpFoldResult WgmmaKernel::countLhsParts(OpFoldResult columnTiles) {
  constexpr int64_t most = 4;
  return cpu::min(host, columnTiles, host.getIndexAttr(most));
}

void WgmmaKernel::emitLhsSums() {
  Value isSummer = b.isLess(b.number(kFirstWarp * kWarp - 1), thread);
  b.when(isSummer, [&] {
    Summer summer;
    Value lane = b.rem(thread, kWarp);
    summer.consumer = b.sub(b.div(thread, kWarp), b.number(kFirstWarp));
    summer.lane = lane;
    summer.piece = b.rem(lane, kPieces);
    summer.group = b.div(lane, kPieces);
    forEachTile({b.number(0), b.number(0)},
                [&](const Tile &tile, ValueRange carried) {
                  Position position = {carried[0], carried[1]};
                  position = sumTile(summer, tile, position);
                  return SmallVector<Value>{position.slot, position.parity};
                });
  });
}

WgmmaKernel::Position WgmmaKernel::sumTile(const Summer &summer,
                                           const Tile &tile,
                                           Position position) {
  Value count = numSteps, turn = b.number(0);
  if (tile.isShared()) {
    count = b.sub(tile.endStep, tile.firstStep);
    turn = b.rem(tile.firstStep, numLhsParts);
  }
  SmallVector<Value> carried = {position.slot, position.parity, turn};
  carried.append(kPiece, b.zero());
  carried = b.loop(
      b.number(0), count, b.number(1), carried, [&](Value, ValueRange values) {
        Position current = {values[0], values[1]};
        Value turn = values[2];
        b.wait(fullBarrier(current.slot), current.parity);
        SmallVector<Value> sums =
            b.whenElse(b.isEqual(turn, tile.n), values.drop_front(3), [&] {
              return sumStep(summer, current.slot, values.drop_front(3));
            });
        releaseSummed(summer, current.slot);
        current = next(current);
        turn = b.add(turn, 1);
        turn = b.select(b.isEqual(turn, numLhsParts), b.number(0), turn);
        SmallVector<Value> results = {current.slot, current.parity, turn};
        results.append(sums);
        return results;
      });
  position = skipStages(summer, tile, {carried[0], carried[1]});
  finishLhsSums(summer, tile,
                exchangeSums(summer, ArrayRef(carried).drop_front(3)));
  return position;
}

/// Adds what other blocks have of the tile, if they share it, then what other
/// tiles of the row have, if this is the last of them.
void WgmmaKernel::finishLhsSums(const Summer &summer, const Tile &tile,
                                LaneSums sums) {
  Value takesPart = b.isLess(tile.n, numLhsParts);
  if (!tile.isShared()) {
    b.when(takesPart, [&] { finishRow(summer, tile, sums); });
    return;
  }
  b.when(arith::AndIOp::create(b, takesPart, b.invert(tile.isOwner)),
         [&] { sendLhsSums(summer, tile.part, sums); });
  b.when(arith::AndIOp::create(b, takesPart, tile.isOwner),
         [&] { finishRow(summer, tile, receiveLhsSums(summer, tile, sums)); });
}

void WgmmaKernel::finishRow(const Summer &summer, const Tile &tile,
                            LaneSums sums) {
  Value firstPlace = b.add(numPieces, b.mul(tile.row, numLhsParts));
  leaveLhsSums(summer, b.add(firstPlace, tile.n), sums);
  // The flag of the first tile counts those that are done.
  Value flag = getLhsSumFlag(summer, firstPlace);
  Value isLeader = b.isEqual(summer.lane, 0);
  Value count = b.whenElse(isLeader, {b.number(0)}, [&] {
    return SmallVector<Value>{b.countUp(flag, token, numLhsParts)};
  })[0];
  count = ::mlir::gpu::ShuffleOp::create(b, count, b.number(0), b.number(kWarp),
                                         ::mlir::gpu::ShuffleMode::IDX)
              .getShuffleResult();
  b.when(b.isEqual(count, numLhsParts), [&] {
    b.when(isLeader, [&] { b.clearFlag(flag); });
    // What the leader sees all lanes do.
    b.syncWarp();
    Value zero = b.zero();
    storeLhsSums(summer, tile,
                 addLhsSums(summer, firstPlace, numLhsParts, {zero, zero}));
  });
}

/// Adds the 64 indices of k in `slot`.
SmallVector<Value> WgmmaKernel::sumStep(const Summer &summer, Value slot,
                                        ValueRange sums) {
  SmallVector<Value> added(sums);
  Value unit =
      b.add(stageAddress(slot), b.mul(summer.consumer, ring.unitBytes));
  Value rows = b.add(unit, b.mul(summer.group, kGroupRows * kRowBytes));
  Value pieces = b.add(rows, b.mul(summer.piece, kPiece * 2));
  auto type = VectorType::get(kPiece / 2, b.getI32Type());
  for (int64_t row = 0; row < kGroupRows; ++row) {
    // A row is at a multiple of its size.
    Value address =
        b.bitXor(pieces, b.number(row % kSwizzleRows * kSwizzleBytes));
    Value bits = LLVM::LoadOp::create(
        b, type, b.sharedPointer(address, row * kRowBytes), kPiece * 2);
    for (int64_t pair = 0; pair < kPiece / 2; ++pair) {
      auto [even, odd] =
          b.extendPair(LLVM::ExtractElementOp::create(b, bits, b.number(pair)),
                       shape.elementType);
      added[2 * pair] = b.addFloats(added[2 * pair], even);
      added[2 * pair + 1] = b.addFloats(added[2 * pair + 1], odd);
    }
  }
  return added;
}

/// As of consumers (releaseRead), for the warp.
void WgmmaKernel::releaseSummed(const Summer &summer, Value slot) {
  b.fenceForAsync();
  b.syncWarp();
  b.when(b.isEqual(summer.lane, 0), [&] { b.arrive(emptyBarrier(slot)); });
}

/// Stages behind the steps of a tile: sums of other blocks, and addends.
WgmmaKernel::Position WgmmaKernel::skipStages(const Summer &summer,
                                              const Tile &tile,
                                              Position position) {
  Value count = b.number(0);
  if (tile.isShared())
    count = b.add(count, b.mul(tile.numPartials, countChunks()));
  if (loadsAddends(tile))
    count = b.add(count, countAddendStages());
  if (tile.isShared())
    count = b.select(tile.isOwner, count, b.number(0));
  SmallVector<Value> last =
      b.loop(b.number(0), count, b.number(1), {position.slot, position.parity},
             [&](Value, ValueRange values) {
               Position current = {values[0], values[1]};
               b.wait(fullBarrier(current.slot), current.parity);
               releaseSummed(summer, current.slot);
               current = next(current);
               return SmallVector<Value>{current.slot, current.parity};
             });
  return {last[0], last[1]};
}

/// Those of both groups of rows; two of them for each lane.
WgmmaKernel::LaneSums WgmmaKernel::exchangeSums(const Summer &summer,
                                                ArrayRef<Value> sums) {
  SmallVector<Value> all(sums);
  for (Value &sum : all) {
    Value other = ::mlir::gpu::ShuffleOp::create(b, sum, b.number(kPieces),
                                                 b.number(kWarp),
                                                 ::mlir::gpu::ShuffleMode::XOR)
                      .getShuffleResult();
    sum = b.addFloats(sum, other);
  }
  LaneSums own = {all[0], all[1]};
  for (int64_t group = 1; group < kGroups; ++group)
    for (int64_t i : {0, 1})
      own[i] =
          b.select(b.isEqual(summer.group, group), all[2 * group + i], own[i]);
  return own;
}

/// The index of m, within the unit, of the first sum of a lane.
Value WgmmaKernel::getSummedRow(const Summer &summer) {
  return b.add(b.mul(summer.piece, kPiece), b.mul(summer.group, 2));
}

//===----------------------------------------------------------------------===//
// From block to block
//===----------------------------------------------------------------------===//

/// Of place number `place` in the workspace: that of a piece of a tile that
/// blocks share, or behind all of these that of a tile.
Value WgmmaKernel::getLhsSumAddress(const Summer &summer, Value place) {
  Value unit = b.add(b.mul(place, numConsumers), summer.consumer);
  Value element = b.add(b.mul(unit, kUnit), getSummedRow(summer));
  Value base = b.globalPointer(lhsPartials);
  return LLVM::GEPOp::create(b, base.getType(), b.getF32Type(), base,
                             ArrayRef<LLVM::GEPArg>{element});
}

/// Behind the flags of all pieces' products.
Value WgmmaKernel::getLhsSumFlag(const Summer &summer, Value place) {
  return getFlag(b.add(numPieces, place), summer.consumer);
}

void WgmmaKernel::leaveLhsSums(const Summer &summer, Value place,
                               LaneSums sums) {
  Value pair = b.createPair(sums[0], sums[1]);
  LLVM::StoreOp::create(b, pair, getLhsSumAddress(summer, place),
                        /*alignment=*/8);
  b.syncWarp();
}

void WgmmaKernel::sendLhsSums(const Summer &summer, Value place,
                              LaneSums sums) {
  leaveLhsSums(summer, place, sums);
  b.when(b.isEqual(summer.lane, 0),
         [&] { b.setFlag(getLhsSumFlag(summer, place), token); });
}

/// Adds those of the pieces of a tile. Each lane waits for one.
WgmmaKernel::LaneSums WgmmaKernel::receiveLhsSums(const Summer &summer,
                                                  const Tile &tile,
                                                  LaneSums sums) {
  Value firstPart = b.sub(tile.part, tile.numPartials);
  b.when(b.isLess(summer.lane, tile.numPartials), [&] {
    Value flag = getLhsSumFlag(summer, b.add(firstPart, summer.lane));
    b.spinUntil(flag, token);
    b.clearFlag(flag);
  });
  b.syncWarp();
  return addLhsSums(summer, firstPart, tile.numPartials, sums);
}

/// Adds those at `count` places, in their order, several at a time.
WgmmaKernel::LaneSums WgmmaKernel::addLhsSums(const Summer &summer,
                                              Value firstPlace, Value count,
                                              LaneSums sums) {
  auto type = VectorType::get(2, b.getF32Type());
  Value zero = b.zero();
  Value last = b.sub(b.add(firstPlace, count), b.number(1));
  SmallVector<Value> added = b.loop(
      b.number(0), count, b.number(kBatch), sums,
      [&](Value first, ValueRange values) {
        SmallVector<Value> pairs;
        for (int64_t i = 0; i < kBatch; ++i) {
          Value place = b.min(b.add(firstPlace, b.add(first, i)), last);
          pairs.push_back(LLVM::LoadOp::create(
              b, type, getLhsSumAddress(summer, place), /*alignment=*/8));
        }
        SmallVector<Value> results(values);
        for (int64_t i = 0; i < kBatch; ++i)
          for (int64_t j : {0, 1}) {
            Value sum =
                LLVM::ExtractElementOp::create(b, pairs[i], b.number(j));
            Value isThere = b.isLess(b.add(first, i), count);
            results[j] = b.addFloats(results[j], b.select(isThere, sum, zero));
          }
        return results;
      });
  return {added[0], added[1]};
}

//===----------------------------------------------------------------------===//
// Results
//===----------------------------------------------------------------------===//

void WgmmaKernel::storeLhsSums(const Summer &summer, const Tile &tile,
                               LaneSums sums) {
  Coordinates coordinates = noCoordinates();
  setUnit(coordinates, shape.m, m,
          b.add(b.mul(tile.m, numConsumers), summer.consumer));
  Value firstRow = b.add(coordinates[shape.m.inner], getSummedRow(summer));
  Value base = b.globalPointer(select(tile, lhsSums));
  Value start = b.number(0), rowsEnd = innerRows;
  if (shape.m.outer) {
    Value outer = coordinates[*shape.m.outer];
    rowsEnd = b.select(b.isLess(outer, select(tile, outerRows)), innerRows,
                       b.number(0));
    start = b.mul(outer, innerRows);
  }
  for (int64_t i : {0, 1}) {
    Value row = b.add(firstRow, i);
    b.when(b.isLess(row, rowsEnd),
           [&] { storeLhsSum(base, b.add(start, row), sums[i]); });
  }
}

/// One sum, the result's element `index`.
void WgmmaKernel::storeLhsSum(Value base, Value index, Value sum) {
  Value place = LLVM::GEPOp::create(b, base.getType(), lhsSumType, base,
                                    ArrayRef<LLVM::GEPArg>{index});
  if (lhsSumAccumulates)
    sum =
        b.addFloats(sum, b.extend(LLVM::LoadOp::create(b, lhsSumType, place)));
  if (lhsSumType != b.getF32Type())
    sum = LLVM::FPTruncOp::create(b, lhsSumType, sum);
  LLVM::StoreOp::create(b, sum, place);
}
