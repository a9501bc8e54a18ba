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

/// The gradients of those operands whose number is set in `needed`.
template <typename Gradients>
static Gradients selectGradients(const BitVector &needed,
                                 const MutableOperandRange &activations,
                                 const MutableOperandRange &weights,
                                 const MutableOperandRange &biases) {
  Gradients wrt = Gradients::None;
  auto select = [&](const MutableOperandRange &operands, Gradients bit) {
    for (unsigned i = 0; i < operands.size(); ++i)
      if (needed.test(operands[i].getOperandNumber()))
        wrt = wrt | bit;
  };
  select(activations, Gradients::Activations);
  select(weights, Gradients::Weight);
  select(biases, Gradients::Bias);
  return wrt;
}

/// Gives each of `operands` its gradient of `results`, which may be none.
static void setGradients(OpBuilder &builder,
                         const MutableOperandRange &operands,
                         ValueRange results,
                         SmallVectorImpl<Value> &gradients) {
  for (auto [i, result] : llvm::enumerate(results))
    gradients[operands[i].getOperandNumber()] =
        castToTypeOf(builder, result, operands[i].get());
}

LogicalResult FusedQKVOp::vjp(OpBuilder &builder, ArrayRef<Value> cotangents,
                              const BitVector &needed,
                              SmallVectorImpl<Value> &gradients) {
  auto wrt = selectGradients<QKVGradients>(
      needed, getInputMutable(), getWeightsMutable(), getBiasesMutable());
  SmallVector<Value> dy = llvm::to_vector(cotangents);
  for (auto [cotangent, result] : llvm::zip_equal(dy, getProjections()))
    if (!cotangent)
      cotangent = createZeroLike(builder, getLoc(), result);
  auto grad = FusedQKVGradOp::create(
      builder, getLoc(), dy[0], dy[1], dy[2], getInput(), getWeights(),
      /*accumulate_weights=*/ValueRange(), /*accumulate_biases=*/ValueRange(),
      /*outs=*/ValueRange(), wrt, getNumHeads(), getNumKvHeads(), getHeadDim());
  setGradients(builder, getInputMutable(),
               grad.getGradientsOf(QKVGradients::Activations), gradients);
  setGradients(builder, getWeightsMutable(), grad.getDWeights(), gradients);
  setGradients(builder, getBiasesMutable(), grad.getDBiases(), gradients);
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
  auto wrt = selectGradients<OutProjGradients>(
      needed, getAttnMutable(), getWeightMutable(), getBiasMutable());
  if (wrt == OutProjGradients::None)
    return success();
  auto grad = OutProjResidualGradOp::create(
      builder, getLoc(), dy, getAttn(), getWeight(),
      /*accumulate_weight=*/Value(), /*accumulate_bias=*/Value(),
      /*outs=*/ValueRange(), wrt);
  setGradients(builder, getAttnMutable(),
               grad.getGradientsOf(OutProjGradients::Activations), gradients);
  setGradients(builder, getWeightMutable(),
               grad.getGradientsOf(OutProjGradients::Weight), gradients);
  setGradients(builder, getBiasMutable(),
               grad.getGradientsOf(OutProjGradients::Bias), gradients);
  return success();
}
