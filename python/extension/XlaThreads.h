// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The threads of XLA's CPU client as those of compiled functions.
//
// XLA runs the handler of a call on one of its threads, and has the others
// beside it for loops. A second pool would compete with them for the
// processors, above all where XLA runs several devices or independent calls at
// once.

#ifndef BOOSTR_PYTHON_EXTENSION_XLATHREADS_H
#define BOOSTR_PYTHON_EXTENSION_XLATHREADS_H

#include "boostr/runtime/boostr_runtime.h"
#include "xla/ffi/api/ffi.h"

namespace boostr_python {

/// While this lives, `get()` is a context for calls of the thread that made it.
class XlaThreads {
public:
  explicit XlaThreads(xla::ffi::ThreadPool &pool);
  ~XlaThreads();
  XlaThreads(const XlaThreads &) = delete;
  XlaThreads &operator=(const XlaThreads &) = delete;

  /// Sets `context` to one whose tasks run on the pool, or to null, which means
  /// the runtime's own threads, if XLA brought no pool along.
  boostr_status get(boostr_context *&context) const;

private:
  xla::ffi::ThreadPool *const outer;
};

} // namespace boostr_python

#endif // BOOSTR_PYTHON_EXTENSION_XLATHREADS_H
