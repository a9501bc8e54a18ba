// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// What boostr_call demands of its arguments, rule by rule. Each function here
// returns BOOSTR_OK or has set the calling thread's last error.

#ifndef BOOSTR_RUNTIME_VALIDATE_H
#define BOOSTR_RUNTIME_VALIDATE_H

#include "boostr/runtime/boostr_runtime.h"

namespace boostr::runtime {

/// A tensor of a caller, with the place where it stands.
struct Argument {
  const DLTensor *tensor;
  const boostr_tensor_spec *spec;
  int32_t index;
  bool isOutput;
};

/// The inputs or the outputs of a call.
struct ArgumentList {
  const DLTensor *const *tensors;
  const boostr_tensor_spec *specs;
  int32_t count;
  bool isOutput;

  Argument operator[](int32_t i) const {
    return {tensors[i], specs + i, i, isOutput};
  }
};

/// That there is a function, of a version of the interface that we know, with
/// code that this CPU can run. If it has variants, `function` becomes the one
/// to run.
boostr_status checkFunction(const boostr_function *&function);

/// Where a function that passed checkFunction runs.
DLDeviceType deviceType(const boostr_function &function);

/// That such a function can be called on a stream.
boostr_status checkIsForCuda(const boostr_function &function);

/// That the description of a function that passed checkFunction makes sense.
boostr_status checkDescription(const boostr_function &function);

/// That there are as many tensors as specs.
boostr_status checkCount(const ArgumentList &arguments, int32_t count);

/// That the tensor is there and has the element type and the rank of its spec,
/// and extents whose product can be held in memory.
boostr_status checkType(const Argument &argument);

/// That the extents are those of the spec where it is static.
boostr_status checkStaticExtents(const Argument &argument);

/// Computes the extents of all outputs from those of the inputs, which passed
/// the checks above: that they fulfil the function's constraints.
boostr_status computeOutputExtents(const boostr_function &function,
                                   const ArgumentList &inputs,
                                   const int64_t *inputExtents,
                                   int64_t *outputExtents);

/// That the extents are these.
boostr_status checkExtents(const Argument &argument, const int64_t *expected);

/// That compiled code for `device` can use the memory where it is: device,
/// strides, address. A device_id of -1 stands for any, and becomes that of the
/// tensor. The tensor has passed checkType.
boostr_status checkMemory(const Argument &argument, DLDevice &device);

/// That the bytes of an input are a weight packed as `layout` says, if they are
/// where the CPU can read them; the checks above say so if not.
boostr_status checkLayout(const Argument &argument, const char *layout);

/// How the bytes of an input must be packed; null if they need not be.
const char *inputLayout(const boostr_function &function, int32_t index);

/// That no output shares memory with another argument. All arguments have
/// passed checkMemory.
boostr_status checkOverlap(const ArgumentList &inputs,
                           const ArgumentList &outputs);

/// Where the first element of a tensor that passed checkMemory lies.
void *firstElement(const DLTensor &tensor);

} // namespace boostr::runtime

#endif // BOOSTR_RUNTIME_VALIDATE_H
