# Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""The four ops as JAX functions with rules for vmap and for sharded arrays, no gradients."""

from __future__ import annotations

import functools
import itertools

import jax
import jax.numpy as jnp
from jax.custom_batching import custom_vmap

from . import _types
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


def split_rows(array, heads, kv_heads, dim):
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
def qkv(heads: int, kv_heads: int, dim: int, has_bias: bool):
    """(x, w[, b]) -> q, k, v."""
    rows = tuple(f"{r} k" for r in _QKV_ROWS) + (_QKV_ROWS if has_bias else ())
    rule = Rule(("b s k", *rows), _QKV, sums=(("k",),) * 3, total=("k",),
                terms={4 + i: () for i in range(3 if has_bias else 0)})
    compute = partitioned(rule, _compute_qkv)

    def run(x, *weights):
        return compute(x, *[p for w in weights for p in split_rows(w, heads, kv_heads, dim)])
    return _batched(_types.qkv(run, heads, kv_heads, dim), range(1))


def _compute_qkv_grad(wrt, dq, dk, dv, x, *weights):
    heads, dim, hidden = weights[0].shape
    kv_heads = weights[1].shape[0]
    w = _join_rows(weights)
    shapes = {"input": x.shape, "weight": w.shape, "bias": w.shape[:1]}
    results = call("fused_qkv_grad", (hidden, heads, kv_heads, dim, wrt), [dq, dk, dv, x, w],
                   [shapes[name] for name in wrt])
    split = []
    for name, result in zip(wrt, results):
        split += [result] if name == "input" else split_rows(result, heads, kv_heads, dim)
    return split


@functools.cache
def qkv_grad(wrt: tuple[str, ...]):
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
                             *split_rows(w, dq.shape[1], dk.shape[1], dq.shape[3])))
        return tuple(next(parts) if name == "input"
                     else _join_rows([next(parts) for _ in range(3)]) for name in wrt)
    return _batched(_types.gradients(run, wrt), range(4), sums_tokens=wrt != ("input",))


# ---------------------------------------------------------------------------------------
# out_proj_residual
# ---------------------------------------------------------------------------------------

def _compute_out_proj(attn, w, *rest):
    hidden, width = w.shape
    return call("out_proj_residual", (hidden, width, len(rest) == 2), [attn, w, *rest],
                [rest[-1].shape])


@functools.cache
def out_proj(has_bias: bool):
    """(attn, residual, w[, b]) -> y."""
    rest = (*(("n",) if has_bias else ()), "b s n")
    rule = Rule(("b s p", "n p", *rest), ("b s n",), sums=(("p",),), total=("p",),
                terms={2 + i: () for i in range(len(rest))})
    compute = partitioned(rule, _compute_out_proj)

    def run(attn, residual, *weights):
        return compute(attn, *weights, residual)
    return _batched(_types.out_proj(run), range(2))


def _compute_out_proj_grad(wrt, dy, attn, w):
    hidden, width = w.shape
    shapes = {"attn": attn.shape, "weight": w.shape, "bias": w.shape[:1]}
    return call("out_proj_residual_grad", (hidden, width, wrt), [dy, attn, w],
                [shapes[name] for name in wrt])


@functools.cache
def out_proj_grad(wrt: tuple[str, ...]):
    """(dy, attn, w) -> the gradients of `wrt`."""
    kinds = {"attn": ("b s p", ("n",)), "weight": ("n p", ("b", "s")), "bias": ("n", ("b", "s"))}
    results, sums = zip(*[kinds[name] for name in wrt])
    rule = Rule(("b s n", "b s p", "n p"), results, sums)
    compute = partitioned(rule, functools.partial(_compute_out_proj_grad, wrt))
    return _batched(_types.gradients(compute, wrt), range(2), sums_tokens=wrt != ("attn",))
