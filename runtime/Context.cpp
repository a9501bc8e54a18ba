// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "boostr/runtime/Context.h"

#include "boostr/runtime/Allocator.h"
#include "boostr/runtime/Invocation.h"
#include "boostr/runtime/Status.h"

#include <cstdlib>
#include <new>

using namespace boostr::runtime;

static constexpr int64_t maxThreads = 1024;

//===----------------------------------------------------------------------===//
// Options
//===----------------------------------------------------------------------===//

/// Reads BOOSTR_NUM_THREADS, or counts the processors if it is not set.
static boostr_status defaultNumThreads(int32_t &numThreads) {
  const char *text = std::getenv("BOOSTR_NUM_THREADS");
  if (!text) {
    int32_t processors = availableProcessors();
    numThreads = processors < maxThreads ? processors : maxThreads;
    return BOOSTR_OK;
  }
  char *end = nullptr;
  // A digit first: strtoll would also take blanks and a sign.
  bool startsWithDigit = *text >= '0' && *text <= '9';
  long long number = startsWithDigit ? std::strtoll(text, &end, 10) : 0;
  if (number < 1 || number > maxThreads || *end != '\0')
    return fail(BOOSTR_INVALID_ARGUMENT,
                Message{} << "environment variable BOOSTR_NUM_THREADS: "
                             "expected a number from 1 to "
                          << maxThreads << ", got '" << text << "'");
  numThreads = static_cast<int32_t>(number);
  return BOOSTR_OK;
}

static boostr_status checkOptions(const boostr_context_options &options) {
  if (options.num_threads < 0 || options.num_threads > maxThreads)
    return fail(BOOSTR_INVALID_ARGUMENT,
                Message{} << "option num_threads: expected a number from 0 to "
                          << maxThreads << ", got "
                          << int64_t{options.num_threads});
  if (options.reserved != 0)
    return fail(BOOSTR_INVALID_ARGUMENT, Message{}
                                             << "option reserved: expected 0, "
                                                "got "
                                             << int64_t{options.reserved});
  if (options.executor && !options.executor->run)
    return fail(BOOSTR_INVALID_ARGUMENT,
                "option executor: expected a function 'run', got a null "
                "pointer");
  if (options.allocator &&
      (!options.allocator->allocate || !options.allocator->release))
    return fail(BOOSTR_INVALID_ARGUMENT,
                "option allocator: expected functions 'allocate' and "
                "'release', got a null pointer");
  return BOOSTR_OK;
}

boostr_status boostr_context_create(const boostr_context_options *options,
                                    boostr_context **context) noexcept {
  if (!context)
    return fail(BOOSTR_INVALID_ARGUMENT,
                "context: expected a place for the result, got a null pointer");
  const boostr_context_options chosen =
      options ? *options : boostr_context_options{};
  if (boostr_status status = checkOptions(chosen))
    return status;
  int32_t numThreads = chosen.num_threads;
  if (chosen.executor)
    numThreads = 1;
  else if (numThreads == 0)
    if (boostr_status status = defaultNumThreads(numThreads))
      return status;
  auto *created = new (std::nothrow) boostr_context(
      numThreads, chosen.executor ? *chosen.executor : boostr_executor{},
      chosen.allocator);
  if (!created)
    return fail(BOOSTR_OUT_OF_MEMORY, "cannot allocate a context");
  *context = created;
  return BOOSTR_OK;
}

void boostr_context_destroy(boostr_context *context) noexcept {
  delete context;
}

//===----------------------------------------------------------------------===//
// The default context
//===----------------------------------------------------------------------===//

/// Never destroyed: threads of the host may be in it when the process ends.
static std::atomic<boostr_context *> defaultContext{nullptr};

static boostr_status getDefaultContext(boostr_context *&context) {
  context = defaultContext.load(std::memory_order_acquire);
  if (context)
    return BOOSTR_OK;
  boostr_context *created;
  if (boostr_status status = boostr_context_create(nullptr, &created))
    return status;
  // Without a lock, which a fork could leave locked in the child.
  if (defaultContext.compare_exchange_strong(context, created,
                                             std::memory_order_acq_rel,
                                             std::memory_order_acquire))
    context = created;
  else
    boostr_context_destroy(created);
  return BOOSTR_OK;
}

boostr_status boostr::runtime::resolveContext(boostr_context *argument,
                                              boostr_context *&context) {
  if (argument) {
    context = argument;
    return BOOSTR_OK;
  }
  if (Frame *frame = currentFrame()) {
    context = frame->invocation.context;
    return BOOSTR_OK;
  }
  return getDefaultContext(context);
}

//===----------------------------------------------------------------------===//
// Cancellation and queries
//===----------------------------------------------------------------------===//

static boostr_status setCancelled(boostr_context *argument, bool cancelled) {
  boostr_context *context;
  if (boostr_status status = resolveContext(argument, context))
    return status;
  context->cancelled.store(cancelled);
  return BOOSTR_OK;
}

boostr_status boostr_context_cancel(boostr_context *context) noexcept {
  return setCancelled(context, true);
}

boostr_status boostr_context_reset(boostr_context *context) noexcept {
  return setCancelled(context, false);
}

boostr_status boostr_context_num_threads(boostr_context *context,
                                         int32_t *num_threads) noexcept {
  if (!num_threads)
    return fail(BOOSTR_INVALID_ARGUMENT, "num_threads: expected a place for "
                                         "the result, got a null pointer");
  boostr_context *resolved;
  if (boostr_status status = resolveContext(context, resolved))
    return status;
  *num_threads = resolved->executor.run ? 0 : resolved->threads.size();
  return BOOSTR_OK;
}
