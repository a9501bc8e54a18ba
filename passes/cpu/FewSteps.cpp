// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Few steps of k, as in the gradient of a weight for few tokens: writing the
// result takes all of the time. Neither is rhs packed, nor are steps filled up
// to whole chunks, nor sums kept: they go from registers to where they belong.

#include "boostr/passes/cpu/ContractionEmitter.h"
#include "boostr/passes/cpu/IndexMath.h"
#include "boostr/passes/cpu/Scratch.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace mlir::boostr;
using namespace mlir::boostr::cpu;

/// The most steps, which are to fit a block. AMX makes up for filling them up
/// sooner.
static constexpr int64_t kMaxSteps = 16, kMaxAmxSteps = 8;

/// Rows of which sums are made at once, with some vectors of columns.
static constexpr int64_t kRows = 2;

/// Rows and columns of a task. Rhs of these columns stays in the first-level
/// cache.
static constexpr int64_t kTaskRows = 64, kTaskColumns = 1024;

static int64_t getMaxFewSteps(CpuKernel kernel) {
  return kernel == CpuKernel::Amx ? kMaxAmxSteps : kMaxSteps;
}

/// True if there is to be code for few steps: columns of rhs and of all that is
/// written or added follow each other.
bool ContractionEmitter::canTakeFewSteps() {
  auto fits = [&](const Segment &segment) {
    if (segment.terms.size() != 1 || !segment.product)
      return false;
    std::optional<int64_t> steps =
        getConstantIntValue(stepsOf(segment.terms.front().extents).getSize(b));
    return steps.value_or(0) <= getMaxFewSteps(tile.getKernel());
  };
  return !tile.getFewRows().empty() && !isTransposed && !rhsLayout &&
         kc >= kMaxSteps && contraction.n.size() == 1 &&
         llvm::all_of(segments, fits) && isEpilogueContiguous() &&
         getStrategy(/*isLhs=*/false, columnFormat) == PackStrategy::AlongRows;
}

/// Emits code for few steps, and what `emitMore` emits for more.
void ContractionEmitter::emitFewStepsOr(Value firstRow,
                                        llvm::function_ref<void()> emitMore) {
  if (!canTakeFewSteps())
    return emitMore();
  Value steps = getMost(0, [&](const Segment &segment) {
    return stepsOf(segment.terms.front().extents).getSize(b);
  });
  Value isFew =
      arith::CmpIOp::create(b, arith::CmpIPredicate::ule, steps,
                            constant(b, getMaxFewSteps(tile.getKernel())));
  ifElse(b, isFew, [&] { emitFewSteps(firstRow); }, emitMore);
}

/// Multiplies the packed rows from `firstRow` on.
void ContractionEmitter::emitFewSteps(Value firstRow) {
  int64_t parts = llvm::divideCeil(mc, kTaskRows);
  NumberedBlocks blocks(
      b, segments,
      [&](const Segment &segment) { return countRowBlocks(segment, firstRow); },
      [&](const Segment &segment) {
        Value size = columnsOf(segment.terms.front().extents).getSize(b);
        return mul(b, ceilDiv(b, size, kTaskColumns), b.getIndexAttr(parts));
      });
  emitTasks(blocks.getCount(), countWork(/*isProduct=*/true), [&](Value task) {
    Block block = selectBlock(blocks, firstRow, task);
    Value first = toValue(
        b, mul(b, rem(b, block.other, parts), b.getIndexAttr(kTaskRows)));
    Value exists = arith::CmpIOp::create(b, arith::CmpIPredicate::ult, first,
                                         block.rows.length);
    ifElse(b, exists, [&] {
      Value number = toValue(b, div(b, block.other, parts));
      multiplyFewSteps(block, first, number);
    });
  });
}

/// Rows of the block from `firstRow` on, and block `number` of columns.
void ContractionEmitter::multiplyFewSteps(const Block &block, Value firstRow,
                                          Value number) {
  Scratch scratch(b);
  const Term &term = block.segment.terms.front();
  Range columns = getRange(number, kTaskColumns, constant(b, 0),
                           columnsOf(term.extents).getSize(b));
  Range rows = block.rows;
  rows.start = toValue(b, add(b, rows.start, firstRow));
  rows.length = toValue(
      b, min(b, sub(b, rows.length, firstRow), b.getIndexAttr(kTaskRows)));
  FewSteps few;
  addArrays(scratch, *block.segment.product, term.extents, {rows, kTaskRows},
            BoundedRange{columns, kTaskColumns}, few.epilogue);
  DimGroup steps = stepsOf(term.extents);
  few.numSteps = steps.getSize(b);
  few.offsets = scratch.allocate(kMaxSteps, b.getIndexType());
  fillOffsetTable(b, few.offsets, term.rhs, steps, constant(b, 0), few.numSteps,
                  few.numSteps);
  few.rhs = term.rhs.flat;
  few.firstColumn = columns.start;
  few.lhs = getPackedBlock(block, constant(b, 0));
  few.firstRow = firstRow;

  int64_t width = columnFormat.width;
  Value wholeRows = toValue(b, sub(b, rows.length, rem(b, rows.length, kRows)));
  Value wholeColumns =
      toValue(b, sub(b, columns.length, rem(b, columns.length, width)));
  auto multiplyRows = [&](Value row) {
    forLoop(
        b, wholeColumns,
        [&](Value column) {
          multiplySteps(few, row, kRows, column, width / lanes);
        },
        /*step=*/width);
  };
  forLoop(b, b.getIndexAttr(0), wholeRows, multiplyRows, /*step=*/kRows);
  // What is left, one by one: columns of these rows, and other rows.
  forLoop(b, rows.length, [&](Value row) {
    Value isWhole =
        arith::CmpIOp::create(b, arith::CmpIPredicate::ult, row, wholeRows);
    Value first =
        arith::SelectOp::create(b, isWhole, wholeColumns, constant(b, 0));
    forLoop(b, first, columns.length, [&](Value column) {
      multiplySteps(few, row, 1, column, /*vectors=*/0);
    });
  });
}

/// Sums of `numRows` rows from `row` on and `vectors` vectors of columns from
/// `column` on, or of that column alone if there are none.
void ContractionEmitter::multiplySteps(const FewSteps &few, Value row,
                                       int64_t numRows, Value column,
                                       int64_t vectors) {
  Type type = vectors > 0 ? Type(VectorType::get({lanes}, sumType)) : sumType;
  int64_t perRow = std::max<int64_t>(vectors, 1);
  SmallVector<Value> starts;
  for (int64_t i = 0; i < numRows; ++i) {
    OpFoldResult member = add(b, add(b, few.firstRow, row), b.getIndexAttr(i));
    starts.push_back(rowFormat.getOffset(b, toValue(b, member)));
  }
  Value zero =
      arith::ConstantOp::create(b, cast<TypedAttr>(b.getZeroAttr(type)));
  OpFoldResult first = add(b, few.firstColumn, column);
  auto load = [&](ImplicitLocOpBuilder &body, Value place) {
    Value loaded;
    if (vectors == 0)
      loaded = memref::LoadOp::create(body, few.rhs, place);
    else
      loaded = vector::LoadOp::create(
          body, VectorType::get({lanes}, getElementTypeOrSelf(few.rhs)),
          few.rhs, ValueRange{place});
    return convertFloat(body, loaded, sumType);
  };
  auto loop = scf::ForOp::create(
      b, constant(b, 0), few.numSteps, constant(b, 1),
      SmallVector<Value>(numRows * perRow, zero),
      [&](OpBuilder &nested, Location loc, Value k, ValueRange carried) {
        ImplicitLocOpBuilder body(loc, nested);
        OpFoldResult place =
            add(body, memref::LoadOp::create(body, few.offsets, k).getResult(),
                first);
        SmallVector<Value> columns, next;
        for (int64_t j = 0; j < perRow; ++j)
          columns.push_back(load(
              body,
              toValue(body, add(body, place, body.getIndexAttr(j * lanes)))));
        for (Value start : starts) {
          Value factor = loadLhs(body, few.lhs, start, k);
          if (vectors > 0)
            factor = vector::BroadcastOp::create(body, type, factor);
          for (Value column : columns)
            next.push_back(math::FmaOp::create(body, factor, column,
                                               carried[next.size()]));
        }
        scf::YieldOp::create(body, next);
      });
  for (auto [place, sum] : llvm::enumerate(loop.getResults())) {
    Value there = toValue(
        b, add(b, column, b.getIndexAttr(int64_t(place) % perRow * lanes)));
    Value member =
        toValue(b, add(b, row, b.getIndexAttr(int64_t(place) / perRow)));
    storeSum(b, few.epilogue, sum, member, there);
  }
}
