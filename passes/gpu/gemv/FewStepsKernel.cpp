// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "boostr/passes/gpu/gemv/FewStepsKernel.h"
#include "boostr/passes/cpu/IndexMath.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace mlir::boostr;
using namespace mlir::boostr::cpu;
using namespace mlir::boostr::gemv;

FewStepsKernel::FewStepsKernel(ImplicitLocOpBuilder &b,
                               SegmentedContractionOpInterface op,
                               const SegmentedContraction &contraction,
                               const FewStepsTile &tile, int64_t threads,
                               Type sumType)
    : BlockKernel(b, op, contraction, sumType), tile(tile), threads(threads),
      lhsPlan(planOperand(/*isLhs=*/true, tile.rows, tile.steps, threads).plan),
      rhsPlan(planOperand(/*isLhs=*/false, tile.columns, tile.steps, threads)
                  .plan) {}

void FewStepsKernel::emit() {
  Frame frame{tile.rows, tile.columns, threads, tile.group, /*sharedBytes=*/0};
  emitLaunch(frame, [&](const SegmentArrays &segment) { emitBlock(segment); });
}

void FewStepsKernel::emitBlock(const SegmentArrays &segment) {
  column = plus(columns.start, getColumnPlace());
  SmallVector<Value> sums = accumulateTerms(
      segment, createZeros(),
      [&](const TermArrays &term, ArrayRef<Value> carried) {
        return accumulateTerm(term, carried);
      },
      /*inShared=*/false);
  ifElse(b, isLess(column, columns.end), [&] {
    storeProducts(*segment.product, segment.terms.front().extents,
                  arrangeSums(sums));
  });
  if (segment.lhsSum)
    emitSumsOfLhs(segment);
}

//===----------------------------------------------------------------------===//
// Operands
//===----------------------------------------------------------------------===//

Value FewStepsKernel::getRow(Value place, int64_t count) {
  Value row = plus(rows.start, place);
  if (lhsPlan.hasWholeRows)
    return row;
  Value last = toValue(b, sub(b, rows.end, b.getIndexAttr(count)));
  return arith::MinUIOp::create(b, row, last);
}

Value FewStepsKernel::getRowOffset(const TermArrays &term, Value place) {
  return offsetOf(term.lhs, contraction.m, term.extents,
                  getRow(place, tile.lhsChunk), lhsPlan.isFlatInRows);
}

Value FewStepsKernel::getColumnOffset(const TermArrays &term) {
  Value last = toValue(b, sub(b, columns.end, b.getIndexAttr(tile.chunk)));
  return offsetOf(term.rhs, contraction.n, term.extents,
                  arith::MinUIOp::create(b, column, last),
                  rhsPlan.isFlatInRows);
}

Value FewStepsKernel::loadChunk(const StridedArray &array, int64_t count,
                                Value rowOffset, Value stepOffset) {
  auto type = VectorType::get({count}, array.getElementType());
  return vector::LoadOp::create(
      b, type, array.flat, ValueRange{plus(rowOffset, stepOffset)},
      /*nontemporal=*/false,
      llvm::Align(count * type.getElementTypeBitWidth() / 8));
}

SmallVector<Value> FewStepsKernel::getNextIndices(const TermArrays &term,
                                                  ValueRange indices) {
  SmallVector<Value> next(indices);
  Value carry = constant(b, 1);
  for (size_t number = next.size(); number-- > 0;) {
    Value sum = plus(next[number], carry);
    if (number == 0) {
      next[number] = sum;
      break;
    }
    Value isEnd =
        arith::CmpIOp::create(b, arith::CmpIPredicate::eq, sum,
                              toValue(b, term.extents[contraction.k[number]]));
    Value zero = constant(b, 0), one = constant(b, 1);
    next[number] = arith::SelectOp::create(b, isEnd, zero, sum);
    carry = arith::SelectOp::create(b, isEnd, one, zero);
  }
  return next;
}

//===----------------------------------------------------------------------===//
// Results
//===----------------------------------------------------------------------===//

/// What is added to all rows is asked for before the first is stored: the array
/// may be the same.
void FewStepsKernel::storeProducts(const OutputArrays &output,
                                   const Extents &extents,
                                   ArrayRef<Value> sums) {
  static constexpr int64_t kLanes[] = {8, 4, 2, 1};
  ArrayRef<int64_t> lanes = kLanes;
  while (lanes.front() > tile.chunk)
    lanes = lanes.drop_front();
  Epilogue epilogue = startEpilogue(output, /*isLhsSum=*/false, lanes);
  int64_t perGroup = epilogue.lanes, groups = tile.chunk / perGroup;
  for (int64_t group = 0; group < groups; ++group)
    addColumns(epilogue, extents, plus(column, group * perGroup));
  SmallVector<Value> places = getRowPlaces();
  SmallVector<SmallVector<Value>> offsets, results;
  for (auto [place, sum] : llvm::zip_equal(places, sums)) {
    offsets.push_back(getRowOffsets(epilogue, extents, getRow(place, 1)));
    SmallVector<Value> &groupsOfRow = results.emplace_back();
    for (int64_t group = 0; group < groups; ++group) {
      auto lanesOfGroup =
          llvm::to_vector(llvm::seq(group * perGroup, (group + 1) * perGroup));
      Value part = vector::ShuffleOp::create(b, sum, sum, lanesOfGroup);
      groupsOfRow.push_back(addAddends(epilogue, offsets.back(), group, part));
    }
  }
  for (auto [place, offsetsOfRow, parts] :
       llvm::zip_equal(places, offsets, results)) {
    auto storeRow = [&, &offsetsOfRow = offsetsOfRow, &parts = parts] {
      for (auto [group, part] : llvm::enumerate(parts))
        storeSums(epilogue, offsetsOfRow, group, part);
    };
    if (lhsPlan.hasWholeRows)
      storeRow();
    else
      ifElse(b, isLess(plus(rows.start, place), rows.end), storeRow);
  }
}

Value FewStepsKernel::sumLhs(const TermArrays &term, Value row, Value sum) {
  Value numSteps = DimGroup{contraction.k, term.extents}.getSize(b);
  Value rowOffset = offsetOf(term.lhs, contraction.m, term.extents, row,
                             lhsPlan.isFlatInRows);
  SmallVector<Value> carried = splitStep(term.extents, constant(b, 0));
  carried.push_back(sum);
  auto loop =
      scf::ForOp::create(b, constant(b, 0), numSteps, constant(b, 1), carried);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  ValueRange indices = loop.getRegionIterArgs().drop_back();
  Value element = vector::ExtractOp::create(
      b, loadChunk(term.lhs, 1, rowOffset, getStepOffset(term.lhs, indices)),
      0);
  SmallVector<Value> next = getNextIndices(term, indices);
  next.push_back(arith::AddFOp::create(b, loop.getRegionIterArgs().back(),
                                       convertFloat(b, element, sumType)));
  scf::YieldOp::create(b, next);
  return loop.getResults().back();
}

/// By the blocks of the first column, thread i for row i.
void FewStepsKernel::emitSumsOfLhs(const SegmentArrays &segment) {
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
