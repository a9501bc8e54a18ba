// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "Fixtures.h"

#include <algorithm>
#include <csignal>
#include <mutex>
#include <pthread.h>
#include <set>
#include <stdexcept>
#include <thread>

using namespace boostr::runtime::test;

//===----------------------------------------------------------------------===//
// Each task once
//===----------------------------------------------------------------------===//

class ParallelFor : public testing::TestWithParam<int32_t> {
protected:
  ContextPtr context = makeContext(GetParam());
};
INSTANTIATE_TEST_SUITE_P(Threads, ParallelFor, testing::Values(1, 2, 5),
                         testing::PrintToStringParamName());

TEST_P(ParallelFor, calls_each_task_once) {
  for (int64_t count : {0, 1, 2, 3, 7, 64, 1000}) {
    std::vector<std::atomic<int>> calls(count);
    ASSERT_EQ(
        invoke(context.get(),
               [&] { parallelFor(count, [&](int64_t i) { ++calls[i]; }); }),
        BOOSTR_OK);
    EXPECT_TRUE(std::all_of(calls.begin(), calls.end(),
                            [](const auto &n) { return n == 1; }))
        << count << " tasks";
  }
}

TEST_P(ParallelFor, num_threads_is_how_many_take_part) {
  EXPECT_EQ(boostr_num_threads(), 1);
  int64_t outside = 0;
  std::atomic<int64_t> inside{0};
  ASSERT_EQ(invoke(context.get(),
                   [&] {
                     outside = boostr_num_threads();
                     parallelFor(
                         4, [&](int64_t) { inside += boostr_num_threads(); });
                   }),
            BOOSTR_OK);
  EXPECT_EQ(outside, GetParam());
  EXPECT_EQ(inside, 4);
}

TEST_P(ParallelFor, negative_count_calls_nothing) {
  bool called = false;
  EXPECT_EQ(invoke(context.get(),
                   [&] { parallelFor(-1, [&](int64_t) { called = true; }); }),
            BOOSTR_OK);
  EXPECT_FALSE(called);
}

// Plain memory on both sides: ThreadSanitizer checks that the loop orders it.
TEST_P(ParallelFor, tasks_see_caller_and_caller_sees_tasks) {
  std::vector<int64_t> in(1000), out(1000);
  for (int round = 0; round < 20; ++round)
    ASSERT_EQ(invoke(context.get(),
                     [&] {
                       for (int64_t i = 0; i < 1000; ++i)
                         in[i] = i + round;
                       parallelFor(1000,
                                   [&](int64_t i) { out[i] = 2 * in[i]; });
                       for (int64_t i = 0; i < 1000; ++i)
                         in[i] = out[i];
                     }),
              BOOSTR_OK);
  EXPECT_EQ(in[999], 2 * (999 + 19));
}

TEST_P(ParallelFor, nested_loops_run_in_their_task) {
  std::vector<std::atomic<int>> calls(10 * 20 * 3);
  std::atomic<int> numStrayed{0};
  ASSERT_EQ(invoke(context.get(),
                   [&] {
                     parallelFor(10, [&](int64_t i) {
                       std::thread::id outer = std::this_thread::get_id();
                       parallelFor(20, [&](int64_t j) {
                         parallelFor(3, [&](int64_t k) {
                           if (std::this_thread::get_id() != outer)
                             ++numStrayed;
                           ++calls[(i * 20 + j) * 3 + k];
                         });
                       });
                     });
                   }),
            BOOSTR_OK);
  EXPECT_EQ(numStrayed, 0);
  EXPECT_TRUE(std::all_of(calls.begin(), calls.end(),
                          [](const auto &n) { return n == 1; }));
}

TEST_P(ParallelFor, nested_invocations_in_tasks) {
  ContextPtr other = makeContext(3);
  std::atomic<int64_t> sum{0};
  std::atomic<int> numFailed{0};
  ASSERT_EQ(invoke(context.get(),
                   [&] {
                     parallelFor(8, [&](int64_t i) {
                       // On its own context and on another one in turn.
                       if (invoke(i % 2 ? other.get() : nullptr, [&] {
                             parallelFor(8, [&](int64_t j) { sum += j; });
                           }) != BOOSTR_OK)
                         ++numFailed;
                     });
                   }),
            BOOSTR_OK);
  EXPECT_EQ(numFailed, 0);
  EXPECT_EQ(sum, 8 * 28);
}

TEST_P(ParallelFor, concurrent_invocations_on_one_context) {
  std::atomic<int> numWrong{0};
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 4; ++caller)
    callers.emplace_back([&] {
      for (int round = 0; round < 50; ++round) {
        std::vector<int64_t> out(50);
        boostr_status status = invoke(context.get(), [&] {
          parallelFor(50, [&](int64_t i) { out[i] = i + round; });
        });
        for (int64_t i = 0; i < 50; ++i)
          if (status != BOOSTR_OK || out[i] != i + round)
            ++numWrong;
      }
    });
  for (std::thread &caller : callers)
    caller.join();
  EXPECT_EQ(numWrong, 0);
}

TEST(ParallelForThreads, uses_all_threads) {
  ContextPtr context = makeContext(3);
  std::mutex mutex;
  std::set<std::thread::id> seen;
  std::atomic<int> waiting{0};
  ASSERT_EQ(invoke(context.get(),
                   [&] {
                     // None goes on before three are there.
                     parallelFor(3, [&](int64_t) {
                       ++waiting;
                       while (waiting < 3)
                         std::this_thread::yield();
                       mutex.lock();
                       seen.insert(std::this_thread::get_id());
                       mutex.unlock();
                     });
                   }),
            BOOSTR_OK);
  EXPECT_EQ(seen.size(), 3u);
}

TEST(ParallelForThreads, loop_inside_single_task_uses_threads) {
  ContextPtr context = makeContext(2);
  std::atomic<int> waiting{0};
  ASSERT_EQ(invoke(context.get(),
                   [&] {
                     parallelFor(1, [&](int64_t) {
                       parallelFor(2, [&](int64_t) {
                         ++waiting;
                         while (waiting < 2)
                           std::this_thread::yield();
                       });
                     });
                   }),
            BOOSTR_OK);
}

TEST(ParallelForThreads, leave_signals_to_host) {
  ContextPtr context = makeContext(2);
  std::thread::id caller = std::this_thread::get_id();
  std::atomic<bool> blocksTerm{false}, blocksFault{true};
  std::atomic<int> waiting{0};
  ASSERT_EQ(invoke(context.get(),
                   [&] {
                     parallelFor(2, [&](int64_t) {
                       ++waiting;
                       while (waiting < 2)
                         std::this_thread::yield();
                       if (std::this_thread::get_id() == caller)
                         return;
                       sigset_t mask;
                       pthread_sigmask(SIG_BLOCK, nullptr, &mask);
                       blocksTerm = sigismember(&mask, SIGTERM) == 1;
                       blocksFault = sigismember(&mask, SIGSEGV) == 1;
                     });
                   }),
            BOOSTR_OK);
  EXPECT_TRUE(blocksTerm);
  EXPECT_FALSE(blocksFault);
}

TEST(ParallelForThreads, outside_of_invocations_is_serial) {
  std::vector<int64_t> order;
  parallelFor(5, [&](int64_t i) { order.push_back(i); });
  EXPECT_EQ(order, (std::vector<int64_t>{0, 1, 2, 3, 4}));
}

TEST(ParallelForDeathTest, threads_that_cannot_be_started) {
  EXPECT_EXIT(
      {
        // A stack that no address space has room for.
        pthread_attr_t attributes;
        pthread_attr_init(&attributes);
        pthread_attr_setstacksize(&attributes, size_t{1} << 47);
        pthread_setattr_default_np(&attributes);
        ContextPtr context = makeContext(3);
        bool ran = false;
        boostr_status status = invoke(context.get(), [&] {
          parallelFor(4, [&](int64_t) { ran = true; });
        });
        std::fprintf(stderr, "%s\n", outcome(status).c_str());
        std::_Exit(ran);
      },
      testing::ExitedWithCode(0),
      "^BOOSTR_UNAVAILABLE: cannot start 2 threads");
}

//===----------------------------------------------------------------------===//
// Cancellation
//===----------------------------------------------------------------------===//

TEST_P(ParallelFor, cancellation_stops_at_next_task) {
  std::atomic<int64_t> numRun{0};
  bool wentOn = false;
  boostr_status status = invoke(context.get(), [&] {
    parallelFor(100000, [&](int64_t) {
      if (++numRun == 10)
        boostr_context_cancel(nullptr);
    });
    wentOn = true;
  });
  EXPECT_EQ(outcome(status), "BOOSTR_CANCELLED: the invocation was cancelled");
  EXPECT_GE(numRun, 10);
  EXPECT_LT(numRun, 100000);
  EXPECT_FALSE(wentOn);
}

TEST_P(ParallelFor, cancellation_lasts_until_reset) {
  bool ran = false;
  auto body = [&] { ran = true; };
  ASSERT_EQ(boostr_context_cancel(context.get()), BOOSTR_OK);
  EXPECT_EQ(invoke(context.get(), body), BOOSTR_CANCELLED);
  EXPECT_EQ(invoke(context.get(), body), BOOSTR_CANCELLED);
  EXPECT_FALSE(ran);
  ASSERT_EQ(boostr_context_reset(context.get()), BOOSTR_OK);
  EXPECT_EQ(invoke(context.get(), body), BOOSTR_OK);
  EXPECT_TRUE(ran);
}

TEST_P(ParallelFor, cancellation_from_another_thread) {
  std::atomic<bool> started{false};
  std::thread canceller([&] {
    while (!started)
      std::this_thread::yield();
    boostr_context_cancel(context.get());
  });
  boostr_status status = invoke(context.get(), [&] {
    // Would be endless without the cancellation.
    for (;;)
      parallelFor(4, [&](int64_t) { started = true; });
  });
  canceller.join();
  EXPECT_EQ(status, BOOSTR_CANCELLED);
}

TEST_P(ParallelFor, cancellation_leaves_other_contexts_alone) {
  ContextPtr other = makeContext(2);
  ASSERT_EQ(boostr_context_cancel(other.get()), BOOSTR_OK);
  EXPECT_EQ(invoke(context.get(), [] { parallelFor(4, [](int64_t) {}); }),
            BOOSTR_OK);
}

TEST_P(ParallelFor, cancellation_in_nested_loop) {
  bool wentOn = false;
  boostr_status status = invoke(context.get(), [&] {
    parallelFor(4, [&](int64_t) {
      parallelFor(4, [&](int64_t) { boostr_context_cancel(nullptr); });
      wentOn = true;
    });
  });
  EXPECT_EQ(status, BOOSTR_CANCELLED);
  EXPECT_FALSE(wentOn);
}

//===----------------------------------------------------------------------===//
// A host's executor
//===----------------------------------------------------------------------===//

namespace {
/// Runs tasks backwards, on a new thread for each if asked for.
struct HostExecutor {
  bool onThreads = false;
  std::atomic<int> numLoops{0};

  boostr_executor interface() {
    return {this, [](void *state, void (*task)(void *, int64_t), void *context,
                     int64_t count) {
              auto &self = *static_cast<HostExecutor *>(state);
              ++self.numLoops;
              std::vector<std::thread> threads;
              for (int64_t i = count; i-- > 0;) {
                if (self.onThreads)
                  threads.emplace_back(task, context, i);
                else
                  task(context, i);
              }
              for (std::thread &thread : threads)
                thread.join();
            }};
  }
};
} // namespace

static ContextPtr makeContext(const boostr_executor &executor) {
  boostr_context_options options{};
  options.executor = &executor;
  return makeContext(options);
}

TEST(Executor, runs_all_loops_but_nested_ones) {
  for (bool onThreads : {false, true}) {
    HostExecutor host;
    host.onThreads = onThreads;
    ContextPtr context = makeContext(host.interface());
    std::atomic<int64_t> sum{0};
    ASSERT_EQ(invoke(context.get(),
                     [&] {
                       parallelFor(10, [&](int64_t i) {
                         parallelFor(10, [&](int64_t j) { sum += 10 * i + j; });
                       });
                     }),
              BOOSTR_OK);
    EXPECT_EQ(sum, 4950);
    EXPECT_EQ(host.numLoops, 1);
  }
}

TEST(Executor, decides_how_many_threads_there_are) {
  HostExecutor host;
  ContextPtr context = makeContext(host.interface());
  int64_t count = -1;
  ASSERT_EQ(invoke(context.get(), [&] { count = boostr_num_threads(); }),
            BOOSTR_OK);
  EXPECT_EQ(count, 0);
}

TEST(Executor, failure_in_task_returns_through_executor) {
  for (bool onThreads : {false, true}) {
    HostExecutor host;
    host.onThreads = onThreads;
    boostr_executor executor = host.interface();
    CountingAllocator memory;
    memory.budget = 3;
    boostr_allocator allocator = memory.interface();
    boostr_context_options options{};
    options.executor = &executor;
    options.allocator = &allocator;
    ContextPtr context = makeContext(options);
    EXPECT_EQ(outcome(invoke(context.get(),
                             [&] {
                               parallelFor(10, [&](int64_t) {
                                 boostr_allocate(100, 64);
                               });
                             })),
              "BOOSTR_OUT_OF_MEMORY: cannot allocate 100 bytes");
    EXPECT_EQ(memory.numLive, 0);
  }
}

TEST(Executor, cancellation) {
  HostExecutor host;
  ContextPtr context = makeContext(host.interface());
  int numRun = 0;
  EXPECT_EQ(invoke(context.get(),
                   [&] {
                     parallelFor(10, [&](int64_t) {
                       ++numRun;
                       boostr_context_cancel(nullptr);
                     });
                   }),
            BOOSTR_CANCELLED);
  EXPECT_EQ(numRun, 1);
}

TEST(Executor, negative_left_out_task) {
  boostr_executor lazy{nullptr, [](void *, void (*task)(void *, int64_t),
                                   void *context, int64_t count) {
                         for (int64_t i = 1; i < count; ++i)
                           task(context, i);
                       }};
  ContextPtr context = makeContext(lazy);
  EXPECT_EQ(
      outcome(invoke(context.get(), [] { parallelFor(4, [](int64_t) {}); })),
      "BOOSTR_INTERNAL: executor: expected 4 calls of the task, got 3");
}

TEST(Executor, negative_task_that_is_not_there) {
  boostr_executor eager{nullptr, [](void *, void (*task)(void *, int64_t),
                                    void *context, int64_t count) {
                          for (int64_t i = 0; i <= count; ++i)
                            task(context, i);
                        }};
  ContextPtr context = makeContext(eager);
  std::atomic<int> numRun{0};
  EXPECT_EQ(
      outcome(invoke(context.get(),
                     [&] { parallelFor(4, [&](int64_t) { ++numRun; }); })),
      "BOOSTR_INTERNAL: executor: expected a task from 0 to 3, got 4");
  EXPECT_EQ(numRun, 4);
}

TEST(Executor, negative_exception) {
  boostr_executor thrower{
      nullptr, [](void *, void (*)(void *, int64_t), void *, int64_t) {
        throw std::runtime_error("broken contract");
      }};
  ContextPtr context = makeContext(thrower);
  EXPECT_EQ(
      outcome(invoke(context.get(), [] { parallelFor(4, [](int64_t) {}); })),
      "BOOSTR_INTERNAL: executor: threw an exception");
}
