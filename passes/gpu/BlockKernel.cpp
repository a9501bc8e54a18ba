// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "boostr/passes/gpu/BlockKernel.h"
#include "boostr/passes/cpu/IndexMath.h"
#include "boostr/passes/gpu/KeepRolled.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;
using namespace mlir::boostr;
using namespace mlir::boostr::cpu;

//===----------------------------------------------------------------------===//
// Arithmetic
//===----------------------------------------------------------------------===//

Value BlockKernel::isLess(Value x, Value y) {
  return arith::CmpIOp::create(b, arith::CmpIPredicate::ult, x, y);
}
Value BlockKernel::isEqual(Value x, int64_t y) {
  return arith::CmpIOp::create(b, arith::CmpIPredicate::eq, x, constant(b, y));
}
Value BlockKernel::both(Value x, Value y) {
  return arith::AndIOp::create(b, x, y);
}
Value BlockKernel::plus(Value x, Value y) { return toValue(b, add(b, x, y)); }
Value BlockKernel::plus(Value x, int64_t y) {
  return toValue(b, add(b, x, b.getIndexAttr(y)));
}
Value BlockKernel::times(Value x, int64_t y) {
  return toValue(b, mul(b, x, b.getIndexAttr(y)));
}
Value BlockKernel::quotient(Value x, int64_t y) {
  return b.createOrFold<arith::DivUIOp>(x, constant(b, y));
}
Value BlockKernel::remainder(Value x, int64_t y) {
  return b.createOrFold<arith::RemUIOp>(x, constant(b, y));
}

void BlockKernel::carry(SmallVectorImpl<Value *> &places,
                        MutableArrayRef<Value> values) {
  for (Value &value : values)
    places.push_back(&value);
}

SmallVector<Value> BlockKernel::read(ArrayRef<Value *> places) {
  return llvm::map_to_vector(places, [](Value *place) { return *place; });
}

void BlockKernel::replace(ArrayRef<Value *> places, ValueRange values) {
  for (auto [place, value] : llvm::zip_equal(places, values))
    *place = value;
}

/// Threads outside of an empty array compute offsets too.
Value BlockKernel::getDivisor(OpFoldResult extent) {
  return arith::MaxUIOp::create(b, toValue(b, extent), constant(b, 1));
}

Value BlockKernel::offsetOf(const StridedArray &array, ArrayRef<unsigned> dims,
                            const Extents &extents, Value index, bool isFlat) {
  if (!isFlat) {
    Extents divisors;
    for (OpFoldResult extent : extents)
      divisors.push_back(getDivisor(extent));
    return getOffset(b, array, {dims, divisors}, index);
  }
  OpFoldResult stride = array.strides[dims.back()];
  return stride ? toValue(b, mul(b, index, stride)) : constant(b, 0);
}

//===----------------------------------------------------------------------===//
// The frame
//===----------------------------------------------------------------------===//

void BlockKernel::emitLaunch(
    const Frame &launched,
    llvm::function_ref<void(const SegmentArrays &)> emitBlock) {
  frame = launched;
  NumberedBlocks blocks(b, op, contraction, frame.rows, frame.columns);
  Value count = toValue(b, blocks.getCount());
  Value one = constant(b, 1);
  Value sharedBytes = getSharedBytes(count);
  if (isInParts())
    prepareMeeting(blocks.getSegments(), count);
  // Blocks that run at a time are at few places of k.
  auto launch = ::mlir::gpu::LaunchOp::create(
      b, count, isInParts() ? parts.count : one, one,
      constant(b, frame.threads), one, one, sharedBytes);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(&launch.getBody().front());
  thread = launch.getThreadIds().x;
  Value number = launch.getBlockIds().x;
  meeting.block = number;
  meeting.part = launch.getBlockIds().y;
  numbered = &blocks;
  emitBlock(locate(number));
  numbered = nullptr;
  ::mlir::gpu::TerminatorOp::create(b);
}

/// Sets where block `number` is, and returns its segment.
SegmentArrays BlockKernel::locate(Value number) {
  auto [segment, grid] = numbered->select(b, number);
  Value local = toValue(b, sub(b, number, grid.first));
  auto [rowBlock, columnBlock] = orderBlocks(local, grid, frame);
  const Extents &extents = segment.terms.front().extents;
  rows = {times(rowBlock, frame.rows),
          DimGroup{contraction.m, extents}.getSize(b)};
  columns = {times(columnBlock, frame.columns),
             DimGroup{contraction.n, extents}.getSize(b)};
  isFirstColumn = isEqual(columnBlock, 0);
  return segment;
}

/// Row and column of block `number`: groups of rows of blocks, each walked by
/// columns, so that blocks that run at once share operands.
std::pair<Value, Value> BlockKernel::orderBlocks(Value number,
                                                 const SegmentGrid &grid,
                                                 const Frame &frame) {
  if (frame.hasOneRowBlock || isConstantIntValue(grid.rowBlocks, 1))
    return {constant(b, 0), number};
  Value rowBlocks = toValue(b, grid.rowBlocks);
  Value columnBlocks = toValue(b, grid.columnBlocks);
  if (frame.group == 1)
    return {b.createOrFold<arith::DivUIOp>(number, columnBlocks),
            b.createOrFold<arith::RemUIOp>(number, columnBlocks)};
  Value perGroup = times(columnBlocks, frame.group);
  Value groupNumber = arith::DivUIOp::create(b, number, perGroup);
  Value inGroup = arith::RemUIOp::create(b, number, perGroup);
  Value firstRow = times(groupNumber, frame.group);
  Value groupRows = toValue(b, min(b, sub(b, rowBlocks, firstRow),
                                   OpFoldResult(b.getIndexAttr(frame.group))));
  Value row = plus(firstRow, arith::RemUIOp::create(b, inGroup, groupRows));
  Value column = arith::DivUIOp::create(b, inGroup, groupRows);
  return {row, column};
}

static ::mlir::gpu::AddressSpaceAttr getSharedSpace(MLIRContext *context) {
  return ::mlir::gpu::AddressSpaceAttr::get(
      context, ::mlir::gpu::AddressSpace::Workgroup);
}

Value BlockKernel::createSharedBytes() {
  auto type = MemRefType::get({ShapedType::kDynamic}, b.getI8Type(),
                              MemRefLayoutAttrInterface(),
                              getSharedSpace(b.getContext()));
  return ::mlir::gpu::DynamicSharedMemoryOp::create(b, type);
}

Value BlockKernel::viewShared(Value bytes, int64_t offset,
                              ArrayRef<int64_t> shape, Type elementType) {
  auto type = MemRefType::get(shape, elementType, MemRefLayoutAttrInterface(),
                              getSharedSpace(b.getContext()));
  return memref::ViewOp::create(b, type, bytes, constant(b, offset),
                                ValueRange());
}

//===----------------------------------------------------------------------===//
// Sums
//===----------------------------------------------------------------------===//

SmallVector<Value> BlockKernel::accumulateTerms(const SegmentArrays &segment,
                                                ArrayRef<Value> zeros,
                                                Accumulate accumulate,
                                                bool inShared) {
  Value zero = constant(b, 0);
  if (segment.terms.size() == 1) {
    turns = getTurns(segment.terms.front().extents, b.getIndexAttr(0));
    return accumulate(segment.terms.front(), zeros);
  }
  auto loop = scf::ForOp::create(b, zero, constant(b, segment.terms.size()),
                                 constant(b, 1), zeros);
  keepRolled(loop);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  // The last step of the term before may still be read.
  if (inShared)
    ::mlir::gpu::BarrierOp::create(b);
  Value current = loop.getInductionVar();
  TermArrays term = segment.terms.back();
  for (size_t number = segment.terms.size() - 1; number-- > 0;)
    term = select(b, isEqual(current, number), segment.terms[number], term);
  turns = getTurns(term.extents, selectTurnsBefore(segment, current));
  auto carried = llvm::to_vector_of<Value>(loop.getRegionIterArgs());
  scf::YieldOp::create(b, accumulateIfAny(term, carried, accumulate));
  return llvm::to_vector_of<Value>(loop.getResults());
}
