// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The sums of one task: tiles of `rows x columns` of the register tile, each of
// which lies in one piece, row by row.

#ifndef BOOSTR_PASSES_CPU_SUMBLOCK_H
#define BOOSTR_PASSES_CPU_SUMBLOCK_H

#include "boostr/passes/cpu/IndexMath.h"

namespace mlir::boostr::cpu {

struct SumBlock {
  /// Flat memory.
  Value memory;
  /// Extents of a tile, and tiles side by side in a row of tiles.
  int64_t rows, columns, tilesPerRow;
  /// Columns whose sums follow each other in a row of a tile, the next columns
  /// behind those of all rows; 0 for all.
  int64_t group = 0;

  int64_t groupSize() const { return group ? group : columns; }

  int64_t tileSize() const { return rows * columns; }
  /// Where the tile with the given numbers begins.
  Value getTile(ImplicitLocOpBuilder &b, Value tileRow, Value tileColumn) const;
  /// Where the sum of `row` and `column` of the block lies.
  Value getOffset(ImplicitLocOpBuilder &b, Value row, Value column) const;
};

} // namespace mlir::boostr::cpu

#endif // BOOSTR_PASSES_CPU_SUMBLOCK_H
