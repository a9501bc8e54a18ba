// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "boostr/runtime/ThreadPool.h"

#include <csignal>
#include <initializer_list>
#include <new>
#include <pthread.h>
#include <pthreadpool.h>
#include <sched.h>
#include <unistd.h>

// pthreadpool is not instrumented, so ThreadSanitizer has to be told that a
// task comes after the call that hands it out and before that call's return.
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define BOOSTR_THREAD_SANITIZER 1
#endif
#elif defined(__SANITIZE_THREAD__)
#define BOOSTR_THREAD_SANITIZER 1
#endif
#ifdef BOOSTR_THREAD_SANITIZER
#include <sanitizer/tsan_interface.h>
#define BOOSTR_HAPPENS_BEFORE(ADDRESS) __tsan_release(ADDRESS)
#define BOOSTR_HAPPENS_AFTER(ADDRESS) __tsan_acquire(ADDRESS)
#else
#define BOOSTR_HAPPENS_BEFORE(ADDRESS) (void)(ADDRESS)
#define BOOSTR_HAPPENS_AFTER(ADDRESS) (void)(ADDRESS)
#endif

using namespace boostr::runtime;

int32_t boostr::runtime::availableProcessors() {
  // Fails with EINVAL on machines of more than 1024 processors; the number of
  // those that are online is then as good an answer as any.
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof(set), &set) == 0)
    return CPU_COUNT(&set) > 0 ? CPU_COUNT(&set) : 1;
  long online = sysconf(_SC_NPROCESSORS_ONLN);
  return online > 0 ? static_cast<int32_t>(online) : 1;
}

//===----------------------------------------------------------------------===//
// Starting threads
//===----------------------------------------------------------------------===//

namespace {
/// Blocks signals on this thread while it lives. New threads inherit that: a
/// host's signal handlers are to run on the host's threads. Signals about what
/// the thread itself does stay as they are.
class SignalBlocker {
public:
  SignalBlocker() {
    sigset_t all;
    sigfillset(&all);
    for (int own :
         {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS, SIGPROF})
      sigdelset(&all, own);
    pthread_sigmask(SIG_SETMASK, &all, &previous);
  }
  ~SignalBlocker() { pthread_sigmask(SIG_SETMASK, &previous, nullptr); }
  SignalBlocker(const SignalBlocker &) = delete;
  SignalBlocker &operator=(const SignalBlocker &) = delete;

private:
  sigset_t previous;
};

/// Where the threads of canStartThreads wait for each other.
struct Gate {
  pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  pthread_cond_t opened = PTHREAD_COND_INITIALIZER;
  bool open = false;
};
} // namespace

static void *waitAtGate(void *argument) {
  Gate &gate = *static_cast<Gate *>(argument);
  pthread_mutex_lock(&gate.mutex);
  while (!gate.open)
    pthread_cond_wait(&gate.opened, &gate.mutex);
  pthread_mutex_unlock(&gate.mutex);
  return nullptr;
}

/// Starts and ends `count` threads that live at the same time. pthreadpool does
/// not look at the result of pthread_create and would wait for ever for a
/// thread that is not there, so we find out before we ask it.
static bool canStartThreads(int32_t count) {
  auto *threads = new (std::nothrow) pthread_t[count];
  if (!threads)
    return false;
  Gate gate;
  int32_t started = 0;
  while (started < count &&
         pthread_create(&threads[started], nullptr, waitAtGate, &gate) == 0)
    ++started;
  pthread_mutex_lock(&gate.mutex);
  gate.open = true;
  pthread_cond_broadcast(&gate.opened);
  pthread_mutex_unlock(&gate.mutex);
  for (int32_t i = 0; i < started; ++i)
    pthread_join(threads[i], nullptr);
  delete[] threads;
  return started == count;
}

static pthreadpool_t startThreads(int32_t numThreads) {
  SignalBlocker blocker;
  if (!canStartThreads(numThreads - 1))
    return nullptr;
  return pthreadpool_create(numThreads);
}

//===----------------------------------------------------------------------===//
// ThreadPool
//===----------------------------------------------------------------------===//

/// Running threads and the process they run in.
struct ThreadPool::Crew {
  pid_t process;
  pthreadpool_t threads;
};

ThreadPool::ThreadPool(int32_t numThreads)
    // Threads that wait by spinning would take the processor away from those
    // that work if there are more of them than processors.
    : numThreads(numThreads),
      flags(numThreads > availableProcessors() ? PTHREADPOOL_FLAG_YIELD_WORKERS
                                               : 0) {}

ThreadPool::~ThreadPool() {
  Crew *last = crew.load(std::memory_order_acquire);
  // The threads of a parent process cannot be ended or waited for.
  if (last && last->process == getpid())
    pthreadpool_destroy(last->threads);
  delete last;
}

ThreadPool::Crew *ThreadPool::crewOfThisProcess() {
  Crew *current = crew.load(std::memory_order_acquire);
  if (current && current->process == getpid())
    return current;

  // No lock: in the child of a fork it could be held by a thread that is not
  // there any more. Of several threads that get here at once the first wins.
  pthreadpool_t threads = startThreads(numThreads);
  if (!threads)
    return nullptr;
  auto *fresh = new (std::nothrow) Crew{getpid(), threads};
  if (fresh &&
      crew.compare_exchange_strong(current, fresh, std::memory_order_acq_rel,
                                   std::memory_order_acquire))
    // A parent's crew stays allocated: that is what the header says.
    return fresh;
  pthreadpool_destroy(threads);
  bool lostRace = fresh != nullptr;
  delete fresh;
  return lostRace ? current : nullptr;
}

namespace {
struct Loop {
  void (*task)(void *context, int64_t i);
  void *context;
};
} // namespace

static void runTask(void *argument, size_t i) {
  BOOSTR_HAPPENS_AFTER(argument);
  auto *loop = static_cast<Loop *>(argument);
  loop->task(loop->context, static_cast<int64_t>(i));
  BOOSTR_HAPPENS_BEFORE(argument);
}

bool ThreadPool::run(void (*task)(void *context, int64_t i), void *context,
                     int64_t count) {
  Crew *current = crewOfThisProcess();
  if (!current)
    return false;
  Loop loop{task, context};
  BOOSTR_HAPPENS_BEFORE(&loop);
  pthreadpool_parallelize_1d(current->threads, runTask, &loop,
                             static_cast<size_t>(count), flags);
  BOOSTR_HAPPENS_AFTER(&loop);
  return true;
}
