// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Functions of compiled modules: the Python classes Library and Function.

#ifndef BOOSTR_PYTHON_EXTENSION_FUNCTION_H
#define BOOSTR_PYTHON_EXTENSION_FUNCTION_H

#include "boostr/runtime/boostr_runtime.h"
#include <nanobind/nanobind.h>

namespace boostr_python {

void defineFunction(nanobind::module_ &module);

/// What is behind a boostr.Function, for the life of the process. Raises
/// TypeError for something else.
const boostr_function *getTable(nanobind::handle function);

} // namespace boostr_python

#endif // BOOSTR_PYTHON_EXTENSION_FUNCTION_H
