# Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""What is known of PyTorch's tensors where the arguments of ops are checked."""

from __future__ import annotations

import torch
from torch import Tensor

from .. import _checks, _kernels

# MLIR's names of the element types.
ELEMENTS = {getattr(torch, name): element for name, element in _kernels.ELEMENTS.items()}


def _describe(name: str, tensor) -> tuple[str, str]:
    if not isinstance(tensor, Tensor):
        raise TypeError(f"{name}: expected a torch.Tensor, got {type(tensor).__name__}")
    return str(tensor.dtype).removeprefix("torch."), str(tensor.device)


def check_qkv(x, w, b, *numbers) -> None:
    _checks.fused_qkv(_describe, x, (w,), () if b is None else (b,), *numbers)


def check_qkv_separate(x, wq, wk, wv, bq, bk, bv, *numbers) -> None:
    biases = [b for b in (bq, bk, bv) if b is not None]
    if len(biases) not in (0, 3):
        raise ValueError(f"b: expected three tensors, as w has, got {len(biases)}")
    _checks.fused_qkv(_describe, x, (wq, wk, wv), biases, *numbers)


def check_out_proj(attn, w, b, residual) -> None:
    _checks.out_proj_residual(_describe, attn, w, b, residual)
