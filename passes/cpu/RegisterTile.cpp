// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "boostr/passes/cpu/RegisterTile.h"
#include "boostr/passes/cpu/IndexMath.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace mlir::boostr;
using namespace mlir::boostr::cpu;

namespace {

/// Position of row (or column) `index` in panels: which panel, and where in it.
struct PanelPosition {
  Value panel, lane;

  PanelPosition(ImplicitLocOpBuilder &b, Value index, int64_t lanes)
      : panel(arith::DivUIOp::create(b, index, constant(b, lanes))),
        lane(arith::RemUIOp::create(b, index, constant(b, lanes))) {}
};

} // namespace

/// Visits the vectors of the tile in the block of sums, row by row.
static void
forEachVector(ImplicitLocOpBuilder &b, const RegisterTile &tile, Value row,
              Value column,
              llvm::function_ref<void(unsigned, ValueRange)> visit) {
  unsigned number = 0;
  for (int64_t i = 0; i < tile.mr; ++i) {
    Value r = toValue(b, add(b, row, b.getIndexAttr(i)));
    for (int64_t j = 0; j < tile.nr; j += tile.lanes)
      visit(number++, {r, toValue(b, add(b, column, b.getIndexAttr(j)))});
  }
}

/// One step of k: every row's element times every vector of columns.
static SmallVector<Value> multiplyStep(ImplicitLocOpBuilder &b,
                                       const RegisterTile &tile,
                                       const PanelPosition &lhs, Value rhsPanel,
                                       Value k, ValueRange sums,
                                       VectorType vectorType) {
  SmallVector<Value> columns;
  for (int64_t j = 0; j < tile.nr / tile.lanes; ++j) {
    Value panel = toValue(b, add(b, rhsPanel, b.getIndexAttr(j)));
    columns.push_back(vector::LoadOp::create(
        b, vectorType, tile.rhsPanels, ValueRange{panel, k, constant(b, 0)}));
  }
  SmallVector<Value> next;
  for (int64_t i = 0; i < tile.mr; ++i) {
    Value lane = toValue(b, add(b, lhs.lane, b.getIndexAttr(i)));
    Value element = memref::LoadOp::create(b, tile.lhsPanels,
                                           ValueRange{lhs.panel, k, lane});
    Value row = vector::BroadcastOp::create(b, vectorType, element);
    for (Value column : columns)
      next.push_back(vector::FMAOp::create(b, row, column, sums[next.size()]));
  }
  return next;
}

void mlir::boostr::cpu::multiplyTile(ImplicitLocOpBuilder &b,
                                     const RegisterTile &tile, Value row,
                                     Value column, Value numSteps) {
  Type elementType = cast<MemRefType>(tile.sums.getType()).getElementType();
  auto vectorType = VectorType::get({tile.lanes}, elementType);
  PanelPosition lhs(b, row, tile.lanes);
  PanelPosition rhs(b, column, tile.lanes);

  SmallVector<Value> initial;
  forEachVector(b, tile, row, column, [&](unsigned, ValueRange position) {
    initial.push_back(
        vector::LoadOp::create(b, vectorType, tile.sums, position));
  });
  auto loop = scf::ForOp::create(
      b, constant(b, 0), numSteps, constant(b, 1), initial,
      [&](OpBuilder &nested, Location loc, Value k, ValueRange sums) {
        ImplicitLocOpBuilder body(loc, nested);
        scf::YieldOp::create(body, multiplyStep(body, tile, lhs, rhs.panel, k,
                                                sums, vectorType));
      });
  forEachVector(b, tile, row, column, [&](unsigned n, ValueRange position) {
    vector::StoreOp::create(b, loop.getResult(n), tile.sums, position);
  });
}
