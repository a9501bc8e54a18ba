// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "boostr/passes/gpu/Workspaces.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/FunctionCallUtils.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Iterators.h"
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

static bool isCallOf(Operation *op, StringRef name) {
  auto call = dyn_cast<LLVM::CallOp>(op);
  return call && call.getCallee() == name;
}

/// Whether `op` stores the address of a workspace that was allocated.
static bool keepsWorkspace(Operation *op) {
  auto store = dyn_cast<LLVM::StoreOp>(op);
  Operation *stored = store ? store.getValue().getDefiningOp() : nullptr;
  return stored && isCallOf(stored, kAllocateName);
}

/// Takes away what no allocation within `op` needs.
static void keepAllocations(Operation *op) {
  op->walk<WalkOrder::PostOrder, ReverseIterator>([](Operation *inside) {
    if (isCallOf(inside, kTokenName)) {
      OpBuilder builder(inside);
      Value none = arith::ConstantIntOp::create(
          builder, inside->getLoc(), inside->getResult(0).getType(), 0);
      inside->replaceAllUsesWith(ValueRange(none));
    }
    bool isEmpty = llvm::all_of(inside->getRegions(), [](Region &region) {
      return llvm::all_of(region, [](Block &block) {
        return block.without_terminator().empty();
      });
    });
    bool isNeeded = !inside->use_empty() || !isEmpty ||
                    keepsWorkspace(inside) ||
                    inside->hasTrait<OpTrait::IsTerminator>();
    if (!isNeeded || isa<gpu::LaunchOp>(inside))
      inside->erase();
  });
}

void Workspaces::allocateAhead(Block::iterator first, Block::iterator end,
                               Block::iterator before) {
  SmallVector<Operation *> allocations, originals;
  for (Operation &op : llvm::make_range(first, end)) {
    originals.push_back(&op);
    op.walk([&](Operation *inside) {
      if (isCallOf(inside, kAllocateName))
        allocations.push_back(inside);
    });
  }
  if (allocations.empty())
    return;
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(&*before);
  IRMapping mapping;
  SmallVector<Operation *> copies;
  for (Operation *original : originals)
    copies.push_back(b.clone(*original, mapping));
  for (Operation *copy : llvm::reverse(copies))
    keepAllocations(copy);
  for (Operation *allocation : allocations) {
    auto store = cast<LLVM::StoreOp>(
        *llvm::find_if(allocation->getUsers(), keepsWorkspace));
    b.setInsertionPoint(allocation);
    Value block = LLVM::LoadOp::create(b, allocation->getResult(0).getType(),
                                       store.getAddr());
    store.erase();
    allocation->replaceAllUsesWith(ValueRange(block));
    allocation->erase();
  }
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

std::pair<Value, Value>
mlir::boostr::allocateWorkspace(ImplicitLocOpBuilder &b, Operation *op,
                                Value workspace, Value isNeeded, Value bytes) {
  Type i64 = b.getI64Type();
  auto pointer = LLVM::LLVMPointerType::get(b.getContext());
  auto module = op->getParentOfType<ModuleOp>();
  FailureOr<LLVM::LLVMFuncOp> allocate =
      LLVM::lookupOrCreateFn(b, module, kAllocateName, {i64, i64}, pointer);
  FailureOr<LLVM::LLVMFuncOp> createToken =
      LLVM::lookupOrCreateFn(b, module, kTokenName, {}, i64);
  auto branch = scf::IfOp::create(b, TypeRange{i64, i64}, isNeeded,
                                  /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(branch.thenBlock());
  Value size = arith::IndexCastOp::create(b, i64, bytes);
  Value alignment = arith::ConstantIntOp::create(b, i64, 256);
  Value block = LLVM::CallOp::create(b, *allocate, ValueRange{size, alignment})
                    .getResult();
  LLVM::StoreOp::create(b, block, workspace);
  Value address = LLVM::PtrToIntOp::create(b, i64, block);
  Value mark = LLVM::CallOp::create(b, *createToken, ValueRange()).getResult();
  scf::YieldOp::create(b, ValueRange{address, mark});
  b.setInsertionPointToStart(branch.elseBlock());
  Value none = arith::ConstantIntOp::create(b, i64, 0);
  scf::YieldOp::create(b, ValueRange{none, none});
  return {branch.getResult(0), branch.getResult(1)};
}
