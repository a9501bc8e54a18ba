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

import operator

from . import _frameworks, _kernels


def _count(name: str, value) -> int:
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{name}: expected a whole number, got {type(value).__name__}") from None
    if number < 1:
        raise ValueError(f"{name}: expected at least 1, got {number}")
    return number


def _check_rank(name: str, tensor, *dims) -> None:
    """Raises unless the tensor has as many dimensions as are named or known."""
    if len(tensor.shape) != len(dims):
        raise ValueError(f"{name}: expected [{', '.join(map(str, dims))}], got "
                         f"{list(tensor.shape)}")


class _Call:
    """What the tensors of a call have in common: that of the first one."""

    def __init__(self, name, tensor, *dims):
        self.adapter = _frameworks.of(tensor)
        self.name = name
        self.dtype, self.target = self.adapter.describe(name, tensor)
        self.element = _kernels.ELEMENTS.get(self.dtype)
        if self.element is None:
            raise TypeError(f"{name}: expected float64, float32, float16 or bfloat16, got "
                            f"{self.dtype}")
        _check_rank(name, tensor, *dims)
        self.shape = tuple(tensor.shape)

    def check(self, name, tensor, *expected):
        """Raises unless the tensor is of this shape and like the first one."""
        dtype, target = _frameworks.of(tensor).describe(name, tensor)
        if dtype != self.dtype:
            raise TypeError(f"{name}: expected {self.dtype}, as {self.name} has, got {dtype}")
        if target != self.target:
            raise ValueError(f"{name}: expected a tensor on {self.target}, as {self.name} is, "
                             f"got one on {target}")
        if tuple(tensor.shape) != expected:
            raise ValueError(f"{name}: expected {list(expected)}, got {list(tensor.shape)}")


def _bias(call, b, rows):
    """The bias as arguments: one or none."""
    if b is None:
        return ()
    call.check("b", b, rows)
    return (b,)


def _wanted(**flags) -> tuple[str, ...]:
    wrt = tuple(name for name, is_wanted in flags.items() if is_wanted)
    if not wrt:
        raise ValueError(f"expected at least one of {', '.join(flags)} to be True")
    return wrt


def _spread(wrt, names, results):
    """The results in the places of their names, None in the others."""
    found = dict(zip(wrt, results if isinstance(results, tuple) else (results,)))
    return tuple(found.get(name) for name in names)


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
    heads, kv_heads = _count("num_heads", num_heads), _count("num_kv_heads", num_kv_heads)
    dim = _count("head_dim", head_dim)
    call = _Call("x", x, "batch", "sequence", "hidden")
    rows, hidden = (heads + 2 * kv_heads) * dim, call.shape[2]
    call.check("w", w, rows, hidden)
    bias = _bias(call, b, rows)
    function = _kernels.fused_qkv(call.element, hidden, heads, kv_heads, dim, bool(bias),
                                  call.target)
    return function(x, w, *bias, out=out, context=context)


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
    wrt = _wanted(input=input, weight=weight, bias=bias)
    call = _Call("dq", dq, "batch", "heads", "sequence", "head_dim")
    batch, heads, length, dim = call.shape
    _check_rank("dk", dk, "batch", "heads", "sequence", "head_dim")
    kv_heads = dk.shape[1]
    call.check("dk", dk, batch, kv_heads, length, dim)
    call.check("dv", dv, batch, kv_heads, length, dim)
    _check_rank("x", x, "batch", "sequence", "hidden")
    hidden = x.shape[2]
    call.check("x", x, batch, length, hidden)
    call.check("w", w, (heads + 2 * kv_heads) * dim, hidden)
    function = _kernels.fused_qkv_grad(call.element, hidden, heads, kv_heads, dim, wrt,
                                       call.target)
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
    call = _Call("attn", attn, "batch", "sequence", "width")
    batch, length, width = call.shape
    _check_rank("w", w, "hidden", width)
    hidden = w.shape[0]
    call.check("w", w, hidden, width)
    call.check("residual", residual, batch, length, hidden)
    bias = _bias(call, b, hidden)
    function = _kernels.out_proj_residual(call.element, hidden, width, bool(bias), call.target)
    return function(attn, w, *bias, residual, out=out, context=context)


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
    wrt = _wanted(attn=input, weight=weight, bias=bias)
    call = _Call("dy", dy, "batch", "sequence", "hidden")
    batch, length, hidden = call.shape
    _check_rank("attn", attn, "batch", "sequence", "width")
    width = attn.shape[2]
    call.check("attn", attn, batch, length, width)
    call.check("w", w, hidden, width)
    function = _kernels.out_proj_residual_grad(call.element, hidden, width, wrt, call.target)
    return _spread(wrt, ("attn", "weight", "bias"),
                   function(dy, attn, w, out=out, context=context))
