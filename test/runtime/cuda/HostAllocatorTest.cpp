// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Memory of devices from an allocator of the host.

#include "CudaFixtures.h"
#include "fake_cublaslt.h"

#include <chrono>
#include <cstdlib>
#include <future>
#include <map>
#include <mutex>
#include <stdexcept>
#include <thread>

using namespace boostr::runtime::test;

namespace {
/// What the allocator was asked for.
struct Request {
  size_t bytes = 0;
  int32_t device = -1;
  void *stream = nullptr;

  bool operator==(const Request &other) const {
    return bytes == other.bytes && device == other.device &&
           stream == other.stream;
  }
};

/// An allocator that keeps account, checks what it gets back, and can fail.
class Account {
public:
  boostr_cuda_allocator interface() {
    return {this, "account",
            [](void *state, size_t bytes, size_t alignment, int32_t device,
               void *stream, void **block) {
              return static_cast<Account *>(state)->allocate(
                  bytes, alignment, {bytes, device, stream}, block);
            },
            [](void *state, void *block, size_t bytes, int32_t device,
               void *stream) {
              static_cast<Account *>(state)->release(block,
                                                     {bytes, device, stream});
            }};
  }

  size_t numLive() {
    std::lock_guard<std::mutex> lock(mutex);
    return live.size();
  }

  /// Called at each request, before it is met.
  std::function<void()> onAllocate = [] {};
  /// What becomes of requests from the `failing`th on.
  boostr_status failure = BOOSTR_OUT_OF_MEMORY;
  int failing = INT32_MAX;
  std::atomic<int> numRequests{0};
  Request last;
  size_t lastAlignment = 0;
  void *contextOfLast = nullptr;

private:
  boostr_status allocate(size_t bytes, size_t alignment, Request request,
                         void **block) {
    onAllocate();
    if (++numRequests >= failing)
      return failure;
    size_t rounded = (bytes + alignment - 1) / alignment * alignment;
    void *taken = std::aligned_alloc(alignment, rounded);
    std::lock_guard<std::mutex> lock(mutex);
    last = request;
    lastAlignment = alignment;
    contextOfLast = fake_current_context();
    live[taken] = request;
    *block = taken;
    return BOOSTR_OK;
  }

  void release(void *block, Request request) {
    std::lock_guard<std::mutex> lock(mutex);
    auto found = live.find(block);
    ASSERT_NE(found, live.end());
    EXPECT_EQ(found->second, request);
    live.erase(found);
    std::free(block);
  }

  std::mutex mutex;
  std::map<void *, Request> live;
};

/// A context with such an allocator. Whatever happens, all is given back, and
/// none of it is the driver's.
class CudaHostAllocator : public Cuda {
protected:
  CudaHostAllocator() {
    fake_lt_forget();
    renew();
  }
  ~CudaHostAllocator() override {
    context.reset();
    EXPECT_EQ(account.numLive(), 0u);
    EXPECT_EQ(fake_count("cuMemPoolCreate"), 0);
    EXPECT_EQ(fake_count("cuMemAllocFromPoolAsync"), 0);
    EXPECT_EQ(fake_count("cuMemFreeAsync"), 0);
  }

  void renew() {
    // Copied: the struct need not live on.
    boostr_cuda_allocator allocator = account.interface();
    boostr_context_options options{};
    options.size = sizeof(options);
    options.num_threads = 1;
    options.cuda_allocator = &allocator;
    context = makeContext(options);
  }

  std::string run(const std::function<void()> &body, void *stream = nullptr) {
    return outcome(invokeCuda(context.get(), body, stream));
  }

  Account account;
};
} // namespace

//===----------------------------------------------------------------------===//
// Blocks
//===----------------------------------------------------------------------===//

TEST_F(CudaHostAllocator, is_told_all) {
  for (int device : {0, 1}) {
    void *own = fake_create_context(device);
    void *stream = fake_create_stream(own);
    fake_set_current_context(own);
    ASSERT_EQ(run(
                  [&] {
                    void *block = boostr_allocate(1000, 0);
                    EXPECT_EQ(account.last, (Request{1000, device, stream}));
                    EXPECT_EQ(account.lastAlignment, 256u);
                    EXPECT_EQ(account.contextOfLast, own);
                    boostr_release(block);
                    EXPECT_EQ(account.numLive(), 0u);
                  },
                  stream),
              "ok");
  }
}

TEST_F(CudaHostAllocator, context_of_call_is_current) {
  void *stream = fake_create_stream(fake_primary_context(1));
  ASSERT_EQ(run([] { (void)boostr_allocate(8, 0); }, stream), "ok");
  EXPECT_EQ(account.contextOfLast, fake_primary_context(1));
  EXPECT_EQ(account.last.device, 1);
  EXPECT_EQ(fake_current_context(), nullptr);
}

TEST_F(CudaHostAllocator, zero_bytes_are_a_block) {
  ASSERT_EQ(run([&] {
              void *first = boostr_allocate(0, 0);
              EXPECT_EQ(account.last.bytes, 1u);
              EXPECT_NE(first, boostr_allocate(0, 64));
              boostr_release(first);
            }),
            "ok");
}

TEST_F(CudaHostAllocator, blocks_freed_at_end) {
  ASSERT_EQ(run([&] {
              for (int i = 0; i < 40; ++i)
                (void)boostr_allocate(8, 0);
              EXPECT_EQ(account.numLive(), 40u);
            }),
            "ok");
  EXPECT_EQ(account.numLive(), 0u);
}

/// A block goes back to the device and stream that it was taken for, also when
/// a call of another one frees it.
TEST_F(CudaHostAllocator, block_freed_by_nested_call) {
  void *first = fake_create_context(0), *second = fake_create_context(1);
  void *block = nullptr;
  fake_set_current_context(first);
  ASSERT_EQ(run(
                [&] {
                  block = boostr_allocate(8, 0);
                  fake_set_current_context(second);
                  EXPECT_EQ(run(
                                [&] {
                                  (void)boostr_allocate(16, 0);
                                  EXPECT_EQ(account.last.device, 1);
                                  boostr_release(block);
                                },
                                fake_create_stream(second)),
                            "ok");
                  fake_set_current_context(first);
                  EXPECT_EQ(account.numLive(), 0u);
                },
                fake_create_stream(first)),
            "ok");
}

TEST_F(CudaHostAllocator, not_for_functions_for_the_cpu) {
  ASSERT_EQ(outcome(invoke(context.get(), [] { (void)boostr_allocate(8, 0); })),
            "ok");
  ASSERT_EQ(run([] {
              EXPECT_EQ(invoke(nullptr, [] { (void)boostr_allocate(8, 0); }),
                        BOOSTR_OK);
            }),
            "ok");
  EXPECT_EQ(account.numRequests, 0);
}

TEST_F(CudaHostAllocator, from_many_threads) {
  std::vector<std::thread> threads;
  std::atomic<int> succeeded{0};
  for (int i = 0; i < 8; ++i)
    threads.emplace_back([&] {
      void *stream = fake_create_stream(fake_primary_context(0));
      for (int j = 0; j < 100; ++j)
        succeeded += run(
                         [] {
                           void *block = boostr_allocate(8, 0);
                           (void)boostr_allocate(16, 0);
                           boostr_release(block);
                         },
                         stream) == "ok";
    });
  for (std::thread &thread : threads)
    thread.join();
  EXPECT_EQ(succeeded, 800);
  EXPECT_EQ(account.numRequests, 1600);
}

//===----------------------------------------------------------------------===//
// Failures
//===----------------------------------------------------------------------===//

TEST_F(CudaHostAllocator, negative_status) {
  Module module(1);
  boostr_cuda_grid shape = grid();
  account.failing = 2;
  auto body = [&] {
    (void)boostr_allocate(8, 0);
    (void)boostr_allocate(1000, 0);
    boostr_cuda_launch(&module.raw, 0, &shape, nullptr);
  };
  const std::pair<boostr_status, const char *> statuses[] = {
      {BOOSTR_OUT_OF_MEMORY, "BOOSTR_OUT_OF_MEMORY"},
      {BOOSTR_INVALID_ARGUMENT, "BOOSTR_INVALID_ARGUMENT"},
      {BOOSTR_UNAVAILABLE, "BOOSTR_UNAVAILABLE"},
      {BOOSTR_INTERNAL, "BOOSTR_INTERNAL"}};
  for (auto [status, name] : statuses) {
    account.numRequests = 0;
    account.failure = status;
    EXPECT_EQ(run(body), std::string(name) +
                             ": cannot allocate 1000 bytes on cuda:0: "
                             "cuda_allocator 'account': " +
                             name);
    EXPECT_EQ(account.numLive(), 0u);
  }
  EXPECT_EQ(fake_num_launches(), 0);
  // Not for ever.
  account.failing = INT32_MAX;
  EXPECT_EQ(run(body), "ok");
  EXPECT_EQ(fake_num_launches(), 1);
}

TEST_F(CudaHostAllocator, negative_unknown_status) {
  account.failing = 1;
  account.failure = static_cast<boostr_status>(77);
  EXPECT_EQ(run([] { (void)boostr_allocate(8, 0); }),
            "BOOSTR_INTERNAL: cannot allocate 8 bytes on cuda:0: "
            "cuda_allocator 'account': expected a status, got 77");
}

TEST_F(CudaHostAllocator, negative_sizes) {
  EXPECT_EQ(run([] { (void)boostr_allocate(~size_t{0}, 0); }),
            "BOOSTR_OUT_OF_MEMORY: cannot allocate more bytes than there are "
            "addresses");
  EXPECT_EQ(run([] { (void)boostr_allocate(8, 512); }),
            "BOOSTR_INTERNAL: alignment of an allocation on a device: expected "
            "at most 256, got 512");
  EXPECT_EQ(account.numRequests, 0);
}

TEST_F(CudaHostAllocator, negative_exception) {
  account.onAllocate = [] { throw std::runtime_error("words"); };
  EXPECT_EQ(run([] { (void)boostr_allocate(8, 0); }),
            "BOOSTR_INTERNAL: cannot allocate 8 bytes on cuda:0: "
            "cuda_allocator 'account': expected a status, got an exception");
}

/// Without a name, and with addresses that no block may have.
TEST_F(Cuda, negative_address_of_host_allocator) {
  struct State {
    void *address;
    int numReleased;
  } state{nullptr, 0};
  boostr_cuda_allocator allocator{
      &state, nullptr,
      [](void *data, size_t, size_t, int32_t, void *, void **block) {
        *block = static_cast<State *>(data)->address;
        return BOOSTR_OK;
      },
      [](void *data, void *block, size_t bytes, int32_t, void *) {
        EXPECT_EQ(block, static_cast<State *>(data)->address);
        EXPECT_EQ(bytes, 8u);
        ++static_cast<State *>(data)->numReleased;
        throw std::runtime_error("words");
      }};
  boostr_context_options options{};
  options.size = sizeof(options);
  options.cuda_allocator = &allocator;
  context = makeContext(options);
  auto allocate = [&] {
    return outcome(
        invokeCuda(context.get(), [] { (void)boostr_allocate(8, 0); }));
  };
  const std::string message = "BOOSTR_INTERNAL: cannot allocate 8 bytes on "
                              "cuda:0: cuda_allocator: expected an address "
                              "that is a multiple of 256, got ";
  EXPECT_EQ(allocate(), message + "a null pointer");
  EXPECT_EQ(state.numReleased, 0);
  state.address = reinterpret_cast<void *>(uintptr_t{0x1080});
  EXPECT_EQ(allocate(), message + "0x1080");
  EXPECT_EQ(state.numReleased, 1);
  // An exception of `release` goes no further.
  state.address = reinterpret_cast<void *>(uintptr_t{0x1100});
  EXPECT_EQ(allocate(), "ok");
  EXPECT_EQ(state.numReleased, 2);
}

TEST_F(CudaHostAllocator, negative_launch) {
  Module module(1);
  boostr_cuda_grid shape = grid();
  fake_fail("cuLaunchKernelEx", 1, 1);
  std::string result = run([&] {
    (void)boostr_allocate(8, 0);
    boostr_cuda_launch(&module.raw, 0, &shape, nullptr);
  });
  EXPECT_EQ(result.find("BOOSTR_INTERNAL: cuLaunchKernelEx: "), 0u) << result;
  EXPECT_EQ(account.numLive(), 0u);
}

TEST_F(CudaHostAllocator, negative_cancelled) {
  Module module(1);
  boostr_cuda_grid shape = grid();
  EXPECT_EQ(run([&] {
              (void)boostr_allocate(8, 0);
              (void)boostr_context_cancel(nullptr);
              boostr_cuda_launch(&module.raw, 0, &shape, nullptr);
            }),
            "BOOSTR_CANCELLED: the invocation was cancelled");
  EXPECT_EQ(account.numLive(), 0u);
  EXPECT_EQ(fake_num_launches(), 0);
}

/// Whatever call of the driver fails, all blocks are given back.
TEST_F(CudaHostAllocator, negative_any_call) {
  Module module(1);
  boostr_cuda_grid shape = grid(1, 100 << 10);
  auto body = [&] {
    void *block = boostr_allocate(8, 0);
    (void)boostr_allocate(boostr_cuda_multiprocessors(), 0);
    boostr_cuda_zero(block, 8);
    boostr_cuda_launch(&module.raw, 0, &shape, nullptr);
    boostr_release(block);
  };
  int numFailures = 0;
  for (int i = 1;; ++i) {
    renew();
    fake_fail(nullptr, i, 1);
    std::string result = run(body);
    bool failed = fake_has_failed();
    fake_fail(nullptr, 0, 0);
    fake_set_current_context(nullptr);
    ASSERT_EQ(account.numLive(), 0u) << i << ": " << result;
    if (!failed) {
      EXPECT_EQ(result, "ok");
      break;
    }
    numFailures += result != "ok";
  }
  EXPECT_GE(numFailures, 8);
}

//===----------------------------------------------------------------------===//
// cuBLASLt
//===----------------------------------------------------------------------===//

namespace {
/// A product of a row and a column.
struct Product {
  Product() {
    raw.rows = raw.columns = raw.batch = 1;
    raw.steps = 2;
    raw.lhs = {lhs, 2, 1, 0};
    raw.rhs = {rhs, 2, 1, 0};
    raw.result = {&result, 1, 1, 0};
    raw.element = raw.result_element = f32;
  }

  alignas(64) float lhs[2] = {1, 2};
  alignas(64) float rhs[2] = {3, 4};
  alignas(64) float result = 0;
  boostr_cuda_product raw{};
};
} // namespace

TEST_F(CudaHostAllocator, workspace_of_product) {
  fake_lt_set_workspace(1000);
  void *own = fake_create_context(0);
  fake_set_current_context(own);
  void *stream = fake_create_stream(own);
  Product product;
  // No more than the host does when it calls: in the mode of its capture.
  account.onAllocate = [] {
    EXPECT_EQ(fake_count("cuThreadExchangeStreamCaptureMode") % 2, 0);
  };
  ASSERT_EQ(run([&] { (void)boostr_cuda_multiply(&product.raw); }, stream),
            "ok");
  EXPECT_EQ(product.result, 11.0f);
  EXPECT_EQ(fake_lt_last_product().workspace_bytes, 1000u);
  EXPECT_EQ(account.last, (Request{1000, 0, stream}));
  EXPECT_EQ(account.numRequests, 1);
  EXPECT_EQ(account.numLive(), 0u);
}

/// The allocator may wait for a thread that multiplies alike.
TEST_F(CudaHostAllocator, no_lock_is_held) {
  fake_lt_set_workspace(1000);
  std::future<std::string> other;
  std::atomic<bool> isNested{false};
  Product first, second;
  account.onAllocate = [&] {
    if (isNested.exchange(true))
      return;
    other = std::async(std::launch::async, [&] {
      return outcome(invokeCuda(
          context.get(), [&] { (void)boostr_cuda_multiply(&second.raw); }));
    });
    EXPECT_EQ(other.wait_for(std::chrono::seconds(20)),
              std::future_status::ready);
  };
  ASSERT_EQ(run([&] { (void)boostr_cuda_multiply(&first.raw); }), "ok");
  EXPECT_EQ(other.get(), "ok");
  EXPECT_EQ(first.result, 11.0f);
  EXPECT_EQ(second.result, 11.0f);
}

TEST_F(CudaHostAllocator, negative_workspace_of_product) {
  fake_lt_set_workspace(1000);
  Product product;
  auto multiply = [&] { (void)boostr_cuda_multiply(&product.raw); };
  account.failing = 1;
  EXPECT_EQ(run(multiply),
            "BOOSTR_OUT_OF_MEMORY: cannot allocate 1000 bytes on cuda:0: "
            "cuda_allocator 'account': BOOSTR_OUT_OF_MEMORY");
  EXPECT_EQ(fake_lt_count("cublasLtMatmul"), 0);
  account.failing = INT32_MAX;
  fake_lt_fail("cublasLtMatmul", 1, 7);
  EXPECT_EQ(run(multiply),
            "BOOSTR_INTERNAL: cublasLtMatmul: CUBLAS_STATUS_INVALID_VALUE, for "
            "a product of f32 [1, 1, 2] and [1, 1, 2]");
  EXPECT_EQ(account.numLive(), 0u);
}

//===----------------------------------------------------------------------===//
// Hosts without one
//===----------------------------------------------------------------------===//

/// What a host of an earlier version has behind its options is not looked at.
TEST_F(Cuda, no_host_allocator_without_size) {
  Account account;
  boostr_cuda_allocator allocator = account.interface();
  boostr_context_options options{};
  options.num_threads = 1;
  options.cuda_allocator = &allocator;
  context = makeContext(options);
  ASSERT_EQ(
      outcome(invokeCuda(context.get(), [] { (void)boostr_allocate(8, 0); })),
      "ok");
  EXPECT_EQ(account.numRequests, 0);
  EXPECT_EQ(fake_num_pools(), 1);
}
