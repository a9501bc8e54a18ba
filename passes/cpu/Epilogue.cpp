// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "boostr/passes/cpu/Epilogue.h"
#include "boostr/passes/cpu/IndexMath.h"
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

/// Stores one element of the block, or `lanes` of them if `vectorize`.
static void storeElements(ImplicitLocOpBuilder &b, const Epilogue &epilogue,
                          Value row, Value column, bool vectorize) {
  Type elementType = getElementTypeOrSelf(epilogue.sums.getType());
  Value sum;
  if (vectorize)
    sum = vector::LoadOp::create(b,
                                 VectorType::get({epilogue.lanes}, elementType),
                                 epilogue.sums, ValueRange{row, column});
  else
    sum = memref::LoadOp::create(b, epilogue.sums, ValueRange{row, column});
  for (const EpilogueArray &addend : epilogue.addends)
    sum = arith::AddFOp::create(
        b, sum,
        load(b, addend, row, column, epilogue.lanes, vectorize, sum.getType()));
  const EpilogueArray &result = epilogue.result;
  Value rounded = convertFloat(b, sum, result.array.getElementType());
  Value offset = getOffset(b, result, row, column);
  if (vectorize)
    vector::StoreOp::create(b, rounded, result.array.flat, ValueRange{offset});
  else
    memref::StoreOp::create(b, rounded, result.array.flat, offset);
}

void mlir::boostr::cpu::storeBlock(ImplicitLocOpBuilder &b,
                                   const Epilogue &epilogue) {
  Value wholeColumns = constant(b, 0);
  if (epilogue.isContiguous) {
    Value rest = arith::RemUIOp::create(b, epilogue.numColumns,
                                        constant(b, epilogue.lanes));
    wholeColumns = toValue(b, sub(b, epilogue.numColumns, rest));
  }
  forLoop(b, epilogue.numRows, [&](Value row) {
    if (epilogue.isContiguous)
      forLoop(
          b, wholeColumns,
          [&](Value column) {
            storeElements(b, epilogue, row, column, /*vectorize=*/true);
          },
          /*step=*/epilogue.lanes);
    forLoop(b, wholeColumns, epilogue.numColumns, [&](Value column) {
      storeElements(b, epilogue, row, column, /*vectorize=*/false);
    });
  });
}
