# Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""What each device computes of an op whose arrays are sharded.

A rule names the factor behind each dimension of each array, as Shardy does: "b s k" for
[B, S, H]. Mesh axes are given to factors, and from that everything follows: how each array
is sharded, which results are parts of sums, and what must be added on one device only.
"""

from __future__ import annotations

import dataclasses
import inspect
import math
from typing import Callable

import jax
import jax.numpy as jnp
from jax.experimental.custom_partitioning import custom_partitioning
from jax.sharding import NamedSharding, PartitionSpec

# In this order they get axes: tokens are what most programs shard.
_ORDER = ("b", "s", "hq", "hk", "n", "k", "p")
_HEAD_DIM = "d"
# Factors that may have the same axis, because no array has both.
_TWINS = {"hq": "hk", "hk": "hq"}


@dataclasses.dataclass(frozen=True, eq=False)
class Rule:
    """The dimensions of an op's arrays, and its sums.

    operands, results: the factors of each, as in "b s k".
    sums: for each result, the factors that it is summed over.
    total: the factors of a sum that has terms of their own, as a bias, and
    terms: the operands that these are, by number, with the factors of it that they have. Of
      devices that share such a term one alone may add it; the others take zeros for it.
    made_of: the results that are made of one term, by number, as gradients of a weight.
    """

    operands: tuple[str, ...]
    results: tuple[str, ...]
    sums: tuple[tuple[str, ...], ...]
    total: tuple[str, ...] = ()
    terms: dict[int, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    made_of: dict[int, int] = dataclasses.field(default_factory=dict)

    def text(self) -> str:
        return f"{', '.join(self.operands)} -> {', '.join(self.results)}"

    def whole(self) -> tuple[str, ...]:
        """The factors that no device can take a part of."""
        return (_HEAD_DIM,) if any(_HEAD_DIM in o.split() for o in self.operands) else ()


def _leaves(arrays) -> list:
    return jax.tree.leaves(arrays)


def _placements(axes, counts):
    """All ways to give mesh axes to dimensions so that dimension i has counts[i] parts.

    axes: (name, extent) of each. Yields a tuple of names for each dimension, or leaves axes out.
    """
    if all(count == 1 for count in counts):
        yield ((),) * len(counts)
        return
    for i, (name, extent) in enumerate(axes):
        for d, count in enumerate(counts):
            if count % extent == 0:
                left = [*counts[:d], count // extent, *counts[d + 1:]]
                for rest in _placements(axes[:i] + axes[i + 1:], left):
                    yield (*rest[:d], (name, *rest[d]), *rest[d + 1:])


def _axes_of(mesh, array) -> tuple[tuple[str, ...], ...]:
    """The mesh axes of each dimension of an array that knows its sharding.

    The partitioners also come up with shardings that no mesh axes stand for, as by a part
    of an axis, of which JAX's own decoding makes an error. Such an array counts as whole.
    """
    sharding, rank = getattr(array, "sharding", None), len(array.shape)
    whole = ((),) * rank
    if sharding is None or sharding.is_fully_replicated or 0 in array.shape:
        return whole
    if mesh.empty:
        raise ValueError(
            "boostr.jax: expected arrays that are sharded over a known mesh, got a sharding over "
            f"{len(sharding.device_set)} devices; call in the scope of the mesh")
    try:
        parts = sharding.shard_shape(tuple(array.shape))
    except ValueError:  # Uneven.
        return whole
    counts = [extent // part for extent, part in zip(array.shape, parts)]
    axes = [(name, extent) for name, extent in mesh.shape.items() if extent > 1]
    for placement in _placements(axes, counts):
        if NamedSharding(mesh, PartitionSpec(*placement)).is_equivalent_to(sharding, rank):
            return placement
    return whole


def _specs(mesh, arrays, side):
    """(factors, extents, axes), each by dimension, of arrays that know their sharding."""
    for array, factors in zip(arrays, side):
        yield factors.split(), array.shape, _axes_of(mesh, array)


def _assign(mesh, rule: Rule, operands, results=()) -> dict[str, tuple[str, ...]]:
    """The mesh axes of each factor: those that the first sharded array with it has."""
    specs = [*_specs(mesh, operands, rule.operands), *_specs(mesh, results, rule.results)]
    chosen: dict[str, tuple[str, ...]] = {}
    for factor in _ORDER:
        taken = {axis for other, axes in chosen.items() if other != _TWINS.get(factor)
                 for axis in axes}
        for names, extents, entries in specs:
            if factor not in names:
                continue
            i = names.index(factor)
            axes = tuple(a for a in entries[i] if a not in taken)
            if axes and extents[i] % math.prod(mesh.shape[a] for a in axes) == 0:
                chosen[factor] = axes
                break
    return chosen


def _shardings(mesh, side, chosen) -> tuple[NamedSharding, ...]:
    return tuple(
        NamedSharding(mesh, PartitionSpec(*(chosen.get(f) for f in factors.split())))
        for factors in side)


def _is_first(axes):
    """Whether this device is the first along the axes."""
    first = jnp.bool_(True)
    for axis in axes:
        first &= jax.lax.axis_index(axis) == 0
    return first


def _compute_part(rule: Rule, compute: Callable, chosen):
    """What a device computes of its parts of the operands: its parts of the results."""
    def axes_of(factors):
        return tuple(dict.fromkeys(a for f in factors for a in chosen.get(f, ())))

    shared = {i: tuple(a for a in axes_of(rule.total) if a not in axes_of(factors))
              for i, factors in rule.terms.items()}

    def run(*parts):
        parts = list(parts)
        for i, axes in shared.items():
            if axes:
                parts[i] = jnp.where(_is_first(axes), parts[i], jnp.zeros_like(parts[i]))
        results = compute(*parts)
        axes = [axes_of(factors) + shared.get(rule.made_of.get(i), ())
                for i, factors in enumerate(rule.sums)]
        return tuple(jax.lax.psum(r, a) if a else r for r, a in zip(results, axes))
    return run


def partitioned(rule: Rule, compute: Callable) -> Callable:
    """The function compute(*operands) -> results, which sharded arrays can be given to.

    compute: is called with parts of all operands, and finds extents in their shapes.
    """
    def partition(mesh, operands, results):
        operands, results = _leaves(operands), _leaves(results)
        chosen = _assign(mesh, rule, operands, results)
        return (mesh, _compute_part(rule, compute, chosen),
                _shardings(mesh, rule.results, chosen), _shardings(mesh, rule.operands, chosen))

    def infer(mesh, operands, results):
        return _shardings(mesh, rule.results, _assign(mesh, rule, _leaves(operands)))

    function = custom_partitioning(lambda *operands: tuple(compute(*operands)))
    known = inspect.signature(function.def_partition).parameters
    options = {"sharding_rule": rule.text(), "need_replication_factors": rule.whole()}
    function.def_partition(partition, infer_sharding_from_operands=infer, decode_shardings=False,
                           **{name: value for name, value in options.items() if name in known})
    return function
