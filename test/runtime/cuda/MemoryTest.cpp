// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Memory that compiled CUDA code allocates.

#include "CudaFixtures.h"

using namespace boostr::runtime::test;

TEST_F(Cuda, blocks_of_device) {
  EXPECT_EQ(outcome(invokeCuda(context.get(),
                               [] {
                                 void *first = _mlir_memref_to_llvm_alloc(1000);
                                 void *second =
                                     _mlir_memref_to_llvm_aligned_alloc(64, 0);
                                 EXPECT_NE(first, nullptr);
                                 EXPECT_NE(first, second);
                                 EXPECT_EQ(fake_num_blocks(), 2);
                                 _mlir_memref_to_llvm_free(first);
                                 _mlir_memref_to_llvm_free(second);
                                 _mlir_memref_to_llvm_free(nullptr);
                                 EXPECT_EQ(fake_num_blocks(), 0);
                               })),
            "ok");
  EXPECT_EQ(fake_count("cuMemAllocFromPoolAsync"), 2);
  EXPECT_EQ(fake_count("cuMemFreeAsync"), 2);
}

TEST_F(Cuda, zero) {
  unsigned char first = 1, last = 1;
  auto body = [&] {
    auto *block = static_cast<unsigned char *>(boostr_allocate(100, 0));
    block[99] = 1;
    boostr_cuda_zero(block, 99);
    first = block[0];
    last = block[99];
  };
  EXPECT_EQ(outcome(invokeCuda(context.get(), body)), "ok");
  EXPECT_EQ(first, 0);
  EXPECT_EQ(last, 1);
  fake_fail("cuMemsetD8Async", 1, 1);
  EXPECT_EQ(outcome(invokeCuda(context.get(), body)),
            "BOOSTR_INTERNAL: cuMemsetD8Async: CUDA_ERROR_INVALID_VALUE "
            "(invalid argument)");
}

TEST_F(Cuda, one_pool_for_each_device) {
  for (int device : {0, 1, 0, 1}) {
    fake_set_current_context(fake_primary_context(device));
    ASSERT_EQ(
        outcome(invokeCuda(context.get(), [] { (void)boostr_allocate(8, 0); })),
        "ok");
  }
  EXPECT_EQ(fake_num_pools(), 2);
  // That keeps what is freed.
  EXPECT_EQ(fake_pool_threshold(), UINT64_MAX);
}

TEST_F(Cuda, no_pool_without_need) {
  Module module(1);
  ASSERT_EQ(launch(module), "ok");
  EXPECT_EQ(fake_num_pools(), 0);
}

TEST_F(Cuda, host_allocator_not_asked) {
  CountingAllocator memory;
  boostr_allocator allocator = memory.interface();
  boostr_context_options options{};
  options.allocator = &allocator;
  context = makeContext(options);
  ASSERT_EQ(outcome(invokeCuda(context.get(),
                               [&] {
                                 (void)boostr_allocate(8, 0);
                                 // A function for the CPU within.
                                 EXPECT_EQ(invoke(nullptr,
                                                  [] {
                                                    (void)boostr_allocate(8, 0);
                                                  }),
                                           BOOSTR_OK);
                               })),
            "ok");
  EXPECT_EQ(memory.numAllocated, 1);
  EXPECT_EQ(memory.numLive, 0);
}

TEST_F(Cuda, blocks_freed_at_end) {
  ASSERT_EQ(outcome(invokeCuda(context.get(),
                               [] {
                                 for (int i = 0; i < 40; ++i)
                                   (void)boostr_allocate(8, 0);
                               })),
            "ok");
  EXPECT_EQ(fake_num_blocks(), 0);
}

TEST_F(Cuda, negative_allocation) {
  bool returned = false;
  EXPECT_EQ(outcome(invokeCuda(context.get(),
                               [&] {
                                 (void)boostr_allocate(8, 0);
                                 (void)boostr_allocate(size_t{1} << 40, 0);
                                 returned = true;
                               })),
            "BOOSTR_OUT_OF_MEMORY: cannot allocate 1099511627776 bytes: "
            "cuMemAllocFromPoolAsync: CUDA_ERROR_OUT_OF_MEMORY (words)");
  EXPECT_FALSE(returned);
  EXPECT_EQ(fake_num_blocks(), 0);
  EXPECT_EQ(outcome(invokeCuda(context.get(),
                               [] { (void)boostr_allocate(~size_t{0}, 0); })),
            "BOOSTR_OUT_OF_MEMORY: cannot allocate more bytes than there are "
            "addresses");
  EXPECT_EQ(
      outcome(invokeCuda(context.get(), [] { (void)boostr_allocate(8, 512); })),
      "BOOSTR_INTERNAL: alignment of an allocation on a device: expected "
      "at most 256, got 512");
}

TEST_F(Cuda, negative_pool) {
  auto allocate = [&] {
    return outcome(
        invokeCuda(context.get(), [] { (void)boostr_allocate(8, 0); }));
  };
  fake_fail("cuMemPoolCreate", 1, 801);
  EXPECT_EQ(allocate(), "BOOSTR_UNSUPPORTED: cuMemPoolCreate: error 801");
  fake_fail("cuMemPoolSetAttribute", 1, 1);
  EXPECT_EQ(allocate(), "BOOSTR_INTERNAL: cuMemPoolSetAttribute: "
                        "CUDA_ERROR_INVALID_VALUE (invalid argument)");
  EXPECT_EQ(fake_num_pools(), 0);
  EXPECT_EQ(allocate(), "ok");
}

/// Whatever call of the driver fails: the failure is told, names a call, and
/// nothing is left behind.
TEST_F(Cuda, negative_any_call) {
  Module module(1);
  alignas(64) char map[128];
  int64_t extent = 8;
  const int32_t box = 8;
  boostr_cuda_grid shape = grid(1, 100 << 10);
  auto body = [&] {
    ++extent; // Or the map is known.
    void *first = boostr_allocate(8, 0);
    (void)boostr_allocate(boostr_cuda_multiprocessors(), 0);
    boostr_cuda_encode_tensor_map(map, 0, 1, first, &extent, nullptr, &box, 0);
    boostr_cuda_launch(&module.raw, 0, &shape, nullptr);
    boostr_release(first);
  };
  int numFailures = 0;
  for (int i = 1;; ++i) {
    context = makeContext(1);
    fake_fail(nullptr, i, 1);
    std::string result = outcome(invokeCuda(context.get(), body));
    bool failed = fake_has_failed();
    fake_fail(nullptr, 0, 0);
    // The call that ends this is one that nobody could do anything about.
    if (!failed || result != "ok")
      EXPECT_EQ(fake_current_context(), nullptr) << i;
    fake_set_current_context(nullptr);
    context.reset();
    EXPECT_EQ(fake_num_modules(), 0) << i << ": " << result;
    EXPECT_EQ(fake_num_pools(), 0) << i << ": " << result;
    if (!failed) {
      EXPECT_EQ(result, "ok");
      break;
    }
    if (result == "ok")
      continue;
    ++numFailures;
    EXPECT_EQ(result.substr(0, 17), "BOOSTR_INTERNAL: ") << i;
    EXPECT_NE(result.find(": CUDA_ERROR_INVALID_VALUE (invalid argument)"),
              std::string::npos)
        << i;
  }
  EXPECT_GE(numFailures, 15);
  // Of the two calls that free a block, each failed once.
  EXPECT_EQ(fake_num_blocks(), 2);
  fake_drop_blocks();
}
