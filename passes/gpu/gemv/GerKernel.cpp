// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "boostr/passes/gpu/gemv/GerKernel.h"
#include "boostr/passes/contraction/StaticExtents.h"
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
    : BlockKernel(b, op, contraction, tile.sumType), tile(tile),
      lhsPlan(planOperand(/*isLhs=*/true, tile.rows, tile.steps, tile.threads())
                  .plan),
      rhsPlan(
          planOperand(/*isLhs=*/false, tile.columns, tile.steps, tile.threads())
              .plan) {
  hasAllRows = llvm::all_of(
      contraction.segments, [&](const ContractionSegment &segment) {
        int64_t rows = getStaticProduct(segment.terms.front(), contraction.m);
        return !ShapedType::isDynamic(rows) && rows % tile.rows == 0;
      });
}

//===----------------------------------------------------------------------===//
// The frame
//===----------------------------------------------------------------------===//

void GerKernel::emit() {
  Frame frame{tile.rows, tile.columns, tile.threads(), tile.group,
              /*sharedBytes=*/0};
  emitLaunch(frame, [&](const SegmentArrays &segment) { emitBlock(segment); });
}

void GerKernel::emitBlock(const SegmentArrays &segment) {
  column = plus(columns.start, times(thread, tile.chunk));
  ifElse(b, isLess(column, columns.end), [&] {
    auto type = VectorType::get({tile.chunk}, sumType);
    Value zeros = arith::ConstantOp::create(b, b.getZeroAttr(type));
    SmallVector<Value> sums = accumulateTerms(
        segment, SmallVector<Value>(tile.rows, zeros),
        [&](const TermArrays &term, ArrayRef<Value> carried) {
          return accumulateTerm(term, carried);
        },
        /*inShared=*/false);
    storeProducts(*segment.product, segment.terms.front().extents, sums);
  });
  if (segment.lhsSum)
    emitSumsOfLhs(segment);
}

/// Row `place` of the block, the first of `count`, all of which are there or
/// none. Instead of those that are not there it is the last.
Value GerKernel::getRow(int64_t place, int64_t count) {
  Value row = plus(rows.start, place);
  if (hasAllRows)
    return row;
  Value last = toValue(b, sub(b, rows.end, b.getIndexAttr(count)));
  return arith::MinUIOp::create(b, row, last);
}

//===----------------------------------------------------------------------===//
// Products
//===----------------------------------------------------------------------===//

GerKernel::Operands GerKernel::getOperands(const TermArrays &term) {
  Operands operands{term, {}, {}};
  for (int64_t place = 0; place < tile.rows; place += tile.lhsChunk)
    operands.rowOffsets.push_back(
        offsetOf(term.lhs, contraction.m, term.extents,
                 getRow(place, tile.lhsChunk), lhsPlan.isFlatInRows));
  operands.columnOffset = offsetOf(term.rhs, contraction.n, term.extents,
                                   column, rhsPlan.isFlatInRows);
  return operands;
}

GerKernel::Step GerKernel::load(const Operands &operands, Value index) {
  const TermArrays &term = operands.term;
  auto loadChunk = [&](const StridedArray &array, int64_t chunk, Value offset,
                       Value stepOffset) -> Value {
    auto type = VectorType::get({chunk}, array.getElementType());
    return vector::LoadOp::create(
        b, type, array.flat, ValueRange{plus(offset, stepOffset)},
        /*nontemporal=*/false,
        llvm::Align(chunk * type.getElementTypeBitWidth() / 8));
  };
  Step step;
  step.rhs = loadChunk(term.rhs, tile.chunk, operands.columnOffset,
                       offsetOf(term.rhs, contraction.k, term.extents, index,
                                rhsPlan.isFlatInSteps));
  Value stepOffset = offsetOf(term.lhs, contraction.k, term.extents, index,
                              lhsPlan.isFlatInSteps);
  for (Value offset : operands.rowOffsets)
    step.lhs.push_back(loadChunk(term.lhs, tile.lhsChunk, offset, stepOffset));
  return step;
}

void GerKernel::multiply(const Step &step, SmallVector<Value> &sums) {
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

SmallVector<Value> GerKernel::multiplySteps(const Operands &operands,
                                            Value first, int64_t count,
                                            ValueRange sums) {
  SmallVector<Step> steps;
  for (int64_t number = 0; number < count; ++number)
    steps.push_back(load(operands, plus(first, number)));
  SmallVector<Value> results(sums);
  for (const Step &step : steps)
    multiply(step, results);
  return results;
}

SmallVector<Value> GerKernel::accumulateTerm(const TermArrays &term,
                                             ArrayRef<Value> sums) {
  Operands operands = getOperands(term);
  Value numSteps = DimGroup{contraction.k, term.extents}.getSize(b);
  Value whole = toValue(b, sub(b, numSteps, remainder(numSteps, tile.steps)));
  auto addSteps = [&](Value begin, Value end, int64_t count,
                      ValueRange carried) -> SmallVector<Value> {
    auto loop = scf::ForOp::create(b, begin, end, constant(b, count), carried);
    keepRolled(loop);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(loop.getBody());
    scf::YieldOp::create(b, multiplySteps(operands, loop.getInductionVar(),
                                          count, loop.getRegionIterArgs()));
    return SmallVector<Value>(loop.getResults());
  };
  SmallVector<Value> results =
      addSteps(constant(b, 0), whole, tile.steps, sums);
  if (tile.steps == 1)
    return results;
  return addSteps(whole, numSteps, 1, results);
}

//===----------------------------------------------------------------------===//
// Results
//===----------------------------------------------------------------------===//

/// What is added to all rows is asked for before the first is stored: the array
/// may be the same.
void GerKernel::storeProducts(const OutputArrays &output,
                              const Extents &extents, ArrayRef<Value> sums) {
  static constexpr int64_t kLanes[] = {8, 4, 2, 1};
  ArrayRef<int64_t> lanes = kLanes;
  while (lanes.front() > tile.chunk)
    lanes = lanes.drop_front();
  Epilogue epilogue = startEpilogue(output, /*isLhsSum=*/false, lanes);
  int64_t perGroup = epilogue.lanes, groups = tile.chunk / perGroup;
  for (int64_t group = 0; group < groups; ++group)
    addColumns(epilogue, extents, plus(column, group * perGroup));
  SmallVector<SmallVector<Value>> offsets, results;
  for (auto [row, sum] : llvm::enumerate(sums)) {
    offsets.push_back(getRowOffsets(epilogue, extents, getRow(row, 1)));
    SmallVector<Value> &groupsOfRow = results.emplace_back();
    for (int64_t group = 0; group < groups; ++group) {
      auto lanesOfGroup =
          llvm::to_vector(llvm::seq(group * perGroup, (group + 1) * perGroup));
      Value part = vector::ShuffleOp::create(b, sum, sum, lanesOfGroup);
      groupsOfRow.push_back(addAddends(epilogue, offsets.back(), group, part));
    }
  }
  for (auto [row, offsetsOfRow, parts] : llvm::enumerate(offsets, results)) {
    auto storeRow = [&, &offsetsOfRow = offsetsOfRow, &parts = parts] {
      for (auto [group, part] : llvm::enumerate(parts))
        storeSums(epilogue, offsetsOfRow, group, part);
    };
    // A block has a first row.
    if (hasAllRows || row == 0)
      storeRow();
    else
      ifElse(b, isLess(plus(rows.start, int64_t(row)), rows.end), storeRow);
  }
}

Value GerKernel::sumLhs(const TermArrays &term, Value row, Value sum) {
  Value numSteps = DimGroup{contraction.k, term.extents}.getSize(b);
  Value rowOffset = offsetOf(term.lhs, contraction.m, term.extents, row,
                             lhsPlan.isFlatInRows);
  auto loop =
      scf::ForOp::create(b, constant(b, 0), numSteps, constant(b, 1), sum);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  Value offset =
      plus(rowOffset, offsetOf(term.lhs, contraction.k, term.extents,
                               loop.getInductionVar(), lhsPlan.isFlatInSteps));
  auto type = VectorType::get({1}, term.lhs.getElementType());
  Value element = vector::ExtractOp::create(
      b, vector::LoadOp::create(b, type, term.lhs.flat, ValueRange{offset}), 0);
  Value next = arith::AddFOp::create(b, loop.getRegionIterArg(0),
                                     convertFloat(b, element, sumType));
  scf::YieldOp::create(b, next);
  return loop.getResult(0);
}

/// By the blocks of the first column, thread i for row i.
void GerKernel::emitSumsOfLhs(const SegmentArrays &segment) {
  Value row = plus(rows.start, thread);
  Value isMine =
      both(isLess(thread, constant(b, tile.rows)), isLess(row, rows.end));
  ifElse(b, both(isFirstColumn, isMine), [&] {
    Value zero = arith::ConstantOp::create(b, b.getZeroAttr(sumType));
    SmallVector<Value> sums = accumulateTerms(
        segment, zero,
        [&](const TermArrays &term, ArrayRef<Value> carried) {
          return SmallVector<Value>{sumLhs(term, row, carried.front())};
        },
        /*inShared=*/false);
    storeLhsSum(*segment.lhsSum, segment.terms.front().extents, row,
                sums.front());
  });
}
