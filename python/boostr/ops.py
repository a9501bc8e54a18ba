# Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""The ops as functions, compiled at their first use.

Written for NumPy arrays; other tensors with DLPack are taken too, on the device where they
are. Element types are float64, float32, float16 and bfloat16, one for all tensors of a
call; sums of the last two are made in float32 and rounded once. B is the batch, S the
sequence length, H the hidden width, D the width of a head; B, S may be 0.

Everything is checked before anything is compiled, launched or written: a ValueError or
TypeError names the argument, what was expected and what was found.
"""

from __future__ import annotations

from . import _checks, _frameworks, _kernels


def _spread(wrt, names, results):
    """The results in the places of their names, None in the others."""
    found = dict(zip(wrt, results if isinstance(results, tuple) else (results,)))
    return tuple(found.get(name) for name in names)


def _given(b):
    """The bias as arguments: one or none."""
    return () if b is None else (b,)


def fused_qkv(x, w, b=None, *, num_heads: int, num_kv_heads: int, head_dim: int, out=None,
              context=None):
    """Query, key and value of all heads: split_heads(x @ w.T + b).

    Arguments:
      x: [B, S, H].
      w: [(num_heads + 2 * num_kv_heads) * head_dim, H]: the rows of the query heads, then
        those of the key heads, then those of the value heads.
      b: the bias, one number for each row of w, or None.
      num_heads, num_kv_heads, head_dim: how many heads of which width D.
      out: a tuple of three tensors to write to, instead of new ones.
      context: a boostr.Context, the threads to use.

    Returns q [B, num_heads, S, D], k and v [B, num_kv_heads, S, D], contiguous.
    """
    function = _kernels.fused_qkv(*_checks.fused_qkv(
        _frameworks.describe, x, w, b, num_heads, num_kv_heads, head_dim))
    return function(x, w, *_given(b), out=out, context=context)


def fused_qkv_grad(dq, dk, dv, x, w, *, input: bool = True, weight: bool = True,
                   bias: bool = True, out=None, context=None):
    """The gradients of fused_qkv, without a concatenation or a transpose in memory.

    With dy the concatenation of dq, dk, dv with merged heads, [B*S, rows of w]:
    dx = dy @ w, dw = dy.T @ x, db = the sum of dy over all tokens.

    Arguments:
      dq, dk, dv: gradients of the results: [B, num_heads, S, D], [B, num_kv_heads, S, D] twice.
      x, w: as of fused_qkv.
      input, weight, bias: which gradients are wanted; only these are computed.
      out: a tuple of tensors to write the wanted gradients to, instead of new ones.
      context: a boostr.Context, the threads to use.

    Returns (dx, dw, db), shaped as x, w and the bias, None for those not wanted.
    """
    wrt = _checks.wanted(input=input, weight=weight, bias=bias)
    function = _kernels.fused_qkv_grad(*_checks.fused_qkv_grad(
        _frameworks.describe, dq, dk, dv, x, w, wrt))
    return _spread(wrt, ("input", "weight", "bias"),
                   function(dq, dk, dv, x, w, out=out, context=context))


def out_proj_residual(attn, w, b=None, *, residual, out=None, context=None):
    """The projection behind attention and the residual: attn @ w.T + b + residual.

    Arguments:
      attn: [B, S, P].
      w: [H, P].
      b: the bias [H], or None.
      residual: [B, S, H].
      out: a tensor to write to, instead of a new one.
      context: a boostr.Context, the threads to use.

    Returns y [B, S, H]. Everything is added up before the one rounding.
    """
    function = _kernels.out_proj_residual(*_checks.out_proj_residual(
        _frameworks.describe, attn, w, b, residual))
    return function(attn, w, *_given(b), residual, out=out, context=context)


def out_proj_residual_grad(dy, attn, w, *, input: bool = True, weight: bool = True,
                           bias: bool = True, out=None, context=None):
    """The gradients of out_proj_residual; that of the residual is dy itself.

    d_attn = dy @ w, dw = dy.T @ attn, db = the sum of dy over all tokens.

    Arguments:
      dy: the gradient of the result, [B, S, H].
      attn, w: as of out_proj_residual.
      input, weight, bias: which gradients are wanted; only these are computed.
      out: a tuple of tensors to write the wanted gradients to, instead of new ones.
      context: a boostr.Context, the threads to use.

    Returns (d_attn, dw, db), shaped as attn, w and the bias, None for those not wanted.
    """
    wrt = _checks.wanted(attn=input, weight=weight, bias=bias)
    function = _kernels.out_proj_residual_grad(*_checks.out_proj_residual_grad(
        _frameworks.describe, dy, attn, w, wrt))
    return _spread(wrt, ("attn", "weight", "bias"),
                   function(dy, attn, w, out=out, context=context))
