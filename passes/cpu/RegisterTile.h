// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The register tile: a tile of sums kept in registers while k runs through a
// panel of rows and one of columns (PanelFormat.h).

#ifndef BOOSTR_PASSES_CPU_REGISTERTILE_H
#define BOOSTR_PASSES_CPU_REGISTERTILE_H

#include "boostr/dialect/BoostrAttrs.h"
#include "boostr/passes/cpu/PanelFormat.h"

namespace mlir::boostr::cpu {

/// One register tile: where the panels and the sums begin in flat memories.
struct RegisterTile {
  Value rows, firstRow;
  Value columns, firstColumn;
  Value sums, firstSum;
  PanelFormat rowFormat, columnFormat;
  /// Columns of a panel that are multiplied, from the first on.
  int64_t numColumns = 0;
  /// Chunks of steps in both panels.
  Value numChunks;
  /// True if sums begin with zero; otherwise they are read.
  Value isFirst;
  /// AMX: columns are loaded such that they need not stay in the first-level
  /// cache.
  bool streamsColumns = false;
  /// Where several tiles follow each other: true if the last has to have the
  /// first `getNarrowWidth` columns of its panel only; null if never.
  Value isLastNarrow;
};

/// Columns of a register tile whose sums of a row follow each other in memory.
int64_t getSumGroup(CpuKernel kernel, const PanelFormat &columnFormat);

/// The columns that a narrow register tile multiplies: half of the vectors or
/// AMX tiles of a panel of columns.
int64_t getNarrowWidth(const PanelFormat &columnFormat);

/// Emits `sums[r][c] += sum over k of rows[r][k] * columns[c][k]` for
/// `numColumns` tiles from `first` on, whose columns and sums follow each other
/// in memory, with vectors of `vector.fma` or with tiles of `amx`. `atChunk`
/// emits what is to be done meanwhile, once for each chunk of steps: it is
/// given a builder, the tile's number and the chunk's. It is called a second
/// time if the last tile may be narrow, which has code of its own.
void multiplyTiles(
    ImplicitLocOpBuilder &b, CpuKernel kernel, const RegisterTile &first,
    Value numColumns,
    llvm::function_ref<void(ImplicitLocOpBuilder &, Value, Value)> atChunk);

} // namespace mlir::boostr::cpu

#endif // BOOSTR_PASSES_CPU_REGISTERTILE_H
