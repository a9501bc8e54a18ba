# Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""The ops of boostr.jax: the functions, their gradients, batching and parts of devices."""

from __future__ import annotations

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy
from jax.custom_batching import custom_vmap
from jax.custom_derivatives import SymbolicZero

from .. import _checks
from ._calls import call
from ._sharding import Rule, partitioned


# ---------------------------------------------------------------------------------------
# Batching
# ---------------------------------------------------------------------------------------

def _batched(function, tokens: range, sums_tokens: bool = False):
    """A function of arrays with its rule for vmap.

    tokens: the operands that have a batch of their own, which all results then have too.
    sums_tokens: that some result has none, but is a sum over tokens.

    A new axis of such operands becomes part of their batch. Where a weight has the new
    axis, or each part its own gradient of a weight, no one product is left: the parts are
    computed one after the other.
    """
    function = custom_vmap(function)

    @function.def_vmap
    def rule(size, is_batched, *operands):
        if sums_tokens or any(b for i, b in enumerate(is_batched) if i not in tokens):
            mapped = [o for o, b in zip(operands, is_batched) if b]

            def one(parts):
                rest = iter(parts)
                return function(*[next(rest) if b else o for o, b in zip(operands, is_batched)])
            results = jax.lax.map(one, mapped)
        else:
            folded = [_fold(o, b, size) if i in tokens else o
                      for i, (o, b) in enumerate(zip(operands, is_batched))]
            results = tuple(r.reshape(size, r.shape[0] // size, *r.shape[1:])
                            for r in function(*folded))
        return results, (True,) * len(results)
    return function


def _fold(array, is_batched: bool, size: int):
    if not is_batched:
        array = jnp.broadcast_to(array, (size, *array.shape))
    return array.reshape(array.shape[0] * array.shape[1], *array.shape[2:])


# ---------------------------------------------------------------------------------------
# fused_qkv
# ---------------------------------------------------------------------------------------

_QKV = ("b hq s d", "b hk s d", "b hk s d")
_QKV_ROWS = ("hq d", "hk d", "hk d")


def _split_rows(array, heads, kv_heads, dim):
    """Rows of query, key and value heads as [heads, D, ...] each.

    A device gets whole heads of each. XLA makes one array of them again if it does not
    move any.
    """
    ends = list(itertools.accumulate((heads * dim, kv_heads * dim)))
    return [part.reshape(-1, dim, *array.shape[1:]) for part in jnp.split(array, ends)]


def _join_rows(parts):
    return jnp.concatenate([p.reshape(-1, *p.shape[2:]) for p in parts])


def _compute_qkv(x, *rows):
    weights, biases = rows[:3], rows[3:]
    heads, dim, hidden = weights[0].shape
    kv_heads = weights[1].shape[0]
    operands = [x, _join_rows(weights), *([_join_rows(biases)] if biases else ())]
    batch, length, _ = x.shape
    return call("fused_qkv", (hidden, heads, kv_heads, dim, bool(biases)), operands,
                [(batch, h, length, dim) for h in (heads, kv_heads, kv_heads)])


@functools.cache
def _qkv(heads: int, kv_heads: int, dim: int, has_bias: bool):
    """(x, w[, b]) -> q, k, v."""
    rows = tuple(f"{r} k" for r in _QKV_ROWS) + (_QKV_ROWS if has_bias else ())
    rule = Rule(("b s k", *rows), _QKV, sums=(("k",),) * 3, total=("k",),
                terms={4 + i: () for i in range(3 if has_bias else 0)})
    compute = partitioned(rule, _compute_qkv)
    return _batched(lambda x, *weights: compute(
        x, *[part for w in weights for part in _split_rows(w, heads, kv_heads, dim)]), range(1))


def _compute_qkv_grad(wrt, dq, dk, dv, x, *weights):
    heads, dim, hidden = weights[0].shape
    kv_heads = weights[1].shape[0]
    w = _join_rows(weights)
    shapes = {"input": x.shape, "weight": w.shape, "bias": w.shape[:1]}
    results = call("fused_qkv_grad", (hidden, heads, kv_heads, dim, wrt), [dq, dk, dv, x, w],
                   [shapes[name] for name in wrt])
    split = []
    for name, result in zip(wrt, results):
        split += [result] if name == "input" else _split_rows(result, heads, kv_heads, dim)
    return split


@functools.cache
def _qkv_grad(wrt: tuple[str, ...]):
    """(dq, dk, dv, x, w) -> the gradients of `wrt`."""
    kinds = {"input": (("b s k", ("hq", "hk")),),
             "weight": tuple((f"{r} k", ("b", "s")) for r in _QKV_ROWS),
             "bias": tuple((r, ("b", "s")) for r in _QKV_ROWS)}
    results, sums = zip(*[kind for name in wrt for kind in kinds[name]])
    of_input = "input" in wrt
    rule = Rule((*_QKV, "b s k", *(f"{r} k" for r in _QKV_ROWS)), results, sums,
                total=("hq", "hk") if of_input else (),
                terms={0: ("hq",), 1: ("hk",), 2: ("hk",)},
                made_of={i: (i - of_input) % 3 for i in range(of_input, len(results))})
    compute = partitioned(rule, functools.partial(_compute_qkv_grad, wrt))

    def run(dq, dk, dv, x, w):
        parts = iter(compute(dq, dk, dv, x,
                             *_split_rows(w, dq.shape[1], dk.shape[1], dq.shape[3])))
        return tuple(next(parts) if name == "input"
                     else _join_rows([next(parts) for _ in range(3)]) for name in wrt)
    return _batched(run, range(4), sums_tokens=wrt != ("input",))


# ---------------------------------------------------------------------------------------
# out_proj_residual
# ---------------------------------------------------------------------------------------

def _compute_out_proj(attn, w, *rest):
    hidden, width = w.shape
    return call("out_proj_residual", (hidden, width, len(rest) == 2), [attn, w, *rest],
                [rest[-1].shape])


@functools.cache
def _out_proj(has_bias: bool):
    """(attn, residual, w[, b]) -> y."""
    rest = (*(("n",) if has_bias else ()), "b s n")
    rule = Rule(("b s p", "n p", *rest), ("b s n",), sums=(("p",),), total=("p",),
                terms={2 + i: () for i in range(len(rest))})
    compute = partitioned(rule, _compute_out_proj)
    return _batched(lambda attn, residual, *weights: compute(attn, *weights, residual), range(2))


def _compute_out_proj_grad(wrt, dy, attn, w):
    hidden, width = w.shape
    shapes = {"attn": attn.shape, "weight": w.shape, "bias": w.shape[:1]}
    return call("out_proj_residual_grad", (hidden, width, wrt), [dy, attn, w],
                [shapes[name] for name in wrt])


@functools.cache
def _out_proj_grad(wrt: tuple[str, ...]):
    """(dy, attn, w) -> the gradients of `wrt`."""
    kinds = {"attn": ("b s p", ("n",)), "weight": ("n p", ("b", "s")), "bias": ("n", ("b", "s"))}
    results, sums = zip(*[kinds[name] for name in wrt])
    rule = Rule(("b s n", "b s p", "n p"), results, sums)
    compute = partitioned(rule, functools.partial(_compute_out_proj_grad, wrt))
    return _batched(compute, range(2), sums_tokens=wrt != ("attn",))


# ---------------------------------------------------------------------------------------
# Gradients
# ---------------------------------------------------------------------------------------

# JAX may keep the traced forward function of a custom_vjp for one choice of arguments to
# differentiate by, and the form of its residuals for another. So the form is always the
# same, and the choice is part of what is kept with the trace: the shape of an empty array.

def _values(*primals):
    """Arrays, and a mark of those that are differentiated by, as far as JAX tells."""
    code = sum(2**i for i, p in enumerate(primals) if p is not None and p.perturbed)
    return (*(p if p is None else p.value for p in primals), jnp.zeros((0, code), bool))


def _is_wanted(mark, i: int) -> bool:
    return bool(mark.shape[1] >> i & 1)


def _materialize(cotangent):
    if isinstance(cotangent, SymbolicZero):
        return jnp.zeros(cotangent.shape, cotangent.dtype)
    return cotangent


def _gradients(make, mark, names, cotangents, *primals):
    """By each of `names`; None for those that the mark does not have."""
    wrt = tuple(name for i, name in enumerate(names) if _is_wanted(mark, i))
    if not wrt or all(isinstance(c, SymbolicZero) for c in cotangents):
        return [None] * len(names)
    found = dict(zip(wrt, make(wrt)(*map(_materialize, cotangents), *primals)))
    return [found.get(name) for name in names]


@functools.partial(jax.custom_vjp, nondiff_argnums=(3, 4, 5))
def _differentiable_qkv(x, w, b, heads, kv_heads, dim):
    weights = (w,) if b is None else (w, b)
    return _qkv(heads, kv_heads, dim, b is not None)(x, *weights)


def _qkv_forward(x, w, b, heads, kv_heads, dim):
    x, w, b, mark = _values(x, w, b)
    return _differentiable_qkv(x, w, b, heads, kv_heads, dim), (mark, x, w)


def _qkv_backward(heads, kv_heads, dim, residuals, cotangents):
    mark, *primals = residuals
    return tuple(_gradients(_qkv_grad, mark, ("input", "weight", "bias"), cotangents, *primals))


_differentiable_qkv.defvjp(_qkv_forward, _qkv_backward, symbolic_zeros=True)


@jax.custom_vjp
def _differentiable_out_proj(attn, w, b, residual):
    weights = (w,) if b is None else (w, b)
    return _out_proj(b is not None)(attn, residual, *weights)[0]


def _out_proj_forward(attn, w, b, residual):
    attn, w, b, residual, mark = _values(attn, w, b, residual)
    return _differentiable_out_proj(attn, w, b, residual), (mark, attn, w)


def _out_proj_backward(residuals, dy):
    mark, *primals = residuals
    gradients = _gradients(_out_proj_grad, mark, ("attn", "weight", "bias"), (dy,), *primals)
    of_residual = _is_wanted(mark, 3) and not isinstance(dy, SymbolicZero)
    return (*gradients, dy if of_residual else None)


_differentiable_out_proj.defvjp(_out_proj_forward, _out_proj_backward, symbolic_zeros=True)


# ---------------------------------------------------------------------------------------
# The functions
# ---------------------------------------------------------------------------------------

# Eager calls run what jit has compiled; their rules for sharded arrays need XLA's partitioner.
_run_qkv = jax.jit(_differentiable_qkv, static_argnums=(3, 4, 5))
_run_out_proj = jax.jit(_differentiable_out_proj)
_run_grad = jax.jit(lambda make, wrt, *operands: make(wrt)(*operands), static_argnums=(0, 1))


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
    bfloat16 are made in float32 and rounded once. Differentiable once, in reverse, by x, w and b;
    only the gradients that are wanted are computed, as far as JAX tells. Under vmap an axis
    of x becomes part of the batch; with one of w or b the parts are computed one after the
    other.

    Raises ValueError or TypeError, which name the argument, what was expected and found.
    """
    _, _, heads, kv_heads, dim, _, _ = _checks.fused_qkv(
        _describe, x, w, b, num_heads, num_kv_heads, head_dim)
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
    _checks.fused_qkv_grad(_describe, dq, dk, dv, x, w, wrt)
    return _spread(("input", "weight", "bias"), wrt,
                   _run_grad(_qkv_grad, wrt, dq, dk, dv, x, w))


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
                   _run_grad(_out_proj_grad, wrt, dy, attn, w))
