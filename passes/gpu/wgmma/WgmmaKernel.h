// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The sm_90a kernel of a segmented contraction, and its launch.
//
// Blocks are persistent: each walks over tiles of the result. Warpgroup 0 feeds
// a ring of stages in shared memory by the copy engine (TMA); the others, one
// to three, multiply 64 rows each by all columns of the tile, with
// accumulators in registers. Results leave through staging boxes in shared
// memory, again by the copy engine, straight to where the contraction wants
// them: where they can, beside the products of the next tile
// (OverlappedEpilogue.cpp). An addend of the result's shape comes to the same
// boxes, or through the ring behind the last step of k.
//
//   producer   for each tile: for each step of k: wait empty, load, -> full
//   consumer   for each tile: for each step of k: wait full, multiply, -> empty
//                             add, round, stage, store
//
// Arrays are cut in boxes of 64 rows of 128 bytes. What lies outside of an
// array is read as zero and not written, so edges need no code.

#ifndef BOOSTR_PASSES_GPU_WGMMA_WGMMAKERNEL_H
#define BOOSTR_PASSES_GPU_WGMMA_WGMMAKERNEL_H

#include "boostr/passes/gpu/wgmma/KernelParameters.h"
#include "boostr/passes/gpu/wgmma/WgmmaTile.h"
#include <array>

namespace mlir::boostr::wgmma {

/// Emits code of the host that asks how many multiprocessors the device has.
Value countMultiprocessors(ImplicitLocOpBuilder &host, Operation *op);

class WgmmaKernel {
public:
  /// Adds an empty kernel to the module of `op`. The launch leaves the address
  /// of what it allocates at `workspace` (see Workspaces), which is needed
  /// where blocks may exchange sums. They share tiles where that is shorter,
  /// and `mayShare`, a value of the host, is null or true.
  WgmmaKernel(ImplicitLocOpBuilder &host, SegmentedContractionOpInterface op,
              const SegmentedContraction &contraction, const WgmmaShape &shape,
              const WgmmaTile &tile, Value workspace, Value mayShare);

  /// Emits the kernel and, with the builder given, its launch.
  void emit();

private:
  using Extents = SmallVector<OpFoldResult, 5>;
  /// By dimension of the contraction; null where it does not matter.
  using Coordinates = SmallVector<Value, 5>;

  /// How an axis is cut in units of 64 indices, each a part of a box.
  struct Walk {
    OpFoldResult innerBox, outerBox;
    /// Units before the next `outerBox` of the outer dimension.
    OpFoldResult perOuter;
    OpFoldResult count;
  };
  /// The same in the kernel.
  struct DeviceWalk {
    Value innerBox, outerBox, perOuter;
  };
  /// Something of which each segment has one, in the kernel.
  using PerSegment = SmallVector<Value, 3>;

  struct Term {
    PerSegment lhs, rhs;
    /// Steps of k in this term, and in those before.
    Value numSteps, firstStep;
    DeviceWalk k;
  };
  /// A tile of the result. The number along the segmented axis counts from the
  /// segment's first tile.
  struct Tile {
    Value m, n;
    /// The row of tiles, counted through all segments.
    Value row;
    /// `isInFirst[i]`: whether the segment is one of the first i + 1.
    SmallVector<Value, 2> isInFirst;
    /// If blocks share the tile: the steps of k to do; the number of the piece
    /// among those of all tiles (for the owner that behind its last); how many
    /// pieces the owner has to add; and whether this block is the owner, which
    /// stores the result.
    Value firstStep, endStep, part, numPartials, isOwner;

    bool isShared() const { return static_cast<bool>(isOwner); }
  };
  /// A box of columns: the segment that it is in, as of a tile, and where it is
  /// in it.
  struct Columns {
    SmallVector<Value, 2> isInFirst;
    SmallVector<Value, 2> place;
  };
  /// A box of columns of rhs: its map, where it is, and the column within the
  /// tile.
  struct RhsBox {
    Value map;
    SmallVector<Value, 2> place;
    int64_t column;
  };
  /// A place in the ring and the parity of its turn.
  struct Position {
    Value slot, parity;
  };
  /// How the ring lies in shared memory: how far the units of rows of lhs in a
  /// stage are apart, where rhs lies in it, and stages.
  struct Ring {
    Value unitBytes, rhsOffset, stageBytes, numStages;
  };
  /// A box in shared memory, `offset` bytes behind `base`: what is constant is
  /// a part of instructions and takes no register.
  struct SharedBox {
    Value base;
    int64_t offset;
  };
  /// Accumulators, and those of the sum of lhs; null if there is none.
  struct Sums {
    Value product, lhs;
  };
  /// A thread of those that sum lhs: the consumer whose rows it sums, its lane,
  /// and what it reads (LhsSums.cpp).
  struct Summer {
    Value consumer, lane, piece, group;
  };
  /// Those of two neighbouring rows, which a lane has in the end.
  using LaneSums = std::array<Value, 2>;

  /// What passes from tile to tile where the epilogue overlaps: results that
  /// are still to be stored.
  struct Pending {
    /// Boxes; 0 if there are none.
    Value numBoxes;
    Tile tile;
    /// Rounded elements, two in each register; those of a box that is stored
    /// are free for the next tile's addend.
    Value bits;
    /// Of the barriers of addends.
    Value parity;

    SmallVector<Value> pack() const;
    static Pending unpack(ValueRange values);
  };
  /// Maps carried values on.
  using StepFunction =
      llvm::function_ref<SmallVector<Value>(Value step, ValueRange carried)>;

  // WgmmaKernel.cpp
  /// Registers of a thread that loads and of one that multiplies: together as
  /// many as all threads begin with, 168 each.
  struct Registers {
    int32_t producer, consumer;
  };
  Registers divideRegisters();
  /// Two warpgroups have as many as there are anyway.
  bool dividesRegisters() const { return numConsumers > kFlatConsumers; }
  void initShared();
  void launch(OpFoldResult tiles, OpFoldResult steps);

  // CollectParameters.cpp
  void collectParameters();
  Walk getWalk(const Axis &axis, ArrayRef<OpFoldResult> extents);
  Walk getRowWalk(ArrayRef<OpFoldResult> extents);
  DeviceWalk addWalk(const Walk &walk);
  OpFoldResult countColumns(ArrayRef<OpFoldResult> segmentExtents);
  OpFoldResult countColumnTiles(ArrayRef<OpFoldResult> segmentExtents);
  TensorView getView(Value array, const std::optional<HeadRows> &rows,
                     AffineMap map, ArrayRef<OpFoldResult> extents);
  Extents getBox(std::initializer_list<std::pair<const Axis *, Walk>> walks);
  Ring createRing(OpFoldResult tiles);
  void collectTerm(unsigned number);
  void collectResults();

  // Tiles.cpp
  OpFoldResult getLastRowsReciprocal(OpFoldResult rowTiles);
  SmallVector<Value> forEachTile(
      ValueRange carried,
      llvm::function_ref<SmallVector<Value>(const Tile &, ValueRange)> body);
  Value getWholeTilesEnd() {
    return canShareTiles() ? numWholeTiles : numTiles;
  }
  Tile decodeTile(Value number);
  void findSegment(Value &index, SmallVectorImpl<Value> &isInFirst);
  Value select(ArrayRef<Value> isInFirst, const PerSegment &values);
  Value select(const Tile &tile, const PerSegment &values) {
    return select(tile.isInFirst, values);
  }
  Value fullBarrier(Value slot);
  Value emptyBarrier(Value slot);
  Value stageAddress(Value slot);
  Position next(const Position &position);
  Value previous(Value slot);
  Coordinates noCoordinates();
  void setUnit(Coordinates &coordinates, const Axis &axis,
               const DeviceWalk &walk, Value unit);
  SmallVector<Value> getPlace(const Axis &axis, const DeviceWalk &walk,
                              Value unit);
  SmallVector<Value> getNextPlace(const Axis &axis, const DeviceWalk &walk,
                                  ValueRange place);
  void setPlace(Coordinates &coordinates, const Axis &axis, ValueRange place);
  Columns locateColumns(const Tile &tile, const ColumnBox &box);
  SmallVector<Value> getMapCoordinates(ArrayRef<unsigned> dims,
                                       const Coordinates &coordinates);

  // Producer.cpp
  void emitProducer();
  Position loadTile(const Tile &tile, Position position);
  std::pair<Value, Value> getRange(const Tile &tile, const Term &term);
  void forEachLoadedUnit(
      const Tile &tile,
      llvm::function_ref<void(int64_t consumer, Value unit)> body);
  Value countLoadedRows(const Tile &tile);
  bool prefetchesAddend() const {
    return shape.readsAddend && !shape.n.outer && !tile.isNarrow &&
           !overlapsEpilogue();
  }
  void prefetchAddend(const Tile &tile, Value step);
  void forEachAddendBox(const Tile &tile,
                        llvm::function_ref<void(int64_t consumer, size_t number,
                                                ValueRange coordinates)>
                            body);
  Position loadTerm(const Tile &tile, const Term &term, Position position);
  void loadStep(const Tile &tile, const Term &term,
                ArrayRef<SmallVector<Value>> rowPlaces,
                ArrayRef<RhsBox> columns, ValueRange stepPlace, Value slot);
  SmallVector<RhsBox> locateRhs(const Tile &tile, const Term &term);
  bool loadsAddends(const Tile &tile) const;
  int64_t countAddendStages() const;
  Position loadAddends(const Tile &tile, Position position);
  Position loadOwnedAddends(const Tile &tile, Position position);

  // LhsSums.cpp
  OpFoldResult countLhsParts(OpFoldResult columnTiles);
  void emitLhsSums();
  Position sumTile(const Summer &summer, const Tile &tile, Position position);
  SmallVector<Value> sumStep(const Summer &summer, Value slot, ValueRange sums);
  void releaseSummed(const Summer &summer, Value slot);
  Position skipStages(const Summer &summer, const Tile &tile,
                      Position position);
  LaneSums exchangeSums(const Summer &summer, ArrayRef<Value> sums);
  Value getSummedRow(const Summer &summer);
  void finishLhsSums(const Summer &summer, const Tile &tile, LaneSums sums);
  Value getLhsSumAddress(const Summer &summer, Value place);
  Value getLhsSumFlag(const Summer &summer, Value place);
  void finishRow(const Summer &summer, const Tile &tile, LaneSums sums);
  void leaveLhsSums(const Summer &summer, Value place, LaneSums sums);
  void sendLhsSums(const Summer &summer, Value place, LaneSums sums);
  LaneSums receiveLhsSums(const Summer &summer, const Tile &tile,
                          LaneSums sums);
  LaneSums addLhsSums(const Summer &summer, Value firstPlace, Value count,
                      LaneSums sums);
  void storeLhsSums(const Summer &summer, const Tile &tile, LaneSums sums);
  void storeLhsSum(Value base, Value index, Value sum);

  // Consumer.cpp
  void emitConsumer();
  Position multiplyTile(const Tile &tile, Position position);
  std::pair<Sums, Position> multiplySteps(Value count, Position position,
                                          bool sumsLhs);
  std::pair<Sums, Position> multiplySteps(Value count, Position position,
                                          bool sumsLhs,
                                          SmallVectorImpl<Value> &carried,
                                          StepFunction besideStep);
  Position finishTile(const Tile &tile, Sums sums, Position position,
                      Value biasBits);
  Sums multiplyStep(Value slot, Sums sums,
                    llvm::function_ref<void()> onPreviousDone);
  Value multiply(Value lhs, Value rhs, Value sums, int64_t columns,
                 bool rhsAlongK);
  Value getDescriptor(Value address, bool alongK);
  Value createZeros(int64_t count);
  Value getLeader();
  void release(Value slot);
  void releaseRead(Value slot);

  // OverlappedEpilogue.cpp
  int64_t getKnownSteps() const;
  bool overlapsEpilogue() const;
  Pending createNothingPending();
  Position multiplyWholeTiles(Position position);
  std::pair<Pending, Position> multiplyBesideEpilogue(const Tile &tile,
                                                      Value isLast,
                                                      const Pending &before,
                                                      Position position);
  int64_t countTurns() const;
  int64_t getTurnStep(int64_t turn) const;
  int64_t getLastTurnEnd() const;
  SmallVector<Value> takeTurns(const Tile &tile, const Pending &before,
                               Value bits,
                               llvm::function_ref<Value(Value step)> isDue);
  Value addendBarrier(int64_t box);
  void requestAddend(const Tile &tile, const ColumnBox &box, int64_t number);
  void receiveAddend(const ColumnBox &box, int64_t number, Value parity,
                     MutableArrayRef<Value> bits);
  Value roundTile(Value product, Value addend);
  void storeAtOnce(const Tile &tile, Value bits);
  void storeRounded(const Tile &tile, int64_t number, ArrayRef<Value> bits);

  // SharedTiles.cpp
  int64_t getPartialBytes() const;
  std::pair<Value, Value> divideTiles(Value numTiles, Value numSteps,
                                      Value processors);
  void createWorkspace(Value numTiles, Value pieces);
  SmallVector<Value>
  forEachUnit(ValueRange carried,
              llvm::function_ref<SmallVector<Value>(Value, ValueRange)> body);
  Tile decodeUnit(Value unit);
  int64_t getChunk() const;
  int64_t getChunkBytes(int64_t count) const;
  int64_t countChunks() const;
  Value getPartialAddress(Value part);
  Value getFlag(Value part, Value ofConsumer);
  void sendPartial(const Tile &tile, const Sums &sums);
  Position loadPartials(const Tile &tile, Position position);
  void
  forEachChunk(llvm::function_ref<void(int64_t first, int64_t count)> body);
  SmallVector<Value> addChunk(ValueRange values);
  std::pair<Sums, Position> addPartials(const Tile &tile, Sums sums,
                                        Position position);
  bool canShareTiles() const { return tile.split > 1; }

  // Epilogue.cpp
  Value loadBias(const Tile &tile);
  void stageBias(Value bits);
  Value getBiasAddress();
  SmallVector<Value> unpack(Value packed);
  Value pack(ArrayRef<Value> values);
  Position storeTile(const Tile &tile, Value sums, Position position);
  void storeProductWithOnes(const Tile &tile, Value sums);
  void storeBox(const Tile &tile, const ColumnBox &box, unsigned number,
                llvm::function_ref<void(const SharedBox &place)> stage);
  void roundBox(const ColumnBox &box, ArrayRef<Value> sums,
                MutableArrayRef<Value> bits);
  void stageNarrow(const ColumnBox &box, const SharedBox &target,
                   ArrayRef<Value> bits);
  void stageWide(const ColumnBox &box, const SharedBox &target,
                 MutableArrayRef<Value> sums);
  void addBias(const ColumnBox &box, MutableArrayRef<Value> sums);
  Position addFromRing(ArrayRef<ColumnBox> boxes, Position position,
                       MutableArrayRef<Value> sums);
  void readBox(const ColumnBox &box, const SharedBox &source,
               MutableArrayRef<Value> bits);
  void addBox(const ColumnBox &box, ArrayRef<Value> bits,
              MutableArrayRef<Value> sums);
  int64_t countBoxes() const;
  SharedBox getStaging(unsigned number);
  std::pair<Value, SmallVector<Value>>
  locateBox(const Tile &tile, const ColumnBox &box, const PerSegment &maps);
  Value getFragment(const SharedBox &box, int64_t group);
  bool hasBias() const { return !bias.empty(); }
  /// Which of two ways there is to sum lhs, if it is summed.
  bool sumsByOnes() const { return !lhsSums.empty() && tile.isNarrow; }
  bool sumsByWarps() const { return !lhsSums.empty() && !tile.isNarrow; }
  bool hasWideResult() const { return resultType != shape.elementType; }

  ImplicitLocOpBuilder &host;
  DeviceBuilder b;
  SegmentedContractionOpInterface op;
  const SegmentedContraction &contraction;
  const WgmmaShape &shape;
  const WgmmaTile tile;
  const int64_t numConsumers;
  const Value workspace, mayShare;
  LLVM::LLVMFuncOp kernel;
  KernelParameters parameters;

  // Host.
  SmallVector<Extents, 3> extents;
  Walk mWalk;
  OpFoldResult hostSteps;

  // Kernel: parameters.
  SmallVector<Term, 3> terms;
  DeviceWalk m;
  /// Of a narrow tile: the units of rows, and the rows of each.
  Value numUnits, unitRows;
  Ring ring;
  Value numTiles, numRowTiles, numColumnTiles, numSteps;
  /// To divide by how many rows of tiles the last group has.
  Value lastRowsReciprocal;
  /// If blocks share tiles: the tiles that none share; the pieces of each other
  /// one and steps in each; the blocks that compute these; how many tiles are
  /// shared (1 if none) and where the pieces end; what flags are marked with;
  /// and the workspace.
  Value numWholeTiles, piecesPerTile, pieceSteps, numHelpers;
  Value numLeft, helpersEnd, token, flags, partials;
  /// Of sums of lhs: how many tiles of a row of tiles do a part, the pieces of
  /// all tiles, and where sums are left.
  Value numLhsParts, numPieces, lhsPartials;
  /// Tiles along the segmented axis before the end of each segment but the
  /// last; columns if a tile may span segments.
  SmallVector<Value, 2> segmentEnds;
  PerSegment results, addends, bias, numColumns;
  /// Where sums of lhs go; along m, how many outer indices there are in each
  /// segment (if m has two dimensions), and how many inner ones.
  PerSegment lhsSums, outerRows;
  Value innerRows;
  SmallVector<unsigned> lhsDims, rhsDims, resultDims;
  Type resultType, lhsSumType;
  bool lhsSumAccumulates = false;

  // Kernel: values that everyone uses.
  Registers registers;
  Value shared, thread, consumer;
};

} // namespace mlir::boostr::wgmma

#endif // BOOSTR_PASSES_GPU_WGMMA_WGMMAKERNEL_H
