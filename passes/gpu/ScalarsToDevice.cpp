// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// `boostr-scalars-to-device`: elements that the host would read, compute with
// and write are left to a thread of the device.

#include "boostr/passes/Passes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mlir::boostr {
#define GEN_PASS_DEF_SCALARSTODEVICE
#include "boostr/passes/Passes.h.inc"
} // namespace mlir::boostr

using namespace mlir;
using namespace mlir::boostr;

namespace {

struct ScalarsToDevice : boostr::impl::ScalarsToDeviceBase<ScalarsToDevice> {
  void runOnOperation() override;
};

/// Moves the scalar code of a function.
class ScalarMover {
public:
  explicit ScalarMover(func::FuncOp function) : function(function) {}
  void run();

private:
  bool collect();
  bool isOnDevice(Value value) { return values.contains(value); }
  bool isScalarOp(Operation *op);
  bool canStay(OpOperand &use);
  void moveGroups(Block &block);
  void moveGroup(ArrayRef<Operation *> group);
  void share(Value value);

  func::FuncOp function;
  /// What is loaded, and what is computed from that.
  llvm::SetVector<Value> values;
};

} // namespace

static bool isInKernel(Operation *op) {
  return op->getParentOfType<gpu::LaunchOp>() ||
         op->getParentOfType<gpu::GPUModuleOp>();
}

bool ScalarMover::isScalarOp(Operation *op) {
  return isa<memref::LoadOp, memref::StoreOp>(op) ||
         (op->getNumResults() == 1 && isOnDevice(op->getResult(0)));
}

/// Whether a value is used where it will be known.
bool ScalarMover::canStay(OpOperand &use) {
  Operation *user = use.getOwner();
  return isInKernel(user) || isScalarOp(user);
}

/// Fails if the host must know an element, say as the bound of a loop.
bool ScalarMover::collect() {
  function.walk<WalkOrder::PreOrder>([&](Operation *op) {
    if (isa<gpu::LaunchOp>(op))
      return WalkResult::skip();
    bool computes =
        op->getNumRegions() == 0 && op->getNumResults() == 1 && isPure(op) &&
        op->getResult(0).getType().isIntOrIndexOrFloat() &&
        llvm::any_of(op->getOperands(),
                     [&](Value operand) { return isOnDevice(operand); });
    if (isa<memref::LoadOp>(op) || computes)
      values.insert(op->getResult(0));
    return WalkResult::advance();
  });
  return llvm::all_of(values, [&](Value value) {
    return llvm::all_of(value.getUses(),
                        [&](OpOperand &use) { return canStay(use); });
  });
}

/// Into a kernel of one thread, where the last of them is.
void ScalarMover::moveGroup(ArrayRef<Operation *> group) {
  ImplicitLocOpBuilder b(group.front()->getLoc(), group.back());
  Value one = arith::ConstantIndexOp::create(b, 1);
  auto launch = gpu::LaunchOp::create(b, one, one, one, one, one, one);
  b.setInsertionPointToStart(&launch.getBody().front());
  gpu::TerminatorOp::create(b);
  for (Operation *op : group)
    op->moveBefore(launch.getBody().front().getTerminator());
}

/// Runs of scalar ops. What lies between and has nothing to do with them goes
/// first.
void ScalarMover::moveGroups(Block &block) {
  SmallVector<Operation *> group;
  auto finish = [&] {
    if (!group.empty())
      moveGroup(group);
    group.clear();
  };
  for (Operation &op : llvm::make_early_inc_range(block)) {
    if (isScalarOp(&op)) {
      group.push_back(&op);
      continue;
    }
    bool isIndependent = isPure(&op) || isa<memref::AllocOp>(op);
    if (!isIndependent)
      finish();
    else if (!group.empty())
      op.moveBefore(group.front());
  }
  finish();
}

/// Gives a value that several kernels use memory of its own.
void ScalarMover::share(Value value) {
  auto home = value.getDefiningOp()->getParentOfType<gpu::LaunchOp>();
  SmallVector<OpOperand *> uses;
  for (OpOperand &use : value.getUses())
    if (!home->isAncestor(use.getOwner()))
      uses.push_back(&use);
  if (uses.empty())
    return;
  ImplicitLocOpBuilder b(value.getLoc(), home);
  Value memory =
      memref::AllocOp::create(b, MemRefType::get({}, value.getType()));
  b.setInsertionPoint(home->getBlock()->getTerminator());
  memref::DeallocOp::create(b, memory);
  b.setInsertionPointAfterValue(value);
  memref::StoreOp::create(b, value, memory);
  llvm::DenseMap<Operation *, Value> loaded;
  for (OpOperand *use : uses) {
    auto launch = use->getOwner()->getParentOfType<gpu::LaunchOp>();
    Value &copy = loaded[launch];
    if (!copy) {
      b.setInsertionPointToStart(&launch.getBody().front());
      copy = memref::LoadOp::create(b, memory);
    }
    use->set(copy);
  }
}

void ScalarMover::run() {
  // boostr-check-device-memory says where.
  if (!collect())
    return;
  SmallVector<Block *> blocks;
  function.walk<WalkOrder::PreOrder>([&](Operation *op) {
    if (isa<gpu::LaunchOp>(op))
      return WalkResult::skip();
    for (Region &region : op->getRegions())
      for (Block &block : region)
        blocks.push_back(&block);
    return WalkResult::advance();
  });
  for (Block *block : blocks)
    moveGroups(*block);
  for (Value value : values)
    share(value);
}

void ScalarsToDevice::runOnOperation() {
  ModuleOp module = getOperation();
  for (auto function : module.getOps<func::FuncOp>())
    ScalarMover(function).run();
}
