// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The C header of a compiled module.

#ifndef BOOSTR_PASSES_DRIVER_HEADER_H
#define BOOSTR_PASSES_DRIVER_HEADER_H

#include "mlir/IR/BuiltinOps.h"

namespace mlir::boostr {

/// Prints a C header (usable from C++) that declares what the module exports,
/// with shapes and element types in comments. `module` has been through the
/// pipeline, that for CUDA devices if `isCuda`; `path` names the include guard.
void printHeader(ModuleOp module, StringRef path, bool isCuda,
                 llvm::raw_ostream &os);

} // namespace mlir::boostr

#endif // BOOSTR_PASSES_DRIVER_HEADER_H
