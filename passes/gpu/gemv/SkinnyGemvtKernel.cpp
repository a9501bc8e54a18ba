// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "boostr/passes/gpu/gemv/SkinnyGemvtKernel.h"
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

static constexpr const mma::Instruction &kShape = SkinnyGemvtTile::kInstruction;
static constexpr int64_t kThreadSteps = SkinnyGemvtTile::kThreadSteps;

SkinnyGemvtKernel::SkinnyGemvtKernel(ImplicitLocOpBuilder &b,
                                     SegmentedContractionOpInterface op,
                                     const SegmentedContraction &contraction,
                                     const SkinnyGemvtTile &tile,
                                     bool hasOneRowBlock)
    : FewRowsKernel(b, op, contraction, tile, tile.chunk(), tile.stepsPerTurn(),
                    b.getF32Type(), hasOneRowBlock),
      tile(tile) {}

/// By pairs of columns, then by rows of lhs.
SmallVector<Value> SkinnyGemvtKernel::createZeros() {
  Value zeros = arith::ConstantOp::create(
      b, b.getZeroAttr(mma::getSumsType(kShape, sumType)));
  return SmallVector<Value>(tile.chunk() / 2 * tile.rows / kShape.columns,
                            zeros);
}

SmallVector<Value> SkinnyGemvtKernel::loadLhs(const Lines &lhs, Value step) {
  return loadChunks(lhs, step, kThreadSteps, /*isStreamed=*/false);
}

SmallVector<Value> SkinnyGemvtKernel::loadRhs(const Lines &rhs, Value step) {
  SmallVector<Value> chunks;
  for (int64_t number = 0; number < kThreadSteps; ++number)
    chunks.append(load(rhs, plus(step, number), /*isLhs=*/false));
  return chunks;
}

void SkinnyGemvtKernel::multiply(ArrayRef<Value> lhs, ArrayRef<Value> rhs,
                                 SmallVector<Value> &sums) {
  Type elementType = getElementTypeOrSelf(lhs.front());
  auto getPair = [&](Value elements, int64_t number) {
    return mma::getPair(b, elements, number);
  };
  // Of each column, the elements of two steps beside each other.
  Value upper = vector::InterleaveOp::create(b, rhs[0], rhs[1]);
  Value lower = vector::InterleaveOp::create(b, rhs[2], rhs[3]);
  auto sum = sums.begin();
  for (int64_t column = 0; column < tile.chunk(); column += 2)
    for (Value row : lhs) {
      *sum =
          mma::emitProduct(b, kShape, elementType,
                           {getPair(upper, column), getPair(upper, column + 1),
                            getPair(lower, column), getPair(lower, column + 1)},
                           {getPair(row, 0), getPair(row, 1)}, *sum);
      ++sum;
    }
}

/// All stages from `step` on. All of rhs is asked for before lhs, which is in
/// the L2 cache.
SmallVector<Value> SkinnyGemvtKernel::multiplyTurn(const Lines &lhs,
                                                   const Lines &rhs, Value step,
                                                   ValueRange sums) {
  SmallVector<SmallVector<Value>> columns, rows;
  for (int64_t stage = 0; stage < tile.stages; ++stage)
    columns.push_back(loadRhs(rhs, plus(step, stage * kShape.steps)));
  keepLoadsBefore(b);
  for (int64_t stage = 0; stage < tile.stages; ++stage)
    rows.push_back(loadLhs(lhs, plus(step, stage * kShape.steps)));
  keepLoadsBefore(b);
  SmallVector<Value> results(sums);
  for (auto [row, column] : llvm::zip_equal(rows, columns))
    multiply(row, column, results);
  return results;
}

/// One stage, of which some threads have nothing: zeros.
SmallVector<Value> SkinnyGemvtKernel::multiplyRest(const Lines &lhs,
                                                   const Lines &rhs, Value step,
                                                   Value numSteps,
                                                   ValueRange sums) {
  Type elementType = lhs.array.getElementType();
  size_t numRows = lhs.offsets.size();
  SmallVector<Type> types(numRows,
                          VectorType::get({kThreadSteps}, elementType));
  types.append(kThreadSteps, VectorType::get({tile.chunk()}, elementType));
  auto branch = scf::IfOp::create(b, types, isLess(step, numSteps),
                                  /*withElseRegion=*/true);
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(branch.thenBlock());
    SmallVector<Value> chunks = loadLhs(lhs, step);
    chunks.append(loadRhs(rhs, step));
    scf::YieldOp::create(b, chunks);
    b.setInsertionPointToStart(branch.elseBlock());
    scf::YieldOp::create(b, llvm::map_to_vector(types, [&](Type type) -> Value {
                           return arith::ConstantOp::create(
                               b, b.getZeroAttr(type));
                         }));
  }
  auto chunks = llvm::to_vector_of<Value>(branch.getResults());
  SmallVector<Value> results(sums);
  multiply(ArrayRef(chunks).take_front(numRows),
           ArrayRef(chunks).drop_front(numRows), results);
  return results;
}

SmallVector<Value> SkinnyGemvtKernel::accumulateTerm(const TermArrays &term,
                                                     ArrayRef<Value> sums) {
  Value group = quotient(lane, 4);
  SmallVector<Value> places;
  for (int64_t place = 0; place < tile.rows; place += kShape.columns)
    places.push_back(plus(group, place));
  Lines lhs = getLines(term, /*isLhs=*/true, places);
  Lines rhs =
      getLines(term, /*isLhs=*/false, times(group, tile.chunk()), tile.chunk());
  Value numSteps = DimGroup{contraction.k, term.extents}.getSize(b);
  int64_t perTurn = tile.stepsPerTurn();
  Value whole = toValue(b, sub(b, numSteps, remainder(numSteps, perTurn)));
  Value inStage = times(remainder(lane, 4), kThreadSteps);

  // A warp's stages follow each other.
  Value mine = plus(times(warp, tile.stages * kShape.steps), inStage);
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
  Value first = plus(whole, times(warp, kShape.steps));
  auto restLoop = scf::ForOp::create(b, first, numSteps,
                                     constant(b, tile.warps * kShape.steps),
                                     loop.getResults());
  keepRolled(restLoop);
  b.setInsertionPointToStart(restLoop.getBody());
  scf::YieldOp::create(
      b, multiplyRest(lhs, rhs, plus(restLoop.getInductionVar(), inStage),
                      numSteps, restLoop.getRegionIterArgs()));
  return SmallVector<Value>(restLoop.getResults());
}

void SkinnyGemvtKernel::stageSums(ArrayRef<Value> sums) {
  Value column = times(quotient(lane, 4), tile.chunk());
  Value row = times(remainder(lane, 4), 2);
  auto sum = sums.begin();
  for (int64_t j = 0; j < tile.chunk(); j += 2)
    for (int64_t i = 0; i < tile.rows; i += kShape.columns, ++sum)
      for (int64_t number = 0; number < 4; ++number)
        memref::StoreOp::create(b, vector::ExtractOp::create(b, *sum, number),
                                shared,
                                ValueRange{warp, plus(row, i + number % 2),
                                           plus(column, j + number / 2)});
}
