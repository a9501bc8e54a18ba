// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "boostr/passes/gpu/gemv/FewRowsKernel.h"
#include "boostr/passes/cpu/IndexMath.h"
#include "boostr/passes/gpu/gemv/StreamedLoad.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace mlir::boostr;
using namespace mlir::boostr::cpu;
using namespace mlir::boostr::gemv;

/// Four threads that write what they have of a column's neighbouring rows meet
/// different banks.
SmallVector<int64_t, 3> FewRowsTile::sharedShape() const {
  return {warps, rows, rows == 1 ? columns : columns + 4};
}

FewRowsKernel::FewRowsKernel(ImplicitLocOpBuilder &b,
                             SegmentedContractionOpInterface op,
                             const SegmentedContraction &contraction,
                             const FewRowsTile &tile, int64_t chunk,
                             int64_t stepsPerTurn, Type sumType,
                             bool hasOneRowBlock)
    : BlockKernel(b, op, contraction, sumType), chunk(chunk),
      lhsPlan(
          planOperand(/*isLhs=*/true, tile.rows, stepsPerTurn, tile.threads())
              .plan),
      rhsPlan(planOperand(/*isLhs=*/false, tile.columns, stepsPerTurn,
                          tile.threads())
                  .plan),
      tile(tile), hasOneRowBlock(hasOneRowBlock) {
  Type type = getElementTypeOrSelf(
      contraction.segments.front().terms.front().rhs.array);
  streamsRhs = hasStreamedLoads(op) &&
               canStream(chunk * type.getIntOrFloatBitWidth() / 8);
}

//===----------------------------------------------------------------------===//
// The frame
//===----------------------------------------------------------------------===//

void FewRowsKernel::emit() {
  int64_t sharedBytes = llvm::product_of(tile.sharedShape()) *
                        sumType.getIntOrFloatBitWidth() / 8;
  Frame frame{tile.rows,   tile.columns, tile.threads(),
              /*group=*/1, sharedBytes,  hasOneRowBlock};
  emitLaunch(frame, [&](const SegmentArrays &segment) { emitBlock(segment); });
}

void FewRowsKernel::emitBlock(const SegmentArrays &segment) {
  warp = quotient(thread, kWarp);
  lane = remainder(thread, kWarp);
  shared = viewShared(createSharedBytes(), 0, tile.sharedShape(), sumType);
  SmallVector<Value> sums = accumulateTerms(
      segment, createZeros(),
      [&](const TermArrays &term, ArrayRef<Value> carried) {
        return accumulateTerm(term, carried);
      },
      /*inShared=*/false);
  // While other warps still multiply.
  static constexpr int64_t kLanes[] = {2, 1};
  Epilogue epilogue =
      startEpilogue(*segment.product, /*isLhsSum=*/false,
                    ArrayRef(kLanes).drop_front(tile.columns % 2));
  SmallVector<Item> items = startItems(epilogue, segment.terms.front().extents);
  stageSums(sums);
  ::mlir::gpu::BarrierOp::create(b);
  for (const Item &item : items)
    ifElse(b, item.isThere, [&] { store(epilogue, item); });
}

//===----------------------------------------------------------------------===//
// Operands
//===----------------------------------------------------------------------===//

FewRowsKernel::Lines FewRowsKernel::getLines(const TermArrays &term, bool isLhs,
                                             ArrayRef<Value> places,
                                             int64_t count) {
  const LoadPlan &plan = isLhs ? lhsPlan : rhsPlan;
  const Range &range = isLhs ? rows : columns;
  Lines lines = {
      isLhs ? term.lhs : term.rhs, plan.isFlatInSteps, term.extents, {}};
  // A block has a first line.
  bool mayMiss = (isLhs ? tile.rows : tile.columns) > count;
  Value last =
      mayMiss ? toValue(b, sub(b, range.end, b.getIndexAttr(count))) : Value();
  for (Value place : places) {
    Value index = plus(range.start, place);
    if (mayMiss)
      index = arith::MinUIOp::create(b, index, last);
    lines.offsets.push_back(offsetOf(lines.array, getRowDims(isLhs),
                                     term.extents, index, plan.isFlatInRows));
  }
  return lines;
}

SmallVector<Value> FewRowsKernel::load(const Lines &lines, Value step,
                                       bool isLhs) {
  return loadChunks(lines, step, chunk, !isLhs && streamsRhs);
}

SmallVector<Value> FewRowsKernel::loadChunks(const Lines &lines, Value step,
                                             int64_t chunk, bool isStreamed) {
  auto type = VectorType::get({chunk}, lines.array.getElementType());
  auto alignment = llvm::Align(chunk * type.getElementTypeBitWidth() / 8);
  Value stepOffset = offsetOf(lines.array, contraction.k, lines.extents, step,
                              lines.isFlatInSteps);
  return llvm::map_to_vector(lines.offsets, [&](Value lineOffset) -> Value {
    Value offset = plus(lineOffset, stepOffset);
    if (isStreamed)
      return loadStreamed(b, lines.array, type, offset);
    return vector::LoadOp::create(b, type, lines.array.flat, ValueRange{offset},
                                  /*nontemporal=*/false, alignment);
  });
}

//===----------------------------------------------------------------------===//
// Results
//===----------------------------------------------------------------------===//

/// Each thread has some columns of every n-th row.
SmallVector<FewRowsKernel::Item>
FewRowsKernel::startItems(Epilogue &epilogue, const Extents &extents) {
  int64_t perRow = tile.columns / epilogue.lanes;
  int64_t rowsAtOnce = tile.threads() / perRow;
  storedColumn = times(remainder(thread, perRow), epilogue.lanes);
  addColumns(epilogue, extents, plus(columns.start, storedColumn));
  SmallVector<Item> items;
  for (int64_t first = 0; first < tile.rows; first += rowsAtOnce) {
    Item &item = items.emplace_back();
    item.row = plus(quotient(thread, perRow), first);
    item.isThere = epilogue.isColumnThere.front();
    // A block has a first row.
    if (tile.rows > 1)
      item.isThere =
          both(item.isThere, isLess(plus(rows.start, item.row), rows.end));
    // The last turn may have more threads than rows.
    if (first + rowsAtOnce > tile.rows)
      item.isThere =
          both(item.isThere, isLess(item.row, constant(b, tile.rows)));
    // Then `isThere` says that it is the first.
    if (tile.rows == 1)
      item.row = constant(b, 0);
    item.offsets = getRowOffsets(epilogue, extents, plus(rows.start, item.row));
    item.addends = loadAddends(epilogue, item);
  }
  return items;
}

SmallVector<Value> FewRowsKernel::loadAddends(const Epilogue &epilogue,
                                              const Item &item) {
  if (epilogue.addends.empty())
    return {};
  auto type = VectorType::get({epilogue.lanes}, sumType);
  SmallVector<Type> types(epilogue.addends.size(), type);
  auto branch =
      scf::IfOp::create(b, types, item.isThere, /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(branch.thenBlock());
  scf::YieldOp::create(b, BlockKernel::loadAddends(epilogue, item.offsets,
                                                   /*group=*/0, type));
  b.setInsertionPointToStart(branch.elseBlock());
  Value zeros = arith::ConstantOp::create(b, b.getZeroAttr(type));
  scf::YieldOp::create(b, SmallVector<Value>(types.size(), zeros));
  return llvm::to_vector_of<Value>(branch.getResults());
}

/// Sums of all warps are added in their order.
void FewRowsKernel::store(const Epilogue &epilogue, const Item &item) {
  auto type = VectorType::get({epilogue.lanes}, sumType);
  int64_t bytes = sumType.getIntOrFloatBitWidth() / 8;
  Value sum;
  for (int64_t warp = 0; warp < tile.warps; ++warp) {
    Value part = vector::LoadOp::create(
        b, type, shared, ValueRange{constant(b, warp), item.row, storedColumn},
        /*nontemporal=*/false, llvm::MaybeAlign(epilogue.lanes * bytes));
    sum = sum ? arith::AddFOp::create(b, sum, part).getResult() : part;
  }
  for (Value addend : item.addends)
    sum = arith::AddFOp::create(b, sum, addend);
  storeSums(epilogue, item.offsets, /*group=*/0, sum);
}
