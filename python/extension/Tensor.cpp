// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "Tensor.h"
#include <nanobind/stl/string.h>
#include <string>

namespace nb = nanobind;
using namespace boostr_python;

std::string Place::str() const {
  std::string text =
      (isOutput ? "output " : "argument ") + std::to_string(number);
  if (spec->name && *spec->name)
    text += std::string(" '") + spec->name + "'";
  return text;
}

void boostr_python::check(boostr_status status) {
  switch (status) {
  case BOOSTR_OK:
    return;
  case BOOSTR_INVALID_ARGUMENT:
    throw nb::value_error(boostr_last_error());
  case BOOSTR_OUT_OF_MEMORY:
    PyErr_SetString(PyExc_MemoryError, boostr_last_error());
    throw nb::python_error();
  default:
    throw std::runtime_error(boostr_last_error());
  }
}

void Tensor::set(const nb::ndarray<nb::ro> &array) {
  owner = array;
  dl = {};
  dl.data = const_cast<void *>(static_cast<const void *>(owner.data()));
  dl.device = {static_cast<DLDeviceType>(owner.device_type()),
               owner.device_id()};
  dl.ndim = static_cast<int32_t>(owner.ndim());
  dl.dtype = {owner.dtype().code, owner.dtype().bits, owner.dtype().lanes};
  dl.shape = const_cast<int64_t *>(owner.shape_ptr());
  dl.strides = const_cast<int64_t *>(owner.stride_ptr());
}

bool Tensor::describe(nb::handle object) {
  const Framework &framework = getFramework(object);
  if (!framework.exchange || !framework.exchange->describe)
    return false;
  if (framework.exchange->describe(object.ptr(), &dl) == 0)
    return true;
  PyErr_Clear(); // Said again, in words, by the slower way.
  return false;
}

bool Tensor::import(nb::handle object, bool isOutput) {
  if (isOutput) {
    nb::ndarray<> array;
    if (!nb::try_cast(object, array, /*convert=*/false))
      return false;
    set(nb::ndarray<nb::ro>(array));
    return true;
  }
  nb::ndarray<nb::ro> array;
  if (!nb::try_cast(object, array, /*convert=*/false))
    return false;
  set(array);
  return true;
}

Tensor::Tensor(nb::handle object, const Place &place) {
  if (!describe(object) && !import(object, place.isOutput)) {
    nb::object adapter = getFramework(object).adapter;
    nb::object bits = adapter.attr("bits_of")(object);
    if (bits.is_none() || !import(bits, place.isOutput)) {
      adapter.attr("refuse")(object, place.str(), place.isOutput);
      throw nb::type_error((place.str() + ": expected an array").c_str());
    }
    dl.dtype = {kDLBfloat, 16, 1};
  }
  // NumPy has no bfloat16, so arrays of its bits pass for it.
  const DLDataType &wanted = place.spec->dtype;
  if (wanted.code == kDLBfloat && dl.dtype.code == kDLUInt &&
      dl.dtype.bits == wanted.bits)
    dl.dtype = wanted;
}
