// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// From global memory through registers to shared memory. What lies outside of
// an array is not read and counts as zero.

#include "boostr/passes/cpu/IndexMath.h"
#include "boostr/passes/gpu/simt/SimtKernel.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace mlir::boostr;
using namespace mlir::boostr::cpu;
using namespace mlir::boostr::simt;

SimtKernel::Walk SimtKernel::startWalk(const Operand &operand,
                                       const StridedArray &array,
                                       const Extents &extents,
                                       const Range &range) {
  Walk walk;
  walk.operand = &operand;
  walk.array = array;
  walk.extents = extents;
  walk.numSteps = DimGroup{contraction.k, extents}.getSize(b);
  const LoadPlan &plan = operand.plan;
  int64_t perLine = (plan.alongSteps ? tile.steps : operand.rows) / plan.chunk;
  for (int64_t i = 0; i < operand.chunksPerThread(tile); ++i) {
    Value number = plus(thread, i * kThreads);
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

SmallVector<Value> SimtKernel::load(const Walk &walk, Value firstStep) {
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
    Value offset =
        plus(rowOffset, offsetOf(walk.array, contraction.k, walk.extents, index,
                                 plan.isFlatInSteps));
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

/// Converts what `load` read and writes it, with steps outermost.
void SimtKernel::store(const Walk &walk, Value stage, ValueRange chunks) {
  const LoadPlan &plan = walk.operand->plan;
  int64_t bytes = plan.chunk * tile.sumType.getIntOrFloatBitWidth() / 8;
  for (auto [chunk, row, step] :
       llvm::zip_equal(chunks, walk.rows, walk.steps)) {
    Value converted = convertFloat(b, chunk, tile.sumType);
    if (!plan.alongSteps) {
      vector::StoreOp::create(b, converted, walk.operand->shared,
                              ValueRange{stage, step, row},
                              /*nontemporal=*/false,
                              llvm::MaybeAlign(std::min<int64_t>(bytes, 16)));
      continue;
    }
    for (int64_t i = 0; i < plan.chunk; ++i)
      memref::StoreOp::create(b, vector::ExtractOp::create(b, converted, i),
                              walk.operand->shared,
                              ValueRange{stage, plus(step, i), row});
  }
}
