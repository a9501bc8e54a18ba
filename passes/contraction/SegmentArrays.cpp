// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "boostr/passes/contraction/SegmentArrays.h"
#include "boostr/passes/cpu/IndexMath.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace mlir::boostr;
using namespace mlir::boostr::cpu;

static OutputArrays collectOutput(ImplicitLocOpBuilder &b,
                                  SegmentedContractionOpInterface op,
                                  const ContractionResult &result) {
  OutputArrays output;
  Value destination = op.getDestinations()[result.number];
  output.result = StridedArray::get(b, destination, result.rows, result.map);
  for (const ContractionOperand &addend : result.addends)
    output.addends.push_back(
        StridedArray::get(b, addend.array, addend.rows, addend.map));
  return output;
}

SegmentArrays SegmentArrays::get(ImplicitLocOpBuilder &b,
                                 SegmentedContractionOpInterface op,
                                 const SegmentedContraction &contraction,
                                 const ContractionSegment &segment) {
  SegmentArrays collected;
  for (const ContractionTerm &term : segment.terms) {
    TermArrays arrays;
    arrays.lhs =
        StridedArray::get(b, term.lhs.array, term.lhs.rows, term.lhs.map);
    arrays.rhs =
        StridedArray::get(b, term.rhs.array, term.rhs.rows, term.rhs.map);
    llvm::append_range(arrays.extents,
                       getExtents(b, b.getLoc(), contraction, term));
    collected.terms.push_back(std::move(arrays));
  }
  if (segment.product)
    collected.product = collectOutput(b, op, *segment.product);
  if (segment.lhsSum)
    collected.lhsSum = collectOutput(b, op, *segment.lhsSum);
  return collected;
}

TermArrays mlir::boostr::cpu::select(ImplicitLocOpBuilder &b, Value condition,
                                     const TermArrays &ifTrue,
                                     const TermArrays &ifFalse) {
  TermArrays result;
  result.lhs = select(b, condition, ifTrue.lhs, ifFalse.lhs);
  result.rhs = select(b, condition, ifTrue.rhs, ifFalse.rhs);
  result.extents = select(b, condition, ifTrue.extents, ifFalse.extents);
  result.firstPackedBlock =
      select(b, condition, ifTrue.firstPackedBlock, ifFalse.firstPackedBlock);
  return result;
}

SmallVector<SegmentArrays, 0>
mlir::boostr::cpu::getSegmentArrays(ImplicitLocOpBuilder &b,
                                    SegmentedContractionOpInterface op,
                                    const SegmentedContraction &contraction) {
  SmallVector<SegmentArrays, 0> segments;
  for (const ContractionSegment &segment : contraction.segments)
    segments.push_back(SegmentArrays::get(b, op, contraction, segment));
  return segments;
}

NumberedBlocks::NumberedBlocks(ImplicitLocOpBuilder &b,
                               SegmentedContractionOpInterface op,
                               const SegmentedContraction &contraction,
                               int64_t rows, int64_t columns)
    : segments(getSegmentArrays(b, op, contraction)) {
  number(
      b,
      [&](const SegmentArrays &segment) {
        DimGroup group{contraction.m, segment.terms.front().extents};
        return ceilDiv(b, group.getSize(b), rows);
      },
      [&](const SegmentArrays &segment) -> OpFoldResult {
        DimGroup group{contraction.n, segment.terms.front().extents};
        OpFoldResult columnBlocks = ceilDiv(b, group.getSize(b), columns);
        // Sums of lhs ride along with the first block of columns, if there is
        // one, and need no other.
        if (!segment.product)
          return b.getIndexAttr(1);
        if (!segment.lhsSum)
          return columnBlocks;
        return arith::MaxUIOp::create(b, toValue(b, columnBlocks),
                                      constant(b, 1))
            .getResult();
      });
}

NumberedBlocks::NumberedBlocks(ImplicitLocOpBuilder &b,
                               ArrayRef<SegmentArrays> segments,
                               CountBlocks countRowBlocks,
                               CountBlocks countColumnBlocks)
    : segments(segments.begin(), segments.end()) {
  number(b, countRowBlocks, countColumnBlocks);
}

void NumberedBlocks::number(ImplicitLocOpBuilder &b, CountBlocks countRowBlocks,
                            CountBlocks countColumnBlocks) {
  count = b.getIndexAttr(0);
  OpFoldResult numRowBlocks = b.getIndexAttr(0);
  for (const SegmentArrays &segment : segments) {
    OpFoldResult rowBlocks = countRowBlocks(segment);
    OpFoldResult columnBlocks = countColumnBlocks(segment);
    grids.push_back({rowBlocks, columnBlocks, count, numRowBlocks});
    count = add(b, count, mul(b, rowBlocks, columnBlocks));
    numRowBlocks = add(b, numRowBlocks, rowBlocks);
  }
}

static void selectOutput(ImplicitLocOpBuilder &b, Value condition,
                         std::optional<OutputArrays> &current,
                         const std::optional<OutputArrays> &other) {
  if (!current)
    return;
  current->result = select(b, condition, other->result, current->result);
  for (auto [addend, otherAddend] :
       llvm::zip_equal(current->addends, other->addends))
    addend = select(b, condition, otherAddend, addend);
}

std::pair<SegmentArrays, SegmentGrid>
NumberedBlocks::select(ImplicitLocOpBuilder &b, Value number) const {
  SegmentArrays chosen = segments.back();
  SegmentGrid grid = grids.back();
  for (size_t index = segments.size() - 1; index-- > 0;) {
    const SegmentArrays &other = segments[index];
    Value isBefore = arith::CmpIOp::create(b, arith::CmpIPredicate::ult, number,
                                           toValue(b, grids[index + 1].first));
    for (auto [term, otherTerm] : llvm::zip_equal(chosen.terms, other.terms))
      term = cpu::select(b, isBefore, otherTerm, term);
    selectOutput(b, isBefore, chosen.product, other.product);
    selectOutput(b, isBefore, chosen.lhsSum, other.lhsSum);
    auto selectIndex = [&](OpFoldResult one, OpFoldResult &current) {
      current = cpu::select(b, isBefore, one, current);
    };
    selectIndex(grids[index].first, grid.first);
    selectIndex(grids[index].firstRowBlock, grid.firstRowBlock);
    selectIndex(grids[index].rowBlocks, grid.rowBlocks);
    selectIndex(grids[index].columnBlocks, grid.columnBlocks);
  }
  return {std::move(chosen), grid};
}
