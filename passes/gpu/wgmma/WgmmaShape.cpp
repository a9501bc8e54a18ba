// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "boostr/passes/gpu/wgmma/WgmmaShape.h"
#include "boostr/passes/contraction/StaticExtents.h"

#include <numeric>

using namespace mlir;
using namespace mlir::boostr;
using namespace mlir::boostr::wgmma;

/// The largest head dimension.
static constexpr int64_t kMaxHeadDim = 256;
/// Elements of 16 bits in 16 bytes, of which strides must be multiples.
static constexpr int64_t kStrideElements = 8;

static unsigned getDim(AffineExpr expr) {
  return cast<AffineDimExpr>(expr).getPosition();
}
static unsigned getInnermostDim(AffineMap map) {
  return getDim(map.getResults().back());
}

SmallVector<unsigned> wgmma::getViewDims(const WgmmaShape &shape,
                                         AffineMap map) {
  SmallVector<unsigned> dims;
  for (AffineExpr expr : llvm::reverse(map.getResults())) {
    unsigned dim = getDim(expr);
    if (dim != shape.m.folded && dim != shape.n.folded && dim != shape.k.folded)
      dims.push_back(dim);
  }
  return dims;
}

bool wgmma::isTileAddend(const ContractionOperand &addend,
                         const ContractionResult &result) {
  return addend.map == result.map;
}

//===----------------------------------------------------------------------===//
// Arrays
//===----------------------------------------------------------------------===//

namespace {

/// An array that the copy engine reads or writes.
struct CopiedArray {
  Value array;
  bool hasRows;
  AffineMap map;
};

} // namespace

static SmallVector<CopiedArray>
collectArrays(SegmentedContractionOpInterface op,
              const SegmentedContraction &contraction) {
  SmallVector<CopiedArray> arrays;
  auto add = [&](const ContractionOperand &operand) {
    arrays.push_back({operand.array, operand.rows.has_value(), operand.map});
  };
  SmallVector<Value> destinations = op.getDestinations();
  for (const ContractionSegment &segment : contraction.segments) {
    for (const ContractionTerm &term : segment.terms) {
      add(term.lhs);
      add(term.rhs);
    }
    if (!segment.product)
      continue;
    const ContractionResult &product = *segment.product;
    add({destinations[product.number], product.rows, product.map});
    for (const ContractionOperand &addend : product.addends)
      if (isTileAddend(addend, product))
        add(addend);
  }
  return arrays;
}

/// Whether memory runs along the last dimension and the copy engine can step
/// through the others, as far as that is known.
static bool canBeCopied(const CopiedArray &copied) {
  auto type = cast<MemRefType>(copied.array.getType());
  SmallVector<int64_t> strides;
  int64_t offset;
  if (failed(type.getStridesAndOffset(strides, offset)) || strides.empty() ||
      strides.back() != 1)
    return false;
  auto isAligned = [](int64_t elements) {
    return ShapedType::isDynamic(elements) || elements % kStrideElements == 0;
  };
  return isAligned(offset) &&
         llvm::all_of(ArrayRef(strides).drop_back(), isAligned) &&
         isAligned(type.getShape().back());
}

/// Whether `outer` and `inner` are one dimension of this array, or neither is.
static bool hasAsOne(const CopiedArray &copied, unsigned outer,
                     unsigned inner) {
  std::optional<unsigned> outerPosition = copied.map.getResultPosition(
      getAffineDimExpr(outer, copied.map.getContext()));
  std::optional<unsigned> innerPosition = copied.map.getResultPosition(
      getAffineDimExpr(inner, copied.map.getContext()));
  if (!outerPosition && !innerPosition)
    return true;
  bool isHeadRows = copied.hasRows && outerPosition == 0u;
  return outerPosition && innerPosition &&
         *outerPosition + 1 == *innerPosition &&
         (isHeadRows ||
          cast<MemRefType>(copied.array.getType()).getLayout().isIdentity());
}

//===----------------------------------------------------------------------===//
// Axes
//===----------------------------------------------------------------------===//

static std::optional<Axis> matchAxis(ArrayRef<unsigned> dims,
                                     ArrayRef<CopiedArray> arrays) {
  if (dims.empty() || dims.size() > 2)
    return std::nullopt;
  Axis axis;
  axis.inner = dims.back();
  if (dims.size() == 2) {
    bool fold = llvm::all_of(arrays, [&](const CopiedArray &array) {
      return hasAsOne(array, dims[0], dims[1]);
    });
    (fold ? axis.folded : axis.outer) = dims[0];
  }
  axis.isContiguous = llvm::any_of(arrays, [&](const CopiedArray &array) {
    return getInnermostDim(array.map) == axis.inner;
  });
  return axis;
}

static bool isSame(const ContractionOperand &x, const ContractionOperand &y) {
  auto offset = [](const ContractionOperand &operand) {
    return operand.rows ? operand.rows->offset : -1;
  };
  return x.array == y.array && offset(x) == offset(y);
}

/// Segments may differ in one of their operands.
static std::optional<SegmentedAxis>
matchSegments(const SegmentedContraction &contraction) {
  const ContractionSegment &first = contraction.segments.front();
  bool lhsDiffers = false, rhsDiffers = false;
  for (const ContractionSegment &segment :
       ArrayRef(contraction.segments).drop_front()) {
    if (segment.terms.size() != first.terms.size())
      return std::nullopt;
    for (auto [term, other] : llvm::zip_equal(segment.terms, first.terms)) {
      lhsDiffers |= !isSame(term.lhs, other.lhs);
      rhsDiffers |= !isSame(term.rhs, other.rhs);
    }
  }
  if (lhsDiffers && rhsDiffers)
    return std::nullopt;
  if (lhsDiffers)
    return SegmentedAxis::M;
  return rhsDiffers ? SegmentedAxis::N : SegmentedAxis::None;
}

//===----------------------------------------------------------------------===//
// Results
//===----------------------------------------------------------------------===//

/// Checks what is added to and becomes of one product; empty if all is well.
static StringRef matchResult(SegmentedContractionOpInterface op,
                             const ContractionSegment &segment,
                             WgmmaShape &shape) {
  if (!segment.product)
    return "there is no product to compute";
  const ContractionResult &product = *segment.product;
  if (getInnermostDim(product.map) != shape.n.inner)
    return "memory of the result does not run along its columns";
  Type type = getElementTypeOrSelf(op.getDestinations()[product.number]);
  bool isWide = type.isF32();
  if (type != shape.elementType && !(isWide && product.accumulatesInPlace))
    return "the result has another element type than the operands";
  shape.resultBytes = type.getIntOrFloatBitWidth() / 8;
  unsigned numTileAddends = 0;
  for (const ContractionOperand &addend : product.addends) {
    if (isTileAddend(addend, product)) {
      ++numTileAddends;
      // A wide one is added by the copy engine.
      shape.readsAddend |= !isWide;
    } else if (getInnermostDim(addend.map) != shape.n.inner) {
      return "an addend has neither the result's dimensions nor its columns";
    }
  }
  return numTileAddends > 1 ? "several addends have the result's dimensions"
                            : "";
}

/// The extent of n's inner dimension; n must be the rows of an array.
static int64_t getHeadDim(const ContractionTerm &term) {
  return term.rhs.rows ? term.rhs.rows->headDim : 0;
}

static int64_t getCommonColumns(const SegmentedContraction &contraction) {
  int64_t common = 0;
  for (const ContractionSegment &segment : contraction.segments) {
    int64_t columns = getStaticProduct(segment.terms.front(), contraction.n);
    if (ShapedType::isDynamic(columns))
      return 0;
    common = std::gcd(common, columns);
  }
  return common;
}

std::optional<WgmmaShape>
WgmmaShape::match(SegmentedContractionOpInterface op,
                  const SegmentedContraction &contraction, StringRef &reason) {
  WgmmaShape shape;
  auto fail = [&](StringRef why) {
    reason = why;
    return std::nullopt;
  };
  const ContractionTerm &term = contraction.segments.front().terms.front();
  shape.elementType = getElementTypeOrSelf(term.lhs.array);
  if (!shape.elementType.isBF16() && !shape.elementType.isF16())
    return fail("the element type is neither bf16 nor f16");
  if (!contraction.segments.front().product)
    return fail("there is no product to compute");

  SmallVector<CopiedArray> arrays = collectArrays(op, contraction);
  if (!llvm::all_of(arrays, canBeCopied))
    return fail("an array is no run of memory along its last dimension with "
                "strides of multiples of 16 bytes");
  std::optional<Axis> m = matchAxis(contraction.m, arrays),
                      n = matchAxis(contraction.n, arrays),
                      k = matchAxis(contraction.k, arrays);
  std::optional<SegmentedAxis> segmented = matchSegments(contraction);
  if (!m || !n || !k || !segmented)
    return fail("it has more dimensions or other segments than the kernel");
  shape.m = *m;
  shape.n = *n;
  shape.k = *k;
  shape.segmented = *segmented;

  shape.commonColumns = getCommonColumns(contraction);

  unsigned lhsInner = getInnermostDim(term.lhs.map);
  unsigned rhsInner = getInnermostDim(term.rhs.map);
  shape.lhsAlongK = lhsInner == shape.k.inner;
  shape.rhsAlongK = rhsInner == shape.k.inner;
  if ((!shape.lhsAlongK && lhsInner != shape.m.inner) ||
      (!shape.rhsAlongK && rhsInner != shape.n.inner))
    return fail("memory of an operand runs along an outer dimension");
  if (shape.lhsAlongK && contraction.segments.front().lhsSum)
    return fail("memory of lhs, which is summed, does not run along m");
  if (shape.n.outer) {
    shape.headDim = getHeadDim(term);
    if (!shape.rhsAlongK || shape.headDim <= 0 || shape.headDim > kMaxHeadDim ||
        shape.headDim % kStrideElements != 0)
      return fail("the head dimension is no multiple of 8 up to 256");
  }
  for (const ContractionSegment &segment : contraction.segments)
    if (StringRef why = matchResult(op, segment, shape); !why.empty())
      return fail(why);
  return shape;
}
