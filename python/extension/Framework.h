// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the extension knows of the packages that tensors come from.

#ifndef BOOSTR_PYTHON_EXTENSION_FRAMEWORK_H
#define BOOSTR_PYTHON_EXTENSION_FRAMEWORK_H

#include "boostr/runtime/boostr_runtime.h"
#include <cstdint>
#include <dlpack/dlpack.h>
#include <nanobind/nanobind.h>

namespace boostr_python {

/// The C functions by which a type of tensors answers without going through
/// Python, as DLPack 1.2 and newer define them for the attribute
/// `__dlpack_c_exchange_api__`. The layout is that of its DLPackExchangeAPI.
struct ExchangeApi {
  struct {
    uint32_t major, minor;
  } version;
  ExchangeApi *previous;
  int (*allocate)(DLTensor *prototype, void **out, void *errorContext,
                  void (*setError)(void *, const char *, const char *));
  int (*fromPython)(void *object, void **out);
  int (*toPython)(void *tensor, void **object);
  /// Describes a tensor whose memory the object keeps. May be null.
  int (*describe)(void *object, DLTensor *out);
  int (*currentStream)(DLDeviceType type, int32_t device, void **stream);
};

/// A package whose tensors are taken: PyTorch, NumPy, and others by DLPack.
struct Framework {
  /// Null if it has none of a version that we know.
  const ExchangeApi *exchange = nullptr;
  /// An object of boostr/_frameworks.py.
  nanobind::object adapter;
  /// For calls on its current stream of a CUDA device: where it is the
  /// framework's, workspaces are its memory. Null for the default context.
  boostr_context *cudaContext = nullptr;
};

/// The framework of an object's type. Found once for each type.
const Framework &getFramework(nanobind::handle object);

} // namespace boostr_python

#endif // BOOSTR_PYTHON_EXTENSION_FRAMEWORK_H
