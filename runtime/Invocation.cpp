// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "boostr/runtime/Invocation.h"

#include "boostr/runtime/Validate.h"

using namespace boostr::runtime;

//===----------------------------------------------------------------------===//
// Invocation
//===----------------------------------------------------------------------===//

void Invocation::report(boostr_status failure, const Message &why) {
  std::lock_guard<std::mutex> lock(mutex);
  if (failed())
    return;
  message = why;
  status.store(failure, std::memory_order_relaxed);
}

bool Invocation::mustStop() {
  if (context->cancelled.load(std::memory_order_relaxed) && !failed())
    report(BOOSTR_CANCELLED, Message{} << "the invocation was cancelled");
  return failed();
}

boostr_status Invocation::finish() const {
  boostr_status result = status.load(std::memory_order_relaxed);
  return result == BOOSTR_OK ? result : fail(result, message);
}

//===----------------------------------------------------------------------===//
// Frame
//===----------------------------------------------------------------------===//

static thread_local Frame *innermost = nullptr;

Frame *boostr::runtime::currentFrame() { return innermost; }

void Frame::run(void (*body)(void *argument), void *argument) {
  // Not changed after setjmp, as it must be to have its value after longjmp.
  Frame *const outer = innermost;
  innermost = this;
  if (setjmp(wayOut) == 0)
    body(argument);
  innermost = outer;
  blocks.releaseAll(invocation.context->allocator);
}

//===----------------------------------------------------------------------===//
// boostr_invoke
//===----------------------------------------------------------------------===//

namespace {
struct Code {
  void (*packed)(void **descriptors);
  void **descriptors;
};
} // namespace

static void runCode(void *argument) {
  auto *code = static_cast<Code *>(argument);
  code->packed(code->descriptors);
}

boostr_status boostr_invoke(boostr_context *context,
                            const boostr_function *function,
                            void **descriptors) noexcept {
  if (boostr_status status = checkFunction(function))
    return status;
  if (!descriptors && (function->num_inputs || function->num_outputs))
    return fail(BOOSTR_INVALID_ARGUMENT,
                "descriptors: expected an array, got a null pointer");
  boostr_context *resolved;
  if (boostr_status status = resolveContext(context, resolved))
    return status;

  Invocation invocation(resolved);
  if (!invocation.mustStop()) {
    Frame *outer = currentFrame();
    Frame frame(invocation, outer, outer && outer->insideTask);
    Code code{function->packed, descriptors};
    frame.run(runCode, &code);
  }
  return invocation.finish();
}
