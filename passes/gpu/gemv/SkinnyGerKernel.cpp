// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "boostr/passes/gpu/gemv/SkinnyGerKernel.h"
#include "boostr/passes/cpu/IndexMath.h"
#include "boostr/passes/gpu/KeepRolled.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace mlir::boostr;
using namespace mlir::boostr::cpu;
using namespace mlir::boostr::gemv;

static constexpr const mma::Instruction &kShape = SkinnyGerTile::kInstruction;

SkinnyGerKernel::SkinnyGerKernel(ImplicitLocOpBuilder &b,
                                 SegmentedContractionOpInterface op,
                                 const SegmentedContraction &contraction,
                                 const SkinnyGerTile &tile)
    : FewStepsKernel(b, op, contraction, tile, tile.threads(), b.getF32Type()),
      tile(tile) {}

Value SkinnyGerKernel::getColumnPlace() {
  Value group = quotient(remainder(thread, kWarp), 4);
  return plus(times(quotient(thread, kWarp), SkinnyGerTile::kWarpColumns),
              times(group, tile.chunk));
}

/// By the two columns of the instruction that a thread has sums of, then by
/// instructions.
SmallVector<Value> SkinnyGerKernel::getRowPlaces() {
  Value first = times(remainder(thread, 4), 2 * tile.threadRows());
  SmallVector<Value> places;
  for (int64_t row = 0; row < 2 * tile.threadRows(); ++row)
    places.push_back(plus(first, row));
  return places;
}

/// By rows, then by pairs of columns.
SmallVector<Value> SkinnyGerKernel::createZeros() {
  Value zeros = arith::ConstantOp::create(
      b, b.getZeroAttr(mma::getSumsType(kShape, sumType)));
  return SmallVector<Value>(tile.threadRows() * tile.chunk / 2, zeros);
}

SmallVector<Value> SkinnyGerKernel::arrangeSums(ArrayRef<Value> sums) {
  int64_t pairs = tile.chunk / 2;
  SmallVector<Value> results;
  for (int64_t number : {0, 1})
    for (int64_t row = 0; row < tile.threadRows(); ++row) {
      SmallVector<Value> elements;
      for (Value pair : sums.slice(row * pairs, pairs))
        for (int64_t column : {0, 1})
          elements.push_back(
              vector::ExtractOp::create(b, pair, 2 * column + number));
      results.push_back(vector::FromElementsOp::create(
          b, VectorType::get({tile.chunk}, sumType), elements));
    }
  return results;
}

/// Of each of this thread's steps the pieces of rows, then that of columns;
/// zeros of those that are not there.
SmallVector<Value> SkinnyGerKernel::loadSteps(const TermArrays &term,
                                              Value first, Value numSteps,
                                              ArrayRef<Value> rowOffsets,
                                              Value columnOffset) {
  Type elementType = term.lhs.getElementType();
  SmallVector<Type> types(rowOffsets.size(),
                          VectorType::get({tile.lhsChunk}, elementType));
  types.push_back(VectorType::get({tile.chunk}, elementType));
  SmallVector<Value> indices = splitStep(term.extents, first), loaded;
  for (int64_t number = 0; number < SkinnyGerTile::kThreadSteps; ++number) {
    auto branch =
        scf::IfOp::create(b, types, isLess(plus(first, number), numSteps),
                          /*withElseRegion=*/true);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(branch.thenBlock());
    SmallVector<Value> pieces, zeros;
    Value stepOffset = getStepOffset(term.lhs, indices);
    for (Value rowOffset : rowOffsets)
      pieces.push_back(
          loadChunk(term.lhs, tile.lhsChunk, rowOffset, stepOffset));
    pieces.push_back(loadChunk(term.rhs, tile.chunk, columnOffset,
                               getStepOffset(term.rhs, indices)));
    scf::YieldOp::create(b, pieces);
    b.setInsertionPointToStart(branch.elseBlock());
    for (Type type : types)
      zeros.push_back(arith::ConstantOp::create(b, b.getZeroAttr(type)));
    scf::YieldOp::create(b, zeros);
    b.setInsertionPointAfter(branch);
    llvm::append_range(loaded, branch.getResults());
    indices = getNextIndices(term, indices);
  }
  return loaded;
}

SmallVector<Value> SkinnyGerKernel::multiply(ArrayRef<Value> steps,
                                             ValueRange sums) {
  size_t perStep = steps.size() / SkinnyGerTile::kThreadSteps;
  Type elementType = getElementTypeOrSelf(steps.front());
  // Pieces of two steps, element by element: pairs as the instruction has them.
  auto interleave = [&](size_t piece, int64_t step) -> Value {
    return vector::InterleaveOp::create(b, steps[step * perStep + piece],
                                        steps[(step + 1) * perStep + piece]);
  };
  Value upper = interleave(perStep - 1, 0), lower = interleave(perStep - 1, 2);
  SmallVector<Value> results(sums);
  auto sum = results.begin();
  for (size_t piece = 0; piece + 1 < perStep; ++piece) {
    Value first = interleave(piece, 0), second = interleave(piece, 2);
    for (int64_t row = 0; row < tile.lhsChunk; ++row)
      for (int64_t column = 0; column < tile.chunk; column += 2, ++sum)
        *sum = mma::emitProduct(
            b, kShape, elementType,
            {mma::getPair(b, upper, column), mma::getPair(b, upper, column + 1),
             mma::getPair(b, lower, column),
             mma::getPair(b, lower, column + 1)},
            {mma::getPair(b, first, row), mma::getPair(b, second, row)}, *sum);
  }
  return results;
}

SmallVector<Value> SkinnyGerKernel::accumulateTerm(const TermArrays &term,
                                                   ArrayRef<Value> sums) {
  Value group = quotient(remainder(thread, kWarp), 4);
  Value firstRow = times(group, tile.threadRows());
  SmallVector<Value> rowOffsets;
  for (int64_t row = 0; row < tile.threadRows(); row += tile.lhsChunk)
    rowOffsets.push_back(getRowOffset(term, plus(firstRow, row)));
  Value columnOffset = getColumnOffset(term);
  Value mine = times(remainder(thread, 4), SkinnyGerTile::kThreadSteps);
  Value numSteps = DimGroup{contraction.k, term.extents}.getSize(b);
  // All threads take each turn: tensor cores need them.
  auto loop = scf::ForOp::create(b, constant(b, 0), numSteps,
                                 constant(b, kShape.steps), sums);
  keepRolled(loop);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  SmallVector<Value> steps = loadSteps(term, plus(loop.getInductionVar(), mine),
                                       numSteps, rowOffsets, columnOffset);
  scf::YieldOp::create(b, multiply(steps, loop.getRegionIterArgs()));
  return SmallVector<Value>(loop.getResults());
}
