// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Threads that compiled functions run on: the Python class Context.

#ifndef BOOSTR_PYTHON_EXTENSION_CONTEXT_H
#define BOOSTR_PYTHON_EXTENSION_CONTEXT_H

#include "boostr/runtime/boostr_runtime.h"
#include <nanobind/nanobind.h>

namespace boostr_python {

class Context {
public:
  explicit Context(int64_t numThreads);
  ~Context() { boostr_context_destroy(context); }
  Context(const Context &) = delete;
  Context &operator=(const Context &) = delete;

  boostr_context *get() const { return context; }
  int32_t getNumThreads() const;
  void cancel();
  void reset();

private:
  boostr_context *context = nullptr;
};

void defineContext(nanobind::module_ &module);

} // namespace boostr_python

#endif // BOOSTR_PYTHON_EXTENSION_CONTEXT_H
