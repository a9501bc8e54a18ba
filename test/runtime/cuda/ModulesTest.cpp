// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Loading of modules: which image, how often, for how long.

#include "CudaFixtures.h"

#include <thread>

using namespace boostr::runtime::test;

static boostr_cuda_image cubin(const char *chip, const char *text) {
  return {chip, text, std::strlen(text) + 1};
}

//===----------------------------------------------------------------------===//
// The cache
//===----------------------------------------------------------------------===//

TEST_F(Cuda, module_loaded_once) {
  Module module(1), sameContents(1), other(2), sameBucket(33);
  for (const Module *it : {&module, &sameContents, &module})
    ASSERT_EQ(launch(*it), "ok");
  EXPECT_EQ(fake_num_modules(), 1);
  for (const Module *it : {&other, &sameBucket, &other, &module})
    ASSERT_EQ(launch(*it), "ok");
  EXPECT_EQ(fake_num_modules(), 3);
  EXPECT_EQ(fake_count("cuModuleLoadDataEx"), 3);
  EXPECT_EQ(fake_num_launches(), 7);
}

TEST_F(Cuda, module_loaded_for_each_context) {
  Module module(1);
  ContextPtr second = makeContext(1);
  ASSERT_EQ(launch(module), "ok");
  boostr_cuda_grid shape = grid();
  ASSERT_EQ(outcome(invokeCuda(
                second.get(),
                [&] { boostr_cuda_launch(&module.raw, 0, &shape, nullptr); })),
            "ok");
  EXPECT_EQ(fake_num_modules(), 2);
  second.reset();
  EXPECT_EQ(fake_num_modules(), 1);
  EXPECT_EQ(fake_current_context(), nullptr);
}

TEST_F(Cuda, module_loaded_for_each_driver_context) {
  Module module(1);
  void *own = fake_create_context(0);
  for (void *current : {fake_primary_context(0), own, own}) {
    fake_set_current_context(current);
    ASSERT_EQ(launch(module), "ok");
    EXPECT_EQ(fake_last_launch().context, current);
    EXPECT_EQ(fake_current_context(), current);
  }
  EXPECT_EQ(fake_num_modules(), 2);
}

TEST_F(Cuda, module_of_destroyed_driver_context_left_alone) {
  Module module(1);
  void *own = fake_create_context(0);
  fake_set_current_context(own);
  ASSERT_EQ(launch(module), "ok");
  fake_set_current_context(nullptr);
  fake_destroy_context(own);
  context.reset();
  EXPECT_EQ(fake_count("cuModuleUnload"), 0);
  // For the check that all others make; the driver has freed it.
  fake_forget();
  EXPECT_EQ(fake_num_modules(), 1);
  fake_drop_module();
}

TEST_F(Cuda, threads_load_module_once) {
  std::vector<std::thread> threads;
  std::atomic<int> succeeded{0};
  Module modules[] = {Module(1), Module(2), Module(3)};
  for (int i = 0; i < 8; ++i)
    threads.emplace_back([&] {
      for (int j = 0; j < 100; ++j)
        if (launch(modules[j % 3], nullptr, grid(1, 1000 * j % 200000)) == "ok")
          ++succeeded;
    });
  for (std::thread &thread : threads)
    thread.join();
  EXPECT_EQ(succeeded, 800);
  EXPECT_EQ(fake_num_launches(), 800);
  EXPECT_EQ(fake_num_modules(), 3);
}

// As where devices exchange something: one waits for the other.
TEST_F(Cuda, loading_for_device_keeps_no_other_waiting) {
  Module module(1);
  fake_set_waiting_device(0);
  std::string elsewhere;
  std::thread other([&] {
    while (fake_count("cuModuleLoadDataEx") == 0)
      std::this_thread::yield();
    fake_set_current_context(fake_primary_context(1));
    elsewhere = launch(module);
  });
  fake_set_current_context(fake_primary_context(0));
  EXPECT_EQ(launch(module), "ok");
  other.join();
  EXPECT_EQ(elsewhere, "ok");
  EXPECT_EQ(fake_num_modules(), 2);
  fake_set_waiting_device(-1);
}

TEST_F(Cuda, module_loaded_during_capture) {
  Module module(1);
  fake_set_capturing(1);
  EXPECT_EQ(launch(module), "ok");
  EXPECT_EQ(outcome(invokeCuda(context.get(),
                               [] { boostr_release(boostr_allocate(8, 0)); })),
            "ok");
  // The mode of the thread is as before.
  EXPECT_EQ(fake_count("cuThreadExchangeStreamCaptureMode") % 2, 0);
  char byte = 0;
  EXPECT_EQ(outcome(boostr_cuda_copy(0, nullptr, &byte, &byte, 1)),
            "BOOSTR_INVALID_ARGUMENT: cuStreamSynchronize: "
            "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED (words)");
  fake_set_capturing(0);
}

//===----------------------------------------------------------------------===//
// The choice of the image
//===----------------------------------------------------------------------===//

TEST_F(Cuda, image_by_capability) {
  const struct {
    int capability;
    const char *image;
  } cases[] = {{80, "cubin sm_80"},
               {86, "cubin sm_86"},
               {87, "cubin sm_86"},
               {89, "cubin sm_86"},
               {90, "cubin sm_90a"},
               {100, "cubin sm_100f"},
               {103, "cubin sm_103a"},
               {104, "cubin sm_100f"},
               {75, "ptx"},
               {120, "ptx"}};
  uint8_t number = 0;
  for (const auto &it : cases) {
    Module module(++number, {{"", "ptx", 3},
                             cubin("sm_90", "cubin sm_90"),
                             cubin("sm_80", "cubin sm_80"),
                             cubin("sm_90a", "cubin sm_90a"),
                             cubin("sm_86", "cubin sm_86"),
                             cubin("sm_103a", "cubin sm_103a"),
                             cubin("sm_100f", "cubin sm_100f"),
                             cubin("sm_100", "cubin sm_100"),
                             {"", "ptx of less use", 15}});
    fake_set_capability(0, it.capability);
    ASSERT_EQ(launch(module), "ok");
    EXPECT_STREQ(fake_last_launch().image, it.image) << it.capability;
  }
}

TEST_F(Cuda, image_of_odd_chip_skipped) {
  Module module(1, {cubin("sm_", "cubin"),
                    cubin("sm_90x", "cubin"),
                    cubin("gfx90", "cubin"),
                    cubin("sm_90aa", "cubin"),
                    cubin("sm_0", "cubin"),
                    {"", "ptx", 3}});
  ASSERT_EQ(launch(module), "ok");
  EXPECT_STREQ(fake_last_launch().image, "ptx");
}

TEST_F(Cuda, negative_no_image) {
  Module module(1, {cubin("sm_80", "cubin"), cubin("sm_100a", "cubin")});
  EXPECT_EQ(launch(module),
            "BOOSTR_UNSUPPORTED: expected code for sm_90 (cuda:0), got sm_80, "
            "sm_100a");
  Module empty(2, {});
  EXPECT_EQ(launch(empty),
            "BOOSTR_UNSUPPORTED: expected code for sm_90 (cuda:0), got none");
}

TEST_F(Cuda, negative_ptx_with_words_of_compiler) {
  Module module(1, {{"", "ptx", 3}});
  fake_set_log("line 3: unknown instruction");
  EXPECT_EQ(launch(module), "BOOSTR_UNSUPPORTED: cuModuleLoadDataEx: "
                            "CUDA_ERROR_INVALID_PTX (words): line 3: unknown "
                            "instruction");
  // A failure is not kept.
  fake_set_log("");
  EXPECT_EQ(launch(module), "ok");
}

TEST_F(Cuda, negative_missing_kernel) {
  Module module(1);
  module.names[1] = "missing";
  EXPECT_EQ(launch(module), "BOOSTR_INTERNAL: cuModuleGetFunction: "
                            "CUDA_ERROR_NOT_FOUND (words), for kernel "
                            "'missing'");
  EXPECT_EQ(fake_num_modules(), 0);
}
