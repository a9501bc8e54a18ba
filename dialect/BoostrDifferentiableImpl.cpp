// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Gradients of the projections, which are ops of their own: one for each
// forward op, told which of its gradients are wanted.

#include "boostr/dialect/BoostrOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace mlir::boostr;
using llvm::BitVector;

/// `gradient` with the type of `operand`: inference may know extents that the
/// operand's type leaves open.
static Value castToTypeOf(OpBuilder &builder, Value gradient, Value operand) {
  if (!gradient || gradient.getType() == operand.getType())
    return gradient;
  return tensor::CastOp::create(builder, gradient.getLoc(), operand.getType(),
                                gradient);
}

/// The bit of each gradient whose operand number is set in `needed`. Numbers of
/// operands that an op does not have are -1.
template <typename Gradients>
static Gradients selectGradients(const BitVector &needed, int64_t activations,
                                 int64_t weight, int64_t bias) {
  Gradients wrt = Gradients::None;
  auto select = [&](int64_t operand, Gradients bit) {
    if (operand >= 0 && needed.test(operand))
      wrt = wrt | bit;
  };
  select(activations, Gradients::Activations);
  select(weight, Gradients::Weight);
  select(bias, Gradients::Bias);
  return wrt;
}

static int64_t getNumber(const MutableOperandRange &bias) {
  return bias.empty() ? -1 : static_cast<int64_t>(bias[0].getOperandNumber());
}

LogicalResult FusedQKVOp::vjp(OpBuilder &builder, ArrayRef<Value> cotangents,
                              const BitVector &needed,
                              SmallVectorImpl<Value> &gradients) {
  int64_t bias = getNumber(getBiasMutable());
  auto wrt = selectGradients<QKVGradients>(
      needed, getInputMutable().getOperandNumber(),
      getWeightMutable().getOperandNumber(), bias);
  SmallVector<Value> dy = llvm::to_vector(cotangents);
  for (auto [cotangent, result] : llvm::zip_equal(dy, getProjections()))
    if (!cotangent)
      cotangent = createZeroLike(builder, getLoc(), result);
  auto grad = FusedQKVGradOp::create(
      builder, getLoc(), dy[0], dy[1], dy[2], getInput(), getWeight(),
      /*accumulate_weight=*/Value(), /*accumulate_bias=*/Value(),
      /*outs=*/ValueRange(), wrt, getNumHeads(), getNumKvHeads(), getHeadDim());
  gradients[0] = castToTypeOf(builder, grad.getDInput(), getInput());
  gradients[1] = castToTypeOf(builder, grad.getDWeight(), getWeight());
  if (bias >= 0)
    gradients[bias] = castToTypeOf(builder, grad.getDBias(), getBias());
  return success();
}

LogicalResult OutProjResidualOp::vjp(OpBuilder &builder,
                                     ArrayRef<Value> cotangents,
                                     const BitVector &needed,
                                     SmallVectorImpl<Value> &gradients) {
  Value dy = cotangents[0];
  unsigned residual = getResidualMutable().getOperandNumber();
  if (needed.test(residual))
    gradients[residual] = castToTypeOf(builder, dy, getResidual());
  int64_t bias = getNumber(getBiasMutable());
  auto wrt = selectGradients<OutProjGradients>(
      needed, getAttnMutable().getOperandNumber(),
      getWeightMutable().getOperandNumber(), bias);
  if (wrt == OutProjGradients::None)
    return success();
  auto grad = OutProjResidualGradOp::create(
      builder, getLoc(), dy, getAttn(), getWeight(),
      /*accumulate_weight=*/Value(), /*accumulate_bias=*/Value(),
      /*outs=*/ValueRange(), wrt);
  gradients[0] = castToTypeOf(builder, grad.getDAttn(), getAttn());
  gradients[1] = castToTypeOf(builder, grad.getDWeight(), getWeight());
  if (bias >= 0)
    gradients[bias] = castToTypeOf(builder, grad.getDBias(), getBias());
  return success();
}
