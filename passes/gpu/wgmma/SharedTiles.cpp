// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Tiles that several blocks share. Where the tiles that are left for the last
// round occupy few of the multiprocessors, pieces are cut off these along k,
// and blocks that have no tile, the helpers, compute the pieces:
//
//   block        0 .. h-1            h .. h+L-1
//   last round   pieces, in turn     the rest of the L tiles that are left
//
// One piece of an equal part of k for each helper if there are several helpers
// for each tile; else a smaller one of each tile, several of which a helper
// computes one after the other. A helper leaves the sums of a piece in a
// workspace and raises a flag. The block with the rest owns the tile: it waits
// for the flags and adds the sums in the order of the pieces, so results do not
// depend on who was first. Sums reach it through the ring.
//
// A raised flag is a number that each launch has its own of, so that nobody has
// to clear the flags before, which would be work of the device between
// launches. What else may be in that memory is that number by chance only, one
// of 2^64. Where a graph launches the kernel again the number is the same: so
// the owner lowers the flags that it has seen.
//
// An owner waits for blocks with lower numbers only, which were begun before,
// and helpers wait for nobody.
//
// Blocks that run at a time are at few places of k: all owners at one, and
// helpers at another. What they read is then shared in the L2 cache. Ranges of
// k of any beginning (stream-K) would balance better and were slower by up to
// 30 % for that reason.

#include "boostr/passes/cpu/IndexMath.h"
#include "boostr/passes/gpu/Workspaces.h"
#include "boostr/passes/gpu/wgmma/WgmmaKernel.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace mlir::boostr;
using namespace mlir::boostr::wgmma;

/// Sums that a thread moves at a time: 16 bytes.
static constexpr int64_t kVector = 4;
static constexpr int64_t kSumBytes = 4;

//===----------------------------------------------------------------------===//
// Host
//===----------------------------------------------------------------------===//

namespace {

/// Unsigned arithmetic on indices that the host knows when it launches.
struct HostMath {
  ImplicitLocOpBuilder &b;

  Value number(int64_t value) { return cpu::constant(b, value); }
  Value add(Value x, Value y) { return arith::AddIOp::create(b, x, y); }
  Value sub(Value x, Value y) { return arith::SubIOp::create(b, x, y); }
  Value mul(Value x, Value y) { return arith::MulIOp::create(b, x, y); }
  Value div(Value x, Value y) { return arith::DivUIOp::create(b, x, y); }
  Value rem(Value x, Value y) { return arith::RemUIOp::create(b, x, y); }
  Value ceilDiv(Value x, Value y) {
    return arith::CeilDivUIOp::create(b, x, y);
  }
  Value min(Value x, Value y) { return arith::MinUIOp::create(b, x, y); }
  Value max(Value x, Value y) { return arith::MaxUIOp::create(b, x, y); }
  Value both(Value x, Value y) { return arith::AndIOp::create(b, x, y); }
  Value isLess(Value x, Value y) {
    return arith::CmpIOp::create(b, arith::CmpIPredicate::ult, x, y);
  }
  Value isAtMost(Value x, Value y) {
    return arith::CmpIOp::create(b, arith::CmpIPredicate::ule, x, y);
  }
  Value select(Value condition, Value x, Value y) {
    return arith::SelectOp::create(b, condition, x, y);
  }
};

} // namespace

/// Of the sums of a piece.
int64_t WgmmaKernel::getPartialBytes() const {
  int64_t products = tile.columns * numConsumers * kUnit * kSumBytes;
  return products +
         (sumsByOnes() ? numConsumers * kWarpgroup * 2 * kSumBytes : 0);
}

namespace {

/// How the tiles of the last round are shared; all zero if they are not.
struct Sharing {
  /// Pieces cut off each tile, and steps of k in each.
  Value pieces, pieceSteps;
  Value helpers;
};

/// A way to share, and what the last round takes with it.
struct Candidate {
  Sharing sharing;
  Value isPossible, cost;
};

} // namespace

// In steps of k: what a tile costs at its ends, what a piece's sums cost to be
// written, to be waited for and to be added. A step of a narrow tile is short.
static constexpr int64_t kEnds = 2, kSend = 3, kAdd = 2;

static int64_t getAwaitCost(bool isNarrow) { return isNarrow ? 32 : 6; }

/// Each tile in `parts` equal parts, a block for each.
static Candidate shareEqually(HostMath math, Value numLeft, Value numSteps,
                              Value numBlocks, int64_t await, int64_t parts) {
  Value count = math.number(parts), pieces = math.number(parts - 1);
  Value steps = math.div(numSteps, count);
  Candidate candidate;
  candidate.sharing = {pieces, steps, math.mul(numLeft, pieces)};
  candidate.isPossible =
      math.both(math.isAtMost(math.mul(numLeft, count), numBlocks),
                math.isLess(math.number(0), steps));
  candidate.cost = math.add(math.sub(numSteps, math.mul(steps, pieces)),
                            math.number(kEnds + await + kAdd * (parts - 1)));
  return candidate;
}

/// A piece of each tile, several of which one helper computes: so long that
/// helpers end when owners have done the rest.
static Candidate shareWithHelpers(HostMath math, Value numLeft, Value numSteps,
                                  Value numBlocks, int64_t await,
                                  int64_t split) {
  Value one = math.number(1);
  Value idle = math.sub(numBlocks, numLeft);
  // Without an idle block the numbers are of no consequence, but for a division
  // by zero.
  Value perHelper = math.ceilDiv(numLeft, math.max(idle, one));
  Value sent = math.min(math.mul(perHelper, math.number(kSend)), numSteps);
  Value steps = math.div(math.sub(numSteps, sent), math.add(perHelper, one));
  Candidate candidate;
  candidate.sharing = {one, steps,
                       math.ceilDiv(numLeft, math.max(perHelper, one))};
  candidate.isPossible =
      math.both(math.both(math.isLess(math.number(0), idle),
                          math.isLess(perHelper, math.number(split))),
                math.isLess(math.number(0), steps));
  candidate.cost =
      math.add(math.sub(numSteps, steps), math.number(kEnds + await + kAdd));
  return candidate;
}

/// The way that takes the least time. Tiles are shared only if that saves a
/// thirty-second of the whole or more: estimates are not exact.
static Sharing chooseSharing(HostMath math, Value numTiles, Value numLeft,
                             Value numSteps, Value numBlocks, int64_t await,
                             int64_t split) {
  Value zero = math.number(0);
  Value round = math.add(numSteps, math.number(kEnds));
  Value rounds = math.ceilDiv(numTiles, numBlocks);
  Value leastGain = math.div(math.mul(rounds, round), math.number(32));
  Candidate best = {
      {zero, zero, zero}, Value(), math.sub(round, math.min(leastGain, round))};
  SmallVector<Candidate> candidates = {
      shareWithHelpers(math, numLeft, numSteps, numBlocks, await, split)};
  for (int64_t parts : {2, 3, 4, 6, 8})
    if (parts <= split)
      candidates.push_back(
          shareEqually(math, numLeft, numSteps, numBlocks, await, parts));
  for (const Candidate &candidate : candidates) {
    Value isBetter =
        math.both(candidate.isPossible, math.isLess(candidate.cost, best.cost));
    auto choose = [&](Value &value, Value better) {
      value = math.select(isBetter, better, value);
    };
    choose(best.sharing.pieces, candidate.sharing.pieces);
    choose(best.sharing.pieceSteps, candidate.sharing.pieceSteps);
    choose(best.sharing.helpers, candidate.sharing.helpers);
    choose(best.cost, candidate.cost);
  }
  return best.sharing;
}

/// Where the pieces end: in each round `helpers` blocks of all `blocks` have
/// one. Not used without helpers.
static Value getLastPieceEnd(HostMath math, Value numPieces, Value helpers,
                             Value blocks) {
  Value one = math.number(1), perRound = math.max(helpers, one);
  Value lastRound = math.div(math.sub(math.max(numPieces, one), one), perRound);
  return math.add(math.mul(lastRound, blocks),
                  math.sub(numPieces, math.mul(lastRound, perRound)));
}

/// Cuts the tiles that are left. Returns the number of blocks, and of pieces.
std::pair<Value, Value> WgmmaKernel::divideTiles(Value numTilesOnHost,
                                                 Value numStepsOnHost,
                                                 Value numBlocks) {
  HostMath math{host};
  Value zero = math.number(0);
  Value left = math.rem(numTilesOnHost, numBlocks);
  Sharing sharing =
      chooseSharing(math, numTilesOnHost, left, numStepsOnHost, numBlocks,
                    getAwaitCost(tile.isNarrow), tile.split);
  if (mayShare)
    for (Value *value :
         {&sharing.pieces, &sharing.pieceSteps, &sharing.helpers})
      *value = math.select(mayShare, *value, zero);
  Value isShared = math.isLess(zero, sharing.helpers);
  left = math.select(isShared, left, zero);
  Value numWhole = math.sub(numTilesOnHost, left);
  Value pieces = math.mul(left, sharing.pieces);

  numTiles = parameters.addNumber(numTilesOnHost);
  numWholeTiles = parameters.addNumber(numWhole);
  piecesPerTile = parameters.addNumber(sharing.pieces);
  pieceSteps = parameters.addNumber(sharing.pieceSteps);
  numHelpers = parameters.addNumber(sharing.helpers);
  Value blocks = math.min(numBlocks, math.add(numTilesOnHost, sharing.helpers));
  // Computed here: it would take registers from those that multiply.
  numLeft = parameters.addNumber(math.max(left, math.number(1)));
  helpersEnd = parameters.addNumber(math.add(
      numWhole, getLastPieceEnd(math, pieces, sharing.helpers, blocks)));
  return {blocks, pieces};
}

/// Memory that blocks leave sums in for each other: of `pieces` of tiles, and
/// sums of lhs of each piece and tile. Flags come first, then sums, which the
/// copy engine wants at a multiple of 16.
void WgmmaKernel::createWorkspace(Value numTilesOnHost, Value pieces) {
  HostMath math{host};
  Value places = math.number(0);
  if (sumsByWarps())
    places = math.add(pieces, numTilesOnHost);
  Value flagBytes = math.mul(math.add(pieces, places),
                             math.number(numConsumers * kFlagBytes));
  Value pieceBytes = math.mul(pieces, math.number(getPartialBytes()));
  Value placeBytes =
      math.mul(places, math.number(numConsumers * kUnit * kSumBytes));
  Value sumBytes = math.add(pieceBytes, placeBytes);
  Value isNeeded = math.isLess(math.number(0), sumBytes);
  auto [memory, mark] = allocateWorkspace(host, op, workspace, isNeeded,
                                          math.add(flagBytes, sumBytes));
  auto behind = [&](Value address, Value bytes) -> Value {
    return arith::AddIOp::create(
        host, address,
        arith::IndexCastOp::create(host, host.getI64Type(), bytes));
  };
  Value sums = behind(memory, flagBytes);
  token = parameters.addAddress(mark);
  flags = parameters.addAddress(memory);
  partials = parameters.addAddress(sums);
  if (sumsByWarps()) {
    numPieces = parameters.addNumber(pieces);
    lhsPartials = parameters.addAddress(behind(sums, pieceBytes));
  }
}

//===----------------------------------------------------------------------===//
// Kernel: what a block does
//===----------------------------------------------------------------------===//

/// Units are numbered on from the whole tiles: an owner has one, and a helper
/// one in each round. What ends the loop is known from parameters alone: a
/// bound of this block would take a register from those that multiply.
SmallVector<Value> WgmmaKernel::forEachUnit(
    ValueRange carried,
    llvm::function_ref<SmallVector<Value>(Value, ValueRange)> body) {
  Value none = b.number(-1);
  auto isHelper = [&] { return b.isLess(b.blockId(), numHelpers); };
  Value ownersEnd = b.add(numTiles, numHelpers);
  Value first = b.add(numWholeTiles, b.blockId());
  Value end = b.select(isHelper(), helpersEnd, ownersEnd);
  SmallVector<Value> state = {b.select(b.isLess(first, end), first, none)};
  llvm::append_range(state, carried);

  auto loop = scf::WhileOp::create(b, TypeRange(ValueRange(state)), state);
  OpBuilder::InsertionGuard guard(b);
  SmallVector<Location> locations(state.size(), b.getLoc());
  TypeRange types = loop.getResultTypes();
  Block *before = b.createBlock(&loop.getBefore(), {}, types, locations);
  Value isThere = b.invert(b.isEqual(before->getArgument(0), none));
  scf::ConditionOp::create(b, isThere, before->getArguments());
  Block *after = b.createBlock(&loop.getAfter(), {}, types, locations);
  Value unit = after->getArgument(0);
  SmallVector<Value> results = body(unit, after->getArguments().drop_front());
  Value next = b.add(unit, b.numBlocks());
  Value isLater =
      arith::AndIOp::create(b, isHelper(), b.isLess(next, helpersEnd));
  results.insert(results.begin(), b.select(isLater, next, none));
  scf::YieldOp::create(b, results);
  return llvm::to_vector_of<Value>(loop.getResults().drop_front());
}

/// The tile of unit `unit`: a piece, or the rest of one.
WgmmaKernel::Tile WgmmaKernel::decodeUnit(Value unit) {
  Value isHelper = b.isLess(b.blockId(), numHelpers);
  // Pieces are numbered by their range of k,
  // then by tile.
  Value local = b.sub(unit, numWholeTiles);
  Value turn = b.div(local, b.numBlocks());
  Value piece = b.add(b.mul(turn, numHelpers), b.rem(local, b.numBlocks()));
  Value range = b.div(piece, numLeft);
  Value left =
      b.select(isHelper, b.rem(piece, numLeft), b.sub(local, numHelpers));
  Tile decoded = decodeTile(b.add(numWholeTiles, left));
  Value number = b.select(isHelper, range, piecesPerTile);
  decoded.firstStep = b.mul(number, pieceSteps);
  decoded.endStep =
      b.select(isHelper, b.add(decoded.firstStep, pieceSteps), numSteps);
  decoded.isOwner = b.invert(isHelper);
  decoded.part = b.add(b.mul(left, piecesPerTile), number);
  decoded.numPartials = piecesPerTile;
  return decoded;
}

/// Accumulators that pass through the ring together. A stage of a narrow tile
/// has room for rhs at least.
int64_t WgmmaKernel::getChunk() const {
  int64_t stageBytes = tile.isNarrow ? tile.rhsBytes() : tile.stageBytes();
  int64_t perStage = stageBytes / (numConsumers * kWarpgroup * kSumBytes);
  return std::min<int64_t>(32, perStage / kVector * kVector);
}

/// Bytes of `count` sums of every thread of the consumers.
int64_t WgmmaKernel::getChunkBytes(int64_t count) const {
  return count * numConsumers * kWarpgroup * kSumBytes;
}

Value WgmmaKernel::getPartialAddress(Value part) {
  Value wide = arith::ExtUIOp::create(b, b.getI64Type(), part);
  Value offset = arith::MulIOp::create(b, wide, b.number64(getPartialBytes()));
  Value address = arith::AddIOp::create(b, partials, offset);
  return b.globalPointer(address);
}

Value WgmmaKernel::getFlag(Value part, Value ofConsumer) {
  Value base = b.globalPointer(flags);
  Value index = b.add(b.mul(part, numConsumers), ofConsumer);
  return LLVM::GEPOp::create(b, base.getType(), b.getI64Type(), base,
                             ArrayRef<LLVM::GEPArg>{index});
}

//===----------------------------------------------------------------------===//
// Kernel: sums on their way
//===----------------------------------------------------------------------===//

/// Leaves the sums for the owner: of each chunk those of the first consumer,
/// then those of the second, in vectors by thread.
void WgmmaKernel::sendPartial(const Tile &tile, const Sums &sums) {
  Value base = getPartialAddress(tile.part);
  // Constant offsets come last, where they are part of the instruction.
  auto advance = [&](Value pointer, LLVM::GEPArg bytes) -> Value {
    return LLVM::GEPOp::create(b, base.getType(), b.getI8Type(), pointer,
                               ArrayRef<LLVM::GEPArg>{bytes});
  };
  auto store = [&](ArrayRef<Value> values, Value place) {
    Value vector = LLVM::UndefOp::create(
        b, VectorType::get(values.size(), b.getF32Type()));
    for (auto [i, value] : llvm::enumerate(values))
      vector = LLVM::InsertElementOp::create(b, vector, value, b.number(i));
    LLVM::StoreOp::create(b, vector, place, values.size() * kSumBytes);
  };
  SmallVector<Value> values = unpack(sums.product);
  int32_t chunk = getChunk(), count = values.size();
  for (int32_t first = 0; first < count; first += chunk) {
    int32_t size = std::min(chunk, count - first);
    Value start = b.add(b.mul(consumer, getChunkBytes(size) / numConsumers),
                        b.mul(thread, kVector * kSumBytes));
    Value pointer = advance(base, start);
    for (int32_t i = 0; i < size; i += kVector)
      store(ArrayRef(values).slice(first + i, kVector),
            advance(pointer, int32_t(getChunkBytes(first) +
                                     i * kWarpgroup * kSumBytes)));
  }
  if (sums.lhs) {
    SmallVector<Value> lhs = unpack(sums.lhs);
    Value row = b.add(b.mul(consumer, kWarpgroup), thread);
    store({lhs[0], lhs[2]}, advance(advance(base, b.mul(row, 2 * kSumBytes)),
                                    int32_t(getChunkBytes(count))));
  }
  b.syncWarpgroup(b.add(consumer, 1));
  b.when(getLeader(), [&] { b.setFlag(getFlag(tile.part, consumer), token); });
}

int64_t WgmmaKernel::countChunks() const {
  return llvm::divideCeil(tile.columns / 2, getChunk());
}

/// Calls body(first, count) for each run of sums that passes through the ring
/// together, in its order; that of a product with ones, of which a thread has
/// two, comes last.
void WgmmaKernel::forEachChunk(
    llvm::function_ref<void(int64_t first, int64_t count)> body) {
  int64_t sums = tile.columns / 2, chunk = getChunk();
  for (int64_t first = 0; first < sums; first += chunk)
    body(first, std::min(chunk, sums - first));
  if (sumsByOnes())
    body(sums, 2);
}

/// The producer's part: waits for the sums of each other block and has them
/// copied to the ring, chunk by chunk so that the consumers have few to hold.
WgmmaKernel::Position WgmmaKernel::loadPartials(const Tile &tile,
                                                Position position) {
  Value count = b.select(tile.isOwner, tile.numPartials, b.number(0));
  Value firstPart = b.sub(tile.part, tile.numPartials);
  b.loop(b.number(0), count, b.number(1), {}, [&](Value number, ValueRange) {
    Value part = b.add(firstPart, number);
    for (int64_t i = 0; i < numConsumers; ++i) {
      Value flag = getFlag(part, b.number(i));
      b.spinUntil(flag, token);
      b.clearFlag(flag);
    }
    return SmallVector<Value>();
  });
  b.fenceForAsyncGlobal();
  forEachChunk([&](int64_t first, int64_t size) {
    SmallVector<Value> last = b.loop(
        b.number(0), count, b.number(1), {position.slot, position.parity},
        [&](Value number, ValueRange carried) {
          Position current = {carried[0], carried[1]};
          Value base = getPartialAddress(b.add(firstPart, number));
          Value source = LLVM::GEPOp::create(
              b, base.getType(), b.getI8Type(), base,
              ArrayRef<LLVM::GEPArg>{int32_t(getChunkBytes(first))});
          b.wait(emptyBarrier(current.slot), current.parity);
          Value barrier = fullBarrier(current.slot);
          b.arriveAndExpect(barrier, getChunkBytes(size));
          b.loadBytes(source, getChunkBytes(size), stageAddress(current.slot),
                      barrier);
          current = next(current);
          return SmallVector<Value>{current.slot, current.parity};
        });
    position = {last[0], last[1]};
  });
  return position;
}

/// The consumers' part: adds the sums of each other block.
std::pair<WgmmaKernel::Sums, WgmmaKernel::Position>
WgmmaKernel::addPartials(const Tile &tile, Sums sums, Position position) {
  SmallVector<Value> product = unpack(sums.product), lhs;
  if (sums.lhs)
    lhs = unpack(sums.lhs);
  int64_t numSums = product.size();
  forEachChunk([&](int64_t first, int64_t size) {
    bool isLhs = first == numSums;
    SmallVector<Value> carried = {position.slot, position.parity};
    if (isLhs)
      carried.append({lhs[0], lhs[2]});
    else
      llvm::append_range(carried, ArrayRef(product).slice(first, size));
    SmallVector<Value> last =
        b.loop(b.number(0), tile.numPartials, b.number(1), carried,
               [&](Value, ValueRange values) { return addChunk(values); });
    position = {last[0], last[1]};
    if (isLhs) {
      lhs[0] = last[2];
      lhs[2] = last[3];
    } else {
      llvm::copy(ArrayRef(last).drop_front(2), product.begin() + first);
    }
  });
  return {{pack(product), sums.lhs ? pack(lhs) : Value()}, position};
}

/// Adds the next stage of the ring; `values` are the position and the sums.
SmallVector<Value> WgmmaKernel::addChunk(ValueRange values) {
  Position current = {values[0], values[1]};
  SmallVector<Value> sums(values.drop_front(2));
  int64_t size = sums.size(), width = std::min(kVector, size);
  b.wait(fullBarrier(current.slot), current.parity);
  Value start = b.add(stageAddress(current.slot),
                      b.add(b.mul(consumer, getChunkBytes(size) / numConsumers),
                            b.mul(thread, width * kSumBytes)));
  auto type = VectorType::get(width, b.getF32Type());
  for (int64_t i = 0; i < size; i += width) {
    Value place = b.add(start, i * kWarpgroup * kSumBytes);
    Value vector = LLVM::LoadOp::create(b, type, b.sharedPointer(place),
                                        width * kSumBytes);
    for (int64_t j = 0; j < width; ++j)
      sums[i + j] = arith::AddFOp::create(
          b, sums[i + j],
          LLVM::ExtractElementOp::create(b, vector, b.number(j)));
  }
  releaseRead(current.slot);
  current = next(current);
  SmallVector<Value> results = {current.slot, current.parity};
  results.append(sums);
  return results;
}
