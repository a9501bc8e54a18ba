// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// A mutex for each device.

#ifndef BOOSTR_RUNTIME_CUDA_DEVICEMUTEXES_H
#define BOOSTR_RUNTIME_CUDA_DEVICEMUTEXES_H

#include "boostr/runtime/cuda/DriverApi.h"

#include <cstddef>
#include <mutex>

namespace boostr::runtime::cuda {

/// What is held to set something up in the driver, which may wait until the
/// device has done all its work. If that is an exchange with another device,
/// whose thread has yet to ask for its part, this thread must be able to go on.
class DeviceMutexes {
public:
  std::mutex &operator[](CUdevice device) {
    return mutexes[static_cast<size_t>(device) % count];
  }

private:
  // Of more devices some share one.
  static constexpr size_t count = 32;
  std::mutex mutexes[count];
};

} // namespace boostr::runtime::cuda

#endif // BOOSTR_RUNTIME_CUDA_DEVICEMUTEXES_H
