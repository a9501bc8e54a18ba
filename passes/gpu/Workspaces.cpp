// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "boostr/passes/gpu/Workspaces.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/FunctionCallUtils.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Interfaces/FunctionInterfaces.h"

using namespace mlir;
using namespace mlir::boostr;

/// In the entry block, so that a loop around takes no more stack.
Value Workspaces::create() {
  OpBuilder::InsertionGuard guard(b);
  auto function = op->getParentOfType<FunctionOpInterface>();
  b.setInsertionPointToStart(&function.getFunctionBody().front());
  auto type = LLVM::LLVMPointerType::get(b.getContext());
  Value one = arith::ConstantIntOp::create(b, b.getI64Type(), 1);
  Value pointer = LLVM::AllocaOp::create(b, type, type, one);
  LLVM::StoreOp::create(b, LLVM::ZeroOp::create(b, type), pointer);
  pointers.push_back(pointer);
  return pointer;
}

void Workspaces::release() {
  if (pointers.empty())
    return;
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(op);
  auto type = LLVM::LLVMPointerType::get(b.getContext());
  FailureOr<LLVM::LLVMFuncOp> release = LLVM::lookupOrCreateFn(
      b, op->getParentOfType<ModuleOp>(), "boostr_release", {type},
      LLVM::LLVMVoidType::get(b.getContext()));
  for (Value pointer : pointers) {
    Value block = LLVM::LoadOp::create(b, type, pointer);
    LLVM::CallOp::create(b, *release, ValueRange{block});
    // For the next turn of a loop around.
    LLVM::StoreOp::create(b, LLVM::ZeroOp::create(b, type), pointer);
  }
}
