// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Stand-ins for compiled CUDA functions and for tensors on a device.

#ifndef BOOSTR_TEST_RUNTIME_CUDA_CUDAFIXTURES_H
#define BOOSTR_TEST_RUNTIME_CUDA_CUDAFIXTURES_H

#include "../Fixtures.h"
#include "fake_driver.h"

namespace boostr::runtime::test {

/// A module with two kernels, valid and spoilable.
class Module {
public:
  explicit Module(uint8_t number,
                  std::vector<boostr_cuda_image> moreImages =
                      {{"sm_90a", "cubin sm_90a", 13}, {"", "ptx", 3}})
      : images(std::move(moreImages)) {
    raw.key[0] = number;
    raw.num_images = static_cast<int32_t>(images.size());
    raw.images = images.data();
    raw.num_kernels = 2;
    raw.kernels = names;
  }
  Module(const Module &) = delete;
  Module &operator=(const Module &) = delete;

  const char *names[2] = {"first", "second"};
  std::vector<boostr_cuda_image> images;
  boostr_cuda_module raw{};
};

inline boostr_cuda_grid grid(uint32_t x = 1, uint32_t sharedBytes = 0) {
  return {{x, 1, 1}, {128, 1, 1}, {0, 0, 0}, sharedBytes};
}

/// Runs `body` as the code of a CUDA function. The rule is that of invoke.
inline boostr_status invokeCuda(boostr_context *context,
                                const std::function<void()> &body,
                                void *stream = nullptr) {
  static const boostr_function function = [] {
    boostr_function result{};
    result.abi_version = BOOSTR_ABI_VERSION;
    result.name = "invoke";
    result.num_inputs = 1;
    result.device_type = kDLCUDA;
    result.packed = [](void **descriptors) {
      (*static_cast<const std::function<void()> *>(
          static_cast<boostr_memref_0d *>(descriptors[0])->allocated))();
    };
    return result;
  }();
  boostr_memref_0d descriptor{const_cast<std::function<void()> *>(&body),
                              nullptr, 0};
  void *descriptors[] = {&descriptor};
  return boostr_invoke_on_stream(context, stream, &function, descriptors);
}

/// A context, and a driver that has forgotten the test before.
class Cuda : public testing::Test {
protected:
  Cuda() { fake_forget(); }
  ~Cuda() override {
    context.reset();
    EXPECT_EQ(fake_num_modules(), 0);
    EXPECT_EQ(fake_num_blocks(), 0);
    EXPECT_EQ(fake_num_pools(), 0);
    fake_set_current_context(nullptr);
    fake_set_capability(0, 90);
    fake_set_capability(1, 80);
  }

  /// Launches on `stream`, and what became of it.
  std::string launch(const Module &module, void *stream = nullptr,
                     boostr_cuda_grid shape = grid(), int32_t kernel = 0) {
    return outcome(invokeCuda(
        context.get(),
        [&] { boostr_cuda_launch(&module.raw, kernel, &shape, nullptr); },
        stream));
  }

  ContextPtr context = makeContext(1);
};

} // namespace boostr::runtime::test

#endif // BOOSTR_TEST_RUNTIME_CUDA_CUDAFIXTURES_H
