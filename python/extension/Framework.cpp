// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "Framework.h"
#include "TorchMemory.h"
#include <unordered_map>

namespace nb = nanobind;
using namespace boostr_python;

static const ExchangeApi *findExchange(nb::handle type) {
  PyObject *capsule =
      PyObject_GetAttrString(type.ptr(), "__dlpack_c_exchange_api__");
  if (!capsule) {
    PyErr_Clear();
    return nullptr;
  }
  nb::object owner = nb::steal(capsule);
  auto *api = static_cast<const ExchangeApi *>(
      PyCapsule_GetPointer(capsule, "dlpack_exchange_api"));
  if (!api)
    PyErr_Clear();
  // The structs of another major version may be others; older ones are linked.
  while (api && api->version.major != 1)
    api = api->previous;
  return api;
}

const Framework &boostr_python::getFramework(nb::handle object) {
  // Guarded by the interpreter's lock. Never freed: its end is that of the
  // process, when there is no interpreter any more.
  static auto &known = *new std::unordered_map<PyObject *, Framework>();
  PyObject *type = reinterpret_cast<PyObject *>(Py_TYPE(object.ptr()));
  auto found = known.find(type);
  if (found != known.end())
    return found->second;
  nb::object adapter =
      nb::module_::import_("boostr._frameworks").attr("find")(nb::handle(type));
  bool isTorch = nb::cast<bool>(adapter.attr("is_torch"));
  Framework framework{findExchange(type), std::move(adapter),
                      isTorch ? getTorchCudaContext() : nullptr};
  Py_INCREF(type); // Or another type might come to lie at its address.
  return known.emplace(type, std::move(framework)).first->second;
}
