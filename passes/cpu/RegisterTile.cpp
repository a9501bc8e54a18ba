// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "boostr/passes/cpu/RegisterTile.h"
#include "boostr/dialect/BoostrDialect.h"
#include "boostr/passes/cpu/IndexMath.h"
#include "mlir/Dialect/AMX/AMXDialect.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Dialect/X86Vector/X86VectorDialect.h"

using namespace mlir;
using namespace mlir::boostr;
using namespace mlir::boostr::cpu;

using Carried = SmallVector<Value>;
using AtChunk = llvm::function_ref<void(ImplicitLocOpBuilder &, Value, Value)>;

/// `base + offset`, where the offset is known.
static Value plus(ImplicitLocOpBuilder &b, Value base, int64_t offset) {
  return toValue(b, add(b, base, b.getIndexAttr(offset)));
}

static Value times(ImplicitLocOpBuilder &b, Value x, int64_t y) {
  return toValue(b, mul(b, x, b.getIndexAttr(y)));
}

/// `for i in [0, count)` by `step`, which hands sums from turn to turn.
static Carried
carry(ImplicitLocOpBuilder &b, Value count, int64_t step, ValueRange sums,
      llvm::function_ref<Carried(ImplicitLocOpBuilder &, Value, ValueRange)>
          body) {
  auto loop = scf::ForOp::create(
      b, constant(b, 0), count, constant(b, step), sums,
      [&](OpBuilder &nested, Location loc, Value i, ValueRange carried) {
        ImplicitLocOpBuilder inner(loc, nested);
        scf::YieldOp::create(inner, body(inner, i, carried));
      });
  return loop.getResults();
}

/// Asks for `elements` of what will be read next.
static void prefetch(ImplicitLocOpBuilder &b, Value memory, Value offset,
                     int64_t elements) {
  int64_t line = getLineElements(getElementTypeOrSelf(memory));
  for (int64_t i = 0; i < elements; i += line)
    memref::PrefetchOp::create(b, memory, ValueRange{plus(b, offset, i)},
                               /*isWrite=*/false, /*localityHint=*/3,
                               /*isDataCache=*/true);
}

/// Asks for the part of the next tile of sums, which follows in memory, that
/// falls to `chunk`.
static void prefetchNextSums(ImplicitLocOpBuilder &b, const RegisterTile &tile,
                             Value chunk) {
  int64_t size = tile.rowFormat.width * tile.columnFormat.width;
  int64_t share =
      llvm::divideCeil(size, tile.rowFormat.steps / tile.rowFormat.chunk());
  Value offset =
      toValue(b, add(b, plus(b, tile.firstSum, size), times(b, chunk, share)));
  prefetch(b, tile.sums, offset, share);
}

//===----------------------------------------------------------------------===//
// Vectors
//===----------------------------------------------------------------------===//

namespace {

/// The tile in vectors of `lanes` columns. A lane of packed columns holds one
/// step of k, or the pair of them that is multiplied at once.
class VectorTile {
public:
  explicit VectorTile(const RegisterTile &tile)
      : tile(tile), numRows(tile.rowFormat.width),
        lanes(tile.columnFormat.lanes), vectorsPerRow(tile.numColumns / lanes),
        stepsPerLane(tile.columnFormat.stepsPerLane),
        sumsType(VectorType::get({lanes}, getElementTypeOrSelf(tile.sums))),
        factorsType(VectorType::get({lanes * stepsPerLane},
                                    tile.columnFormat.elementType)) {}

  Carried makeZero(ImplicitLocOpBuilder &b) const;
  Carried load(ImplicitLocOpBuilder &b) const;
  void store(ImplicitLocOpBuilder &b, ValueRange sums) const;
  Carried multiplyChunk(ImplicitLocOpBuilder &b, Value chunk,
                        ValueRange sums) const;

private:
  Carried multiplyStep(ImplicitLocOpBuilder &b, Value row, Value column,
                       ValueRange sums) const;
  Value broadcast(ImplicitLocOpBuilder &b, Value row) const;
  Value multiply(ImplicitLocOpBuilder &b, Value row, Value columns,
                 Value sums) const;
  Value sumOffset(ImplicitLocOpBuilder &b, int64_t number) const {
    int64_t row = number / vectorsPerRow, vector = number % vectorsPerRow;
    return plus(b, tile.firstSum,
                row * tile.columnFormat.width + vector * lanes);
  }

  /// How far ahead columns are asked for.
  static constexpr int64_t kStepsAhead = 8;
  const RegisterTile &tile;
  int64_t numRows, lanes, vectorsPerRow, stepsPerLane;
  VectorType sumsType, factorsType;
};

} // namespace

Carried VectorTile::makeZero(ImplicitLocOpBuilder &b) const {
  Value zero = arith::ConstantOp::create(b, b.getZeroAttr(sumsType));
  return Carried(numRows * vectorsPerRow, zero);
}

Carried VectorTile::load(ImplicitLocOpBuilder &b) const {
  Carried sums;
  for (int64_t i = 0; i < numRows * vectorsPerRow; ++i)
    sums.push_back(vector::LoadOp::create(b, sumsType, tile.sums,
                                          ValueRange{sumOffset(b, i)}));
  return sums;
}

void VectorTile::store(ImplicitLocOpBuilder &b, ValueRange sums) const {
  for (auto [i, sum] : llvm::enumerate(sums))
    vector::StoreOp::create(b, sum, tile.sums, ValueRange{sumOffset(b, i)});
}

/// What a row has for a step, the element or pair at `row`, in every lane.
Value VectorTile::broadcast(ImplicitLocOpBuilder &b, Value row) const {
  if (stepsPerLane == 1)
    return vector::BroadcastOp::create(
        b, factorsType, memref::LoadOp::create(b, tile.rows, row));
  Type word = b.getI32Type();
  Value pair = vector::LoadOp::create(
      b, VectorType::get({stepsPerLane}, factorsType.getElementType()),
      tile.rows, ValueRange{row});
  Value bits = vector::BitCastOp::create(b, VectorType::get({1}, word), pair);
  Value all =
      vector::BroadcastOp::create(b, VectorType::get({lanes}, word), bits);
  return vector::BitCastOp::create(b, factorsType, all);
}

Value VectorTile::multiply(ImplicitLocOpBuilder &b, Value row, Value columns,
                           Value sums) const {
  if (stepsPerLane == 1)
    return vector::FMAOp::create(b, row, columns, sums);
  return x86vector::DotBF16Op::create(b, sumsType, sums, row, columns);
}

/// One step of k, or a pair, whose elements begin at `row` and `column`: every
/// row's times every vector of columns.
Carried VectorTile::multiplyStep(ImplicitLocOpBuilder &b, Value row,
                                 Value column, ValueRange sums) const {
  SmallVector<Value> columns;
  for (int64_t j = 0; j < vectorsPerRow; ++j)
    columns.push_back(vector::LoadOp::create(
        b, factorsType, tile.columns,
        ValueRange{plus(b, column, j * lanes * stepsPerLane)}));
  int64_t width = tile.columnFormat.width * stepsPerLane;
  prefetch(b, tile.columns, plus(b, column, kStepsAhead * width),
           tile.numColumns * stepsPerLane);
  Carried next;
  for (int64_t i = 0; i < numRows; ++i) {
    Value inAllLanes = broadcast(b, plus(b, row, i * tile.rowFormat.chunk()));
    for (Value vector : columns)
      next.push_back(multiply(b, inAllLanes, vector, sums[next.size()]));
  }
  return next;
}

/// The steps of a chunk, some at a time so that the loop costs little.
Carried VectorTile::multiplyChunk(ImplicitLocOpBuilder &b, Value chunk,
                                  ValueRange sums) const {
  // Few enough that LLVM keeps the loop: unrolled as a whole, it would load all
  // elements first and spill them. As many products in a narrow tile would
  // be no faster.
  int64_t unrolled = std::max<int64_t>(
      lanes / 4 * tile.numColumns / tile.columnFormat.width, 1);
  Value row = toValue(
      b, add(b, tile.firstRow, times(b, chunk, tile.rowFormat.chunkStride())));
  Value column =
      toValue(b, add(b, tile.firstColumn,
                     times(b, chunk, tile.columnFormat.chunkStride())));
  return carry(b, constant(b, lanes), unrolled, sums,
               [&](ImplicitLocOpBuilder &body, Value step, ValueRange carried) {
                 int64_t width = tile.columnFormat.width * stepsPerLane;
                 Value stepRow = toValue(
                     body, add(body, row, times(body, step, stepsPerLane)));
                 Value stepColumn =
                     toValue(body, add(body, column, times(body, step, width)));
                 Carried next(carried);
                 for (int64_t i = 0; i < unrolled; ++i)
                   next =
                       multiplyStep(body, plus(body, stepRow, i * stepsPerLane),
                                    plus(body, stepColumn, i * width), next);
                 return next;
               });
}

//===----------------------------------------------------------------------===//
// AMX
//===----------------------------------------------------------------------===//

namespace {

/// The tile in AMX tiles of 16 x 16 sums. A tile of rows is 16 of them by a
/// chunk of steps, one of columns is as many pairs of steps by 16 columns. Sums
/// of a tile lie in one piece: lines of two of them by turns take longer.
class AmxTile {
public:
  explicit AmxTile(const RegisterTile &tile)
      : tile(tile), tileRows(tile.rowFormat.width / kEdge),
        tileColumns(tile.numColumns / kEdge) {}

  Carried makeZero(ImplicitLocOpBuilder &b) const;
  Carried load(ImplicitLocOpBuilder &b) const;
  /// Stores the sums, and loads those of the tile that follows in memory, or
  /// begins them with zeros. The next load stands right behind a store, which
  /// waits for its last product: behind all of them it would wait as well.
  Carried exchange(ImplicitLocOpBuilder &b, ValueRange sums,
                   bool beginsWithZero) const;
  /// `between` emits what else is done with each chunk.
  Carried multiplyChunk(ImplicitLocOpBuilder &b, Value chunk, ValueRange sums,
                        llvm::function_ref<void()> between) const;

  static constexpr int64_t kEdge = 16;

private:
  Value sumOffset(ImplicitLocOpBuilder &b, int64_t number) const {
    int64_t row = number / tileColumns, column = number % tileColumns;
    return plus(b, tile.firstSum,
                (column * tile.rowFormat.width + row * kEdge) * kEdge);
  }
  amx::TileLoadOp loadTile(ImplicitLocOpBuilder &b, Value memory, Value offset,
                           int64_t stride, int64_t columns) const;
  Value loadColumns(ImplicitLocOpBuilder &b, Value offset) const;

  const RegisterTile &tile;
  int64_t tileRows, tileColumns;
};

} // namespace

amx::TileLoadOp AmxTile::loadTile(ImplicitLocOpBuilder &b, Value memory,
                                  Value offset, int64_t stride,
                                  int64_t columns) const {
  auto type =
      amx::TileType::get({kEdge, columns}, getElementTypeOrSelf(memory));
  return amx::TileLoadOp::create(b, type, memory, ValueRange{offset},
                                 constant(b, stride));
}

/// 16 columns of a chunk of steps.
Value AmxTile::loadColumns(ImplicitLocOpBuilder &b, Value offset) const {
  const PanelFormat &format = tile.columnFormat;
  amx::TileLoadOp load =
      loadTile(b, tile.columns, offset, format.width * format.stepsPerLane,
               format.chunk());
  if (tile.streamsColumns)
    load->setAttr(BoostrDialect::getStreamedAttrName(), b.getUnitAttr());
  return load;
}

Carried AmxTile::makeZero(ImplicitLocOpBuilder &b) const {
  auto type =
      amx::TileType::get({kEdge, kEdge}, getElementTypeOrSelf(tile.sums));
  Carried sums;
  for (int64_t i = 0; i < tileRows * tileColumns; ++i)
    sums.push_back(amx::TileZeroOp::create(b, type));
  return sums;
}

Carried AmxTile::load(ImplicitLocOpBuilder &b) const {
  Carried sums;
  for (int64_t i = 0; i < tileRows * tileColumns; ++i)
    sums.push_back(loadTile(b, tile.sums, sumOffset(b, i), kEdge, kEdge));
  return sums;
}

Carried AmxTile::exchange(ImplicitLocOpBuilder &b, ValueRange sums,
                          bool beginsWithZero) const {
  int64_t size = tile.rowFormat.width * tile.columnFormat.width;
  Carried next;
  for (auto [i, sum] : llvm::enumerate(sums)) {
    Value offset = sumOffset(b, i);
    amx::TileStoreOp::create(b, tile.sums, ValueRange{offset}, sum,
                             constant(b, kEdge));
    next.push_back(
        beginsWithZero
            ? amx::TileZeroOp::create(b, sum.getType()).getResult()
            : loadTile(b, tile.sums, plus(b, offset, size), kEdge, kEdge));
  }
  return next;
}

/// What is asked for ahead stands behind the first product: it would hold up
/// the loads before, unless few columns wait for it rather than for these.
Carried AmxTile::multiplyChunk(ImplicitLocOpBuilder &b, Value chunk,
                               ValueRange sums,
                               llvm::function_ref<void()> between) const {
  int64_t steps = tile.rowFormat.chunk();
  Value row = toValue(
      b, add(b, tile.firstRow, times(b, chunk, tile.rowFormat.chunkStride())));
  Value column =
      toValue(b, add(b, tile.firstColumn,
                     times(b, chunk, tile.columnFormat.chunkStride())));
  bool isNarrow = tile.numColumns < tile.columnFormat.width;
  if (isNarrow)
    between();
  SmallVector<Value> columns;
  for (int64_t j = 0; j < tileColumns; ++j)
    columns.push_back(loadColumns(
        b, plus(b, column, j * kEdge * tile.columnFormat.stepsPerLane)));
  Carried next;
  for (int64_t i = 0; i < tileRows; ++i) {
    Value rows =
        loadTile(b, tile.rows, plus(b, row, i * kEdge * steps), steps, steps);
    for (Value vector : columns) {
      Value sum = sums[next.size()];
      next.push_back(
          amx::TileMulFOp::create(b, sum.getType(), rows, vector, sum));
      if (next.size() == 1 && !isNarrow)
        between();
    }
  }
  return next;
}

//===----------------------------------------------------------------------===//
// Either
//===----------------------------------------------------------------------===//

/// `isZero` decides which of two ways the sums come.
static Carried
choose(ImplicitLocOpBuilder &b, Value isZero,
       llvm::function_ref<Carried(ImplicitLocOpBuilder &, bool)> getSums) {
  auto emit = [&](bool zero) {
    return [&getSums, zero](OpBuilder &nested, Location loc) {
      ImplicitLocOpBuilder inner(loc, nested);
      scf::YieldOp::create(inner, getSums(inner, zero));
    };
  };
  auto branch = scf::IfOp::create(b, isZero, emit(true), emit(false));
  return branch.getResults();
}

template <typename Tile>
static Carried begin(ImplicitLocOpBuilder &b, const Tile &tile, Value isZero) {
  return choose(b, isZero, [&](ImplicitLocOpBuilder &inner, bool zero) {
    return zero ? tile.makeZero(inner) : tile.load(inner);
  });
}

/// Tile `column` of the row of tiles that begins with `first`.
static RegisterTile getColumn(ImplicitLocOpBuilder &b,
                              const RegisterTile &first, Value column) {
  RegisterTile tile = first;
  int64_t sums = first.rowFormat.width * first.columnFormat.width;
  tile.firstColumn = first.columnFormat.getPanel(b, first.firstColumn, column);
  tile.firstSum = toValue(b, add(b, first.firstSum, times(b, column, sums)));
  return tile;
}

/// Each tile by itself: vectors of sums leave no registers for what follows a
/// tile.
static void multiplyVectors(ImplicitLocOpBuilder &b, const RegisterTile &first,
                            Value numColumns, AtChunk atChunk) {
  forLoop(b, numColumns, [&](Value column) {
    RegisterTile registerTile = getColumn(b, first, column);
    VectorTile tile(registerTile);
    tile.store(
        b, carry(b, registerTile.numChunks, 1,
                 begin(b, tile, registerTile.isFirst),
                 [&](ImplicitLocOpBuilder &body, Value chunk, ValueRange sums) {
                   prefetchNextSums(body, registerTile, chunk);
                   atChunk(body, column, chunk);
                   return tile.multiplyChunk(body, chunk, sums);
                 }));
  });
}

/// Tiles hand on the registers of sums.
static void multiplyAmx(ImplicitLocOpBuilder &b, const RegisterTile &first,
                        Value numColumns, AtChunk atChunk) {
  auto loop = scf::ForOp::create(b, constant(b, 0), numColumns, constant(b, 1),
                                 begin(b, AmxTile(first), first.isFirst));
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  Value column = loop.getInductionVar();
  RegisterTile registerTile = getColumn(b, first, column);
  AmxTile tile(registerTile);
  Carried sums =
      carry(b, registerTile.numChunks, 1, loop.getRegionIterArgs(),
            [&](ImplicitLocOpBuilder &body, Value chunk, ValueRange carried) {
              return tile.multiplyChunk(body, chunk, carried,
                                        [&] { atChunk(body, column, chunk); });
            });
  // Nothing follows the last tile.
  Value isLast = arith::CmpIOp::create(b, arith::CmpIPredicate::eq,
                                       plus(b, column, 1), numColumns);
  Value isZero = arith::OrIOp::create(b, isLast, registerTile.isFirst);
  Carried next = choose(b, isZero, [&](ImplicitLocOpBuilder &inner, bool zero) {
    return tile.exchange(inner, sums, zero);
  });
  scf::YieldOp::create(b, next);
}

static void multiply(ImplicitLocOpBuilder &b, CpuKernel kernel,
                     const RegisterTile &first, Value numColumns,
                     AtChunk atChunk) {
  switch (kernel) {
  case CpuKernel::Fma:
  case CpuKernel::Dot:
    return multiplyVectors(b, first, numColumns, atChunk);
  case CpuKernel::Amx:
    return multiplyAmx(b, first, numColumns, atChunk);
  }
}

int64_t mlir::boostr::cpu::getSumGroup(CpuKernel kernel,
                                       const PanelFormat &columnFormat) {
  return kernel == CpuKernel::Amx ? AmxTile::kEdge : columnFormat.width;
}

int64_t mlir::boostr::cpu::getNarrowWidth(const PanelFormat &columnFormat) {
  int64_t vectors = columnFormat.width / columnFormat.lanes;
  return llvm::divideCeil(vectors, 2) * columnFormat.lanes;
}

void mlir::boostr::cpu::multiplyTiles(ImplicitLocOpBuilder &b, CpuKernel kernel,
                                      const RegisterTile &first,
                                      Value numColumns, AtChunk atChunk) {
  if (!first.isLastNarrow)
    return multiply(b, kernel, first, numColumns, atChunk);
  Value numNarrow =
      arith::IndexCastUIOp::create(b, b.getIndexType(), first.isLastNarrow);
  Value numWhole = arith::SubIOp::create(b, numColumns, numNarrow);
  multiply(b, kernel, first, numWhole, atChunk);
  ifElse(b, first.isLastNarrow, [&] {
    RegisterTile narrow = getColumn(b, first, numWhole);
    narrow.numColumns = getNarrowWidth(first.columnFormat);
    multiply(b, kernel, narrow, constant(b, 1),
             [&](ImplicitLocOpBuilder &body, Value, Value chunk) {
               atChunk(body, numWhole, chunk);
             });
  });
}
