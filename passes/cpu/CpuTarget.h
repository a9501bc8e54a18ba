// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What code generation knows of CPUs.

#ifndef BOOSTR_PASSES_CPU_CPUTARGET_H
#define BOOSTR_PASSES_CPU_CPUTARGET_H

#include "boostr/dialect/BoostrAttrs.h"
#include "boostr/dialect/SegmentedContraction.h"
#include "boostr/dialect/ShapeCheck.h"

namespace mlir::boostr::cpu {

/// The triple that all CPU code is generated for.
inline constexpr llvm::StringLiteral kTriple = "x86_64-unknown-linux-gnu";

/// The target `cpu` (LLVM's name, or `native` for this machine) with `features`
/// added or removed, as in `+avx512f,-amx-tile`. Emits an error and returns
/// null for names that LLVM does not know.
CpuTargetAttr getCpuTarget(MLIRContext *context, EmitError emitError,
                           StringRef cpu, StringRef features);

/// All that `native` stands for: the name of this machine's CPU, its features
/// and the sizes of its caches.
std::string describeHost();

/// What of an op's contractions decides how they are blocked.
struct ContractionSize {
  /// Products of extents over the m, n and k dimensions, the largest of any
  /// segment; `ShapedType::kDynamic` if unknown.
  int64_t m = 0, n = 0, k = 0;
  /// The fewest segments of any contraction.
  int64_t segments = 1;
  /// The fewest rows of any contraction, or steps where k follows in no rhs.
  int64_t fewest = ShapedType::kDynamic;
  /// True if steps of k follow each other in no rhs, so that it is the side of
  /// columns.
  bool isRhsColumns = true;
  /// True if rhs was packed ahead of time.
  bool isRhsPacked = false;
};

/// Blocks and register tile for contractions of `elementType`.
CpuTileAttr chooseCpuTile(CpuTargetAttr target, Type elementType,
                          const ContractionSize &size);

/// The tile of an op in either form: its `boostr.cpu_tile`, else what fits
/// `target`, the extents that are known, and a weight that is packed ahead of
/// time or not.
CpuTileAttr getCpuTile(SegmentedContractionOpInterface op, CpuTargetAttr target,
                       bool isRhsPacked = false);

} // namespace mlir::boostr::cpu

#endif // BOOSTR_PASSES_CPU_CPUTARGET_H
