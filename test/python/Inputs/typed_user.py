# Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""What users write, as a type checker sees it. Lines that are wrong say so: `# wrong`."""

from pathlib import Path

import numpy as np
from typing_extensions import assert_type

import boostr

Floats = np.ndarray[tuple[int, ...], np.dtype[np.float32]]


def use_ops(x: Floats, w: Floats, b: Floats) -> None:
    q, k, v = boostr.fused_qkv(x, w, b, num_heads=4, num_kv_heads=2, head_dim=16)
    assert_type(q, Floats)
    dx, dw, db = boostr.fused_qkv_grad(q, k, v, x, w, bias=False)
    assert_type(dx, Floats | None)
    y = boostr.out_proj_residual(x, w, residual=x, context=boostr.Context(num_threads=2))
    assert_type(y, Floats)
    boostr.fused_qkv(x, w, num_heads="4", num_kv_heads=2, head_dim=16)  # wrong
    boostr.fused_qkv(x, w, num_heads=4)  # wrong
    boostr.out_proj_residual(x, w, x)  # wrong


def use_compiler(x: Floats) -> None:
    module = boostr.compile(Path("layer.mlir"), target="cuda:1", f32_precision="tf32")
    module.project(x, out=x)
    assert_type(module.functions(), list[str])
    assert_type(boostr.passes.run("module {}", "canonicalize"), str)
    assert_type(boostr.cache.entries(), list[Path])
    boostr.compile(3)  # wrong
    boostr.passes.run("module {}")  # wrong
    try:
        boostr.load("layer.so", device=1)
    except boostr.CompileError as error:
        assert_type(error.diagnostics[0].line, int)
        error.diagnostics[0].row  # wrong
