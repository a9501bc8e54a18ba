// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// The checked entries: DLPack tensors in, memref descriptors on.

#include "boostr/runtime/Invocation.h"
#include "boostr/runtime/Validate.h"

#include <cstdlib>
#include <initializer_list>

using namespace boostr::runtime;

namespace {
/// A memref descriptor of any rank: sizes, then strides, follow each other.
struct Descriptor {
  void *allocated;
  void *aligned;
  int64_t offset;
  int64_t sizesAndStrides[2 * BOOSTR_MAX_RANK];
};
static_assert(sizeof(Descriptor) == sizeof(boostr_memref_8d));

/// An array whose length a call brings along, in place while that is small.
template <typename T, size_t NumInPlace> class Array {
public:
  explicit Array(size_t count)
      : elements(count <= NumInPlace
                     ? inPlace
                     : static_cast<T *>(std::calloc(count, sizeof(T)))) {}
  ~Array() {
    if (elements != inPlace)
      std::free(elements);
  }
  Array(const Array &) = delete;
  Array &operator=(const Array &) = delete;

  /// Null if there is no memory.
  T *get() { return elements; }

private:
  T inPlace[NumInPlace];
  T *elements;
};

/// Most functions have fewer arguments.
constexpr size_t usualNumArguments = 16;
using Extents = Array<int64_t, usualNumArguments * 4>;
using Descriptors = Array<Descriptor, usualNumArguments>;
using Pointers = Array<void *, usualNumArguments>;
} // namespace

static size_t sumOfRanks(const boostr_tensor_spec *specs, int32_t count) {
  size_t sum = 0;
  for (int32_t i = 0; i < count; ++i)
    sum += specs[i].rank;
  return sum;
}

static boostr_status failForMemory() {
  return fail(BOOSTR_OUT_OF_MEMORY, "cannot allocate memory for the checks");
}

/// Checks what the shapes of the outputs depend on, and computes these.
static boostr_status checkInputTypes(const boostr_function &function,
                                     const ArgumentList &inputs,
                                     int64_t *outputExtents) {
  for (int32_t i = 0; i < inputs.count; ++i) {
    if (boostr_status status = checkType(inputs[i]))
      return status;
    if (boostr_status status = checkStaticExtents(inputs[i]))
      return status;
  }
  Extents extents(sumOfRanks(inputs.specs, inputs.count));
  int64_t *next = extents.get();
  if (!next)
    return failForMemory();
  for (int32_t i = 0; i < inputs.count; ++i)
    for (int32_t j = 0; j < inputs[i].tensor->ndim; ++j)
      *next++ = inputs[i].tensor->shape[j];
  return computeOutputExtents(function, inputs, extents.get(), outputExtents);
}

static boostr_status checkOutputTypes(const ArgumentList &outputs,
                                      const int64_t *expectedExtents) {
  for (int32_t i = 0; i < outputs.count; ++i) {
    if (boostr_status status = checkType(outputs[i]))
      return status;
    if (boostr_status status = checkExtents(outputs[i], expectedExtents))
      return status;
    expectedExtents += outputs[i].spec->rank;
  }
  return BOOSTR_OK;
}

/// Checks where the arguments are, knowing what they are.
static boostr_status checkPlaces(const ArgumentList &inputs,
                                 const ArgumentList &outputs,
                                 DLDevice &device) {
  for (const ArgumentList *arguments : {&inputs, &outputs})
    for (int32_t i = 0; i < arguments->count; ++i)
      if (boostr_status status = checkMemory((*arguments)[i], device))
        return status;
  return checkOverlap(inputs, outputs);
}

/// The strides are computed rather than copied: those of the caller may be
/// absent, or anything where they do not matter.
static void describe(const DLTensor &tensor, Descriptor &descriptor) {
  descriptor.allocated = firstElement(tensor);
  descriptor.aligned = descriptor.allocated;
  descriptor.offset = 0;
  // Unsigned, because next to an extent of zero the others may be too large.
  uint64_t stride = 1;
  for (int32_t i = tensor.ndim; i-- > 0;) {
    descriptor.sizesAndStrides[i] = tensor.shape[i];
    descriptor.sizesAndStrides[tensor.ndim + i] = static_cast<int64_t>(stride);
    stride *= static_cast<uint64_t>(tensor.shape[i]);
  }
}

/// Runs the function on arguments that have passed all checks.
static boostr_status invoke(boostr_context *context,
                            const boostr_function &function,
                            const ArgumentList &inputs,
                            const ArgumentList &outputs, cuda::Place place) {
  size_t count = size_t(inputs.count) + size_t(outputs.count);
  Descriptors descriptors(count);
  Pointers pointers(count);
  if (!descriptors.get() || !pointers.get())
    return failForMemory();
  size_t next = 0;
  for (const ArgumentList *arguments : {&inputs, &outputs})
    for (int32_t i = 0; i < arguments->count; ++i, ++next) {
      describe(*arguments->tensors[i], descriptors.get()[next]);
      pointers.get()[next] = &descriptors.get()[next];
    }
  return invoke(context, function, pointers.get(), place);
}

boostr_status boostr_output_shapes(const boostr_function *function,
                                   const DLTensor *const *inputs,
                                   int32_t num_inputs,
                                   int64_t *output_extents) noexcept {
  if (boostr_status status = checkFunction(function))
    return status;
  if (boostr_status status = checkDescription(*function))
    return status;
  ArgumentList in{inputs, function->inputs, function->num_inputs, false};
  if (boostr_status status = checkCount(in, num_inputs))
    return status;
  size_t count = sumOfRanks(function->outputs, function->num_outputs);
  if (count > 0 && !output_extents)
    return fail(BOOSTR_INVALID_ARGUMENT, "output_extents: expected a place for "
                                         "the result, got a null pointer");
  // Aside first: a failure leaves the caller's memory unchanged.
  Extents extents(count);
  if (!extents.get())
    return failForMemory();
  if (boostr_status status = checkInputTypes(*function, in, extents.get()))
    return status;
  for (size_t i = 0; i < count; ++i)
    output_extents[i] = extents.get()[i];
  return BOOSTR_OK;
}

/// boostr_call of a function that passed checkFunction. The stream matters to
/// CUDA functions only.
static boostr_status call(boostr_context *context, void *stream,
                          const boostr_function &function,
                          const DLTensor *const *inputs, int32_t numInputs,
                          const DLTensor *const *outputs, int32_t numOutputs) {
  if (boostr_status status = checkDescription(function))
    return status;
  ArgumentList in{inputs, function.inputs, function.num_inputs, false};
  ArgumentList out{outputs, function.outputs, function.num_outputs, true};
  if (boostr_status status = checkCount(in, numInputs))
    return status;
  if (boostr_status status = checkCount(out, numOutputs))
    return status;
  for (int32_t i = 0; i < in.count; ++i)
    if (boostr_status status = checkLayout(in[i], inputLayout(function, i)))
      return status;
  Extents extents(sumOfRanks(function.outputs, function.num_outputs));
  if (!extents.get())
    return failForMemory();
  if (boostr_status status = checkInputTypes(function, in, extents.get()))
    return status;
  if (boostr_status status = checkOutputTypes(out, extents.get()))
    return status;
  DLDevice device{deviceType(function), 0};
  if (device.device_type == kDLCUDA)
    device.device_id = -1; // That of the first tensor.
  if (boostr_status status = checkPlaces(in, out, device))
    return status;
  return invoke(context, function, in, out,
                {static_cast<cuda::CUstream>(stream), device.device_id});
}

boostr_status boostr_call(boostr_context *context,
                          const boostr_function *function,
                          const DLTensor *const *inputs, int32_t num_inputs,
                          const DLTensor *const *outputs,
                          int32_t num_outputs) noexcept {
  if (boostr_status status = checkFunction(function))
    return status;
  return call(context, nullptr, *function, inputs, num_inputs, outputs,
              num_outputs);
}

boostr_status boostr_call_on_stream(boostr_context *context, void *stream,
                                    const boostr_function *function,
                                    const DLTensor *const *inputs,
                                    int32_t num_inputs,
                                    const DLTensor *const *outputs,
                                    int32_t num_outputs) noexcept {
  if (boostr_status status = checkFunction(function))
    return status;
  if (boostr_status status = checkIsForCuda(*function))
    return status;
  return call(context, stream, *function, inputs, num_inputs, outputs,
              num_outputs);
}
