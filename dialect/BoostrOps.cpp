// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Verification, result types and effects of the ops. A comment `fused_qkv_c3`
// marks the check of constraint C3 in the description of `fused_qkv`.

#include "boostr/dialect/BoostrOps.h"
#include "boostr/dialect/ShapeCheck.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/DialectImplementation.h"
#include "mlir/IR/OpImplementation.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace mlir::boostr;

#define GET_OP_CLASSES
#include "boostr/dialect/BoostrOps.cpp.inc"

static constexpr int64_t kDynamic = ShapedType::kDynamic;

//===----------------------------------------------------------------------===//
// Shared checks
//===----------------------------------------------------------------------===//

namespace {

/// An operand or result as messages name it. The type is null for an optional
/// operand that is absent.
struct NamedType {
  StringRef name;
  Type type;
};

/// What a result must look like, by constraint.
struct ResultShape {
  StringRef name;
  SmallVector<int64_t, 4> shape;
  Type elementType;
};

/// The head counts of `fused_qkv` and its gradient.
struct Heads {
  int64_t query, keyValue, dim;

  /// Rows of the fused weight.
  int64_t getRows() const { return (query + 2 * keyValue) * dim; }
};

} // namespace

static Type typeOf(Value value) { return value ? value.getType() : Type(); }

static EmitError emitAt(MLIRContext *context, std::optional<Location> location,
                        std::function<InFlightDiagnostic()> &storage) {
  storage = [=] {
    return emitError(location.value_or(UnknownLoc::get(context)));
  };
  return storage;
}

/// Positive heads and a number of weight rows that an extent can hold.
template <typename OpOrAdaptor>
static FailureOr<Heads> verifyHeads(EmitError emitError, OpOrAdaptor op) {
  auto signedValue = [](auto value) { return static_cast<int64_t>(value); };
  Heads heads = {signedValue(op.getNumHeads()), signedValue(op.getNumKvHeads()),
                 signedValue(op.getHeadDim())};
  auto expectPositive = [&](StringRef name, int64_t value) -> LogicalResult {
    if (value > 0)
      return success();
    return emitError() << "'" << name << "' expected positive, got " << value;
  };
  if (failed(expectPositive("num_heads", heads.query)) ||
      failed(expectPositive("num_kv_heads", heads.keyValue)) ||
      failed(expectPositive("head_dim", heads.dim)))
    return failure();

  int64_t twice, sum, rows;
  if (llvm::MulOverflow(heads.keyValue, int64_t(2), twice) ||
      llvm::AddOverflow(heads.query, twice, sum) ||
      llvm::MulOverflow(sum, heads.dim, rows))
    return emitError() << "'num_heads', 'num_kv_heads' and 'head_dim' expected "
                          "to give fewer than 2^63 weight rows";
  return heads;
}

/// What type inference must know before it looks at shapes: an op's operands
/// have not been verified when its parser asks for the result types.
static LogicalResult expectRanked(EmitError emitError,
                                  ArrayRef<NamedType> operands) {
  for (NamedType operand : operands)
    if (operand.type && !isa<RankedTensorType, MemRefType>(operand.type))
      return emitError() << "'" << operand.name
                         << "' expected a ranked tensor or memref, got "
                         << operand.type;
  return success();
}

/// All operands tensors without `outs`, or all memrefs with `numOuts` of them.
static LogicalResult verifyForm(EmitError emitError,
                                ArrayRef<NamedType> operands, OperandRange outs,
                                unsigned numOuts) {
  bool isBuffer = isa<MemRefType>(operands.front().type);
  for (NamedType operand : operands) {
    if (operand.type && isa<MemRefType>(operand.type) != isBuffer)
      return emitError() << "'" << operand.name << "' expected a "
                         << (isBuffer ? "memref" : "tensor") << " as '"
                         << operands.front().name << "' is, got "
                         << operand.type;
  }
  unsigned expected = isBuffer ? numOuts : 0;
  if (outs.size() != expected)
    return emitError() << "'outs' expected " << expected << " memrefs in "
                       << (isBuffer ? "buffer" : "value") << " form, got "
                       << outs.size();
  return success();
}

static LogicalResult verifyElementTypes(EmitError emitError,
                                        ArrayRef<NamedType> operands,
                                        Type elementType) {
  for (NamedType operand : operands)
    if (operand.type && failed(expectElementType(emitError, operand.name,
                                                 operand.type, elementType)))
      return failure();
  return success();
}

static LogicalResult verifyOuts(EmitError emitError, OperandRange outs,
                                ArrayRef<ResultShape> results) {
  // Value form has no outs; the number for buffer form was checked before.
  for (auto [out, result] : llvm::zip(outs, results))
    if (failed(
            expectShape(emitError, result.name, out.getType(), result.shape)) ||
        failed(expectElementType(emitError, result.name, out.getType(),
                                 result.elementType)))
      return failure();
  return success();
}

/// Effects of the buffer form; the value form has none. Told apart by position,
/// not by value: an operand may be read and be among `outs` as well.
static void
getBufferEffects(SegmentedContractionOpInterface op,
                 SmallVectorImpl<MemoryEffects::EffectInstance> &effects) {
  if (!op.isBufferForm())
    return;
  // Destinations are accumulators, and `outs`, the last operands.
  SmallVector<Value> accumulators = op.getDestinations();
  for (const SegmentedContraction &contraction : op.getContractions())
    for (const ContractionSegment &segment : contraction.segments)
      for (const auto &result : {segment.product, segment.lhsSum})
        if (result && !result->accumulatesInPlace)
          accumulators[result->number] = Value();
  unsigned numOuts = llvm::count(accumulators, Value());
  unsigned firstOut = op->getNumOperands() - numOuts;

  for (OpOperand &operand : op->getOpOperands()) {
    bool isOut = operand.getOperandNumber() >= firstOut;
    if (!isOut)
      effects.emplace_back(MemoryEffects::Read::get(), &operand);
    if (isOut || llvm::is_contained(accumulators, operand.get()))
      effects.emplace_back(MemoryEffects::Write::get(), &operand);
  }
}

/// Type of a tensor like `shaped`, with the element type of `like`.
static RankedTensorType tensorOf(ArrayRef<int64_t> shape, Type elementType) {
  return RankedTensorType::get(shape, elementType);
}

LogicalResult FusedQKVOp::verify() {
  return verifyConstraints([&] { return emitOpError(); });
}
LogicalResult FusedQKVGradOp::verify() {
  return verifyConstraints([&] { return emitOpError(); });
}
LogicalResult OutProjResidualOp::verify() {
  return verifyConstraints([&] { return emitOpError(); });
}
LogicalResult OutProjResidualGradOp::verify() {
  return verifyConstraints([&] { return emitOpError(); });
}

static SmallVector<OpFoldResult> getMixedSizes(OpBuilder &b, Location loc,
                                               Value value) {
  return tensor::getMixedSizes(b, loc, value);
}

//===----------------------------------------------------------------------===//
// fused_qkv
//===----------------------------------------------------------------------===//

static SmallVector<ResultShape> getProjectionShapes(Type input,
                                                    const Heads &heads) {
  int64_t batch = getExtent(input, 0, 3), tokens = getExtent(input, 1, 3);
  Type elementType = cast<ShapedType>(input).getElementType();
  auto shape = [&](StringRef name, int64_t numHeads) {
    return ResultShape{name, {batch, numHeads, tokens, heads.dim}, elementType};
  };
  return {shape("query", heads.query), shape("key", heads.keyValue),
          shape("value", heads.keyValue)};
}

LogicalResult FusedQKVOp::inferReturnTypes(MLIRContext *context,
                                           std::optional<Location> location,
                                           Adaptor adaptor,
                                           SmallVectorImpl<Type> &inferred) {
  std::function<InFlightDiagnostic()> storage;
  EmitError emitError = emitAt(context, location, storage);
  // fused_qkv_c1
  FailureOr<Heads> heads = verifyHeads(emitError, adaptor);
  if (failed(heads) ||
      failed(
          expectRanked(emitError, {{"input", adaptor.getInput().getType()}})))
    return failure();
  auto input = dyn_cast<RankedTensorType>(adaptor.getInput().getType());
  if (!input)
    return success();
  // fused_qkv_c3
  if (failed(expectShape(emitError, "input", input,
                         {kDynamic, kDynamic, kDynamic})))
    return failure();
  for (const ResultShape &result : getProjectionShapes(input, *heads))
    inferred.push_back(tensorOf(result.shape, result.elementType));
  return success();
}

LogicalResult FusedQKVOp::verifyConstraints(EmitError emitError) {
  // fused_qkv_c1
  FailureOr<Heads> heads = verifyHeads(emitError, *this);
  if (failed(heads))
    return failure();

  Type input = getInput().getType(), weight = getWeight().getType();
  NamedType operands[] = {
      {"input", input}, {"weight", weight}, {"bias", typeOf(getBias())}};
  // fused_qkv_c6
  if (failed(verifyForm(emitError, operands, getOuts(), 3)))
    return failure();
  // fused_qkv_c2
  if (failed(
          verifyElementTypes(emitError, operands, getElementTypeOrSelf(input))))
    return failure();

  int64_t hidden =
      mergeExtents({getExtent(input, 2, 3), getExtent(weight, 1, 2)});
  // fused_qkv_c3
  if (failed(expectShape(emitError, "input", input,
                         {kDynamic, kDynamic, getExtent(input, 2, 3)})))
    return failure();
  // fused_qkv_c4
  if (failed(expectShape(emitError, "weight", weight,
                         {heads->getRows(), hidden})) ||
      failed(
          expectShape(emitError, "input", input, {kDynamic, kDynamic, hidden})))
    return failure();
  // fused_qkv_c5
  if (getBias() && failed(expectShape(emitError, "bias", getBias().getType(),
                                      {heads->getRows()})))
    return failure();
  // fused_qkv_c7
  return verifyOuts(emitError, getOuts(), getProjectionShapes(input, *heads));
}

LogicalResult
FusedQKVOp::reifyResultShapes(OpBuilder &b,
                              ReifiedRankedShapedTypeDims &reified) {
  if (isBufferForm())
    return failure();
  SmallVector<OpFoldResult> input = getMixedSizes(b, getLoc(), getInput());
  auto shape = [&](uint64_t numHeads) -> SmallVector<OpFoldResult> {
    return {input[0], b.getIndexAttr(numHeads), input[1],
            b.getIndexAttr(getHeadDim())};
  };
  reified = {shape(getNumHeads()), shape(getNumKvHeads()),
             shape(getNumKvHeads())};
  return success();
}

void FusedQKVOp::getEffects(
    SmallVectorImpl<MemoryEffects::EffectInstance> &effects) {
  getBufferEffects(*this, effects);
}

//===----------------------------------------------------------------------===//
// Gradients
//===----------------------------------------------------------------------===//

namespace {

/// What both gradient ops need for their checks.
struct GradientOperands {
  bool wantsActivations, wantsWeight, wantsBias;
  StringRef activationsName;
  Type activations, weight, accumulateWeight, accumulateBias;

  template <typename OpOrAdaptor>
  static GradientOperands get(OpOrAdaptor op, StringRef name,
                              Type activations) {
    using Gradients = decltype(op.getWrt());
    auto wants = [&](Gradients gradient) {
      return bitEnumContainsAny(op.getWrt(), gradient);
    };
    return {wants(Gradients::Activations),
            wants(Gradients::Weight),
            wants(Gradients::Bias),
            name,
            activations,
            op.getWeight().getType(),
            typeOf(op.getAccumulateWeight()),
            typeOf(op.getAccumulateBias())};
  }
};

} // namespace

/// The gradients of `wrt`, or only those that do not accumulate.
static SmallVector<ResultShape> getGradientShapes(const GradientOperands &grad,
                                                  int64_t rows,
                                                  bool accumulated) {
  Type elementType = getElementTypeOrSelf(grad.activations);
  auto shapeOf = [](Type type) {
    return SmallVector<int64_t, 4>(cast<ShapedType>(type).getShape());
  };
  SmallVector<ResultShape> results;
  if (grad.wantsActivations)
    results.push_back(
        {grad.activationsName, shapeOf(grad.activations), elementType});
  if (grad.wantsWeight && (accumulated || !grad.accumulateWeight)) {
    Type like = grad.accumulateWeight ? grad.accumulateWeight : grad.weight;
    results.push_back({"d_weight", shapeOf(like), getElementTypeOrSelf(like)});
  }
  if (grad.wantsBias && (accumulated || !grad.accumulateBias)) {
    if (Type like = grad.accumulateBias)
      results.push_back({"d_bias", shapeOf(like), getElementTypeOrSelf(like)});
    else
      results.push_back({"d_bias", {rows}, elementType});
  }
  return results;
}

static LogicalResult inferGradientTypes(EmitError emitError,
                                        const GradientOperands &grad,
                                        int64_t rows,
                                        SmallVectorImpl<Type> &inferred) {
  // The gradient of the activations has their name after "d_".
  if (failed(expectRanked(
          emitError, {{grad.activationsName.drop_front(2), grad.activations},
                      {"weight", grad.weight},
                      {"accumulate_weight", grad.accumulateWeight},
                      {"accumulate_bias", grad.accumulateBias}})))
    return failure();
  if (!isa<RankedTensorType>(grad.activations))
    return success();
  for (const ResultShape &result :
       getGradientShapes(grad, rows, /*accumulated=*/true))
    inferred.push_back(tensorOf(result.shape, result.elementType));
  return success();
}

static LogicalResult
verifyAccumulatorElementTypes(EmitError emitError,
                              const GradientOperands &grad) {
  Type elementType = getElementTypeOrSelf(grad.activations);
  for (NamedType operand :
       {NamedType{"accumulate_weight", grad.accumulateWeight},
        NamedType{"accumulate_bias", grad.accumulateBias}})
    if (operand.type &&
        failed(expectAccumulatorElementType(emitError, operand.name,
                                            operand.type, elementType)))
      return failure();
  return success();
}

static LogicalResult verifyAccumulatorsWanted(EmitError emitError,
                                              const GradientOperands &grad) {
  if (grad.accumulateWeight && !grad.wantsWeight)
    return emitError() << "'accumulate_weight' expected 'weight' in 'wrt'";
  if (grad.accumulateBias && !grad.wantsBias)
    return emitError() << "'accumulate_bias' expected 'bias' in 'wrt'";
  return success();
}

/// Number of `outs` that the buffer form needs.
static unsigned getNumOuts(const GradientOperands &grad) {
  return grad.wantsActivations + (grad.wantsWeight && !grad.accumulateWeight) +
         (grad.wantsBias && !grad.accumulateBias);
}

/// Shapes of all results from those of the operands: gradients look like what
/// they are gradients of.
template <typename GradOp>
static ReifiedRankedShapedTypeDims
reifyGradientShapes(GradOp op, OpBuilder &b, Value activations, bool wantsBias,
                    bool wantsWeight, bool wantsActivations) {
  Location loc = op.getLoc();
  ReifiedRankedShapedTypeDims reified;
  if (wantsActivations)
    reified.push_back(getMixedSizes(b, loc, activations));
  if (wantsWeight)
    reified.push_back(getMixedSizes(
        b, loc,
        op.getAccumulateWeight() ? op.getAccumulateWeight() : op.getWeight()));
  if (wantsBias)
    reified.push_back(
        {op.getAccumulateBias()
             ? tensor::getMixedSize(b, loc, op.getAccumulateBias(), 0)
             : tensor::getMixedSize(b, loc, op.getWeight(), 0)});
  return reified;
}

/// The result for `gradient`, null if `wrt` lacks it: results come in the order
/// of the bits.
template <typename GradOp, typename Gradients>
static Value getGradient(GradOp op, Gradients gradient) {
  if (!op.wants(gradient) || op.getGradients().empty())
    return {};
  auto bits = static_cast<uint32_t>(op.getWrt());
  auto bit = static_cast<uint32_t>(gradient);
  return op.getGradients()[llvm::popcount(bits & (bit - 1))];
}

//===----------------------------------------------------------------------===//
// fused_qkv_grad
//===----------------------------------------------------------------------===//

template <typename OpOrAdaptor>
static GradientOperands getQKVGradientOperands(OpOrAdaptor op) {
  return GradientOperands::get(op, "d_input", op.getInput().getType());
}

LogicalResult FusedQKVGradOp::inferReturnTypes(
    MLIRContext *context, std::optional<Location> location, Adaptor adaptor,
    SmallVectorImpl<Type> &inferred) {
  std::function<InFlightDiagnostic()> storage;
  EmitError emitError = emitAt(context, location, storage);
  // fused_qkv_grad_c1
  FailureOr<Heads> heads = verifyHeads(emitError, adaptor);
  if (failed(heads))
    return failure();
  return inferGradientTypes(emitError, getQKVGradientOperands(adaptor),
                            heads->getRows(), inferred);
}

LogicalResult FusedQKVGradOp::verifyConstraints(EmitError emitError) {
  // fused_qkv_grad_c1
  FailureOr<Heads> heads = verifyHeads(emitError, *this);
  if (failed(heads))
    return failure();

  GradientOperands grad = getQKVGradientOperands(*this);
  Type input = grad.activations, weight = grad.weight;
  NamedType uniform[] = {{"input", input},
                         {"d_query", getDQuery().getType()},
                         {"d_key", getDKey().getType()},
                         {"d_value", getDValue().getType()},
                         {"weight", weight}};
  SmallVector<NamedType> operands(std::begin(uniform), std::end(uniform));
  operands.push_back({"accumulate_weight", grad.accumulateWeight});
  operands.push_back({"accumulate_bias", grad.accumulateBias});
  // fused_qkv_grad_c8
  if (failed(verifyAccumulatorsWanted(emitError, grad)))
    return failure();
  // fused_qkv_grad_c9
  if (failed(verifyForm(emitError, operands, getOuts(), getNumOuts(grad))))
    return failure();
  // fused_qkv_grad_c2
  if (failed(
          verifyElementTypes(emitError, uniform, getElementTypeOrSelf(input))))
    return failure();
  // fused_qkv_grad_c3
  if (failed(verifyAccumulatorElementTypes(emitError, grad)))
    return failure();

  auto merge = [&](unsigned inputDim, unsigned gradDim) {
    return mergeExtents({getExtent(input, inputDim, 3),
                         getExtent(getDQuery().getType(), gradDim, 4),
                         getExtent(getDKey().getType(), gradDim, 4),
                         getExtent(getDValue().getType(), gradDim, 4)});
  };
  int64_t batch = merge(0, 0), tokens = merge(1, 2);
  int64_t hidden =
      mergeExtents({getExtent(input, 2, 3), getExtent(weight, 1, 2),
                    getExtent(grad.accumulateWeight, 1, 2)});
  // fused_qkv_grad_c4
  if (failed(expectShape(emitError, "input", input, {batch, tokens, hidden})))
    return failure();
  // fused_qkv_grad_c5
  auto expectHeads = [&](StringRef name, Value value, int64_t numHeads) {
    return expectShape(emitError, name, value.getType(),
                       {batch, numHeads, tokens, heads->dim});
  };
  if (failed(expectHeads("d_query", getDQuery(), heads->query)) ||
      failed(expectHeads("d_key", getDKey(), heads->keyValue)) ||
      failed(expectHeads("d_value", getDValue(), heads->keyValue)))
    return failure();
  // fused_qkv_grad_c6
  SmallVector<int64_t> weightShape = {heads->getRows(), hidden};
  if (failed(expectShape(emitError, "weight", weight, weightShape)) ||
      (grad.accumulateWeight &&
       failed(expectShape(emitError, "accumulate_weight", grad.accumulateWeight,
                          weightShape))))
    return failure();
  // fused_qkv_grad_c7
  if (grad.accumulateBias &&
      failed(expectShape(emitError, "accumulate_bias", grad.accumulateBias,
                         {heads->getRows()})))
    return failure();
  // fused_qkv_grad_c10
  return verifyOuts(
      emitError, getOuts(),
      getGradientShapes(grad, heads->getRows(), /*accumulated=*/false));
}

LogicalResult
FusedQKVGradOp::reifyResultShapes(OpBuilder &b,
                                  ReifiedRankedShapedTypeDims &reified) {
  if (isBufferForm())
    return failure();
  GradientOperands grad = getQKVGradientOperands(*this);
  reified = reifyGradientShapes(*this, b, getInput(), grad.wantsBias,
                                grad.wantsWeight, grad.wantsActivations);
  // The bias gradient's extent is known from the heads alone.
  if (grad.wantsBias && !grad.accumulateBias)
    reified.back()[0] =
        b.getIndexAttr((getNumHeads() + 2 * getNumKvHeads()) * getHeadDim());
  return success();
}

void FusedQKVGradOp::getEffects(
    SmallVectorImpl<MemoryEffects::EffectInstance> &effects) {
  getBufferEffects(*this, effects);
}

Value FusedQKVGradOp::getDInput() {
  return getGradient(*this, QKVGradients::Activations);
}
Value FusedQKVGradOp::getDWeight() {
  return getGradient(*this, QKVGradients::Weight);
}
Value FusedQKVGradOp::getDBias() {
  return getGradient(*this, QKVGradients::Bias);
}

//===----------------------------------------------------------------------===//
// out_proj_residual
//===----------------------------------------------------------------------===//

LogicalResult OutProjResidualOp::inferReturnTypes(
    MLIRContext *context, std::optional<Location> location, Adaptor adaptor,
    SmallVectorImpl<Type> &inferred) {
  std::function<InFlightDiagnostic()> storage;
  if (failed(expectRanked(emitAt(context, location, storage),
                          {{"residual", adaptor.getResidual().getType()}})))
    return failure();
  if (auto residual =
          dyn_cast<RankedTensorType>(adaptor.getResidual().getType()))
    inferred.push_back(
        tensorOf(residual.getShape(), residual.getElementType()));
  return success();
}

LogicalResult OutProjResidualOp::verifyConstraints(EmitError emitError) {
  Type attn = getAttn().getType(), weight = getWeight().getType(),
       residual = getResidual().getType();
  Type bias = typeOf(getBias());
  NamedType operands[] = {{"attn", attn},
                          {"weight", weight},
                          {"bias", bias},
                          {"residual", residual}};
  // out_proj_residual_c6
  if (failed(verifyForm(emitError, operands, getOuts(), 1)))
    return failure();
  // out_proj_residual_c1
  if (failed(
          verifyElementTypes(emitError, operands, getElementTypeOrSelf(attn))))
    return failure();

  int64_t batch =
      mergeExtents({getExtent(attn, 0, 3), getExtent(residual, 0, 3)});
  int64_t tokens =
      mergeExtents({getExtent(attn, 1, 3), getExtent(residual, 1, 3)});
  int64_t columns =
      mergeExtents({getExtent(attn, 2, 3), getExtent(weight, 1, 2)});
  int64_t hidden =
      mergeExtents({getExtent(weight, 0, 2), getExtent(residual, 2, 3),
                    getExtent(bias, 0, 1)});
  // out_proj_residual_c2
  if (failed(expectShape(emitError, "attn", attn, {batch, tokens, columns})))
    return failure();
  // out_proj_residual_c3
  if (failed(expectShape(emitError, "weight", weight, {hidden, columns})))
    return failure();
  // out_proj_residual_c4
  if (bias && failed(expectShape(emitError, "bias", bias, {hidden})))
    return failure();
  // out_proj_residual_c5
  if (failed(expectShape(emitError, "residual", residual,
                         {batch, tokens, hidden})))
    return failure();
  // out_proj_residual_c7
  ResultShape output = {"output",
                        SmallVector<int64_t, 4>{batch, tokens, hidden},
                        getElementTypeOrSelf(attn)};
  return verifyOuts(emitError, getOuts(), output);
}

LogicalResult
OutProjResidualOp::reifyResultShapes(OpBuilder &b,
                                     ReifiedRankedShapedTypeDims &reified) {
  if (isBufferForm())
    return failure();
  reified = {getMixedSizes(b, getLoc(), getResidual())};
  return success();
}

void OutProjResidualOp::getEffects(
    SmallVectorImpl<MemoryEffects::EffectInstance> &effects) {
  getBufferEffects(*this, effects);
}

//===----------------------------------------------------------------------===//
// out_proj_residual_grad
//===----------------------------------------------------------------------===//

template <typename OpOrAdaptor>
static GradientOperands getOutProjGradientOperands(OpOrAdaptor op) {
  return GradientOperands::get(op, "d_attn", op.getAttn().getType());
}

LogicalResult OutProjResidualGradOp::inferReturnTypes(
    MLIRContext *context, std::optional<Location> location, Adaptor adaptor,
    SmallVectorImpl<Type> &inferred) {
  std::function<InFlightDiagnostic()> storage;
  return inferGradientTypes(
      emitAt(context, location, storage), getOutProjGradientOperands(adaptor),
      getExtent(adaptor.getWeight().getType(), 0, 2), inferred);
}

LogicalResult OutProjResidualGradOp::verifyConstraints(EmitError emitError) {
  GradientOperands grad = getOutProjGradientOperands(*this);
  Type attn = grad.activations, weight = grad.weight,
       dOutput = getDOutput().getType();
  NamedType uniform[] = {
      {"attn", attn}, {"d_output", dOutput}, {"weight", weight}};
  SmallVector<NamedType> operands(std::begin(uniform), std::end(uniform));
  operands.push_back({"accumulate_weight", grad.accumulateWeight});
  operands.push_back({"accumulate_bias", grad.accumulateBias});
  // out_proj_residual_grad_c7
  if (failed(verifyAccumulatorsWanted(emitError, grad)))
    return failure();
  // out_proj_residual_grad_c8
  if (failed(verifyForm(emitError, operands, getOuts(), getNumOuts(grad))))
    return failure();
  // out_proj_residual_grad_c1
  if (failed(
          verifyElementTypes(emitError, uniform, getElementTypeOrSelf(attn))))
    return failure();
  // out_proj_residual_grad_c2
  if (failed(verifyAccumulatorElementTypes(emitError, grad)))
    return failure();

  int64_t batch =
      mergeExtents({getExtent(attn, 0, 3), getExtent(dOutput, 0, 3)});
  int64_t tokens =
      mergeExtents({getExtent(attn, 1, 3), getExtent(dOutput, 1, 3)});
  int64_t columns =
      mergeExtents({getExtent(attn, 2, 3), getExtent(weight, 1, 2),
                    getExtent(grad.accumulateWeight, 1, 2)});
  int64_t hidden =
      mergeExtents({getExtent(weight, 0, 2), getExtent(dOutput, 2, 3),
                    getExtent(grad.accumulateWeight, 0, 2),
                    getExtent(grad.accumulateBias, 0, 1)});
  // out_proj_residual_grad_c3
  if (failed(expectShape(emitError, "attn", attn, {batch, tokens, columns})))
    return failure();
  // out_proj_residual_grad_c4
  if (failed(
          expectShape(emitError, "d_output", dOutput, {batch, tokens, hidden})))
    return failure();
  // out_proj_residual_grad_c5
  if (failed(expectShape(emitError, "weight", weight, {hidden, columns})) ||
      (grad.accumulateWeight &&
       failed(expectShape(emitError, "accumulate_weight", grad.accumulateWeight,
                          {hidden, columns}))))
    return failure();
  // out_proj_residual_grad_c6
  if (grad.accumulateBias && failed(expectShape(emitError, "accumulate_bias",
                                                grad.accumulateBias, {hidden})))
    return failure();
  // out_proj_residual_grad_c9
  return verifyOuts(emitError, getOuts(),
                    getGradientShapes(grad, hidden, /*accumulated=*/false));
}

LogicalResult
OutProjResidualGradOp::reifyResultShapes(OpBuilder &b,
                                         ReifiedRankedShapedTypeDims &reified) {
  if (isBufferForm())
    return failure();
  GradientOperands grad = getOutProjGradientOperands(*this);
  reified = reifyGradientShapes(*this, b, getAttn(), grad.wantsBias,
                                grad.wantsWeight, grad.wantsActivations);
  return success();
}

void OutProjResidualGradOp::getEffects(
    SmallVectorImpl<MemoryEffects::EffectInstance> &effects) {
  getBufferEffects(*this, effects);
}

Value OutProjResidualGradOp::getDAttn() {
  return getGradient(*this, OutProjGradients::Activations);
}
Value OutProjResidualGradOp::getDWeight() {
  return getGradient(*this, OutProjGradients::Weight);
}
Value OutProjResidualGradOp::getDBias() {
  return getGradient(*this, OutProjGradients::Bias);
}
