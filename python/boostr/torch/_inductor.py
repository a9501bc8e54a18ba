# Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""A pass over the graphs of torch.compile: unfused projections become ops of boostr.

It runs before gradients are derived, so that those of the ops are used in the backward
graph. Found are

- one wide linear and a split, or three linears of one input, each with a view as heads and
  a transposition: `fused_qkv`;
- a linear and an addition of a tensor of the result's shape: `out_proj_residual`.

What has other users in between, other types than float64, float32, float16 and bfloat16,
or inputs that do not have three dimensions, is left as it is.

Three weights are read, and their gradients written, where they are. The transposed ones of
transformers' Conv1D would have to be copied in each step, which costs more than the ops
gain, so those are left unless asked for.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Optional

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

# A node, or what may stand in place of one; what a graph has is known by its values alone.
Node = Any

# Fewer tokens than this cannot make up for copying weights.
MIN_TOKENS_TO_COPY = 256


def _is(node: Node, targets: set[Any]) -> bool:
    return (isinstance(node, fx.Node) and node.op in ("call_function", "call_method")
            and node.target in targets)


def _value(node: Node) -> Any:
    """The tensor that tracing had here, or None."""
    value = node.meta.get("example_value") if isinstance(node, fx.Node) else None
    return value if isinstance(value, torch.Tensor) else None


def _only_user(node: Node) -> Node:
    return next(iter(node.users)) if len(node.users) == 1 else None


@dataclass
class _Linear:
    """A linear, or what transformers' Conv1D makes of one."""

    nodes: list[Node]  # From the first one to the result.
    x: Node
    weight: Node
    bias: Node
    is_transposed: bool = False  # The weight is [hidden, rows].

    @property
    def result(self) -> Node:
        return self.nodes[-1]


def _linear(node: Node) -> Optional[_Linear]:
    """The node as a linear that an op could stand for."""
    linear = _plain_linear(node) or _conv1d(node)
    if linear is None:
        return None
    values = [_value(n) for n in (linear.x, linear.weight, linear.result)]
    if linear.bias is not None:
        values.append(_value(linear.bias))
    if any(v is None for v in values) or values[0].dim() != 3 or values[1].dim() != 2:
        return None
    # Types differ under autocast, which has rules of its own.
    if len({v.dtype for v in values}) > 1 or values[0].dtype not in ELEMENTS:
        return None
    return linear


def _plain_linear(node: Node) -> Optional[_Linear]:
    if not _is(node, _LINEAR):
        return None
    given = dict(zip(("input", "weight", "bias"), node.args)) | node.kwargs
    return _Linear([node], given["input"], given["weight"], given.get("bias"))


def _conv1d(node: Node) -> Optional[_Linear]:
    """addmm(bias, x.view(-1, hidden), weight).view(batch, sequence, rows)."""
    product: Node = node.args[0] if _is(node, _VIEW) and node.args else None
    if not _is(product, {torch.addmm}) or _only_user(product) is not node or product.kwargs:
        return None
    bias, flat, weight = product.args
    if not _is(flat, _VIEW) or _only_user(flat) is not product:
        return None
    x, result = _value(flat.args[0]), _value(node)
    if x is None or result is None or x.dim() != 3 or result.dim() != 3:
        return None
    if x.shape[:2] != result.shape[:2] or _value(flat).shape[1] != x.shape[2]:
        return None
    return _Linear([flat, product, node], flat.args[0], weight, bias, is_transposed=True)


def _open_modules(graph: fx.Graph) -> None:
    """Makes calls of functions out of those of modules, which PyTorch 2.4 has in graphs."""
    functional = torch.nn.functional
    start = next((n for n in graph.nodes if n.op != "placeholder"), None)
    for node in graph.find_nodes(op="call_module"):
        owner = graph.owning_module
        module: Any = owner.get_submodule(node.target) if owner is not None else None
        x, mode = node.args[0], getattr(_value(node), "fake_mode", None)
        if type(module) not in (torch.nn.Linear, torch.nn.Dropout) or mode is None:
            continue
        parameters = []
        if type(module) is torch.nn.Linear:
            with graph.inserting_before(start):
                parameters = [_get_parameter(graph, node.target, name, getattr(module, name), mode)
                              for name in ("weight", "bias")]
        with graph.inserting_before(node):
            new = (graph.call_function(functional.linear, (x, *parameters)) if parameters else
                   graph.call_function(functional.dropout, (x, module.p, module.training)))
        new.meta = dict(node.meta)
        node.replace_all_uses_with(new)
        start = new if start is node else start
        graph.erase_node(node)


def _get_parameter(graph: fx.Graph, owner: str, name: str, parameter: Any, mode: Any) -> Node:
    if parameter is None:
        return None
    node = graph.get_attr(f"{owner}.{name}")
    node.meta["example_value"] = mode.from_tensor(parameter, static_shapes=True)
    return node


def _through_dropout(node: Node) -> list[Node]:
    """The node, behind dropouts before it that do nothing; these, and then that one."""
    nodes = []
    while _is(node, {torch.nn.functional.dropout}):
        given = dict(zip(("input", "p", "training"), node.args)) | node.kwargs
        if given.get("training", True) and given.get("p", 0.5) != 0:
            break
        nodes.append(node)
        node = given["input"]
    return [*nodes, node]


@dataclass
class _Heads:
    """A part of a projection that is viewed and transposed into heads."""

    nodes: list[Node]  # From the one behind the projection to the transposition.
    num_heads: int
    head_dim: int

    @property
    def result(self) -> Node:
        return self.nodes[-1]


def _heads(node: Node) -> Optional[_Heads]:
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
    if not is_turned or not isinstance(before.shape[2], int):
        return None
    # Of a width that is known, even where PyTorch 2.4 takes all numbers in a module for
    # dynamic ones: then this makes them known.
    return _Heads([view, turned], *map(int, shape.shape[2:]))


def _permutation(node: Node) -> list[int]:
    dims = node.args[1] if isinstance(node.args[1], (tuple, list)) else node.args[1:]
    return [d % 4 for d in dims]


def _are_parameters(linears: list[_Linear]) -> bool:
    """Whether weights and biases are there from the start: they may be used earlier than
    they are now."""
    parameters = [n for l in linears for n in (l.weight, l.bias) if n is not None]
    return all(n.op in ("placeholder", "get_attr") for n in parameters)


def _order(parts: Iterable[tuple[_Linear, _Heads]]) -> Optional[list[tuple[_Linear, _Heads]]]:
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

    def __init__(self, graph: fx.Graph, copies_weights: bool = False):
        self.graph = graph
        self.copies_weights = copies_weights
        self.count = 0

    def run(self) -> int:
        """Returns how many ops were put in."""
        _open_modules(self.graph)
        for node in list(self.graph.nodes):
            linear = _linear(node)
            if linear is not None:
                self._rewrite_wide(linear)
        for group in self._groups():
            self._rewrite_separate(group)
        for node in list(self.graph.nodes):
            self._rewrite_residual(node)
        if self.count:
            self.graph.lint()
        return self.count

    def _may_copy(self, linear: _Linear) -> bool:
        """Whether the weight may be transposed."""
        if not self.copies_weights or not _are_parameters([linear]):
            return False
        batch, length, _ = _value(linear.x).shape
        return _hint(batch * length) >= MIN_TOKENS_TO_COPY

    def _weight(self, linear: _Linear) -> Node:
        """[rows, hidden], in C order."""
        if not linear.is_transposed:
            return linear.weight
        turned = self._call(torch.t, linear.weight)
        return self._call(torch.clone, turned, memory_format=torch.contiguous_format)

    def _erase(self, nodes: list[Node]) -> None:
        """Nodes without users any more, from the last one on."""
        for node in reversed(nodes):
            self.graph.erase_node(node)

    def _call(self, target: Callable[..., Any], *args: Any, **kwargs: Any) -> Node:
        """A node, with the value that later passes look at."""
        node = self.graph.call_function(target, args, kwargs)
        values = fx.map_arg(args, lambda n: n.meta["example_value"])
        # The mode of the values, which need not be the one that is on now.
        modes = [v.fake_mode for v in torch.utils._pytree.tree_leaves(values)
                 if isinstance(v, FakeTensor)]
        with modes[0] if modes else torch.no_grad():
            node.meta["example_value"] = target(*values, **kwargs)
        return node

    def _put_qkv(self, before: Node, op: Callable[..., Any], tensors: list[Node],
                 parts: list[_Heads]) -> None:
        query, key, _ = parts
        with self.graph.inserting_before(before):
            result = self._call(op, *tensors, query.num_heads, key.num_heads, query.head_dim)
            items = [self._call(operator.getitem, result, i) for i in range(3)]
            items[0] = self._as_tokens(items[0])
        for item, part in zip(items, parts):
            part.result.replace_all_uses_with(item)
            self._erase(part.nodes)
        self.count += 1

    def _as_tokens(self, query: Node) -> Node:
        """The query with the strides that it had: tokens before heads.

        Attention writes its result as the query lies. After heads, the output projection
        would get a copy of it, and both would be kept for the backward pass. Inductor makes
        this copy in the same loop as rotary embeddings.
        """
        tokens = self._call(torch.transpose, query, 1, 2)
        tokens = self._call(torch.clone, tokens, memory_format=torch.contiguous_format)
        return self._call(torch.transpose, tokens, 1, 2)

    def _rewrite_wide(self, linear: _Linear) -> None:
        split = _only_user(linear.result)
        if not _is(split, _SPLIT) or (linear.is_transposed and not self._may_copy(linear)):
            return
        items = sorted(split.users, key=lambda n: n.args[1] if n.target is operator.getitem else -1)
        if len(items) != 3 or [n.args[1] if n.target is operator.getitem else None
                               for n in items] != [0, 1, 2]:
            return
        value = _value(linear.result)
        if sum(_value(item).shape[-1] for item in items) != value.shape[-1]:
            return  # Split along another dimension.
        parts = [h for h in map(_heads, items) if h is not None]
        if len(parts) != 3 or parts[1].num_heads != parts[2].num_heads or len(
                {h.head_dim for h in parts}) > 1:
            return
        for item, heads in zip(items, parts):
            heads.nodes.insert(0, item)
        first = linear.nodes[0]
        with self.graph.inserting_before(first):
            weight = self._weight(linear)
        self._put_qkv(first, torch.ops.boostr.fused_qkv.default, [linear.x, weight, linear.bias],
                      parts)
        self._erase([*linear.nodes, split])

    def _groups(self) -> Iterable[list[tuple[_Linear, _Heads]]]:
        """Linears into heads, by their input."""
        groups: dict[Node, list[tuple[_Linear, _Heads]]] = {}
        for node in self.graph.nodes:
            linear = _linear(node)
            heads = _heads(node) if linear else None
            if linear and heads and not linear.is_transposed:
                groups.setdefault(linear.x, []).append((linear, heads))
        return groups.values()

    def _rewrite_separate(self, group: list[tuple[_Linear, _Heads]]) -> None:
        ordered = _order(group)
        if ordered is None:
            return
        linears, parts = [l for l, _ in ordered], [h for _, h in ordered]
        if len({l.bias is None for l in linears}) > 1 or not _are_parameters(linears):
            return
        first = min((l.result for l in linears), key=list(self.graph.nodes).index)
        self._put_qkv(first, torch.ops.boostr.fused_qkv_separate.default,
                      [linears[0].x, *(l.weight for l in linears), *(l.bias for l in linears)],
                      parts)
        for linear in linears:
            self._erase(linear.nodes)

    def _rewrite_residual(self, node: Node) -> None:
        if not _is(node, _ADD) or len(node.args) != 2 or node.kwargs:
            return
        for last, residual in (node.args, node.args[::-1]):
            *dropouts, product = _through_dropout(last)
            linear = _linear(product)
            between = [*dropouts, product]
            if linear is None or any(_only_user(n) is not user
                                     for n, user in zip(between, [node, *dropouts])):
                continue
            ours, other = _value(product), _value(residual)
            if other is None or other.dtype != ours.dtype or other.shape != ours.shape:
                continue
            if linear.is_transposed and not self._may_copy(linear):
                continue
            with self.graph.inserting_before(node):
                weight = self._weight(linear)
                result = self._call(torch.ops.boostr.out_proj_residual.default, linear.x,
                                    weight, linear.bias, residual)
            node.replace_all_uses_with(result)
            self._erase([*linear.nodes, *reversed(dropouts), node])
            self.count += 1
            return


def _hint(number: Any) -> int:
    """The number, or what it was when the graph was traced."""
    return number if isinstance(number, int) else number.node.hint or 0


class _Pass:
    """Calls the pass that was there before, then ours."""

    def __init__(self, previous: Optional[Callable[[fx.Graph], None]]):
        self.previous = previous
        self.copies_weights = False
        self.count = 0

    def __call__(self, graph: fx.Graph) -> None:
        if self.previous is not None:
            self.previous(graph)
        self.count += _Rewriter(graph, self.copies_weights).run()


def enable_inductor(*, copy_weights: bool = False) -> None:
    """Makes torch.compile (with its default backend, inductor) use the ops.

    Found are a wide linear that is split into heads, or three linears of one input that are,
    which become split_heads(x @ w.T + b) as one op, and a linear with a residual,
    x @ w.T + b + residual; and so their gradients. x is [B, S, H], float64, float32, float16
    or bfloat16. Acts on what is compiled from now on, in this process. Doing it twice does
    nothing more.

    transformers' Conv1D, whose weights are transposed, is left alone: they would have to be
    copied in each step. `fuse` does that once.

    Arguments:
      copy_weights: take Conv1D too, from 256 tokens on, and copy its weights. Measured, it is
        slower than leaving it alone, and takes more memory.

    Raises:
      TypeError: copy_weights is no bool.
    """
    if not isinstance(copy_weights, bool):
        raise TypeError(f"copy_weights: expected a bool, got {type(copy_weights).__name__}")
    config: Any = torch._inductor.config
    if not isinstance(config.pre_grad_custom_pass, _Pass):
        config.pre_grad_custom_pass = _Pass(config.pre_grad_custom_pass)
    config.pre_grad_custom_pass.copies_weights = copy_weights


def disable_inductor() -> None:
    """Undoes enable_inductor. What was compiled stays as it is."""
    config: Any = torch._inductor.config
    if isinstance(config.pre_grad_custom_pass, _Pass):
        config.pre_grad_custom_pass = config.pre_grad_custom_pass.previous
