# Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""`fused_qkv`, executed, against float64."""

import numpy as np
import pytest
import reference
from support import (TYPES, Heads, assert_close, compile_functions, poisoned, random, tensor,
                     wide)

# MHA, GQA, MQA, one head, head dims of every kind, heads that are no multiple.
HEADS = [Heads(1, 1, 1), Heads(3, 2, 7), Heads(4, 4, 32), Heads(4, 1, 80), Heads(4, 2, 96),
         Heads(5, 3, 16)]
# (B, S, H): odd, one token, empty, and more than one block in every direction.
SHAPES = [(1, 1, 1), (2, 5, 13), (1, 1, 64), (0, 4, 8), (2, 0, 8), (1, 300, 97), (3, 67, 515)]
STATIC_SHAPE = (2, 19, 45)


def function(name, element, heads, shape, bias, separate=False):
    """`separate`: a weight and a bias for each of query, key and value."""
    parts = heads.parts if separate else [heads.rows]
    known = bool(shape[2])
    x = tensor(element, *shape)
    weights = [tensor(element, rows if known else None, shape[2]) for rows in parts]
    biases = [tensor(element, rows if known else None) for rows in parts] if bias else []
    q = tensor(element, shape[0], heads.query, shape[1], heads.dim)
    k = tensor(element, shape[0], heads.key_value, shape[1], heads.dim)
    parameters = [f"%x: {x}", *(f"%w{i}: {w}" for i, w in enumerate(weights)),
                  *(f"%b{i}: {b}" for i, b in enumerate(biases))]
    clause = f"bias({', '.join(f'%b{i}' for i in range(len(biases)))})" if bias else ""
    return f"""
func.func @{name}({', '.join(parameters)}) -> ({q}, {k}, {k}) {{
  %q, %k, %v = boostr.fused_qkv %x, {', '.join(f'%w{i}' for i in range(len(weights)))}
      {clause} {heads.attributes}
      : {', '.join([x, *weights, *biases])}
  return %q, %k, %v : {q}, {k}, {k}
}}"""


def name_of(element, heads, kind, bias):
    return f"{kind}_{element}_{heads.name}_{'bias' if bias else 'plain'}"


@pytest.fixture(scope="module", params=["generated", "linalg"])
def module(request):
    texts = []
    few = HEADS[1:3]
    for element in TYPES:
        for bias in (True, False):
            # Compiling is most of the time, so not everything in all ways.
            for kind, shape, all_heads in (
                    ("dynamic", (None, None, None), HEADS if request.param == "generated" else few),
                    ("static", STATIC_SHAPE, few)):
                for heads in all_heads:
                    texts.append(function(name_of(element, heads, kind, bias), element, heads,
                                          shape, bias))
    return compile_functions(texts, contractions=request.param)


def check(module, element, heads, kind, shape, bias):
    run = getattr(module, name_of(element, heads, kind, bias))
    x = random(1, element, *shape)
    w = random(2, element, heads.rows, shape[2])
    b = random(3, element, heads.rows) if bias else None
    batch, tokens, _ = shape
    out = tuple(poisoned(element, batch, n, tokens, heads.dim)
                for n in (heads.query, heads.key_value, heads.key_value))
    run(x, w, *([b] if bias else []), out=out)
    arguments = wide(x, w, b)
    expected = reference.fused_qkv(*arguments, heads.query, heads.key_value, heads.dim)
    scale = reference.fused_qkv(*(None if a is None else np.abs(a) for a in arguments),
                                heads.query, heads.key_value, heads.dim)
    late = (None,) * 3
    if bias:
        late = reference.fused_qkv(0 * arguments[0], arguments[1], np.abs(arguments[2]),
                                   heads.query, heads.key_value, heads.dim)
    for result, exact, size, later in zip(out, expected, scale, late):
        assert_close(result, exact, element, size, later)


@pytest.mark.parametrize("element", TYPES)
def test_dynamic_shapes(module, element):
    for heads in HEADS:
        for bias in (True, False):
            if name_of(element, heads, "dynamic", bias) not in module.functions():
                continue
            for shape in SHAPES:
                check(module, element, heads, "dynamic", shape, bias)


@pytest.mark.parametrize("element", TYPES)
def test_static_shapes(module, element):
    for heads in HEADS:
        for bias in (True, False):
            if name_of(element, heads, "static", bias) in module.functions():
                check(module, element, heads, "static", STATIC_SHAPE, bias)
