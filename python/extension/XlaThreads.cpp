// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "XlaThreads.h"
#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <new>

using namespace boostr_python;

/// The pool of the call that this thread is in. One context serves all calls,
/// while pools come with calls; the runtime asks for threads on the thread that
/// called it.
static thread_local xla::ffi::ThreadPool *currentPool = nullptr;

namespace {

/// The tasks of a loop. Shared with helpers that may start when it is over.
class Loop {
public:
  Loop(void (*task)(void *, int64_t), void *context, int64_t count)
      : task(task), context(context), count(count) {}

  /// Runs tasks until none is left to start.
  void help() {
    int64_t numDone = 0;
    for (int64_t i; (i = next.fetch_add(1)) < count; ++numDone)
      task(context, i);
    if (numDone > 0 && done.fetch_add(numDone) + numDone == count) {
      std::lock_guard<std::mutex> lock(mutex);
      allDone.notify_one();
    }
  }

  /// Returns when all tasks have returned. None of those that are left waits
  /// for a thread, so this ends even if all threads of the pool are waiting.
  void wait() {
    std::unique_lock<std::mutex> lock(mutex);
    allDone.wait(lock, [&] { return done.load() == count; });
  }

private:
  void (*const task)(void *context, int64_t i);
  void *const context;
  const int64_t count;
  std::atomic<int64_t> next{0};
  std::atomic<int64_t> done{0};
  std::mutex mutex;
  std::condition_variable allDone;
};

} // namespace

static void runOnPool(void *, void (*task)(void *, int64_t), void *context,
                      int64_t count) {
  int64_t numHelpers =
      currentPool ? std::min(currentPool->num_threads(), count) - 1 : 0;
  std::shared_ptr<Loop> loop;
  try {
    if (numHelpers > 0)
      loop = std::make_shared<Loop>(task, context, count);
    for (int64_t i = 0; i < numHelpers; ++i)
      currentPool->Schedule([loop] { loop->help(); });
  } catch (const std::bad_alloc &) {
    // What has been scheduled by then is enough.
  }
  if (loop) {
    loop->help();
    return loop->wait();
  }
  for (int64_t i = 0; i < count; ++i)
    task(context, i);
}

XlaThreads::XlaThreads(xla::ffi::ThreadPool &pool) : outer(currentPool) {
  currentPool = &pool;
}

XlaThreads::~XlaThreads() { currentPool = outer; }

boostr_status XlaThreads::get(boostr_context *&context) const {
  context = nullptr;
  if (currentPool->num_threads() < 1)
    return BOOSTR_OK;
  struct Shared {
    boostr_context *context = nullptr;
    boostr_status status;
    Shared() {
      boostr_executor executor = {nullptr, &runOnPool};
      boostr_context_options options = {};
      options.executor = &executor;
      status = boostr_context_create(&options, &context);
    }
  };
  // Lives as long as the process, as XLA's threads do.
  static const Shared &shared = *new Shared();
  context = shared.context;
  return shared.status;
}
