// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Constructors, options and registration of every pass, generated from
// Passes.td.

#ifndef BOOSTR_PASSES_PASSES_H
#define BOOSTR_PASSES_PASSES_H

#include "boostr/dialect/BoostrAttrs.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"

namespace mlir::boostr {

/// In which forms compiled kernels are kept.
enum class GpuImages {
  /// Machine code of the chip, and PTX where it runs on later chips.
  All,
  /// Machine code only.
  Cubin,
  /// PTX only, which the driver compiles.
  Ptx,
};

#define GEN_PASS_DECL
#include "boostr/passes/Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "boostr/passes/Passes.h.inc"

} // namespace mlir::boostr

#endif // BOOSTR_PASSES_PASSES_H
