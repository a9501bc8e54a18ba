// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "boostr/passes/cpu/Epilogue.h"
#include "boostr/passes/cpu/IndexMath.h"
#include "boostr/passes/cpu/StorePairs.h"
#include "boostr/passes/cpu/TransposeSquare.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace mlir::boostr;
using namespace mlir::boostr::cpu;

/// Where element (row, column) of the block lies in `array`.
static Value getOffset(ImplicitLocOpBuilder &b, const EpilogueArray &array,
                       Value row, Value column) {
  OpFoldResult offset = b.getIndexAttr(0);
  if (array.rowOffsets)
    offset = memref::LoadOp::create(b, array.rowOffsets, row).getResult();
  if (array.columnOffsets) {
    Value columnOffset = memref::LoadOp::create(b, array.columnOffsets, column);
    offset = add(b, offset, columnOffset);
  }
  return toValue(b, offset);
}

/// Loads one element, or `lanes` of them if `vectorize`, and converts.
static Value load(ImplicitLocOpBuilder &b, const EpilogueArray &array,
                  Value row, Value column, int64_t lanes, bool vectorize,
                  Type sumType) {
  Value offset = getOffset(b, array, row, column);
  Type sumElement = getElementTypeOrSelf(sumType);
  if (!vectorize || !array.columnOffsets) {
    Value element = memref::LoadOp::create(b, array.array.flat, offset);
    Value converted = convertFloat(b, element, sumElement);
    return vectorize ? vector::BroadcastOp::create(b, sumType, converted)
                     : converted;
  }
  auto type = VectorType::get({lanes}, array.array.getElementType());
  Value loaded =
      vector::LoadOp::create(b, type, array.array.flat, ValueRange{offset});
  return convertFloat(b, loaded, sumElement);
}

void mlir::boostr::cpu::storeSum(ImplicitLocOpBuilder &b,
                                 const Epilogue &epilogue, Value sum, Value row,
                                 Value column) {
  bool vectorize = isa<VectorType>(sum.getType());
  for (const EpilogueArray &addend : epilogue.addends)
    sum = arith::AddFOp::create(
        b, sum,
        load(b, addend, row, column, epilogue.lanes, vectorize, sum.getType()));
  const EpilogueArray &result = epilogue.result;
  Value rounded = convertFloat(b, sum, result.array.getElementType());
  Value offset = ::getOffset(b, result, row, column);
  if (vectorize)
    vector::StoreOp::create(b, rounded, result.array.flat, ValueRange{offset});
  else
    memref::StoreOp::create(b, rounded, result.array.flat, offset);
}

namespace {

/// Emits the way out of one block.
class BlockStorer {
public:
  BlockStorer(ImplicitLocOpBuilder &b, const Epilogue &epilogue, Value firstRow,
              Value endRow)
      : b(b), epilogue(epilogue), firstRow(firstRow), endRow(endRow),
        sumType(getElementTypeOrSelf(epilogue.sums.memory)),
        vectorType(VectorType::get({epilogue.lanes}, sumType)) {}

  void store();

private:
  void storeRows(Value endColumn);
  void storeSquare(Value row, Value column);
  void storeSquares(Value endColumn);
  void storeElement(Value row, Value column);
  void finish(Value sum, Value row, Value column) {
    storeSum(b, epilogue, sum, row, column);
  }
  Value getSumOffset(Value row, Value column) {
    return epilogue.isTransposed ? epilogue.sums.getOffset(b, column, row)
                                 : epilogue.sums.getOffset(b, row, column);
  }
  Value loadSums(Value row, Value column) {
    return vector::LoadOp::create(b, vectorType, epilogue.sums.memory,
                                  ValueRange{getSumOffset(row, column)});
  }

  ImplicitLocOpBuilder &b;
  const Epilogue &epilogue;
  Value firstRow, endRow;
  Type sumType;
  VectorType vectorType;
};

} // namespace

void BlockStorer::storeElement(Value row, Value column) {
  Value sum = memref::LoadOp::create(b, epilogue.sums.memory,
                                     getSumOffset(row, column));
  finish(sum, row, column);
}

/// Vectors of columns, as they lie.
void BlockStorer::storeRows(Value endColumn) {
  forLoop(b, firstRow, endRow, [&](Value row) {
    forLoop(
        b, endColumn,
        [&](Value column) { finish(loadSums(row, column), row, column); },
        /*step=*/epilogue.lanes);
  });
}

/// A square of vectors of rows, transposed: a whole one leaves as it is, of one
/// at the end only the rows that there are, from where it lay.
void BlockStorer::storeSquare(Value row, Value column) {
  int64_t lanes = epilogue.lanes;
  SmallVector<Value> square, places;
  for (int64_t i = 0; i < lanes; ++i) {
    Value member = toValue(b, add(b, column, b.getIndexAttr(i)));
    places.push_back(getSumOffset(row, member));
    square.push_back(vector::LoadOp::create(b, vectorType, epilogue.sums.memory,
                                            ValueRange{places.back()}));
  }
  transposeSquare(b, square);
  Value rest = toValue(b, sub(b, endRow, row));
  Value isWhole = arith::CmpIOp::create(b, arith::CmpIPredicate::uge, rest,
                                        constant(b, lanes));
  ifElse(
      b, isWhole,
      [&] {
        for (auto [i, vector] : llvm::enumerate(square))
          finish(vector, toValue(b, add(b, row, b.getIndexAttr(i))), column);
      },
      [&] {
        for (auto [vector, place] : llvm::zip_equal(square, places))
          vector::StoreOp::create(b, vector, epilogue.sums.memory,
                                  ValueRange{place});
        forLoop(b, rest, [&](Value i) {
          Value member = toValue(b, add(b, column, i));
          finish(loadSums(row, member), toValue(b, add(b, row, i)), column);
        });
      });
}

/// Vectors of rows.
void BlockStorer::storeSquares(Value endColumn) {
  forLoop(
      b, firstRow, endRow,
      [&](Value row) {
        forLoop(
            b, endColumn, [&](Value column) { storeSquare(row, column); },
            /*step=*/epilogue.lanes);
      },
      /*step=*/epilogue.lanes);
}

void BlockStorer::store() {
  Value wholeColumns = constant(b, 0);
  if (epilogue.isContiguous) {
    wholeColumns = epilogue.numColumns;
    if (!epilogue.isWhole)
      wholeColumns =
          toValue(b, sub(b, epilogue.numColumns,
                         rem(b, epilogue.numColumns, epilogue.lanes)));
    if (epilogue.isTransposed)
      storeSquares(wholeColumns);
    else
      storeRows(wholeColumns);
    if (epilogue.isWhole)
      return;
  }
  forLoop(b, firstRow, endRow, [&](Value row) {
    forLoop(b, wholeColumns, epilogue.numColumns,
            [&](Value column) { storeElement(row, column); });
  });
}

void mlir::boostr::cpu::storeBlock(ImplicitLocOpBuilder &b,
                                   const Epilogue &epilogue, Value firstRow,
                                   Value endRow) {
  if (epilogue.storesPairs)
    return storePairs(b, epilogue, firstRow, endRow);
  BlockStorer(b, epilogue, firstRow, endRow).store();
}
