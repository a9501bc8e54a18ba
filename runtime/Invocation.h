// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// One run of a compiled function, and the way out of it when something fails.
//
// Compiled code has no way to report that an allocation failed, so the runtime
// leaves it by longjmp: to boostr_invoke, or, inside a task of a parallel loop,
// to the function that called the task, since the frames of the thread pool or
// the host's executor above must return as usual. That is sound because between
// the two lie only frames of compiled code, which has no destructors and holds
// no locks; the one thing that it owns are blocks, and those are noted down in
// the Frame, which releases them. The functions here that jump have no local
// variable with a destructor at that point.

#ifndef BOOSTR_RUNTIME_INVOCATION_H
#define BOOSTR_RUNTIME_INVOCATION_H

#include "boostr/runtime/BlockList.h"
#include "boostr/runtime/Context.h"
#include "boostr/runtime/Status.h"
#include "boostr/runtime/cuda/CurrentContext.h"

#include <csetjmp>
#include <mutex>

namespace boostr::runtime {
namespace cuda {
class Run;
} // namespace cuda

/// The state that all tasks of an invocation share.
class Invocation {
public:
  /// `run` is null for a function that runs on the CPU.
  Invocation(boostr_context *context, cuda::Run *run);
  /// Notes a failure. The first one counts.
  void report(boostr_status failure, const Message &why);

  bool failed() const {
    return status.load(std::memory_order_relaxed) != BOOSTR_OK;
  }

  /// Whether to stop at this boundary between tasks: after a failure and, which
  /// this makes a failure, when the context is cancelled.
  bool mustStop();

  /// The status, having made its message the calling thread's last error. Call
  /// it when no task is running.
  boostr_status finish() const;

  boostr_context *const context;
  cuda::Run *const run;
  /// Where blocks come from.
  const boostr_allocator &allocator;
  /// What tasks of a loop have freed, for its next ones: they ask for the same
  /// sizes again and again, and new pages cost more than most of what is done
  /// with them. No more than the threads have had at once; given back when the
  /// loop is done.
  BlockList spareBlocks;

private:
  std::atomic<boostr_status> status{BOOSTR_OK};
  std::mutex mutex;
  Message message{};
};

/// A stretch of compiled code on one thread's stack: an invocation or a task.
struct Frame {
  Frame(Invocation &invocation, Frame *parent, bool insideTask)
      : invocation(invocation), parent(parent), insideTask(insideTask) {}

  /// Calls body(argument) with this as the thread's current frame. Returns when
  /// it has returned or left, having released its blocks.
  void run(void (*body)(void *argument), void *argument);

  /// Leaves body(argument). The invocation must have been told why.
  [[noreturn]] void leave() { std::longjmp(wayOut, 1); }

  Invocation &invocation;
  /// The frame that this runs in, maybe of another thread; null if none.
  Frame *const parent;
  /// Whether a task of some parallel loop is running around or as this frame.
  const bool insideTask;
  BlockList blocks;

private:
  std::jmp_buf wayOut;
};

/// The innermost frame of the calling thread; null outside of invocations.
Frame *currentFrame();

/// What boostr_invoke and boostr_invoke_on_stream do for a function that passed
/// checkFunction. The place matters to CUDA functions only.
boostr_status invoke(boostr_context *context, const boostr_function &function,
                     void **descriptors, cuda::Place place);

} // namespace boostr::runtime

#endif // BOOSTR_RUNTIME_INVOCATION_H
