// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "boostr/runtime/cuda/CurrentContext.h"

#include <atomic>
#include <new>

using namespace boostr::runtime;
using namespace boostr::runtime::cuda;

//===----------------------------------------------------------------------===//
// Primary contexts
//===----------------------------------------------------------------------===//

namespace {
struct Primary {
  CUdevice device;
  CUcontext context;
  Primary *next;
};
} // namespace

boostr_status boostr::runtime::cuda::checkDevice(const Driver &driver,
                                                 int32_t ordinal) {
  int count = 0;
  if (CUresult result = driver.cuDeviceGetCount(&count))
    return failCall(driver, "cuDeviceGetCount", result);
  if (ordinal < 0 || ordinal >= count)
    return fail(BOOSTR_INVALID_ARGUMENT,
                Message{} << "device: expected one from cuda:0 to cuda:"
                          << int64_t{count - 1}
                          << ", got cuda:" << int64_t{ordinal});
  return BOOSTR_OK;
}

/// The primary context of a device, retained until the process ends, as the
/// memory that a host gets from it may live that long.
static boostr_status getPrimary(const Driver &driver, int32_t ordinal,
                                CUcontext &context) {
  static std::atomic<Primary *> all{nullptr};
  Primary *known = all.load(std::memory_order_acquire);
  for (Primary *it = known; it; it = it->next)
    if (it->device == ordinal) {
      context = it->context;
      return BOOSTR_OK;
    }
  if (boostr_status status = checkDevice(driver, ordinal))
    return status;
  CUdevice device;
  if (CUresult result = driver.cuDeviceGet(&device, ordinal))
    return failCall(driver, "cuDeviceGet", result);
  RelaxedCapture relaxed(driver);
  if (CUresult result = driver.cuDevicePrimaryCtxRetain(&context, device))
    return failCall(driver, "cuDevicePrimaryCtxRetain", result);
  // Threads that come here at once retain it once more and note it twice.
  auto *added = new (std::nothrow) Primary{ordinal, context, known};
  while (added && !all.compare_exchange_weak(added->next, added,
                                             std::memory_order_release,
                                             std::memory_order_relaxed))
    ;
  return BOOSTR_OK;
}

//===----------------------------------------------------------------------===//
// CurrentContext
//===----------------------------------------------------------------------===//

/// CU_STREAM_LEGACY and CU_STREAM_PER_THREAD, like null, are streams of
/// whatever CUcontext is current.
static bool isDefaultStream(CUstream stream) {
  return reinterpret_cast<uintptr_t>(stream) <= 2;
}

boostr_status CurrentContext::push(CUcontext other) {
  if (CUresult result = driver.cuCtxPushCurrent(other))
    return failCall(driver, "cuCtxPushCurrent", result);
  context = other;
  pushed = true;
  if (CUresult result = driver.cuCtxGetDevice(&device))
    return failCall(driver, "cuCtxGetDevice", result);
  return BOOSTR_OK;
}

boostr_status CurrentContext::keepOrReplace(Place place) {
  if (CUresult result = driver.cuCtxGetCurrent(&context))
    return failCall(driver, "cuCtxGetCurrent", result);
  if (context) {
    if (CUresult result = driver.cuCtxGetDevice(&device))
      return failCall(driver, "cuCtxGetDevice", result);
    if (place.device < 0 || place.device == device)
      return BOOSTR_OK;
  }
  CUcontext other = nullptr;
  bool isOfStream =
      !isDefaultStream(place.stream) &&
      driver.cuStreamGetCtx(place.stream, &other) == CUDA_SUCCESS && other;
  if (!isOfStream)
    if (boostr_status status =
            getPrimary(driver, place.device < 0 ? 0 : place.device, other))
      return status;
  if (boostr_status status = push(other))
    return status;
  if (place.device >= 0 && place.device != device)
    return fail(BOOSTR_INVALID_ARGUMENT,
                Message{} << "stream: expected one of device "
                          << DLDevice{kDLCUDA, place.device} << ", got one of "
                          << DLDevice{kDLCUDA, device});
  return BOOSTR_OK;
}

boostr_status CurrentContext::enter(Place place) {
  if (boostr_status status = keepOrReplace(place))
    return status;
  if (CUresult result = driver.cuCtxGetId(context, &id))
    return failCall(driver, "cuCtxGetId", result);
  return BOOSTR_OK;
}

CurrentContext::~CurrentContext() {
  CUcontext popped;
  if (pushed)
    (void)driver.cuCtxPopCurrent(&popped);
}
