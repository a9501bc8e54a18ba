// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "boostr/passes/cpu/PackPanels.h"
#include "boostr/passes/cpu/IndexMath.h"
#include "boostr/passes/cpu/TransposeSquare.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include <numeric>

using namespace mlir;
using namespace mlir::boostr;
using namespace mlir::boostr::cpu;

OpFoldResult PanelFormat::countPanels(ImplicitLocOpBuilder &b,
                                      OpFoldResult extent) const {
  auto alignTo = [&](OpFoldResult number, int64_t multiple) {
    return mul(b, ceilDiv(b, number, multiple), b.getIndexAttr(multiple));
  };
  return ceilDiv(b, alignTo(alignTo(extent, width), lanes), width);
}

Value PanelFormat::getOffset(ImplicitLocOpBuilder &b, Value index) const {
  Value panel = arith::DivUIOp::create(b, index, constant(b, width));
  Value place = arith::RemUIOp::create(b, index, constant(b, width));
  int64_t stride = side == PanelSide::Rows ? chunk() : stepsPerLane;
  return toValue(b, add(b, mul(b, panel, b.getIndexAttr(size())),
                        mul(b, place, b.getIndexAttr(stride))));
}

Value PanelFormat::getPanel(ImplicitLocOpBuilder &b, OpFoldResult first,
                            Value number) const {
  return toValue(b, add(b, first, mul(b, number, b.getIndexAttr(size()))));
}

Value PackSource::getStepOffset(ImplicitLocOpBuilder &b, Value k) const {
  if (kOffsets)
    return memref::LoadOp::create(b, kOffsets, k);
  return toValue(b, add(b, firstStep, mul(b, k, stepStride)));
}

PackStrategy mlir::boostr::cpu::choosePackStrategy(const StridedArray &array,
                                                   const DimGroup &rows,
                                                   const DimGroup &k,
                                                   const PanelFormat &format) {
  if (isContiguousInChunks(array, rows, format.lanes))
    return PackStrategy::AlongRows;
  if (isContiguousInChunks(array, k, format.chunk()))
    return PackStrategy::AlongK;
  return PackStrategy::Gather;
}

int64_t mlir::boostr::cpu::countTogether(const StridedArray &array,
                                         const DimGroup &rows,
                                         const PanelFormat &format) {
  for (int64_t count : {2 * format.lanes, format.lanes})
    if (isContiguousInChunks(array, rows, count))
      return count;
  return 1;
}

namespace {

/// Emits the packing of one block, in groups of as many rows as a vector has
/// lanes, whatever the width of the panels.
class Packer {
public:
  Packer(ImplicitLocOpBuilder &b, const PackSource &source,
         const PanelFormat &format, Value panels, Value base)
      : b(b), source(source), format(format), panels(panels), base(base),
        begin(source.beginStep ? source.beginStep : constant(b, 0)),
        end(source.endStep ? source.endStep : source.numSteps),
        lanes(format.lanes), pair(format.stepsPerLane) {}

  void pack();

private:
  void packRows();
  void packSquare(Value row, Value k);
  void packSquares();
  int64_t getColumnsTogether() const;
  void packColumns();
  void gather(Value row, Value count, Value firstStep);
  void gather(Value row, Value firstStep) {
    gather(row, countRows(row), firstStep);
  }
  void gatherRest(Value row, Value count, Value endStep);
  void gatherStep(Value row, Value rowOffset, Value place, Value k,
                  bool isZero);

  /// Where `row` of the block begins in the panels.
  Value getPlace(Value row) {
    Value index = arith::SubIOp::create(b, row, source.firstRow);
    return toValue(b, add(b, base, format.getOffset(b, index)));
  }
  Value getRowOffset(Value row) {
    return memref::LoadOp::create(b, source.rowOffsets, row);
  }
  Value loadVector(Value rowOffset, Value k, int64_t length);
  Value loadAlongRows(Value rowOffset, Value k, int64_t count);
  void store(Value vector, Value offset) {
    vector::StoreOp::create(b, vector, panels, ValueRange{offset});
  }
  void transpose(MutableArrayRef<Value> lanesOfRows);
  Value getSumPlace(Value row);
  void addToSum(Value sum, Value row);
  void addToSums(ArrayRef<Value> square, Value row);

  /// Rows of the group that begins with `row` and are to be filled.
  Value countRows(Value row) {
    return toValue(b,
                   min(b, sub(b, source.endFill, row), b.getIndexAttr(lanes)));
  }
  /// Steps up to the end of the last chunk, if the last step is among them.
  Value getFilledSteps() {
    Value filled = toValue(b, mul(b, ceilDiv(b, end, format.chunk()),
                                  b.getIndexAttr(format.chunk())));
    if (!source.endStep)
      return filled;
    Value isLast = arith::CmpIOp::create(b, arith::CmpIPredicate::eq, end,
                                         source.numSteps);
    return arith::SelectOp::create(b, isLast, filled, end);
  }
  /// Where the chunk that begins with step `k` lies, relative to its row's
  /// place.
  Value getChunkOffset(Value k) {
    return toValue(b, mul(b, k, b.getIndexAttr(format.width)));
  }

  /// How far ahead vectors of columns are asked for.
  static constexpr int64_t kStepsAhead = 4;
  ImplicitLocOpBuilder &b;
  const PackSource &source;
  const PanelFormat &format;
  Value panels, base;
  /// The steps to pack.
  Value begin, end;
  int64_t lanes, pair;
};

} // namespace

/// `length` elements from the row's offset and that of step `k` on, converted.
Value Packer::loadVector(Value rowOffset, Value k, int64_t length) {
  Value kOffset = source.getStepOffset(b, k);
  auto type = VectorType::get({length}, source.array.getElementType());
  Value offset = toValue(b, add(b, rowOffset, kOffset));
  Value loaded =
      vector::LoadOp::create(b, type, source.array.flat, ValueRange{offset});
  return convertFloat(b, loaded, format.elementType);
}

/// One vector with a lane for each of `count` rows: of step `k`, or of it and
/// the next.
Value Packer::loadAlongRows(Value rowOffset, Value k, int64_t count) {
  Value first = loadVector(rowOffset, k, count);
  if (pair == 1)
    return first;
  Value next = toValue(b, add(b, k, b.getIndexAttr(1)));
  return vector::InterleaveOp::create(b, first,
                                      loadVector(rowOffset, next, count));
}

/// Transposes a square of lanes, each of which may hold a pair of elements. As
/// floats, for LLVM follows the bits of integers through shuffles, which takes
/// long.
void Packer::transpose(MutableArrayRef<Value> rows) {
  if (pair == 1)
    return transposeSquare(b, rows);
  Type packed = rows.front().getType();
  auto laneType = VectorType::get({lanes}, b.getF32Type());
  for (Value &row : rows)
    row = vector::BitCastOp::create(b, laneType, row);
  transposeSquare(b, rows);
  for (Value &row : rows)
    row = vector::BitCastOp::create(b, packed, row);
}

Value Packer::getSumPlace(Value row) {
  Value index = arith::SubIOp::create(b, row, source.firstRow);
  return toValue(b, add(b, source.firstSum, OpFoldResult(index)));
}

/// Adds `sum` to that of `row`, or a vector to those from `row` on.
void Packer::addToSum(Value sum, Value row) {
  Value place = getSumPlace(row);
  if (!isa<VectorType>(sum.getType())) {
    Value before = memref::LoadOp::create(b, source.rowSums, place);
    memref::StoreOp::create(b, arith::AddFOp::create(b, before, sum),
                            source.rowSums, place);
    return;
  }
  Value before = vector::LoadOp::create(b, cast<VectorType>(sum.getType()),
                                        source.rowSums, ValueRange{place});
  vector::StoreOp::create(b, arith::AddFOp::create(b, before, sum),
                          source.rowSums, ValueRange{place});
}

/// Adds the steps of a square, vectors of rows from `row` on, to the sums: in
/// pairs, so that additions wait less for each other and errors stay small.
void Packer::addToSums(ArrayRef<Value> square, Value row) {
  SmallVector<Value> terms;
  for (Value step : square) {
    if (pair == 1) {
      terms.push_back(step);
      continue;
    }
    auto [first, next] = splitPairs(b, step);
    terms.append({first, next});
  }
  for (size_t count = terms.size(); count > 1; count /= 2)
    for (size_t i = 0; i < count / 2; ++i)
      terms[i] = arith::AddFOp::create(b, terms[2 * i], terms[2 * i + 1]);
  addToSum(terms.front(), row);
}

/// Steps follow each other, and so they shall: chunks are copied, those of all
/// rows of a panel before the next, so that panels are written from their
/// beginning to their end.
void Packer::packRows() {
  Value width = constant(b, format.width);
  Value endStep = toValue(b, sub(b, end, rem(b, end, format.chunk())));
  // The last panel is whole, and what fills the last vector of rows beyond it
  // is not read.
  Value rows = toValue(b, sub(b, source.endFill, source.firstRow));
  Value endRow = toValue(
      b, add(b, source.firstRow, sub(b, rows, rem(b, rows, format.width))));
  forLoop(
      b, source.firstRow, endRow,
      [&](Value row) {
        Value place = getPlace(row);
        forLoop(
            b, begin, endStep,
            [&](Value k) {
              Value chunk = toValue(b, add(b, place, getChunkOffset(k)));
              forLoop(b, b.getIndexAttr(0), width, [&](Value i) {
                Value member = toValue(b, add(b, row, i));
                Value steps =
                    loadVector(getRowOffset(member), k, format.chunk());
                store(
                    steps,
                    toValue(b, add(b, chunk,
                                   mul(b, i, b.getIndexAttr(format.chunk())))));
                if (!source.rowSums)
                  return;
                Type sumType = getElementTypeOrSelf(source.rowSums);
                addToSum(
                    vector::ReductionOp::create(b, vector::CombiningKind::ADD,
                                                convertFloat(b, steps, sumType),
                                                arith::FastMathFlags::reassoc),
                    member);
              });
            },
            /*step=*/format.chunk());
        gatherRest(row, width, endStep);
      },
      /*step=*/format.width);
}

/// Chunk `k` of the group of rows that begins with `row`. The source has
/// vectors where the panel has none: a square of lanes is transposed in
/// registers.
void Packer::packSquare(Value row, Value k) {
  bool isAlongRows = source.strategy == PackStrategy::AlongRows;
  SmallVector<Value> square;
  for (int64_t i = 0; i < lanes; ++i) {
    if (isAlongRows)
      square.push_back(loadAlongRows(
          getRowOffset(row), toValue(b, add(b, k, b.getIndexAttr(i * pair))),
          lanes));
    else
      square.push_back(
          loadVector(getRowOffset(toValue(b, add(b, row, b.getIndexAttr(i)))),
                     k, format.chunk()));
  }
  if (source.rowSums)
    addToSums(square, row);
  transpose(square);
  Value chunk = getChunkOffset(k), first = getPlace(row);
  for (auto [i, vector] : llvm::enumerate(square)) {
    OpFoldResult place = add(b, first, b.getIndexAttr(i * format.width * pair));
    if (format.side == PanelSide::Rows)
      place = getPlace(toValue(b, add(b, row, b.getIndexAttr(i))));
    store(vector, toValue(b, add(b, place, chunk)));
  }
}

/// Squares of all rows of some whole panels, before the next chunk of steps: so
/// what is read and written follows each other for longer.
void Packer::packSquares() {
  bool isAlongRows = source.strategy == PackStrategy::AlongRows;
  Value endStep = toValue(b, sub(b, end, rem(b, end, format.chunk())));
  // The last group may have rows that do not exist and so do not follow.
  auto isWhole = [&](Value row) -> Value {
    Value groupEnd = toValue(b, add(b, row, b.getIndexAttr(lanes)));
    return arith::CmpIOp::create(b, arith::CmpIPredicate::ule, groupEnd,
                                 source.endRow);
  };
  int64_t together = std::lcm(format.width, lanes);
  auto packTogether = [&](Value row) {
    Value endRow = toValue(
        b, min(b, add(b, row, b.getIndexAttr(together)), source.endFill));
    auto forGroups = [&](llvm::function_ref<void(Value)> body) {
      forLoop(b, row, endRow, body, lanes);
    };
    auto packChunk = [&](Value k) {
      forGroups([&](Value group) {
        if (!isAlongRows)
          return packSquare(group, k);
        ifElse(b, isWhole(group), [&] { packSquare(group, k); });
      });
    };
    forLoop(b, begin, endStep, packChunk, format.chunk());
    if (!isAlongRows)
      return forGroups(
          [&](Value group) { gatherRest(group, countRows(group), endStep); });
    forGroups([&](Value group) {
      ifElse(
          b, isWhole(group),
          [&] { gatherRest(group, countRows(group), endStep); },
          [&] { gather(group, begin); });
    });
  };
  forLoop(b, source.firstRow, source.endFill, packTogether, together);
}

/// Columns that are copied together: a line of pairs makes two vectors.
int64_t Packer::getColumnsTogether() const {
  int64_t count = pair * lanes;
  return source.rowsTogether % count == 0 && format.width % count == 0 ? count
                                                                       : lanes;
}

/// Columns follow each other, and so they shall: vectors are copied, step by
/// step, since a step's columns are one piece of memory. Steps may lie a power
/// of two apart, so that lines of many do not stay in the cache together.
void Packer::packColumns() {
  int64_t together = getColumnsTogether();
  Value endStep = toValue(b, sub(b, end, rem(b, end, pair)));
  OpFoldResult there = sub(b, source.endRow, source.firstRow);
  Value endWhole = toValue(b, sub(b, source.endRow, rem(b, there, together)));
  Value last = toValue(b, sub(b, source.numSteps, b.getIndexAttr(1)));
  auto prefetchStep = [&](Value rowOffset, Value k) {
    Value offset = toValue(b, add(b, rowOffset, source.getStepOffset(b, k)));
    memref::PrefetchOp::create(b, source.array.flat, ValueRange{offset},
                               /*isWrite=*/false, /*localityHint=*/3,
                               /*isDataCache=*/true);
  };
  forLoop(
      b, begin, endStep,
      [&](Value k) {
        forLoop(
            b, source.firstRow, endWhole,
            [&](Value row) {
              Value rowOffset = getRowOffset(row);
              for (int64_t i = 0; i < pair; ++i)
                prefetchStep(
                    rowOffset,
                    toValue(b, min(b,
                                   add(b, k,
                                       b.getIndexAttr(kStepsAhead * pair + i)),
                                   last)));
              store(loadAlongRows(rowOffset, k, together),
                    toValue(b, add(b, getPlace(row), getChunkOffset(k))));
            },
            /*step=*/together);
      },
      /*step=*/pair);
  // What is left: steps to fill up, and the last columns, some of which may not
  // exist and so do not follow.
  Value isFilled = arith::CmpIOp::create(b, arith::CmpIPredicate::eq, endStep,
                                         getFilledSteps());
  Value first = arith::SelectOp::create(b, isFilled, endWhole, source.firstRow);
  forLoop(
      b, first, source.endFill,
      [&](Value row) {
        Value isWhole =
            arith::CmpIOp::create(b, arith::CmpIPredicate::ult, row, endWhole);
        gather(row, arith::SelectOp::create(b, isWhole, endStep, begin));
      },
      /*step=*/lanes);
}

/// One element; zero for steps past the end.
void Packer::gatherStep(Value row, Value rowOffset, Value place, Value k,
                        bool isZero) {
  Value element;
  if (isZero) {
    element = arith::ConstantOp::create(b, b.getZeroAttr(format.elementType));
  } else {
    Value kOffset = source.getStepOffset(b, k);
    Value loaded = memref::LoadOp::create(
        b, source.array.flat, toValue(b, add(b, rowOffset, kOffset)));
    element = convertFloat(b, loaded, format.elementType);
    if (source.rowSums)
      addToSum(convertFloat(b, loaded, getElementTypeOrSelf(source.rowSums)),
               row);
  }
  int64_t together = format.side == PanelSide::Rows ? format.chunk() : pair;
  Value inner = arith::RemUIOp::create(b, k, constant(b, together));
  Value outer = getChunkOffset(arith::SubIOp::create(b, k, inner));
  Value offset = toValue(b, add(b, place, add(b, outer, inner)));
  memref::StoreOp::create(b, element, panels, offset);
}

/// `count` rows from `firstStep` on, element by element, and the zeros that
/// fill the last chunk.
void Packer::gather(Value row, Value count, Value firstStep) {
  Value filled = getFilledSteps();
  forLoop(b, count, [&](Value i) {
    Value member = toValue(b, add(b, row, i));
    Value rowOffset = getRowOffset(member), place = getPlace(member);
    forLoop(b, firstStep, end, [&](Value k) {
      gatherStep(member, rowOffset, place, k, /*isZero=*/false);
    });
    forLoop(b, end, filled, [&](Value k) {
      gatherStep(member, rowOffset, place, k, /*isZero=*/true);
    });
  });
}

/// The steps of `count` rows that are no whole chunk.
void Packer::gatherRest(Value row, Value count, Value endStep) {
  // Whole chunks leave nothing to fill.
  if (isConstantIntValue(rem(b, end, format.chunk()), 0))
    return;
  Value hasRest = arith::CmpIOp::create(b, arith::CmpIPredicate::ult, endStep,
                                        getFilledSteps());
  ifElse(b, hasRest, [&] { gather(row, count, endStep); });
}

void Packer::pack() {
  bool isRows = format.side == PanelSide::Rows;
  if (source.rowSums) {
    auto type = VectorType::get({lanes}, getElementTypeOrSelf(source.rowSums));
    Value zeros = arith::ConstantOp::create(b, b.getZeroAttr(type));
    forLoop(
        b, source.firstRow, source.endFill,
        [&](Value row) {
          vector::StoreOp::create(b, zeros, source.rowSums,
                                  ValueRange{getSumPlace(row)});
        },
        /*step=*/lanes);
  }
  switch (source.strategy) {
  case PackStrategy::AlongRows:
    return isRows ? packSquares() : packColumns();
  case PackStrategy::AlongK:
    return isRows ? packRows() : packSquares();
  case PackStrategy::Gather:
    forLoop(
        b, source.firstRow, source.endFill,
        [&](Value row) { gather(row, begin); }, /*step=*/lanes);
  }
}

void mlir::boostr::cpu::packPanels(ImplicitLocOpBuilder &b,
                                   const PackSource &source,
                                   const PanelFormat &format, Value panels,
                                   Value base) {
  Packer(b, source, format, panels, base).pack();
}
