// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "boostr/passes/gpu/CountArrivals.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace mlir::boostr;

/// Whether `value` is a count of this launch: one that began at `start`.
static Value isCount(ImplicitLocOpBuilder &b, Value value, Value start,
                     Value most) {
  return arith::CmpIOp::create(b, arith::CmpIPredicate::ult,
                               arith::SubIOp::create(b, value, start), most);
}

/// Those who arrive at the same time add to a count without waiting for each
/// other, and only beginning one is tried against others. Fences order memory:
/// LLVM's code for NVIDIA has none for an addition, whatever its ordering.
Value mlir::boostr::countArrivals(ImplicitLocOpBuilder &b, Value flag,
                                  Value start, Value most) {
  Type i64 = b.getI64Type();
  Value one = arith::ConstantIntOp::create(b, i64, 1);
  OpBuilder::InsertionGuard guard(b);
  auto yieldElse = [&](scf::IfOp branch, Value otherwise) {
    b.setInsertionPointToStart(branch.elseBlock());
    scf::YieldOp::create(b, otherwise);
    b.setInsertionPointToStart(branch.thenBlock());
  };
  auto orderMemory = [&] {
    LLVM::FenceOp::create(b, LLVM::AtomicOrdering::acq_rel, kDeviceScope);
  };
  orderMemory();
  Value found =
      LLVM::LoadOp::create(b, i64, flag, kFlagBytes, /*isVolatile=*/true);
  Value isFirst =
      arith::XOrIOp::create(b, isCount(b, found, start, most),
                            arith::ConstantIntOp::create(b, b.getI1Type(), 1));
  auto begin = scf::IfOp::create(b, i64, isFirst, /*withElseRegion=*/true);
  yieldElse(begin, found);
  Value exchanged = LLVM::AtomicCmpXchgOp::create(
      b, flag, found, arith::AddIOp::create(b, start, one),
      LLVM::AtomicOrdering::monotonic, LLVM::AtomicOrdering::monotonic,
      kDeviceScope, kFlagBytes);
  scf::YieldOp::create(
      b, LLVM::ExtractValueOp::create(b, exchanged, 0).getResult());

  // What was there instead is a count if somebody else has begun.
  b.setInsertionPointAfter(begin);
  Value before = begin.getResult(0);
  auto add = scf::IfOp::create(b, i64, isCount(b, before, start, most),
                               /*withElseRegion=*/true);
  yieldElse(add, one);
  Value last = LLVM::AtomicRMWOp::create(b, LLVM::AtomicBinOp::add, flag, one,
                                         LLVM::AtomicOrdering::monotonic,
                                         kDeviceScope, kFlagBytes);
  Value count =
      arith::AddIOp::create(b, arith::SubIOp::create(b, last, start), one);
  scf::YieldOp::create(b, count);
  b.setInsertionPointAfter(add);
  orderMemory();
  return add.getResult(0);
}
