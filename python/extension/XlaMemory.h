// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// XLA's memory of CUDA devices for what compiled functions need for themselves.

#ifndef BOOSTR_PYTHON_EXTENSION_XLAMEMORY_H
#define BOOSTR_PYTHON_EXTENSION_XLAMEMORY_H

#include "boostr/runtime/boostr_runtime.h"
#include "xla/ffi/api/ffi.h"

namespace boostr_python {

/// While this lives, `get()` is a context for calls of the thread that made it,
/// whose workspaces come from `scratch`: memory that XLA takes back when the
/// handler returns, in the order of its stream.
class XlaMemory {
public:
  explicit XlaMemory(xla::ffi::ScratchAllocator &scratch);
  ~XlaMemory();
  XlaMemory(const XlaMemory &) = delete;
  XlaMemory &operator=(const XlaMemory &) = delete;

  boostr_status get(boostr_context *&context) const;

private:
  xla::ffi::ScratchAllocator *const outer;
};

} // namespace boostr_python

#endif // BOOSTR_PYTHON_EXTENSION_XLAMEMORY_H
