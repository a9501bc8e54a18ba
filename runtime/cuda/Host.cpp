// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Devices and their memory, for hosts that do not know CUDA otherwise.

#include "boostr/runtime/cuda/CurrentContext.h"
#include "boostr/runtime/cuda/Modules.h"

#include <algorithm>

using namespace boostr::runtime;
using namespace boostr::runtime::cuda;

/// Calls body(driver) with a CUcontext of the device current.
template <typename Body>
static boostr_status onDevice(int32_t device, void *stream, Body body) {
  const Driver *driver;
  if (boostr_status status = getDriver(driver))
    return status;
  // Not what it means to a Place.
  if (device < 0)
    return checkDevice(*driver, device);
  CurrentContext current(*driver);
  if (boostr_status status =
          current.enter({static_cast<CUstream>(stream), device}))
    return status;
  return body(*driver);
}

static CUdeviceptr toAddress(const void *pointer) {
  return reinterpret_cast<uintptr_t>(pointer);
}

boostr_status boostr_cuda_device_count(int32_t *count) noexcept {
  if (!count)
    return fail(BOOSTR_INVALID_ARGUMENT,
                "count: expected a place for the result, got a null pointer");
  const Driver *driver;
  if (boostr_status status = getDriver(driver))
    return status;
  int number = 0;
  if (CUresult result = driver->cuDeviceGetCount(&number))
    return failCall(*driver, "cuDeviceGetCount", result);
  if (number == 0)
    return fail(BOOSTR_UNAVAILABLE, "the CUDA driver found no device");
  *count = number;
  return BOOSTR_OK;
}

boostr_status boostr_cuda_compute_capability(int32_t device,
                                             int32_t *capability) noexcept {
  if (!capability)
    return fail(
        BOOSTR_INVALID_ARGUMENT,
        "capability: expected a place for the result, got a null pointer");
  const Driver *driver;
  if (boostr_status status = getDriver(driver))
    return status;
  if (boostr_status status = checkDevice(*driver, device))
    return status;
  CUdevice handle;
  if (CUresult result = driver->cuDeviceGet(&handle, device))
    return failCall(*driver, "cuDeviceGet", result);
  return getCapability(*driver, handle, *capability);
}

boostr_status boostr_cuda_allocate(int32_t device, size_t bytes,
                                   void **block) noexcept {
  if (!block)
    return fail(BOOSTR_INVALID_ARGUMENT,
                "block: expected a place for the result, got a null pointer");
  return onDevice(device, nullptr, [&](const Driver &driver) {
    CUdeviceptr allocated;
    // The driver refuses zero bytes.
    if (CUresult result =
            driver.cuMemAlloc(&allocated, std::max<size_t>(bytes, 1)))
      return failCall(driver, "cuMemAlloc", result);
    *block = reinterpret_cast<void *>(static_cast<uintptr_t>(allocated));
    return BOOSTR_OK;
  });
}

boostr_status boostr_cuda_release(int32_t device, void *block) noexcept {
  if (!block)
    return BOOSTR_OK;
  return onDevice(device, nullptr, [&](const Driver &driver) {
    CUresult result = driver.cuMemFree(toAddress(block));
    return result ? failCall(driver, "cuMemFree", result) : BOOSTR_OK;
  });
}

boostr_status boostr_cuda_copy(int32_t device, void *stream, void *to,
                               const void *from, size_t bytes) noexcept {
  return onDevice(device, stream, [&](const Driver &driver) {
    auto *queue = static_cast<CUstream>(stream);
    if (bytes > 0)
      if (CUresult result = driver.cuMemcpyAsync(toAddress(to), toAddress(from),
                                                 bytes, queue))
        return failCall(driver, "cuMemcpyAsync", result);
    CUresult result = driver.cuStreamSynchronize(queue);
    return result ? failCall(driver, "cuStreamSynchronize", result) : BOOSTR_OK;
  });
}

boostr_status boostr_cuda_synchronize(int32_t device, void *stream) noexcept {
  return onDevice(device, stream, [&](const Driver &driver) {
    CUresult result = driver.cuStreamSynchronize(static_cast<CUstream>(stream));
    return result ? failCall(driver, "cuStreamSynchronize", result) : BOOSTR_OK;
  });
}
