// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Compiled functions as custom calls of XLA, for boostr.jax. Built where the
// headers of XLA's foreign function interface are found; jaxlib has them.

#ifndef BOOSTR_PYTHON_EXTENSION_JAXFFI_H
#define BOOSTR_PYTHON_EXTENSION_JAXFFI_H

#include <nanobind/nanobind.h>

namespace boostr_python {

void defineJaxFfi(nanobind::module_ &module);

} // namespace boostr_python

#endif // BOOSTR_PYTHON_EXTENSION_JAXFFI_H
