// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "boostr/passes/gpu/gemv/WarpProductKernel.h"
#include "boostr/passes/cpu/IndexMath.h"
#include "boostr/passes/gpu/KeepLoads.h"
#include "boostr/passes/gpu/KeepRolled.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace mlir::boostr;
using namespace mlir::boostr::cpu;
using namespace mlir::boostr::gemv;

WarpProductKernel::WarpProductKernel(ImplicitLocOpBuilder &b,
                                     SegmentedContractionOpInterface op,
                                     const SegmentedContraction &contraction,
                                     const FewRowsTile &tile, int64_t chunk,
                                     int64_t stageSteps, int64_t threadSteps,
                                     bool hasOneRowBlock)
    : FewRowsKernel(b, op, contraction, tile, chunk,
                    tile.warps * tile.stages * stageSteps, b.getF32Type(),
                    hasOneRowBlock),
      numWarps(tile.warps), numStages(tile.stages), stageSteps(stageSteps),
      threadSteps(threadSteps) {}

/// All stages from `step` on. All of rhs is asked for before lhs, which is in
/// the L2 cache. (A product crosses barriers: ptxas moves some before the last
/// loads of lhs.)
SmallVector<Value> WarpProductKernel::multiplyTurn(const Lines &lhs,
                                                   const Lines &rhs, Value step,
                                                   ValueRange sums) {
  auto loadStages = [&](const Lines &lines, bool isLhs) {
    SmallVector<SmallVector<Value>> stages;
    for (int64_t number = 0; number < numStages; ++number)
      stages.push_back(
          loadStage(lines, plus(step, number * stageSteps), isLhs));
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
SmallVector<Value> WarpProductKernel::multiplyRest(const Lines &lhs,
                                                   const Lines &rhs, Value step,
                                                   Value numSteps,
                                                   ValueRange sums) {
  SmallVector<Type> types = getStageTypes(lhs, /*isLhs=*/true);
  size_t numRows = types.size();
  types.append(getStageTypes(rhs, /*isLhs=*/false));
  auto branch = scf::IfOp::create(b, types, isLess(step, numSteps),
                                  /*withElseRegion=*/true);
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(branch.thenBlock());
    SmallVector<Value> chunks = loadStage(lhs, step, /*isLhs=*/true);
    chunks.append(loadStage(rhs, step, /*isLhs=*/false));
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

SmallVector<Value> WarpProductKernel::accumulateSteps(const Lines &lhs,
                                                      const Lines &rhs,
                                                      Value numSteps,
                                                      ArrayRef<Value> sums) {
  int64_t perTurn = numWarps * numStages * stageSteps;
  Value whole = toValue(b, sub(b, numSteps, remainder(numSteps, perTurn)));
  Value inStage = times(remainder(lane, 4), threadSteps);

  // A warp's stages follow each other.
  Value mine = plus(times(warp, numStages * stageSteps), inStage);
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
  Value first = plus(whole, times(warp, stageSteps));
  auto restLoop =
      scf::ForOp::create(b, first, numSteps, constant(b, numWarps * stageSteps),
                         loop.getResults());
  keepRolled(restLoop);
  b.setInsertionPointToStart(restLoop.getBody());
  scf::YieldOp::create(
      b, multiplyRest(lhs, rhs, plus(restLoop.getInductionVar(), inStage),
                      numSteps, restLoop.getRegionIterArgs()));
  return SmallVector<Value>(restLoop.getResults());
}
