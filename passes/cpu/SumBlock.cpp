// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "boostr/passes/cpu/SumBlock.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace mlir::boostr::cpu;

Value SumBlock::getTile(ImplicitLocOpBuilder &b, Value tileRow,
                        Value tileColumn) const {
  OpFoldResult number =
      add(b, mul(b, tileRow, b.getIndexAttr(tilesPerRow)), tileColumn);
  return toValue(b, mul(b, number, b.getIndexAttr(tileSize())));
}

Value SumBlock::getOffset(ImplicitLocOpBuilder &b, Value row,
                          Value column) const {
  auto divide = [&](Value index, int64_t size) {
    return arith::DivUIOp::create(b, index, constant(b, size));
  };
  auto modulo = [&](Value index, int64_t size) {
    return arith::RemUIOp::create(b, index, constant(b, size)).getResult();
  };
  Value tile = getTile(b, divide(row, rows), divide(column, columns));
  int64_t together = groupSize();
  OpFoldResult inGroup =
      add(b, mul(b, modulo(row, rows), b.getIndexAttr(together)),
          modulo(column, together));
  OpFoldResult offset = add(b, tile, inGroup);
  if (together == columns)
    return toValue(b, offset);
  Value number = divide(modulo(column, columns), together);
  return toValue(
      b, add(b, offset, mul(b, number, b.getIndexAttr(rows * together))));
}
