// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Libraries of other packages that the process has loaded.

#ifndef BOOSTR_PYTHON_EXTENSION_LOADEDLIBRARY_H
#define BOOSTR_PYTHON_EXTENSION_LOADEDLIBRARY_H

#include <cstdint>
#include <dlfcn.h>

namespace boostr_python {

/// A library that the process has loaded, or none.
class LoadedLibrary {
public:
  explicit LoadedLibrary(const char *name)
      : handle(dlopen(name, RTLD_LAZY | RTLD_NOLOAD)) {}

  /// Returns false if there is no such function.
  template <typename Function>
  bool find(const char *name, Function *&function) const {
    void *address = handle ? dlsym(handle, name) : nullptr;
    function = reinterpret_cast<Function *>(address);
    return address != nullptr;
  }

  /// Calls a function that names a constant.
  bool read(const char *name, int32_t &constant) const {
    int32_t (*get)() = nullptr;
    if (!find(name, get))
      return false;
    constant = get();
    return true;
  }

private:
  void *handle; // Never closed: the library stays loaded anyway.
};

} // namespace boostr_python

#endif // BOOSTR_PYTHON_EXTENSION_LOADEDLIBRARY_H
