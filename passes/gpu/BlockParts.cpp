// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Blocks that are cut along k. Where there are few blocks with many steps, as
// in the gradient of a small weight, each is computed by several thread blocks,
// a part of the steps each:
//
//   multiply the steps of the part
//   leave the sums in a workspace, count who has done so
//   the last one: add the sums of all parts in their order, store the result
//
// Nobody waits for anybody, and the order of the sums does not depend on who
// was last. What counts starts from a number that each launch has its own of:
// so nobody has to clear it before, which would be work of the device between
// launches (see countArrivals).

#include "boostr/passes/cpu/IndexMath.h"
#include "boostr/passes/gpu/BlockKernel.h"
#include "boostr/passes/gpu/CountArrivals.h"
#include "boostr/passes/gpu/CountIndices.h"
#include "boostr/passes/gpu/GpuTile.h"
#include "boostr/passes/gpu/KeepRolled.h"
#include "boostr/passes/gpu/Workspaces.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;
using namespace mlir::boostr;
using namespace mlir::boostr::cpu;

/// What a thread moves at once.
static constexpr int64_t kLargestAccess = 16;

static int64_t getBytes(Type type) {
  auto vector = dyn_cast<VectorType>(type);
  return (vector ? vector.getNumElements() : 1) *
         getElementTypeOrSelf(type).getIntOrFloatBitWidth() / 8;
}

static Value toI64(ImplicitLocOpBuilder &b, Value index) {
  return arith::IndexCastOp::create(b, b.getI64Type(), index);
}

/// `offset` elements of `type` behind `base`, an address or a pointer.
static Value getPlace(ImplicitLocOpBuilder &b, Value base, Type type,
                      LLVM::GEPArg offset) {
  auto pointer = LLVM::LLVMPointerType::get(
      b.getContext(), unsigned(NVVM::NVVMMemorySpace::Global));
  if (base.getType() != pointer)
    base = LLVM::IntToPtrOp::create(b, pointer, base);
  return LLVM::GEPOp::create(b, pointer, type, base,
                             ArrayRef<LLVM::GEPArg>{offset});
}

//===----------------------------------------------------------------------===//
// Host
//===----------------------------------------------------------------------===//

int64_t BlockKernel::getPartBytes() const {
  int64_t bytes = 0;
  for (Type type : frame.sumTypes)
    bytes += frame.threads * getBytes(type);
  return llvm::alignTo(bytes, kLargestAccess);
}

Value BlockKernel::getSharedBytes(Value numBlocks) {
  Value bytes = arith::ConstantIntOp::create(b, frame.sharedBytes, 32);
  if (parts.leastBytes <= frame.sharedBytes)
    return bytes;
  if (isInParts())
    numBlocks = arith::MulIOp::create(b, numBlocks, parts.count);
  Value least = arith::ConstantIntOp::create(b, parts.leastBytes, 32);
  return arith::SelectOp::create(b, isAtMost(b, numBlocks, kMultiprocessors),
                                 least, bytes);
}

/// What all blocks have in common: memory for the sums of all parts, behind a
/// flag for each block, and how many turns a part has. Segments have the same
/// steps; if one had more, parts would be larger.
void BlockKernel::prepareMeeting(ArrayRef<SegmentArrays> segments,
                                 Value numBlocks) {
  meeting.numBlocks = numBlocks;
  Value flagBytes = times(toValue(b, ceilDiv(b, numBlocks, 2)), 2 * kFlagBytes);
  Value numParts = arith::MulIOp::create(b, numBlocks, parts.count);
  Value isNeeded = isLess(constant(b, 1), parts.count);
  auto [memory, token] =
      allocateWorkspace(b, op, parts.workspace, isNeeded,
                        plus(flagBytes, times(numParts, getPartBytes())));
  meeting.flags = memory;
  meeting.token = token;
  meeting.sums = arith::AddIOp::create(b, memory, toI64(b, flagBytes));

  OpFoldResult most = b.getIndexAttr(0);
  for (const SegmentArrays &segment : segments)
    most = max(b, most, countTurnsBefore(segment, segment.terms.size()));
  meeting.turnsPerPart =
      toValue(b, ceilDiv(b, most, OpFoldResult(parts.count)));
}

//===----------------------------------------------------------------------===//
// Which steps
//===----------------------------------------------------------------------===//

OpFoldResult BlockKernel::countTurns(const Extents &extents) {
  return ceilDiv(b, DimGroup{contraction.k, extents}.getSize(b), frame.steps);
}

/// Those of the terms before term `number`.
OpFoldResult BlockKernel::countTurnsBefore(const SegmentArrays &segment,
                                           size_t number) {
  OpFoldResult count = b.getIndexAttr(0);
  for (const TermArrays &term : ArrayRef(segment.terms).take_front(number))
    count = add(b, count, countTurns(term.extents));
  return count;
}

/// The same, for a number that the kernel knows.
OpFoldResult BlockKernel::selectTurnsBefore(const SegmentArrays &segment,
                                            Value number) {
  if (!isInParts())
    return b.getIndexAttr(0);
  size_t last = segment.terms.size() - 1;
  OpFoldResult count = countTurnsBefore(segment, last);
  for (size_t i = last; i-- > 0;)
    count = select(b, isEqual(number, i), countTurnsBefore(segment, i), count);
  return count;
}

/// Of a term with `before` turns in those before it.
BlockKernel::Range BlockKernel::getTurns(const Extents &extents,
                                         OpFoldResult before) {
  if (frame.steps == 0)
    return {};
  OpFoldResult count = countTurns(extents);
  if (!isInParts())
    return {constant(b, 0), toValue(b, count)};
  auto clamp = [&](OpFoldResult turn) {
    return toValue(b, min(b, sub(b, max(b, turn, before), before), count));
  };
  Value start = arith::MulIOp::create(b, meeting.part, meeting.turnsPerPart);
  return {clamp(start), clamp(toValue(b, add(b, start, meeting.turnsPerPart)))};
}

SmallVector<Value> BlockKernel::accumulateIfAny(const TermArrays &term,
                                                ArrayRef<Value> carried,
                                                Accumulate accumulate) {
  if (!isInParts())
    return accumulate(term, carried);
  auto branch = scf::IfOp::create(b, ValueRange(carried).getTypes(),
                                  isLess(turns.start, turns.end),
                                  /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(branch.elseBlock());
  scf::YieldOp::create(b, carried);
  b.setInsertionPointToStart(branch.thenBlock());
  scf::YieldOp::create(b, accumulate(term, carried));
  return llvm::to_vector_of<Value>(branch.getResults());
}

//===----------------------------------------------------------------------===//
// Where sums meet
//===----------------------------------------------------------------------===//

/// Where this thread's sums of a part lie, those of neighbours beside them.
SmallVector<Value> BlockKernel::getPlaces(Value part) {
  Type byte = b.getI8Type();
  Value number =
      plus(arith::MulIOp::create(b, part, meeting.numBlocks), meeting.block);
  Value first =
      getPlace(b, meeting.sums, byte, toI64(b, times(number, getPartBytes())));
  SmallVector<Value> places;
  int32_t offset = 0;
  for (Type type : frame.sumTypes) {
    Value own =
        getPlace(b, first, byte, toI64(b, times(thread, getBytes(type))));
    // Constant offsets come last, where they are part of the instruction.
    places.push_back(getPlace(b, own, byte, offset));
    offset += frame.threads * getBytes(type);
  }
  return places;
}

static int64_t getAlignment(Type type) {
  return std::min(getBytes(type), kLargestAccess);
}

void BlockKernel::leaveSums(ArrayRef<Value> sums) {
  for (auto [sum, place] : llvm::zip_equal(sums, getPlaces(meeting.part)))
    LLVM::StoreOp::create(b, sum, place, getAlignment(sum.getType()));
}

/// Of all parts of the block, in their order.
SmallVector<Value> BlockKernel::addSums() {
  SmallVector<Value> zeros;
  for (Type type : frame.sumTypes)
    zeros.push_back(arith::ConstantOp::create(b, b.getZeroAttr(type)));
  auto loop =
      scf::ForOp::create(b, constant(b, 0), parts.count, constant(b, 1), zeros);
  keepRolled(loop);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  SmallVector<Value> places = getPlaces(loop.getInductionVar());
  SmallVector<Value> added;
  for (auto [sum, place] : llvm::zip_equal(loop.getRegionIterArgs(), places))
    added.push_back(arith::AddFOp::create(
        b, sum,
        LLVM::LoadOp::create(b, sum.getType(), place,
                             getAlignment(sum.getType()))));
  scf::YieldOp::create(b, added);
  return llvm::to_vector_of<Value>(loop.getResults());
}

/// Returns a number that is 0 while other parts of this block have not left
/// their sums yet, and then 1 more than the block's. All threads have left
/// theirs, and read nothing from shared memory any more, when the first one
/// counts; what it sees all of them do, behind the barrier.
Value BlockKernel::meetOthers() {
  Type i32 = b.getI32Type();
  Value zero = constant(b, 0);
  Value shared = viewShared(createSharedBytes(), 0, {1}, i32);
  ::mlir::gpu::BarrierOp::create(b);
  ifElse(b, isEqual(thread, 0), [&] {
    Value flag =
        getPlace(b, meeting.flags, b.getI64Type(), toI64(b, meeting.block));
    Value most = toI64(b, parts.count);
    Value count = countArrivals(b, flag, meeting.token, most);
    Value isLast =
        arith::CmpIOp::create(b, arith::CmpIPredicate::eq, count, most);
    Value next = arith::IndexCastOp::create(b, i32, plus(meeting.block, 1));
    Value none = arith::ConstantIntOp::create(b, i32, 0);
    memref::StoreOp::create(b, arith::SelectOp::create(b, isLast, next, none),
                            shared, zero);
  });
  ::mlir::gpu::BarrierOp::create(b);
  Value met = memref::LoadOp::create(b, shared, zero);
  // What comes next in shared memory takes this place.
  ::mlir::gpu::BarrierOp::create(b);
  return arith::IndexCastUIOp::create(b, b.getIndexType(), met);
}

/// Which block it is comes through shared memory, so that where its results lie
/// is computed from that, and not kept in registers while it multiplies.
void BlockKernel::storeSumsOfParts(const SegmentArrays &segment,
                                   ArrayRef<Value *> sums, Store store) {
  if (!isInParts())
    return store(segment);
  OpBuilder::InsertionGuard guard(b);
  // A whole block keeps its sums where they are.
  Value isPart = isLess(constant(b, 1), parts.count);
  auto meet = scf::IfOp::create(b, b.getIndexType(), isPart,
                                /*withElseRegion=*/true);
  b.setInsertionPointToStart(meet.elseBlock());
  scf::YieldOp::create(b, plus(meeting.block, 1));
  b.setInsertionPointToStart(meet.thenBlock());
  leaveSums(read(sums));
  scf::YieldOp::create(b, meetOthers());

  b.setInsertionPointAfter(meet);
  Value next = meet.getResult(0);
  auto last = scf::IfOp::create(b, isLess(constant(b, 0), next),
                                /*withElseRegion=*/false);
  b.setInsertionPointToStart(last.thenBlock());
  meeting.block = toValue(b, sub(b, next, b.getIndexAttr(1)));
  auto all = scf::IfOp::create(b, TypeRange(frame.sumTypes), isPart,
                               /*withElseRegion=*/true);
  b.setInsertionPointToStart(all.elseBlock());
  scf::YieldOp::create(b, read(sums));
  b.setInsertionPointToStart(all.thenBlock());
  scf::YieldOp::create(b, addSums());
  b.setInsertionPointAfter(all);
  replace(sums, all.getResults());
  store(locate(meeting.block));
}
