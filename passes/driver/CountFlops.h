// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How much arithmetic the contractions of a function are, for a speed in
// GFLOP/s.

#ifndef BOOSTR_PASSES_DRIVER_COUNTFLOPS_H
#define BOOSTR_PASSES_DRIVER_COUNTFLOPS_H

#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/StringMap.h"
#include <optional>

namespace mlir::boostr {

/// An extent: a constant, or dimension `dim` of argument `argument`.
struct FlopExtent {
  int64_t constant = 1;
  int64_t argument = -1;
  unsigned dim = 0;
};

/// Multiplications and additions of boostr ops by function: sums of products of
/// extents.
class FlopCounts {
public:
  /// For inputs of the given shapes; nothing if the function has no boostr op
  /// or an extent that is not one of its arguments'.
  std::optional<double> get(StringRef function,
                            ArrayRef<SmallVector<int64_t>> shapes) const;

private:
  friend FlopCounts countFlops(ModuleOp module);
  llvm::StringMap<SmallVector<SmallVector<FlopExtent>>> products;
};

/// Counts in a module on tensors.
FlopCounts countFlops(ModuleOp module);

} // namespace mlir::boostr

#endif // BOOSTR_PASSES_DRIVER_COUNTFLOPS_H
