// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// What is behind boostr_context.

#ifndef BOOSTR_RUNTIME_CONTEXT_H
#define BOOSTR_RUNTIME_CONTEXT_H

#include "boostr/runtime/ScratchPool.h"
#include "boostr/runtime/ThreadPool.h"
#include "boostr/runtime/boostr_runtime.h"
#include "boostr/runtime/cuda/Resources.h"

#include <atomic>

struct boostr_context {
  /// Options that were checked; of threads there are `numThreads`.
  boostr_context(int32_t numThreads, const boostr_context_options &options)
      : executor(options.executor ? *options.executor : boostr_executor{}),
        scratch(maxScratchBytes * size_t(numThreads)),
        allocator(options.allocator ? *options.allocator
                                    : scratch.getAllocator()),
        threads(numThreads), cuda(options.cuda_allocator) {}

  /// The host's executor; `run` is null if there is none.
  const boostr_executor executor;
  /// Used if there is no allocator of the host; what it keeps of memory between
  /// calls is no more than a call may need.
  boostr::runtime::ScratchPool scratch;
  static constexpr size_t maxScratchBytes = size_t{16} << 20;
  /// The host's allocator, or that of the pool.
  const boostr_allocator allocator;
  /// Used if there is no executor.
  boostr::runtime::ThreadPool threads;
  boostr::runtime::cuda::Resources cuda;
  std::atomic<bool> cancelled{false};
};

namespace boostr::runtime {

/// Sets `context` to what a context argument means: itself and, for null, the
/// one of the running invocation, or the default one.
boostr_status resolveContext(boostr_context *argument,
                             boostr_context *&context);

} // namespace boostr::runtime

#endif // BOOSTR_RUNTIME_CONTEXT_H
