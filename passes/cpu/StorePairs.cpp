// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "boostr/passes/cpu/StorePairs.h"
#include "boostr/passes/cpu/IndexMath.h"
#include "boostr/passes/cpu/TransposeSquare.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace mlir::boostr;
using namespace mlir::boostr::cpu;

namespace {

/// Emits the way out of `lanes` rows by two times as many columns.
class PairStorer {
public:
  PairStorer(ImplicitLocOpBuilder &b, const Epilogue &epilogue, Value endRow)
      : b(b), epilogue(epilogue), endRow(endRow), lanes(epilogue.lanes),
        floats(VectorType::get({lanes}, b.getF32Type())),
        halves(VectorType::get({2 * lanes}, b.getBF16Type())) {}

  void store(Value row, Value column);

private:
  using Vectors = SmallVector<Value>;

  Value toFloats(Value vector) {
    return vector::BitCastOp::create(b, floats, vector);
  }
  Value loadTable(Value table, Value row, int64_t offset = 0) {
    return memref::LoadOp::create(b, table, plus(row, offset));
  }
  Value plus(Value x, int64_t y) {
    return toValue(b, add(b, x, b.getIndexAttr(y)));
  }
  Value getPlace(int64_t column) {
    return plus(firstSum, column * epilogue.sums.groupSize());
  }
  Vectors loadSums();
  void addToColumns(const EpilogueArray &addend, Value column, Vectors &sums);
  void addToElements(const EpilogueArray &addend, Value row, Value column,
                     Vectors &sums);

  ImplicitLocOpBuilder &b;
  const Epilogue &epilogue;
  Value endRow, firstSum;
  int64_t lanes;
  VectorType floats, halves;
};

} // namespace

/// The sums of each column.
PairStorer::Vectors PairStorer::loadSums() {
  Vectors sums;
  for (int64_t i = 0; i < 2 * lanes; ++i)
    sums.push_back(vector::LoadOp::create(b, floats, epilogue.sums.memory,
                                          ValueRange{getPlace(i)}));
  return sums;
}

/// Adds what is the same for all rows.
void PairStorer::addToColumns(const EpilogueArray &addend, Value column,
                              Vectors &sums) {
  Value offset = loadTable(addend.columnOffsets, column);
  for (auto [i, sum] : llvm::enumerate(sums)) {
    Value element =
        memref::LoadOp::create(b, addend.array.flat, plus(offset, int64_t(i)));
    Value broadcast = vector::BroadcastOp::create(
        b, floats, convertFloat(b, element, b.getF32Type()));
    sum = arith::AddFOp::create(b, sum, broadcast);
  }
}

/// Adds an array of rows and columns, which is transposed in pairs. Rows past
/// the end repeat the last.
void PairStorer::addToElements(const EpilogueArray &addend, Value row,
                               Value column, Vectors &sums) {
  Value columnOffset = loadTable(addend.columnOffsets, column);
  Value last = plus(endRow, -1);
  Vectors pairs;
  for (int64_t i = 0; i < lanes; ++i) {
    Value member = arith::MinUIOp::create(b, plus(row, i), last);
    Value offset =
        toValue(b, add(b, loadTable(addend.rowOffsets, member), columnOffset));
    pairs.push_back(toFloats(vector::LoadOp::create(
        b, halves, addend.array.flat, ValueRange{offset})));
  }
  transposeSquare(b, pairs);
  for (auto [i, pair] : llvm::enumerate(pairs)) {
    auto [first, second] = splitPairs(b, pair);
    sums[2 * i] = arith::AddFOp::create(b, sums[2 * i], first);
    sums[2 * i + 1] = arith::AddFOp::create(b, sums[2 * i + 1], second);
  }
}

void PairStorer::store(Value row, Value column) {
  // A panel of rows of sums has whole pairs of squares.
  firstSum = epilogue.sums.getOffset(b, column, row);
  Vectors sums = loadSums();
  for (const EpilogueArray &addend : epilogue.addends) {
    if (addend.rowOffsets)
      addToElements(addend, row, column, sums);
    else
      addToColumns(addend, column, sums);
  }
  Vectors pairs;
  for (int64_t i = 0; i < lanes; ++i)
    pairs.push_back(joinPairs(b, sums[2 * i], sums[2 * i + 1]));
  transposeSquare(b, pairs);
  // They take the place of sums, since there may be fewer rows to store.
  for (auto [i, pair] : llvm::enumerate(pairs))
    vector::StoreOp::create(b, pair, epilogue.sums.memory,
                            ValueRange{getPlace(int64_t(i))});
  const EpilogueArray &result = epilogue.result;
  Value columnOffset = loadTable(result.columnOffsets, column);
  Value rest = toValue(b, min(b, sub(b, endRow, row), b.getIndexAttr(lanes)));
  forLoop(b, rest, [&](Value i) {
    Value place =
        toValue(b, add(b, firstSum,
                       mul(b, i, b.getIndexAttr(epilogue.sums.groupSize()))));
    Value stored = vector::LoadOp::create(b, floats, epilogue.sums.memory,
                                          ValueRange{place});
    Value rowOffset = loadTable(result.rowOffsets, toValue(b, add(b, row, i)));
    vector::StoreOp::create(
        b, vector::BitCastOp::create(b, halves, stored), result.array.flat,
        ValueRange{toValue(b, add(b, rowOffset, columnOffset))});
  });
}

void mlir::boostr::cpu::storePairs(ImplicitLocOpBuilder &b,
                                   const Epilogue &epilogue, Value firstRow,
                                   Value endRow) {
  PairStorer storer(b, epilogue, endRow);
  forLoop(
      b, firstRow, endRow,
      [&](Value row) {
        forLoop(
            b, epilogue.numColumns,
            [&](Value column) { storer.store(row, column); },
            /*step=*/2 * epilogue.lanes);
      },
      /*step=*/epilogue.lanes);
}
