// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Arguments of compiled functions.

#ifndef BOOSTR_PYTHON_EXTENSION_TENSOR_H
#define BOOSTR_PYTHON_EXTENSION_TENSOR_H

#include "Framework.h"
#include "boostr/runtime/boostr_runtime.h"
#include <nanobind/ndarray.h>

namespace boostr_python {

/// Where an argument stands in a call, for messages.
struct Place {
  bool isOutput;
  int32_t number;
  const boostr_tensor_spec *spec;

  /// "argument 1 'weight'", as the runtime says it.
  std::string str() const;
};

/// A Python object as the runtime sees it. Nothing is copied or converted; what
/// the object is made of is the runtime's to check.
class Tensor {
public:
  /// Raises TypeError for what is no tensor, ValueError for one that is not
  /// writable if that is needed or has strides between its elements.
  Tensor(nanobind::handle object, const Place &place);

  DLTensor dl;

private:
  bool describe(nanobind::handle object);
  bool import(nanobind::handle object, bool isOutput);
  void set(const nanobind::ndarray<nanobind::ro> &array);

  /// Keeps shape, strides and memory, unless the object does.
  nanobind::ndarray<nanobind::ro> owner;
};

/// Raises what a status of the runtime stands for, with its message.
void check(boostr_status status);

} // namespace boostr_python

#endif // BOOSTR_PYTHON_EXTENSION_TENSOR_H
