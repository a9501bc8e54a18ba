// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Tiling of value forms. A tile is the same op on slices of its operands
// wherever one exists; else it is that part of the op's decomposition. What has
// no tiles still has loops, since drivers of upstream take a result for granted
// where there are none; asked for a tile, it fails.

#include "boostr/dialect/BoostrOps.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include <numeric>

using namespace mlir;
using namespace mlir::boostr;
using utils::IteratorType;

namespace {

/// Which part of a dimension an operand's slice takes; all of it if absent.
using SliceRange = std::optional<IndexRange>;

/// Slices operands and remembers the slices, through which upstream's drivers
/// find producers to fuse.
class OperandSlicer {
public:
  OperandSlicer(OpBuilder &b, Location loc) : b(b), loc(loc) {}

  Value slice(Value array, ArrayRef<SliceRange> ranges) {
    SmallVector<OpFoldResult> offsets, sizes;
    SmallVector<OpFoldResult> strides(ranges.size(), b.getIndexAttr(1));
    for (auto [dim, range] : llvm::enumerate(ranges)) {
      offsets.push_back(range ? range->offset : b.getIndexAttr(0));
      sizes.push_back(range ? range->size
                            : tensor::getMixedSize(b, loc, array, dim));
    }
    auto slice =
        tensor::ExtractSliceOp::create(b, loc, array, offsets, sizes, strides);
    slices.push_back(slice);
    return slice;
  }

  SmallVector<Operation *> takeSlices() { return std::move(slices); }

private:
  OpBuilder &b;
  Location loc;
  SmallVector<Operation *> slices;
};

} // namespace

/// Dimensions of `array`, all of them parallel, as the loops of a tiling.
static SmallVector<Range> getDomain(OpBuilder &b, Location loc, Value array,
                                    ArrayRef<unsigned> dims) {
  SmallVector<Range> domain;
  for (unsigned dim : dims) {
    OpFoldResult size = isa<MemRefType>(array.getType())
                            ? memref::getMixedSize(b, loc, array, dim)
                            : tensor::getMixedSize(b, loc, array, dim);
    domain.push_back({b.getIndexAttr(0), size, b.getIndexAttr(1)});
  }
  return domain;
}

static SmallVector<IndexRange> getRanges(ArrayRef<OpFoldResult> offsets,
                                         ArrayRef<OpFoldResult> sizes) {
  SmallVector<IndexRange> ranges;
  for (auto [offset, size] : llvm::zip_equal(offsets, sizes))
    ranges.push_back({offset, size});
  return ranges;
}

/// `op` on `operands`, with the result types that follow from them.
template <typename OpTy>
static FailureOr<TilingResult>
createTiled(OpBuilder &b, OpTy op, ValueRange operands, OperandSlicer &slicer) {
  SmallVector<Type> types;
  if (failed(OpTy::inferReturnTypes(
          op.getContext(), op.getLoc(), operands, op->getAttrDictionary(),
          op->getPropertiesStorage(), op->getRegions(), types)))
    return failure();
  Operation *tiled = clone(b, op, types, operands);
  return TilingResult{
      {tiled}, SmallVector<Value>(tiled->getResults()), slicer.takeSlices()};
}

//===----------------------------------------------------------------------===//
// fused_qkv: batch, tokens, groups of heads
//===----------------------------------------------------------------------===//

namespace {

/// Heads of one result in a group: groups are the finest parts that have whole
/// heads of query, key and value alike.
struct HeadGroups {
  int64_t count, queryHeads, keyValueHeads;

  static HeadGroups get(FusedQKVOp op) {
    int64_t heads = op.getNumHeads(), kvHeads = op.getNumKvHeads();
    int64_t count = std::gcd(heads, kvHeads);
    return {count, heads / count, kvHeads / count};
  }

  bool isAll(const IndexRange &groups) const {
    return getConstantIntValue(groups.size) == count;
  }

  /// The heads of result `number` in `groups`.
  IndexRange getHeads(OpBuilder &b, Location loc, unsigned number,
                      const IndexRange &groups) const {
    int64_t perGroup = number == 0 ? queryHeads : keyValueHeads;
    if (isAll(groups))
      return {b.getIndexAttr(0), b.getIndexAttr(count * perGroup)};
    AffineExpr group = b.getAffineSymbolExpr(0);
    auto toHeads = [&](OpFoldResult index) {
      return affine::makeComposedFoldedAffineApply(b, loc, group * perGroup,
                                                   index);
    };
    return {toHeads(groups.offset), toHeads(groups.size)};
  }
};

} // namespace

SmallVector<IteratorType> FusedQKVOp::getLoopIteratorTypes() {
  return SmallVector<IteratorType>(3, IteratorType::parallel);
}

SmallVector<Range> FusedQKVOp::getIterationDomain(OpBuilder &b) {
  SmallVector<Range> domain = getDomain(b, getLoc(), getInput(), {0, 1});
  domain.push_back({b.getIndexAttr(0),
                    b.getIndexAttr(HeadGroups::get(*this).count),
                    b.getIndexAttr(1)});
  return domain;
}

/// The given heads of one result for the tokens of `input`, a slice, as linalg:
/// rows of the weight that belong to some heads are not contiguous across
/// query, key and value, so no fused_qkv computes this.
static Value createHeadTile(OpBuilder &b, FusedQKVOp op, unsigned number,
                            Value input, const IndexRange &heads) {
  Location loc = op.getLoc();
  SegmentedContraction contraction = op.getContractions().front();
  ContractionSegment &segment = contraction.segments[number];
  ContractionTerm &term = segment.terms.front();
  term.lhs.array = input;
  term.rhs.rows->range = heads;
  for (ContractionOperand &addend : segment.product->addends)
    addend.rows->range = heads;

  SmallVector<OpFoldResult> sizes = {
      tensor::getMixedSize(b, loc, input, 0), heads.size,
      tensor::getMixedSize(b, loc, input, 1), b.getIndexAttr(op.getHeadDim())};
  Value destination =
      tensor::EmptyOp::create(b, loc, sizes, getElementTypeOrSelf(input));
  return lowerProductToLinalg(b, loc, contraction, segment, destination);
}

FailureOr<TilingResult>
FusedQKVOp::getTiledImplementation(OpBuilder &b, ArrayRef<OpFoldResult> offsets,
                                   ArrayRef<OpFoldResult> sizes) {
  if (isBufferForm() || offsets.size() != 3)
    return failure();
  SmallVector<IndexRange> tile = getRanges(offsets, sizes);
  HeadGroups groups = HeadGroups::get(*this);
  OperandSlicer slicer(b, getLoc());
  Value input = slicer.slice(getInput(), {tile[0], tile[1], std::nullopt});
  if (groups.isAll(tile[2])) {
    SmallVector<Value> operands(getOperands());
    operands[0] = input;
    return createTiled(b, *this, operands, slicer);
  }
  TilingResult result;
  for (unsigned number = 0; number < 3; ++number) {
    IndexRange heads = groups.getHeads(b, getLoc(), number, tile[2]);
    Value part = createHeadTile(b, *this, number, input, heads);
    result.tiledOps.push_back(part.getDefiningOp());
    result.tiledValues.push_back(part);
  }
  result.generatedSlices = slicer.takeSlices();
  return result;
}

LogicalResult FusedQKVOp::getResultTilePosition(
    OpBuilder &b, unsigned resultNumber, ArrayRef<OpFoldResult> offsets,
    ArrayRef<OpFoldResult> sizes, SmallVector<OpFoldResult> &resultOffsets,
    SmallVector<OpFoldResult> &resultSizes) {
  if (isBufferForm() || offsets.size() != 3)
    return failure();
  IndexRange heads = HeadGroups::get(*this).getHeads(b, getLoc(), resultNumber,
                                                     {offsets[2], sizes[2]});
  resultOffsets = {offsets[0], heads.offset, offsets[1], b.getIndexAttr(0)};
  resultSizes = {sizes[0], heads.size, sizes[1], b.getIndexAttr(getHeadDim())};
  return success();
}

/// Computes that result alone, for any range of heads, so that nothing is
/// computed which the consumer does not read.
FailureOr<TilingResult>
FusedQKVOp::generateResultTileValue(OpBuilder &b, unsigned resultNumber,
                                    ArrayRef<OpFoldResult> offsets,
                                    ArrayRef<OpFoldResult> sizes) {
  if (isBufferForm() || offsets.size() != 4)
    return failure();
  // A tile has whole rows of heads.
  if (getConstantIntValue(offsets[3]) != 0 ||
      getConstantIntValue(sizes[3]) != static_cast<int64_t>(getHeadDim()))
    return failure();
  SmallVector<IndexRange> tile = getRanges(offsets, sizes);
  OperandSlicer slicer(b, getLoc());
  Value input = slicer.slice(getInput(), {tile[0], tile[2], std::nullopt});
  Value part = createHeadTile(b, *this, resultNumber, input, tile[1]);
  return TilingResult{{part.getDefiningOp()}, {part}, slicer.takeSlices()};
}

//===----------------------------------------------------------------------===//
// out_proj_residual: batch, tokens, output columns
//===----------------------------------------------------------------------===//

SmallVector<IteratorType> OutProjResidualOp::getLoopIteratorTypes() {
  return SmallVector<IteratorType>(3, IteratorType::parallel);
}

SmallVector<Range> OutProjResidualOp::getIterationDomain(OpBuilder &b) {
  return getDomain(b, getLoc(), getResidual(), {0, 1, 2});
}

FailureOr<TilingResult>
OutProjResidualOp::getTiledImplementation(OpBuilder &b,
                                          ArrayRef<OpFoldResult> offsets,
                                          ArrayRef<OpFoldResult> sizes) {
  if (isBufferForm() || offsets.size() != 3)
    return failure();
  SmallVector<IndexRange> tile = getRanges(offsets, sizes);
  OperandSlicer slicer(b, getLoc());
  SmallVector<Value> operands = {
      slicer.slice(getAttn(), {tile[0], tile[1], std::nullopt}),
      slicer.slice(getWeight(), {tile[2], std::nullopt})};
  if (getBias())
    operands.push_back(slicer.slice(getBias(), {tile[2]}));
  operands.push_back(slicer.slice(getResidual(), {tile[0], tile[1], tile[2]}));
  return createTiled(b, *this, operands, slicer);
}

LogicalResult OutProjResidualOp::getResultTilePosition(
    OpBuilder &b, unsigned resultNumber, ArrayRef<OpFoldResult> offsets,
    ArrayRef<OpFoldResult> sizes, SmallVector<OpFoldResult> &resultOffsets,
    SmallVector<OpFoldResult> &resultSizes) {
  if (isBufferForm() || offsets.size() != 3)
    return failure();
  resultOffsets.assign(offsets.begin(), offsets.end());
  resultSizes.assign(sizes.begin(), sizes.end());
  return success();
}

FailureOr<TilingResult>
OutProjResidualOp::generateResultTileValue(OpBuilder &b, unsigned resultNumber,
                                           ArrayRef<OpFoldResult> offsets,
                                           ArrayRef<OpFoldResult> sizes) {
  return getTiledImplementation(b, offsets, sizes);
}

//===----------------------------------------------------------------------===//
// Gradients: one of them, by columns of the weight
//===----------------------------------------------------------------------===//

static Value getActivations(FusedQKVGradOp op) { return op.getInput(); }
static Value getActivations(OutProjResidualGradOp op) { return op.getAttn(); }

/// What gradients of weights look like: what they add to, if they accumulate.
template <typename GradOp> static OperandRange getLikeWeights(GradOp op) {
  return op.getAccumulateWeights().empty() ? op.getWeights()
                                           : op.getAccumulateWeights();
}

/// True if tiles of the gradients exist. A bias gradient has no columns: each
/// tile would compute all of it.
template <typename GradOp> static bool hasGradientTiles(GradOp op) {
  using Gradients = decltype(op.getWrt());
  return !op.isBufferForm() && op.getWrt() != Gradients::None &&
         !op.wants(Gradients::Bias);
}

/// The gradient of the activations alone has loops over batch, tokens and
/// columns; with that of the weight, which sums over tokens, over columns only.
template <typename GradOp> static bool hasTokenLoops(GradOp op) {
  using Gradients = decltype(op.getWrt());
  return op.getWrt() == Gradients::Activations;
}

template <typename GradOp> static unsigned getNumGradientLoops(GradOp op) {
  return hasTokenLoops(op) ? 3 : 1;
}

template <typename GradOp>
static SmallVector<Range> getGradientDomain(GradOp op, OpBuilder &b) {
  if (hasTokenLoops(op))
    return getDomain(b, op.getLoc(), getActivations(op), {0, 1, 2});
  return getDomain(b, op.getLoc(), getLikeWeights(op).front(), {1});
}

static SmallVector<Value> getGivenGradients(FusedQKVGradOp op) {
  return {op.getDQuery(), op.getDKey(), op.getDValue()};
}
static SmallVector<Value> getGivenGradients(OutProjResidualGradOp op) {
  return {op.getDOutput()};
}

/// The given gradients of some tokens, with all heads or columns.
template <typename GradOp>
static SmallVector<Value> sliceTokens(GradOp op, OperandSlicer &slicer,
                                      SliceRange batch, SliceRange tokens) {
  SmallVector<Value> slices;
  for (Value dY : getGivenGradients(op)) {
    bool hasHeads = cast<ShapedType>(dY.getType()).getRank() == 4;
    SmallVector<SliceRange> ranges = {batch, tokens, std::nullopt};
    if (hasHeads)
      ranges = {batch, std::nullopt, tokens, std::nullopt};
    slices.push_back(slicer.slice(dY, ranges));
  }
  return slices;
}

template <typename GradOp>
static FailureOr<TilingResult> tileGradient(GradOp op, OpBuilder &b,
                                            ArrayRef<OpFoldResult> offsets,
                                            ArrayRef<OpFoldResult> sizes) {
  if (!hasGradientTiles(op) || offsets.size() != getNumGradientLoops(op))
    return failure();
  SmallVector<IndexRange> tile = getRanges(offsets, sizes);
  IndexRange columns = tile.back();
  OperandSlicer slicer(b, op.getLoc());
  SmallVector<Value> operands;
  if (hasTokenLoops(op)) {
    operands = sliceTokens(op, slicer, tile[0], tile[1]);
    operands.push_back(
        slicer.slice(getActivations(op), {tile[0], tile[1], columns}));
  } else {
    operands = getGivenGradients(op);
    operands.push_back(slicer.slice(getActivations(op),
                                    {std::nullopt, std::nullopt, columns}));
  }
  for (OperandRange matrices : {op.getWeights(), op.getAccumulateWeights()})
    for (Value matrix : matrices)
      operands.push_back(slicer.slice(matrix, {std::nullopt, columns}));
  return createTiled(b, op, operands, slicer);
}

template <typename GradOp>
static LogicalResult
getGradientTilePosition(GradOp op, OpBuilder &b, unsigned resultNumber,
                        ArrayRef<OpFoldResult> offsets,
                        ArrayRef<OpFoldResult> sizes,
                        SmallVector<OpFoldResult> &resultOffsets,
                        SmallVector<OpFoldResult> &resultSizes) {
  if (!hasGradientTiles(op) || offsets.size() != getNumGradientLoops(op))
    return failure();
  resultOffsets.clear();
  resultSizes.clear();
  if (!hasTokenLoops(op)) {
    // All of every dimension but the last.
    using Gradients = decltype(op.getWrt());
    Value like = getActivations(op);
    for (auto [result, weight] : llvm::zip_equal(
             op.getGradientsOf(Gradients::Weight), getLikeWeights(op)))
      if (result == op->getResult(resultNumber))
        like = weight;
    resultSizes = tensor::getMixedSizes(b, op.getLoc(), like);
    resultSizes.pop_back();
    resultOffsets.assign(resultSizes.size(), b.getIndexAttr(0));
  }
  llvm::append_range(resultOffsets, offsets);
  llvm::append_range(resultSizes, sizes);
  return success();
}

/// The only gradient's tile. One with loops over columns must have all of every
/// other dimension.
template <typename GradOp>
static FailureOr<TilingResult>
generateGradientTile(GradOp op, OpBuilder &b, ArrayRef<OpFoldResult> offsets,
                     ArrayRef<OpFoldResult> sizes) {
  if (op->getNumResults() != 1)
    return failure();
  if (hasTokenLoops(op))
    return tileGradient(op, b, offsets, sizes);
  if (!hasGradientTiles(op) || offsets.size() != 2)
    return failure();
  auto weight = cast<ShapedType>(getLikeWeights(op).front().getType());
  int64_t rows = weight.getDimSize(0);
  if (ShapedType::isDynamic(rows) || getConstantIntValue(sizes[0]) != rows)
    return failure();
  return tileGradient(op, b, offsets.drop_front(), sizes.drop_front());
}

#define BOOSTR_TILABLE_GRADIENT(OP)                                            \
  SmallVector<IteratorType> OP::getLoopIteratorTypes() {                       \
    return SmallVector<IteratorType>(getNumGradientLoops(*this),               \
                                     IteratorType::parallel);                  \
  }                                                                            \
  SmallVector<Range> OP::getIterationDomain(OpBuilder &b) {                    \
    return getGradientDomain(*this, b);                                        \
  }                                                                            \
  FailureOr<TilingResult> OP::getTiledImplementation(                          \
      OpBuilder &b, ArrayRef<OpFoldResult> offsets,                            \
      ArrayRef<OpFoldResult> sizes) {                                          \
    return tileGradient(*this, b, offsets, sizes);                             \
  }                                                                            \
  LogicalResult OP::getResultTilePosition(                                     \
      OpBuilder &b, unsigned resultNumber, ArrayRef<OpFoldResult> offsets,     \
      ArrayRef<OpFoldResult> sizes, SmallVector<OpFoldResult> &resultOffsets,  \
      SmallVector<OpFoldResult> &resultSizes) {                                \
    return getGradientTilePosition(*this, b, resultNumber, offsets, sizes,     \
                                   resultOffsets, resultSizes);                \
  }                                                                            \
  FailureOr<TilingResult> OP::generateResultTileValue(                         \
      OpBuilder &b, unsigned, ArrayRef<OpFoldResult> offsets,                  \
      ArrayRef<OpFoldResult> sizes) {                                          \
    return generateGradientTile(*this, b, offsets, sizes);                     \
  }

BOOSTR_TILABLE_GRADIENT(FusedQKVGradOp)
BOOSTR_TILABLE_GRADIENT(OutProjResidualGradOp)

#undef BOOSTR_TILABLE_GRADIENT
