// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Packing: a block of an operand becomes panels (PanelFormat.h), converted to
// the type that is multiplied.

#ifndef BOOSTR_PASSES_CPU_PACKPANELS_H
#define BOOSTR_PASSES_CPU_PACKPANELS_H

#include "boostr/passes/cpu/PanelFormat.h"
#include "boostr/passes/cpu/StridedArray.h"

namespace mlir::boostr::cpu {

/// How a block of an operand lies in memory, which decides how it is packed.
enum class PackStrategy {
  /// Vectors of rows (or columns) follow each other.
  AlongRows,
  /// Chunks of steps follow each other.
  AlongK,
  /// Nothing is known to follow anything: element by element.
  Gather,
};

PackStrategy choosePackStrategy(const StridedArray &array, const DimGroup &rows,
                                const DimGroup &k, const PanelFormat &format);

/// Rows of `array` that are known to follow each other: two vectors, one, or
/// just one row.
int64_t countTogether(const StridedArray &array, const DimGroup &rows,
                      const PanelFormat &format);

/// A block to be packed.
struct PackSource {
  StridedArray array;
  PackStrategy strategy;
  /// Rows that are known to follow each other: one or more vectors of them.
  int64_t rowsTogether = 1;
  /// A table of offsets of rows; those past the end of the array repeat the
  /// last.
  Value rowOffsets;
  /// Offsets of steps of k: a table, or where it is null that of the first step
  /// and how far the others follow.
  Value kOffsets;
  Value firstStep;
  OpFoldResult stepStride;
  /// The first row to pack, rows that exist, rows to fill, and steps.
  Value firstRow, endRow, endFill, numSteps;
  /// The steps to pack, whole chunks or up to the last; null for all.
  Value beginStep, endStep;
  /// Where the sum of the packed steps of each row is stored, from `firstSum`
  /// on: for rows that are filled too, up to a whole vector. Null if nowhere.
  Value rowSums, firstSum;

  Value getStepOffset(ImplicitLocOpBuilder &b, Value k) const;
};

/// Emits the packing of `source` into the flat memory `panels`, the first of
/// which begins at `base` with row `source.firstRow`. Sums of rows are for
/// panels of rows.
void packPanels(ImplicitLocOpBuilder &b, const PackSource &source,
                const PanelFormat &format, Value panels, Value base);

} // namespace mlir::boostr::cpu

#endif // BOOSTR_PASSES_CPU_PACKPANELS_H
