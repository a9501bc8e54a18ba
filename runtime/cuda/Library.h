// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Libraries that are opened when they are first needed.

#ifndef BOOSTR_RUNTIME_CUDA_LIBRARY_H
#define BOOSTR_RUNTIME_CUDA_LIBRARY_H

#include "boostr/runtime/Status.h"

#include <atomic>
#include <dlfcn.h>
#include <new>

namespace boostr::runtime::cuda {

/// A library's functions, or why there are none.
template <class Functions> struct OpenedLibrary {
  Functions functions{};
  bool succeeded = false;
  Message failure{};
};

/// Sets `function` to `symbol` of a library; false if it has none.
template <class Function>
bool lookUp(void *library, const char *symbol, Function &function) {
  // POSIX allows this conversion, C++ has no other way to write it.
  function = reinterpret_cast<Function>(dlsym(library, symbol));
  return function;
}

/// What `open` made of a library at its first call in the process; null, with
/// an error that names `what`, if there is no memory. Never freed: the library
/// stays open, since nobody can tell when its threads are done.
template <class Functions>
const OpenedLibrary<Functions> *
openOnce(void (*open)(OpenedLibrary<Functions> &), const char *what) {
  static std::atomic<OpenedLibrary<Functions> *> first{nullptr};
  OpenedLibrary<Functions> *opened = first.load(std::memory_order_acquire);
  if (opened)
    return opened;
  auto *mine = new (std::nothrow) OpenedLibrary<Functions>;
  if (!mine) {
    (void)fail(BOOSTR_OUT_OF_MEMORY, Message{}
                                         << "cannot allocate the table of "
                                         << what << " functions");
    return nullptr;
  }
  open(*mine);
  // Without a lock, which a fork could leave locked in the child. To open a
  // library twice does no harm.
  if (first.compare_exchange_strong(opened, mine, std::memory_order_acq_rel,
                                    std::memory_order_acquire))
    return mine;
  delete mine;
  return opened;
}

} // namespace boostr::runtime::cuda

#endif // BOOSTR_RUNTIME_CUDA_LIBRARY_H
