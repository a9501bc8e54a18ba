// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "boostr/passes/gpu/wgmma/DeviceBuilder.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace mlir::boostr::wgmma;

static constexpr unsigned kGlobal = 1, kShared = 3, kSharedCluster = 7;
/// How long the hardware may suspend a waiting thread before it looks again,
/// in nanoseconds.
static constexpr int64_t kSuspendTime = 10'000'000;

LLVM::LLVMPointerType DeviceBuilder::pointer(unsigned space) {
  return LLVM::LLVMPointerType::get(getContext(), space);
}

//===----------------------------------------------------------------------===//
// Numbers and control flow
//===----------------------------------------------------------------------===//

Value DeviceBuilder::number(int64_t value) {
  return arith::ConstantIntOp::create(*this, getI32Type(), value);
}

Value DeviceBuilder::number64(int64_t value) {
  return arith::ConstantIntOp::create(*this, getI64Type(), value);
}

Value DeviceBuilder::select(Value condition, Value ifTrue, Value ifFalse) {
  if (ifTrue == ifFalse)
    return ifTrue;
  return createOrFold<arith::SelectOp>(condition, ifTrue, ifFalse);
}

void DeviceBuilder::whenElected(Value thread, llvm::function_ref<void()> body) {
  constexpr int64_t warp = 32;
  when(isLess(thread, number(warp)), [&] {
    when(NVVM::ElectSyncOp::create(*this, getI1Type(), Value()), body);
  });
}

Value DeviceBuilder::threadId() {
  return NVVM::ThreadIdXOp::create(*this, getI32Type());
}
Value DeviceBuilder::blockId() {
  return NVVM::BlockIdXOp::create(*this, getI32Type());
}
Value DeviceBuilder::numBlocks() {
  return NVVM::GridDimXOp::create(*this, getI32Type());
}

SmallVector<Value> DeviceBuilder::loop(
    Value begin, Value end, Value step, ValueRange carried,
    llvm::function_ref<SmallVector<Value>(Value, ValueRange)> body) {
  auto loop = scf::ForOp::create(*this, begin, end, step, carried);
  OpBuilder::InsertionGuard guard(*this);
  // A loop that carries nothing has been given its terminator.
  if (carried.empty())
    setInsertionPoint(loop.getBody()->getTerminator());
  else
    setInsertionPointToStart(loop.getBody());
  SmallVector<Value> next =
      body(loop.getInductionVar(), loop.getRegionIterArgs());
  if (!carried.empty())
    scf::YieldOp::create(*this, next);
  return llvm::to_vector_of<Value>(loop.getResults());
}

void DeviceBuilder::when(Value condition, llvm::function_ref<void()> body) {
  auto branch = scf::IfOp::create(*this, condition, /*withElseRegion=*/false);
  OpBuilder::InsertionGuard guard(*this);
  setInsertionPoint(branch.thenBlock()->getTerminator());
  body();
}

SmallVector<Value>
DeviceBuilder::whenElse(Value condition, ValueRange otherwise,
                        llvm::function_ref<SmallVector<Value>()> body) {
  auto branch = scf::IfOp::create(*this, TypeRange(otherwise), condition,
                                  /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(*this);
  setInsertionPointToStart(branch.elseBlock());
  scf::YieldOp::create(*this, otherwise);
  setInsertionPointToStart(branch.thenBlock());
  scf::YieldOp::create(*this, body());
  return llvm::to_vector_of<Value>(branch.getResults());
}

Value DeviceBuilder::globalPointer(Value address) {
  return LLVM::IntToPtrOp::create(*this, pointer(kGlobal), address);
}

Value DeviceBuilder::sharedPointer(Value address, int64_t offset) {
  Value start = LLVM::IntToPtrOp::create(*this, pointer(kShared), address);
  if (offset == 0)
    return start;
  return LLVM::GEPOp::create(*this, start.getType(), getI8Type(), start,
                             ArrayRef<LLVM::GEPArg>{int32_t(offset)});
}

Value DeviceBuilder::zero() {
  return LLVM::ConstantOp::create(*this, getF32Type(), getF32FloatAttr(0.0f));
}

Value DeviceBuilder::createPair(Value first, Value second) {
  Value pair =
      LLVM::UndefOp::create(*this, VectorType::get(2, first.getType()));
  pair = LLVM::InsertElementOp::create(*this, pair, first, number(0));
  return LLVM::InsertElementOp::create(*this, pair, second, number(1));
}

std::pair<Value, Value> DeviceBuilder::extendPair(Value bits,
                                                  Type elementType) {
  // A bf16 is the upper half of an f32.
  if (elementType.isBF16()) {
    auto bitcast = [&](Value half) -> Value {
      return LLVM::BitcastOp::create(*this, getF32Type(), half);
    };
    return {bitcast(shiftLeft(bits, number(16))),
            bitcast(bitAnd(bits, int32_t(0xffff0000)))};
  }
  Value pair =
      LLVM::BitcastOp::create(*this, VectorType::get(2, elementType), bits);
  Value wide =
      LLVM::FPExtOp::create(*this, VectorType::get(2, getF32Type()), pair);
  return {LLVM::ExtractElementOp::create(*this, wide, number(0)),
          LLVM::ExtractElementOp::create(*this, wide, number(1))};
}

Value DeviceBuilder::extend(Value value) {
  if (value.getType().isF32())
    return value;
  return LLVM::FPExtOp::create(*this, getF32Type(), value);
}

//===----------------------------------------------------------------------===//
// Barriers and fences
//===----------------------------------------------------------------------===//

void DeviceBuilder::initBarrier(Value barrier, int64_t numArrivals) {
  NVVM::MBarrierInitOp::create(*this, sharedPointer(barrier),
                               number(numArrivals), /*predicate=*/Value());
}

void DeviceBuilder::arrive(Value barrier) {
  NVVM::MBarrierArriveOp::create(
      *this, getI64Type(), sharedPointer(barrier), /*count=*/Value(),
      NVVM::MemScopeKindAttr::get(getContext(), NVVM::MemScopeKind::CTA));
}

void DeviceBuilder::arriveAndExpect(Value barrier, Value numBytes) {
  NVVM::MBarrierArriveExpectTxOp::create(
      *this, /*res=*/Type(), sharedPointer(barrier), numBytes,
      NVVM::MemScopeKindAttr::get(getContext(), NVVM::MemScopeKind::CTA),
      /*relaxed=*/getBoolAttr(false), /*predicate=*/Value());
}

void DeviceBuilder::wait(Value barrier, Value parity) {
  NVVM::MBarrierTryWaitParityOp::create(*this, sharedPointer(barrier), parity,
                                        number(kSuspendTime));
}

void DeviceBuilder::syncWarp() { NVVM::SyncWarpOp::create(*this, number(-1)); }

void DeviceBuilder::syncWarpgroup(Value id) {
  NVVM::BarrierOp::create(*this, TypeRange(), id, number(128), {}, Value());
}

void DeviceBuilder::syncBlock() { NVVM::Barrier0Op::create(*this); }

void DeviceBuilder::fenceForAsync() {
  NVVM::FenceProxyOp::create(
      *this,
      NVVM::ProxyKindAttr::get(getContext(), NVVM::ProxyKind::async_shared),
      NVVM::SharedSpaceAttr::get(getContext(), NVVM::SharedSpace::shared_cta));
}

void DeviceBuilder::fenceForAsyncGlobal() {
  NVVM::FenceProxyOp::create(
      *this,
      NVVM::ProxyKindAttr::get(getContext(), NVVM::ProxyKind::async_global),
      NVVM::SharedSpaceAttr());
}

void DeviceBuilder::setFlag(Value flag, Value value) {
  LLVM::StoreOp::create(*this, value, flag, kFlagBytes, /*isVolatile=*/false,
                        /*isNonTemporal=*/false, /*isInvariantGroup=*/false,
                        LLVM::AtomicOrdering::release, kDeviceScope);
}

void DeviceBuilder::clearFlag(Value flag) {
  LLVM::StoreOp::create(*this, number64(0), flag, kFlagBytes);
}

void DeviceBuilder::spinUntil(Value flag, Value value) {
  auto loop = scf::WhileOp::create(*this, TypeRange(), ValueRange());
  OpBuilder::InsertionGuard guard(*this);
  createBlock(&loop.getBefore());
  Value found = LLVM::LoadOp::create(
      *this, getI64Type(), flag, kFlagBytes, /*isVolatile=*/false,
      /*isNonTemporal=*/false, /*isInvariant=*/false,
      /*isInvariantGroup=*/false, LLVM::AtomicOrdering::acquire, kDeviceScope);
  scf::ConditionOp::create(*this, invert(isEqual(found, value)), ValueRange());
  createBlock(&loop.getAfter());
  scf::YieldOp::create(*this);
}

Value DeviceBuilder::countUp(Value flag, Value start, Value most) {
  Type i64 = getI64Type();
  Value count = countArrivals(*this, flag, start,
                              arith::ExtUIOp::create(*this, i64, most));
  return arith::TruncIOp::create(*this, getI32Type(), count);
}

//===----------------------------------------------------------------------===//
// The copy engine
//===----------------------------------------------------------------------===//

void DeviceBuilder::loadBox(Value map, ValueRange coordinates,
                            Value destination, Value barrier) {
  Value cluster = LLVM::AddrSpaceCastOp::create(*this, pointer(kSharedCluster),
                                                sharedPointer(destination));
  NVVM::CpAsyncBulkTensorGlobalToSharedClusterOp::create(
      *this, cluster, map, coordinates, sharedPointer(barrier),
      /*im2colOffsets=*/ValueRange(), /*multicastMask=*/Value(),
      /*l2CacheHint=*/Value(),
      NVVM::TMALoadModeAttr::get(getContext(), NVVM::TMALoadMode::TILE),
      /*isCTAOnly=*/getBoolAttr(false), /*group=*/{}, /*predicate=*/Value());
}

void DeviceBuilder::prefetchBox(Value map, ValueRange coordinates) {
  NVVM::CpAsyncBulkTensorPrefetchOp::create(
      *this, map, coordinates, /*im2colOffsets=*/ValueRange(),
      NVVM::TMALoadModeAttr::get(getContext(), NVVM::TMALoadMode::TILE),
      /*l2CacheHint=*/Value());
}

void DeviceBuilder::loadBytes(Value source, int64_t bytes, Value destination,
                              Value barrier) {
  Value cluster = LLVM::AddrSpaceCastOp::create(*this, pointer(kSharedCluster),
                                                sharedPointer(destination));
  NVVM::CpAsyncBulkGlobalToSharedClusterOp::create(
      *this, cluster, source, sharedPointer(barrier), number(bytes),
      /*multicastMask=*/Value(), /*l2CacheHint=*/Value());
}

void DeviceBuilder::storeBox(Value map, ValueRange coordinates, Value source) {
  NVVM::CpAsyncBulkTensorSharedCTAToGlobalOp::create(
      *this, map, sharedPointer(source), coordinates, /*l2CacheHint=*/Value(),
      NVVM::TMAStoreModeAttr::get(getContext(), NVVM::TMAStoreMode::TILE),
      /*predicate=*/Value());
}

void DeviceBuilder::addBox(Value map, ValueRange coordinates, Value source) {
  NVVM::CpAsyncBulkTensorReduceOp::create(
      *this, map, sharedPointer(source),
      NVVM::TMAReduxKindAttr::get(getContext(), NVVM::TMAReduxKind::ADD),
      NVVM::TMAStoreModeAttr::get(getContext(), NVVM::TMAStoreMode::TILE),
      coordinates, /*l2CacheHint=*/Value());
}

void DeviceBuilder::commitStores() {
  NVVM::CpAsyncBulkCommitGroupOp::create(*this);
}

void DeviceBuilder::waitForStoreReads(int64_t count) {
  NVVM::CpAsyncBulkWaitGroupOp::create(*this, getI32IntegerAttr(count),
                                       getUnitAttr());
}
