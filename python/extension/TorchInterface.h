// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// PyTorch's stable C interface, found in the libraries that the process has
// loaded: nothing of PyTorch is needed to build the package.

#ifndef BOOSTR_PYTHON_EXTENSION_TORCHINTERFACE_H
#define BOOSTR_PYTHON_EXTENSION_TORCHINTERFACE_H

#include <cstdint>
#include <dlpack/dlpack.h>
#include <optional>

namespace boostr_python {

/// Functions of PyTorch 2.10 and newer, by PyTorch's names without their
/// prefixes. Those that return an int return 0 for success.
struct TorchInterface {
  /// A reference to a tensor that its holder owns.
  using Tensor = void *;
  /// An argument or a result of an op: a number, a Tensor, a list of them, or
  /// for an optional one the address of such a value, which the receiver
  /// deletes, or null.
  using Value = uint64_t;
  /// Takes `numInputs` arguments from the stack, all of which it owns, and
  /// leaves `numOutputs` results there. May throw.
  using Kernel = void (*)(Value *stack, uint64_t numInputs,
                          uint64_t numOutputs);

  int (*libraryInitImpl)(const char *space, const char *key, const char *file,
                         uint32_t line, void **library);
  int (*libraryImpl)(void *library, const char *op, Kernel kernel,
                     uint64_t version);
  int (*deleteTensor)(Tensor tensor);
  int (*getDim)(Tensor tensor, int64_t *dim);
  int (*getSizes)(Tensor tensor, int64_t **sizes);
  int (*getStrides)(Tensor tensor, int64_t **strides);
  int (*getDataPointer)(Tensor tensor, void **data);
  int (*getDtype)(Tensor tensor, int32_t *dtype);
  int (*getDeviceType)(Tensor tensor, int32_t *type);
  int (*getDeviceIndex)(Tensor tensor, int32_t *index);
  int (*isContiguous)(Tensor tensor, bool *isContiguous);
  int (*emptyStrided)(int64_t dim, const int64_t *sizes, const int64_t *strides,
                      int32_t dtype, int32_t deviceType, int32_t deviceIndex,
                      Tensor *result);
  int (*copy)(Tensor to, Tensor from, int32_t isNonBlocking);
  int (*getNumThreads)(uint32_t *number);
  int (*newList)(size_t capacity, void **list);
  int (*pushBack)(void *list, Value element);
  /// Null where PyTorch was built without CUDA.
  int (*getCudaStream)(int32_t device, void **stream);

  /// PyTorch's numbers of element types and of kinds of devices.
  int32_t float64, float32, float16, bfloat16;
  int32_t cpu, cuda;

  /// Nothing if no PyTorch is loaded, or one without these functions.
  static std::optional<TorchInterface> load();

  /// The element type of this number, if it is one of the four.
  std::optional<DLDataType> getElement(int32_t dtype) const;
};

} // namespace boostr_python

#endif // BOOSTR_PYTHON_EXTENSION_TORCHINTERFACE_H
