// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Objects linked into a shared object by lld, as a library: no linker need be
// installed.

#ifndef BOOSTR_PASSES_DRIVER_LINKSHAREDOBJECT_H
#define BOOSTR_PASSES_DRIVER_LINKSHAREDOBJECT_H

#include "mlir/IR/Location.h"
#include "llvm/ADT/StringRef.h"

namespace mlir::boostr {

/// Links the bytes of an object file into the shared object `path`, which needs
/// nothing but the runtime library `runtime` (a path). Searches the runtime
/// beside itself and where it was found now. On failure nothing is written and
/// the reason is reported at `loc`.
LogicalResult linkSharedObject(llvm::StringRef object, llvm::StringRef path,
                               llvm::StringRef runtime, Location loc);

/// Links the bytes of object files into one.
FailureOr<SmallString<0>> linkRelocatable(ArrayRef<SmallString<0>> objects,
                                          Location loc);

/// The runtime library that belongs to the tool `executable`: the one named by
/// the environment variable BOOSTR_RUNTIME_LIBRARY, else
/// `../lib/libboostr_runtime.so` from the tool. Empty if there is none.
std::string findRuntimeLibrary(llvm::StringRef executable);

} // namespace mlir::boostr

#endif // BOOSTR_PASSES_DRIVER_LINKSHAREDOBJECT_H
