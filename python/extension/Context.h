// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Threads that compiled functions run on: the Python class Context.

#ifndef BOOSTR_PYTHON_EXTENSION_CONTEXT_H
#define BOOSTR_PYTHON_EXTENSION_CONTEXT_H

#include "boostr/runtime/boostr_runtime.h"
#include <memory>
#include <nanobind/nanobind.h>
#include <string>

namespace boostr_python {

/// The threads of an OpenMP library that the process has loaded.
struct OpenMpThreads {
  /// GOMP_parallel, which GNU's, LLVM's and Intel's libraries have.
  void (*parallel)(void (*function)(void *), void *data, unsigned numThreads,
                   unsigned flags);
  unsigned numThreads;
};

class Context {
public:
  explicit Context(int64_t numThreads);
  /// Runs tasks on the threads of the OpenMP library of this name, that were
  /// started by another package: two pools, which both wait for work by
  /// spinning, would take the processors from each other.
  Context(const std::string &openMpLibrary, int64_t numThreads);
  ~Context() { boostr_context_destroy(context); }
  Context(const Context &) = delete;
  Context &operator=(const Context &) = delete;

  boostr_context *get() const { return context; }
  int32_t getNumThreads() const;
  void cancel();
  void reset();

private:
  std::unique_ptr<OpenMpThreads> openMp;
  boostr_context *context = nullptr;
};

void defineContext(nanobind::module_ &module);

} // namespace boostr_python

#endif // BOOSTR_PYTHON_EXTENSION_CONTEXT_H
