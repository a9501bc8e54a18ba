// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The warpgroups that multiply.

#include "boostr/passes/gpu/wgmma/WgmmaKernel.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace mlir::boostr;
using namespace mlir::boostr::wgmma;

void WgmmaKernel::emitConsumer() {
  if (dividesRegisters())
    NVVM::SetMaxRegisterOp::create(b, registers.consumer,
                                   NVVM::SetMaxRegisterAction::increase);
  auto multiply = [&](const Tile &tile, ValueRange carried) {
    Position position = multiplyTile(tile, {carried[0], carried[1]});
    return SmallVector<Value>{position.slot, position.parity};
  };
  Position start = {b.number(0), b.number(0)};
  if (overlapsEpilogue()) {
    Position position = multiplyWholeTiles(start);
    if (canShareTiles())
      forEachUnit({position.slot, position.parity},
                  [&](Value unit, ValueRange carried) {
                    return multiply(decodeUnit(unit), carried);
                  });
  } else {
    forEachTile({start.slot, start.parity}, multiply);
  }
  // The staging boxes must outlive the stores that read them.
  b.when(getLeader(), [&] { b.waitForStoreReads(0); });
}

/// The thread of the warpgroup that speaks for it.
Value WgmmaKernel::getLeader() { return b.isEqual(thread, 0); }

void WgmmaKernel::release(Value slot) {
  b.when(getLeader(), [&] { b.arrive(emptyBarrier(slot)); });
}

/// Releases a slot that threads have read themselves. Without the fence their
/// loads could still be under way when the copy engine writes the slot again: a
/// barrier does not wait for what a load brings.
void WgmmaKernel::releaseRead(Value slot) {
  b.fenceForAsync();
  b.syncWarpgroup(b.add(consumer, 1));
  release(slot);
}

WgmmaKernel::Position WgmmaKernel::multiplyTile(const Tile &tile,
                                                Position position) {
  // Requested here, needed after the products.
  Value biasBits = hasBias() ? loadBias(tile) : Value();

  Value count =
      tile.isShared() ? b.sub(tile.endStep, tile.firstStep) : numSteps;
  Sums sums;
  if (!sumsByOnes()) {
    std::tie(sums, position) =
        multiplySteps(count, position, /*sumsLhs=*/false);
  } else {
    // The sum of lhs rides along with the first tile of columns.
    auto emitCase = [&](bool sumsLhs) {
      auto [results, end] = multiplySteps(count, position, sumsLhs);
      if (!sumsLhs)
        results.lhs = createZeros(4);
      scf::YieldOp::create(
          b, ValueRange{results.product, results.lhs, end.slot, end.parity});
    };
    Value isFirst = b.isEqual(tile.n, 0);
    auto branch = scf::IfOp::create(
        b,
        TypeRange{createZeros(this->tile.columns / 2).getType(),
                  createZeros(4).getType(), b.getI32Type(), b.getI32Type()},
        isFirst, /*withElseRegion=*/true);
    {
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPointToStart(branch.thenBlock());
      emitCase(true);
      b.setInsertionPointToStart(branch.elseBlock());
      emitCase(false);
    }
    sums = {branch.getResult(0), branch.getResult(1)};
    position = {branch.getResult(2), branch.getResult(3)};
  }
  if (!tile.isShared())
    return finishTile(tile, sums, position, biasBits);

  auto branch = scf::IfOp::create(b, TypeRange{b.getI32Type(), b.getI32Type()},
                                  tile.isOwner,
                                  /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(branch.elseBlock());
  sendPartial(tile, sums);
  scf::YieldOp::create(b, ValueRange{position.slot, position.parity});
  b.setInsertionPointToStart(branch.thenBlock());
  std::tie(sums, position) = addPartials(tile, sums, position);
  position = finishTile(tile, sums, position, biasBits);
  scf::YieldOp::create(b, ValueRange{position.slot, position.parity});
  return {branch.getResult(0), branch.getResult(1)};
}

/// Stores what is complete.
WgmmaKernel::Position WgmmaKernel::finishTile(const Tile &tile, Sums sums,
                                              Position position,
                                              Value biasBits) {
  if (sums.lhs)
    b.when(b.isEqual(tile.n, 0), [&] { storeProductWithOnes(tile, sums.lhs); });
  if (hasBias())
    stageBias(biasBits);
  return storeTile(tile, sums.product, position);
}

/// Multiplies along all of k. A slot is released when its products are known to
/// be done, which is once the first of the next slot's have begun.
std::pair<WgmmaKernel::Sums, WgmmaKernel::Position>
WgmmaKernel::multiplySteps(Value count, Position position, bool sumsLhs) {
  SmallVector<Value> nothing;
  return multiplySteps(count, position, sumsLhs, nothing, nullptr);
}

/// Calls `besideStep` where all products of a step have begun; it maps
/// `carried` on.
std::pair<WgmmaKernel::Sums, WgmmaKernel::Position>
WgmmaKernel::multiplySteps(Value count, Position position, bool sumsLhs,
                           SmallVectorImpl<Value> &carried,
                           StepFunction besideStep) {
  SmallVector<Value> start = {position.slot, position.parity,
                              createZeros(tile.columns / 2)};
  if (sumsLhs)
    start.push_back(createZeros(4));
  size_t numOwn = start.size();
  llvm::append_range(start, carried);
  auto multiplyOne = [&](Value step, ValueRange values, bool isFirst) {
    Position current = {values[0], values[1]};
    Sums sums = {values[2], sumsLhs ? values[3] : Value()};
    b.wait(fullBarrier(current.slot), current.parity);
    sums = multiplyStep(current.slot, sums, [&] {
      if (!isFirst)
        b.when(getLeader(),
               [&] { b.arrive(emptyBarrier(previous(current.slot))); });
    });
    SmallVector<Value> others(values.drop_front(numOwn));
    if (besideStep)
      others = besideStep(step, others);
    current = next(current);
    SmallVector<Value> results = {current.slot, current.parity, sums.product};
    if (sumsLhs)
      results.push_back(sums.lhs);
    llvm::append_range(results, others);
    return results;
  };
  SmallVector<Value> otherwise = start;
  // Where there are steps, a turn without any has no tile.
  if (getKnownSteps() > 0)
    for (Value &sums :
         MutableArrayRef(otherwise).take_front(numOwn).drop_front(2))
      sums = LLVM::UndefOp::create(b, sums.getType());
  // The first step stands by itself: products that add to nothing need no
  // zeros in registers. Without steps there is nothing to release either.
  SmallVector<Value> last =
      b.whenElse(b.isLess(b.number(0), count), otherwise, [&] {
        SmallVector<Value> values =
            b.loop(b.number(1), count, b.number(1),
                   multiplyOne(b.number(0), start, /*isFirst=*/true),
                   [&](Value step, ValueRange values) {
                     return multiplyOne(step, values, /*isFirst=*/false);
                   });
        NVVM::WgmmaWaitGroupSyncOp::create(b, 0);
        release(previous(values[0]));
        return values;
      });
  carried.assign(last.begin() + numOwn, last.end());
  return {{last[2], sumsLhs ? last[3] : Value()}, {last[0], last[1]}};
}

Value WgmmaKernel::createZeros(int64_t count) {
  auto type = LLVM::LLVMStructType::getLiteral(
      b.getContext(), SmallVector<Type>(count, b.getF32Type()));
  Value zero = b.zero();
  Value zeros = LLVM::UndefOp::create(b, type);
  for (int64_t i = 0; i < count; ++i)
    zeros = LLVM::InsertValueOp::create(b, zeros, zero, i);
  return zeros;
}

//===----------------------------------------------------------------------===//
// Products
//===----------------------------------------------------------------------===//

/// Columns of the product with a matrix of ones: the fewest there are.
static constexpr int64_t kOnesColumns = 8;
/// Indices of k in one instruction.
static constexpr int64_t kStep = 16;

/// A matrix in shared memory, its rows of 128 bytes swizzled. Runs along k:
/// rows are m (or n), and 8 of them are 1024 bytes. Runs along m (or n): rows
/// are k, 8 of them are 1024 bytes, and blocks of 64 indices lie a box apart.
Value WgmmaKernel::getDescriptor(Value address, bool alongK) {
  constexpr int64_t swizzle128 = int64_t(1) << 62;
  constexpr int64_t rowGroup = int64_t(1024 >> 4) << 32;
  int64_t block = (alongK ? 1 : kBoxBytes >> 4) << 16;
  Value sixteenths =
      b.bitAnd(arith::ShRUIOp::create(b, address, b.number(4)), 0x3fff);
  Value wide = arith::ExtUIOp::create(b, b.getI64Type(), sixteenths);
  return arith::OrIOp::create(b, wide,
                              b.number64(swizzle128 | rowGroup | block));
}

/// What 16 indices of k add to a descriptor, in units of 16 bytes.
static int64_t getStepOffset(bool alongK) {
  return (alongK ? kStep * 2 : kStep * 128) / 16;
}

Value WgmmaKernel::multiply(Value lhs, Value rhs, Value sums, int64_t columns,
                            bool rhsAlongK) {
  MLIRContext *context = b.getContext();
  auto type = NVVM::WGMMATypesAttr::get(context, shape.elementType.isBF16()
                                                     ? NVVM::WGMMATypes::bf16
                                                     : NVVM::WGMMATypes::f16);
  auto one = NVVM::WGMMAScaleInAttr::get(context, NVVM::WGMMAScaleIn::one);
  auto layout = [&](bool isRow) {
    return NVVM::MMALayoutAttr::get(context, isRow ? NVVM::MMALayout::row
                                                   : NVVM::MMALayout::col);
  };
  return NVVM::WgmmaMmaAsyncOp::create(
      b, sums.getType(), sums, lhs, rhs,
      NVVM::MMAShapeAttr::get(context, kUnit, columns, kStep), type, type,
      NVVM::WGMMATypesAttr::get(context, NVVM::WGMMATypes::f32),
      NVVM::WGMMAScaleOutAttr::get(context, NVVM::WGMMAScaleOut::one), one, one,
      layout(shape.lhsAlongK), layout(!rhsAlongK),
      /*satfinite=*/NVVM::MMAIntOverflowAttr());
}

/// Multiplies what is in `slot`; calls `onPreviousDone` where the products of
/// the step before are done, with the first ones of this step under way.
WgmmaKernel::Sums
WgmmaKernel::multiplyStep(Value slot, Sums sums,
                          llvm::function_ref<void()> onPreviousDone) {
  Value stage = stageAddress(slot);
  Value lhs = getDescriptor(b.add(stage, b.mul(consumer, ring.unitBytes)),
                            shape.lhsAlongK);
  Value rhs = getDescriptor(b.add(stage, ring.rhsOffset), shape.rhsAlongK);
  Value ones;
  if (sums.lhs)
    ones = getDescriptor(b.add(shared, tile.extraOffset()), /*alongK=*/true);
  auto advance = [&](Value descriptor, bool alongK, int64_t step) {
    int64_t offset = step * getStepOffset(alongK);
    return offset ? b.add(descriptor, b.number64(offset)) : descriptor;
  };
  NVVM::WgmmaFenceAlignedOp::create(b);
  for (int64_t step = 0; step < kUnit / kStep; ++step) {
    sums.product = multiply(advance(lhs, shape.lhsAlongK, step),
                            advance(rhs, shape.rhsAlongK, step), sums.product,
                            tile.columns, shape.rhsAlongK);
    if (step == 0) {
      NVVM::WgmmaGroupSyncAlignedOp::create(b);
      NVVM::WgmmaWaitGroupSyncOp::create(b, 1);
      onPreviousDone();
    }
  }
  if (sums.lhs)
    for (int64_t step = 0; step < kUnit / kStep; ++step)
      sums.lhs = multiply(advance(lhs, shape.lhsAlongK, step), ones, sums.lhs,
                          kOnesColumns, /*rhsAlongK=*/true);
  NVVM::WgmmaGroupSyncAlignedOp::create(b);
  return sums;
}
