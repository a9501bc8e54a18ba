# Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""all-MiniLM-L6-v2 in NumPy, with exchangeable attention projections.

Everything is computed in the element type of the weights.
"""

from __future__ import annotations

import math
from typing import Callable

import numpy as np

from weights import HEAD_DIM, NUM_HEADS, Layer, Norm, Weights


# The projections, by the formulas of fused_qkv and out_proj_residual, and their VJPs,
# with the arguments and results of the functions in minilm.mlir.

def _to_heads(y):
    batch, tokens, _ = y.shape
    return np.ascontiguousarray(
        y.reshape(batch, tokens, NUM_HEADS, HEAD_DIM).transpose(0, 2, 1, 3))


def _from_heads(y):
    batch, heads, tokens, dim = y.shape
    return y.transpose(0, 2, 1, 3).reshape(batch, tokens, heads * dim)


def _project(x, matrix):
    """x [B, S, inputs] @ matrix [inputs, outputs]."""
    # One product of all tokens, not one for each sentence, which takes over twice as long.
    return (x.reshape(-1, x.shape[-1]) @ matrix).reshape(*x.shape[:-1], matrix.shape[1])


def qkv(x, weight, bias):
    """Q, K, V [B, heads, S, head_dim] of x [B, S, hidden]."""
    return tuple(map(_to_heads, np.split(_project(x, weight.T) + bias, 3, axis=-1)))


def qkv_vjp(x, weight, bias, dq, dk, dv):
    """The gradients of x, weight and bias."""
    dy = np.concatenate([_from_heads(d) for d in (dq, dk, dv)], axis=-1)
    rows = dy.reshape(-1, dy.shape[-1])
    return _project(dy, weight), rows.T @ x.reshape(-1, x.shape[-1]), rows.sum(axis=0)


def out_proj(attn, weight, bias, residual):
    """[B, S, hidden] of attn [B, S, heads*head_dim]."""
    return _project(attn, weight.T) + bias + residual


def out_proj_vjp(attn, weight, bias, residual, dy):
    """The gradients of attn, weight, bias and residual."""
    rows = dy.reshape(-1, dy.shape[-1])
    return _project(dy, weight), rows.T @ attn.reshape(-1, attn.shape[-1]), rows.sum(axis=0), dy


# The rest of the model.

_erf = np.frompyfunc(math.erf, 1, 1)


def _gelu(x):
    return x * (0.5 * (1 + _erf(x / math.sqrt(2)).astype(x.dtype)))


def _normalize(x, norm: Norm, epsilon: float):
    centred = x - x.mean(axis=-1, keepdims=True)
    variance = (centred * centred).mean(axis=-1, keepdims=True)
    return centred / np.sqrt(variance + epsilon) * norm.scale + norm.shift


def _attend(q, k, v, mask):
    """softmax(q @ k^T / sqrt(head_dim)) @ v, heads merged, no weight on padding."""
    scores = q @ k.transpose(0, 1, 3, 2) / math.sqrt(HEAD_DIM)
    scores = np.where(mask[:, None, None, :] != 0, scores, -np.inf)
    scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return _from_heads(scores / scores.sum(axis=-1, keepdims=True) @ v)


def _encode(x, layer: Layer, mask, epsilon: float, qkv: Callable, out_proj: Callable):
    attn = _attend(*qkv(x, layer.qkv_weight, layer.qkv_bias), mask)
    x = _normalize(out_proj(attn, layer.out_weight, layer.out_bias, x),
                   layer.attention_norm, epsilon)
    inner = _gelu(_project(x, layer.up_weight.T) + layer.up_bias)
    return _normalize(_project(inner, layer.down_weight.T) + layer.down_bias + x,
                      layer.output_norm, epsilon)


def embed(weights: Weights, tokens, mask, qkv: Callable = qkv, out_proj: Callable = out_proj):
    """One unit vector per sentence, [sentences, 384].

    Arguments:
      tokens, mask: [sentences, longest], from weights.tokenize.
      qkv, out_proj: the projections to use in all layers.
    """
    x = weights.words[tokens] + weights.positions[:tokens.shape[1]] + weights.segment
    x = _normalize(x, weights.embedding_norm, weights.epsilon)
    for layer in weights.layers:
        x = _encode(x, layer, mask, weights.epsilon, qkv, out_proj)
    kept = mask[:, :, None].astype(x.dtype)
    mean = (x * kept).sum(axis=1) / kept.sum(axis=1)
    return mean / np.linalg.norm(mean, axis=-1, keepdims=True)
