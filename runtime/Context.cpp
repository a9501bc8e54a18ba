// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "boostr/runtime/Context.h"

#include "boostr/runtime/Allocator.h"
#include "boostr/runtime/Invocation.h"
#include "boostr/runtime/Status.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
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

/// What the struct had until minor version 5, and has if it does not say more.
static constexpr size_t leastSizeOfOptions =
    offsetof(boostr_context_options, cuda_allocator);
/// No version has so many fields: a size beyond is none.
static constexpr size_t mostSizeOfOptions = 4096;

/// Sets `options` to the fields that the host's struct has; others are zero.
static boostr_status readOptions(const boostr_context_options &given,
                                 boostr_context_options &options) {
  options = {};
  auto size = given.size ? static_cast<size_t>(given.size) : leastSizeOfOptions;
  // A negative one is too large. All fields that were added are pointers.
  if (size < leastSizeOfOptions || size > mostSizeOfOptions ||
      size % sizeof(void *))
    return fail(BOOSTR_INVALID_ARGUMENT,
                Message{} << "option size: expected 0 or the size of "
                             "boostr_context_options, "
                          << static_cast<int64_t>(leastSizeOfOptions)
                          << " or more, got " << int64_t{given.size});
  const auto *bytes = reinterpret_cast<const unsigned char *>(&given);
  for (size_t i = sizeof(options); i < size; ++i)
    if (bytes[i])
      return fail(BOOSTR_UNSUPPORTED,
                  Message{} << "options: expected those of version "
                            << int64_t{BOOSTR_ABI_VERSION}
                            << " of the runtime's interface, got one of a "
                               "later version");
  std::memcpy(&options, &given, std::min(size, sizeof(options)));
  return BOOSTR_OK;
}

static boostr_status checkOptions(const boostr_context_options &options) {
  if (options.num_threads < 0 || options.num_threads > maxThreads)
    return fail(BOOSTR_INVALID_ARGUMENT,
                Message{} << "option num_threads: expected a number from 0 to "
                          << maxThreads << ", got "
                          << int64_t{options.num_threads});
  if (options.executor && !options.executor->run)
    return fail(BOOSTR_INVALID_ARGUMENT,
                "option executor: expected a function 'run', got a null "
                "pointer");
  if (options.allocator &&
      (!options.allocator->allocate || !options.allocator->release))
    return fail(BOOSTR_INVALID_ARGUMENT,
                "option allocator: expected functions 'allocate' and "
                "'release', got a null pointer");
  if (options.cuda_allocator &&
      (!options.cuda_allocator->allocate || !options.cuda_allocator->release))
    return fail(BOOSTR_INVALID_ARGUMENT,
                "option cuda_allocator: expected functions 'allocate' and "
                "'release', got a null pointer");
  return BOOSTR_OK;
}

boostr_status boostr_context_create(const boostr_context_options *options,
                                    boostr_context **context) noexcept {
  if (!context)
    return fail(BOOSTR_INVALID_ARGUMENT,
                "context: expected a place for the result, got a null pointer");
  boostr_context_options chosen{};
  if (options)
    if (boostr_status status = readOptions(*options, chosen))
      return status;
  if (boostr_status status = checkOptions(chosen))
    return status;
  int32_t numThreads = chosen.num_threads;
  if (chosen.executor)
    numThreads = 1;
  else if (numThreads == 0)
    if (boostr_status status = defaultNumThreads(numThreads))
      return status;
  auto *created = new (std::nothrow) boostr_context(numThreads, chosen);
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
