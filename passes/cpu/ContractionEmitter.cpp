// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "boostr/passes/cpu/ContractionEmitter.h"
#include "boostr/passes/cpu/IndexMath.h"
#include "boostr/passes/cpu/PackPanels.h"
#include "boostr/passes/cpu/RegisterTile.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace mlir::boostr;
using namespace mlir::boostr::cpu;

ContractionEmitter::ContractionEmitter(ImplicitLocOpBuilder &b,
                                       SegmentedContractionOpInterface op,
                                       const SegmentedContraction &contraction,
                                       CpuTileAttr tile)
    : b(b), contraction(contraction), mc(tile.getBlock()[0]),
      nc(tile.getBlock()[1]), kc(tile.getBlock()[2]),
      mr(tile.getRegisterTile()[0]), nr(tile.getRegisterTile()[1]),
      lanes(tile.getLanes()), blocks(b, op, contraction, mc, nc),
      segments(blocks.getSegments()) {
  Value lhs = contraction.segments.front().terms.front().lhs.array;
  sumType = getAccumulatorType(getElementTypeOrSelf(lhs));
}

//===----------------------------------------------------------------------===//
// What the contraction reads and writes
//===----------------------------------------------------------------------===//

/// The strategy that is right for every term of every segment.
PackStrategy ContractionEmitter::getStrategy(bool isLhs) const {
  std::optional<PackStrategy> common;
  for (const Segment &segment : segments) {
    for (const Term &term : segment.terms) {
      DimGroup rows = isLhs ? rowsOf(term.extents) : columnsOf(term.extents);
      PackStrategy strategy = choosePackStrategy(
          isLhs ? term.lhs : term.rhs, rows, stepsOf(term.extents), lanes);
      if (common && *common != strategy)
        return PackStrategy::Gather;
      common = strategy;
    }
  }
  return *common;
}

bool ContractionEmitter::isEpilogueContiguous() const {
  for (const Segment &segment : segments) {
    if (!segment.product)
      continue;
    DimGroup columns = columnsOf(segment.terms.front().extents);
    auto isContiguous = [&](const StridedArray &array) {
      return !array.hasAny(contraction.n) ||
             isContiguousInChunks(array, columns, lanes);
    };
    if (!isContiguous(segment.product->result) ||
        !llvm::all_of(segment.product->addends, isContiguous))
      return false;
  }
  return true;
}

//===----------------------------------------------------------------------===//
// Tasks
//===----------------------------------------------------------------------===//

void ContractionEmitter::emit() {
  auto tasks = scf::ParallelOp::create(
      b, constant(b, 0), toValue(b, blocks.getCount()), constant(b, 1));
  tasks->setAttr(BoostrDialect::getGrainAttrName(), b.getI64IntegerAttr(1));
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(tasks.getBody()->getTerminator());
  emitTask(tasks.getInductionVars().front());
}

ContractionEmitter::Range
ContractionEmitter::getBlock(Value number, int64_t size, Value end) {
  Value start = toValue(b, mul(b, number, b.getIndexAttr(size)));
  Value length = toValue(b, min(b, sub(b, end, start), b.getIndexAttr(size)));
  return {start, length, end};
}

void ContractionEmitter::emitTask(Value task) {
  std::pair<Segment, SegmentGrid> selected = blocks.select(b, task);
  const Segment &segment = selected.first;
  const SegmentGrid &grid = selected.second;
  Value local = toValue(b, sub(b, task, grid.first));
  // Neighbouring tasks share columns, which are the rows of a weight.
  Value rowBlocks = toValue(b, grid.rowBlocks);
  Value rowBlock = arith::RemUIOp::create(b, local, rowBlocks);
  Value columnBlock = arith::DivUIOp::create(b, local, rowBlocks);

  const Extents &extents = segment.terms.front().extents;
  Range rows = getBlock(rowBlock, mc, rowsOf(extents).getSize(b));
  Range columns = getBlock(columnBlock, nc, columnsOf(extents).getSize(b));
  Value isFirstColumn = arith::CmpIOp::create(b, arith::CmpIPredicate::eq,
                                              columnBlock, constant(b, 0));

  allocateScratch();
  accumulateTerms(segment, rows, columns, isFirstColumn);
  if (segment.product)
    storeProduct(*segment.product, extents, rows, columns);
  if (segment.lhsSum)
    ifElse(b, isFirstColumn,
           [&] { storeLhsSum(*segment.lhsSum, extents, rows); });
  free(/*first=*/0);
}

//===----------------------------------------------------------------------===//
// Accumulation
//===----------------------------------------------------------------------===//

/// Steps of k in blocks of kc, which are numbered through all terms.
void ContractionEmitter::accumulateTerms(const Segment &segment,
                                         const Range &rows,
                                         const Range &columns,
                                         Value isFirstColumn) {
  SmallVector<OpFoldResult> firstBlocks;
  OpFoldResult numBlocks = b.getIndexAttr(0);
  for (const Term &term : segment.terms) {
    firstBlocks.push_back(numBlocks);
    numBlocks =
        add(b, numBlocks, ceilDiv(b, stepsOf(term.extents).getSize(b), kc));
  }
  bool isOneTerm = segment.terms.size() == 1;
  if (isOneTerm)
    fillBlockTables(segment.terms.front(), rows, columns);
  forLoop(b, numBlocks, [&](Value block) {
    Term term = segment.terms.back();
    OpFoldResult first = firstBlocks.back();
    for (size_t number = segment.terms.size() - 1; number-- > 0;) {
      const Term &other = segment.terms[number];
      Value isBefore =
          arith::CmpIOp::create(b, arith::CmpIPredicate::ult, block,
                                toValue(b, firstBlocks[number + 1]));
      term = select(b, isBefore, other, term);
      first = select(b, isBefore, firstBlocks[number], first);
    }
    if (!isOneTerm)
      fillBlockTables(term, rows, columns);
    Value firstStep =
        toValue(b, mul(b, sub(b, block, first), b.getIndexAttr(kc)));
    accumulateStep(term, rows, columns, firstStep, isFirstColumn);
  });
}

Value ContractionEmitter::countPanels(const Range &range, int64_t multiple) {
  OpFoldResult groups = ceilDiv(b, range.length, multiple);
  return toValue(b, mul(b, groups, b.getIndexAttr(multiple / lanes)));
}

/// Offsets of the block's rows and columns, also of those that only fill
/// panels.
void ContractionEmitter::fillBlockTables(const Term &term, const Range &rows,
                                         const Range &columns) {
  auto fillTable = [&](Value table, const StridedArray &array,
                       const DimGroup &group, const Range &range,
                       int64_t multiple) {
    Value count =
        toValue(b, mul(b, countPanels(range, multiple), b.getIndexAttr(lanes)));
    fillOffsetTable(b, table, array, group, range.start, range.end, count);
  };
  fillTable(scratch.lhsRows, term.lhs, rowsOf(term.extents), rows, lanes);
  if (scratch.rhsColumns)
    fillTable(scratch.rhsColumns, term.rhs, columnsOf(term.extents), columns,
              nr);
}

/// Packs `kc` steps of both operands and multiplies them.
void ContractionEmitter::accumulateStep(const Term &term, const Range &rows,
                                        const Range &columns, Value firstStep,
                                        Value isFirstColumn) {
  DimGroup steps = stepsOf(term.extents);
  Value end = steps.getSize(b);
  Value numSteps =
      toValue(b, min(b, sub(b, end, firstStep), b.getIndexAttr(kc)));
  fillOffsetTable(b, scratch.lhsK, term.lhs, steps, firstStep, end, numSteps);
  packPanels(b,
             {term.lhs, getStrategy(/*isLhs=*/true), scratch.lhsRows,
              scratch.lhsK, rows.length, countPanels(rows, lanes), numSteps},
             scratch.lhsPanels);
  if (segments.front().lhsSum)
    ifElse(b, isFirstColumn, [&] { sumLhsPanels(rows, numSteps); });
  if (!segments.front().product)
    return;
  fillOffsetTable(b, scratch.rhsK, term.rhs, steps, firstStep, end, numSteps);
  packPanels(b,
             {term.rhs, getStrategy(/*isLhs=*/false), scratch.rhsColumns,
              scratch.rhsK, columns.length, countPanels(columns, nr), numSteps},
             scratch.rhsPanels);
  multiplyPanels(rows, columns, numSteps);
}

/// Adds every step of the packed lhs to the sums of its rows.
void ContractionEmitter::sumLhsPanels(const Range &rows, Value numSteps) {
  auto vectorType = VectorType::get({lanes}, sumType);
  forLoop(b, countPanels(rows, lanes), [&](Value panel) {
    Value row = toValue(b, mul(b, panel, b.getIndexAttr(lanes)));
    Value sums =
        vector::LoadOp::create(b, vectorType, scratch.lhsSums, ValueRange{row});
    auto loop = scf::ForOp::create(
        b, constant(b, 0), numSteps, constant(b, 1), sums,
        [&](OpBuilder &nested, Location loc, Value k, ValueRange carried) {
          ImplicitLocOpBuilder body(loc, nested);
          Value step =
              vector::LoadOp::create(body, vectorType, scratch.lhsPanels,
                                     ValueRange{panel, k, constant(body, 0)});
          Value next = arith::AddFOp::create(body, carried.front(), step);
          scf::YieldOp::create(body, next);
        });
    vector::StoreOp::create(b, loop.getResult(0), scratch.lhsSums,
                            ValueRange{row});
  });
}

void ContractionEmitter::multiplyPanels(const Range &rows, const Range &columns,
                                        Value numSteps) {
  RegisterTile tile = {
      scratch.lhsPanels, scratch.rhsPanels, scratch.sums, mr, nr, lanes};
  // A tile of columns stays in the first-level cache while the rows pass by.
  forLoop(
      b, columns.length,
      [&](Value column) {
        forLoop(
            b, rows.length,
            [&](Value row) { multiplyTile(b, tile, row, column, numSteps); },
            /*step=*/mr);
      },
      /*step=*/nr);
}

//===----------------------------------------------------------------------===//
// Results
//===----------------------------------------------------------------------===//

EpilogueArray
ContractionEmitter::getEpilogueArray(const StridedArray &array,
                                     ArrayRef<OpFoldResult> extents,
                                     const Range &rows, const Range *columns) {
  EpilogueArray result{array, {}, {}};
  auto createTable = [&](const DimGroup &group, const Range &range,
                         int64_t size) {
    Value table = allocate({size}, b.getIndexType());
    fillOffsetTable(b, table, array, group, range.start, range.end,
                    range.length);
    return table;
  };
  if (array.hasAny(contraction.m))
    result.rowOffsets = createTable(rowsOf(extents), rows, mc);
  if (columns && array.hasAny(contraction.n))
    result.columnOffsets = createTable(columnsOf(extents), *columns, nc);
  return result;
}

void ContractionEmitter::storeProduct(const Output &output,
                                      ArrayRef<OpFoldResult> extents,
                                      const Range &rows, const Range &columns) {
  size_t firstTable = scratch.all.size();
  Epilogue epilogue;
  epilogue.result = getEpilogueArray(output.result, extents, rows, &columns);
  for (const StridedArray &addend : output.addends)
    epilogue.addends.push_back(
        getEpilogueArray(addend, extents, rows, &columns));
  epilogue.sums = scratch.sums;
  epilogue.numRows = rows.length;
  epilogue.numColumns = columns.length;
  epilogue.lanes = lanes;
  epilogue.isContiguous = isEpilogueContiguous();
  storeBlock(b, epilogue);
  free(firstTable);
}

/// The sums of lhs are a block of one column.
void ContractionEmitter::storeLhsSum(const Output &output,
                                     ArrayRef<OpFoldResult> extents,
                                     const Range &rows) {
  size_t firstTable = scratch.all.size();
  Epilogue epilogue;
  epilogue.result = getEpilogueArray(output.result, extents, rows, nullptr);
  for (const StridedArray &addend : output.addends)
    epilogue.addends.push_back(
        getEpilogueArray(addend, extents, rows, nullptr));
  SmallVector<ReassociationIndices> split = {{0, 1}};
  epilogue.sums = memref::ExpandShapeOp::create(b, ArrayRef<int64_t>{mc, 1},
                                                scratch.lhsSums, split);
  epilogue.numRows = rows.length;
  epilogue.numColumns = constant(b, 1);
  epilogue.lanes = lanes;
  epilogue.isContiguous = false;
  storeBlock(b, epilogue);
  free(firstTable);
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

Value ContractionEmitter::allocate(ArrayRef<int64_t> shape, Type elementType) {
  auto memory = memref::AllocOp::create(b, MemRefType::get(shape, elementType),
                                        b.getI64IntegerAttr(64));
  scratch.all.push_back(memory);
  return memory;
}

/// Frees what was allocated from number `first` on.
void ContractionEmitter::free(size_t first) {
  for (Value memory : ArrayRef(scratch.all).drop_front(first))
    memref::DeallocOp::create(b, memory);
  scratch.all.truncate(first);
}

void ContractionEmitter::allocateScratch() {
  scratch = {};
  Type index = b.getIndexType();
  scratch.lhsPanels = allocate({mc / lanes, kc, lanes}, sumType);
  scratch.lhsRows = allocate({mc}, index);
  scratch.lhsK = allocate({kc}, index);
  if (segments.front().product) {
    scratch.rhsPanels = allocate({nc / lanes, kc, lanes}, sumType);
    scratch.rhsColumns = allocate({nc}, index);
    scratch.rhsK = allocate({kc}, index);
    scratch.sums = allocate({mc, nc}, sumType);
    fill(scratch.sums, b.getZeroAttr(sumType));
  }
  if (segments.front().lhsSum) {
    scratch.lhsSums = allocate({mc}, sumType);
    fill(scratch.lhsSums, b.getZeroAttr(sumType));
  }
}

void ContractionEmitter::fill(Value memref, Attribute value) {
  auto type = cast<MemRefType>(memref.getType());
  auto vectorType = VectorType::get({lanes}, type.getElementType());
  Value zeros =
      arith::ConstantOp::create(b, DenseElementsAttr::get(vectorType, value));
  if (type.getRank() == 1) {
    forLoop(
        b, b.getIndexAttr(type.getDimSize(0)),
        [&](Value i) {
          vector::StoreOp::create(b, zeros, memref, ValueRange{i});
        },
        lanes);
    return;
  }
  forLoop(b, b.getIndexAttr(type.getDimSize(0)), [&](Value row) {
    forLoop(
        b, b.getIndexAttr(type.getDimSize(1)),
        [&](Value column) {
          vector::StoreOp::create(b, zeros, memref, ValueRange{row, column});
        },
        lanes);
  });
}
