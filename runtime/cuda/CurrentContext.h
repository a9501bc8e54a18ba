// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Which CUcontext a call uses, and having it current meanwhile.

#ifndef BOOSTR_RUNTIME_CUDA_CURRENTCONTEXT_H
#define BOOSTR_RUNTIME_CUDA_CURRENTCONTEXT_H

#include "boostr/runtime/cuda/Driver.h"

namespace boostr::runtime::cuda {

/// What a call is about, as far as its caller said.
struct Place {
  /// Null for the legacy default stream.
  CUstream stream;
  /// -1 if not known: any will do.
  int32_t device;
};

/// That there is such a device.
boostr_status checkDevice(const Driver &driver, int32_t ordinal);

/// A CUcontext that is current on this thread as long as this lives.
class CurrentContext {
public:
  explicit CurrentContext(const Driver &driver) : driver(driver) {}
  CurrentContext(const CurrentContext &) = delete;
  CurrentContext &operator=(const CurrentContext &) = delete;
  ~CurrentContext();

  /// Keeps the thread's CUcontext if it is of the place's device. Otherwise
  /// makes that of the stream current and, for a default stream, the primary
  /// one of the device. Call it once.
  boostr_status enter(Place place);

  const Driver &driver;
  CUcontext context = nullptr;
  CUdevice device = 0;

  /// A number that no other CUcontext of this process has or had.
  unsigned long long id = 0;

private:
  boostr_status keepOrReplace(Place place);
  boostr_status push(CUcontext other);

  bool pushed = false;
};

} // namespace boostr::runtime::cuda

#endif // BOOSTR_RUNTIME_CUDA_CURRENTCONTEXT_H
