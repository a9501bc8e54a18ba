# Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""As typed_user.py, with PyTorch."""

import torch
from torch import Tensor
from typing_extensions import assert_type

import boostr.torch as bt


def use_ops(x: Tensor, w: Tensor) -> None:
    q, k, v = bt.fused_qkv(x, w, num_heads=4, num_kv_heads=2, head_dim=16)
    assert_type(q, Tensor)
    assert_type(bt.out_proj_residual(x, w, residual=x), Tensor)
    bt.out_proj_residual(x, w, residual=3)  # wrong


def use_modules(model: torch.nn.Module) -> None:
    layer = bt.FusedQKV(64, 4, 2, bias=True, device="cpu", dtype=torch.bfloat16)
    assert_type(layer.weight, torch.nn.Parameter)
    report = bt.fuse(model)
    assert_type(report.changed, list[tuple[str, str]])
    bt.enable_inductor(copy_weights=True)
    bt.OutProjResidual(64)  # wrong
