# Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""The compiled functions behind the ops: one for each op, element type, widths and target.

Batch and sequence length are dynamic in all of them, so nothing is compiled again when
those change.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable

from .compiler import compile
from .module import Function

# MLIR's names of the element types.
ELEMENTS = {"float64": "f64", "float32": "f32", "float16": "f16", "bfloat16": "bf16"}


def _tensor(element: str, *extents: int | None) -> str:
    return f"tensor<{''.join('?x' if e is None else f'{e}x' for e in extents)}{element}>"


def _function(op: str, arguments: dict[str, str], results: list[str], clauses: str,
              target: str) -> Function:
    """Compiles a function that is one op. `arguments`: their names and types."""
    declared = ", ".join(f'%{name}: {kind} {{boostr.name = "{name}"}}'
                         for name, kind in arguments.items())
    numbered = ", ".join(f"%r{i}" for i in range(len(results)))
    given = "(" + ", ".join(results) + ")"
    return getattr(compile(f"""
func.func @{op}({declared}) -> {given} {{
  {numbered} = boostr.{op} {clauses} : {', '.join(arguments.values())}
  return {numbered} : {', '.join(results)}
}}""", target), op)


def part_rows(num_heads: int, num_kv_heads: int, head_dim: int) -> tuple[int, int, int]:
    """How many rows of a weight belong to query, key and value."""
    return num_heads * head_dim, num_kv_heads * head_dim, num_kv_heads * head_dim


def _rows(num_heads: int, num_kv_heads: int, head_dim: int, is_separate: bool) -> dict[str, int]:
    """Rows of the weight, or of each of three, by what their arguments' names end with."""
    rows = part_rows(num_heads, num_kv_heads, head_dim)
    return dict(zip("qkv", rows)) if is_separate else {"": sum(rows)}


def _list(names: Iterable[str]) -> str:
    return ", ".join(f"%{name}" for name in names)


@functools.cache
def fused_qkv(element: str, hidden: int, num_heads: int, num_kv_heads: int, head_dim: int,
              has_bias: bool, target: str, is_separate: bool = False) -> Function:
    """(x, w[, b]) -> q, k, v; if separate, (x, wq, wk, wv[, bq, bk, bv])."""
    rows = _rows(num_heads, num_kv_heads, head_dim, is_separate)
    weights = {f"w{part}": _tensor(element, count, hidden) for part, count in rows.items()}
    biases = {f"b{part}": _tensor(element, count) for part, count in rows.items() if has_bias}
    results = [_tensor(element, None, heads, None, head_dim)
               for heads in (num_heads, num_kv_heads, num_kv_heads)]
    clauses = (f"%x, {_list(weights)} {f'bias({_list(biases)}) ' if has_bias else ''}"
               f"num_heads = {num_heads} num_kv_heads = {num_kv_heads} head_dim = {head_dim}")
    return _function("fused_qkv", {"x": _tensor(element, None, None, hidden), **weights, **biases},
                     results, clauses, target)


@functools.cache
def fused_qkv_grad(element: str, hidden: int, num_heads: int, num_kv_heads: int, head_dim: int,
                   wrt: tuple[str, ...], target: str, is_separate: bool = False) -> Function:
    """(dq, dk, dv, x, w) -> the gradients of `wrt`, of input, weight and bias in this order.

    If separate, (dq, dk, dv, x, wq, wk, wv), and those of weight and bias are three each.
    """
    rows = _rows(num_heads, num_kv_heads, head_dim, is_separate)
    arguments = {name: _tensor(element, None, heads, None, head_dim)
                 for name, heads in (("dq", num_heads), ("dk", num_kv_heads), ("dv", num_kv_heads))}
    arguments["x"] = _tensor(element, None, None, hidden)
    weights = {f"w{part}": _tensor(element, count, hidden) for part, count in rows.items()}
    kinds = {"input": [arguments["x"]], "weight": list(weights.values()),
             "bias": [_tensor(element, count) for count in rows.values()]}
    arguments |= weights
    clauses = (f"{_list(arguments)} wrt({', '.join(wrt)}) num_heads = {num_heads} "
               f"num_kv_heads = {num_kv_heads} head_dim = {head_dim}")
    return _function("fused_qkv_grad", arguments, [kind for name in wrt for kind in kinds[name]],
                     clauses, target)


@functools.cache
def out_proj_residual(element: str, hidden: int, width: int, has_bias: bool,
                      target: str) -> Function:
    """(attn, w[, b], residual) -> y."""
    arguments = {"attn": _tensor(element, None, None, width), "w": _tensor(element, hidden, width)}
    if has_bias:
        arguments["b"] = _tensor(element, hidden)
    arguments["residual"] = _tensor(element, None, None, hidden)
    clauses = f"%attn, %w {'bias(%b) ' if has_bias else ''}residual(%residual)"
    return _function("out_proj_residual", arguments, [arguments["residual"]], clauses, target)


@functools.cache
def out_proj_residual_grad(element: str, hidden: int, width: int, wrt: tuple[str, ...],
                           target: str) -> Function:
    """(dy, attn, w) -> the gradients of `wrt`, of attn, weight and bias in this order."""
    arguments = {"dy": _tensor(element, None, None, hidden),
                 "attn": _tensor(element, None, None, width), "w": _tensor(element, hidden, width)}
    kinds = {"attn": arguments["attn"], "weight": arguments["w"], "bias": _tensor(element, hidden)}
    return _function("out_proj_residual_grad", arguments, [kinds[name] for name in wrt],
                     f"%dy, %attn, %w wrt({', '.join(wrt)})", target)
