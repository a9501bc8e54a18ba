// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "boostr/passes/gpu/gemv/SkinnyKernel.h"
#include "boostr/passes/cpu/IndexMath.h"
#include "boostr/passes/gpu/KeepRolled.h"
#include "boostr/passes/gpu/gemv/GemvKernel.h"
#include "boostr/passes/gpu/gemv/StreamedLoad.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace mlir::boostr;
using namespace mlir::boostr::cpu;
using namespace mlir::boostr::gemv;

static constexpr const mma::Instruction &kShape = SkinnyTile::kInstruction;

SkinnyKernel::SkinnyKernel(ImplicitLocOpBuilder &b,
                           SegmentedContractionOpInterface op,
                           const SegmentedContraction &contraction,
                           const SkinnyTile &tile, bool hasOneRowBlock)
    : BlockKernel(b, op, contraction, b.getF32Type()), tile(tile),
      streamsRhs(hasStreamedLoads(op)), hasOneRowBlock(hasOneRowBlock),
      lhsPlan(planOperand(/*isLhs=*/true, tile.rows, tile.stepsPerTurn(),
                          tile.threads())
                  .plan),
      rhsPlan(planOperand(/*isLhs=*/false, tile.columns, tile.stepsPerTurn(),
                          tile.threads())
                  .plan) {}

//===----------------------------------------------------------------------===//
// The frame
//===----------------------------------------------------------------------===//

void SkinnyKernel::emit() {
  int64_t sharedBytes = llvm::product_of(tile.sharedShape()) * 4;
  Frame frame{tile.rows,   tile.columns, tile.threads(),
              /*group=*/1, sharedBytes,  hasOneRowBlock};
  emitLaunch(frame, [&](const SegmentArrays &segment) { emitBlock(segment); });
}

void SkinnyKernel::emitBlock(const SegmentArrays &segment) {
  warp = quotient(thread, kWarp);
  Value lane = remainder(thread, kWarp);
  group = quotient(lane, 4);
  inGroup = remainder(lane, 4);
  shared = viewShared(createSharedBytes(), 0, tile.sharedShape(), sumType);
  Value zeros = arith::ConstantOp::create(
      b, b.getZeroAttr(mma::getSumsType(kShape, sumType)));
  SmallVector<Value> sums(
      tile.columns / kShape.rows * tile.rows / kShape.columns, zeros);
  sums = accumulateTerms(segment, sums,
                         [&](const TermArrays &term, ArrayRef<Value> carried) {
                           return accumulateTerm(term, carried);
                         });
  // While other warps still multiply.
  Epilogue epilogue = startEpilogue(*segment.product, /*isLhsSum=*/false,
                                    /*lanes=*/{2, 1});
  SmallVector<Item> items = startItems(epilogue, segment.terms.front().extents);
  stageSums(sums);
  ::mlir::gpu::BarrierOp::create(b);
  for (const Item &item : items)
    ifElse(b, item.isThere, [&] { store(epilogue, item); });
}

//===----------------------------------------------------------------------===//
// Sums
//===----------------------------------------------------------------------===//

/// This thread's of `count` rows or columns from `first` on. Those that do not
/// exist are the last one once more: nobody stores what comes of them.
SkinnyKernel::Lines SkinnyKernel::getLines(const LoadPlan &plan,
                                           const StridedArray &array,
                                           ArrayRef<unsigned> dims,
                                           const Extents &extents, Value first,
                                           Value end, int64_t count) {
  Lines lines = {array, plan, extents, {}};
  Value last = toValue(b, sub(b, end, b.getIndexAttr(1)));
  for (int64_t i = 0; i < count; i += 8) {
    Value index = arith::MinUIOp::create(b, plus(first, plus(group, i)), last);
    lines.offsets.push_back(
        offsetOf(array, dims, extents, index, plan.isFlatInRows));
  }
  return lines;
}

/// 8 steps from `step` on of each line.
void SkinnyKernel::load(const Lines &lines, Value step, bool isStreamed,
                        SmallVector<Value> &chunks) {
  auto type =
      VectorType::get({SkinnyTile::kChunk}, lines.array.getElementType());
  Value stepOffset = offsetOf(lines.array, contraction.k, lines.extents, step,
                              lines.plan.isFlatInSteps);
  for (Value lineOffset : lines.offsets) {
    Value offset = plus(lineOffset, stepOffset);
    chunks.push_back(isStreamed
                         ? loadStreamed(b, lines.array, type, offset)
                         : vector::LoadOp::create(
                               b, type, lines.array.flat, ValueRange{offset},
                               /*nontemporal=*/false, llvm::MaybeAlign(16))
                               .getResult());
  }
}

/// A thread's 8 steps are the pairs of two instructions.
void SkinnyKernel::multiply(ArrayRef<Value> lhs, ArrayRef<Value> rhs,
                            SmallVector<Value> &sums) {
  Type elementType = getElementTypeOrSelf(lhs.front());
  auto bits = VectorType::get({SkinnyTile::kChunk / 2}, b.getI32Type());
  auto getPair = [&](Value chunk, int64_t number) -> Value {
    Value pair = vector::ExtractOp::create(
        b, vector::BitCastOp::create(b, bits, chunk), number);
    if (elementType.isBF16())
      return pair;
    return LLVM::BitcastOp::create(b, VectorType::get({2}, elementType), pair);
  };
  for (int64_t pair = 0; pair < SkinnyTile::kChunk / 2; pair += 2) {
    auto sum = sums.begin();
    for (size_t column = 0; column < rhs.size(); column += 2)
      for (Value row : lhs) {
        Value upper = rhs[column], lower = rhs[column + 1];
        *sum = mma::emitProduct(
            b, kShape, elementType,
            {getPair(upper, pair), getPair(lower, pair),
             getPair(upper, pair + 1), getPair(lower, pair + 1)},
            {getPair(row, pair), getPair(row, pair + 1)}, *sum);
        ++sum;
      }
  }
}

/// All stages from `step` on. All of rhs is asked for before lhs, which is in
/// the L2 cache. (A product crosses barriers: ptxas moves some before the last
/// loads of lhs.)
SmallVector<Value> SkinnyKernel::multiplyTurn(const Lines &lhs,
                                              const Lines &rhs, Value step,
                                              ValueRange sums) {
  auto loadStages = [&](const Lines &lines, bool isStreamed) {
    SmallVector<SmallVector<Value>> stages(tile.stages);
    for (auto [number, chunks] : llvm::enumerate(stages))
      load(lines, plus(step, number * SkinnyTile::kSteps), isStreamed, chunks);
    keepLoadsBefore(b);
    return stages;
  };
  SmallVector<SmallVector<Value>> columns = loadStages(rhs, streamsRhs);
  SmallVector<SmallVector<Value>> rows = loadStages(lhs, /*isStreamed=*/false);
  SmallVector<Value> results(sums);
  for (auto [row, column] : llvm::zip_equal(rows, columns))
    multiply(row, column, results);
  return results;
}

/// One stage, of which some threads have nothing: zeros.
SmallVector<Value> SkinnyKernel::multiplyRest(const Lines &lhs,
                                              const Lines &rhs, Value step,
                                              Value numSteps, ValueRange sums) {
  auto type = VectorType::get({SkinnyTile::kChunk}, lhs.array.getElementType());
  size_t numRows = lhs.offsets.size();
  SmallVector<Type> types(numRows + rhs.offsets.size(), type);
  auto branch = scf::IfOp::create(b, types, isLess(step, numSteps),
                                  /*withElseRegion=*/true);
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(branch.thenBlock());
    SmallVector<Value> chunks;
    load(lhs, step, /*isStreamed=*/false, chunks);
    load(rhs, step, streamsRhs, chunks);
    scf::YieldOp::create(b, chunks);
    b.setInsertionPointToStart(branch.elseBlock());
    Value zeros = arith::ConstantOp::create(b, b.getZeroAttr(type));
    scf::YieldOp::create(b, SmallVector<Value>(types.size(), zeros));
  }
  auto chunks = llvm::to_vector_of<Value>(branch.getResults());
  SmallVector<Value> results(sums);
  multiply(ArrayRef(chunks).take_front(numRows),
           ArrayRef(chunks).drop_front(numRows), results);
  return results;
}

SmallVector<Value> SkinnyKernel::accumulateTerm(const TermArrays &term,
                                                ArrayRef<Value> sums) {
  const Extents &extents = term.extents;
  Lines lhs = getLines(lhsPlan, term.lhs, contraction.m, extents, rows.start,
                       rows.end, tile.rows);
  Lines rhs = getLines(rhsPlan, term.rhs, contraction.n, extents, columns.start,
                       columns.end, tile.columns);
  Value numSteps = DimGroup{contraction.k, extents}.getSize(b);
  int64_t perTurn = tile.stepsPerTurn();
  Value whole = toValue(b, sub(b, numSteps, remainder(numSteps, perTurn)));
  Value inStage = times(inGroup, SkinnyTile::kChunk);

  // A warp's stages follow each other.
  Value mine = plus(times(warp, tile.stages * SkinnyTile::kSteps), inStage);
  auto loop =
      scf::ForOp::create(b, constant(b, 0), whole, constant(b, perTurn), sums);
  keepRolled(loop);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  scf::YieldOp::create(b, multiplyTurn(lhs, rhs,
                                       plus(loop.getInductionVar(), mine),
                                       loop.getRegionIterArgs()));

  // Whole warps take a turn of the rest: tensor cores need all threads.
  b.setInsertionPointAfter(loop);
  Value first = plus(whole, times(warp, SkinnyTile::kSteps));
  auto restLoop = scf::ForOp::create(
      b, first, numSteps, constant(b, tile.warps * SkinnyTile::kSteps),
      loop.getResults());
  keepRolled(restLoop);
  b.setInsertionPointToStart(restLoop.getBody());
  scf::YieldOp::create(
      b, multiplyRest(lhs, rhs, plus(restLoop.getInductionVar(), inStage),
                      numSteps, restLoop.getRegionIterArgs()));
  return SmallVector<Value>(restLoop.getResults());
}

//===----------------------------------------------------------------------===//
// Results
//===----------------------------------------------------------------------===//

/// Each thread has some columns of every n-th row.
SmallVector<SkinnyKernel::Item>
SkinnyKernel::startItems(Epilogue &epilogue, const Extents &extents) {
  int64_t perRow = tile.columns / epilogue.lanes;
  int64_t rowsAtOnce = tile.threads() / perRow;
  storedColumn = times(remainder(thread, perRow), epilogue.lanes);
  addColumns(epilogue, extents, plus(columns.start, storedColumn));
  SmallVector<Item> items;
  for (int64_t first = 0; first < tile.rows; first += rowsAtOnce) {
    Item &item = items.emplace_back();
    item.row = plus(quotient(thread, perRow), first);
    Value inResult = plus(rows.start, item.row);
    item.isThere =
        both(epilogue.isColumnThere.front(), isLess(inResult, rows.end));
    // The last turn may have more threads than rows.
    if (first + rowsAtOnce > tile.rows)
      item.isThere =
          both(item.isThere, isLess(item.row, constant(b, tile.rows)));
    item.offsets = getRowOffsets(epilogue, extents, inResult);
    item.addends = loadAddends(epilogue, item);
  }
  return items;
}

SmallVector<Value> SkinnyKernel::loadAddends(const Epilogue &epilogue,
                                             const Item &item) {
  if (epilogue.addends.empty())
    return {};
  auto type = VectorType::get({epilogue.lanes}, sumType);
  SmallVector<Type> types(epilogue.addends.size(), type);
  auto branch =
      scf::IfOp::create(b, types, item.isThere, /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(branch.thenBlock());
  scf::YieldOp::create(b, BlockKernel::loadAddends(epilogue, item.offsets,
                                                   /*group=*/0, type));
  b.setInsertionPointToStart(branch.elseBlock());
  Value zeros = arith::ConstantOp::create(b, b.getZeroAttr(type));
  scf::YieldOp::create(b, SmallVector<Value>(types.size(), zeros));
  return llvm::to_vector_of<Value>(branch.getResults());
}

/// Columns of the result are rows of the instruction.
void SkinnyKernel::stageSums(ArrayRef<Value> sums) {
  Value row = times(inGroup, 2);
  auto sum = sums.begin();
  for (int64_t j = 0; j < tile.columns; j += kShape.rows)
    for (int64_t i = 0; i < tile.rows; i += kShape.columns, ++sum)
      for (int64_t number = 0; number < 4; ++number)
        memref::StoreOp::create(b, vector::ExtractOp::create(b, *sum, number),
                                shared,
                                ValueRange{warp, plus(row, i + number % 2),
                                           plus(group, j + number / 2 * 8)});
}

/// Sums of all warps are added in their order.
void SkinnyKernel::store(const Epilogue &epilogue, const Item &item) {
  auto type = VectorType::get({epilogue.lanes}, sumType);
  Value sum;
  for (int64_t warp = 0; warp < tile.warps; ++warp) {
    Value part = vector::LoadOp::create(
        b, type, shared, ValueRange{constant(b, warp), item.row, storedColumn},
        /*nontemporal=*/false, llvm::MaybeAlign(epilogue.lanes * 4));
    sum = sum ? arith::AddFOp::create(b, sum, part).getResult() : part;
  }
  for (Value addend : item.addends)
    sum = arith::AddFOp::create(b, sum, addend);
  storeSums(epilogue, item.offsets, /*group=*/0, sum);
}
