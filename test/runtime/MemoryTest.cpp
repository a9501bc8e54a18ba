// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "Fixtures.h"

#include <stdexcept>
#include <thread>

using namespace boostr::runtime::test;

namespace {
/// On one thread and on more, with an allocator that keeps account.
class Memory : public testing::TestWithParam<int32_t> {
protected:
  Memory() {
    boostr_context_options options{};
    options.num_threads = GetParam();
    options.allocator = &allocator;
    context = makeContext(options);
  }
  ~Memory() override {
    EXPECT_EQ(memory.numLive, 0);
    EXPECT_EQ(memory.bytesLive, 0);
  }

  CountingAllocator memory;
  boostr_allocator allocator = memory.interface();
  ContextPtr context;
};
} // namespace
INSTANTIATE_TEST_SUITE_P(Threads, Memory, testing::Values(1, 3),
                         testing::PrintToStringParamName());

static bool isAligned(const void *block, size_t alignment) {
  return reinterpret_cast<uintptr_t>(block) % alignment == 0;
}

//===----------------------------------------------------------------------===//
// Blocks
//===----------------------------------------------------------------------===//

TEST_P(Memory, asks_allocator) {
  ASSERT_EQ(invoke(context.get(),
                   [&] {
                     void *block = boostr_allocate(1000, 256);
                     EXPECT_EQ(memory.lastBytes, 1000u);
                     EXPECT_EQ(memory.lastAlignment, 256u);
                     boostr_release(block);
                     EXPECT_EQ(memory.numLive, 0);
                     boostr_release(nullptr);
                   }),
            BOOSTR_OK);
}

TEST_P(Memory, aligns_to_cache_lines_at_least) {
  ASSERT_EQ(invoke(context.get(),
                   [&] {
                     for (size_t alignment : {0, 1, 2, 16, 64}) {
                       boostr_release(boostr_allocate(8, alignment));
                       EXPECT_EQ(memory.lastAlignment, 64u) << alignment;
                     }
                   }),
            BOOSTR_OK);
}

TEST_P(Memory, names_of_mlir) {
  ASSERT_EQ(invoke(context.get(),
                   [&] {
                     void *first = _mlir_memref_to_llvm_alloc(24);
                     EXPECT_EQ(memory.lastBytes, 24u);
                     EXPECT_EQ(memory.lastAlignment, 64u);
                     void *second = _mlir_memref_to_llvm_aligned_alloc(128, 48);
                     EXPECT_EQ(memory.lastBytes, 48u);
                     EXPECT_EQ(memory.lastAlignment, 128u);
                     _mlir_memref_to_llvm_free(first);
                     _mlir_memref_to_llvm_free(second);
                     _mlir_memref_to_llvm_free(nullptr);
                     EXPECT_EQ(memory.numLive, 0);
                   }),
            BOOSTR_OK);
}

TEST_P(Memory, zero_bytes_are_a_block) {
  ASSERT_EQ(invoke(context.get(),
                   [&] {
                     void *first = boostr_allocate(0, 0);
                     void *second = boostr_allocate(0, 0);
                     EXPECT_NE(first, nullptr);
                     EXPECT_NE(first, second);
                     boostr_release(first);
                     boostr_release(second);
                   }),
            BOOSTR_OK);
}

TEST_P(Memory, many_blocks_in_any_order) {
  void *blocks[200];
  ASSERT_EQ(invoke(context.get(),
                   [&] {
                     for (void *&block : blocks)
                       block = boostr_allocate(8, 0);
                     for (int i = 0; i < 200; ++i)
                       boostr_release(blocks[i * 7 % 200]);
                     EXPECT_EQ(memory.numLive, 0);
                   }),
            BOOSTR_OK);
  EXPECT_EQ(memory.numAllocated, 200);
}

TEST_P(Memory, what_is_not_freed_is_freed_at_the_end) {
  ASSERT_EQ(invoke(context.get(),
                   [&] {
                     boostr_allocate(8, 0);
                     parallelFor(5, [](int64_t) { boostr_allocate(8, 0); });
                     // A task's blocks go with the task.
                     EXPECT_EQ(memory.numLive, 1);
                     for (int i = 0; i < 100; ++i)
                       boostr_allocate(8, 0);
                   }),
            BOOSTR_OK);
  EXPECT_EQ(memory.numLive, 0);
  EXPECT_EQ(memory.numAllocated, 106);
}

TEST_P(Memory, tasks_may_free_blocks_from_around) {
  void *blocks[50];
  ASSERT_EQ(invoke(context.get(),
                   [&] {
                     for (void *&block : blocks)
                       block = boostr_allocate(8, 0);
                     parallelFor(50, [&](int64_t i) {
                       void *own = boostr_allocate(16, 0);
                       boostr_release(blocks[i]);
                       boostr_release(own);
                     });
                     EXPECT_EQ(memory.numLive, 0);
                   }),
            BOOSTR_OK);
}

/// Blocks of a size that a task has freed serve the next ones, until the loop
/// is done.
TEST_P(Memory, tasks_share_blocks) {
  ASSERT_EQ(invoke(context.get(),
                   [&] {
                     parallelFor(50, [&](int64_t i) {
                       boostr_release(boostr_allocate(4096, 64));
                       void *other = boostr_allocate(8192 + i % 2, 64);
                       EXPECT_TRUE(isAligned(other, 64));
                       boostr_release(other);
                     });
                     EXPECT_EQ(memory.numLive, 0);
                   }),
            BOOSTR_OK);
  EXPECT_LE(memory.numAllocated, 3 * GetParam());
}

TEST_P(Memory, nested_invocation_may_free_blocks_from_around) {
  ContextPtr other = makeContext(1);
  ASSERT_EQ(invoke(context.get(),
                   [&] {
                     void *block = boostr_allocate(8, 0);
                     invoke(other.get(), [&] { boostr_release(block); });
                     EXPECT_EQ(memory.numLive, 0);
                   }),
            BOOSTR_OK);
}

//===----------------------------------------------------------------------===//
// The allocator of the C library
//===----------------------------------------------------------------------===//

TEST(SystemMemory, inside_invocation) {
  ContextPtr context = makeContext(1);
  ASSERT_EQ(invoke(context.get(),
                   [] {
                     auto *small = static_cast<char *>(boostr_allocate(1, 1));
                     EXPECT_TRUE(isAligned(small, 64));
                     small[0] = 1;
                     size_t bytes = (size_t{5} << 20) + 3;
                     auto *large =
                         static_cast<char *>(boostr_allocate(bytes, 0));
                     EXPECT_TRUE(isAligned(large, size_t{2} << 20));
                     large[0] = large[bytes - 1] = 1;
                     void *aligned = boostr_allocate(100, 4096);
                     EXPECT_TRUE(isAligned(aligned, 4096));
                     boostr_release(large);
                     boostr_release(small);
                     boostr_release(aligned);
                   }),
            BOOSTR_OK);
}

TEST(SystemMemory, large_blocks_stay_for_the_next_invocation) {
  constexpr size_t large = size_t{3} << 20;
  ContextPtr context = makeContext(1);
  void *first = nullptr, *second = nullptr;
  ASSERT_EQ(invoke(context.get(), [&] { first = boostr_allocate(large, 64); }),
            BOOSTR_OK);
  ASSERT_EQ(invoke(context.get(),
                   [&] {
                     // The same huge pages hold a little less, too.
                     second = boostr_allocate(large - 100, 64);
                     EXPECT_NE(boostr_allocate(large, 64), second);
                   }),
            BOOSTR_OK);
  EXPECT_EQ(first, second);
}

TEST(SystemMemory, more_than_a_context_keeps) {
  ContextPtr context = makeContext(1);
  for (size_t mib : {12, 4, 40, 12, 8, 2, 6})
    ASSERT_EQ(invoke(context.get(),
                     [&] {
                       auto *block = static_cast<char *>(
                           boostr_allocate(mib << 20, 4096));
                       block[0] = block[(mib << 20) - 1] = 1;
                       EXPECT_TRUE(isAligned(block, size_t{2} << 20));
                     }),
              BOOSTR_OK);
}

TEST(SystemMemory, outside_of_invocations) {
  void *block = boostr_allocate(10, 128);
  EXPECT_TRUE(isAligned(block, 128));
  ContextPtr context = makeContext(2);
  // Also a block from outside may be freed inside.
  ASSERT_EQ(invoke(context.get(), [&] { boostr_release(block); }), BOOSTR_OK);
  boostr_release(_mlir_memref_to_llvm_alloc(7));
  EXPECT_EQ(boostr_allocate(SIZE_MAX, 64), nullptr);
  EXPECT_EQ(boostr_allocate(8, 48), nullptr);
}

TEST(SystemMemory, negative_size) {
  ContextPtr context = makeContext(1);
  EXPECT_EQ(outcome(invoke(context.get(),
                           [] {
                             boostr_allocate(static_cast<size_t>(-8), 64);
                             ADD_FAILURE() << "came back";
                           })),
            "BOOSTR_OUT_OF_MEMORY: cannot allocate more bytes than there are "
            "addresses");
  EXPECT_EQ(outcome(invoke(context.get(),
                           [] {
                             boostr_allocate(size_t{1} << 60, 64);
                             ADD_FAILURE() << "came back";
                           })),
            "BOOSTR_OUT_OF_MEMORY: cannot allocate 1152921504606846976 bytes");
}

//===----------------------------------------------------------------------===//
// Failures
//===----------------------------------------------------------------------===//

TEST_P(Memory, failure_leaves_invocation) {
  memory.budget = 2;
  bool wentOn = false;
  EXPECT_EQ(outcome(invoke(context.get(),
                           [&] {
                             boostr_allocate(8, 0);
                             boostr_allocate(8, 0);
                             boostr_allocate(4096, 0);
                             wentOn = true;
                           })),
            "BOOSTR_OUT_OF_MEMORY: cannot allocate 4096 bytes");
  EXPECT_FALSE(wentOn);
  EXPECT_EQ(memory.numLive, 0);
  // And the context is as good as before.
  memory.budget = 1;
  EXPECT_EQ(invoke(context.get(), [] { boostr_allocate(8, 0); }), BOOSTR_OK);
}

TEST_P(Memory, failure_in_task_leaves_out_the_rest) {
  memory.budget = 20;
  std::atomic<int64_t> numStarted{0};
  bool wentOn = false;
  EXPECT_EQ(outcome(invoke(context.get(),
                           [&] {
                             boostr_allocate(8, 0);
                             parallelFor(100000, [&](int64_t) {
                               ++numStarted;
                               boostr_allocate(32, 0);
                               boostr_allocate(32, 0);
                             });
                             wentOn = true;
                           })),
            "BOOSTR_OUT_OF_MEMORY: cannot allocate 32 bytes");
  EXPECT_FALSE(wentOn);
  EXPECT_LT(numStarted, 100);
  EXPECT_EQ(memory.numLive, 0);
}

TEST_P(Memory, failure_in_nested_loop) {
  memory.budget = 3;
  bool wentOn = false;
  EXPECT_EQ(invoke(context.get(),
                   [&] {
                     parallelFor(4, [&](int64_t) {
                       parallelFor(4, [&](int64_t) { boostr_allocate(8, 0); });
                       wentOn = true;
                     });
                   }),
            BOOSTR_OUT_OF_MEMORY);
  EXPECT_FALSE(wentOn);
}

TEST_P(Memory, failure_in_nested_invocation_leaves_that_one_only) {
  std::atomic<int> numFailed{0}, numOk{0};
  EXPECT_EQ(invoke(context.get(),
                   [&] {
                     void *block = boostr_allocate(8, 0);
                     parallelFor(4, [&](int64_t i) {
                       boostr_status status = invoke(nullptr, [&] {
                         boostr_allocate(8, 0);
                         if (i % 2)
                           boostr_allocate(SIZE_MAX, 0);
                       });
                       ++(status == BOOSTR_OUT_OF_MEMORY ? numFailed : numOk);
                     });
                     boostr_release(block);
                   }),
            BOOSTR_OK);
  EXPECT_EQ(numFailed, 2);
  EXPECT_EQ(numOk, 2);
}

TEST_P(Memory, failures_on_several_threads_at_once) {
  std::atomic<int> numWrong{0};
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 3; ++caller)
    callers.emplace_back([&, caller] {
      for (int round = 0; round < 50; ++round) {
        bool shallFail = (caller + round) % 2;
        boostr_status status = invoke(context.get(), [&] {
          parallelFor(6, [&](int64_t i) {
            boostr_allocate(8, 0);
            if (shallFail && i == 4)
              boostr_allocate(SIZE_MAX, 0);
          });
        });
        if (status != (shallFail ? BOOSTR_OUT_OF_MEMORY : BOOSTR_OK))
          ++numWrong;
      }
    });
  for (std::thread &caller : callers)
    caller.join();
  EXPECT_EQ(numWrong, 0);
}

TEST_P(Memory, negative_alignment) {
  EXPECT_EQ(outcome(invoke(context.get(), [] { boostr_allocate(8, 48); })),
            "BOOSTR_INTERNAL: alignment of an allocation: expected a power of "
            "two, got 48");
}

TEST(HostMemory, negative_exception) {
  boostr_allocator thrower{
      nullptr, [](void *, size_t, size_t) -> void * { throw std::bad_alloc(); },
      [](void *, void *, size_t) {}};
  boostr_context_options options{};
  options.allocator = &thrower;
  ContextPtr context = makeContext(options);
  EXPECT_EQ(invoke(context.get(), [] { boostr_allocate(8, 0); }),
            BOOSTR_OUT_OF_MEMORY);
}
