# Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""The ops as functions, compiled at their first use.

Written for NumPy arrays; other tensors with DLPack are taken too, on the device where they
are. Element types are float64, float32, float16 and bfloat16, one for all tensors of a
call; sums of the last two are made in float32 and rounded once. B is the batch, S the
sequence length, H the hidden width, D the width of a head; B, S may be 0.

Tensors whose elements do not lie in C order, such as slices, are copied first; those to write
to have to. Everything is checked before anything is compiled, launched or written: a
ValueError or TypeError names the argument, what was expected and what was found.
"""

from __future__ import annotations

from typing import Any, Optional, TypeVar, Union

from . import _checks, _frameworks, _kernels
from ._core import Context

# Results are of the framework that the arguments are of.
Array = TypeVar("Array")
# One tensor, or one for each of query, key and value.
Parts = Union[Array, tuple[Array, Array, Array]]


def _spread(wrt: tuple[str, ...], names: tuple[str, str, str], results: Any,
            count: int = 1) -> Any:
    """The results in the places of their names, None in the others. All but those of the
    first name come `count` at a time."""
    rest = iter(results if isinstance(results, tuple) else (results,))
    found: dict[str, Any] = {}
    for name in wrt:
        is_one = count == 1 or name == names[0]
        found[name] = next(rest) if is_one else tuple(next(rest) for _ in range(count))
    return tuple(found.get(name) for name in names)


def _flat(out: Any) -> Any:
    """Results to write to, without the tuples of three in it."""
    if not isinstance(out, (tuple, list)):
        return out
    return tuple(part for result in out
                 for part in (result if isinstance(result, (tuple, list)) else (result,)))


def _given(b: Any) -> tuple[Any, ...]:
    """The bias as arguments: one or none."""
    return () if b is None else (b,)


def fused_qkv(x: Array, w: Parts, b: Optional[Parts] = None, *, num_heads: int,
              num_kv_heads: int, head_dim: int,
              out: Optional[tuple[Array, Array, Array]] = None,
              context: Optional[Context] = None) -> tuple[Array, Array, Array]:
    """Query, key and value of all heads: split_heads(x @ w.T + b).

    With y = x @ w.T + b and D = head_dim, q[i, h, s, d] = y[i, s, h * D + d]; k and v follow
    behind the rows of q in the same way.

    Arguments:
      x: [B, S, H], float64, float32, float16 or bfloat16.
      w: [(num_heads + 2 * num_kv_heads) * head_dim, H], of the type of x: the rows of the
        query heads, then those of the key heads, then those of the value heads. Or a tuple of
        three, (wq, wk, wv), with the rows of each: they are read where they are.
      b: the bias, one number for each row of w, of the type of x, or None. Three if w is three.
      num_heads: how many query heads, 1 or more.
      num_kv_heads: how many key heads, and as many value heads, 1 or more.
      head_dim: their width D, 1 or more.
      out: a tuple of three tensors to write to, instead of new ones, of the shapes below.
      context: a boostr.Context, the threads to use.

    Returns:
      q [B, num_heads, S, D], k and v [B, num_kv_heads, S, D], contiguous, of the type and on
      the device of x.

    Raises:
      ValueError: a wrong shape, number or device, or `out` is not in C order.
      TypeError: another element type, what is no tensor, a number that is not whole.
    """
    weights, biases = _checks.weights_and_biases(w, b)
    function = _kernels.fused_qkv(*_checks.fused_qkv(
        _frameworks.describe, x, weights, biases, num_heads, num_kv_heads, head_dim))
    return function(*_frameworks.in_order(x, *weights, *biases), out=out, context=context)


def fused_qkv_grad(dq: Array, dk: Array, dv: Array, x: Array, w: Parts, *, input: bool = True,
                   weight: bool = True, bias: bool = True,
                   out: Optional[tuple[Parts, ...]] = None, context: Optional[Context] = None
                   ) -> tuple[Optional[Array], Optional[Parts], Optional[Parts]]:
    """The gradients of fused_qkv, without a concatenation or a transpose in memory.

    With dy the concatenation of dq, dk, dv with merged heads, [B*S, rows of w]:
    dx = dy @ w, dw = dy.T @ x, db = the sum of dy over all tokens.

    Arguments:
      dq: the gradient of q, [B, num_heads, S, D], float64, float32, float16 or bfloat16.
      dk: that of k, [B, num_kv_heads, S, D], of the type of dq, as are all tensors.
      dv: that of v, of the shape of dk.
      x: [B, S, H], as of fused_qkv.
      w: [(num_heads + 2 * num_kv_heads) * D, H], or three, as of fused_qkv.
      input: whether dx is wanted; only gradients that are wanted are computed.
      weight: whether dw is.
      bias: whether db is.
      out: a tuple of tensors to write the wanted gradients to, instead of new ones.
      context: a boostr.Context, the threads to use.

    Returns:
      (dx, dw, db): shaped as x, w and the bias, None for those not wanted; dw and db are
      tuples of three if w is.

    Raises:
      ValueError: a wrong shape or device, `out` is not in C order, or no gradient is wanted.
      TypeError: another element type, or what is no tensor.
    """
    wrt = _checks.wanted(input=input, weight=weight, bias=bias)
    weights = _checks.parts("w", w)
    function = _kernels.fused_qkv_grad(*_checks.fused_qkv_grad(
        _frameworks.describe, dq, dk, dv, x, weights, wrt))
    return _spread(wrt, ("input", "weight", "bias"),
                   function(*_frameworks.in_order(dq, dk, dv, x, *weights), out=_flat(out),
                            context=context),
                   len(weights))


def out_proj_residual(attn: Array, w: Array, b: Optional[Array] = None, *, residual: Array,
                      out: Optional[Array] = None, context: Optional[Context] = None) -> Array:
    """The projection behind attention and the residual: attn @ w.T + b + residual.

    Arguments:
      attn: [B, S, P], float64, float32, float16 or bfloat16.
      w: [H, P], of the type of attn, as are all tensors.
      b: the bias [H], or None.
      residual: [B, S, H].
      out: a tensor to write to, instead of a new one, of the shape of the residual.
      context: a boostr.Context, the threads to use.

    Returns:
      y [B, S, H], of the type and on the device of attn. Everything is added up before the
      one rounding.

    Raises:
      ValueError: a wrong shape or device, or `out` is not in C order.
      TypeError: another element type, or what is no tensor.
    """
    function = _kernels.out_proj_residual(*_checks.out_proj_residual(
        _frameworks.describe, attn, w, b, residual))
    return function(*_frameworks.in_order(attn, w, *_given(b), residual), out=out,
                    context=context)


def out_proj_residual_grad(dy: Array, attn: Array, w: Array, *, input: bool = True,
                           weight: bool = True, bias: bool = True,
                           out: Optional[tuple[Array, ...]] = None,
                           context: Optional[Context] = None
                           ) -> tuple[Optional[Array], Optional[Array], Optional[Array]]:
    """The gradients of out_proj_residual; that of the residual is dy itself.

    d_attn = dy @ w, dw = dy.T @ attn, db = the sum of dy over all tokens.

    Arguments:
      dy: the gradient of the result, [B, S, H], float64, float32, float16 or bfloat16.
      attn: [B, S, P], of the type of dy, as are all tensors.
      w: [H, P].
      input: whether d_attn is wanted; only gradients that are wanted are computed.
      weight: whether dw is.
      bias: whether db is.
      out: a tuple of tensors to write the wanted gradients to, instead of new ones.
      context: a boostr.Context, the threads to use.

    Returns:
      (d_attn, dw, db): shaped as attn, w and the bias, None for those not wanted.

    Raises:
      ValueError: a wrong shape or device, `out` is not in C order, or no gradient is wanted.
      TypeError: another element type, or what is no tensor.
    """
    wrt = _checks.wanted(attn=input, weight=weight, bias=bias)
    function = _kernels.out_proj_residual_grad(*_checks.out_proj_residual_grad(
        _frameworks.describe, dy, attn, w, wrt))
    return _spread(wrt, ("attn", "weight", "bias"),
                   function(*_frameworks.in_order(dy, attn, w), out=out, context=context))
