// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A contraction whose rhs was packed ahead of time: panels are multiplied where
// they lie.

#include "boostr/passes/cpu/ContractionEmitter.h"
#include "boostr/passes/cpu/IndexMath.h"
#include "boostr/passes/cpu/RegisterTile.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;
using namespace mlir::boostr;
using namespace mlir::boostr::cpu;

/// Puts the panels in the place of the array that nothing can be loaded from.
void ContractionEmitter::usePackedRhs(PackedArrayOp op) {
  rhsLayout = op.getLayout();
  Value panels = createPanelView(b, op.getPacked(), rhsLayout);
  OpFoldResult firstBlock = b.getIndexAttr(0);
  for (Segment &segment : segments) {
    for (Term &term : segment.terms) {
      term.rhs.flat = panels;
      term.firstPackedBlock = firstBlock;
    }
    Value numColumns = columnsOf(segment.terms.front().extents).getSize(b);
    firstBlock = add(b, firstBlock, ceilDiv(b, numColumns, nc));
  }
}

/// What `accumulate` does, without packing. Panels are multiplied in the order
/// in which they lie.
void ContractionEmitter::accumulatePacked(const Block &block,
                                          const Range &columns,
                                          const Epilogue &epilogue) {
  const SumBlock &sums = epilogue.sums;
  const Term &first = block.segment.terms.front();
  OpFoldResult packedBlock = add(b, first.firstPackedBlock, block.other);
  Value panels = first.rhs.flat;
  Value rows = isTransposed ? columns.length : block.rows.length;
  Value rest = isTransposed ? block.rows.length : columns.length;
  Value numRows = toValue(b, ceilDiv(b, rows, rowFormat.width));
  Value numColumns = toValue(b, ceilDiv(b, rest, columnFormat.width));
  bool areColumnsThere = keepsPackedColumns();
  bool areResultsAskedFor = isTransposed && asksForResults(epilogue);
  auto [begin, end] = getSpanSteps(block.segment);
  forLoop(b, begin, end, [&, end = end](Value number) {
    RegisterTile registerTile =
        getRegisterTile(selectStep(block.segment, number).length, sums, number);
    registerTile.rows = isTransposed ? panels : packed;
    registerTile.columns = isTransposed ? packed : panels;
    registerTile.isLastNarrow = isLastNarrow(block);
    Value lhs = getPackedBlock(block, number);
    Value rhs = getPackedBlockOffset(b, rhsLayout, packedBlock, number);
    Value firstColumn = isTransposed ? lhs : rhs;
    OpFoldResult blockOfSteps = isTransposed ? blockSize : getRhsBlockSize();
    OpFoldResult next = add(b, firstColumn, blockOfSteps);
    Value isLast = arith::CmpIOp::create(
        b, arith::CmpIPredicate::eq,
        toValue(b, add(b, number, b.getIndexAttr(1))), end);
    OpFoldResult nextSize = select(b, isLast, b.getIndexAttr(0), blockOfSteps);
    forLoop(b, numRows, [&](Value row) {
      Value panel = rowFormat.getPanel(b, isTransposed ? rhs : lhs, row);
      registerTile.firstRow = panel;
      // A piece of everything goes with each chunk: many at once hold up the
      // loads.
      multiplyPanel(
          registerTile, sums, row, firstColumn, numColumns,
          [&](ImplicitLocOpBuilder &body, Value column, Value chunk) {
            if (areResultsAskedFor)
              ifElse(body, isLast, [&] {
                prefetchResults(body, epilogue, numColumns, row, column, chunk);
              });
            if (!areColumnsThere)
              prefetchNextColumns(body, registerTile.columns, next, nextSize,
                                  numRows, numColumns, row, column, chunk);
            if (!isTransposed)
              return prefetchPackedRows(body, registerTile, numColumns, column,
                                        chunk);
            OpFoldResult nextPanel =
                add(body, panel, body.getIndexAttr(rowFormat.size()));
            prefetchRowPanel(body, panels, nextPanel, registerTile.numChunks,
                             numColumns, column, chunk);
          });
    });
  });
}

/// Where `count` columns begin from the first of `columns` on; those that are
/// not there take the place of the last.
void ContractionEmitter::fillColumnTable(Value table, const Term &term,
                                         const Range &columns, int64_t count) {
  if (!rhsLayout)
    return fillOffsetTable(b, table, term.rhs, columnsOf(term.extents),
                           columns.start, columns.end, constant(b, count));
  Value last = toValue(b, sub(b, columns.end, b.getIndexAttr(1)));
  Value size = constant(b, nc);
  forLoop(b, b.getIndexAttr(count), [&](Value i) {
    Value column =
        arith::MinUIOp::create(b, toValue(b, add(b, columns.start, i)), last);
    Value block = arith::DivUIOp::create(b, column, size);
    Value place = arith::RemUIOp::create(b, column, size);
    Value offset = getPackedBlockOffset(
        b, rhsLayout, add(b, term.firstPackedBlock, block), b.getIndexAttr(0));
    memref::StoreOp::create(
        b, toValue(b, add(b, offset, rowFormat.getOffset(b, place))), table, i);
  });
}

/// Where `step`, the first of a chunk, lies in a column, from where the column
/// begins.
Value ContractionEmitter::getPieceStart(Value step) {
  if (!rhsLayout)
    return step;
  OpFoldResult blocks =
      mul(b, div(b, step, kc), b.getIndexAttr(rhsLayout.getBlockSize()));
  return toValue(
      b, add(b, blocks,
             mul(b, rem(b, step, kc), b.getIndexAttr(rowFormat.width))));
}

/// Where step `k` of a piece lies from where the piece begins: a vector of
/// steps follows it.
Value ContractionEmitter::getStepInPiece(ImplicitLocOpBuilder &body,
                                         Value k) const {
  if (!rhsLayout)
    return k;
  OpFoldResult inChunk = rem(body, k, rowFormat.chunk());
  OpFoldResult chunks =
      mul(body, sub(body, k, inChunk), body.getIndexAttr(rowFormat.width));
  return toValue(body, add(body, chunks, inChunk));
}
