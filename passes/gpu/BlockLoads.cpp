// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a block reads of its operands. What lies outside of an array is not read
// and counts as zero.

#include "boostr/passes/contraction/StaticExtents.h"
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
  ArrayRef<unsigned> rowDims = getRowDims(isLhs);
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
  plan.alongSteps = runsAlongSteps(contraction, isLhs);
  for (int64_t chunk : {8, 4, 2})
    if (areContiguous(plan.alongSteps ? stepDims : rowDims, chunk)) {
      plan.chunk = chunk;
      break;
    }
  plan.isFlatInRows = llvm::all_of(
      operands, [&](const auto &operand) { return isFlat(operand, rowDims); });
  plan.isFlatInSteps = llvm::all_of(
      operands, [&](const auto &operand) { return isFlat(operand, stepDims); });
  auto areMultiples = [&](ArrayRef<unsigned> dims, int64_t of) {
    return llvm::all_of(contraction.segments, [&](const auto &segment) {
      return llvm::all_of(segment.terms, [&](const ContractionTerm &term) {
        int64_t extent = getStaticProduct(term, dims);
        return !ShapedType::isDynamic(extent) && extent % of == 0;
      });
    });
  };
  plan.hasWholeRows = areMultiples(rowDims, rows);
  plan.hasWholeTurns = areMultiples(stepDims, steps);
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
    walk.rowOffsets.push_back(offsetOf(array, getRowDims(operand.isLhs),
                                       extents, index, plan.isFlatInRows));
    walk.isRowThere.push_back(
        plan.hasWholeRows ? arith::ConstantIntOp::create(b, 1, /*width=*/1)
                          : isLess(index, range.end));
  }
  startPlace(walk, perLine);
  return walk;
}

//===----------------------------------------------------------------------===//
// Places along k
//===----------------------------------------------------------------------===//

void BlockKernel::startPlace(Walk &walk, int64_t perLine) {
  const Operand &operand = *walk.operand;
  const LoadPlan &plan = operand.plan;
  ArrayRef<unsigned> rowDims = getRowDims(operand.isLhs);
  int64_t linesPerChunk = operand.threads / perLine;
  bool areLinesFlat = plan.alongSteps ? plan.isFlatInRows : plan.isFlatInSteps;
  if (plan.isFlatInSteps && areLinesFlat && operand.threads % perLine == 0) {
    auto getDistance = [&](ArrayRef<unsigned> dims, Value count) {
      return offsetOf(walk.array, dims, walk.extents, count, /*isFlat=*/true);
    };
    walk.chunkDistance = getDistance(plan.alongSteps ? rowDims : contraction.k,
                                     constant(b, linesPerChunk));
    walk.blockDistance = getDistance(contraction.k, constant(b, operand.steps));
    Value firstStep = plus(times(turns.start, operand.steps), walk.steps[0]);
    walk.place = {
        plus(walk.rowOffsets[0], getDistance(contraction.k, firstStep))};
    return;
  }
  walk.place = splitStep(walk.extents, times(turns.start, operand.steps));
  walk.blockSteps = splitStep(walk.extents, constant(b, operand.steps));
  walk.hasEqualChunks = operand.threads % perLine == 0;
  for (auto [number, step] : llvm::enumerate(walk.steps)) {
    if (number == 0 || !walk.hasEqualChunks)
      walk.chunkSteps.push_back(splitStep(walk.extents, step));
    else if (!plan.alongSteps)
      walk.chunkSteps.push_back(
          splitStep(walk.extents, constant(b, linesPerChunk)));
  }
}

SmallVector<Value> BlockKernel::splitStep(const Extents &extents, Value step) {
  SmallVector<Value> indices(contraction.k.size());
  for (size_t number = indices.size(); --number > 0;) {
    Value extent = getDivisor(extents[contraction.k[number]]);
    indices[number] = b.createOrFold<arith::RemUIOp>(step, extent);
    step = b.createOrFold<arith::DivUIOp>(step, extent);
  }
  indices.front() = step;
  return indices;
}

Value BlockKernel::getStepOffset(const StridedArray &array, ValueRange indices,
                                 Value rowOffset) {
  OpFoldResult offset = rowOffset ? OpFoldResult(rowOffset) : b.getIndexAttr(0);
  for (auto [dim, index] : llvm::zip_equal(contraction.k, indices))
    if (OpFoldResult stride = array.strides[dim])
      offset = add(b, offset, mul(b, index, stride));
  return toValue(b, offset);
}

/// Addition of numbers whose digits are indices.
SmallVector<Value> BlockKernel::addSteps(const Walk &walk,
                                         ArrayRef<Value> place,
                                         ArrayRef<Value> steps) {
  SmallVector<Value> indices(place);
  Value carry = constant(b, 0);
  for (size_t number = indices.size(); number-- > 0;) {
    Value sum = toValue(b, add(b, add(b, place[number], steps[number]), carry));
    indices[number] = sum;
    if (number == 0)
      break;
    Value extent = getDivisor(walk.extents[contraction.k[number]]);
    Value isLast = isLess(sum, extent);
    indices[number] = arith::SelectOp::create(b, isLast, sum,
                                              toValue(b, sub(b, sum, extent)));
    carry = arith::SelectOp::create(b, isLast, constant(b, 0), constant(b, 1));
  }
  return indices;
}

void BlockKernel::advance(Walk &walk) {
  if (walk.blockDistance)
    walk.place = {plus(walk.place[0], walk.blockDistance)};
  else
    walk.place = addSteps(walk, walk.place, walk.blockSteps);
}

/// Indices are added up from chunk to chunk: sums from the first one on would
/// be so many numbers that are kept in registers.
Value BlockKernel::takeChunkOffset(Chunks &chunks) {
  const Walk &walk = *chunks.walk;
  size_t number = chunks.number++;
  if (walk.chunkDistance)
    return plus(walk.place[0], times(walk.chunkDistance, int64_t(number)));
  bool isFromBlock = number == 0 || !walk.hasEqualChunks;
  if (number < walk.chunkSteps.size())
    chunks.indices = addSteps(walk, isFromBlock ? walk.place : chunks.indices,
                              walk.chunkSteps[number]);
  return getStepOffset(walk.array, chunks.indices, walk.rowOffsets[number]);
}

/// Of a part, turns behind its last are another's.
Value BlockKernel::isChunkThere(const Walk &walk, size_t number, Value turn) {
  const Operand &operand = *walk.operand;
  Value isThere = walk.isRowThere[number];
  if (isInParts()) {
    isThere = both(isThere, isLess(turn, turns.end));
    if (operand.plan.hasWholeTurns)
      return isThere;
  }
  Value step = plus(times(turn, operand.steps), walk.steps[number]);
  return both(isThere, isLess(step, walk.numSteps));
}

SmallVector<Value> BlockKernel::load(const Walk &walk, Value turn) {
  const LoadPlan &plan = walk.operand->plan;
  auto type = VectorType::get({plan.chunk}, walk.array.getElementType());
  auto alignment = llvm::Align(plan.chunk * type.getElementTypeBitWidth() / 8);
  SmallVector<Value> loaded;
  Chunks chunks = startChunks(walk);
  while (!chunks.areDone()) {
    Value isThere = isChunkThere(walk, chunks.number, turn);
    Value offset = takeChunkOffset(chunks);
    auto branch = scf::IfOp::create(b, TypeRange(type), isThere,
                                    /*withElseRegion=*/true);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(branch.thenBlock());
    Value chunk =
        vector::LoadOp::create(b, type, walk.array.flat, ValueRange{offset},
                               /*nontemporal=*/false, alignment);
    scf::YieldOp::create(b, chunk);
    b.setInsertionPointToStart(branch.elseBlock());
    Value zeros = arith::ConstantOp::create(b, b.getZeroAttr(type));
    scf::YieldOp::create(b, zeros);
    loaded.push_back(branch.getResult(0));
  }
  return loaded;
}
