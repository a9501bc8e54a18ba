# Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""boostr: compiled attention projections, called with NumPy arrays.

    module = boostr.compile(Path("layer.mlir"))      # or boostr.load("layer.so")
    q, k, v = module.qkv(x, weight, bias)
"""

from .compiler import CompileError, compile
from .context import Context
from .module import Function, Module, load

__all__ = ["CompileError", "Context", "Function", "Module", "compile", "load"]
