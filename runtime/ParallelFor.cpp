// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Parallel loops of compiled code.

#include "boostr/runtime/Invocation.h"

using namespace boostr::runtime;

namespace {
/// A parallel loop that is running.
struct Loop {
  void (*task)(void *context, int64_t i);
  void *context;
  int64_t count;
  Frame &frame;
  std::atomic<int64_t> numReturned{0};
};

struct Task {
  Loop &loop;
  int64_t i;
};
} // namespace

static void runCode(void *argument) {
  auto *task = static_cast<Task *>(argument);
  task->loop.task(task->loop.context, task->i);
}

/// What a thread of the pool or of the host calls. Returns in any case: a task
/// that fails leaves its own frame only.
static void runTask(void *argument, int64_t i) {
  auto &loop = *static_cast<Loop *>(argument);
  Invocation &invocation = loop.frame.invocation;
  if (i < 0 || i >= loop.count) {
    invocation.report(BOOSTR_INTERNAL,
                      Message{} << "executor: expected a task from 0 to "
                                << loop.count - 1 << ", got " << i);
    return;
  }
  if (!invocation.mustStop()) {
    Frame frame(invocation, &loop.frame, /*insideTask=*/true);
    Task task{loop, i};
    frame.run(runCode, &task);
  }
  loop.numReturned.fetch_add(1, std::memory_order_relaxed);
}

static void runOnExecutor(const boostr_executor &executor, Loop &loop) {
  Invocation &invocation = loop.frame.invocation;
  try {
    executor.run(executor.state, runTask, &loop, loop.count);
  } catch (...) {
    invocation.report(BOOSTR_INTERNAL,
                      Message{} << "executor: threw an exception");
    return;
  }
  int64_t returned = loop.numReturned.load(std::memory_order_relaxed);
  if (returned != loop.count)
    invocation.report(BOOSTR_INTERNAL,
                      Message{} << "executor: expected " << loop.count
                                << " calls of the task, got " << returned);
}

static void runOnThreads(ThreadPool &threads, Loop &loop) {
  if (threads.size() == 1) {
    for (int64_t i = 0; i < loop.count; ++i)
      runTask(&loop, i);
    return;
  }
  if (!threads.run(runTask, &loop, loop.count))
    loop.frame.invocation.report(BOOSTR_UNAVAILABLE,
                                 Message{} << "cannot start "
                                           << int64_t{threads.size() - 1}
                                           << " threads");
}

/// Runs the tasks as a part of the current frame, if there is one. A failure in
/// a task needs no care: it leaves that frame, and with it this function.
static void runInPlace(Frame *frame, void (*task)(void *, int64_t),
                       void *context, int64_t count) {
  for (int64_t i = 0; i < count; ++i) {
    if (frame && frame->invocation.mustStop())
      frame->leave();
    task(context, i);
  }
}

int64_t boostr_num_threads() noexcept {
  Frame *frame = currentFrame();
  if (!frame || frame->insideTask)
    return 1;
  const boostr_context &context = *frame->invocation.context;
  return context.executor.run ? 0 : context.threads.size();
}

void boostr_parallel_for(void (*task)(void *task_context, int64_t i),
                         void *task_context, int64_t count) noexcept {
  Frame *frame = currentFrame();
  // Inside a task the threads are at work already, and a pool that is asked
  // for a loop within a loop would wait for itself. A loop of one task is none,
  // so that loops inside of it can use the threads.
  if (!frame || frame->insideTask || count <= 1)
    return runInPlace(frame, task, task_context, count);

  boostr_context &context = *frame->invocation.context;
  Loop loop{task, task_context, count, *frame};
  if (context.executor.run)
    runOnExecutor(context.executor, loop);
  else
    runOnThreads(context.threads, loop);
  frame->invocation.spareBlocks.releaseAll(frame->invocation.allocator);
  if (frame->invocation.failed())
    frame->leave();
}
