// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "boostr/passes/cpu/NumThreads.h"
#include "boostr/passes/cpu/IndexMath.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"

using namespace mlir;
using namespace mlir::boostr;

static constexpr StringLiteral kName = "boostr_num_threads";
static constexpr int64_t kGuess = 8;

static void declare(ImplicitLocOpBuilder &b) {
  auto module =
      b.getInsertionBlock()->getParentOp()->getParentOfType<ModuleOp>();
  if (module.lookupSymbol(kName))
    return;
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(module.getBody());
  func::FuncOp::create(b, kName, b.getFunctionType({}, b.getI64Type()))
      .setPrivate();
}

Value cpu::getNumThreads(ImplicitLocOpBuilder &b) {
  declare(b);
  auto call = func::CallOp::create(b, kName, TypeRange(b.getI64Type()));
  Value count =
      arith::IndexCastOp::create(b, b.getIndexType(), call.getResult(0));
  Value isKnown =
      arith::CmpIOp::create(b, arith::CmpIPredicate::ne, count, constant(b, 0));
  return arith::SelectOp::create(b, isKnown, count, constant(b, kGuess));
}
