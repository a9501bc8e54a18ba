// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Kernels of PyTorch's ops `boostr::*` that PyTorch's dispatcher calls without
// going through Python. boostr/torch/_compute.py registers and feeds them.

#ifndef BOOSTR_PYTHON_EXTENSION_TORCHOPS_H
#define BOOSTR_PYTHON_EXTENSION_TORCHOPS_H

#include <nanobind/nanobind.h>

namespace boostr_python {

void defineTorchOps(nanobind::module_ &module);

} // namespace boostr_python

#endif // BOOSTR_PYTHON_EXTENSION_TORCHOPS_H
