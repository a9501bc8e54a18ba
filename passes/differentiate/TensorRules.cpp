// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// tensor: ops that move elements. The gradient moves them back; elements that
// went nowhere have gradient zero.

#include "boostr/dialect/DifferentiableOpInterface.h"
#include "boostr/passes/differentiate/ExternalModels.h"
#include "boostr/passes/differentiate/StructuredVjp.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/DialectRegistry.h"

using namespace mlir;
using namespace mlir::boostr;
using llvm::BitVector;

/// The extents of `tensor`, attributes where they are static.
static SmallVector<OpFoldResult> getExtents(OpBuilder &builder, Location loc,
                                            Value tensor) {
  return getMixedValues(cast<RankedTensorType>(tensor.getType()).getShape(),
                        createDynamicExtents(builder, loc, tensor), builder);
}

static RankedTensorType getTensorType(Value value) {
  return cast<RankedTensorType>(value.getType());
}

//===----------------------------------------------------------------------===//
// Rules
//===----------------------------------------------------------------------===//

// Each rule gets the op, its one cotangent, the bits and the gradients.

static LogicalResult rule(tensor::CastOp op, OpBuilder &b, Value dy,
                          const BitVector &,
                          SmallVectorImpl<Value> &gradients) {
  // Unranked tensors are not differentiable, so both sides are ranked.
  gradients[0] =
      tensor::CastOp::create(b, op.getLoc(), op.getSource().getType(), dy);
  return success();
}

static LogicalResult rule(tensor::ExpandShapeOp op, OpBuilder &b, Value dy,
                          const BitVector &,
                          SmallVectorImpl<Value> &gradients) {
  gradients[0] = tensor::CollapseShapeOp::create(
      b, op.getLoc(), op.getSrcType(), dy, op.getReassociationIndices());
  return success();
}

static LogicalResult rule(tensor::CollapseShapeOp op, OpBuilder &b, Value dy,
                          const BitVector &,
                          SmallVectorImpl<Value> &gradients) {
  gradients[0] = tensor::ExpandShapeOp::create(
      b, op.getLoc(), op.getSrcType(), dy, op.getReassociationIndices(),
      getExtents(b, op.getLoc(), op.getSrc()));
  return success();
}

static LogicalResult rule(tensor::ExtractSliceOp op, OpBuilder &b, Value dy,
                          const BitVector &,
                          SmallVectorImpl<Value> &gradients) {
  Value zero = createZeroLike(b, op.getLoc(), op.getSource());
  gradients[0] = tensor::InsertSliceOp::create(
      b, op.getLoc(), dy, zero, op.getMixedOffsets(), op.getMixedSizes(),
      op.getMixedStrides());
  return success();
}

static LogicalResult rule(tensor::InsertSliceOp op, OpBuilder &b, Value dy,
                          const BitVector &needed,
                          SmallVectorImpl<Value> &gradients) {
  if (needed.test(0))
    gradients[0] = tensor::ExtractSliceOp::create(
        b, op.getLoc(), op.getSourceType(), dy, op.getMixedOffsets(),
        op.getMixedSizes(), op.getMixedStrides());
  if (!needed.test(1))
    return success();
  Value zero = createZeroLike(b, op.getLoc(), op.getSource());
  gradients[1] = tensor::InsertSliceOp::create(
      b, op.getLoc(), zero, dy, op.getMixedOffsets(), op.getMixedSizes(),
      op.getMixedStrides());
  return success();
}

static LogicalResult rule(tensor::PadOp op, OpBuilder &b, Value dy,
                          const BitVector &,
                          SmallVectorImpl<Value> &gradients) {
  SmallVector<OpFoldResult> strides(getTensorType(dy).getRank(),
                                    b.getIndexAttr(1));
  gradients[0] = tensor::ExtractSliceOp::create(
      b, op.getLoc(), op.getSourceType(), dy, op.getMixedLowPad(),
      getExtents(b, op.getLoc(), op.getSource()), strides);
  return success();
}

static LogicalResult rule(tensor::ConcatOp op, OpBuilder &b, Value dy,
                          const BitVector &needed,
                          SmallVectorImpl<Value> &gradients) {
  Location loc = op.getLoc();
  int64_t rank = getTensorType(dy).getRank(), dim = op.getDim();
  SmallVector<OpFoldResult> offsets(rank, b.getIndexAttr(0));
  SmallVector<OpFoldResult> strides(rank, b.getIndexAttr(1));
  Value offset = arith::ConstantIndexOp::create(b, loc, 0);
  for (auto [index, input] : llvm::enumerate(op.getInputs())) {
    if (needed.test(index)) {
      offsets[dim] = getAsOpFoldResult(offset);
      gradients[index] = tensor::ExtractSliceOp::create(
          b, loc, getTensorType(input), dy, offsets, getExtents(b, loc, input),
          strides);
    }
    offset = b.createOrFold<arith::AddIOp>(loc, offset,
                                           createExtent(b, loc, input, dim));
  }
  return success();
}

static LogicalResult rule(tensor::ExtractOp op, OpBuilder &b, Value dy,
                          const BitVector &,
                          SmallVectorImpl<Value> &gradients) {
  Value zero = createZeroLike(b, op.getLoc(), op.getTensor());
  gradients[0] =
      tensor::InsertOp::create(b, op.getLoc(), dy, zero, op.getIndices());
  return success();
}

static LogicalResult rule(tensor::InsertOp op, OpBuilder &b, Value dy,
                          const BitVector &needed,
                          SmallVectorImpl<Value> &gradients) {
  if (needed.test(0))
    gradients[0] =
        tensor::ExtractOp::create(b, op.getLoc(), dy, op.getIndices());
  if (needed.test(1))
    gradients[1] = tensor::InsertOp::create(
        b, op.getLoc(), createZeroLike(b, op.getLoc(), op.getScalar()), dy,
        op.getIndices());
  return success();
}

static LogicalResult rule(tensor::FromElementsOp op, OpBuilder &b, Value dy,
                          const BitVector &needed,
                          SmallVectorImpl<Value> &gradients) {
  Location loc = op.getLoc();
  ArrayRef<int64_t> shape = getTensorType(dy).getShape();
  for (unsigned element : needed.set_bits()) {
    SmallVector<Value> indices(shape.size());
    int64_t rest = element; // row-major
    for (int64_t dim = shape.size(); dim-- > 0; rest /= shape[dim])
      indices[dim] = arith::ConstantIndexOp::create(b, loc, rest % shape[dim]);
    gradients[element] = tensor::ExtractOp::create(b, loc, dy, indices);
  }
  return success();
}

static LogicalResult rule(tensor::SplatOp op, OpBuilder &b, Value dy,
                          const BitVector &needed,
                          SmallVectorImpl<Value> &gradients) {
  // Every element of the result is the scalar: the sum over them all.
  Region scratch;
  Block &body = scratch.emplaceBlock();
  OpBuilder inside(op->getContext());
  inside.setInsertionPointToEnd(&body);
  linalg::YieldOp::create(
      inside, op.getLoc(),
      body.addArgument(op.getInput().getType(), op.getLoc()));
  unsigned rank = getTensorType(dy).getRank();
  StructuredFunction function;
  function.op = op;
  function.numDims = rank;
  function.body = &body;
  function.inputs = {op.getInput()};
  function.inputMaps = {AffineMap::get(rank, 0, op.getContext())};
  function.results = {op.getResult()};
  function.resultMaps = {b.getMultiDimIdentityMap(rank)};
  function.firstInit = 1;
  BitVector input(1, true);
  SmallVector<Value> gradient;
  if (failed(differentiateStructured(b, function, dy, input, gradient)))
    return failure();
  gradients[0] = gradient[0];
  return success();
}

//===----------------------------------------------------------------------===//
// Models
//===----------------------------------------------------------------------===//

namespace {

template <typename OpTy>
struct TensorOpModel
    : DifferentiableOpInterface::ExternalModel<TensorOpModel<OpTy>, OpTy> {
  LogicalResult vjp(Operation *op, OpBuilder &builder,
                    ArrayRef<Value> cotangents, const BitVector &needed,
                    SmallVectorImpl<Value> &gradients) const {
    return rule(cast<OpTy>(op), builder, cotangents[0], needed, gradients);
  }
};

} // namespace

template <typename... OpTys> static void attach(MLIRContext *context) {
  (OpTys::template attachInterface<TensorOpModel<OpTys>>(*context), ...);
}

void mlir::boostr::registerTensorDifferentiation(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *context, tensor::TensorDialect *) {
    using namespace tensor;
    attach<CastOp, ExpandShapeOp, CollapseShapeOp, ExtractSliceOp,
           InsertSliceOp, PadOp, ConcatOp, ExtractOp, InsertOp, FromElementsOp,
           SplatOp>(context);
  });
}
