// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "boostr/passes/gpu/gemv/GemvKernel.h"
#include "boostr/passes/cpu/IndexMath.h"
#include "boostr/passes/gpu/ArrayLayout.h"
#include "boostr/passes/gpu/gemv/SkinnyTile.h"
#include "boostr/passes/gpu/gemv/StreamedLoad.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace mlir::boostr;
using namespace mlir::boostr::cpu;
using namespace mlir::boostr::gemv;

/// Partial sums of a thread for each element of the result: two, so that its
/// multiply-adds wait less for each other.
static constexpr int64_t kPartialSums = 2;

//===----------------------------------------------------------------------===//
// Tiles
//===----------------------------------------------------------------------===//

void gemv::keepLoadsBefore(ImplicitLocOpBuilder &b) {
  NVVM::SyncWarpOp::create(b,
                           arith::ConstantIntOp::create(b, b.getI32Type(), -1));
}

int64_t gemv::getChunk(const SegmentedContraction &contraction) {
  for (int64_t chunk : {8, 4, 2})
    if (llvm::all_of(contraction.segments, [&](const auto &segment) {
          return llvm::all_of(segment.terms, [&](const auto &term) {
            return isContiguousInChunks(term.lhs, contraction.k, chunk) &&
                   isContiguousInChunks(term.rhs, contraction.k, chunk);
          });
        }))
      return chunk;
  return 1;
}

static Type getOperandType(const SegmentedContraction &contraction) {
  return getElementTypeOrSelf(
      contraction.segments.front().terms.front().lhs.array);
}

std::optional<GemvTile> GemvTile::get(const SegmentedContraction &contraction,
                                      GpuTileAttr attr, StringRef &reason) {
  auto fail = [&](StringRef why) {
    reason = why;
    return std::nullopt;
  };
  const ContractionSegment &segment = contraction.segments.front();
  if (!segment.product || segment.lhsSum)
    return fail("gemv computes products and nothing beside them");
  GemvTile tile;
  tile.rows = attr.getBlock()[0];
  tile.columns = attr.getBlock()[1];
  tile.stages = attr.getStages();
  tile.chunk = getChunk(contraction);
  tile.sumType = getAccumulatorType(getOperandType(contraction));
  if (tile.columns % kWarps != 0)
    return fail("columns of a tile of gemv are a multiple of 4");
  if (tile.rows * tile.warpColumns() > kWarp)
    return fail("a warp of gemv computes at most 32 elements");
  if (attr.getBlock()[2] != tile.warpSteps())
    return fail("steps of a tile of gemv are what a warp reads at once");
  if (tile.stages > 16)
    return fail("gemv has up to 16 stages");
  return tile;
}

int64_t gemv::getMostRows(GpuTargetAttr target,
                          const SegmentedContraction &contraction) {
  return chooseSkinnyTile(target, contraction, 1) ? 16 : 8;
}

GpuTileAttr gemv::chooseTile(MLIRContext *context, GpuTargetAttr target,
                             const SegmentedContraction &contraction,
                             int64_t rows) {
  if (rows > 1)
    if (GpuTileAttr tile = chooseSkinnyTile(target, contraction, rows))
      return tile;
  const ContractionSegment &segment = contraction.segments.front();
  int64_t chunk = getChunk(contraction);
  int64_t bytes = getOperandType(contraction).getIntOrFloatBitWidth() / 8;
  if (!segment.product || segment.lhsSum || chunk * bytes != 16 || rows > 8)
    return {};
  // Enough bytes under way to keep the memory busy, and few enough registers.
  // More columns share what is read of many rows.
  int64_t warpColumns = rows <= 4 ? 2 : 4, stages = rows <= 2 ? 4 : 2;
  return GpuTileAttr::get(context, GpuKernel::Gemv,
                          {rows, warpColumns * kWarps, kWarp * chunk}, stages,
                          /*group=*/1, /*split=*/1, /*narrow=*/0,
                          /*fewRows=*/{});
}

//===----------------------------------------------------------------------===//
// The frame
//===----------------------------------------------------------------------===//

GemvKernel::GemvKernel(ImplicitLocOpBuilder &b,
                       SegmentedContractionOpInterface op,
                       const SegmentedContraction &contraction,
                       const GemvTile &tile, bool hasOneRowBlock)
    : b(b), op(op), contraction(contraction), tile(tile),
      hasOneRowBlock(hasOneRowBlock),
      streamsRhs(hasStreamedLoads(op) &&
                 tile.chunk *
                         getOperandType(contraction).getIntOrFloatBitWidth() ==
                     8 * kStreamedBytes) {}

void GemvKernel::emit() {
  NumberedBlocks blocks(b, op, contraction, tile.rows, tile.columns);
  Value count = toValue(b, blocks.getCount());
  Value one = constant(b, 1);
  auto launch = ::mlir::gpu::LaunchOp::create(
      b, count, one, one, constant(b, kWarps * kWarp), one, one);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(&launch.getBody().front());
  Value thread = launch.getThreadIds().x;
  Value number = launch.getBlockIds().x;
  lane = arith::RemUIOp::create(b, thread, constant(b, kWarp));
  auto selected = blocks.select(b, number);
  const SegmentGrid &grid = selected.second;
  Value local = toValue(b, sub(b, number, grid.first));
  Value rowBlocks = toValue(b, hasOneRowBlock ? OpFoldResult(b.getIndexAttr(1))
                                              : grid.rowBlocks);
  Value warp = arith::DivUIOp::create(b, thread, constant(b, kWarp));
  firstRow = toValue(
      b, mul(b, OpFoldResult(b.createOrFold<arith::RemUIOp>(local, rowBlocks)),
             b.getIndexAttr(tile.rows)));
  Value columnBlock = b.createOrFold<arith::DivUIOp>(local, rowBlocks);
  firstColumn =
      toValue(b, add(b, mul(b, columnBlock, b.getIndexAttr(tile.columns)),
                     mul(b, warp, b.getIndexAttr(tile.warpColumns()))));
  emitBlock(selected.first);
  ::mlir::gpu::TerminatorOp::create(b);
}

void GemvKernel::emitBlock(const SegmentArrays &segment) {
  const Extents &extents = segment.terms.front().extents;
  numRows = DimGroup{contraction.m, extents}.getSize(b);
  numColumns = DimGroup{contraction.n, extents}.getSize(b);
  auto sumType = VectorType::get({kPartialSums}, tile.sumType);
  Value zeros = arith::ConstantOp::create(b, b.getZeroAttr(sumType));
  SmallVector<Value> sums(tile.rows * tile.warpColumns(), zeros);
  for (const TermArrays &term : segment.terms)
    sums = accumulateTerm(term, sums);
  for (Value &sum : sums)
    sum = reduce(sum);
  store(*segment.product, extents, sums);
}

//===----------------------------------------------------------------------===//
// Sums
//===----------------------------------------------------------------------===//

/// `count` rows or columns from `first` on. Those that do not exist are the
/// last one once more: nobody stores what comes of them.
SmallVector<GemvKernel::Line> GemvKernel::getLines(const StridedArray &array,
                                                   ArrayRef<unsigned> dims,
                                                   const Extents &extents,
                                                   Value first, Value end,
                                                   int64_t count) {
  SmallVector<Line> lines;
  Value last = toValue(b, add(b, end, b.getIndexAttr(-1)));
  for (int64_t i = 0; i < count; ++i) {
    Value index = toValue(b, add(b, first, b.getIndexAttr(i)));
    // There is a first row if there is a block.
    if (!matchPattern(index, m_Zero()))
      index = arith::MinUIOp::create(b, index, last);
    lines.push_back(
        {array, cpu::getOffset(b, array, DimGroup{dims, extents}, index)});
  }
  return lines;
}

SmallVector<Value> GemvKernel::load(ArrayRef<Line> lines,
                                    const Extents &extents, Value step,
                                    bool isStreamed) {
  SmallVector<Value> chunks;
  for (const Line &line : lines) {
    auto type = VectorType::get({tile.chunk}, line.array.getElementType());
    OpFoldResult offset = add(
        b, line.offset,
        cpu::getOffset(b, line.array, DimGroup{contraction.k, extents}, step));
    if (isStreamed) {
      chunks.push_back(loadStreamed(b, line.array, type, toValue(b, offset)));
      continue;
    }
    chunks.push_back(vector::LoadOp::create(
        b, type, line.array.flat, ValueRange{toValue(b, offset)},
        /*nontemporal=*/false,
        llvm::MaybeAlign(tile.chunk * type.getElementTypeBitWidth() / 8)));
  }
  return chunks;
}

/// Adds products of one chunk of each row and column.
void GemvKernel::multiply(ValueRange lhs, ValueRange rhs,
                          SmallVector<Value> &sums) {
  auto convert = [&](ValueRange chunks) {
    return llvm::map_to_vector(chunks, [&](Value chunk) {
      return convertFloat(b, chunk, tile.sumType);
    });
  };
  auto sumsType = VectorType::get({kPartialSums}, tile.sumType);
  auto getPart = [&](Value chunk, int64_t part) -> Value {
    Value first = vector::ExtractOp::create(b, chunk, part * kPartialSums);
    // Of single elements the second partial sum stays zero.
    Value second =
        tile.chunk == 1
            ? arith::ConstantOp::create(b, b.getZeroAttr(tile.sumType))
                  .getResult()
            : vector::ExtractOp::create(b, chunk, part * kPartialSums + 1)
                  .getResult();
    return vector::FromElementsOp::create(b, sumsType,
                                          ValueRange{first, second});
  };
  SmallVector<Value> rows = convert(lhs), columns = convert(rhs);
  int64_t parts = llvm::divideCeil(tile.chunk, kPartialSums);
  for (int64_t part = 0; part < parts; ++part) {
    auto sum = sums.begin();
    for (Value row : rows)
      for (Value column : columns) {
        *sum = vector::FMAOp::create(b, getPart(row, part),
                                     getPart(column, part), *sum);
        ++sum;
      }
  }
}

/// `stages` chunks of each row and column, from `step` on. All of rhs is asked
/// for before anything is used.
SmallVector<Value> GemvKernel::multiplySteps(ArrayRef<Line> lhs,
                                             ArrayRef<Line> rhs,
                                             const Extents &extents, Value step,
                                             int64_t stages, ValueRange sums) {
  SmallVector<Value> steps;
  SmallVector<SmallVector<Value>> columns;
  for (int64_t stage = 0; stage < stages; ++stage) {
    steps.push_back(
        toValue(b, add(b, step, b.getIndexAttr(stage * tile.warpSteps()))));
    columns.push_back(load(rhs, extents, steps.back(), streamsRhs));
  }
  // All threads of a warp are here but in a rest, which has one stage.
  if (stages > 1)
    keepLoadsBefore(b);
  SmallVector<Value> results(sums);
  for (auto [stage, step] : llvm::enumerate(steps)) {
    // Of many rows one stage at a time, to save registers.
    if (stage > 0 && tile.rows > 4)
      keepLoadsBefore(b);
    multiply(load(lhs, extents, step, /*isStreamed=*/false), columns[stage],
             results);
  }
  return results;
}

SmallVector<Value> GemvKernel::accumulateTerm(const TermArrays &term,
                                              SmallVector<Value> sums) {
  const Extents &extents = term.extents;
  SmallVector<Line> lhs =
      getLines(term.lhs, contraction.m, extents, firstRow, numRows, tile.rows);
  SmallVector<Line> rhs = getLines(term.rhs, contraction.n, extents,
                                   firstColumn, numColumns, tile.warpColumns());
  Value numSteps = DimGroup{contraction.k, extents}.getSize(b);
  int64_t perTurn = tile.warpSteps() * tile.stages;
  Value rest = b.createOrFold<arith::RemUIOp>(numSteps, constant(b, perTurn));
  Value whole = toValue(b, sub(b, numSteps, rest));
  Value mine = toValue(b, mul(b, lane, b.getIndexAttr(tile.chunk)));

  auto loop =
      scf::ForOp::create(b, constant(b, 0), whole, constant(b, perTurn), sums);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  Value step = toValue(b, add(b, loop.getInductionVar(), mine));
  SmallVector<Value> next = multiplySteps(lhs, rhs, extents, step, tile.stages,
                                          loop.getRegionIterArgs());
  scf::YieldOp::create(b, next);

  // Threads take as many turns of the rest as there is something for them.
  b.setInsertionPointAfter(loop);
  auto restLoop =
      scf::ForOp::create(b, toValue(b, add(b, whole, mine)), numSteps,
                         constant(b, tile.warpSteps()), loop.getResults());
  b.setInsertionPointToStart(restLoop.getBody());
  next = multiplySteps(lhs, rhs, extents, restLoop.getInductionVar(),
                       /*stages=*/1, restLoop.getRegionIterArgs());
  scf::YieldOp::create(b, next);
  return SmallVector<Value>(restLoop.getResults());
}

/// The sum of all threads of the warp, the same in all of them.
Value GemvKernel::reduce(Value sums) {
  Value sum = arith::AddFOp::create(b, vector::ExtractOp::create(b, sums, 0),
                                    vector::ExtractOp::create(b, sums, 1));
  for (int32_t distance = kWarp / 2; distance > 0; distance /= 2) {
    auto shuffle = ::mlir::gpu::ShuffleOp::create(
        b, sum, distance, kWarp, ::mlir::gpu::ShuffleMode::XOR);
    sum = arith::AddFOp::create(b, sum, shuffle.getShuffleResult());
  }
  return sum;
}

//===----------------------------------------------------------------------===//
// Results
//===----------------------------------------------------------------------===//

Value GemvKernel::getOffset(const StridedArray &array, const Extents &extents,
                            Value row, Value column) {
  Value rowOffset =
      cpu::getOffset(b, array, DimGroup{contraction.m, extents}, row);
  Value columnOffset =
      cpu::getOffset(b, array, DimGroup{contraction.n, extents}, column);
  return toValue(b, add(b, rowOffset, columnOffset));
}

/// Thread i stores element i of the warp.
void GemvKernel::store(const OutputArrays &output, const Extents &extents,
                       ArrayRef<Value> sums) {
  Value sum = sums.front();
  for (size_t i = 1; i < sums.size(); ++i) {
    Value isMine = arith::CmpIOp::create(b, arith::CmpIPredicate::eq, lane,
                                         constant(b, i));
    sum = arith::SelectOp::create(b, isMine, sums[i], sum);
  }
  Value columns = constant(b, tile.warpColumns());
  Value row = arith::DivUIOp::create(b, lane, columns);
  Value column = arith::RemUIOp::create(b, lane, columns);
  auto isLess = [&](Value x, Value y) -> Value {
    return arith::CmpIOp::create(b, arith::CmpIPredicate::ult, x, y);
  };
  Value isThere = isLess(lane, constant(b, sums.size()));
  row = toValue(b, add(b, firstRow, row));
  column = toValue(b, add(b, firstColumn, column));
  isThere = arith::AndIOp::create(b, isThere, isLess(row, numRows));
  isThere = arith::AndIOp::create(b, isThere, isLess(column, numColumns));
  ifElse(b, isThere, [&] {
    for (const StridedArray &addend : output.addends) {
      Value element = memref::LoadOp::create(
          b, addend.flat, getOffset(addend, extents, row, column));
      sum =
          arith::AddFOp::create(b, sum, convertFloat(b, element, tile.sumType));
    }
    Value rounded = convertFloat(b, sum, output.result.getElementType());
    memref::StoreOp::create(b, rounded, output.result.flat,
                            getOffset(output.result, extents, row, column));
  });
}
