// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// The threads of a context.

#ifndef BOOSTR_RUNTIME_THREADPOOL_H
#define BOOSTR_RUNTIME_THREADPOOL_H

#include <atomic>
#include <cstdint>

namespace boostr::runtime {

/// The number of processors that this process may run on; at least 1.
int32_t availableProcessors();

/// Threads that are started when first used, and again in the child of a fork.
class ThreadPool {
public:
  explicit ThreadPool(int32_t numThreads);
  ThreadPool(const ThreadPool &) = delete;
  ThreadPool &operator=(const ThreadPool &) = delete;
  ~ThreadPool();

  int32_t size() const { return numThreads; }

  /// Calls task(context, i) for each i in [0, count) and returns true when all
  /// calls have returned. Returns false, having called nothing, if the threads
  /// cannot be started. Loops of several callers run one after the other; a
  /// task must not call this.
  bool run(void (*task)(void *context, int64_t i), void *context,
           int64_t count);

private:
  struct Crew;
  Crew *crewOfThisProcess();

  int32_t numThreads;
  uint32_t flags;
  std::atomic<Crew *> crew{nullptr};
};

} // namespace boostr::runtime

#endif // BOOSTR_RUNTIME_THREADPOOL_H
