// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a block reads of its operands. What lies outside of an array is not read
// and counts as zero.

#include "boostr/passes/cpu/IndexMath.h"
#include "boostr/passes/gpu/BlockKernel.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace mlir::boostr;
using namespace mlir::boostr::cpu;

static SmallVector<ContractionOperand>
collectOperands(const SegmentedContraction &contraction, bool isLhs) {
  SmallVector<ContractionOperand> operands;
  for (const ContractionSegment &segment : contraction.segments)
    for (const ContractionTerm &term : segment.terms)
      operands.push_back(isLhs ? term.lhs : term.rhs);
  return operands;
}

BlockKernel::Operand BlockKernel::planOperand(bool isLhs, int64_t rows,
                                              int64_t steps, int64_t threads) {
  ArrayRef<unsigned> rowDims = isLhs ? contraction.m : contraction.n;
  ArrayRef<unsigned> stepDims = contraction.k;
  SmallVector<ContractionOperand> operands =
      collectOperands(contraction, isLhs);
  auto areContiguous = [&](ArrayRef<unsigned> dims, int64_t count) {
    return rows * steps % (count * threads) == 0 &&
           llvm::all_of(operands, [&](const ContractionOperand &operand) {
             return isContiguousInChunks(operand, dims, count, multiples);
           });
  };
  LoadPlan plan;
  plan.alongSteps = runsAlong(operands.front(), stepDims.back());
  for (int64_t chunk : {8, 4, 2})
    if (areContiguous(plan.alongSteps ? stepDims : rowDims, chunk)) {
      plan.chunk = chunk;
      break;
    }
  plan.isFlatInRows = llvm::all_of(
      operands, [&](const auto &operand) { return isFlat(operand, rowDims); });
  plan.isFlatInSteps = llvm::all_of(
      operands, [&](const auto &operand) { return isFlat(operand, stepDims); });
  return {plan, isLhs, rows, steps, threads, /*shared=*/{}};
}

BlockKernel::Walk BlockKernel::startWalk(const Operand &operand,
                                         const StridedArray &array,
                                         const Extents &extents,
                                         const Range &range) {
  Walk walk;
  walk.operand = &operand;
  walk.array = array;
  walk.extents = extents;
  walk.numSteps = DimGroup{contraction.k, extents}.getSize(b);
  const LoadPlan &plan = operand.plan;
  int64_t perLine =
      (plan.alongSteps ? operand.steps : operand.rows) / plan.chunk;
  for (int64_t i = 0; i < operand.chunksPerThread(); ++i) {
    Value number = plus(thread, i * operand.threads);
    Value along = times(remainder(number, perLine), plan.chunk);
    Value line = quotient(number, perLine);
    Value row = plan.alongSteps ? line : along;
    Value index = plus(range.start, row);
    walk.rows.push_back(row);
    walk.steps.push_back(plan.alongSteps ? along : line);
    walk.rowOffsets.push_back(
        offsetOf(array, operand.isLhs ? contraction.m : contraction.n, extents,
                 index, plan.isFlatInRows));
    walk.isRowThere.push_back(isLess(index, range.end));
  }
  return walk;
}

Value BlockKernel::getStepOffset(const Walk &walk, Value index) {
  return offsetOf(walk.array, contraction.k, walk.extents, index,
                  walk.operand->plan.isFlatInSteps);
}

SmallVector<Value> BlockKernel::load(const Walk &walk, Value firstStep) {
  const LoadPlan &plan = walk.operand->plan;
  auto type = VectorType::get({plan.chunk}, walk.array.getElementType());
  auto alignment = llvm::Align(plan.chunk * type.getElementTypeBitWidth() / 8);
  SmallVector<Value> chunks;
  for (auto [step, rowOffset, isRowThere] :
       llvm::zip_equal(walk.steps, walk.rowOffsets, walk.isRowThere)) {
    Value index = plus(firstStep, step);
    Value isThere =
        arith::AndIOp::create(b, isRowThere, isLess(index, walk.numSteps));
    auto branch = scf::IfOp::create(b, TypeRange(type), isThere,
                                    /*withElseRegion=*/true);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(branch.thenBlock());
    Value offset = plus(rowOffset, getStepOffset(walk, index));
    Value chunk =
        vector::LoadOp::create(b, type, walk.array.flat, ValueRange{offset},
                               /*nontemporal=*/false, alignment);
    scf::YieldOp::create(b, chunk);
    b.setInsertionPointToStart(branch.elseBlock());
    Value zeros = arith::ConstantOp::create(b, b.getZeroAttr(type));
    scf::YieldOp::create(b, zeros);
    chunks.push_back(branch.getResult(0));
  }
  return chunks;
}
