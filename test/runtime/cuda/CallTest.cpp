// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Calls of CUDA functions: what their arguments must be, where they run.

#include "CudaFixtures.h"

#include <thread>

using namespace boostr::runtime::test;

namespace {
/// A function of two inputs and an output, and tensors for it on a device.
class CudaCall : public Cuda {
protected:
  CudaCall() {
    function.raw.device_type = kDLCUDA;
    for (Tensor *tensor : {&x, &y, &z}) {
      EXPECT_EQ(boostr_cuda_allocate(0, 64, &tensor->dl.data), BOOSTR_OK);
      tensor->dl.device = {kDLCUDA, 0};
      blocks.push_back(tensor->dl.data);
    }
    fake_forget();
  }
  ~CudaCall() override {
    for (void *block : blocks)
      EXPECT_EQ(boostr_cuda_release(0, block), BOOSTR_OK);
  }

  std::string call(void *stream = nullptr) {
    const DLTensor *inputs[] = {&x.dl, &y.dl}, *outputs[] = {&z.dl};
    return outcome(boostr_call_on_stream(context.get(), stream, &function.raw,
                                         inputs, 2, outputs, 1));
  }

  /// The message without the status, which is that of all mistakes here.
  std::string refusal() {
    const std::string status = "BOOSTR_INVALID_ARGUMENT: ";
    std::string result = call();
    return result.substr(0, status.size()) == status
               ? result.substr(status.size())
               : result;
  }

  static void code(void **descriptors) {
    static Module module(7);
    boostr_cuda_grid shape = grid();
    boostr_cuda_launch(&module.raw, 0, &shape, descriptors);
  }

  Tensor x{f32, {4}}, y{f32, {4}}, z{f32, {4}};
  Function function{
      {{"x", f32, {4}}, {"y", f32, {4}}}, {{"z", f32, {4}}}, code};
  std::vector<void *> blocks;
};
} // namespace

//===----------------------------------------------------------------------===//
// Where it runs
//===----------------------------------------------------------------------===//

TEST_F(CudaCall, on_primary_context) {
  ASSERT_EQ(call(), "ok");
  EXPECT_EQ(fake_last_launch().context, fake_primary_context(0));
  EXPECT_EQ(fake_last_launch().stream, nullptr);
  EXPECT_EQ(fake_current_context(), nullptr);
}

TEST_F(CudaCall, on_current_context) {
  void *own = fake_create_context(0);
  fake_set_current_context(own);
  ASSERT_EQ(call(), "ok");
  EXPECT_EQ(fake_last_launch().context, own);
  EXPECT_EQ(fake_current_context(), own);
}

TEST_F(CudaCall, on_device_of_tensors) {
  void *other = fake_primary_context(1);
  fake_set_current_context(other);
  ASSERT_EQ(call(), "ok");
  EXPECT_EQ(fake_last_launch().context, fake_primary_context(0));
  EXPECT_EQ(fake_current_context(), other);
}

TEST_F(CudaCall, on_context_of_stream) {
  void *own = fake_create_context(0);
  void *stream = fake_create_stream(own);
  ASSERT_EQ(call(stream), "ok");
  EXPECT_EQ(fake_last_launch().context, own);
  EXPECT_EQ(fake_last_launch().stream, stream);
  EXPECT_EQ(fake_current_context(), nullptr);
}

TEST_F(CudaCall, on_named_default_streams) {
  // CU_STREAM_LEGACY, CU_STREAM_PER_THREAD.
  for (uintptr_t stream : {1, 2}) {
    auto *named = reinterpret_cast<void *>(stream);
    ASSERT_EQ(call(named), "ok");
    EXPECT_EQ(fake_last_launch().stream, named);
    EXPECT_EQ(fake_last_launch().context, fake_primary_context(0));
  }
}

TEST_F(CudaCall, without_stream) {
  const DLTensor *inputs[] = {&x.dl, &y.dl}, *outputs[] = {&z.dl};
  ASSERT_EQ(
      outcome(boostr_call(context.get(), &function.raw, inputs, 2, outputs, 1)),
      "ok");
  EXPECT_EQ(fake_last_launch().context, fake_primary_context(0));
  EXPECT_EQ(fake_last_launch().stream, nullptr);
}

TEST_F(CudaCall, plain_entry_on_device_of_memory) {
  void *block = nullptr;
  ASSERT_EQ(boostr_cuda_allocate(1, 64, &block), BOOSTR_OK);
  boostr_memref_1d descriptor{block, block, 0, {4}, {1}};
  void *descriptors[] = {&descriptor, &descriptor, &descriptor};
  ASSERT_EQ(outcome(boostr_invoke(context.get(), &function.raw, descriptors)),
            "ok");
  EXPECT_EQ(fake_last_launch().context, fake_primary_context(1));
  // No look at the memory where it does not matter.
  fake_forget();
  fake_set_current_context(fake_primary_context(0));
  ASSERT_EQ(outcome(boostr_invoke(context.get(), &function.raw, descriptors)),
            "ok");
  EXPECT_EQ(fake_last_launch().context, fake_primary_context(0));
  EXPECT_EQ(fake_count("cuPointerGetAttribute"), 0);
  EXPECT_EQ(boostr_cuda_release(1, block), BOOSTR_OK);
}

TEST_F(CudaCall, from_many_threads) {
  std::vector<std::thread> threads;
  std::atomic<int> succeeded{0};
  for (int i = 0; i < 8; ++i)
    threads.emplace_back([&] {
      void *stream = fake_create_stream(fake_primary_context(0));
      for (int j = 0; j < 100; ++j)
        if (call(stream) == "ok")
          ++succeeded;
    });
  for (std::thread &thread : threads)
    thread.join();
  EXPECT_EQ(succeeded, 800);
  EXPECT_EQ(fake_num_modules(), 1);
}

TEST_F(CudaCall, negative_stream_of_other_device) {
  EXPECT_EQ(call(fake_create_stream(fake_primary_context(1))),
            "BOOSTR_INVALID_ARGUMENT: stream: expected one of device cuda:0, "
            "got one of cuda:1");
  EXPECT_EQ(fake_num_launches(), 0);
  EXPECT_EQ(fake_current_context(), nullptr);
}

//===----------------------------------------------------------------------===//
// Arguments
//===----------------------------------------------------------------------===//

TEST_F(CudaCall, managed_memory) {
  y.dl.device = {kDLCUDAManaged, 0};
  EXPECT_EQ(call(), "ok");
}

TEST_F(CudaCall, negative_device) {
  y.dl.device = {kDLCUDA, 1};
  EXPECT_EQ(refusal(), "argument 1 'y': expected device cuda:0, got cuda:1");
  y.dl.device = {kDLCUDAHost, 0};
  EXPECT_EQ(refusal(),
            "argument 1 'y': expected device cuda:0, got cuda-host:0");
  y.dl.device = x.dl.device;
  z.dl.device = {kDLCPU, 0};
  EXPECT_EQ(refusal(), "output 0 'z': expected device cuda:0, got cpu");
  for (DLDevice device : {DLDevice{kDLCPU, 0}, DLDevice{kDLROCM, 0}}) {
    x.dl.device = device;
    EXPECT_EQ(refusal().substr(0, 38),
              "argument 0 'x': expected device cuda, ");
  }
  x.dl.device = {kDLCUDA, -1};
  EXPECT_EQ(refusal(), "argument 0 'x': expected device cuda, got cuda:-1");
  EXPECT_EQ(fake_count_all(), 0);
}

TEST_F(CudaCall, negative_device_that_is_not_there) {
  for (Tensor *tensor : {&x, &y, &z})
    tensor->dl.device = {kDLCUDA, 2};
  EXPECT_EQ(refusal(),
            "device: expected one from cuda:0 to cuda:1, got cuda:2");
}

TEST_F(CudaCall, negative_alignment) {
  y.dl.byte_offset = 8;
  EXPECT_EQ(refusal().substr(0, 65), "argument 1 'y': expected data aligned to "
                                     "16 bytes, got address 0x");
  y.dl.byte_offset = 16;
  EXPECT_EQ(call(), "ok");
}

TEST_F(CudaCall, negative_overlap) {
  z.dl.data = y.dl.data;
  EXPECT_EQ(refusal(), "output 0 'z': expected memory of its own, got memory "
                       "shared with argument 1 'y'");
}

//===----------------------------------------------------------------------===//
// Functions
//===----------------------------------------------------------------------===//

TEST_F(CudaCall, negative_stream_for_cpu) {
  function.raw.device_type = kDLCPU;
  const char *message = "function 'test_function': expected one for cuda, got "
                        "one for cpu";
  EXPECT_EQ(refusal(), message);
  EXPECT_EQ(outcome(boostr_invoke_on_stream(context.get(), nullptr,
                                            &function.raw, nullptr)),
            std::string("BOOSTR_INVALID_ARGUMENT: ") + message);
}

TEST_F(CudaCall, negative_device_type) {
  function.raw.device_type = kDLROCM;
  EXPECT_EQ(call(), "BOOSTR_UNSUPPORTED: function: expected one for cpu or "
                    "cuda, got one for device type 10");
}

TEST_F(CudaCall, negative_null) {
  EXPECT_EQ(outcome(boostr_invoke_on_stream(context.get(), nullptr,
                                            &function.raw, nullptr)),
            "BOOSTR_INVALID_ARGUMENT: descriptors: expected an array, got a "
            "null pointer");
  EXPECT_EQ(boostr_call_on_stream(context.get(), nullptr, nullptr, nullptr, 0,
                                  nullptr, 0),
            BOOSTR_INVALID_ARGUMENT);
}

/// What a compiler of minor version 0 wrote ends before `device_type`.
TEST_F(Cuda, function_of_minor_version_0) {
  constexpr size_t bytes = offsetof(boostr_function, device_type);
  // With the wrong number where the field would be, in memory that a sanitizer
  // guards.
  auto memory = std::make_unique<unsigned char[]>(bytes);
  boostr_function old{};
  old.abi_version = 1000;
  old.name = "old";
  bool ran = false;
  static bool *flag;
  flag = &ran;
  old.packed = [](void **) { *flag = true; };
  std::memcpy(memory.get(), &old, bytes);
  auto *function = reinterpret_cast<boostr_function *>(memory.get());
  EXPECT_EQ(
      outcome(boostr_call(context.get(), function, nullptr, 0, nullptr, 0)),
      "ok");
  EXPECT_TRUE(ran);
  EXPECT_EQ(outcome(boostr_invoke(context.get(), function, nullptr)), "ok");
  EXPECT_EQ(outcome(boostr_call_on_stream(context.get(), nullptr, function,
                                          nullptr, 0, nullptr, 0)),
            "BOOSTR_INVALID_ARGUMENT: function 'old': expected one for cuda, "
            "got one for cpu");
  EXPECT_EQ(fake_count_all(), 0);
}
