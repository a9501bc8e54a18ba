// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Packing: a block of an operand becomes panels
//
//     panels[p][k][r] = block[p * lanes + r][k]
//
// in the type of accumulation. A panel is what one vector register holds of
// rows, for every k, so the register tile reads both operands in the order they
// lie.

#ifndef BOOSTR_PASSES_CPU_PACKPANELS_H
#define BOOSTR_PASSES_CPU_PACKPANELS_H

#include "boostr/passes/cpu/StridedArray.h"

namespace mlir::boostr::cpu {

/// How a block of an operand lies in memory, which decides how it is packed.
enum class PackStrategy {
  /// `lanes` rows follow each other: vectors are loaded and stored as they are.
  AlongRows,
  /// `lanes` steps of k follow each other: squares are transposed in registers.
  AlongK,
  /// Nothing is known to follow anything: element by element.
  Gather,
};

PackStrategy choosePackStrategy(const StridedArray &array, const DimGroup &rows,
                                const DimGroup &k, int64_t lanes);

/// A block to be packed.
struct PackSource {
  StridedArray array;
  PackStrategy strategy;
  /// Offsets of rows, one for each row of the panels (those past the end of the
  /// array repeat the last), and offsets of steps of k.
  Value rowOffsets, kOffsets;
  /// Rows that exist, and panels and steps to pack.
  Value numRows, numPanels, numSteps;
};

/// Emits the packing of `source` into `panels`, a `memref<PxKxLxT>`.
void packPanels(ImplicitLocOpBuilder &b, const PackSource &source,
                Value panels);

} // namespace mlir::boostr::cpu

#endif // BOOSTR_PASSES_CPU_PACKPANELS_H
