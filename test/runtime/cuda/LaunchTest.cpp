// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// What compiled CUDA code calls: launches, tensor maps, the device's numbers.

#include "CudaFixtures.h"

#include <functional>
#include <set>
#include <thread>

using namespace boostr::runtime::test;

//===----------------------------------------------------------------------===//
// Launches
//===----------------------------------------------------------------------===//

TEST_F(Cuda, launch) {
  Module module(1);
  boostr_cuda_grid shape{{4, 3, 2}, {64, 2, 1}, {0, 0, 0}, 1024};
  void *stream = fake_create_stream(fake_primary_context(1));
  int value = 0;
  void *params[] = {&value};
  ASSERT_EQ(
      outcome(invokeCuda(
          context.get(),
          [&] { boostr_cuda_launch(&module.raw, 1, &shape, params); }, stream)),
      "ok");
  fake_launch launch = fake_last_launch();
  EXPECT_STREQ(launch.kernel, "second");
  EXPECT_EQ(launch.stream, stream);
  EXPECT_EQ(launch.context, fake_primary_context(1));
  EXPECT_EQ(std::vector<uint32_t>(launch.grid, launch.grid + 3),
            (std::vector<uint32_t>{4, 3, 2}));
  EXPECT_EQ(std::vector<uint32_t>(launch.block, launch.block + 3),
            (std::vector<uint32_t>{64, 2, 1}));
  EXPECT_EQ(launch.cluster[0], 0u);
  EXPECT_EQ(launch.shared_bytes, 1024u);
  EXPECT_EQ(launch.params, params);
  EXPECT_EQ(fake_current_context(), nullptr);
}

TEST_F(Cuda, launch_of_empty_grid_is_none) {
  Module module(1, {});
  for (int i = 0; i < 3; ++i) {
    boostr_cuda_grid shape = grid();
    shape.grid[i] = 0;
    EXPECT_EQ(launch(module, nullptr, shape), "ok");
  }
  EXPECT_EQ(fake_num_launches(), 0);
  EXPECT_EQ(fake_count("cuModuleLoadDataEx"), 0);
}

TEST_F(Cuda, launch_beside_begins_early) {
  Module module(1);
  boostr_cuda_grid shape = grid(4);
  shape.cluster[0] = 2;
  auto body = [&] {
    boostr_cuda_launch(&module.raw, 0, &shape, nullptr);
    EXPECT_FALSE(fake_last_launch().begins_early);
    boostr_cuda_launch_beside(&module.raw, 1, &shape, nullptr);
  };
  ASSERT_EQ(outcome(invokeCuda(context.get(), body)), "ok");
  EXPECT_EQ(fake_num_launches(), 2);
  EXPECT_STREQ(fake_last_launch().kernel, "second");
  EXPECT_TRUE(fake_last_launch().begins_early);
  EXPECT_EQ(fake_last_launch().cluster[0], 2u);
}

// What runs before it is someone else's then, and may be what it needs.
TEST_F(Cuda, launch_beside_nothing_waits) {
  Module module(1);
  boostr_cuda_grid shape = grid(), empty = grid(0);
  auto alone = [&] {
    boostr_cuda_launch_beside(&module.raw, 1, &shape, nullptr);
  };
  auto besideEmpty = [&] {
    boostr_cuda_launch(&module.raw, 0, &shape, nullptr);
    boostr_cuda_launch(&module.raw, 0, &empty, nullptr);
    boostr_cuda_launch_beside(&module.raw, 1, &shape, nullptr);
  };
  for (const std::function<void()> &body :
       {std::function<void()>(alone), std::function<void()>(besideEmpty),
        std::function<void()>(alone)}) {
    ASSERT_EQ(outcome(invokeCuda(context.get(), body)), "ok");
    EXPECT_STREQ(fake_last_launch().kernel, "second");
    EXPECT_FALSE(fake_last_launch().begins_early);
  }
}

TEST_F(Cuda, negative_launch_beside) {
  Module module(1);
  boostr_cuda_grid shape = grid();
  boostr_cuda_launch_beside(&module.raw, 0, &shape, nullptr);
  EXPECT_STREQ(boostr_last_error(),
               "boostr_cuda_launch_beside: expected to be called by a CUDA "
               "function");
  EXPECT_EQ(fake_num_launches(), 0);
}

TEST_F(Cuda, launch_with_clusters) {
  Module module(1);
  boostr_cuda_grid shape = grid(16);
  shape.cluster[0] = 2;
  ASSERT_EQ(launch(module, nullptr, shape), "ok");
  EXPECT_EQ(fake_last_launch().cluster[0], 2u);
  EXPECT_EQ(fake_last_launch().cluster[1], 1u);
  EXPECT_EQ(fake_last_launch().cluster[2], 1u);
  EXPECT_EQ(fake_count("cuFuncSetAttribute"), 0);
  // More than all devices can.
  shape.cluster[0] = 16;
  for (int i = 0; i < 2; ++i)
    ASSERT_EQ(launch(module, nullptr, shape), "ok");
  EXPECT_EQ(fake_count("cuFuncSetAttribute"), 1);
  // One block is none.
  shape.cluster[0] = 1;
  ASSERT_EQ(launch(module, nullptr, shape), "ok");
  EXPECT_EQ(fake_last_launch().cluster[0], 0u);
}

TEST_F(Cuda, launch_with_much_shared_memory) {
  Module module(1);
  const uint32_t kib = 1024;
  for (uint32_t bytes : {48 * kib, 200 * kib, 100 * kib, 200 * kib})
    ASSERT_EQ(launch(module, nullptr, grid(1, bytes)), "ok");
  // Once, and never back to less.
  EXPECT_EQ(fake_count("cuFuncSetAttribute"), 1);
  EXPECT_EQ(fake_attribute("first", 8), 200 << 10);
  EXPECT_EQ(launch(module, nullptr, grid(1, 300 * kib)),
            "BOOSTR_INTERNAL: cuFuncSetAttribute: CUDA_ERROR_INVALID_VALUE "
            "(invalid argument)");
  EXPECT_EQ(launch(module, nullptr, grid(1, 210 * kib)), "ok");
}

TEST_F(Cuda, later_launch_asks_driver_for_little) {
  Module module(1);
  fake_set_current_context(fake_primary_context(0));
  ASSERT_EQ(launch(module), "ok");
  fake_forget();
  ASSERT_EQ(launch(module), "ok");
  EXPECT_EQ(fake_count_all(),
            fake_count("cuCtxGetCurrent") + fake_count("cuCtxGetDevice") +
                fake_count("cuCtxGetId") + fake_count("cuLaunchKernelEx"));
  EXPECT_LE(fake_count_all(), 5);
}

TEST_F(Cuda, negative_launch) {
  Module module(1);
  boostr_cuda_grid shape = grid(7, 16);
  shape.block[0] = 2048;
  EXPECT_EQ(launch(module, nullptr, shape),
            "BOOSTR_INTERNAL: cuLaunchKernelEx: CUDA_ERROR_INVALID_VALUE "
            "(invalid argument), for kernel 'first' with grid [7, 1, 1], block "
            "[2048, 1, 1], 16 bytes of shared memory");
  shape.cluster[1] = 7;
  EXPECT_NE(launch(module, nullptr, shape).find("cluster [0, 7, 0]"),
            std::string::npos);
  for (int32_t kernel : {-1, 2})
    EXPECT_EQ(launch(module, nullptr, grid(), kernel),
              "BOOSTR_INTERNAL: kernel: expected one from 0 to 1, got " +
                  std::to_string(kernel));
}

TEST_F(Cuda, negative_launch_leaves_function) {
  Module module(1);
  boostr_cuda_grid shape = grid();
  bool returned = false;
  fake_fail("cuLaunchKernelEx", 2, 1);
  EXPECT_EQ(invokeCuda(context.get(),
                       [&] {
                         boostr_cuda_launch(&module.raw, 0, &shape, nullptr);
                         boostr_cuda_launch(&module.raw, 1, &shape, nullptr);
                         returned = true;
                       }),
            BOOSTR_INTERNAL);
  EXPECT_FALSE(returned);
  EXPECT_EQ(fake_num_launches(), 1);
  EXPECT_EQ(fake_current_context(), nullptr);
}

TEST_F(Cuda, negative_launch_after_cancellation) {
  Module module(1);
  boostr_cuda_grid shape = grid();
  EXPECT_EQ(
      outcome(invokeCuda(context.get(),
                         [&] {
                           boostr_cuda_launch(&module.raw, 0, &shape, nullptr);
                           (void)boostr_context_cancel(nullptr);
                           boostr_cuda_launch(&module.raw, 0, &shape, nullptr);
                         })),
      "BOOSTR_CANCELLED: the invocation was cancelled");
  EXPECT_EQ(fake_num_launches(), 1);
  EXPECT_EQ(launch(module), "BOOSTR_CANCELLED: the invocation was cancelled");
  ASSERT_EQ(boostr_context_reset(context.get()), BOOSTR_OK);
  EXPECT_EQ(launch(module), "ok");
}

TEST_F(Cuda, negative_launch_by_function_for_cpu) {
  Module module(1);
  boostr_cuda_grid shape = grid();
  const char *message = "BOOSTR_INTERNAL: boostr_cuda_launch: expected to be "
                        "called by a CUDA function, got a call by a function "
                        "for the CPU";
  auto body = [&] { boostr_cuda_launch(&module.raw, 0, &shape, nullptr); };
  EXPECT_EQ(outcome(invoke(context.get(), body)), message);
  // Also within one for CUDA.
  EXPECT_EQ(outcome(invokeCuda(
                context.get(),
                [&] { EXPECT_EQ(outcome(invoke(nullptr, body)), message); })),
            "ok");
}

TEST_F(Cuda, negative_launch_by_task) {
  Module module(1);
  boostr_cuda_grid shape = grid();
  std::function<void(int64_t)> task = [&](int64_t) {
    boostr_cuda_launch(&module.raw, 0, &shape, nullptr);
  };
  EXPECT_EQ(outcome(invokeCuda(context.get(), [&] { parallelFor(2, task); })),
            "BOOSTR_INTERNAL: boostr_cuda_launch: expected to be called by a "
            "CUDA function, got a call by a task");
}

TEST_F(Cuda, function_within_task_of_function_for_cpu) {
  Module module(1);
  ContextPtr outer = makeContext(2);
  std::function<void(int64_t)> task = [&](int64_t) {
    EXPECT_EQ(launch(module), "ok");
  };
  EXPECT_EQ(outcome(invoke(outer.get(), [&] { parallelFor(4, task); })), "ok");
  EXPECT_EQ(fake_num_launches(), 4);
}

TEST_F(Cuda, negative_launch_outside_of_invocation) {
  Module module(1);
  boostr_cuda_grid shape = grid();
  boostr_cuda_launch(&module.raw, 0, &shape, nullptr);
  EXPECT_STREQ(boostr_last_error(),
               "boostr_cuda_launch: expected to be called by a CUDA function");
  EXPECT_EQ(boostr_cuda_multiprocessors(), 0);
  EXPECT_EQ(fake_num_launches(), 0);
}

TEST_F(Cuda, multiprocessors) {
  int32_t count = 0;
  auto body = [&] { count = boostr_cuda_multiprocessors(); };
  ASSERT_EQ(outcome(invokeCuda(context.get(), body)), "ok");
  EXPECT_EQ(count, 132);
  // Asked for once for each device.
  for (int32_t expected : {131, 132, 131}) {
    fake_set_current_context(fake_primary_context(132 - expected));
    ASSERT_EQ(outcome(invokeCuda(context.get(), body)), "ok");
    EXPECT_EQ(count, expected);
  }
  EXPECT_EQ(fake_count("cuDeviceGetAttribute"), 2);
}

TEST_F(Cuda, negative_multiprocessors) {
  auto body = [] { (void)boostr_cuda_multiprocessors(); };
  fake_fail("cuDeviceGetAttribute", 1, 1);
  EXPECT_EQ(outcome(invokeCuda(context.get(), body)),
            "BOOSTR_INTERNAL: cuDeviceGetAttribute: CUDA_ERROR_INVALID_VALUE "
            "(invalid argument)");
}

// Kernels know marks of their own launch by them.
TEST(CudaToken, differs_from_all_others) {
  constexpr size_t count = 1000, numThreads = 4;
  std::vector<uint64_t> tokens(count * numThreads);
  std::vector<std::thread> threads;
  for (size_t i = 0; i < numThreads; ++i)
    threads.emplace_back([&tokens, i] {
      for (size_t j = 0; j < count; ++j)
        tokens[i * count + j] = boostr_cuda_token();
    });
  for (std::thread &thread : threads)
    thread.join();
  std::set<uint64_t> different(tokens.begin(), tokens.end());
  EXPECT_EQ(different.size(), tokens.size());
  EXPECT_EQ(different.count(0), 0u);
  // By their bits alone none could be told from ordinary numbers.
  uint64_t common = ~uint64_t{0}, any = 0;
  for (uint64_t token : tokens) {
    common &= token;
    any |= token;
  }
  EXPECT_EQ(common, 0u);
  EXPECT_EQ(any, ~uint64_t{0});
}

//===----------------------------------------------------------------------===//
// Tensor maps
//===----------------------------------------------------------------------===//

namespace {
class CudaTensorMap : public Cuda {
protected:
  std::string encode(int32_t rank = 3) {
    return outcome(invokeCuda(context.get(), [&] {
      boostr_cuda_encode_tensor_map(map, 9, rank, address, extents, strides,
                                    box, 3);
    }));
  }

  alignas(64) unsigned char map[128] = {1};
  void *address = map;
  int64_t extents[5] = {64, 1000, 3, 1, 1};
  int64_t strides[4] = {128, 128000, 384000, 384000};
  int32_t box[5] = {64, 128, 1, 1, 1};
};
} // namespace

TEST_F(CudaTensorMap, encoded) {
  ASSERT_EQ(encode(), "ok");
  EXPECT_EQ(map[127], 0x5a);
  fake_tensor_map encoded = fake_last_tensor_map();
  EXPECT_EQ(encoded.element, 9);
  EXPECT_EQ(encoded.rank, 3);
  EXPECT_EQ(encoded.swizzle, 3);
  EXPECT_EQ(encoded.interleave, 0);
  EXPECT_EQ(encoded.fill, 0);
  EXPECT_EQ(encoded.address, address);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(encoded.extents[i], static_cast<uint64_t>(extents[i]));
    EXPECT_EQ(encoded.box[i], static_cast<uint32_t>(box[i]));
    EXPECT_EQ(encoded.steps[i], 1u);
  }
  EXPECT_EQ(encoded.strides[0], 128u);
  EXPECT_EQ(encoded.strides[1], 128000u);
  for (int32_t rank : {1, 5})
    EXPECT_EQ(encode(rank), "ok");
}

TEST_F(CudaTensorMap, same_tensor_is_asked_for_once) {
  extents[1] = 1001; // No other test has this one.
  ASSERT_EQ(encode(), "ok");
  int before = fake_count("cuTensorMapEncodeTiled");
  map[127] = 0;
  ASSERT_EQ(encode(), "ok");
  EXPECT_EQ(map[127], 0x5a);
  EXPECT_EQ(fake_count("cuTensorMapEncodeTiled"), before);
  // What the rank leaves out is of no matter, all else is.
  box[4] = 7;
  ASSERT_EQ(encode(), "ok");
  EXPECT_EQ(fake_count("cuTensorMapEncodeTiled"), before);
  extents[1] = 1002;
  ASSERT_EQ(encode(), "ok");
  EXPECT_EQ(fake_count("cuTensorMapEncodeTiled"), before + 1);
  box[1] = 64;
  ASSERT_EQ(encode(), "ok");
  EXPECT_EQ(fake_count("cuTensorMapEncodeTiled"), before + 2);
}

TEST_F(CudaTensorMap, tensors_of_a_program_do_not_displace_each_other) {
  // As allocators give them out, wherever the first one is.
  for (uintptr_t first : {0x7f0000000000u, 0x7f3200200000u, 0x7ff4e2c00000u})
    for (int round = 0; round < 3; ++round) {
      fake_forget();
      for (uintptr_t i = 0; i < 16; ++i) {
        address = reinterpret_cast<void *>(first + i * 0x400000);
        extents[1] = 2048 << i % 3;
        ASSERT_EQ(encode(), "ok");
      }
      EXPECT_EQ(fake_count("cuTensorMapEncodeTiled"), round == 0 ? 16 : 0);
    }
}

TEST_F(CudaTensorMap, of_no_elements_is_zero) {
  extents[1] = 0;
  address = nullptr;
  ASSERT_EQ(encode(), "ok");
  for (unsigned char byte : map)
    EXPECT_EQ(byte, 0);
  EXPECT_EQ(fake_count("cuTensorMapEncodeTiled"), 0);
}

TEST_F(CudaTensorMap, negative) {
  box[1] = 257;
  address = reinterpret_cast<void *>(0x1000);
  EXPECT_EQ(encode(),
            "BOOSTR_INTERNAL: cuTensorMapEncodeTiled: CUDA_ERROR_INVALID_VALUE "
            "(invalid argument), for element type 9 at 0x1000, extents [64, "
            "1000, 3], strides [128, 128000], box [64, 257, 1], swizzle 3");
  for (int32_t rank : {-1, 0, 6})
    EXPECT_EQ(encode(rank), "BOOSTR_INTERNAL: rank of a tensor map: expected 1 "
                            "to 5, got " +
                                std::to_string(rank));
}
