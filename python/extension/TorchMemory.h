// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// PyTorch's memory of CUDA devices for what compiled functions need for
// themselves.

#ifndef BOOSTR_PYTHON_EXTENSION_TORCHMEMORY_H
#define BOOSTR_PYTHON_EXTENSION_TORCHMEMORY_H

#include "boostr/runtime/boostr_runtime.h"

namespace boostr_python {

/// The context for calls on PyTorch's current stream of a CUDA device: with it,
/// workspaces come from PyTorch's caching allocator, and within the capture of
/// a graph from the graph's pool. Null, which means the default context and
/// pools of the driver, if the PyTorch that is loaded has no CUDA or is too
/// old. The first call, which needs a PyTorch that is loaded, decides; lives as
/// long as the process.
boostr_context *getTorchCudaContext();

} // namespace boostr_python

#endif // BOOSTR_PYTHON_EXTENSION_TORCHMEMORY_H
