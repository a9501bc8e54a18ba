// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "boostr/passes/gpu/simt/SimtKernel.h"
#include "boostr/passes/cpu/IndexMath.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace mlir::boostr;
using namespace mlir::boostr::cpu;
using namespace mlir::boostr::simt;

SimtKernel::SimtKernel(ImplicitLocOpBuilder &b,
                       SegmentedContractionOpInterface op,
                       const SegmentedContraction &contraction,
                       const SimtTile &tile)
    : b(b), op(op), contraction(contraction), tile(tile),
      lhs{planLoads(contraction, tile, /*isLhs=*/true), true, tile.rows, {}},
      rhs{planLoads(contraction, tile, /*isLhs=*/false),
          false,
          tile.columns,
          {}} {}

//===----------------------------------------------------------------------===//
// Arithmetic
//===----------------------------------------------------------------------===//

Value SimtKernel::isLess(Value x, Value y) {
  return arith::CmpIOp::create(b, arith::CmpIPredicate::ult, x, y);
}
Value SimtKernel::plus(Value x, Value y) { return toValue(b, add(b, x, y)); }
Value SimtKernel::plus(Value x, int64_t y) {
  return toValue(b, add(b, x, b.getIndexAttr(y)));
}
Value SimtKernel::times(Value x, int64_t y) {
  return toValue(b, mul(b, x, b.getIndexAttr(y)));
}
Value SimtKernel::quotient(Value x, int64_t y) {
  return b.createOrFold<arith::DivUIOp>(x, constant(b, y));
}
Value SimtKernel::remainder(Value x, int64_t y) {
  return b.createOrFold<arith::RemUIOp>(x, constant(b, y));
}

VectorType SimtKernel::lanesOf(Type elementType) const {
  return VectorType::get({tile.lanes()}, elementType);
}

Value SimtKernel::offsetOf(const StridedArray &array, ArrayRef<unsigned> dims,
                           const Extents &extents, Value index, bool isFlat) {
  if (!isFlat) {
    // Threads outside of an empty array compute offsets too.
    Extents divisors;
    for (OpFoldResult extent : extents)
      divisors.push_back(
          arith::MaxUIOp::create(b, toValue(b, extent), constant(b, 1))
              .getResult());
    return getOffset(b, array, {dims, divisors}, index);
  }
  OpFoldResult stride = array.strides[dims.back()];
  return stride ? toValue(b, mul(b, index, stride)) : constant(b, 0);
}

//===----------------------------------------------------------------------===//
// The frame
//===----------------------------------------------------------------------===//

void SimtKernel::emit() {
  NumberedBlocks blocks(b, op, contraction, tile.rows, tile.columns);
  Value count = toValue(b, blocks.getCount());
  Value one = constant(b, 1);
  int64_t elements =
      tile.stages * tile.steps *
      (tile.paddedRows() + (hasProduct() ? tile.paddedColumns() : 0));
  Value sharedBytes = arith::ConstantIntOp::create(
      b, elements * tile.sumType.getIntOrFloatBitWidth() / 8, 32);
  auto launch = ::mlir::gpu::LaunchOp::create(
      b, count, one, one, constant(b, kThreads), one, one, sharedBytes);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(&launch.getBody().front());
  thread = launch.getThreadIds().x;
  threadRow = quotient(thread, kSide);
  threadColumn = remainder(thread, kSide);
  Value number = launch.getBlockIds().x;
  auto selected = blocks.select(b, number);
  emitBlock(selected.first, selected.second, number);
  ::mlir::gpu::TerminatorOp::create(b);
}

void SimtKernel::emitBlock(const SegmentArrays &segment,
                           const SegmentGrid &grid, Value number) {
  Value local = toValue(b, sub(b, number, grid.first));
  auto [rowBlock, columnBlock] = orderBlocks(local, grid);
  const Extents &extents = segment.terms.front().extents;
  rows = {times(rowBlock, tile.rows),
          DimGroup{contraction.m, extents}.getSize(b)};
  columns = {times(columnBlock, tile.columns),
             DimGroup{contraction.n, extents}.getSize(b)};
  isFirstColumn = arith::CmpIOp::create(b, arith::CmpIPredicate::eq,
                                        columnBlock, constant(b, 0));
  createShared();
  Sums sums = accumulateTerms(segment);
  if (segment.product)
    storeProducts(*segment.product, extents, sums);
  if (segment.lhsSum)
    storeLhsSum(*segment.lhsSum, extents, sums.lhs);
}

/// Row and column of block `number`: groups of rows of blocks, each walked by
/// columns, so that blocks that run at once share operands.
std::pair<Value, Value> SimtKernel::orderBlocks(Value number,
                                                const SegmentGrid &grid) {
  Value rowBlocks = toValue(b, grid.rowBlocks);
  Value columnBlocks = toValue(b, grid.columnBlocks);
  Value perGroup = times(columnBlocks, tile.group);
  Value group = arith::DivUIOp::create(b, number, perGroup);
  Value inGroup = arith::RemUIOp::create(b, number, perGroup);
  Value firstRow = times(group, tile.group);
  Value groupRows = toValue(b, min(b, sub(b, rowBlocks, firstRow),
                                   OpFoldResult(b.getIndexAttr(tile.group))));
  Value row = plus(firstRow, arith::RemUIOp::create(b, inGroup, groupRows));
  Value column = arith::DivUIOp::create(b, inGroup, groupRows);
  return {row, column};
}

void SimtKernel::createShared() {
  auto space = ::mlir::gpu::AddressSpaceAttr::get(
      b.getContext(), ::mlir::gpu::AddressSpace::Workgroup);
  auto bytesType = MemRefType::get({ShapedType::kDynamic}, b.getI8Type(),
                                   MemRefLayoutAttrInterface(), space);
  Value bytes = ::mlir::gpu::DynamicSharedMemoryOp::create(b, bytesType);
  int64_t offset = 0;
  auto createView = [&](int64_t rows) {
    auto type = MemRefType::get({tile.stages, tile.steps, rows}, tile.sumType,
                                MemRefLayoutAttrInterface(), space);
    Value view = memref::ViewOp::create(b, type, bytes, constant(b, offset),
                                        ValueRange());
    offset += type.getNumElements() * tile.sumType.getIntOrFloatBitWidth() / 8;
    return view;
  };
  lhs.shared = createView(tile.paddedRows());
  if (hasProduct())
    rhs.shared = createView(tile.paddedColumns());
}

SimtKernel::Sums SimtKernel::createZeros() {
  Sums sums;
  VectorType type = lanesOf(tile.sumType);
  if (hasProduct())
    sums.products.assign(tile.threadRows() * tile.threadColumns() /
                             tile.lanes(),
                         arith::ConstantOp::create(b, b.getZeroAttr(type)));
  if (hasLhsSum())
    sums.lhs = arith::ConstantOp::create(b, b.getZeroAttr(tile.sumType));
  return sums;
}

//===----------------------------------------------------------------------===//
// Sums
//===----------------------------------------------------------------------===//

/// An iteration has enough to do in parallel; several run out of registers.
static void keepRolled(scf::ForOp loop) {
  MLIRContext *context = loop.getContext();
  LLVM::LoopUnrollAttr never = LLVM::LoopUnrollAttr::get(
      context, /*disable=*/BoolAttr::get(context, true), /*count=*/{},
      /*runtimeDisable=*/{}, /*full=*/{}, /*followupUnrolled=*/{},
      /*followupRemainder=*/{}, /*followupAll=*/{});
  auto annotation = LLVM::LoopAnnotationAttr::get(
      context, /*disableNonforced=*/{}, /*vectorize=*/{}, /*interleave=*/{},
      never, /*unrollAndJam=*/{}, /*licm=*/{}, /*distribute=*/{},
      /*pipeline=*/{}, /*peeled=*/{}, /*unswitch=*/{}, /*mustProgress=*/{},
      /*isVectorized=*/{}, /*startLoc=*/{}, /*endLoc=*/{},
      /*parallelAccesses=*/{});
  loop->setAttr("llvm.loop_annotation", annotation);
}

SmallVector<Value> SimtKernel::flatten(const Sums &sums) {
  SmallVector<Value> values(sums.products);
  if (sums.lhs)
    values.push_back(sums.lhs);
  return values;
}

SimtKernel::Sums SimtKernel::unflatten(ValueRange values) {
  Sums sums;
  if (hasLhsSum()) {
    sums.lhs = values.back();
    values = values.drop_back();
  }
  llvm::append_range(sums.products, values);
  return sums;
}

/// A loop over the terms, so that the code for a step exists once.
SimtKernel::Sums SimtKernel::accumulateTerms(const SegmentArrays &segment) {
  Sums zeros = createZeros();
  if (segment.terms.size() == 1)
    return accumulateTerm(segment.terms.front(), zeros);
  auto loop =
      scf::ForOp::create(b, constant(b, 0), constant(b, segment.terms.size()),
                         constant(b, 1), flatten(zeros));
  keepRolled(loop);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  // The last step of the term before may still be read.
  ::mlir::gpu::BarrierOp::create(b);
  TermArrays term = segment.terms.back();
  for (size_t number = segment.terms.size() - 1; number-- > 0;) {
    Value isIt =
        arith::CmpIOp::create(b, arith::CmpIPredicate::eq,
                              loop.getInductionVar(), constant(b, number));
    term = select(b, isIt, segment.terms[number], term);
  }
  Sums sums = accumulateTerm(term, unflatten(loop.getRegionIterArgs()));
  scf::YieldOp::create(b, flatten(sums));
  return unflatten(loop.getResults());
}

SimtKernel::Sums SimtKernel::accumulateTerm(const TermArrays &term, Sums sums) {
  SmallVector<Walk, 2> walks;
  walks.push_back(startWalk(lhs, term.lhs, term.extents, rows));
  if (hasProduct())
    walks.push_back(startWalk(rhs, term.rhs, term.extents, columns));

  // Carried: sums, then what the next step multiplies.
  auto loadAll = [&](Value firstStep) {
    SmallVector<Value> chunks;
    for (const Walk &walk : walks)
      chunks.append(load(walk, firstStep));
    return chunks;
  };
  SmallVector<Value> carried = flatten(sums);
  size_t numSums = carried.size();
  Value zero = constant(b, 0), one = constant(b, 1);
  OpFoldResult numSteps = ceilDiv(b, walks.front().numSteps, tile.steps);
  carried.append(loadAll(zero));
  auto loop = scf::ForOp::create(b, zero, toValue(b, numSteps), one, carried);
  keepRolled(loop);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  Value step = loop.getInductionVar();
  Value stage = remainder(step, tile.stages);
  ValueRange arguments = loop.getRegionIterArgs();
  Sums next = unflatten(arguments.take_front(numSums));
  ValueRange chunks = arguments.drop_front(numSums);
  for (const Walk &walk : walks) {
    int64_t count = walk.operand->chunksPerThread(tile);
    store(walk, stage, chunks.take_front(count));
    chunks = chunks.drop_front(count);
  }
  ::mlir::gpu::BarrierOp::create(b);
  // Loads first: they take longest.
  SmallVector<Value> loaded = loadAll(times(plus(step, one), tile.steps));
  if (hasLhsSum())
    sumLhs(stage, next);
  if (hasProduct())
    multiply(stage, next);
  if (tile.stages == 1)
    ::mlir::gpu::BarrierOp::create(b);
  SmallVector<Value> yielded = flatten(next);
  yielded.append(loaded);
  scf::YieldOp::create(b, yielded);
  return unflatten(loop.getResults().take_front(numSums));
}

/// `count` elements of this thread at one step, in vectors: each has `lanes` of
/// them beside each other, and those of all threads alternate, so that threads
/// read from all banks.
SmallVector<Value> SimtKernel::loadLanes(const Operand &operand, Value stage,
                                         int64_t step, Value index,
                                         int64_t count) {
  int64_t lanes = tile.lanes();
  SmallVector<Value> vectors;
  Value position = times(index, lanes);
  for (int64_t group = 0; group < count / lanes; ++group)
    vectors.push_back(vector::LoadOp::create(
        b, lanesOf(tile.sumType), operand.shared,
        ValueRange{stage, constant(b, step),
                   plus(position, group * lanes * kSide)},
        /*nontemporal=*/false, llvm::MaybeAlign(16)));
  return vectors;
}

void SimtKernel::multiply(Value stage, Sums &sums) {
  int64_t lanes = tile.lanes();
  for (int64_t step = 0; step < tile.steps; ++step) {
    SmallVector<Value> lhsLanes =
        loadLanes(lhs, stage, step, threadRow, tile.threadRows());
    SmallVector<Value> rhsLanes =
        loadLanes(rhs, stage, step, threadColumn, tile.threadColumns());
    auto sum = sums.products.begin();
    for (int64_t row = 0; row < tile.threadRows(); ++row) {
      Value element =
          vector::ExtractOp::create(b, lhsLanes[row / lanes], row % lanes);
      Value factor =
          vector::BroadcastOp::create(b, lanesOf(tile.sumType), element);
      for (Value rhsVector : rhsLanes) {
        *sum = vector::FMAOp::create(b, factor, rhsVector, *sum);
        ++sum;
      }
    }
  }
}

/// Thread i sums row i of lhs.
void SimtKernel::sumLhs(Value stage, Sums &sums) {
  Value isMine = arith::AndIOp::create(b, isFirstColumn,
                                       isLess(thread, constant(b, tile.rows)));
  auto branch = scf::IfOp::create(b, TypeRange(tile.sumType), isMine,
                                  /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(branch.thenBlock());
  Value sum = sums.lhs;
  for (int64_t step = 0; step < tile.steps; ++step)
    sum = arith::AddFOp::create(
        b, sum,
        memref::LoadOp::create(b, lhs.shared,
                               ValueRange{stage, constant(b, step), thread}));
  scf::YieldOp::create(b, sum);
  b.setInsertionPointToStart(branch.elseBlock());
  scf::YieldOp::create(b, sums.lhs);
  sums.lhs = branch.getResult(0);
}
