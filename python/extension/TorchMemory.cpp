// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "TorchMemory.h"
#include "LoadedLibrary.h"
#include <memory>

using namespace boostr_python;

namespace {

/// Functions of PyTorch's stable C interface, which return 0 for success.
struct CachingAllocator {
  /// For the current device and PyTorch's current stream of it.
  int (*allocate)(uint64_t bytes, void **block);
  /// Takes the block back in the order of the stream it was allocated for.
  int (*release)(void *block);
  /// Makes a device current until the guard is deleted.
  int (*createGuard)(int32_t device, void **guard);
  int (*deleteGuard)(void *guard);

  bool load() {
    LoadedLibrary torch("libtorch_cuda.so");
    return torch.find("aoti_torch_cuda_caching_allocator_raw_alloc",
                      allocate) &&
           torch.find("aoti_torch_cuda_caching_allocator_raw_delete",
                      release) &&
           torch.find("aoti_torch_create_cuda_guard", createGuard) &&
           torch.find("aoti_torch_delete_cuda_guard", deleteGuard);
  }
};

} // namespace

/// The stream is PyTorch's current one of the device, by which whoever makes
/// the call found it; and PyTorch's blocks begin at multiples of 512.
static boostr_status allocate(void *state, size_t bytes, size_t, int32_t device,
                              void *, void **block) {
  const auto &torch = *static_cast<const CachingAllocator *>(state);
  void *guard = nullptr;
  if (torch.createGuard(device, &guard))
    return BOOSTR_UNAVAILABLE;
  int error = torch.allocate(bytes, block);
  torch.deleteGuard(guard);
  // What may fail is that there is none. PyTorch has logged more.
  return error ? BOOSTR_OUT_OF_MEMORY : BOOSTR_OK;
}

static void release(void *state, void *block, size_t, int32_t, void *) {
  static_cast<const CachingAllocator *>(state)->release(block);
}

static boostr_context *createContext() {
  auto torch = std::make_unique<CachingAllocator>();
  if (!torch->load())
    return nullptr;
  boostr_cuda_allocator allocator = {torch.get(), "PyTorch", &allocate,
                                     &release};
  boostr_context_options options = {};
  options.size = sizeof(options);
  // Of no concern to CUDA functions.
  options.num_threads = 1;
  options.cuda_allocator = &allocator;
  boostr_context *context = nullptr;
  if (boostr_context_create(&options, &context) != BOOSTR_OK)
    return nullptr;
  // It lives as long as the context.
  (void)torch.release();
  return context;
}

boostr_context *boostr_python::getTorchCudaContext() {
  static boostr_context *const context = createContext();
  return context;
}
