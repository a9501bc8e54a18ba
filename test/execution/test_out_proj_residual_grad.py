# Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""`out_proj_residual_grad`, executed, against float64."""

import numpy as np
import pytest
import reference
from gradients import op_text, run_and_check, variants
from support import TYPES, compile_functions, random, tensor, wide

# (B, S, P, H)
SHAPES = [(1, 1, 1, 1), (2, 5, 13, 7), (0, 4, 8, 8), (2, 0, 8, 8), (1, 300, 97, 101),
          (2, 67, 515, 80),
          # Few tokens: several tasks of columns, several parts of what is summed.
          (3, 4, 2100, 600), (1, 7, 1029, 70)]
STATIC_SHAPE = (2, 19, 45, 33)


def function(name, element, shape, variant):
    batch, tokens, columns, hidden = shape
    dy, a = tensor(element, batch, tokens, hidden), tensor(element, batch, tokens, columns)
    w = tensor(element, hidden, columns)
    shapes = {"activations": lambda e: a, "weight": lambda e: tensor(e, hidden, columns),
              "bias": lambda e: tensor(e, hidden)}
    arguments, clauses, types = op_text(variant, "attn", lambda g, e: [shapes[g](e)])
    results = ", ".join(shapes[g](variant.result_element(g, element)) for g in variant.wrt)
    count = len(variant.wrt)
    bind = "%g" if count == 1 else f"%g:{count}"
    values = "%g" if count == 1 else ", ".join(f"%g#{i}" for i in range(count))
    return f"""
func.func @{name}({', '.join([f'%dy: {dy}, %a: {a}, %w: {w}', *arguments])}) -> ({results}) {{
  {bind} = boostr.out_proj_residual_grad %dy, %a, %w {clauses} : {', '.join([dy, a, w, *types])}
  return {values} : {results}
}}"""


def cases(element, kind):
    # Compiling is most of the time, so not everything in all ways.
    return variants(element)[6 if kind == "static" else 0:]


@pytest.fixture(scope="module", params=[(e, "generated") for e in TYPES] + [("f32", "linalg")],
                ids="-".join)
def compiled(request):
    element, contractions = request.param
    texts = [function(f"{kind}_{variant.name}", element, shape, variant)
             for kind, shape in (("dynamic", (None,) * 4), ("static", STATIC_SHAPE))
             for variant in cases(element, kind)]
    return element, compile_functions(texts, contractions=contractions)


def check(module, element, kind, variant, shape):
    run = getattr(module, f"{kind}_{variant.name}")
    batch, tokens, columns, hidden = shape
    inputs = [random(1, element, batch, tokens, hidden),
              random(2, element, batch, tokens, columns),
              random(3, element, hidden, columns)]
    exact = wide(*inputs)
    gradients = ("activations", "weight", "bias")
    expected = dict(zip(gradients, reference.out_proj_residual_grad(*exact)))
    scale = dict(zip(gradients, reference.out_proj_residual_grad(*map(np.abs, exact))))
    run_and_check(run, variant, element, inputs, expected, scale)


@pytest.mark.parametrize("kind", ["dynamic", "static"])
def test_gradients(compiled, kind):
    element, module = compiled
    for variant in cases(element, kind):
        for shape in SHAPES if kind == "dynamic" else [STATIC_SHAPE]:
            check(module, element, kind, variant, shape)
