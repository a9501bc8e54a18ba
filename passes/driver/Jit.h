// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Machine code loaded into this process.

#ifndef BOOSTR_PASSES_DRIVER_JIT_H
#define BOOSTR_PASSES_DRIVER_JIT_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <memory>

namespace llvm::orc {
class LLJIT;
} // namespace llvm::orc

namespace mlir::boostr {

/// An object file linked into this process, with symbols of the process (the
/// runtime, the C library) for what it leaves undefined.
class Jit {
public:
  /// Fails, naming them, if there are symbols that neither has.
  static llvm::Expected<Jit> load(llvm::StringRef object);

  /// The address of an exported symbol, as in `foo_function`.
  llvm::Expected<void *> lookup(llvm::StringRef name);

  Jit(Jit &&);
  Jit &operator=(Jit &&);
  ~Jit();

private:
  explicit Jit(std::unique_ptr<llvm::orc::LLJIT> jit);
  std::unique_ptr<llvm::orc::LLJIT> jit;
};

} // namespace mlir::boostr

#endif // BOOSTR_PASSES_DRIVER_JIT_H
