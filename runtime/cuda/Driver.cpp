// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "boostr/runtime/cuda/Driver.h"

#include "boostr/runtime/cuda/Library.h"

using namespace boostr::runtime;
using namespace boostr::runtime::cuda;

static constexpr int oldestVersion = 12000;

//===----------------------------------------------------------------------===//
// Opening
//===----------------------------------------------------------------------===//

/// Looks all functions up; a null pointer, or the one that is not there.
static const char *lookUpAll(void *library, Driver &driver) {
#define BOOSTR_CUDA_LOOK_UP(FUNCTION, SYMBOL, PARAMETERS)                      \
  if (!lookUp(library, SYMBOL, driver.FUNCTION))                               \
    return SYMBOL;
  BOOSTR_CUDA_DRIVER_FUNCTIONS(BOOSTR_CUDA_LOOK_UP)
#undef BOOSTR_CUDA_LOOK_UP
  return nullptr;
}

static void open(OpenedLibrary<Driver> &attempt) {
  void *library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    const char *reason = dlerror();
    attempt.failure << "cannot open the CUDA driver: "
                    << (reason ? reason : "libcuda.so.1");
    return;
  }
  Driver &driver = attempt.functions;
  if (const char *missing = lookUpAll(library, driver)) {
    attempt.failure << "expected a CUDA driver for CUDA 12.0 or later, got a "
                       "libcuda.so.1 without '"
                    << missing << "'";
    return;
  }
  if (CUresult result = driver.cuInit(0)) {
    describe(attempt.failure, driver, "cuInit", result);
    return;
  }
  int version = 0;
  if (CUresult result = driver.cuDriverGetVersion(&version)) {
    describe(attempt.failure, driver, "cuDriverGetVersion", result);
    return;
  }
  if (version < oldestVersion) {
    attempt.failure << "expected a CUDA driver for CUDA 12.0 or later, got one "
                       "for "
                    << int64_t{version / 1000} << "."
                    << int64_t{version % 1000 / 10};
    return;
  }
  attempt.succeeded = true;
}

boostr_status boostr::runtime::cuda::getDriver(const Driver *&driver) {
  const auto *attempt = openOnce<Driver>(open, "the CUDA driver's");
  if (!attempt)
    return BOOSTR_OUT_OF_MEMORY;
  if (!attempt->succeeded)
    return fail(BOOSTR_UNAVAILABLE, attempt->failure);
  driver = &attempt->functions;
  return BOOSTR_OK;
}

//===----------------------------------------------------------------------===//
// Errors
//===----------------------------------------------------------------------===//

boostr_status boostr::runtime::cuda::statusOf(CUresult result) {
  switch (result) {
  case CUDA_SUCCESS:
    return BOOSTR_OK;
  case CUDA_ERROR_OUT_OF_MEMORY:
    return BOOSTR_OUT_OF_MEMORY;
  case CUDA_ERROR_NOT_INITIALIZED: // Also what a fork leads to.
  case CUDA_ERROR_DEINITIALIZED:
  case CUDA_ERROR_STUB_LIBRARY:
  case CUDA_ERROR_DEVICE_UNAVAILABLE:
  case CUDA_ERROR_NO_DEVICE:
  case CUDA_ERROR_DEVICE_NOT_LICENSED:
  case CUDA_ERROR_ECC_UNCORRECTABLE:
  case CUDA_ERROR_SYSTEM_NOT_READY:
  case CUDA_ERROR_SYSTEM_DRIVER_MISMATCH:
  case CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE:
    return BOOSTR_UNAVAILABLE;
  case CUDA_ERROR_NO_BINARY_FOR_GPU:
  case CUDA_ERROR_INVALID_PTX:
  case CUDA_ERROR_JIT_COMPILER_NOT_FOUND:
  case CUDA_ERROR_UNSUPPORTED_PTX_VERSION:
  case CUDA_ERROR_NOT_SUPPORTED:
    return BOOSTR_UNSUPPORTED;
  case CUDA_ERROR_INVALID_CONTEXT:
  case CUDA_ERROR_INVALID_HANDLE:
  case CUDA_ERROR_CONTEXT_IS_DESTROYED:
    return BOOSTR_INVALID_ARGUMENT;
  default:
    bool isOfCapture = result >= CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED &&
                       result <= CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD &&
                       result != CUDA_ERROR_CAPTURED_EVENT;
    return isOfCapture ? BOOSTR_INVALID_ARGUMENT : BOOSTR_INTERNAL;
  }
}

Message &boostr::runtime::cuda::describe(Message &message, const Driver &driver,
                                         const char *call, CUresult result) {
  message << call << ": ";
  const char *name = nullptr;
  if (driver.cuGetErrorName(result, &name) != CUDA_SUCCESS || !name)
    return message << "error " << int64_t{result};
  message << name;
  const char *words = nullptr;
  if (driver.cuGetErrorString(result, &words) == CUDA_SUCCESS && words)
    message << " (" << words << ")";
  return message;
}

boostr_status boostr::runtime::cuda::failCall(const Driver &driver,
                                              const char *call,
                                              CUresult result) {
  Message message{};
  return fail(statusOf(result), describe(message, driver, call, result));
}
