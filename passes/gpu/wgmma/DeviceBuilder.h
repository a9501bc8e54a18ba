// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A builder for the body of a kernel: 32-bit arithmetic that folds, shared
// memory by number, and the barriers and copies of sm_90.

#ifndef BOOSTR_PASSES_GPU_WGMMA_DEVICEBUILDER_H
#define BOOSTR_PASSES_GPU_WGMMA_DEVICEBUILDER_H

#include "boostr/passes/gpu/CountArrivals.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mlir::boostr::wgmma {

class DeviceBuilder : public ImplicitLocOpBuilder {
public:
  using ImplicitLocOpBuilder::ImplicitLocOpBuilder;

  // Numbers are i32 and not negative.
  Value number(int64_t value);
  Value number64(int64_t value);
  Value add(Value x, Value y) { return createOrFold<arith::AddIOp>(x, y); }
  Value add(Value x, int64_t y) { return add(x, number(y)); }
  Value sub(Value x, Value y) { return createOrFold<arith::SubIOp>(x, y); }
  Value mul(Value x, Value y) { return createOrFold<arith::MulIOp>(x, y); }
  Value mul(Value x, int64_t y) { return mul(x, number(y)); }
  Value div(Value x, Value y) { return createOrFold<arith::DivUIOp>(x, y); }
  Value div(Value x, int64_t y) { return div(x, number(y)); }
  Value rem(Value x, Value y) { return createOrFold<arith::RemUIOp>(x, y); }
  Value rem(Value x, int64_t y) { return rem(x, number(y)); }
  Value min(Value x, Value y) { return createOrFold<arith::MinUIOp>(x, y); }
  Value max(Value x, Value y) { return createOrFold<arith::MaxUIOp>(x, y); }
  Value bitXor(Value x, Value y) { return createOrFold<arith::XOrIOp>(x, y); }
  Value bitAnd(Value x, int64_t y) {
    return createOrFold<arith::AndIOp>(x, number(y));
  }
  Value isEqual(Value x, Value y) {
    return createOrFold<arith::CmpIOp>(arith::CmpIPredicate::eq, x, y);
  }
  Value isEqual(Value x, int64_t y) { return isEqual(x, number(y)); }
  Value isLess(Value x, Value y) {
    return createOrFold<arith::CmpIOp>(arith::CmpIPredicate::ult, x, y);
  }
  Value invert(Value condition) {
    return createOrFold<arith::XOrIOp>(
        condition, arith::ConstantIntOp::create(*this, getI1Type(), 1));
  }
  Value shiftLeft(Value x, Value y) {
    return createOrFold<arith::ShLIOp>(x, y);
  }
  Value select(Value condition, Value ifTrue, Value ifFalse);

  /// Of f32.
  Value zero();
  Value addFloats(Value x, Value y) {
    return createOrFold<arith::AddFOp>(x, y);
  }
  /// A vector of two.
  Value createPair(Value first, Value second);
  /// Two elements of 16 bits, the bits of an i32, as f32.
  std::pair<Value, Value> extendPair(Value bits, Type elementType);
  /// A number of 16 bits, or an f32, as f32.
  Value extend(Value value);

  /// In one thread of the first warp of a warpgroup, all of whose warps come
  /// here, each `thread` with its number: the assembler knows that it is but
  /// one, and has no loop around each instruction of the copy engine, of which
  /// threads take turns.
  void whenElected(Value thread, llvm::function_ref<void()> body);
  Value threadId();
  Value blockId();
  Value numBlocks();

  /// `for i in [begin, end) by step`; `body` maps the carried values on.
  SmallVector<Value>
  loop(Value begin, Value end, Value step, ValueRange carried,
       llvm::function_ref<SmallVector<Value>(Value i, ValueRange)> body);
  /// `if condition { body }`.
  void when(Value condition, llvm::function_ref<void()> body);
  /// `if condition { body } else { otherwise }`, with values.
  SmallVector<Value> whenElse(Value condition, ValueRange otherwise,
                              llvm::function_ref<SmallVector<Value>()> body);

  /// The global memory at `address`, an i64.
  Value globalPointer(Value address);
  /// The shared memory `offset` bytes behind `address`, a number.
  Value sharedPointer(Value address, int64_t offset = 0);

  // Barriers in shared memory (mbarrier). A wait returns when the phase of
  // parity `parity` is complete.
  void initBarrier(Value barrier, int64_t numArrivals);
  void arrive(Value barrier);
  void arriveAndExpect(Value barrier, Value numBytes);
  void arriveAndExpect(Value barrier, int64_t numBytes) {
    arriveAndExpect(barrier, number(numBytes));
  }
  void wait(Value barrier, Value parity);

  /// A barrier of one warp, of one warpgroup, of all.
  void syncWarp();
  void syncWarpgroup(Value id);
  void syncBlock();

  /// Makes this thread's writes to shared memory visible to the copy engine and
  /// to the tensor cores.
  void fenceForAsync();
  /// Makes what other blocks are known to have written to global memory visible
  /// to the copy engine.
  void fenceForAsyncGlobal();
  // Flags in global memory, i64. Who has waited for one sees what was written
  // before it was set, by threads of one block that were in step then.
  void setFlag(Value flag, Value value);
  void clearFlag(Value flag);
  void spinUntil(Value flag, Value value);
  /// `countArrivals` of numbers.
  Value countUp(Value flag, Value start, Value most);

  /// Copies a box of a tensor to shared memory; its bytes count for `barrier`.
  void loadBox(Value map, ValueRange coordinates, Value destination,
               Value barrier);
  /// Brings a box of a tensor to the L2 cache.
  void prefetchBox(Value map, ValueRange coordinates);
  /// Copies `bytes` of global memory; they count for `barrier`.
  void loadBytes(Value source, int64_t bytes, Value destination, Value barrier);
  void storeBox(Value map, ValueRange coordinates, Value source);
  /// Adds a box in shared memory to one in global memory.
  void addBox(Value map, ValueRange coordinates, Value source);
  void commitStores();
  /// Until all stores but the last `count` have read their sources.
  void waitForStoreReads(int64_t count);

private:
  LLVM::LLVMPointerType pointer(unsigned space);
};

} // namespace mlir::boostr::wgmma

#endif // BOOSTR_PASSES_GPU_WGMMA_DEVICEBUILDER_H
