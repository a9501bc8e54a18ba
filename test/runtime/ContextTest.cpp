// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "Fixtures.h"

#include <cstdlib>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

using namespace boostr::runtime::test;

//===----------------------------------------------------------------------===//
// Options
//===----------------------------------------------------------------------===//

static std::string createWith(const boostr_context_options &options) {
  boostr_context *context = nullptr;
  std::string result = outcome(boostr_context_create(&options, &context));
  EXPECT_EQ(context == nullptr, result != "ok");
  boostr_context_destroy(context);
  return result;
}

TEST(Context, num_threads) {
  boostr_context_options options{};
  options.num_threads = 3;
  ContextPtr context = makeContext(options);
  int32_t numThreads = 0;
  ASSERT_EQ(boostr_context_num_threads(context.get(), &numThreads), BOOSTR_OK);
  EXPECT_EQ(numThreads, 3);

  options.num_threads = -1;
  EXPECT_EQ(createWith(options),
            "BOOSTR_INVALID_ARGUMENT: option num_threads: expected a number "
            "from 0 to 1024, got -1");
  options.num_threads = 1025;
  EXPECT_EQ(createWith(options),
            "BOOSTR_INVALID_ARGUMENT: option num_threads: expected a number "
            "from 0 to 1024, got 1025");
}

TEST(Context, num_threads_defaults_to_available_processors) {
  ContextPtr context = makeContext(0);
  int32_t numThreads = 0;
  ASSERT_EQ(boostr_context_num_threads(context.get(), &numThreads), BOOSTR_OK);
  EXPECT_GE(numThreads, 1);
}

TEST(Context, num_threads_of_executor_is_unknown) {
  boostr_executor executor{
      nullptr, [](void *, void (*)(void *, int64_t), void *, int64_t) {}};
  boostr_context_options options{};
  options.executor = &executor;
  ContextPtr context = makeContext(options);
  int32_t numThreads = -1;
  ASSERT_EQ(boostr_context_num_threads(context.get(), &numThreads), BOOSTR_OK);
  EXPECT_EQ(numThreads, 0);
}

TEST(Context, negative_options) {
  boostr_context_options options{};
  boostr_executor executor{};
  options.executor = &executor;
  EXPECT_EQ(createWith(options),
            "BOOSTR_INVALID_ARGUMENT: option executor: expected a function "
            "'run', got a null pointer");
  options = {};
  boostr_allocator allocator{};
  options.allocator = &allocator;
  EXPECT_EQ(createWith(options),
            "BOOSTR_INVALID_ARGUMENT: option allocator: expected functions "
            "'allocate' and 'release', got a null pointer");
}

TEST(Context, negative_cuda_allocator) {
  boostr_cuda_allocator allocator{};
  boostr_context_options options{};
  options.size = sizeof(options);
  options.cuda_allocator = &allocator;
  const char *message =
      "BOOSTR_INVALID_ARGUMENT: option cuda_allocator: expected functions "
      "'allocate' and 'release', got a null pointer";
  EXPECT_EQ(createWith(options), message);
  allocator.allocate = [](void *, size_t, size_t, int32_t, void *, void **) {
    return BOOSTR_OUT_OF_MEMORY;
  };
  EXPECT_EQ(createWith(options), message);
  allocator.release = [](void *, void *, size_t, int32_t, void *) {};
  EXPECT_EQ(createWith(options), "ok");
}

/// What a host of minor version 5 or earlier has ends behind `allocator`.
TEST(Context, options_of_minor_version_5) {
  constexpr size_t bytes = 24;
  static_assert(offsetof(boostr_context_options, cuda_allocator) == bytes);
  // In memory that a sanitizer guards.
  auto memory = std::make_unique<unsigned char[]>(bytes);
  auto *old = reinterpret_cast<boostr_context_options *>(memory.get());
  boostr_context_options now{};
  now.num_threads = 3;
  for (int32_t size : {0, 24}) {
    now.size = size;
    std::memcpy(memory.get(), &now, bytes);
    boostr_context *created = nullptr;
    ASSERT_EQ(outcome(boostr_context_create(old, &created)), "ok") << size;
    ContextPtr context(created);
    int32_t numThreads = 0;
    ASSERT_EQ(boostr_context_num_threads(created, &numThreads), BOOSTR_OK);
    EXPECT_EQ(numThreads, 3);
  }
}

/// A later version has more fields.
TEST(Context, options_of_later_version) {
  struct {
    boostr_context_options known;
    const void *added;
  } later{};
  later.known.size = sizeof(later);
  EXPECT_EQ(createWith(later.known), "ok");
  later.added = &later;
  EXPECT_EQ(createWith(later.known),
            "BOOSTR_UNSUPPORTED: options: expected those of version 1007 of "
            "the runtime's interface, got one of a later version");
}

TEST(Context, negative_size_of_options) {
  for (int32_t size : {5, 23, 28, -1, -8, 4104}) {
    boostr_context_options options{};
    options.size = size;
    EXPECT_EQ(createWith(options),
              "BOOSTR_INVALID_ARGUMENT: option size: expected 0 or the size of "
              "boostr_context_options, 24 or more, got " +
                  std::to_string(size));
  }
}

TEST(Context, negative_null_results) {
  EXPECT_EQ(outcome(boostr_context_create(nullptr, nullptr)),
            "BOOSTR_INVALID_ARGUMENT: context: expected a place for the "
            "result, got a null pointer");
  EXPECT_EQ(outcome(boostr_context_num_threads(nullptr, nullptr)),
            "BOOSTR_INVALID_ARGUMENT: num_threads: expected a place for the "
            "result, got a null pointer");
}

TEST(Context, destroy_null) { boostr_context_destroy(nullptr); }

//===----------------------------------------------------------------------===//
// The default context, each time in a fresh process
//===----------------------------------------------------------------------===//

/// Reports on stderr what the default context comes to, and ends the process.
[[noreturn]] static void tryDefaultContext(const char *environment) {
  if (environment)
    setenv("BOOSTR_NUM_THREADS", environment, 1);
  int32_t numThreads = 0;
  boostr_status status = boostr_context_num_threads(nullptr, &numThreads);
  if (status == BOOSTR_OK)
    std::fprintf(stderr, "%d threads\n", numThreads);
  else
    std::fprintf(stderr, "%s\n", outcome(status).c_str());
  std::_Exit(status == BOOSTR_OK ? 0 : 1);
}

TEST(DefaultContextDeathTest, reads_environment) {
  EXPECT_EXIT(tryDefaultContext("5"), testing::ExitedWithCode(0), "^5 threads");
  EXPECT_EXIT(tryDefaultContext("1024"), testing::ExitedWithCode(0),
              "1024 threads");
}

TEST(DefaultContextDeathTest, negative_environment) {
  for (const char *wrong :
       {"0", "-1", "1025", "two", "2x", "", " 2", "+2", "99999999999999999999"})
    EXPECT_EXIT(tryDefaultContext(wrong), testing::ExitedWithCode(1),
                std::string("BOOSTR_INVALID_ARGUMENT: environment variable "
                            "BOOSTR_NUM_THREADS: expected a number from 1 to "
                            "1024, got '") +
                    (*wrong == '+' ? "\\+2" : wrong) + "'");
}

TEST(DefaultContextDeathTest, recovers_when_environment_does) {
  EXPECT_EXIT(
      {
        setenv("BOOSTR_NUM_THREADS", "many", 1);
        bool ran = false;
        bool refused =
            invoke(nullptr, [&] { ran = true; }) == BOOSTR_INVALID_ARGUMENT &&
            !ran;
        setenv("BOOSTR_NUM_THREADS", "2", 1);
        bool accepted = invoke(nullptr, [&] { ran = true; }) == BOOSTR_OK;
        std::_Exit(refused && accepted && ran ? 0 : 1);
      },
      testing::ExitedWithCode(0), "");
}

TEST(DefaultContextDeathTest, explicit_context_ignores_environment) {
  EXPECT_EXIT(
      {
        setenv("BOOSTR_NUM_THREADS", "many", 1);
        ContextPtr context = makeContext(2);
        boostr_status status = invoke(context.get(), [] {});
        std::_Exit(status);
      },
      testing::ExitedWithCode(0), "");
}

TEST(DefaultContext, is_created_once_by_racing_threads) {
  std::atomic<int> numOk{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i)
    threads.emplace_back([&] {
      if (invoke(nullptr, [] { parallelFor(16, [](int64_t) {}); }) == BOOSTR_OK)
        ++numOk;
    });
  for (std::thread &thread : threads)
    thread.join();
  EXPECT_EQ(numOk, 8);
}

TEST(Context, null_inside_invocation_is_its_context) {
  ContextPtr context = makeContext(3);
  int32_t outside = 0, inside = 0, nested = 0;
  ASSERT_EQ(invoke(context.get(),
                   [&] {
                     boostr_context_num_threads(nullptr, &inside);
                     invoke(nullptr, [&] {
                       boostr_context_num_threads(nullptr, &nested);
                     });
                   }),
            BOOSTR_OK);
  EXPECT_EQ(inside, 3);
  EXPECT_EQ(nested, 3);
  ASSERT_EQ(boostr_context_num_threads(nullptr, &outside), BOOSTR_OK);
}

//===----------------------------------------------------------------------===//
// Fork
//===----------------------------------------------------------------------===//

/// Runs `body` in a forked child and returns its result, or -1 if the child
/// hangs or crashes.
static int inChild(const std::function<int()> &body) {
  pid_t child = fork();
  if (child == 0) {
    alarm(30);
    _exit(body());
  }
  int state = 0;
  if (child < 0 || waitpid(child, &state, 0) != child || !WIFEXITED(state))
    return -1;
  return WEXITSTATUS(state);
}

static int64_t sumInParallel(boostr_context *context) {
  std::atomic<int64_t> sum{0};
  boostr_status status =
      invoke(context, [&] { parallelFor(100, [&](int64_t i) { sum += i; }); });
  return status == BOOSTR_OK ? sum.load() : -1;
}

TEST(Fork, threads_come_back_in_child) {
  ContextPtr context = makeContext(3);
  ASSERT_EQ(sumInParallel(context.get()), 4950);
  EXPECT_EQ(inChild([&] {
              for (int i = 0; i < 10; ++i)
                if (sumInParallel(context.get()) != 4950)
                  return 1;
              // Also destroying it must not wait for the parent's threads.
              context.reset();
              return 0;
            }),
            0);
  EXPECT_EQ(sumInParallel(context.get()), 4950);
}

TEST(Fork, child_of_child) {
  ContextPtr context = makeContext(2);
  ASSERT_EQ(sumInParallel(context.get()), 4950);
  EXPECT_EQ(inChild([&] {
              return inChild(
                  [&] { return sumInParallel(context.get()) == 4950 ? 0 : 1; });
            }),
            0);
}

TEST(Fork, while_other_threads_are_running) {
  ContextPtr context = makeContext(2);
  std::atomic<bool> stop{false};
  std::thread busy([&] {
    while (!stop)
      sumInParallel(context.get());
  });
  for (int i = 0; i < 5; ++i)
    EXPECT_EQ(
        inChild([&] { return sumInParallel(context.get()) == 4950 ? 0 : 1; }),
        0);
  stop = true;
  busy.join();
}

TEST(Fork, default_context) {
  ASSERT_EQ(sumInParallel(nullptr), 4950);
  EXPECT_EQ(inChild([] { return sumInParallel(nullptr) == 4950 ? 0 : 1; }), 0);
}

TEST(Fork, destroy_in_child_without_use) {
  ContextPtr context = makeContext(2);
  ASSERT_EQ(sumInParallel(context.get()), 4950);
  EXPECT_EQ(inChild([&] {
              context.reset();
              return 0;
            }),
            0);
}
