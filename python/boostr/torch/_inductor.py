# Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""A pass over the graphs of torch.compile: unfused projections become ops of boostr.

It runs before gradients are derived, so that those of the ops are used in the backward
graph. Found are

- three linears of one input, or one wide linear and a split, each with a view as heads and
  a transposition: `fused_qkv`;
- a linear and an addition of a tensor of the result's shape: `out_proj_residual`.

What has other users in between, other types than float64, float32, float16 and bfloat16,
or inputs that do not have three dimensions, is left as it is.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import Optional

import torch
import torch._inductor.config
from torch import fx
from torch._subclasses import FakeTensor

from ._checks import ELEMENTS

_LINEAR = {torch.nn.functional.linear, torch._C._nn.linear}
_VIEW = {"view", "reshape", "unflatten", torch.reshape, torch.unflatten}
_TRANSPOSE = {"transpose", "swapaxes", torch.transpose, torch.swapaxes}
_PERMUTE = {"permute", torch.permute}
_SPLIT = {"split", "chunk", torch.split, torch.chunk, torch.functional.split}
_ADD = {operator.add, torch.add, "add"}

# Fewer tokens than this do not make up for putting separate weights one behind the other.
MIN_TOKENS_TO_CONCATENATE = 256


def _is(node, targets) -> bool:
    return (isinstance(node, fx.Node) and node.op in ("call_function", "call_method")
            and node.target in targets)


def _value(node) -> Optional[torch.Tensor]:
    value = node.meta.get("example_value") if isinstance(node, fx.Node) else None
    return value if isinstance(value, torch.Tensor) else None


def _only_user(node: fx.Node) -> Optional[fx.Node]:
    return next(iter(node.users)) if len(node.users) == 1 else None


@dataclass
class _Linear:
    node: fx.Node
    x: fx.Node
    weight: fx.Node
    bias: Optional[fx.Node]


def _linear(node: fx.Node) -> Optional[_Linear]:
    """The node as a linear that an op could stand for."""
    if not _is(node, _LINEAR):
        return None
    given = dict(zip(("input", "weight", "bias"), node.args)) | node.kwargs
    x, weight, bias = given["input"], given["weight"], given.get("bias")
    tensors = [_value(n) for n in (x, weight, node)]
    if bias is not None:
        tensors.append(_value(bias))
    if any(t is None for t in tensors) or tensors[0].dim() != 3:
        return None
    # Types differ under autocast, which has rules of its own.
    if len({t.dtype for t in tensors}) > 1 or tensors[0].dtype not in ELEMENTS:
        return None
    return _Linear(node, x, weight, bias)


@dataclass
class _Heads:
    """A part of a projection that is viewed and transposed into heads."""

    nodes: list[fx.Node]  # From the one behind the projection to the transposition.
    num_heads: int
    head_dim: int

    @property
    def result(self) -> fx.Node:
        return self.nodes[-1]


def _heads(node: fx.Node) -> Optional[_Heads]:
    """What follows a [B, S, heads * D] node, if that is a split into heads."""
    view = _only_user(node)
    if not _is(view, _VIEW) or view.args[0] is not node:
        return None
    before, shape = _value(node), _value(view)
    if shape is None or shape.dim() != 4 or before.shape[:2] != shape.shape[:2]:
        return None
    turned = _only_user(view)
    is_turned = (
        _is(turned, _TRANSPOSE) and sorted(d % 4 for d in turned.args[1:3]) == [1, 2]
        or _is(turned, _PERMUTE) and _permutation(turned) == [0, 2, 1, 3])
    heads, dim = shape.shape[2:]
    if not is_turned or not isinstance(heads, int) or not isinstance(dim, int):
        return None
    return _Heads([view, turned], heads, dim)


def _permutation(node: fx.Node) -> list[int]:
    dims = node.args[1] if isinstance(node.args[1], (tuple, list)) else node.args[1:]
    return [d % 4 for d in dims]


def _order(parts):
    """Query first, then the two with equally many heads; None if that is not so."""
    parts = list(parts)
    if len(parts) != 3 or len({h.head_dim for _, h in parts}) > 1:
        return None
    for i, (_, heads) in enumerate(parts):
        others = parts[:i] + parts[i + 1:]
        if others[0][1].num_heads == others[1][1].num_heads:
            return [parts[i], *others]
    return None


class _Rewriter:
    """One graph."""

    def __init__(self, graph: fx.Graph):
        self.graph = graph
        self.count = 0

    def run(self) -> int:
        """Returns how many ops were put in."""
        for node in list(self.graph.nodes):
            linear = _linear(node)
            if linear is not None and len(node.users) >= 1:
                self._rewrite_wide(linear)
        for group in self._groups():
            self._rewrite_separate(group)
        for node in list(self.graph.nodes):
            self._rewrite_residual(node)
        if self.count:
            self.graph.lint()
        return self.count

    def _call(self, target, *args):
        """A node, with the value that later passes look at."""
        node = self.graph.call_function(target, args)
        values = fx.map_arg(args, lambda n: n.meta["example_value"])
        # The mode of the values, which need not be the one that is on now.
        modes = [v.fake_mode for v in torch.utils._pytree.tree_leaves(values)
                 if isinstance(v, FakeTensor)]
        with modes[0] if modes else torch.no_grad():
            node.meta["example_value"] = target(*values)
        return node

    def _put_qkv(self, before, x, weight, bias, parts) -> None:
        query, key, _ = parts
        with self.graph.inserting_before(before):
            result = self._call(torch.ops.boostr.fused_qkv.default, x, weight, bias,
                                query.num_heads, key.num_heads, query.head_dim)
            items = [self._call(operator.getitem, result, i) for i in range(3)]
        for item, part in zip(items, parts):
            part.result.replace_all_uses_with(item)
            for node in reversed(part.nodes):
                self.graph.erase_node(node)
        self.count += 1

    def _rewrite_wide(self, linear: _Linear) -> None:
        split = _only_user(linear.node)
        if not _is(split, _SPLIT):
            return
        items = sorted(split.users, key=lambda n: n.args[1] if n.target is operator.getitem else -1)
        if len(items) != 3 or [n.args[1] if n.target is operator.getitem else None
                               for n in items] != [0, 1, 2]:
            return
        value = _value(linear.node)
        if sum(_value(item).shape[-1] for item in items) != value.shape[-1]:
            return  # Split along another dimension.
        found = [_heads(item) for item in items]
        if any(h is None for h in found) or found[1].num_heads != found[2].num_heads or len(
                {h.head_dim for h in found}) > 1:
            return
        for item, heads in zip(items, found):
            heads.nodes.insert(0, item)
        self._put_qkv(linear.node, linear.x, linear.weight, linear.bias, found)
        self.graph.erase_node(split)
        self.graph.erase_node(linear.node)

    def _groups(self):
        """Linears into heads, by their input."""
        groups = {}
        for node in self.graph.nodes:
            linear = _linear(node)
            heads = _heads(node) if linear else None
            if heads:
                groups.setdefault(linear.x, []).append((linear, heads))
        return groups.values()

    def _rewrite_separate(self, group) -> None:
        ordered = _order(group)
        if ordered is None:
            return
        linears, parts = [l for l, _ in ordered], [h for _, h in ordered]
        if len({l.bias is None for l in linears}) > 1:
            return
        batch, length, _ = _value(linears[0].x).shape
        if _hint(batch * length) < MIN_TOKENS_TO_CONCATENATE:
            return
        first = min((l.node for l in linears), key=list(self.graph.nodes).index)
        # Only weights that are there from the start can be used that early.
        parameters = [n for l in linears for n in (l.weight, l.bias) if n is not None]
        if any(n.op not in ("placeholder", "get_attr") for n in parameters):
            return
        with self.graph.inserting_before(first):
            weight = self._call(torch.cat, [l.weight for l in linears])
            bias = (self._call(torch.cat, [l.bias for l in linears])
                    if linears[0].bias is not None else None)
        self._put_qkv(first, linears[0].x, weight, bias, parts)
        for linear in linears:
            self.graph.erase_node(linear.node)

    def _rewrite_residual(self, node: fx.Node) -> None:
        if not _is(node, _ADD) or len(node.args) != 2 or node.kwargs:
            return
        for product, residual in (node.args, node.args[::-1]):
            linear = _linear(product) if isinstance(product, fx.Node) else None
            if linear is None or _only_user(product) is not node:
                continue
            ours, other = _value(product), _value(residual)
            if other is None or other.dtype != ours.dtype or other.shape != ours.shape:
                continue
            with self.graph.inserting_before(node):
                result = self._call(torch.ops.boostr.out_proj_residual.default, linear.x,
                                    linear.weight, linear.bias, residual)
            node.replace_all_uses_with(result)
            self.graph.erase_node(node)
            self.graph.erase_node(product)
            self.count += 1
            return


def _hint(number) -> int:
    """The number, or what it was when the graph was traced."""
    return number if isinstance(number, int) else number.node.hint or 0


class _Pass:
    """Calls the pass that was there before, then ours."""

    def __init__(self, previous):
        self.previous = previous
        self.count = 0

    def __call__(self, graph: fx.Graph) -> None:
        if self.previous is not None:
            self.previous(graph)
        self.count += _Rewriter(graph).run()


def enable_inductor() -> None:
    """Makes torch.compile (with its default backend, inductor) use the ops.

    Acts on what is compiled from now on, in this process. Doing it twice does nothing more.
    """
    config = torch._inductor.config
    if not isinstance(config.pre_grad_custom_pass, _Pass):
        config.pre_grad_custom_pass = _Pass(config.pre_grad_custom_pass)


def disable_inductor() -> None:
    """Undoes enable_inductor. What was compiled stays as it is."""
    config = torch._inductor.config
    if isinstance(config.pre_grad_custom_pass, _Pass):
        config.pre_grad_custom_pass = config.pre_grad_custom_pass.previous
