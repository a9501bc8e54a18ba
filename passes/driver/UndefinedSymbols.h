// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What compiled code calls and nothing provides.

#ifndef BOOSTR_PASSES_DRIVER_UNDEFINEDSYMBOLS_H
#define BOOSTR_PASSES_DRIVER_UNDEFINEDSYMBOLS_H

#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

namespace mlir::boostr {

/// Fails, naming the symbols, if the bytes of an object file use symbols that
/// neither the object nor this process (and so the C library) defines and that
/// `isProvided` does not know.
llvm::Error
checkUndefinedSymbols(llvm::StringRef object,
                      llvm::function_ref<bool(llvm::StringRef)> isProvided);

} // namespace mlir::boostr

#endif // BOOSTR_PASSES_DRIVER_UNDEFINEDSYMBOLS_H
