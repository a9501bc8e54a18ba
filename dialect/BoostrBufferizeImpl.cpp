// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Bufferization: the value form becomes the buffer form. A result that
// accumulates takes the buffer of its operand, the others get new ones.

#include "boostr/dialect/BoostrOps.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace mlir::boostr;
using namespace mlir::bufferization;

/// The result that accumulates into `operand`, or null.
static OpResult getAccumulatedResult(SegmentedContractionOpInterface op,
                                     OpOperand &operand) {
  if (op.isBufferForm())
    return {};
  for (auto [number, destination] : llvm::enumerate(op.getDestinations())) {
    // The same tensor may also be read as another operand, but only the last
    // operands accumulate, so the last use of it is the one that does.
    if (destination != operand.get())
      continue;
    bool isLastUse = llvm::none_of(
        op->getOpOperands().drop_front(operand.getOperandNumber() + 1),
        [&](OpOperand &other) { return other.get() == operand.get(); });
    if (isLastUse)
      return op->getResult(number);
  }
  return {};
}

static AliasingValueList getAliasingResults(SegmentedContractionOpInterface op,
                                            OpOperand &operand) {
  if (OpResult result = getAccumulatedResult(op, operand))
    return {{result, BufferRelation::Equivalent, /*isDefinite=*/true}};
  return {};
}

/// True if `value` is a result that does not accumulate: it gets a new buffer.
static bool isAllocated(SegmentedContractionOpInterface op, Value value) {
  auto result = dyn_cast<OpResult>(value);
  return result && !op.getDestinations()[result.getResultNumber()];
}

/// A new buffer for `result`.
static FailureOr<Value> allocateResult(RewriterBase &rewriter, OpResult result,
                                       ArrayRef<OpFoldResult> shape,
                                       const BufferizationOptions &options) {
  auto tensor = cast<RankedTensorType>(result.getType());
  auto type = MemRefType::get(tensor.getShape(), tensor.getElementType());
  Location loc = result.getLoc();
  SmallVector<Value> dynamicSizes;
  for (auto [dim, size] : llvm::enumerate(shape))
    if (type.isDynamicDim(dim))
      dynamicSizes.push_back(
          getValueOrCreateConstantIndexOp(rewriter, loc, size));
  return options.createAlloc(rewriter, loc, type, dynamicSizes);
}

template <typename OpTy>
static LogicalResult bufferizeOp(OpTy op, RewriterBase &rewriter,
                                 const BufferizationOptions &options,
                                 const BufferizationState &state) {
  if (op.isBufferForm())
    return success();
  OpBuilder::InsertionGuard guard(rewriter);
  rewriter.setInsertionPoint(op);

  SmallVector<Value> operands;
  for (Value operand : op->getOperands()) {
    FailureOr<Value> buffer = getBuffer(rewriter, operand, options, state);
    if (failed(buffer))
      return failure();
    operands.push_back(*buffer);
  }

  ReifiedRankedShapedTypeDims shapes;
  if (failed(reifyResultShapes(rewriter, op, shapes)))
    return op->emitOpError("has results of unknown extents");
  SmallVector<Value> results, outs;
  for (auto [number, destination] : llvm::enumerate(op.getDestinations())) {
    FailureOr<Value> buffer =
        destination ? getBuffer(rewriter, destination, options, state)
                    : allocateResult(rewriter, op->getResult(number),
                                     shapes[number], options);
    if (failed(buffer))
      return failure();
    results.push_back(*buffer);
    if (!destination)
      outs.push_back(*buffer);
  }

  // `outs` is the last operand group of every op.
  llvm::append_range(operands, outs);
  typename OpTy::Properties properties = op.getProperties();
  properties.operandSegmentSizes.back() = outs.size();
  OpTy::create(rewriter, op.getLoc(), TypeRange{}, operands, properties,
               llvm::to_vector(op->getDiscardableAttrs()));
  replaceOpWithBufferizedValues(rewriter, op, results);
  return success();
}

#define BOOSTR_BUFFERIZABLE(OP)                                                \
  bool OP::bufferizesToAllocation(Value value) {                               \
    return isAllocated(*this, value);                                          \
  }                                                                            \
  bool OP::bufferizesToMemoryRead(OpOperand &, const AnalysisState &) {        \
    return true;                                                               \
  }                                                                            \
  bool OP::bufferizesToMemoryWrite(OpOperand &operand,                         \
                                   const AnalysisState &) {                    \
    return getAccumulatedResult(*this, operand) != nullptr;                    \
  }                                                                            \
  AliasingValueList OP::getAliasingValues(OpOperand &operand,                  \
                                          const AnalysisState &) {             \
    return getAliasingResults(*this, operand);                                 \
  }                                                                            \
  LogicalResult OP::bufferize(RewriterBase &rewriter,                          \
                              const BufferizationOptions &options,             \
                              BufferizationState &state) {                     \
    return bufferizeOp(*this, rewriter, options, state);                       \
  }

BOOSTR_BUFFERIZABLE(FusedQKVOp)
BOOSTR_BUFFERIZABLE(FusedQKVGradOp)
BOOSTR_BUFFERIZABLE(OutProjResidualOp)
BOOSTR_BUFFERIZABLE(OutProjResidualGradOp)

#undef BOOSTR_BUFFERIZABLE
