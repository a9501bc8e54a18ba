// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// What an invocation of a CUDA function needs.

#ifndef BOOSTR_RUNTIME_CUDA_RUN_H
#define BOOSTR_RUNTIME_CUDA_RUN_H

#include "boostr/runtime/cuda/CurrentContext.h"
#include "boostr/runtime/cuda/Resources.h"

namespace boostr::runtime {
struct Frame;
} // namespace boostr::runtime

namespace boostr::runtime::cuda {

/// An invocation of a CUDA function, on the thread that made it.
class Run {
public:
  Run(const Driver &driver, Resources &resources, CUstream stream)
      : current(driver), resources(resources), stream(stream),
        allocator(makeAllocator(*this)) {}

  CurrentContext current;
  Resources &resources;
  const CUstream stream;
  const boostr_allocator allocator;
  /// Whether the kernel that compiled code asked for last was launched.
  bool hasLaunchedLast = false;
};

/// Whether the calling thread has a current CUcontext.
bool hasCurrentContext(const Driver &driver);

/// The device of the memory that the first of `count` memref descriptors with
/// memory of a device describes; -1 if there is none.
int32_t findDevice(const Driver &driver, void *const *descriptors,
                   int64_t count);

/// The frame of compiled code that has called the runtime's function `name`,
/// which may only be called in invocations of CUDA functions, and not from
/// tasks. Leaves the frame otherwise; null outside of invocations.
Frame *enterFromCode(const char *name);

/// Leaves a frame for a failure, which is the calling thread's last error.
[[noreturn]] void leave(Frame &frame, boostr_status status);

} // namespace boostr::runtime::cuda

#endif // BOOSTR_RUNTIME_CUDA_RUN_H
