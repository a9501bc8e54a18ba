// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "boostr/passes/gpu/gemv/SkinnyKernel.h"
#include "boostr/passes/cpu/IndexMath.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace mlir::boostr;
using namespace mlir::boostr::cpu;
using namespace mlir::boostr::gemv;

static constexpr const mma::Instruction &kShape = SkinnyTile::kInstruction;

SkinnyKernel::SkinnyKernel(ImplicitLocOpBuilder &b,
                           SegmentedContractionOpInterface op,
                           const SegmentedContraction &contraction,
                           const SkinnyTile &tile, bool hasOneRowBlock)
    : WarpProductKernel(b, op, contraction, tile, SkinnyTile::kChunk,
                        SkinnyTile::kSteps, SkinnyTile::kChunk, hasOneRowBlock),
      tile(tile) {}

SmallVector<Value> SkinnyKernel::createZeros() {
  Value zeros = arith::ConstantOp::create(
      b, b.getZeroAttr(mma::getSumsType(kShape, sumType)));
  return SmallVector<Value>(
      tile.columns / kShape.rows * tile.rows / kShape.columns, zeros);
}

/// A thread's 8 steps are the pairs of two instructions.
void SkinnyKernel::multiply(ArrayRef<Value> lhs, ArrayRef<Value> rhs,
                            SmallVector<Value> &sums) {
  Type elementType = getElementTypeOrSelf(lhs.front());
  auto getPair = [&](Value chunk, int64_t number) {
    return mma::getPair(b, chunk, number);
  };
  for (int64_t pair = 0; pair < SkinnyTile::kChunk / 2; pair += 2) {
    auto sum = sums.begin();
    for (size_t column = 0; column < rhs.size(); column += 2)
      for (Value row : lhs) {
        Value upper = rhs[column], lower = rhs[column + 1];
        *sum = mma::emitProduct(
            b, kShape, elementType,
            {getPair(upper, pair), getPair(lower, pair),
             getPair(upper, pair + 1), getPair(lower, pair + 1)},
            {getPair(row, pair), getPair(row, pair + 1)}, *sum);
        ++sum;
      }
  }
}

SmallVector<Value> SkinnyKernel::loadStage(const Lines &lines, Value step,
                                           bool isLhs) {
  return load(lines, step, isLhs);
}

SmallVector<Type> SkinnyKernel::getStageTypes(const Lines &lines, bool) {
  return SmallVector<Type>(
      lines.offsets.size(),
      VectorType::get({SkinnyTile::kChunk}, lines.array.getElementType()));
}

SmallVector<Value> SkinnyKernel::accumulateTerm(const TermArrays &term,
                                                ArrayRef<Value> sums) {
  Value group = quotient(lane, 4);
  auto getPlaces = [&](int64_t count) {
    return llvm::map_to_vector(
        llvm::seq(count / 8),
        [&](int64_t number) -> Value { return plus(group, number * 8); });
  };
  Lines lhs = getLines(term, /*isLhs=*/true, getPlaces(tile.rows));
  Lines rhs = getLines(term, /*isLhs=*/false, getPlaces(tile.columns));
  return accumulateSteps(
      lhs, rhs, DimGroup{contraction.k, term.extents}.getSize(b), sums);
}

/// Columns of the result are rows of the instruction.
void SkinnyKernel::stageSums(ArrayRef<Value> sums) {
  Value group = quotient(lane, 4), row = times(remainder(lane, 4), 2);
  auto sum = sums.begin();
  for (int64_t j = 0; j < tile.columns; j += kShape.rows)
    for (int64_t i = 0; i < tile.rows; i += kShape.columns, ++sum)
      for (int64_t number = 0; number < 4; ++number)
        memref::StoreOp::create(b, vector::ExtractOp::create(b, *sum, number),
                                shared,
                                ValueRange{warp, plus(row, i + number % 2),
                                           plus(group, j + number / 2 * 8)});
}
