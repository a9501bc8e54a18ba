// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// `boostr-linalg-to-threads`: linalg ops as parallel loops of which an
// iteration is what a thread of a GPU does.

#include "boostr/passes/Passes.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mlir::boostr {
#define GEN_PASS_DEF_LINALGTOTHREADS
#include "boostr/passes/Passes.h.inc"
} // namespace mlir::boostr

using namespace mlir;
using namespace mlir::boostr;

namespace {

struct LinalgToThreads : boostr::impl::LinalgToThreadsBase<LinalgToThreads> {
  void runOnOperation() override;
};

/// Turns one op into loops.
class ThreadEmitter {
public:
  explicit ThreadEmitter(linalg::LinalgOp op)
      : op(op), b(op.getLoc(), op), positions(op.getNumLoops()) {}

  LogicalResult emit();

private:
  LogicalResult orderLoops();
  void emitThread();
  SmallVector<Value> emitSums(ArrayRef<unsigned> dims, ValueRange sums);
  SmallVector<Value> emitBody(ValueRange results);
  SmallVector<Value> getIndices(OpOperand &operand);
  SmallVector<Value> loadResults();

  linalg::LinalgOp op;
  ImplicitLocOpBuilder b;
  SmallVector<Range> ranges;
  /// Loops over results, the one that runs along memory last, and loops over
  /// what is summed.
  SmallVector<unsigned> parallelDims, reductionDims;
  /// Of each loop.
  SmallVector<Value> positions;
};

} // namespace

/// A result's elements are numbered as they lie, so that neighbouring threads
/// write, and mostly read, neighbouring elements.
LogicalResult ThreadEmitter::orderLoops() {
  llvm::SetVector<unsigned> parallel;
  for (OpOperand &result : op.getDpsInitsMutable())
    for (AffineExpr expr : op.getMatchingIndexingMap(&result).getResults())
      expr.walk([&](AffineExpr part) {
        if (auto dim = dyn_cast<AffineDimExpr>(part))
          parallel.insert(dim.getPosition());
      });
  SmallVector<utils::IteratorType> types = op.getIteratorTypesArray();
  for (unsigned dim = 0; dim < types.size(); ++dim) {
    bool isParallel = types[dim] == utils::IteratorType::parallel;
    if (isParallel != parallel.contains(dim))
      return op.emitOpError()
             << "has loop " << dim << (isParallel ? "" : " that reduces")
             << ", expected " << (isParallel ? "all results" : "no result")
             << " to depend on it";
    if (!isParallel)
      reductionDims.push_back(dim);
  }
  llvm::append_range(parallelDims, parallel);
  return success();
}

SmallVector<Value> ThreadEmitter::getIndices(OpOperand &operand) {
  SmallVector<Value> indices;
  for (AffineExpr expr : op.getMatchingIndexingMap(&operand).getResults()) {
    auto map = AffineMap::get(op.getNumLoops(), 0, expr);
    SmallVector<OpFoldResult> dims;
    for (Value position : positions)
      dims.push_back(position ? OpFoldResult(position)
                              : OpFoldResult(b.getIndexAttr(0)));
    OpFoldResult index =
        affine::makeComposedFoldedAffineApply(b, b.getLoc(), map, dims);
    indices.push_back(getValueOrCreateConstantIndexOp(b, b.getLoc(), index));
  }
  return indices;
}

SmallVector<Value> ThreadEmitter::loadResults() {
  SmallVector<Value> values;
  for (OpOperand &result : op.getDpsInitsMutable())
    values.push_back(
        memref::LoadOp::create(b, result.get(), getIndices(result)));
  return values;
}

/// Lets a product be added to a sum without being rounded before.
static void contract(Operation *op) {
  if (isa<arith::AddFOp, arith::MulFOp>(op)) {
    auto math = cast<arith::ArithFastMathInterface>(op);
    auto flags = math.getFastMathFlagsAttr().getValue();
    op->setAttr(math.getFastMathAttrName(),
                arith::FastMathFlagsAttr::get(
                    op->getContext(), flags | arith::FastMathFlags::contract));
  }
}

/// True of `sum = so_far + ...` for a result that is summed.
static bool isSum(linalg::LinalgOp op, Operation *inner) {
  if (!isa<arith::AddFOp>(inner) ||
      inner->getResult(0).getType().getIntOrFloatBitWidth() < 32)
    return false;
  return llvm::any_of(op.getRegionOutputArgs(), [&](Value soFar) {
    return llvm::is_contained(inner->getOperands(), soFar);
  });
}

/// What the op does at `positions`, where `results` have been so far.
SmallVector<Value> ThreadEmitter::emitBody(ValueRange results) {
  Block &body = *op.getBlock();
  IRMapping mapping;
  for (OpOperand &operand : op->getOpOperands()) {
    BlockArgument argument = op.getMatchingBlockArgument(&operand);
    if (op.isDpsInit(&operand)) {
      unsigned number = operand.getOperandNumber() -
                        op.getDpsInitsMutable()[0].getOperandNumber();
      mapping.map(argument, results[number]);
    } else if (argument.use_empty()) {
      continue;
    } else if (op.isScalar(&operand)) {
      mapping.map(argument, operand.get());
    } else {
      mapping.map(argument, memref::LoadOp::create(b, operand.get(),
                                                   getIndices(operand)));
    }
  }
  for (Operation &inner : body.without_terminator()) {
    if (auto index = dyn_cast<linalg::IndexOp>(inner)) {
      mapping.map(index.getResult(), positions[index.getDim()]);
      continue;
    }
    Operation *clone = b.clone(inner, mapping);
    if (reductionDims.empty() || !isSum(op, &inner))
      continue;
    contract(clone);
    for (Value operand : clone->getOperands())
      if (auto product = operand.getDefiningOp<arith::MulFOp>())
        contract(product);
  }
  return llvm::map_to_vector(
      body.getTerminator()->getOperands(),
      [&](Value value) { return mapping.lookupOrDefault(value); });
}

/// Loops over `dims` that carry what results are so far in registers.
SmallVector<Value> ThreadEmitter::emitSums(ArrayRef<unsigned> dims,
                                           ValueRange sums) {
  if (dims.empty())
    return emitBody(sums);
  const Range &range = ranges[dims.front()];
  auto bound = [&](OpFoldResult value) {
    return getValueOrCreateConstantIndexOp(b, b.getLoc(), value);
  };
  auto loop = scf::ForOp::create(b, bound(range.offset), bound(range.size),
                                 bound(range.stride), sums);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  positions[dims.front()] = loop.getInductionVar();
  scf::YieldOp::create(b,
                       emitSums(dims.drop_front(), loop.getRegionIterArgs()));
  return SmallVector<Value>(loop.getResults());
}

void ThreadEmitter::emitThread() {
  SmallVector<Value> results = emitSums(reductionDims, loadResults());
  for (auto [operand, value] :
       llvm::zip_equal(op.getDpsInitsMutable(), results))
    memref::StoreOp::create(b, value, operand.get(), getIndices(operand));
}

LogicalResult ThreadEmitter::emit() {
  if (failed(orderLoops()))
    return failure();
  ranges = op.createLoopRanges(b, b.getLoc());
  SmallVector<Value> lower, upper, step;
  auto add = [&](SmallVector<Value> &bounds, OpFoldResult value) {
    bounds.push_back(getValueOrCreateConstantIndexOp(b, b.getLoc(), value));
  };
  for (unsigned dim : parallelDims) {
    add(lower, ranges[dim].offset);
    add(upper, ranges[dim].size);
    add(step, ranges[dim].stride);
  }
  // One result, one thread.
  if (parallelDims.empty()) {
    add(lower, b.getIndexAttr(0));
    add(upper, b.getIndexAttr(1));
    add(step, b.getIndexAttr(1));
  }
  auto loop = scf::ParallelOp::create(b, lower, upper, step);
  b.setInsertionPointToStart(loop.getBody());
  for (auto [dim, position] : llvm::zip(parallelDims, loop.getInductionVars()))
    positions[dim] = position;
  emitThread();
  op.erase();
  return success();
}

void LinalgToThreads::runOnOperation() {
  SmallVector<linalg::LinalgOp> ops;
  getOperation()->walk([&](linalg::LinalgOp op) {
    if (op.hasPureBufferSemantics())
      ops.push_back(op);
  });
  for (linalg::LinalgOp op : ops)
    if (failed(ThreadEmitter(op).emit()))
      return signalPassFailure();
}
