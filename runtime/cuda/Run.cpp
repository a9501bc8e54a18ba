// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "boostr/runtime/cuda/Run.h"

#include "boostr/runtime/Invocation.h"

using namespace boostr::runtime;
using namespace boostr::runtime::cuda;

bool boostr::runtime::cuda::hasCurrentContext(const Driver &driver) {
  CUcontext context = nullptr;
  return driver.cuCtxGetCurrent(&context) == CUDA_SUCCESS && context;
}

int32_t boostr::runtime::cuda::findDevice(const Driver &driver,
                                          void *const *descriptors,
                                          int64_t count) {
  for (int64_t i = 0; i < count; ++i) {
    // All descriptors begin like this one.
    const auto *descriptor =
        static_cast<const boostr_memref_0d *>(descriptors[i]);
    int device = -1;
    if (driver.cuPointerGetAttribute(
            &device, CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL,
            reinterpret_cast<uintptr_t>(descriptor->aligned)) == CUDA_SUCCESS)
      return device;
  }
  return -1;
}

Frame *boostr::runtime::cuda::enterFromCode(const char *name) {
  Frame *frame = currentFrame();
  if (!frame) {
    (void)fail(BOOSTR_INTERNAL, Message{}
                                    << name
                                    << ": expected to be called by a CUDA "
                                       "function");
    return nullptr;
  }
  bool isTask =
      frame->parent && &frame->parent->invocation == &frame->invocation;
  if (!frame->invocation.run || isTask)
    leave(*frame,
          fail(BOOSTR_INTERNAL,
               Message{} << name
                         << ": expected to be called by a CUDA "
                            "function, got a call by a "
                         << (isTask ? "task" : "function for the CPU")));
  return frame;
}

void boostr::runtime::cuda::leave(Frame &frame, boostr_status status) {
  frame.invocation.report(status, lastFailure());
  frame.leave();
}
