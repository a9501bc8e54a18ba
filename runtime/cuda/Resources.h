// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// What a boostr_context holds for CUDA functions.

#ifndef BOOSTR_RUNTIME_CUDA_RESOURCES_H
#define BOOSTR_RUNTIME_CUDA_RESOURCES_H

#include "boostr/runtime/cuda/DeviceMemory.h"
#include "boostr/runtime/cuda/Modules.h"
#include "boostr/runtime/cuda/Products.h"

#include <atomic>

namespace boostr::runtime::cuda {

/// Empty until a CUDA function is called.
struct Resources {
  explicit Resources(const boostr_cuda_allocator *allocator)
      : allocator(allocator ? *allocator : boostr_cuda_allocator{}) {}

  /// The host's allocator; its functions are null if there is none, and memory
  /// comes from `pools`.
  const boostr_cuda_allocator allocator;
  /// Of the first devices, the number of multiprocessors; 0 is not known yet.
  static constexpr int32_t numKnownDevices = 16;
  std::atomic<int32_t> multiprocessors[numKnownDevices] = {};
  ModuleCache modules;
  MemoryPools pools;
  ProductCache products;
};

} // namespace boostr::runtime::cuda

#endif // BOOSTR_RUNTIME_CUDA_RESOURCES_H
