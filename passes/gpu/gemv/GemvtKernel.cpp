// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "boostr/passes/gpu/gemv/GemvtKernel.h"
#include "boostr/passes/cpu/IndexMath.h"
#include "boostr/passes/gpu/KeepLoads.h"
#include "boostr/passes/gpu/KeepRolled.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace mlir::boostr;
using namespace mlir::boostr::cpu;
using namespace mlir::boostr::gemv;

GemvtKernel::GemvtKernel(ImplicitLocOpBuilder &b,
                         SegmentedContractionOpInterface op,
                         const SegmentedContraction &contraction,
                         const GemvtTile &tile, bool hasOneRowBlock)
    : FewRowsKernel(b, op, contraction, tile, tile.chunk, tile.stepsPerTurn(),
                    tile.sumType, hasOneRowBlock),
      tile(tile) {}

/// A vector of columns for each row.
SmallVector<Value> GemvtKernel::createZeros() {
  auto type = VectorType::get({tile.chunk}, sumType);
  Value zeros = arith::ConstantOp::create(b, b.getZeroAttr(type));
  return SmallVector<Value>(tile.rows, zeros);
}

/// `stages` steps from `step` on. All of rhs is asked for before anything is
/// used.
SmallVector<Value> GemvtKernel::multiplySteps(const Lines &lhs,
                                              const Lines &rhs, Value step,
                                              int64_t stages, ValueRange sums) {
  SmallVector<Value> columns;
  for (int64_t stage = 0; stage < stages; ++stage)
    columns.append(load(rhs, plus(step, stage), /*isLhs=*/false));
  // All threads of a warp are here but in a rest, which has one stage.
  if (stages > 1)
    keepLoadsBefore(b);
  int64_t perLoad = stages % tile.lhsChunk == 0 ? tile.lhsChunk : 1;
  SmallVector<SmallVector<Value>> rows;
  for (int64_t stage = 0; stage < stages; stage += perLoad)
    rows.push_back(
        loadChunks(lhs, plus(step, stage), perLoad, /*isStreamed=*/false));
  auto type = VectorType::get({tile.chunk}, sumType);
  SmallVector<Value> results(sums);
  for (auto [stage, column] : llvm::enumerate(columns)) {
    Value right = convertFloat(b, column, sumType);
    for (auto [row, sum] : llvm::zip_equal(rows[stage / perLoad], results)) {
      Value element = vector::ExtractOp::create(b, row, stage % perLoad);
      Value left = vector::BroadcastOp::create(
          b, type, convertFloat(b, element, sumType));
      sum = vector::FMAOp::create(b, left, right, sum);
    }
  }
  return results;
}

SmallVector<Value> GemvtKernel::accumulateTerm(const TermArrays &term,
                                               ArrayRef<Value> sums) {
  SmallVector<Value> places =
      llvm::map_to_vector(llvm::seq(tile.rows), [&](int64_t place) -> Value {
        return constant(b, place);
      });
  Lines lhs = getLines(term, /*isLhs=*/true, places);
  Lines rhs =
      getLines(term, /*isLhs=*/false,
               times(remainder(thread, tile.lanes()), tile.chunk), tile.chunk);
  Value numSteps = DimGroup{contraction.k, term.extents}.getSize(b);
  int64_t perTurn = tile.stepsPerTurn();
  Value whole = toValue(b, sub(b, numSteps, remainder(numSteps, perTurn)));
  Value group = quotient(thread, tile.lanes());
  Value mine = times(group, tile.stages);

  auto loop =
      scf::ForOp::create(b, constant(b, 0), whole, constant(b, perTurn), sums);
  keepRolled(loop);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  scf::YieldOp::create(b, multiplySteps(lhs, rhs,
                                        plus(loop.getInductionVar(), mine),
                                        tile.stages, loop.getRegionIterArgs()));

  // Groups take as many steps of the rest as there are for them.
  b.setInsertionPointAfter(loop);
  auto restLoop =
      scf::ForOp::create(b, plus(whole, group), numSteps,
                         constant(b, tile.groups()), loop.getResults());
  keepRolled(restLoop);
  b.setInsertionPointToStart(restLoop.getBody());
  scf::YieldOp::create(b, multiplySteps(lhs, rhs, restLoop.getInductionVar(),
                                        /*stages=*/1,
                                        restLoop.getRegionIterArgs()));
  return SmallVector<Value>(restLoop.getResults());
}

/// Adds what the thread `distance` away has. Of an even number of sums each of
/// the two gives half away, and is left with the sums of the other half.
GemvtKernel::Share GemvtKernel::reduce(Share share, int64_t distance) {
  auto exchange = [&](Value sum) -> Value {
    return ::mlir::gpu::ShuffleOp::create(b, sum, distance, kWarp,
                                          ::mlir::gpu::ShuffleMode::XOR)
        .getShuffleResult();
  };
  size_t count = share.sums.size();
  if (count % 2 != 0) {
    for (Value &sum : share.sums)
      sum = arith::AddFOp::create(b, sum, exchange(sum));
    return share;
  }
  Value isUpper = isEqual(remainder(quotient(lane, distance), 2), 1);
  Share half;
  for (size_t i = 0; i < count / 2; ++i) {
    Value lower = share.sums[i], upper = share.sums[count / 2 + i];
    Value given = arith::SelectOp::create(b, isUpper, lower, upper);
    Value kept = arith::SelectOp::create(b, isUpper, upper, lower);
    half.sums.push_back(arith::AddFOp::create(b, kept, exchange(given)));
  }
  half.first = arith::SelectOp::create(
      b, isUpper, plus(share.first, int64_t(count / 2)), share.first);
  return half;
}

/// Where threads have been left with the same sums, they write the same.
void GemvtKernel::stageSums(ArrayRef<Value> sums) {
  Share share;
  share.first = constant(b, 0);
  for (Value row : sums)
    for (int64_t column = 0; column < tile.chunk; ++column)
      share.sums.push_back(vector::ExtractOp::create(b, row, column));
  for (int64_t distance = kWarp / 2; distance >= tile.lanes(); distance /= 2)
    share = reduce(share, distance);
  Value firstColumn = times(remainder(lane, tile.lanes()), tile.chunk);
  for (auto [number, sum] : llvm::enumerate(share.sums)) {
    Value index = plus(share.first, int64_t(number));
    memref::StoreOp::create(
        b, sum, shared,
        ValueRange{warp, quotient(index, tile.chunk),
                   plus(firstColumn, remainder(index, tile.chunk))});
  }
}
