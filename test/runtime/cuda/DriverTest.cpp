// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Finding the driver, and its devices' memory for hosts.

#include "CudaFixtures.h"

#include <cstdio>
#include <cstdlib>
#include <thread>

using namespace boostr::runtime::test;

//===----------------------------------------------------------------------===//
// Without a driver that works
//===----------------------------------------------------------------------===//
//
// In processes of their own, because the first outcome is that of all calls.

[[noreturn]] static void countAndExit() {
  int32_t count = -1;
  std::string first = outcome(boostr_cuda_device_count(&count));
  // Not tried again.
  fake_fail(nullptr, 0, 0);
  fake_set_version(12040);
  std::string second = outcome(boostr_cuda_device_count(&count));
  std::string call = outcome(invokeCuda(nullptr, [] {}));
  bool onCpu = invoke(nullptr, [] {}) == BOOSTR_OK;
  bool agree = first == second && first == call && onCpu && count == -1;
  std::fprintf(stderr, "%s", first.c_str());
  std::exit(agree ? 0 : 1);
}

TEST(CudaDriverDeathTest, no_device) {
  EXPECT_EXIT(
      {
        fake_fail("cuInit", 1, 100);
        countAndExit();
      },
      testing::ExitedWithCode(0),
      "BOOSTR_UNAVAILABLE: cuInit: CUDA_ERROR_NO_DEVICE \\(words\\)");
}

TEST(CudaDriverDeathTest, old_version) {
  EXPECT_EXIT(
      {
        fake_set_version(11080);
        countAndExit();
      },
      testing::ExitedWithCode(0),
      "BOOSTR_UNAVAILABLE: expected a CUDA driver for CUDA 12.0 or later, got "
      "one for 11.8");
}

TEST(CudaDriverDeathTest, version_fails) {
  EXPECT_EXIT(
      {
        fake_fail("cuDriverGetVersion", 1, 999);
        countAndExit();
      },
      testing::ExitedWithCode(0),
      "BOOSTR_UNAVAILABLE: cuDriverGetVersion: error 999");
}

TEST(CudaDriverDeathTest, opened_by_many_threads) {
  EXPECT_EXIT(
      {
        std::vector<std::thread> threads;
        std::atomic<int> succeeded{0};
        for (int i = 0; i < 8; ++i)
          threads.emplace_back([&] {
            int32_t count = 0;
            if (boostr_cuda_device_count(&count) == BOOSTR_OK && count == 2)
              ++succeeded;
          });
        for (std::thread &thread : threads)
          thread.join();
        std::exit(succeeded == 8 ? 0 : 1);
      },
      testing::ExitedWithCode(0), "");
}

//===----------------------------------------------------------------------===//
// Memory for hosts
//===----------------------------------------------------------------------===//

TEST_F(Cuda, device_count) {
  int32_t count = 0;
  ASSERT_EQ(outcome(boostr_cuda_device_count(&count)), "ok");
  EXPECT_EQ(count, FAKE_NUM_DEVICES);
  EXPECT_EQ(outcome(boostr_cuda_device_count(nullptr)),
            "BOOSTR_INVALID_ARGUMENT: count: expected a place for the result, "
            "got a null pointer");
}

TEST_F(Cuda, compute_capability) {
  int32_t capability = 0;
  ASSERT_EQ(outcome(boostr_cuda_compute_capability(1, &capability)), "ok");
  EXPECT_EQ(capability, 80);
  EXPECT_EQ(outcome(boostr_cuda_compute_capability(2, &capability)),
            "BOOSTR_INVALID_ARGUMENT: device: expected one from cuda:0 to "
            "cuda:1, got cuda:2");
  EXPECT_EQ(outcome(boostr_cuda_compute_capability(0, nullptr)),
            "BOOSTR_INVALID_ARGUMENT: capability: expected a place for the "
            "result, got a null pointer");
}

TEST_F(Cuda, host_copies_there_and_back) {
  const char text[] = "text";
  char result[sizeof(text)] = "";
  void *block = nullptr;
  ASSERT_EQ(outcome(boostr_cuda_allocate(1, sizeof(text), &block)), "ok");
  EXPECT_EQ(fake_current_context(), nullptr);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(block) % 256, 0u);
  void *stream = fake_create_stream(fake_primary_context(1));
  EXPECT_EQ(outcome(boostr_cuda_copy(1, stream, block, text, sizeof(text))),
            "ok");
  EXPECT_EQ(outcome(boostr_cuda_synchronize(1, stream)), "ok");
  EXPECT_EQ(outcome(boostr_cuda_copy(1, stream, result, block, sizeof(text))),
            "ok");
  EXPECT_STREQ(result, text);
  EXPECT_EQ(fake_count("cuStreamSynchronize"), 3);
  EXPECT_EQ(outcome(boostr_cuda_release(1, block)), "ok");
  EXPECT_EQ(outcome(boostr_cuda_release(1, nullptr)), "ok");
}

TEST_F(Cuda, host_zero_bytes) {
  void *block = nullptr;
  ASSERT_EQ(outcome(boostr_cuda_allocate(0, 0, &block)), "ok");
  EXPECT_NE(block, nullptr);
  EXPECT_EQ(outcome(boostr_cuda_copy(0, nullptr, block, nullptr, 0)), "ok");
  EXPECT_EQ(outcome(boostr_cuda_release(0, block)), "ok");
}

TEST_F(Cuda, negative_host_device) {
  void *block = nullptr;
  EXPECT_EQ(outcome(boostr_cuda_allocate(2, 1, &block)),
            "BOOSTR_INVALID_ARGUMENT: device: expected one from cuda:0 to "
            "cuda:1, got cuda:2");
  EXPECT_EQ(outcome(boostr_cuda_synchronize(-1, nullptr)),
            "BOOSTR_INVALID_ARGUMENT: device: expected one from cuda:0 to "
            "cuda:1, got cuda:-1");
  EXPECT_EQ(outcome(boostr_cuda_allocate(0, 1, nullptr)),
            "BOOSTR_INVALID_ARGUMENT: block: expected a place for the result, "
            "got a null pointer");
}

TEST_F(Cuda, negative_host_stream_of_other_device) {
  void *stream = fake_create_stream(fake_primary_context(0));
  EXPECT_EQ(outcome(boostr_cuda_synchronize(1, stream)),
            "BOOSTR_INVALID_ARGUMENT: stream: expected one of device cuda:1, "
            "got one of cuda:0");
  EXPECT_EQ(fake_current_context(), nullptr);
}

TEST_F(Cuda, negative_host_errors_name_call) {
  void *block = this;
  EXPECT_EQ(outcome(boostr_cuda_allocate(0, size_t{1} << 40, &block)),
            "BOOSTR_OUT_OF_MEMORY: cuMemAlloc: CUDA_ERROR_OUT_OF_MEMORY "
            "(words)");
  EXPECT_EQ(block, this);
  fake_fail("cuStreamSynchronize", 1, 1);
  EXPECT_EQ(outcome(boostr_cuda_synchronize(0, nullptr)),
            "BOOSTR_INTERNAL: cuStreamSynchronize: CUDA_ERROR_INVALID_VALUE "
            "(invalid argument)");
  fake_fail("cuMemcpyAsync", 1, 1);
  char byte = 0;
  EXPECT_EQ(outcome(boostr_cuda_copy(0, nullptr, &byte, &byte, 1)),
            "BOOSTR_INTERNAL: cuMemcpyAsync: CUDA_ERROR_INVALID_VALUE (invalid "
            "argument)");
  fake_fail("cuMemFree_v2", 1, 1);
  EXPECT_EQ(outcome(boostr_cuda_release(0, &byte)),
            "BOOSTR_INTERNAL: cuMemFree: CUDA_ERROR_INVALID_VALUE (invalid "
            "argument)");
}
