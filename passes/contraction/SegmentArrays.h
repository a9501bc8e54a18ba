// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The arrays of a contraction's segments, and how blocks of all segments are
// numbered through. Segments differ only in addresses, strides and extents, so
// code for one block selects these by its number and exists once.

#ifndef BOOSTR_PASSES_CONTRACTION_SEGMENTARRAYS_H
#define BOOSTR_PASSES_CONTRACTION_SEGMENTARRAYS_H

#include "boostr/passes/cpu/StridedArray.h"

namespace mlir::boostr::cpu {

struct TermArrays {
  StridedArray lhs, rhs;
  SmallVector<OpFoldResult, 5> extents;
  /// Where rhs was packed ahead of time: the number of its first block among
  /// the packed ones. Else null.
  OpFoldResult firstPackedBlock;
};

struct OutputArrays {
  StridedArray result;
  SmallVector<StridedArray, 3> addends;
};

struct SegmentArrays {
  SmallVector<TermArrays, 0> terms;
  std::optional<OutputArrays> product, lhsSum;

  static SegmentArrays get(ImplicitLocOpBuilder &b,
                           SegmentedContractionOpInterface op,
                           const SegmentedContraction &contraction,
                           const ContractionSegment &segment);
};

TermArrays select(ImplicitLocOpBuilder &b, Value condition,
                  const TermArrays &ifTrue, const TermArrays &ifFalse);

/// The arrays of all segments.
SmallVector<SegmentArrays, 0>
getSegmentArrays(ImplicitLocOpBuilder &b, SegmentedContractionOpInterface op,
                 const SegmentedContraction &contraction);

/// Blocks of a segment, and the numbers of its first one and of its first row
/// of blocks.
struct SegmentGrid {
  OpFoldResult rowBlocks, columnBlocks, first, firstRowBlock;
};

/// Blocks of all segments, numbered through.
class NumberedBlocks {
public:
  /// A number of blocks of a segment along one dimension.
  using CountBlocks = llvm::function_ref<OpFoldResult(const SegmentArrays &)>;

  /// Blocks of `rows x columns` of the result.
  NumberedBlocks(ImplicitLocOpBuilder &b, SegmentedContractionOpInterface op,
                 const SegmentedContraction &contraction, int64_t rows,
                 int64_t columns);
  /// As many rows and columns of blocks of each segment as the functions say.
  NumberedBlocks(ImplicitLocOpBuilder &b, ArrayRef<SegmentArrays> segments,
                 CountBlocks countRowBlocks, CountBlocks countColumnBlocks);

  ArrayRef<SegmentArrays> getSegments() const { return segments; }
  /// How many blocks there are.
  OpFoldResult getCount() const { return count; }
  /// The segment that block `number` belongs to.
  std::pair<SegmentArrays, SegmentGrid> select(ImplicitLocOpBuilder &b,
                                               Value number) const;

private:
  void number(ImplicitLocOpBuilder &b, CountBlocks countRowBlocks,
              CountBlocks countColumnBlocks);

  SmallVector<SegmentArrays, 0> segments;
  SmallVector<SegmentGrid> grids;
  OpFoldResult count;
};

} // namespace mlir::boostr::cpu

#endif // BOOSTR_PASSES_CONTRACTION_SEGMENTARRAYS_H
