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

  /// Rows of each weight: of the packed one, or of those of query, key and
  /// value.
  SmallVector<int64_t, 3> getRows(size_t numWeights) const {
    if (numWeights == 1)
      return {(query + 2 * keyValue) * dim};
    return {query * dim, keyValue * dim, keyValue * dim};
  }
};

/// What messages call an operand or result that is there once, or once for each
/// of query, key and value.
struct PartNames {
  StringLiteral whole;
  std::array<StringLiteral, 3> parts;
};

using NamedTypes = SmallVector<NamedType, 3>;

} // namespace

static constexpr PartNames kWeight = {
    "weight", {"query_weight", "key_weight", "value_weight"}};
static constexpr PartNames kBias = {"bias",
                                    {"query_bias", "key_bias", "value_bias"}};
static constexpr PartNames kAccumulateWeight = {"accumulate_weight",
                                                {"accumulate_query_weight",
                                                 "accumulate_key_weight",
                                                 "accumulate_value_weight"}};
static constexpr PartNames kAccumulateBias = {
    "accumulate_bias",
    {"accumulate_query_bias", "accumulate_key_bias", "accumulate_value_bias"}};
static constexpr PartNames kDWeight = {
    "d_weight", {"d_query_weight", "d_key_weight", "d_value_weight"}};
static constexpr PartNames kDBias = {
    "d_bias", {"d_query_bias", "d_key_bias", "d_value_bias"}};

static Type typeOf(Value value) { return value ? value.getType() : Type(); }

static StringRef getName(const PartNames &names, size_t count, size_t part) {
  return count == 3 ? names.parts[part] : names.whole;
}

static NamedTypes nameTypes(const PartNames &names, TypeRange types) {
  NamedTypes named;
  for (auto [part, type] : llvm::enumerate(types))
    named.push_back({getName(names, types.size(), part), type});
  return named;
}

/// One weight or three, and no operand of `others` or as many as weights.
static LogicalResult verifyCounts(
    EmitError emitError, size_t numWeights,
    std::initializer_list<std::pair<const PartNames &, size_t>> others) {
  if (numWeights != 1 && numWeights != 3)
    return emitError() << "'weight' expected 1 or 3 operands, got "
                       << numWeights;
  for (const auto &[names, count] : others)
    if (count != 0 && count != numWeights)
      return emitError() << "'" << names.whole << "' expected " << numWeights
                         << (numWeights == 1 ? " operand" : " operands")
                         << " as 'weight' has, got " << count;
  return success();
}

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

/// The second extent of `matrices` and `known`, if any of them knows it.
static int64_t mergeColumns(int64_t known, ArrayRef<NamedType> matrices) {
  SmallVector<int64_t> extents = {known};
  for (NamedType matrix : matrices)
    extents.push_back(getExtent(matrix.type, 1, 2));
  return mergeExtents(extents);
}

/// Each of `matrices` has its number of rows, and `columns`.
static LogicalResult expectMatrices(EmitError emitError,
                                    ArrayRef<NamedType> matrices,
                                    ArrayRef<int64_t> rows, int64_t columns) {
  for (auto [matrix, numRows] : llvm::zip(matrices, rows))
    if (failed(expectShape(emitError, matrix.name, matrix.type,
                           {numRows, columns})))
      return failure();
  return success();
}

/// Each of `vectors` has its number of elements.
static LogicalResult expectVectors(EmitError emitError,
                                   ArrayRef<NamedType> vectors,
                                   ArrayRef<int64_t> sizes) {
  for (auto [vector, size] : llvm::zip(vectors, sizes))
    if (failed(expectShape(emitError, vector.name, vector.type, {size})))
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
  // fused_qkv_c8
  if (failed(verifyCounts(emitError, getWeights().size(),
                          {{kBias, getBiases().size()}})))
    return failure();

  Type input = getInput().getType();
  NamedTypes weights = nameTypes(kWeight, getWeights().getTypes());
  NamedTypes biases = nameTypes(kBias, getBiases().getTypes());
  NamedTypes operands = {{"input", input}};
  llvm::append_range(operands, weights);
  llvm::append_range(operands, biases);
  // fused_qkv_c6
  if (failed(verifyForm(emitError, operands, getOuts(), 3)))
    return failure();
  // fused_qkv_c2
  if (failed(
          verifyElementTypes(emitError, operands, getElementTypeOrSelf(input))))
    return failure();

  int64_t hidden = mergeColumns(getExtent(input, 2, 3), weights);
  // fused_qkv_c3
  if (failed(expectShape(emitError, "input", input,
                         {kDynamic, kDynamic, getExtent(input, 2, 3)})))
    return failure();
  SmallVector<int64_t, 3> rows = heads->getRows(weights.size());
  // fused_qkv_c4
  if (failed(expectMatrices(emitError, weights, rows, hidden)) ||
      failed(
          expectShape(emitError, "input", input, {kDynamic, kDynamic, hidden})))
    return failure();
  // fused_qkv_c5
  if (failed(expectVectors(emitError, biases, rows)))
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
  Type activations;
  /// One of each, or three of separate weights; none of what does not
  /// accumulate.
  NamedTypes weights, accumulateWeights, accumulateBiases;

  template <typename OpOrAdaptor>
  static GradientOperands get(OpOrAdaptor op, StringRef name, Type activations,
                              TypeRange weights, TypeRange accumulateWeights,
                              TypeRange accumulateBiases) {
    using Gradients = decltype(op.getWrt());
    auto wants = [&](Gradients gradient) {
      return bitEnumContainsAny(op.getWrt(), gradient);
    };
    return {wants(Gradients::Activations),
            wants(Gradients::Weight),
            wants(Gradients::Bias),
            name,
            activations,
            nameTypes(kWeight, weights),
            nameTypes(kAccumulateWeight, accumulateWeights),
            nameTypes(kAccumulateBias, accumulateBiases)};
  }

  NamedTypes getAccumulators() const {
    NamedTypes accumulators(accumulateWeights);
    llvm::append_range(accumulators, accumulateBiases);
    return accumulators;
  }
  bool allocatesWeight() const {
    return wantsWeight && accumulateWeights.empty();
  }
  bool allocatesBias() const { return wantsBias && accumulateBiases.empty(); }
};

} // namespace

/// The gradients of `wrt`, or only those that do not accumulate. `rows` are
/// those of each weight.
static SmallVector<ResultShape> getGradientShapes(const GradientOperands &grad,
                                                  ArrayRef<int64_t> rows,
                                                  bool accumulated) {
  Type elementType = getElementTypeOrSelf(grad.activations);
  SmallVector<ResultShape> results;
  auto addLike = [&](StringRef name, Type like) {
    ArrayRef<int64_t> shape = cast<ShapedType>(like).getShape();
    results.push_back(
        {name, llvm::to_vector<4>(shape), getElementTypeOrSelf(like)});
  };
  size_t count = grad.weights.size();
  if (grad.wantsActivations)
    addLike(grad.activationsName, grad.activations);
  if (grad.wantsWeight && (accumulated || grad.allocatesWeight()))
    for (auto [part, like] : llvm::enumerate(
             grad.allocatesWeight() ? grad.weights : grad.accumulateWeights))
      addLike(getName(kDWeight, count, part), like.type);
  if (grad.allocatesBias())
    for (auto [part, size] : llvm::enumerate(rows))
      results.push_back({getName(kDBias, count, part), {size}, elementType});
  else if (grad.wantsBias && accumulated)
    for (auto [part, like] : llvm::enumerate(grad.accumulateBiases))
      addLike(getName(kDBias, count, part), like.type);
  return results;
}

static LogicalResult verifyGradientCounts(EmitError emitError,
                                          const GradientOperands &grad) {
  return verifyCounts(emitError, grad.weights.size(),
                      {{kAccumulateWeight, grad.accumulateWeights.size()},
                       {kAccumulateBias, grad.accumulateBiases.size()}});
}

static LogicalResult inferGradientTypes(EmitError emitError,
                                        const GradientOperands &grad,
                                        ArrayRef<int64_t> rows,
                                        SmallVectorImpl<Type> &inferred) {
  // The gradient of the activations has their name after "d_".
  NamedTypes operands = {
      {grad.activationsName.drop_front(2), grad.activations}};
  llvm::append_range(operands, grad.weights);
  llvm::append_range(operands, grad.getAccumulators());
  if (failed(expectRanked(emitError, operands)))
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
  for (NamedType operand : grad.getAccumulators())
    if (failed(expectAccumulatorElementType(emitError, operand.name,
                                            operand.type, elementType)))
      return failure();
  return success();
}

static LogicalResult verifyAccumulatorsWanted(EmitError emitError,
                                              const GradientOperands &grad) {
  if (!grad.accumulateWeights.empty() && !grad.wantsWeight)
    return emitError() << "'accumulate_weight' expected 'weight' in 'wrt'";
  if (!grad.accumulateBiases.empty() && !grad.wantsBias)
    return emitError() << "'accumulate_bias' expected 'bias' in 'wrt'";
  return success();
}

/// Number of `outs` that the buffer form needs.
static unsigned getNumOuts(const GradientOperands &grad) {
  unsigned count = grad.weights.size();
  return grad.wantsActivations + grad.allocatesWeight() * count +
         grad.allocatesBias() * count;
}

/// Shapes of all results from those of the operands: gradients look like what
/// they are gradients of.
template <typename GradOp>
static ReifiedRankedShapedTypeDims
reifyGradientShapes(GradOp op, OpBuilder &b, Value activations,
                    const GradientOperands &grad) {
  Location loc = op.getLoc();
  ReifiedRankedShapedTypeDims reified;
  if (grad.wantsActivations)
    reified.push_back(getMixedSizes(b, loc, activations));
  if (grad.wantsWeight)
    for (Value like :
         grad.allocatesWeight() ? op.getWeights() : op.getAccumulateWeights())
      reified.push_back(getMixedSizes(b, loc, like));
  if (grad.wantsBias)
    for (Value like :
         grad.allocatesBias() ? op.getWeights() : op.getAccumulateBiases())
      reified.push_back({tensor::getMixedSize(b, loc, like, 0)});
  return reified;
}

/// The results for `gradient`, none if `wrt` lacks it: results come in the
/// order of the bits, each as often as there are weights but for the first.
template <typename GradOp, typename Gradients>
static ResultRange getResultsOf(GradOp op, Gradients gradient) {
  ResultRange results = op.getGradients();
  if (!op.wants(gradient) || results.empty())
    return results.take_front(0);
  unsigned count = op.getWeights().size(), first = 0;
  if (gradient == Gradients::Activations)
    return results.take_front(1);
  first += op.wants(Gradients::Activations);
  if (gradient == Gradients::Bias && op.wants(Gradients::Weight))
    first += count;
  return results.slice(first, count);
}

static Value getOnly(ResultRange results) {
  return results.empty() ? Value() : results.front();
}

//===----------------------------------------------------------------------===//
// fused_qkv_grad
//===----------------------------------------------------------------------===//

template <typename OpOrAdaptor>
static GradientOperands getQKVGradientOperands(OpOrAdaptor op) {
  return GradientOperands::get(op, "d_input", op.getInput().getType(),
                               TypeRange(ValueRange(op.getWeights())),
                               TypeRange(ValueRange(op.getAccumulateWeights())),
                               TypeRange(ValueRange(op.getAccumulateBiases())));
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
  GradientOperands grad = getQKVGradientOperands(adaptor);
  // fused_qkv_grad_c11
  if (failed(verifyGradientCounts(emitError, grad)))
    return failure();
  return inferGradientTypes(emitError, grad,
                            heads->getRows(grad.weights.size()), inferred);
}

LogicalResult FusedQKVGradOp::verifyConstraints(EmitError emitError) {
  // fused_qkv_grad_c1
  FailureOr<Heads> heads = verifyHeads(emitError, *this);
  if (failed(heads))
    return failure();

  GradientOperands grad = getQKVGradientOperands(*this);
  // fused_qkv_grad_c11
  if (failed(verifyGradientCounts(emitError, grad)))
    return failure();
  Type input = grad.activations;
  NamedTypes uniform = {{"input", input},
                        {"d_query", getDQuery().getType()},
                        {"d_key", getDKey().getType()},
                        {"d_value", getDValue().getType()}};
  llvm::append_range(uniform, grad.weights);
  NamedTypes operands(uniform);
  llvm::append_range(operands, grad.getAccumulators());
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
      mergeColumns(mergeColumns(getExtent(input, 2, 3), grad.weights),
                   grad.accumulateWeights);
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
  SmallVector<int64_t, 3> rows = heads->getRows(grad.weights.size());
  // fused_qkv_grad_c6
  if (failed(expectMatrices(emitError, grad.weights, rows, hidden)) ||
      failed(expectMatrices(emitError, grad.accumulateWeights, rows, hidden)))
    return failure();
  // fused_qkv_grad_c7
  if (failed(expectVectors(emitError, grad.accumulateBiases, rows)))
    return failure();
  // fused_qkv_grad_c10
  return verifyOuts(emitError, getOuts(),
                    getGradientShapes(grad, rows, /*accumulated=*/false));
}

LogicalResult
FusedQKVGradOp::reifyResultShapes(OpBuilder &b,
                                  ReifiedRankedShapedTypeDims &reified) {
  if (isBufferForm())
    return failure();
  GradientOperands grad = getQKVGradientOperands(*this);
  reified = reifyGradientShapes(*this, b, getInput(), grad);
  // Extents of bias gradients are known from the heads alone.
  Heads heads = {static_cast<int64_t>(getNumHeads()),
                 static_cast<int64_t>(getNumKvHeads()),
                 static_cast<int64_t>(getHeadDim())};
  if (grad.allocatesBias()) {
    SmallVector<int64_t, 3> rows = heads.getRows(grad.weights.size());
    MutableArrayRef<SmallVector<OpFoldResult>> biases(reified);
    for (auto [shape, size] :
         llvm::zip_equal(biases.take_back(rows.size()), rows))
      shape[0] = b.getIndexAttr(size);
  }
  return success();
}

void FusedQKVGradOp::getEffects(
    SmallVectorImpl<MemoryEffects::EffectInstance> &effects) {
  getBufferEffects(*this, effects);
}

ResultRange FusedQKVGradOp::getGradientsOf(QKVGradients gradient) {
  return getResultsOf(*this, gradient);
}
Value FusedQKVGradOp::getDInput() {
  return getOnly(getGradientsOf(QKVGradients::Activations));
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
  auto typesOf = [](Value value) {
    return value ? SmallVector<Type, 1>{value.getType()}
                 : SmallVector<Type, 1>();
  };
  return GradientOperands::get(
      op, "d_attn", op.getAttn().getType(), typesOf(op.getWeight()),
      typesOf(op.getAccumulateWeight()), typesOf(op.getAccumulateBias()));
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
  Type attn = grad.activations, weight = getWeight().getType(),
       dOutput = getDOutput().getType();
  Type accumulateWeight = typeOf(getAccumulateWeight()),
       accumulateBias = typeOf(getAccumulateBias());
  NamedType uniform[] = {
      {"attn", attn}, {"d_output", dOutput}, {"weight", weight}};
  NamedTypes operands(std::begin(uniform), std::end(uniform));
  llvm::append_range(operands, grad.getAccumulators());
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
                    getExtent(accumulateWeight, 1, 2)});
  int64_t hidden = mergeExtents(
      {getExtent(weight, 0, 2), getExtent(dOutput, 2, 3),
       getExtent(accumulateWeight, 0, 2), getExtent(accumulateBias, 0, 1)});
  // out_proj_residual_grad_c3
  if (failed(expectShape(emitError, "attn", attn, {batch, tokens, columns})))
    return failure();
  // out_proj_residual_grad_c4
  if (failed(
          expectShape(emitError, "d_output", dOutput, {batch, tokens, hidden})))
    return failure();
  // out_proj_residual_grad_c5
  if (failed(expectShape(emitError, "weight", weight, {hidden, columns})) ||
      (accumulateWeight &&
       failed(expectShape(emitError, "accumulate_weight", accumulateWeight,
                          {hidden, columns}))))
    return failure();
  // out_proj_residual_grad_c6
  if (accumulateBias && failed(expectShape(emitError, "accumulate_bias",
                                           accumulateBias, {hidden})))
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
  reified = reifyGradientShapes(*this, b, getAttn(), grad);
  return success();
}

void OutProjResidualGradOp::getEffects(
    SmallVectorImpl<MemoryEffects::EffectInstance> &effects) {
  getBufferEffects(*this, effects);
}

ResultRange OutProjResidualGradOp::getGradientsOf(OutProjGradients gradient) {
  return getResultsOf(*this, gradient);
}
Value OutProjResidualGradOp::getDAttn() {
  return getOnly(getGradientsOf(OutProjGradients::Activations));
}
Value OutProjResidualGradOp::getDWeight() {
  return getOnly(getGradientsOf(OutProjGradients::Weight));
}
Value OutProjResidualGradOp::getDBias() {
  return getOnly(getGradientsOf(OutProjGradients::Bias));
}
