# Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""The kernels of the custom ops: what PyTorch's dispatcher calls for a device.

They are in the extension (extension/TorchOps.cpp), through PyTorch's stable C interface,
and get from here what they do not know yet. For PyTorch older than 2.10, which has no such
interface, there are some in Python.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import torch
from torch import Tensor

from .. import Context, _core, _kernels
from ..module import Function
from ._checks import ELEMENTS, check_out_proj, check_qkv, check_qkv_separate


@functools.cache
def find_context(count: int) -> Context:
    """PyTorch's own threads: a second pool beside them would be in their way."""
    for library in ("libgomp.so.1", "libiomp5.so", "libomp.so"):
        try:
            return Context(openmp=library, num_threads=count)
        except ValueError:
            pass  # PyTorch was built with another one.
    return Context(num_threads=count)


def _names(flags: int, first: str) -> tuple[str, ...]:
    """The gradients that are wanted, by bits."""
    return tuple(name for bit, name in enumerate((first, "weight", "bias")) if flags >> bit & 1)


def find_function(op: str, element: str, device: int, numbers: Sequence[int]) -> Function:
    """The compiled function of an op.

    Arguments:
      element: MLIR's name of the element type.
      device: of CUDA; -1 for the CPU.
      numbers: the widths, then whether there is a bias or which gradients are wanted.
    """
    target = "cpu" if device < 0 else f"cuda:{device}"
    *widths, flags = numbers
    if op.startswith("fused_qkv"):
        for name, number in zip(("num_heads", "num_kv_heads", "head_dim"), widths[1:]):
            if number < 1:
                raise ValueError(f"{name}: expected at least 1, got {number}")
    is_separate = "separate" in op
    if op in ("fused_qkv", "fused_qkv_separate"):
        return _kernels.fused_qkv(element, *widths, bool(flags), target, is_separate)
    if op in ("fused_qkv_grad", "fused_qkv_separate_grad"):
        return _kernels.fused_qkv_grad(element, *widths, _names(flags, "input"), target,
                                       is_separate)
    if op == "out_proj_residual":
        return _kernels.out_proj_residual(element, *widths, bool(flags), target)
    return _kernels.out_proj_residual_grad(element, *widths, _names(flags, "attn"), target)


# ---------------------------------------------------------------------------------------
# In Python
# ---------------------------------------------------------------------------------------

_find = functools.cache(lambda op, dtype, device, *numbers: find_function(
    op, ELEMENTS[dtype], device, numbers))


def _run(check, op, numbers, first, *tensors):
    """Calls the function of an op for its tensors.

    The function checks what it is called with, so only what it is found by is looked at
    before; where it objects, `check` says so in the words of the op.
    """
    # Threads are of no concern to CUDA functions, whose modules a context keeps.
    context = None if first.is_cuda else find_context(torch.get_num_threads())
    try:
        return _find(op, first.dtype, first.get_device(), *numbers)(
            *[t.contiguous() for t in (first, *tensors) if t is not None], context=context)
    except (KeyError, ValueError, TypeError):
        check()
        raise


def _as_list(results) -> list[Tensor]:
    return list(results) if isinstance(results, tuple) else [results]


def _fused_qkv(x, w, b, num_heads, num_kv_heads, head_dim):
    if w.dim() != 2 or w.shape[0] != (num_heads + 2 * num_kv_heads) * head_dim:
        check_qkv(x, w, b, num_heads, num_kv_heads, head_dim)
    return _run(lambda: check_qkv(x, w, b, num_heads, num_kv_heads, head_dim), "fused_qkv",
                (w.shape[1], num_heads, num_kv_heads, head_dim, b is not None), x, w, b)


def _fused_qkv_grad(dq, dk, dv, x, w, input, weight, bias):
    flags = input | weight << 1 | bias << 2
    if not flags:
        return []
    return _as_list(_run(lambda: None, "fused_qkv_grad",
                         (w.shape[1], dq.shape[1], dk.shape[1], dq.shape[3], flags),
                         dq, dk, dv, x, w))


def _fused_qkv_separate(x, wq, wk, wv, bq, bk, bv, num_heads, num_kv_heads, head_dim):
    arguments = (x, wq, wk, wv, bq, bk, bv, num_heads, num_kv_heads, head_dim)
    if (wq.dim() != 2 or wq.shape[0] != num_heads * head_dim
            or len({b is None for b in (bq, bk, bv)}) > 1):
        check_qkv_separate(*arguments)
    return _run(lambda: check_qkv_separate(*arguments), "fused_qkv_separate",
                (wq.shape[1], num_heads, num_kv_heads, head_dim, bq is not None), *arguments[:7])


def _fused_qkv_separate_grad(dq, dk, dv, x, wq, wk, wv, input, weight, bias):
    flags = input | weight << 1 | bias << 2
    if not flags:
        return []
    return _as_list(_run(lambda: None, "fused_qkv_separate_grad",
                         (wq.shape[1], dq.shape[1], dk.shape[1], dq.shape[3], flags),
                         dq, dk, dv, x, wq, wk, wv))


def _out_proj_residual(attn, w, b, residual):
    if w.dim() != 2:
        check_out_proj(attn, w, b, residual)
    return _run(lambda: check_out_proj(attn, w, b, residual), "out_proj_residual",
                (*w.shape, b is not None), attn, w, b, residual)


def _out_proj_residual_grad(dy, attn, w, input, weight, bias):
    flags = input | weight << 1 | bias << 2
    if not flags:
        return []
    return _as_list(_run(lambda: None, "out_proj_residual_grad", (*w.shape, flags), dy, attn, w))


def register(library: torch.library.Library) -> None:
    """Gives the ops of the library their kernels."""
    done = _core.register_torch_kernels(find_function, find_context)
    for key in {"CPU", "CUDA"} - set(done):
        library.impl("fused_qkv", _fused_qkv, key)
        library.impl("fused_qkv_grad", _fused_qkv_grad, key)
        library.impl("fused_qkv_separate", _fused_qkv_separate, key)
        library.impl("fused_qkv_separate_grad", _fused_qkv_separate_grad, key)
        library.impl("out_proj_residual", _out_proj_residual, key)
        library.impl("out_proj_residual_grad", _out_proj_residual_grad, key)
