# Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""boostr: fused attention projections, and a compiler for more.

    q, k, v = boostr.fused_qkv(x, w, num_heads=32, num_kv_heads=8, head_dim=128)

    module = boostr.compile(Path("layer.mlir"))      # or boostr.load("layer.so")
    y = module.project(attn, weight, residual)

Works on NumPy arrays and on anything else with DLPack. `boostr.torch` and `boostr.jax`
are modules of their own, imported by name; importing boostr imports neither framework.
"""

from . import cache, passes
# Stubs are written without such attributes.
from ._core import Context, __version__  # type: ignore[attr-defined]
from .compiler import CompileError, compile
from .module import Function, Module, load
from .ops import fused_qkv, fused_qkv_grad, out_proj_residual, out_proj_residual_grad

__all__ = [
    "CompileError", "Context", "Function", "Module", "__version__", "cache", "compile",
    "fused_qkv", "fused_qkv_grad", "load", "out_proj_residual", "out_proj_residual_grad",
    "passes",
]
