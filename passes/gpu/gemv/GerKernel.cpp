// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "boostr/passes/gpu/gemv/GerKernel.h"
#include "boostr/passes/cpu/IndexMath.h"
#include "boostr/passes/gpu/KeepRolled.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace mlir::boostr;
using namespace mlir::boostr::cpu;
using namespace mlir::boostr::gemv;

GerKernel::GerKernel(ImplicitLocOpBuilder &b,
                     SegmentedContractionOpInterface op,
                     const SegmentedContraction &contraction,
                     const GerTile &tile)
    : FewStepsKernel(b, op, contraction, tile, tile.threads(), tile.sumType),
      tile(tile) {}

Value GerKernel::getColumnPlace() { return times(thread, tile.chunk); }

SmallVector<Value> GerKernel::getRowPlaces() {
  SmallVector<Value> places;
  for (int64_t row = 0; row < tile.rows; ++row)
    places.push_back(constant(b, row));
  return places;
}

SmallVector<Value> GerKernel::createZeros() {
  Value zeros = arith::ConstantOp::create(
      b, b.getZeroAttr(VectorType::get({tile.chunk}, sumType)));
  return SmallVector<Value>(tile.rows, zeros);
}

SmallVector<Value> GerKernel::arrangeSums(ArrayRef<Value> sums) {
  return SmallVector<Value>(sums);
}

GerKernel::Step GerKernel::load(const Operands &operands, ValueRange indices) {
  const TermArrays &term = operands.term;
  Step step;
  step.rhs = loadChunk(term.rhs, tile.chunk, operands.columnOffset,
                       getStepOffset(term.rhs, indices));
  Value stepOffset = getStepOffset(term.lhs, indices);
  for (Value rowOffset : operands.rowOffsets)
    step.lhs.push_back(
        loadChunk(term.lhs, tile.lhsChunk, rowOffset, stepOffset));
  return step;
}

void GerKernel::multiply(const Step &step, MutableArrayRef<Value> sums) {
  auto type = VectorType::get({tile.chunk}, sumType);
  Value right = convertFloat(b, step.rhs, sumType);
  for (auto [row, sum] : llvm::enumerate(sums)) {
    Value element = vector::ExtractOp::create(b, step.lhs[row / tile.lhsChunk],
                                              row % tile.lhsChunk);
    Value left =
        vector::BroadcastOp::create(b, type, convertFloat(b, element, sumType));
    sum = vector::FMAOp::create(b, left, right, sum);
  }
}

/// `carried` are the sums, then the indices of the first step.
SmallVector<Value> GerKernel::multiplySteps(const Operands &operands,
                                            int64_t count, ValueRange carried) {
  SmallVector<Value> indices(carried.drop_front(tile.rows));
  SmallVector<Step> steps;
  for (int64_t number = 0; number < count; ++number) {
    steps.push_back(load(operands, indices));
    indices = getNextIndices(operands.term, indices);
  }
  SmallVector<Value> results(carried.take_front(tile.rows));
  for (const Step &step : steps)
    multiply(step, results);
  results.append(indices);
  return results;
}

SmallVector<Value> GerKernel::accumulateTerm(const TermArrays &term,
                                             ArrayRef<Value> sums) {
  Operands operands{term, {}, getColumnOffset(term)};
  for (int64_t place = 0; place < tile.rows; place += tile.lhsChunk)
    operands.rowOffsets.push_back(getRowOffset(term, constant(b, place)));
  Value numSteps = DimGroup{contraction.k, term.extents}.getSize(b);
  Value whole = toValue(b, sub(b, numSteps, remainder(numSteps, tile.steps)));
  auto addSteps = [&](Value begin, Value end, int64_t count,
                      ValueRange carried) -> SmallVector<Value> {
    auto loop = scf::ForOp::create(b, begin, end, constant(b, count), carried);
    keepRolled(loop);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(loop.getBody());
    scf::YieldOp::create(
        b, multiplySteps(operands, count, loop.getRegionIterArgs()));
    return SmallVector<Value>(loop.getResults());
  };
  SmallVector<Value> carried(sums);
  carried.append(contraction.k.size(), constant(b, 0));
  carried = addSteps(constant(b, 0), whole, tile.steps, carried);
  if (tile.steps > 1)
    carried = addSteps(whole, numSteps, 1, carried);
  carried.truncate(tile.rows);
  return carried;
}
