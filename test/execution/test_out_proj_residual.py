# Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""`out_proj_residual`, executed, against float64."""

import numpy as np
import pytest
import reference
from support import TYPES, assert_close, compile_functions, poisoned, random, tensor, wide

# (B, S, P, H)
SHAPES = [(1, 1, 1, 1), (2, 5, 13, 7), (1, 1, 64, 48), (0, 4, 8, 8), (2, 0, 8, 8),
          (1, 300, 97, 101), (3, 67, 515, 80), (1, 3, 8, 8)]
STATIC_SHAPE = (2, 19, 45, 33)


def function(name, element, shape, bias):
    batch, tokens, columns, hidden = shape
    a = tensor(element, batch, tokens, columns)
    w = tensor(element, hidden, columns)
    b = tensor(element, hidden)
    r = tensor(element, batch, tokens, hidden)
    return f"""
func.func @{name}(%a: {a}, %w: {w}, %r: {r}{f', %b: {b}' if bias else ''}) -> {r} {{
  %y = boostr.out_proj_residual %a, %w {'bias(%b)' if bias else ''} residual(%r)
      : {a}, {w}, {f'{b}, ' if bias else ''}{r}
  return %y : {r}
}}"""


@pytest.fixture(scope="module", params=["generated", "linalg"])
def module(request):
    texts = []
    for element in TYPES:
        for bias in (True, False):
            for kind, shape in (("dynamic", (None,) * 4), ("static", STATIC_SHAPE)):
                texts.append(function(f"{kind}_{element}_{bias}", element, shape, bias))
    return compile_functions(texts, contractions=request.param)


def check(module, kind, element, bias, shape):
    run = getattr(module, f"{kind}_{element}_{bias}")
    batch, tokens, columns, hidden = shape
    a = random(1, element, batch, tokens, columns)
    w = random(2, element, hidden, columns)
    b = random(3, element, hidden) if bias else None
    r = random(4, element, batch, tokens, hidden)
    y = poisoned(element, batch, tokens, hidden)
    run(a, w, r, *([b] if bias else []), out=y)
    arguments = wide(a, w, b, r)
    scale = reference.out_proj_residual(*(None if x is None else np.abs(x) for x in arguments))
    late = None
    if bias:
        late = reference.out_proj_residual(0 * arguments[0], arguments[1],
                                           *map(np.abs, arguments[2:]))
    assert_close(y, reference.out_proj_residual(*arguments), element, scale, late)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("element", TYPES)
@pytest.mark.parametrize("kind", ["dynamic", "static"])
def test_output(module, kind, element, bias):
    for shape in SHAPES if kind == "dynamic" else [STATIC_SHAPE]:
        check(module, kind, element, bias, shape)
