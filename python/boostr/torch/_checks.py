# Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""What the ops take: all devices share it with the computation of shapes."""

from __future__ import annotations

import torch
from torch import Tensor

from .. import _checks, _kernels

# MLIR's names of the element types.
ELEMENTS = {getattr(torch, name): element for name, element in _kernels.ELEMENTS.items()}


def _check_kind(name: str, tensor) -> None:
    if not isinstance(tensor, Tensor):
        raise TypeError(f"{name}: expected a torch.Tensor, got {type(tensor).__name__}")


def _check_number(name: str, number) -> None:
    if not isinstance(number, (int, torch.SymInt)):
        raise TypeError(f"{name}: expected a whole number, got {type(number).__name__}")
    if number < 1:
        raise ValueError(f"{name}: expected at least 1, got {number}")


def _check_like(name: str, tensor: Tensor, shape, first_name: str, first: Tensor) -> None:
    _check_kind(name, tensor)
    if tensor.dtype != first.dtype:
        raise TypeError(f"{name}: expected {first.dtype}, as {first_name} has, got {tensor.dtype}")
    if tensor.device != first.device:
        raise ValueError(f"{name}: expected a tensor on {first.device}, as {first_name} is, got "
                         f"one on {tensor.device}")
    if tensor.dim() != len(shape) or any(a != b for a, b in zip(tensor.shape, shape)):
        raise ValueError(f"{name}: expected {list(shape)}, got {list(tensor.shape)}")


def _check_first(name: str, tensor: Tensor, dims: str) -> None:
    _check_kind(name, tensor)
    if tensor.dim() != dims.count(",") + 1:
        raise ValueError(f"{name}: expected [{dims}], got {list(tensor.shape)}")
    if tensor.dtype not in ELEMENTS:
        raise TypeError(f"{name}: expected torch.float64, float32, float16 or bfloat16, got "
                        f"{tensor.dtype}")


def _check_parts(x, weights, biases, num_heads, num_kv_heads, head_dim) -> None:
    for name, number in (("num_heads", num_heads), ("num_kv_heads", num_kv_heads),
                         ("head_dim", head_dim)):
        _check_number(name, number)
    _check_first("x", x, "batch, sequence, hidden")
    count = len(weights)
    rows = _checks.part_rows(num_heads, num_kv_heads, head_dim, count)
    for name, w, size in zip(_checks.part_names("w", count), weights, rows):
        _check_like(name, w, (size, x.shape[2]), "x", x)
    for name, b, size in zip(_checks.part_names("b", count), biases, rows):
        if b is not None:
            _check_like(name, b, (size,), "x", x)


def check_qkv(x, w, b, num_heads, num_kv_heads, head_dim) -> None:
    _check_parts(x, (w,), (b,), num_heads, num_kv_heads, head_dim)


def check_qkv_separate(x, wq, wk, wv, bq, bk, bv, num_heads, num_kv_heads, head_dim) -> None:
    biases = (bq, bk, bv)
    missing = sum(b is None for b in biases)
    if missing not in (0, 3):
        raise ValueError(f"b: expected three tensors, as w has, got {3 - missing}")
    _check_parts(x, (wq, wk, wv), biases, num_heads, num_kv_heads, head_dim)


def check_out_proj(attn, w, b, residual) -> None:
    _check_first("attn", attn, "batch, sequence, width")
    _check_kind("w", w)
    if w.dim() != 2:
        raise ValueError(f"w: expected [hidden, {attn.shape[2]}], got {list(w.shape)}")
    hidden = w.shape[0]
    _check_like("w", w, (hidden, attn.shape[2]), "attn", attn)
    _check_like("residual", residual, (*attn.shape[:2], hidden), "attn", attn)
    if b is not None:
        _check_like("b", b, (hidden,), "attn", attn)
