# Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""What the ops demand of their arguments, whatever framework those are of.

For each op a function that raises a ValueError or TypeError, which names the argument,
what was expected and what was found, and otherwise returns the arguments of the function
of `_kernels` that has the op's name. `describe(name, tensor)` tells a tensor's element type
and its target, as in ("float32", "cuda:0").
"""

from __future__ import annotations

import operator

from . import _kernels


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

    def __init__(self, describe, name, tensor, *dims):
        self.describe = describe
        self.name = name
        self.dtype, self.target = describe(name, tensor)
        self.element = _kernels.ELEMENTS.get(self.dtype)
        if self.element is None:
            raise TypeError(f"{name}: expected float64, float32, float16 or bfloat16, got "
                            f"{self.dtype}")
        _check_rank(name, tensor, *dims)
        self.shape = tuple(tensor.shape)

    def check(self, name, tensor, *expected):
        """Raises unless the tensor is of this shape and like the first one."""
        dtype, target = self.describe(name, tensor)
        if dtype != self.dtype:
            raise TypeError(f"{name}: expected {self.dtype}, as {self.name} has, got {dtype}")
        if target != self.target:
            raise ValueError(f"{name}: expected a tensor on {self.target}, as {self.name} is, "
                             f"got one on {target}")
        if tuple(tensor.shape) != expected:
            raise ValueError(f"{name}: expected {list(expected)}, got {list(tensor.shape)}")

    def check_parts(self, name, tensors, heads, kv_heads, dim, *columns):
        """The same for one tensor that has the rows of query, key and value, or for one each."""
        rows = _kernels.part_rows(heads, kv_heads, dim)
        if len(tensors) == 1:
            self.check(name, tensors[0], sum(rows), *columns)
            return
        for number, (tensor, size) in enumerate(zip(tensors, rows)):
            self.check(f"{name}[{number}]", tensor, size, *columns)


def wanted(**flags) -> tuple[str, ...]:
    """The names of the gradients that are wanted."""
    wrt = tuple(name for name, is_wanted in flags.items() if is_wanted)
    if not wrt:
        raise ValueError(f"expected at least one of {', '.join(flags)} to be True")
    return wrt


def parts(name: str, given) -> tuple:
    """The tensor, or the three of query, key and value."""
    if not isinstance(given, (tuple, list)):
        return (given,)
    if len(given) != 3:
        raise ValueError(f"{name}: expected a tensor, or three for query, key and value, got "
                         f"{len(given)}")
    return tuple(given)


def weights_and_biases(w, b) -> tuple[tuple, tuple]:
    """All tensors of the weight, and all of the bias, if there is one."""
    weights, biases = parts("w", w), () if b is None else parts("b", b)
    if biases and len(biases) != len(weights):
        raise ValueError(f"b: expected {'three tensors' if len(weights) == 3 else 'one tensor'}, "
                         f"as w has, got {len(biases)}")
    return weights, biases


def fused_qkv(describe, x, weights, biases, num_heads, num_kv_heads, head_dim):
    heads, kv_heads = _count("num_heads", num_heads), _count("num_kv_heads", num_kv_heads)
    dim = _count("head_dim", head_dim)
    call = _Call(describe, "x", x, "batch", "sequence", "hidden")
    hidden = call.shape[2]
    call.check_parts("w", weights, heads, kv_heads, dim, hidden)
    if biases:
        call.check_parts("b", biases, heads, kv_heads, dim)
    return (call.element, hidden, heads, kv_heads, dim, bool(biases), call.target,
            len(weights) > 1)


def fused_qkv_grad(describe, dq, dk, dv, x, weights, wrt):
    call = _Call(describe, "dq", dq, "batch", "heads", "sequence", "head_dim")
    batch, heads, length, dim = call.shape
    describe("dk", dk)  # That it is a tensor.
    _check_rank("dk", dk, "batch", "heads", "sequence", "head_dim")
    kv_heads = dk.shape[1]
    call.check("dk", dk, batch, kv_heads, length, dim)
    call.check("dv", dv, batch, kv_heads, length, dim)
    describe("x", x)
    _check_rank("x", x, "batch", "sequence", "hidden")
    hidden = x.shape[2]
    call.check("x", x, batch, length, hidden)
    call.check_parts("w", weights, heads, kv_heads, dim, hidden)
    return call.element, hidden, heads, kv_heads, dim, wrt, call.target, len(weights) > 1


def out_proj_residual(describe, attn, w, b, residual):
    call = _Call(describe, "attn", attn, "batch", "sequence", "width")
    batch, length, width = call.shape
    describe("w", w)
    _check_rank("w", w, "hidden", width)
    hidden = w.shape[0]
    call.check("w", w, hidden, width)
    call.check("residual", residual, batch, length, hidden)
    if b is not None:
        call.check("b", b, hidden)
    return call.element, hidden, width, b is not None, call.target


def out_proj_residual_grad(describe, dy, attn, w, wrt):
    call = _Call(describe, "dy", dy, "batch", "sequence", "hidden")
    batch, length, hidden = call.shape
    describe("attn", attn)
    _check_rank("attn", attn, "batch", "sequence", "width")
    width = attn.shape[2]
    call.check("attn", attn, batch, length, width)
    call.check("w", w, hidden, width)
    return call.element, hidden, width, wrt, call.target
