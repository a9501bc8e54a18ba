// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// The memory of CUDA invocations.

#ifndef BOOSTR_RUNTIME_CUDA_DEVICEMEMORY_H
#define BOOSTR_RUNTIME_CUDA_DEVICEMEMORY_H

#include "boostr/runtime/boostr_runtime.h"
#include "boostr/runtime/cuda/CurrentContext.h"
#include "boostr/runtime/cuda/DeviceMutexes.h"

#include <atomic>

namespace boostr::runtime::cuda {

/// A context's pools of memory, one for each device. They keep what is freed:
/// the device's own pool gives it to the system whenever a host waits for a
/// stream, and to get it back takes much longer than to launch a kernel.
class MemoryPools {
public:
  MemoryPools() = default;
  MemoryPools(const MemoryPools &) = delete;
  MemoryPools &operator=(const MemoryPools &) = delete;

  /// Gives all memory back.
  ~MemoryPools();

  /// Sets `pool` to that of the current device.
  boostr_status get(const CurrentContext &current, CUmemoryPool &pool);

private:
  struct Pool {
    const Driver &driver;
    CUdevice device;
    CUmemoryPool pool;
    Pool *next;
  };
  Pool *find(CUdevice device);

  std::atomic<Pool *> first{nullptr};
  /// Held to create a pool.
  DeviceMutexes mutexes;
};

class Run;

/// Where an invocation's blocks come from, in the order of its stream. A
/// failure is reported to the current frame's invocation.
boostr_allocator makeAllocator(Run &run);

} // namespace boostr::runtime::cuda

#endif // BOOSTR_RUNTIME_CUDA_DEVICEMEMORY_H
