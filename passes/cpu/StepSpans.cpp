// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How much of lhs is packed at a time. Usually all steps of some rows are. Of
// so many that there is room for few rows, as in the gradient of a weight for
// very many tokens, spans of steps are packed one after the other, and sums
// are kept meanwhile: those of some blocks of the results, as many as there is
// room for.

#include "boostr/passes/cpu/ContractionEmitter.h"
#include "boostr/passes/cpu/IndexMath.h"
#include "boostr/passes/cpu/NumThreads.h"
#include "boostr/passes/cpu/Scratch.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include <numeric>

using namespace mlir;
using namespace mlir::boostr;
using namespace mlir::boostr::cpu;

/// Rows that there is to be room for with all steps: rhs is packed, or read,
/// for each block of rows.
static constexpr int64_t kMinRows = 384;

/// What the sums that are kept from span to span may take for each thread.
static constexpr int64_t kSumBytes = int64_t(4) << 20;

/// Rows of lhs that a block has at least: a block begins with a whole vector of
/// rows, which are then of one head.
static int64_t getUnit(const PanelFormat &format) {
  return std::lcm(format.width, format.lanes);
}

//===----------------------------------------------------------------------===//
// What is packed at a time
//===----------------------------------------------------------------------===//

/// What `rows` packed rows, of each segment, take for a block of steps.
int64_t ContractionEmitter::countPackedRowBytes(int64_t rows) const {
  const PanelFormat &format = formatOf(/*isLhs=*/true);
  return format.countPanels(llvm::alignTo(rows, getUnit(format))) *
         format.size() * format.elementBytes() *
         (isLhsShared() ? 1 : segments.size());
}

/// What leaves a single thread room for the rest of its scratch.
int64_t ContractionEmitter::getBytesPerThread() const {
  // Tasks that pack rhs may keep it for a run of blocks.
  return int64_t(takesRuns() ? 10 : 14) << 20;
}

/// `packed_bytes`, or what so much for each thread makes.
OpFoldResult ContractionEmitter::countPackedBytes(int64_t perThread) {
  OpFoldResult bytes = b.getIndexAttr(tile.getPackedBytes());
  if (tile.getPackedBytes() <= perThread)
    return bytes;
  return min(b, bytes,
             mul(b, OpFoldResult(getNumThreads(b)), b.getIndexAttr(perThread)));
}

/// False if all steps are known to have room.
bool ContractionEmitter::mayNeedSpans() {
  int64_t steps = 1, rows = 0;
  for (const Segment &segment : segments) {
    std::optional<int64_t> known = getConstantIntValue(countSteps(segment));
    if (!known)
      return true;
    steps = std::max(steps, *known);
    known =
        getConstantIntValue(rowsOf(segment.terms.front().extents).getSize(b));
    rows = std::max(rows, known.value_or(kMinRows));
  }
  return steps * countPackedRowBytes(std::min({rows, kMinRows, mc})) >
         std::min(tile.getPackedBytes(), getBytesPerThread());
}

/// Chooses how many steps are packed at a time, and the rows of a block: mc, or
/// as many as there are or as there is room for.
void ContractionEmitter::planSpans() {
  int64_t unit = getUnit(formatOf(/*isLhs=*/true));
  OpFoldResult rows = max(b, getMaxRows(), b.getIndexAttr(1));
  auto countUnits = [&](OpFoldResult bytes) {
    return div(b, bytes, countPackedRowBytes(unit));
  };
  packedBytes = countPackedBytes(getBytesPerThread());
  spanSteps = numSteps;
  hasSpans = mayNeedSpans();
  if (hasSpans) {
    OpFoldResult least =
        ceilDiv(b, min(b, rows, b.getIndexAttr(std::min(mc, kMinRows))), unit);
    Value fits = arith::CmpIOp::create(b, arith::CmpIPredicate::ule,
                                       toValue(b, mul(b, numSteps, least)),
                                       toValue(b, countUnits(packedBytes)));
    OpFoldResult rest = countPackedBytes(getBytesPerThread() - kSumBytes);
    OpFoldResult steps =
        max(b, div(b, countUnits(rest), least), b.getIndexAttr(1));
    packedBytes = select(b, fits, packedBytes, rest);
    spanSteps = select(b, fits, numSteps, steps);
  }
  OpFoldResult units = min(b, div(b, countUnits(packedBytes), spanSteps),
                           ceilDiv(b, rows, unit));
  rows = mul(b, max(b, units, b.getIndexAttr(1)), b.getIndexAttr(unit));
  blockRows = toValue(b, min(b, rows, b.getIndexAttr(mc)));
  const PanelFormat &format = formatOf(/*isLhs=*/true);
  blockSize =
      mul(b, format.countPanels(b, blockRows), b.getIndexAttr(format.size()));
}

/// The blocks of steps of the segment that are packed: from the first on, up to
/// the second.
std::pair<Value, Value>
ContractionEmitter::getSpanSteps(const Segment &segment) {
  OpFoldResult count = countSteps(segment);
  if (!span)
    return {constant(b, 0), toValue(b, count)};
  OpFoldResult end = add(b, span->first, spanSteps);
  return {toValue(b, min(b, span->first, count)),
          toValue(b, min(b, end, count))};
}

/// Packs rows from `firstRow` on, a span of steps after the other, for as many
/// blocks of results at a time as sums have room for; or all of it at once.
void ContractionEmitter::emitSpans(Value firstRow) {
  if (!hasSpans)
    return emitRows(firstRow, /*products=*/nullptr);
  Scratch scratch(b);
  Value isOne = arith::CmpIOp::create(
      b, arith::CmpIPredicate::eq, toValue(b, spanSteps), toValue(b, numSteps));
  auto allocate = [&](OpFoldResult size) {
    return scratch.allocate(select(b, isOne, b.getIndexAttr(0), size), sumType);
  };
  span.emplace();
  std::optional<NumberedBlocks> products;
  OpFoldResult count = b.getIndexAttr(1), together = count;
  if (segments.front().product) {
    products.emplace(numberProducts(firstRow));
    // One at least, for the sums of lhs.
    count = max(b, products->getCount(), count);
    OpFoldResult size = countSlotSums();
    OpFoldResult room =
        mul(b, OpFoldResult(getNumThreads(b)),
            b.getIndexAttr(kSumBytes * 8 / sumType.getIntOrFloatBitWidth()));
    together = min(b, max(b, div(b, room, size), b.getIndexAttr(1)), count);
    span->sums = allocate(mul(b, together, size));
    together = select(b, isOne, count, together);
  }
  if (segments.front().lhsSum) {
    OpFoldResult blocks = b.getIndexAttr(0);
    for (const Segment &segment : segments)
      blocks = add(b, blocks, countRowBlocks(segment, firstRow));
    span->lhsSums = allocate(mul(b, blocks, OpFoldResult(blockRows)));
  }
  auto emitSpan = [&](Value first) {
    span->first = first;
    span->isFirst = isZero(first);
    span->isLast = arith::CmpIOp::create(b, arith::CmpIPredicate::uge,
                                         toValue(b, add(b, first, spanSteps)),
                                         toValue(b, numSteps));
    emitRows(firstRow, products ? &*products : nullptr);
  };
  auto emitBlocks = [&](Value firstBlock) {
    span->firstBlock = firstBlock;
    OpFoldResult end = products ? products->getCount() : count;
    span->endBlock = toValue(b, min(b, add(b, firstBlock, together), end));
    forLoop(b, b.getIndexAttr(0), numSteps, emitSpan, spanSteps);
  };
  forLoop(b, b.getIndexAttr(0), count, emitBlocks, together);
  span.reset();
}

//===----------------------------------------------------------------------===//
// Sums that are kept
//===----------------------------------------------------------------------===//

Value ContractionEmitter::isZero(Value number) {
  return arith::CmpIOp::create(b, arith::CmpIPredicate::eq, number,
                               constant(b, 0));
}

/// Emits what is done once all steps are added up, and what before.
void ContractionEmitter::ifLastSpan(llvm::function_ref<void()> ifLast,
                                    llvm::function_ref<void()> ifNot) {
  if (!span)
    return ifLast();
  ifElse(b, span->isLast, ifLast, ifNot);
}

/// Sums of a block that there is room for between spans.
OpFoldResult ContractionEmitter::countSlotSums() {
  OpFoldResult rows = b.getIndexAttr(nc);
  if (!isTransposed)
    rows = blockRows;
  return mul(b, ceilDiv(b, rows, rowFormat.width),
             b.getIndexAttr(getSumRowSize()));
}

/// Copies the sums of the block from where they are kept, or to there.
void ContractionEmitter::copySums(const Block &block, const SumBlock &sums,
                                  Value rows, bool isLoad) {
  OpFoldResult place =
      mul(b, sub(b, block.number, span->firstBlock), countSlotSums());
  OpFoldResult count =
      mul(b, ceilDiv(b, rows, sums.rows), b.getIndexAttr(getSumRowSize()));
  auto type = VectorType::get({lanes}, sumType);
  forLoop(
      b, count,
      [&](Value i) {
        Value from = sums.memory, to = span->sums;
        Value source = i, destination = toValue(b, add(b, place, i));
        if (isLoad) {
          std::swap(from, to);
          std::swap(source, destination);
        }
        Value loaded =
            vector::LoadOp::create(b, type, from, ValueRange{source});
        vector::StoreOp::create(b, loaded, to, ValueRange{destination});
      },
      /*step=*/lanes);
}

/// Where the sum of a packed row is kept.
Value ContractionEmitter::getLhsSum(const Block &block, Value row) {
  return toValue(b, add(b, mul(b, block.packedRows, blockRows), row));
}

/// What the sum of a row begins with.
Value ContractionEmitter::loadLhsSum(const Block &block, Value row,
                                     Value zero) {
  if (!span)
    return zero;
  auto choice = scf::IfOp::create(
      b, span->isFirst,
      [&](OpBuilder &nested, Location loc) {
        scf::YieldOp::create(nested, loc, zero);
      },
      [&](OpBuilder &nested, Location loc) {
        OpBuilder::InsertionGuard guard(b);
        b.setInsertionPoint(nested.getInsertionBlock(),
                            nested.getInsertionPoint());
        Value sum =
            memref::LoadOp::create(b, span->lhsSums, getLhsSum(block, row));
        scf::YieldOp::create(b, sum);
      });
  return choice.getResult(0);
}

/// Keeps the sum of a row, or emits `finish` once it is complete.
void ContractionEmitter::saveLhsSum(const Block &block, Value row, Value sum,
                                    llvm::function_ref<void()> finish) {
  ifLastSpan(finish, [&] {
    memref::StoreOp::create(b, sum, span->lhsSums, getLhsSum(block, row));
  });
}
