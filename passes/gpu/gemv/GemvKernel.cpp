// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "boostr/passes/gpu/gemv/GemvKernel.h"
#include "boostr/passes/cpu/IndexMath.h"
#include "boostr/passes/gpu/KeepLoads.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace mlir::boostr;
using namespace mlir::boostr::cpu;
using namespace mlir::boostr::gemv;

/// Partial sums of a thread for each element of the result: two, so that its
/// multiply-adds wait less for each other.
static constexpr int64_t kPartialSums = 2;

GemvKernel::GemvKernel(ImplicitLocOpBuilder &b,
                       SegmentedContractionOpInterface op,
                       const SegmentedContraction &contraction,
                       const GemvTile &tile, bool hasOneRowBlock)
    : FewRowsKernel(b, op, contraction, tile, tile.chunk, tile.stepsPerTurn(),
                    tile.sumType, hasOneRowBlock),
      tile(tile) {}

SmallVector<Value> GemvKernel::createZeros() {
  auto type = VectorType::get({kPartialSums}, sumType);
  Value zeros = arith::ConstantOp::create(b, b.getZeroAttr(type));
  return SmallVector<Value>(tile.rows * tile.columns, zeros);
}

/// Adds products of one chunk of each row and column.
void GemvKernel::multiply(ArrayRef<Value> lhs, ArrayRef<Value> rhs,
                          SmallVector<Value> &sums) {
  auto convert = [&](ArrayRef<Value> chunks) {
    return llvm::map_to_vector(
        chunks, [&](Value chunk) { return convertFloat(b, chunk, sumType); });
  };
  auto sumsType = VectorType::get({kPartialSums}, sumType);
  auto getPart = [&](Value chunk, int64_t part) -> Value {
    Value first = vector::ExtractOp::create(b, chunk, part * kPartialSums);
    // Of single elements the second partial sum stays zero.
    Value second =
        tile.chunk == 1
            ? arith::ConstantOp::create(b, b.getZeroAttr(sumType)).getResult()
            : vector::ExtractOp::create(b, chunk, part * kPartialSums + 1)
                  .getResult();
    return vector::FromElementsOp::create(b, sumsType,
                                          ValueRange{first, second});
  };
  SmallVector<Value> left = convert(lhs), right = convert(rhs);
  int64_t parts = llvm::divideCeil(tile.chunk, kPartialSums);
  for (int64_t part = 0; part < parts; ++part) {
    auto sum = sums.begin();
    for (Value row : left)
      for (Value column : right) {
        *sum = vector::FMAOp::create(b, getPart(row, part),
                                     getPart(column, part), *sum);
        ++sum;
      }
  }
}

/// `stages` chunks of each row and column, from `step` on. All of rhs is asked
/// for before anything is used.
SmallVector<Value> GemvKernel::multiplySteps(const Lines &lhs, const Lines &rhs,
                                             Value step, int64_t stages,
                                             ValueRange sums) {
  SmallVector<Value> steps;
  SmallVector<SmallVector<Value>> columns;
  for (int64_t stage = 0; stage < stages; ++stage) {
    steps.push_back(plus(step, stage * tile.steps()));
    columns.push_back(load(rhs, steps.back(), /*isLhs=*/false));
  }
  // All threads of a warp are here but in a rest, which has one stage.
  if (stages > 1)
    keepLoadsBefore(b);
  SmallVector<Value> results(sums);
  for (auto [stage, step] : llvm::enumerate(steps)) {
    // Of many rows one stage at a time, to save registers.
    if (stage > 0 && tile.rows > 4)
      keepLoadsBefore(b);
    multiply(load(lhs, step, /*isLhs=*/true), columns[stage], results);
  }
  return results;
}

SmallVector<Value> GemvKernel::accumulateTerm(const TermArrays &term,
                                              ArrayRef<Value> sums) {
  auto getPlaces = [&](int64_t count) {
    return llvm::map_to_vector(llvm::seq(count), [&](int64_t place) -> Value {
      return constant(b, place);
    });
  };
  Lines lhs = getLines(term, /*isLhs=*/true, getPlaces(tile.rows));
  Lines rhs = getLines(term, /*isLhs=*/false, getPlaces(tile.columns));
  Value numSteps = DimGroup{contraction.k, term.extents}.getSize(b);
  int64_t perTurn = tile.stepsPerTurn();
  Value whole = toValue(b, sub(b, numSteps, remainder(numSteps, perTurn)));
  Value mine = times(thread, tile.chunk);

  auto loop =
      scf::ForOp::create(b, constant(b, 0), whole, constant(b, perTurn), sums);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  SmallVector<Value> next =
      multiplySteps(lhs, rhs, plus(loop.getInductionVar(), mine), tile.stages,
                    loop.getRegionIterArgs());
  scf::YieldOp::create(b, next);

  // Threads take as many turns of the rest as there is something for them.
  b.setInsertionPointAfter(loop);
  auto restLoop =
      scf::ForOp::create(b, plus(whole, mine), numSteps,
                         constant(b, tile.steps()), loop.getResults());
  b.setInsertionPointToStart(restLoop.getBody());
  next = multiplySteps(lhs, rhs, restLoop.getInductionVar(), /*stages=*/1,
                       restLoop.getRegionIterArgs());
  scf::YieldOp::create(b, next);
  return SmallVector<Value>(restLoop.getResults());
}

/// The sum of all threads of the warp, the same in all of them.
Value GemvKernel::reduce(Value sums) {
  Value sum = arith::AddFOp::create(b, vector::ExtractOp::create(b, sums, 0),
                                    vector::ExtractOp::create(b, sums, 1));
  for (int32_t distance = kWarp / 2; distance > 0; distance /= 2) {
    auto shuffle = ::mlir::gpu::ShuffleOp::create(
        b, sum, distance, kWarp, ::mlir::gpu::ShuffleMode::XOR);
    sum = arith::AddFOp::create(b, sum, shuffle.getShuffleResult());
  }
  return sum;
}

/// Thread i of the warp writes element i.
void GemvKernel::stageSums(ArrayRef<Value> sums) {
  Value mine = reduce(sums.front());
  for (size_t i = 1; i < sums.size(); ++i)
    mine = arith::SelectOp::create(b, isEqual(lane, i), reduce(sums[i]), mine);
  ifElse(b, isLess(lane, constant(b, sums.size())), [&] {
    memref::StoreOp::create(b, mine, shared,
                            ValueRange{warp, quotient(lane, tile.columns),
                                       remainder(lane, tile.columns)});
  });
}
