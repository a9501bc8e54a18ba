# Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Arrays whose types say more than shapes and element types.

Over mesh axes of the kind Explicit types say how arrays are sharded, and in a shard_map along
which axes devices have different parts ("varying"). Of these JAX asks for the types of
results, and demands that a gradient has the type of what it is a gradient by. Beneath, an op
runs as with other arrays, see `_sharding`.
"""

from __future__ import annotations

import math
from typing import Callable

import jax
from jax.sharding import AxisType, NamedSharding, PartitionSpec

try:
    from jax.sharding import auto_axes, reshard
except ImportError:  # JAX 0.6
    from jax.experimental.shard import auto_axes, reshard


def _mesh_of(arrays):
    """The mesh of the first array that has explicit axes; None if none has."""
    for array in arrays:
        mesh = getattr(getattr(jax.typeof(array), "sharding", None), "mesh", None)
        if mesh is not None and not mesh.empty and AxisType.Explicit in mesh.axis_types:
            return mesh
    return None


def _spec(array) -> tuple:
    spec = tuple(jax.typeof(array).sharding.spec)
    return spec + (None,) * (len(array.shape) - len(spec))


def _distinct(mesh, shape, *entries) -> PartitionSpec:
    """The entries, less those whose axes serve before or do not divide the extent."""
    taken, kept = set(), []
    for extent, entry in zip(shape, entries):
        axes = entry if isinstance(entry, tuple) else () if entry is None else (entry,)
        fits = not taken & set(axes) and extent % math.prod(mesh.shape[a] for a in axes) == 0
        kept.append(entry if fits else None)
        taken |= set(axes) if fits else set()
    return PartitionSpec(*kept)


def _qkv_specs(mesh, heads, kv_heads, dim, x, w):
    (b, s, _), (n, _) = _spec(x), _spec(w)
    return [_distinct(mesh, (x.shape[0], h, x.shape[1], dim), b, n, s, None)
            for h in (heads, kv_heads, kv_heads)]


def _out_proj_spec(mesh, attn, residual, w):
    first = [a or r for a, r in zip(_spec(attn)[:2], _spec(residual)[:2])]
    return _distinct(mesh, residual.shape, *first, _spec(w)[0] or _spec(residual)[2])


def _varying_axes(array) -> frozenset:
    """The axes of a shard_map along which the array varies."""
    kind = jax.typeof(array)
    manual = getattr(kind, "manual_axis_type", None)
    return getattr(kind, "vma", frozenset()) if manual is None else manual.varying


def _all_varying_axes(arrays) -> frozenset:
    return frozenset().union(*map(_varying_axes, arrays))


def _vary(array, axes):
    """The array, as if it varied along these axes, too."""
    missing = tuple(axes - _varying_axes(array))
    if not missing:
        return array
    if hasattr(jax.lax, "pcast"):
        return jax.lax.pcast(array, missing, to="varying")
    return jax.lax.pvary(array, missing)  # JAX 0.6


def _typed(function: Callable, specs: Callable) -> Callable:
    """The function, with results that vary as its operands do and are sharded as
    specs(mesh, *operands) says."""
    def run(*operands):
        mesh = _mesh_of(operands)
        if mesh is None:
            axes = _all_varying_axes(operands)
            return tuple(_vary(r, axes) for r in function(*operands))
        out = tuple(NamedSharding(mesh, spec) for spec in specs(mesh, *operands))
        return auto_axes(lambda *o: tuple(function(*o)), out_sharding=out)(*operands)
    return run


def qkv(function: Callable, heads: int, kv_heads: int, dim: int) -> Callable:
    """A function of (x, w[, b]): results have the tokens of x and the heads of w's rows."""
    return _typed(function, lambda mesh, x, w, *_: _qkv_specs(mesh, heads, kv_heads, dim, x, w))


def out_proj(function: Callable) -> Callable:
    """A function of (attn, residual, w[, b])."""
    return _typed(function, lambda mesh, attn, residual, w, *_: [
        _out_proj_spec(mesh, attn, residual, w)])


def gradients(function: Callable, wrt: tuple[str, ...]) -> Callable:
    """A function of (..., x, w): gradients have the types of x, w and aligned biases."""
    def specs(mesh, *operands):
        *_, x, w = operands
        return [PartitionSpec(*(_spec(w) if name == "weight" else _spec(w)[:1]
                                if name == "bias" else _spec(x))) for name in wrt]
    return _typed(function, specs)


def _align(mesh, array, spec):
    return array if array is None else reshard(array, NamedSharding(mesh, spec))


def align_bias(b, w):
    """The bias, sharded as the rows of w are."""
    mesh = _mesh_of([w] if b is None else [w, b])
    return b if mesh is None else _align(mesh, b, PartitionSpec(_spec(w)[0]))


def align_residual(residual, attn, w):
    """The residual, sharded as the result is."""
    mesh = _mesh_of([attn, w, residual])
    if mesh is None:
        return residual
    return _align(mesh, residual, _out_proj_spec(mesh, attn, residual, w))


def align_varying(*arrays) -> tuple:
    """The arrays, where given, as if all varied along the same axes.

    A weight that all devices of a shard_map share gets the sum of their gradients by that.
    """
    axes = _all_varying_axes(a for a in arrays if a is not None)
    return tuple(None if a is None else _vary(a, axes) for a in arrays)
