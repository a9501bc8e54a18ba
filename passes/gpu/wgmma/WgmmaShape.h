// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a contraction looks like to the tensor cores of sm_90a, and whether it
// does.

#ifndef BOOSTR_PASSES_GPU_WGMMA_WGMMASHAPE_H
#define BOOSTR_PASSES_GPU_WGMMA_WGMMASHAPE_H

#include "boostr/dialect/BoostrAttrs.h"
#include "boostr/dialect/SegmentedContraction.h"

namespace mlir::boostr::wgmma {

/// How the kernel walks one role (m, n or k) of a contraction: along one
/// dimension, or along two that no array holds as one.
struct Axis {
  /// Absent if the axis is flat.
  std::optional<unsigned> outer;
  unsigned inner = 0;
  /// A dimension outside `inner` that is walked as a part of it, because every
  /// array has the two beside each other: tokens of all batches, say.
  std::optional<unsigned> folded;
  /// Whether `inner` follows each other in the memory of some array. If so a
  /// box of the copy engine cannot span several `outer`.
  bool isContiguous = false;
};

/// Which operands distinguish the segments of a contraction.
enum class SegmentedAxis { None, M, N };

/// A contraction that warpgroup products can compute.
struct WgmmaShape {
  Axis m, n, k;
  SegmentedAxis segmented = SegmentedAxis::None;
  /// Whether memory runs along k (else along m or n).
  bool lhsAlongK = false, rhsAlongK = false;
  /// f16 or bf16, of both operands.
  Type elementType;
  /// Bytes of an element of the result.
  int64_t resultBytes = 2;
  /// Extent of n's inner dimension if n has two: columns of a tile are whole
  /// heads then.
  int64_t headDim = 0;
  /// The largest number that divides the columns of every segment; 0 if some
  /// are unknown.
  int64_t commonColumns = 0;
  /// Whether the result has an addend of its own shape that must be read (a
  /// residual, or a gradient of the same type that accumulates).
  bool readsAddend = false;

  /// The shape of `contraction`, or nothing; then `reason` says what is in the
  /// way, as in "the element type is f32". Extents that are dynamic and must be
  /// multiples of 8 are for the caller to check when the code runs.
  static std::optional<WgmmaShape>
  match(SegmentedContractionOpInterface op,
        const SegmentedContraction &contraction, StringRef &reason);
};

/// Dimensions of `operand`'s view that the copy engine walks, innermost first;
/// a folded dimension is not among them.
SmallVector<unsigned> getViewDims(const WgmmaShape &shape, AffineMap map);

/// Whether `addend` has an element for each element of the result, rather than
/// for each column.
bool isTileAddend(const ContractionOperand &addend,
                  const ContractionResult &result);

} // namespace mlir::boostr::wgmma

#endif // BOOSTR_PASSES_GPU_WGMMA_WGMMASHAPE_H
