// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// `boostr-lower-deallocations`: frees memory by comparing addresses, without
// memory of its own.

#include "boostr/passes/Passes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mlir::boostr {
#define GEN_PASS_DEF_LOWERDEALLOCATIONS
#include "boostr/passes/Passes.h.inc"
} // namespace mlir::boostr

using namespace mlir;
using namespace mlir::boostr;

namespace {

struct LowerDeallocations
    : boostr::impl::LowerDeallocationsBase<LowerDeallocations> {
  void runOnOperation() override;
};

} // namespace

/// Of each memref; none where there is nothing to compare with.
static SmallVector<Value> getAddresses(ImplicitLocOpBuilder &b,
                                       ValueRange memrefs, bool isNeeded) {
  if (!isNeeded)
    return SmallVector<Value>(memrefs.size());
  return llvm::map_to_vector(memrefs, [&](Value memref) -> Value {
    return memref::ExtractAlignedPointerAsIndexOp::create(b, memref);
  });
}

static void lower(bufferization::DeallocOp op) {
  ImplicitLocOpBuilder b(op.getLoc(), op);
  OperandRange memrefs = op.getMemrefs(), owned = op.getConditions(),
               retained = op.getRetained();
  bool compares = memrefs.size() + retained.size() > 1 && !memrefs.empty();
  SmallVector<Value> addresses = getAddresses(b, memrefs, compares);
  SmallVector<Value> retainedAddresses = getAddresses(b, retained, compares);
  Value no = arith::ConstantIntOp::create(b, b.getI1Type(), 0);
  Value yes = arith::ConstantIntOp::create(b, b.getI1Type(), 1);
  auto isSame = [&](Value lhs, Value rhs) -> Value {
    return arith::CmpIOp::create(b, arith::CmpIPredicate::eq, lhs, rhs);
  };

  // What is retained belongs to whoever retains it from now on.
  SmallVector<Value> results(retained.size(), no);
  SmallVector<Value> frees;
  for (unsigned i = 0; i < memrefs.size(); ++i) {
    Value isKept = no;
    for (unsigned j = 0; j < retained.size(); ++j) {
      Value same = isSame(addresses[i], retainedAddresses[j]);
      isKept = arith::OrIOp::create(b, isKept, same);
      results[j] = arith::OrIOp::create(
          b, results[j], arith::AndIOp::create(b, same, owned[i]));
    }
    // The first one that owns it frees it.
    for (unsigned k = 0; k < i; ++k)
      isKept = arith::OrIOp::create(
          b, isKept,
          arith::AndIOp::create(b, isSame(addresses[i], addresses[k]),
                                owned[k]));
    frees.push_back(arith::AndIOp::create(
        b, owned[i], arith::XOrIOp::create(b, isKept, yes)));
  }
  for (auto [memref, isFreed] : llvm::zip_equal(memrefs, frees)) {
    auto branch = scf::IfOp::create(b, isFreed, /*withElseRegion=*/false);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(&branch.getThenRegion().front());
    memref::DeallocOp::create(b, memref);
  }
  op.replaceAllUsesWith(results);
  op.erase();
}

void LowerDeallocations::runOnOperation() {
  SmallVector<bufferization::DeallocOp> ops;
  getOperation()->walk([&](bufferization::DeallocOp op) { ops.push_back(op); });
  for (bufferization::DeallocOp op : ops)
    lower(op);
}
