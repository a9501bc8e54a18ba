# Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""The four ops in float64, straight from the formulas of their descriptions."""

import numpy as np


def split_heads(y, heads, dim):
    batch, tokens, _ = y.shape
    return y.reshape(batch, tokens, heads, dim).transpose(0, 2, 1, 3)


def merge_heads(y):
    batch, heads, tokens, dim = y.shape
    return y.transpose(0, 2, 1, 3).reshape(batch, tokens, heads * dim)


def fused_qkv(x, w, b, heads, kv_heads, dim):
    y = x @ w.T + (0 if b is None else b)
    q, k, v = np.split(y, [heads * dim, (heads + kv_heads) * dim], axis=-1)
    return split_heads(q, heads, dim), split_heads(k, kv_heads, dim), split_heads(v, kv_heads, dim)


def fused_qkv_grad(dq, dk, dv, x, w):
    dy = np.concatenate([merge_heads(dq), merge_heads(dk), merge_heads(dv)], axis=-1)
    flat = dy.reshape(-1, w.shape[0])
    return dy @ w, flat.T @ x.reshape(len(flat), x.shape[-1]), flat.sum(0)


def out_proj_residual(a, w, b, r):
    return a @ w.T + (0 if b is None else b) + r


def out_proj_residual_grad(dy, a, w):
    flat = dy.reshape(-1, w.shape[0])
    return dy @ w, flat.T @ a.reshape(len(flat), a.shape[-1]), flat.sum(0)
