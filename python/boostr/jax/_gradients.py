# Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""The ops with gradients of any order, in reverse: each is computed by the ops themselves."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
from jax.custom_derivatives import SymbolicZero

from . import _primitives

# JAX may keep the traced forward function of a custom_vjp for one choice of arguments to
# differentiate by, and the form of its residuals for another. So the form is always the
# same, and the choice is part of what is kept with the trace: the shape of an empty array.
# Nor may the form of the backward function's results depend on it: zeros are symbolic.


def _values(*primals):
    """Arrays, and a mark of those that are differentiated by, as far as JAX tells."""
    code = sum(2**i for i, p in enumerate(primals) if p is not None and p.perturbed)
    return (*(p if p is None else p.value for p in primals), jnp.zeros((0, code), bool))


def _is_wanted(mark, i: int) -> bool:
    return bool(mark.shape[1] >> i & 1)


def _known(cotangent):
    """The cotangent, None for zero."""
    return None if isinstance(cotangent, SymbolicZero) else cotangent


def _materialize(cotangent):
    if isinstance(cotangent, SymbolicZero):
        return jnp.zeros(cotangent.shape, cotangent.dtype)
    return cotangent


def _or_zeros(gradients, primals):
    """The gradients, symbolic zeros where there is none; None where there is no argument."""
    return tuple(SymbolicZero(jax.typeof(p)) if g is None and p is not None else g
                 for g, p in zip(gradients, primals))


def _first_order(make, mark, names, cotangents, first, w, b):
    """The gradients by each of `names`, which stand for the other arguments."""
    wrt = tuple(name for i, name in enumerate(names) if _is_wanted(mark, i))
    found = {}
    if wrt and not all(isinstance(c, SymbolicZero) for c in cotangents):
        found = dict(zip(wrt, make(wrt)(*map(_materialize, cotangents), first, w)))
    return _or_zeros([found.get(name) for name in names], (first, w, b))


# ---------------------------------------------------------------------------------------
# fused_qkv
# ---------------------------------------------------------------------------------------

@functools.partial(jax.custom_vjp, nondiff_argnums=(3, 4, 5))
def qkv(x, w, b, heads, kv_heads, dim):
    """q, k, v; b may be None."""
    weights = (w,) if b is None else (w, b)
    return _primitives.qkv(heads, kv_heads, dim, b is not None)(x, *weights)


def _qkv_forward(x, w, b, heads, kv_heads, dim):
    x, w, b, mark = _values(x, w, b)
    return qkv(x, w, b, heads, kv_heads, dim), (mark, x, w, b)


def _qkv_backward(heads, kv_heads, dim, residuals, cotangents):
    mark, *primals = residuals
    return _first_order(qkv_grad, mark, ("input", "weight", "bias"), cotangents, *primals)


qkv.defvjp(_qkv_forward, _qkv_backward, symbolic_zeros=True)


@functools.cache
def qkv_grad(wrt: tuple[str, ...]):
    """(dq, dk, dv, x, w) -> the gradients of `wrt`, which are linear in each argument."""
    function = jax.custom_vjp(_primitives.qkv_grad(wrt))

    def forward(*operands):
        *operands, mark = _values(*operands)
        return function(*operands), (mark, *operands)

    def backward(residuals, cotangents):
        mark, dq, dk, dv, x, w = residuals
        of = {name: _known(c) for name, c in zip(wrt, cotangents)}
        widths = dq.shape[1], dk.shape[1], dq.shape[3]
        terms = []
        if any(_is_wanted(mark, i) for i in range(3)):
            b = of.get("bias")
            for tokens, weight in ((of.get("input"), w), (x, of.get("weight"))):
                if tokens is not None and weight is not None:
                    terms.append(qkv(tokens, weight, b, *widths))
                    b = None
            if b is not None:
                rows = _primitives.split_rows(b, *widths)
                terms.append([jnp.broadcast_to(r[:, None], d.shape)
                              for r, d in zip(rows, (dq, dk, dv))])
        d_heads = [sum(parts[1:], parts[0]) for parts in zip(*terms)] or [None] * 3
        dx = dw = None
        if _is_wanted(mark, 3) and of.get("weight") is not None:
            dx, = qkv_grad(("input",))(dq, dk, dv, x, of["weight"])
        if _is_wanted(mark, 4) and of.get("input") is not None:
            dw, = qkv_grad(("weight",))(dq, dk, dv, of["input"], w)
        return _or_zeros((*d_heads, dx, dw), (dq, dk, dv, x, w))

    function.defvjp(forward, backward, symbolic_zeros=True)
    return function


# ---------------------------------------------------------------------------------------
# out_proj_residual
# ---------------------------------------------------------------------------------------

@jax.custom_vjp
def out_proj(attn, w, b, residual):
    """y; b may be None."""
    weights = (w,) if b is None else (w, b)
    return _primitives.out_proj(b is not None)(attn, residual, *weights)[0]


def _out_proj_forward(attn, w, b, residual):
    attn, w, b, residual, mark = _values(attn, w, b, residual)
    return out_proj(attn, w, b, residual), (mark, attn, w, b)


def _out_proj_backward(residuals, dy):
    mark, *primals = residuals
    gradients = _first_order(out_proj_grad, mark, ("attn", "weight", "bias"), (dy,), *primals)
    # The residual is of the type of the result.
    return (*gradients, dy if _is_wanted(mark, 3) or isinstance(dy, SymbolicZero)
            else SymbolicZero(jax.typeof(dy)))


out_proj.defvjp(_out_proj_forward, _out_proj_backward, symbolic_zeros=True)


@functools.cache
def out_proj_grad(wrt: tuple[str, ...]):
    """(dy, attn, w) -> the gradients of `wrt`, which are linear in each argument."""
    function = jax.custom_vjp(_primitives.out_proj_grad(wrt))

    def forward(*operands):
        *operands, mark = _values(*operands)
        return function(*operands), (mark, *operands)

    def backward(residuals, cotangents):
        mark, dy, attn, w = residuals
        of = {name: _known(c) for name, c in zip(wrt, cotangents)}
        d_dy = d_attn = dw = None
        if _is_wanted(mark, 0):
            b = of.get("bias")
            if b is not None:
                d_dy = jnp.broadcast_to(b, dy.shape)
            for tokens, weight in ((of.get("attn"), w), (attn, of.get("weight"))):
                if tokens is not None and weight is not None:
                    d_dy = jnp.zeros_like(dy) if d_dy is None else d_dy
                    d_dy = out_proj(tokens, weight, None, d_dy)
        if _is_wanted(mark, 1) and of.get("weight") is not None:
            d_attn, = out_proj_grad(("attn",))(dy, attn, of["weight"])
        if _is_wanted(mark, 2) and of.get("attn") is not None:
            dw, = out_proj_grad(("weight",))(dy, of["attn"], w)
        return _or_zeros((d_dy, d_attn, dw), (dy, attn, w))

    function.defvjp(forward, backward, symbolic_zeros=True)
    return function
