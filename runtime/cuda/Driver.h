// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// NVIDIA's driver, opened when first needed, and the words for its errors.

#ifndef BOOSTR_RUNTIME_CUDA_DRIVER_H
#define BOOSTR_RUNTIME_CUDA_DRIVER_H

#include "boostr/runtime/Status.h"
#include "boostr/runtime/cuda/DriverApi.h"

namespace boostr::runtime::cuda {

/// The driver's functions, as members of their names.
struct Driver {
#define BOOSTR_CUDA_MEMBER(FUNCTION, SYMBOL, PARAMETERS)                       \
  CUresult(*FUNCTION) PARAMETERS;
  BOOSTR_CUDA_DRIVER_FUNCTIONS(BOOSTR_CUDA_MEMBER)
#undef BOOSTR_CUDA_MEMBER
};

/// Sets `driver` to the driver of this process, initialized. The outcome of the
/// first call is that of all later ones. Errors: UNAVAILABLE.
boostr_status getDriver(const Driver *&driver);

/// What a caller can do about an error.
boostr_status statusOf(CUresult result);

/// Appends "cuInit: CUDA_ERROR_NO_DEVICE (no CUDA-capable device is detected)".
Message &describe(Message &message, const Driver &driver, const char *call,
                  CUresult result);

/// Makes the error of a call the calling thread's last one.
boostr_status failCall(const Driver &driver, const char *call, CUresult result);

/// A stretch in which the calling thread may do what would spoil the capture of
/// a graph if it concerned a captured stream, as loading a module does not.
class RelaxedCapture {
public:
  explicit RelaxedCapture(const Driver &driver) : driver(driver) { exchange(); }
  RelaxedCapture(const RelaxedCapture &) = delete;
  RelaxedCapture &operator=(const RelaxedCapture &) = delete;
  ~RelaxedCapture() { exchange(); }

private:
  void exchange() { driver.cuThreadExchangeStreamCaptureMode(&mode); }

  const Driver &driver;
  CUstreamCaptureMode mode = CU_STREAM_CAPTURE_MODE_RELAXED;
};

} // namespace boostr::runtime::cuda

#endif // BOOSTR_RUNTIME_CUDA_DRIVER_H
