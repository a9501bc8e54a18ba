// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Memory of devices from an allocator that a host brought.

#ifndef BOOSTR_RUNTIME_CUDA_HOSTALLOCATOR_H
#define BOOSTR_RUNTIME_CUDA_HOSTALLOCATOR_H

#include "boostr/runtime/boostr_runtime.h"
#include "boostr/runtime/cuda/DriverApi.h"

namespace boostr::runtime::cuda {

/// What a block is for.
struct BlockPlace {
  CUdevice device;
  CUstream stream;
};

/// Sets `block` to one of the allocator's, at a multiple of `alignment`.
/// Errors: those of the allocator, and INTERNAL where it breaks its contract;
/// the message has its name.
boostr_status takeBlock(const boostr_cuda_allocator &allocator,
                        BlockPlace place, size_t bytes, size_t alignment,
                        void *&block);

/// Gives a block of takeBlock back.
void giveBlockBack(const boostr_cuda_allocator &allocator, BlockPlace place,
                   void *block, size_t bytes);

} // namespace boostr::runtime::cuda

#endif // BOOSTR_RUNTIME_CUDA_HOSTALLOCATOR_H
