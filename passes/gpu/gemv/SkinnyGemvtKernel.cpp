// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "boostr/passes/gpu/gemv/SkinnyGemvtKernel.h"
#include "boostr/passes/cpu/IndexMath.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace mlir::boostr;
using namespace mlir::boostr::cpu;
using namespace mlir::boostr::gemv;

static constexpr const mma::Instruction &kShape = SkinnyGemvtTile::kInstruction;
static constexpr int64_t kThreadSteps = SkinnyGemvtTile::kThreadSteps;

SkinnyGemvtKernel::SkinnyGemvtKernel(ImplicitLocOpBuilder &b,
                                     SegmentedContractionOpInterface op,
                                     const SegmentedContraction &contraction,
                                     const SkinnyGemvtTile &tile,
                                     bool hasOneRowBlock)
    : WarpProductKernel(b, op, contraction, tile, tile.chunk(), kShape.steps,
                        kThreadSteps, hasOneRowBlock),
      tile(tile) {}

/// By pairs of columns, then by rows of lhs.
SmallVector<Value> SkinnyGemvtKernel::createZeros() {
  Value zeros = arith::ConstantOp::create(
      b, b.getZeroAttr(mma::getSumsType(kShape, sumType)));
  return SmallVector<Value>(tile.chunk() / 2 * tile.rows / kShape.columns,
                            zeros);
}

SmallVector<Value> SkinnyGemvtKernel::loadStage(const Lines &lines, Value step,
                                                bool isLhs) {
  if (isLhs)
    return loadChunks(lines, step, kThreadSteps, /*isStreamed=*/false);
  SmallVector<Value> chunks;
  for (int64_t number = 0; number < kThreadSteps; ++number)
    chunks.append(load(lines, plus(step, number), /*isLhs=*/false));
  return chunks;
}

SmallVector<Type> SkinnyGemvtKernel::getStageTypes(const Lines &lines,
                                                   bool isLhs) {
  int64_t count = isLhs ? lines.offsets.size() : kThreadSteps;
  int64_t length = isLhs ? kThreadSteps : tile.chunk();
  return SmallVector<Type>(
      count, VectorType::get({length}, lines.array.getElementType()));
}

void SkinnyGemvtKernel::multiply(ArrayRef<Value> lhs, ArrayRef<Value> rhs,
                                 SmallVector<Value> &sums) {
  Type elementType = getElementTypeOrSelf(lhs.front());
  auto getPair = [&](Value elements, int64_t number) {
    return mma::getPair(b, elements, number);
  };
  // Of each column, the elements of two steps beside each other.
  Value upper = vector::InterleaveOp::create(b, rhs[0], rhs[1]);
  Value lower = vector::InterleaveOp::create(b, rhs[2], rhs[3]);
  auto sum = sums.begin();
  for (int64_t column = 0; column < tile.chunk(); column += 2)
    for (Value row : lhs) {
      *sum =
          mma::emitProduct(b, kShape, elementType,
                           {getPair(upper, column), getPair(upper, column + 1),
                            getPair(lower, column), getPair(lower, column + 1)},
                           {getPair(row, 0), getPair(row, 1)}, *sum);
      ++sum;
    }
}

SmallVector<Value> SkinnyGemvtKernel::accumulateTerm(const TermArrays &term,
                                                     ArrayRef<Value> sums) {
  Value group = quotient(lane, 4);
  SmallVector<Value> places;
  for (int64_t place = 0; place < tile.rows; place += kShape.columns)
    places.push_back(plus(group, place));
  Lines lhs = getLines(term, /*isLhs=*/true, places);
  Lines rhs =
      getLines(term, /*isLhs=*/false, times(group, tile.chunk()), tile.chunk());
  return accumulateSteps(
      lhs, rhs, DimGroup{contraction.k, term.extents}.getSize(b), sums);
}

void SkinnyGemvtKernel::stageSums(ArrayRef<Value> sums) {
  Value column = times(quotient(lane, 4), tile.chunk());
  Value row = times(remainder(lane, 4), 2);
  auto sum = sums.begin();
  for (int64_t j = 0; j < tile.chunk(); j += 2)
    for (int64_t i = 0; i < tile.rows; i += kShape.columns, ++sum)
      for (int64_t number = 0; number < 4; ++number)
        memref::StoreOp::create(b, vector::ExtractOp::create(b, *sum, number),
                                shared,
                                ValueRange{warp, plus(row, i + number % 2),
                                           plus(column, j + number / 2)});
}
