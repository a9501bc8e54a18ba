// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "boostr/runtime/Invocation.h"

#include "boostr/runtime/Validate.h"
#include "boostr/runtime/cuda/Run.h"

using namespace boostr::runtime;

//===----------------------------------------------------------------------===//
// Invocation
//===----------------------------------------------------------------------===//

Invocation::Invocation(boostr_context *context, cuda::Run *run)
    : context(context), run(run),
      allocator(run ? run->allocator : context->allocator) {}

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
  blocks.releaseAll(invocation.allocator);
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

/// Runs the function on `run`, or on the CPU if that is null.
static boostr_status invoke(boostr_context *context, cuda::Run *run,
                            const boostr_function &function,
                            void **descriptors) {
  Invocation invocation(context, run);
  if (!invocation.mustStop()) {
    Frame *outer = currentFrame();
    Frame frame(invocation, outer, outer && outer->insideTask);
    Code code{function.packed, descriptors};
    frame.run(runCode, &code);
  }
  return invocation.finish();
}

static boostr_status invokeOnDevice(boostr_context *context,
                                    const boostr_function &function,
                                    void **descriptors, cuda::Place place) {
  const cuda::Driver *driver;
  if (boostr_status status = cuda::getDriver(driver))
    return status;
  cuda::Run run(*driver, context->cuda, place.stream);
  if (place.device < 0 && !cuda::hasCurrentContext(*driver))
    place.device =
        cuda::findDevice(*driver, descriptors,
                         int64_t{function.num_inputs} + function.num_outputs);
  if (boostr_status status = run.current.enter(place))
    return status;
  return ::invoke(context, &run, function, descriptors);
}

boostr_status boostr::runtime::invoke(boostr_context *context,
                                      const boostr_function &function,
                                      void **descriptors, cuda::Place place) {
  boostr_context *resolved;
  if (boostr_status status = resolveContext(context, resolved))
    return status;
  if (deviceType(function) == kDLCUDA)
    return invokeOnDevice(resolved, function, descriptors, place);
  return ::invoke(resolved, nullptr, function, descriptors);
}

static boostr_status checkDescriptors(const boostr_function &function,
                                      void **descriptors) {
  if (!descriptors && (function.num_inputs || function.num_outputs))
    return fail(BOOSTR_INVALID_ARGUMENT,
                "descriptors: expected an array, got a null pointer");
  return BOOSTR_OK;
}

boostr_status boostr_invoke(boostr_context *context,
                            const boostr_function *function,
                            void **descriptors) noexcept {
  if (boostr_status status = checkFunction(function))
    return status;
  if (boostr_status status = checkDescriptors(*function, descriptors))
    return status;
  return invoke(context, *function, descriptors, {nullptr, -1});
}

boostr_status boostr_invoke_on_stream(boostr_context *context, void *stream,
                                      const boostr_function *function,
                                      void **descriptors) noexcept {
  if (boostr_status status = checkFunction(function))
    return status;
  if (boostr_status status = checkIsForCuda(*function))
    return status;
  if (boostr_status status = checkDescriptors(*function, descriptors))
    return status;
  return invoke(context, *function, descriptors,
                {static_cast<cuda::CUstream>(stream), -1});
}
