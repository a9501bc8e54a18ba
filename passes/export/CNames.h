// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Which names compiled functions and their arguments can have in C.

#ifndef BOOSTR_PASSES_EXPORT_CNAMES_H
#define BOOSTR_PASSES_EXPORT_CNAMES_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"
#include <string>

namespace mlir::boostr {

/// Why no function that is exported can be called `name`, as the end of a
/// sentence ("its name is not an identifier of C"); empty if it can. Names of
/// the C library are among those that cannot: generated code calls functions
/// such as `expf`, and would reach the exported one.
llvm::StringRef explainUnfitName(llvm::StringRef name);

/// Identifiers of C and C++ for the arguments called `names`: all different,
/// and as like the names as can be.
llvm::SmallVector<std::string>
getParameterNames(llvm::ArrayRef<llvm::StringRef> names);

} // namespace mlir::boostr

#endif // BOOSTR_PASSES_EXPORT_CNAMES_H
