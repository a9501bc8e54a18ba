// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The one idea of this project: every projection and every gradient is a list
// of plain contractions whose operands and results are read and written where
// they are. This header is that idea as data. Each op describes itself with it
// (BoostrContractionImpl.cpp), and every lowering reads only the description.
//
// A segmented contraction runs over named dimensions with three roles:
//
//     out[m, n] = sum over terms, sum over k of lhs[m, k] * rhs[n, k]  +
//     addends
//
// where m, n and k each stand for one or more dimensions. For example, with the
// weight's rows split by head and no array transposed or concatenated:
//
//   fused_qkv         dims (b, s, h, d, k); m = (b, s), n = (h, d), k = (k)
//                     three segments (query, key, value) of one term each
//   d_input           dims (b, s, k, h, d); m = (b, s), n = (k), k = (h, d)
//                     one segment of three terms
//   d_weight, d_bias  dims (h, d, k, b, s); m = (h, d), n = (k), k = (b, s)
//                     three segments, row ranges of the same result

#ifndef BOOSTR_DIALECT_SEGMENTEDCONTRACTION_H
#define BOOSTR_DIALECT_SEGMENTEDCONTRACTION_H

#include "mlir/IR/AffineMap.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/Value.h"
#include <optional>

namespace mlir::boostr {

/// Indices `[offset, offset + size)` of one dimension, known or not.
struct IndexRange {
  OpFoldResult offset, size;
};

/// Rows `[offset, offset + heads * headDim)` of an array's leading dimension,
/// seen as two dimensions `(heads, headDim)`.
struct HeadRows {
  int64_t offset = 0;
  int64_t heads = 0;
  int64_t headDim = 0;
  /// The heads that are meant, if not all. Tiling sets it; no op describes
  /// itself with it, so code generators of whole ops need not look.
  std::optional<IndexRange> range = std::nullopt;

  int64_t getNumRows() const { return heads * headDim; }
};

/// An operand as a contraction reads it: the array, or the view of its rows,
/// and the dimension of the contraction along each dimension of that view.
struct ContractionOperand {
  Value array;
  std::optional<HeadRows> rows;
  /// Projected permutation from contraction dimensions to dimensions of the
  /// view.
  AffineMap map;
};

/// A result as a contraction writes it. `number` counts the results of the op
/// in value form, and `SegmentedContractionOpInterface::getDestinations` in
/// either.
struct ContractionResult {
  unsigned number = 0;
  std::optional<HeadRows> rows;
  AffineMap map;
  /// Operands added before the rounding to the result's element type: bias,
  /// residual, and the gradient that this one accumulates into.
  SmallVector<ContractionOperand, 0> addends;
  /// True if the destination holds one of the addends already.
  bool accumulatesInPlace = false;
};

/// `sum over k of lhs * rhs`.
struct ContractionTerm {
  ContractionOperand lhs, rhs;
};

/// The sum of some terms, and where it goes.
struct ContractionSegment {
  SmallVector<ContractionTerm, 0> terms;
  /// Receives the product; absent if only `lhsSum` is wanted.
  std::optional<ContractionResult> product;
  /// Receives the sum of lhs over k (a bias gradient), which rides along.
  std::optional<ContractionResult> lhsSum;
};

struct SegmentedContraction {
  /// Names of the dimensions, outermost first, for readers of generated IR.
  SmallVector<StringRef, 5> dims;
  /// Dimensions by role, outermost first: those of lhs and result, of rhs and
  /// result, and of lhs and rhs.
  SmallVector<unsigned, 2> m, n, k;
  /// Segments have the same dimensions and maps; extents of `h` may differ.
  SmallVector<ContractionSegment, 0> segments;
};

/// The type that products of `elementType` accumulate in: f64 for f64, else
/// f32.
FloatType getAccumulatorType(Type elementType);

/// The view of a tensor that a lowering to tensor ops works on: the slice of
/// `rows`, its leading dimension expanded to `(heads, headDim)`; `array` itself
/// without `rows`. Never a copy.
Value createView(OpBuilder &b, Location loc, Value array,
                 const std::optional<HeadRows> &rows);

/// The tensor `destination` with the view of `rows` replaced by `view`.
Value insertView(OpBuilder &b, Location loc, Value view, Value destination,
                 const std::optional<HeadRows> &rows);

/// Extent of every dimension of the contraction, from the operands of `term`
/// (tensors or memrefs). Emits `tensor.dim` or `memref.dim` for dynamic
/// extents.
SmallVector<OpFoldResult> getExtents(OpBuilder &b, Location loc,
                                     const SegmentedContraction &contraction,
                                     const ContractionTerm &term);

/// The product of `segment` as linalg on views of the operands, in a tensor of
/// the type of `destination` that starts from it.
Value lowerProductToLinalg(OpBuilder &b, Location loc,
                           const SegmentedContraction &contraction,
                           const ContractionSegment &segment,
                           Value destination);

} // namespace mlir::boostr

#include "boostr/dialect/SegmentedContractionOpInterface.h.inc"

#endif // BOOSTR_DIALECT_SEGMENTEDCONTRACTION_H
