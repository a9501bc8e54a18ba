// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "boostr/passes/gpu/gemv/SkinnyKernel.h"
#include "boostr/passes/cpu/IndexMath.h"
#include "boostr/passes/gpu/KeepRolled.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
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
    : FewRowsKernel(b, op, contraction, tile, SkinnyTile::kChunk,
                    tile.stepsPerTurn(), b.getF32Type(), hasOneRowBlock),
      tile(tile) {}

SmallVector<Value> SkinnyKernel::createZeros() {
  Value zeros = arith::ConstantOp::create(
      b, b.getZeroAttr(mma::getSumsType(kShape, sumType)));
  return SmallVector<Value>(
      tile.columns / kShape.rows * tile.rows / kShape.columns, zeros);
}

/// A thread's 8 steps are the pairs of two instructions.
void SkinnyKernel::multiply(ArrayRef<Value> lhs, ArrayRef<Value> rhs,
                            SmallVector<Value> &sums) {
  Type elementType = getElementTypeOrSelf(lhs.front());
  auto getPair = [&](Value chunk, int64_t number) {
    return mma::getPair(b, chunk, number);
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
  auto loadStages = [&](const Lines &lines, bool isLhs) {
    SmallVector<SmallVector<Value>> stages;
    for (int64_t number = 0; number < tile.stages; ++number)
      stages.push_back(
          load(lines, plus(step, number * SkinnyTile::kSteps), isLhs));
    keepLoadsBefore(b);
    return stages;
  };
  SmallVector<SmallVector<Value>> columns = loadStages(rhs, /*isLhs=*/false);
  SmallVector<SmallVector<Value>> rows = loadStages(lhs, /*isLhs=*/true);
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
    SmallVector<Value> chunks = load(lhs, step, /*isLhs=*/true);
    chunks.append(load(rhs, step, /*isLhs=*/false));
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
  Value group = quotient(lane, 4);
  auto getPlaces = [&](int64_t count) {
    return llvm::map_to_vector(
        llvm::seq(count / 8),
        [&](int64_t number) -> Value { return plus(group, number * 8); });
  };
  Lines lhs = getLines(term, /*isLhs=*/true, getPlaces(tile.rows));
  Lines rhs = getLines(term, /*isLhs=*/false, getPlaces(tile.columns));
  Value numSteps = DimGroup{contraction.k, term.extents}.getSize(b);
  int64_t perTurn = tile.stepsPerTurn();
  Value whole = toValue(b, sub(b, numSteps, remainder(numSteps, perTurn)));
  Value inStage = times(remainder(lane, 4), SkinnyTile::kChunk);

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

/// Columns of the result are rows of the instruction.
void SkinnyKernel::stageSums(ArrayRef<Value> sums) {
  Value group = quotient(lane, 4), row = times(remainder(lane, 4), 2);
  auto sum = sums.begin();
  for (int64_t j = 0; j < tile.columns; j += kShape.rows)
    for (int64_t i = 0; i < tile.rows; i += kShape.columns, ++sum)
      for (int64_t number = 0; number < 4; ++number)
        memref::StoreOp::create(b, vector::ExtractOp::create(b, *sum, number),
                                shared,
                                ValueRange{warp, plus(row, i + number % 2),
                                           plus(group, j + number / 2 * 8)});
}
