# Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""The functions of boostr.jax."""

from __future__ import annotations

import functools

import jax
import numpy

from .. import _checks
from . import _types, _gradients

# Eager calls run what jit has compiled; their rules for sharded arrays need XLA's partitioner.


@functools.partial(jax.jit, static_argnums=(3, 4, 5))
def _run_qkv(x, w, b, heads, kv_heads, dim):
    operands = _types.align_varying(x, w, _types.align_bias(b, w))
    return _gradients.qkv(*operands, heads, kv_heads, dim)


@jax.jit
def _run_out_proj(attn, w, b, residual):
    return _gradients.out_proj(*_types.align_varying(
        attn, w, _types.align_bias(b, w), _types.align_residual(residual, attn, w)))


@functools.partial(jax.jit, static_argnums=(0, 1))
def _run_grad(make, wrt, *operands):
    return make(wrt)(*_types.align_varying(*operands))


def _describe(name, array):
    if not isinstance(array, (jax.Array, numpy.ndarray, numpy.generic)):
        raise TypeError(f"{name}: expected an array, got {type(array).__name__}")
    return array.dtype.name, "jax"  # Where arrays are is XLA's to compare.


def _spread(names, wrt, results):
    found = dict(zip(wrt, results))
    return tuple(found.get(name) for name in names)


def fused_qkv(x, w, b=None, *, num_heads: int, num_kv_heads: int, head_dim: int):
    """Query, key and value of all heads: split_heads(x @ w.T + b).

    Arguments:
      x: [B, S, H], float64, float32, float16 or bfloat16.
      w: [(num_heads + 2 * num_kv_heads) * head_dim, H]: the rows of the query heads, then
        those of the key heads, then those of the value heads. Of the type of x.
      b: the bias, one number for each row of w, or None.
      num_heads, num_kv_heads, head_dim: how many heads of which width D; not traced.

    Returns q [B, num_heads, S, D], k and v [B, num_kv_heads, S, D]. Sums of float16 and
    bfloat16 are made in float32 and rounded once. Differentiable in reverse by x, w and b;
    only the gradients that are wanted are computed, as far as JAX tells. Under vmap an axis
    of x becomes part of the batch; with one of w or b the parts are computed one after the
    other.

    Raises ValueError or TypeError, which name the argument, what was expected and found.
    """
    _, _, heads, kv_heads, dim, *_ = _checks.fused_qkv(
        _describe, x, (w,), () if b is None else (b,), num_heads, num_kv_heads, head_dim)
    return _run_qkv(x, w, b, heads, kv_heads, dim)


def fused_qkv_grad(dq, dk, dv, x, w, *, input: bool = True, weight: bool = True,
                   bias: bool = True):
    """The gradients of fused_qkv, without a concatenation or a transpose in memory.

    With dy the concatenation of dq, dk, dv with merged heads, [B*S, rows of w]:
    dx = dy @ w, dw = dy.T @ x, db = the sum of dy over all tokens.

    Arguments:
      dq, dk, dv: gradients of the results: [B, num_heads, S, D], [B, num_kv_heads, S, D] twice.
      x, w: as of fused_qkv.
      input, weight, bias: which gradients are wanted; only these are computed.

    Returns (dx, dw, db), shaped as x, w and the bias, None for those not wanted. Under vmap
    those of weights are computed one after the other.

    Raises as fused_qkv does.
    """
    wrt = _checks.wanted(input=input, weight=weight, bias=bias)
    _checks.fused_qkv_grad(_describe, dq, dk, dv, x, (w,), wrt)
    return _spread(("input", "weight", "bias"), wrt,
                   _run_grad(_gradients.qkv_grad, wrt, dq, dk, dv, x, w))


def out_proj_residual(attn, w, b=None, *, residual):
    """The projection behind attention and the residual: attn @ w.T + b + residual.

    Arguments:
      attn: [B, S, P]. Types as of fused_qkv.
      w: [H, P].
      b: the bias [H], or None.
      residual: [B, S, H].

    Returns y [B, S, H]. Everything is added up before the one rounding. Differentiable and
    batched as fused_qkv is; the gradient of the residual is that of y.

    Raises as fused_qkv does.
    """
    _checks.out_proj_residual(_describe, attn, w, b, residual)
    return _run_out_proj(attn, w, b, residual)


def out_proj_residual_grad(dy, attn, w, *, input: bool = True, weight: bool = True,
                           bias: bool = True):
    """The gradients of out_proj_residual; that of the residual is dy itself.

    d_attn = dy @ w, dw = dy.T @ attn, db = the sum of dy over all tokens.

    Arguments:
      dy: the gradient of the result, [B, S, H].
      attn, w: as of out_proj_residual.
      input, weight, bias: which gradients are wanted; only these are computed.

    Returns (d_attn, dw, db), shaped as attn, w and the bias, None for those not wanted. Under
    vmap those of weights are computed one after the other.

    Raises as fused_qkv does.
    """
    wrt = _checks.wanted(attn=input, weight=weight, bias=bias)
    _checks.out_proj_residual_grad(_describe, dy, attn, w, wrt)
    return _spread(("attn", "weight", "bias"), wrt,
                   _run_grad(_gradients.out_proj_grad, wrt, dy, attn, w))
