// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Arrays of a contraction as flat memory with one stride for each dimension of
// the contraction. The address of an element is the sum of an offset by its m
// (or n) index and one by its k index, each of which a table holds for the rows
// or columns of a block: so packing and storing never divide.

#ifndef BOOSTR_PASSES_CPU_STRIDEDARRAY_H
#define BOOSTR_PASSES_CPU_STRIDEDARRAY_H

#include "boostr/dialect/SegmentedContraction.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mlir::boostr::cpu {

/// One array of a contraction.
struct StridedArray {
  /// All of its memory as `memref<?xT, strided<[1], offset: ?>>`; element 0 is
  /// the first element of the view.
  Value flat;
  /// By dimension of the contraction; null where the array has no such
  /// dimension.
  SmallVector<OpFoldResult, 5> strides;

  static StridedArray get(ImplicitLocOpBuilder &b, Value memref,
                          const std::optional<HeadRows> &rows, AffineMap map);

  Type getElementType() const;
  bool hasAny(ArrayRef<unsigned> dims) const;
};

/// Dimensions that together count the rows (or columns, or steps) of a block.
/// `extents` has one entry for each dimension of the contraction.
struct DimGroup {
  ArrayRef<unsigned> dims;
  ArrayRef<OpFoldResult> extents;

  /// Product of the extents.
  Value getSize(ImplicitLocOpBuilder &b) const;
};

/// True if `lanes` elements that follow each other along the group, starting at
/// a multiple of `lanes`, follow each other in memory too.
bool isContiguousInChunks(const StridedArray &array, const DimGroup &group,
                          int64_t lanes);

/// `condition ? a : b` for values, arrays and lists of extents alike.
OpFoldResult select(ImplicitLocOpBuilder &b, Value condition,
                    OpFoldResult ifTrue, OpFoldResult ifFalse);
StridedArray select(ImplicitLocOpBuilder &b, Value condition,
                    const StridedArray &ifTrue, const StridedArray &ifFalse);
SmallVector<OpFoldResult, 5> select(ImplicitLocOpBuilder &b, Value condition,
                                    ArrayRef<OpFoldResult> ifTrue,
                                    ArrayRef<OpFoldResult> ifFalse);

/// The offset of `index`, which counts through the dimensions of the group with
/// the last one fastest.
Value getOffset(ImplicitLocOpBuilder &b, const StridedArray &array,
                const DimGroup &group, Value index);

/// Writes to `table[i]`, for `i` in `[0, count)`, the offset of index `start +
/// i` of the group. Indices from `end` on take the offset of `end - 1`, so that
/// whoever reads a whole panel reads elements that exist.
void fillOffsetTable(ImplicitLocOpBuilder &b, Value table,
                     const StridedArray &array, const DimGroup &group,
                     Value start, Value end, Value count);

} // namespace mlir::boostr::cpu

#endif // BOOSTR_PASSES_CPU_STRIDEDARRAY_H
