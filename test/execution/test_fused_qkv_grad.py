# Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""`fused_qkv_grad`, executed, against float64."""

import numpy as np
import pytest
import reference
from gradients import op_text, run_and_check, variants
from support import TYPES, Heads, compile_functions, random, tensor, wide

HEADS = [Heads(1, 1, 1), Heads(3, 2, 7), Heads(4, 2, 32), Heads(4, 1, 80), Heads(2, 1, 96),
         Heads(5, 3, 16)]
SHAPES = [(1, 1, 1), (2, 5, 13), (0, 4, 8), (2, 0, 8), (1, 300, 97), (2, 67, 515)]
STATIC_SHAPE = (2, 19, 45)


def function(name, element, heads, shape, variant, separate=False):
    """`separate`: a weight, and gradients, for each of query, key and value."""
    batch, tokens, hidden = shape
    parts = heads.parts if separate else [heads.rows]
    q = tensor(element, batch, heads.query, tokens, heads.dim)
    k = tensor(element, batch, heads.key_value, tokens, heads.dim)
    x = tensor(element, *shape)
    weights = [tensor(element, rows, hidden) for rows in parts]
    shapes = {"activations": lambda e: [x],
              "weight": lambda e: [tensor(e, rows, hidden) for rows in parts],
              "bias": lambda e: [tensor(e, rows) for rows in parts]}
    arguments, clauses, types = op_text(variant, "input", lambda g, e: shapes[g](e))
    results = [part for g in variant.wrt for part in shapes[g](variant.result_element(g, element))]
    parameters = ", ".join([f"%dq: {q}, %dk: {k}, %dv: {k}, %x: {x}",
                            *(f"%w{i}: {w}" for i, w in enumerate(weights)), *arguments])
    values = ", ".join(f"%g#{i}" for i in range(len(results)))
    values = "%g" if len(results) == 1 else values
    bind = "%g" if len(results) == 1 else f"%g:{len(results)}"
    return f"""
func.func @{name}({parameters}) -> ({', '.join(results)}) {{
  {bind} = boostr.fused_qkv_grad %dq, %dk, %dv, %x,
      {', '.join(f'%w{i}' for i in range(len(weights)))} {clauses} {heads.attributes}
      : {', '.join([q, k, k, x, *weights, *types])}
  return {values} : {', '.join(results)}
}}"""


def name_of(element, heads, kind, variant):
    return f"{kind}_{element}_{heads.name}_{variant.name}"


def cases(element, kind):
    """Every variant with one arrangement of heads, the others with everything wanted."""
    chosen = variants(element)
    everything = chosen[6]
    if kind == "static":  # Compiling is most of the time, so not everything in all ways.
        yield from ((HEADS[2], variant) for variant in chosen[6:])
        yield HEADS[1], everything
        return
    yield from ((HEADS[2], variant) for variant in chosen)
    yield from ((heads, everything) for heads in HEADS if heads is not HEADS[2])


@pytest.fixture(scope="module", params=[(e, "generated") for e in TYPES] + [("f32", "linalg")],
                ids="-".join)
def compiled(request):
    element, contractions = request.param
    texts = []
    for kind, shape in (("dynamic", (None,) * 3), ("static", STATIC_SHAPE)):
        for heads, variant in cases(element, kind):
            texts.append(function(name_of(element, heads, kind, variant), element, heads, shape,
                                  variant))
    return element, compile_functions(texts, contractions=contractions)


def check(module, element, heads, kind, variant, shape):
    run = getattr(module, name_of(element, heads, kind, variant))
    batch, tokens, hidden = shape
    inputs = [random(i, element, batch, n, tokens, heads.dim) for i, n in
              enumerate((heads.query, heads.key_value, heads.key_value))]
    inputs += [random(4, element, *shape), random(5, element, heads.rows, hidden)]
    exact = wide(*inputs)
    gradients = ("activations", "weight", "bias")
    expected = dict(zip(gradients, reference.fused_qkv_grad(*exact)))
    scale = dict(zip(gradients, reference.fused_qkv_grad(*map(np.abs, exact))))
    run_and_check(run, variant, element, inputs, expected, scale)


@pytest.mark.parametrize("kind", ["dynamic", "static"])
def test_gradients(compiled, kind):
    element, module = compiled
    for heads, variant in cases(element, kind):
        for shape in SHAPES if kind == "dynamic" else [STATIC_SHAPE]:
            check(module, element, heads, kind, variant, shape)
