// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The register tile: `mr x nr` sums kept in vector registers while k runs
// through a packed block.

#ifndef BOOSTR_PASSES_CPU_REGISTERTILE_H
#define BOOSTR_PASSES_CPU_REGISTERTILE_H

#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mlir::boostr::cpu {

/// One register tile in a block of sums.
struct RegisterTile {
  /// Packed operands, `memref<PxKxLxT>` as PackPanels.h describes them.
  Value lhsPanels, rhsPanels;
  /// The block of sums, `memref<mc x nc x T>`.
  Value sums;
  int64_t mr, nr, lanes;
};

/// Emits `sums[row + i][column + j] += sum over k < numSteps of lhs[row + i][k]
/// * rhs[column + j][k]` for the `mr x nr` tile at (`row`, `column`), multiples
/// of `mr` and `nr`.
void multiplyTile(ImplicitLocOpBuilder &b, const RegisterTile &tile, Value row,
                  Value column, Value numSteps);

} // namespace mlir::boostr::cpu

#endif // BOOSTR_PASSES_CPU_REGISTERTILE_H
