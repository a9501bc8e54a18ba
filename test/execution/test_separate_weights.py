# Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""A weight, a bias and their gradients for each of query, key and value, against float64.

The arrays given are rows of packed ones, so all checks are those of the packed form.
"""

import os

import numpy as np
import pytest
import test_fused_qkv as qkv
import test_fused_qkv_grad as qkv_grad
from gradients import variants
from support import TYPES, Heads, compile_functions, poisoned, random

HEADS = [Heads(3, 2, 7), Heads(4, 2, 32)]
SHAPES = [(1, 1, 1), (0, 4, 8), (2, 0, 8), (2, 17, 61), (1, 130, 97)]
STATIC_SHAPE = (2, 19, 48)
# What tensor cores take; heads of 64 in tiles of 256 columns leave tiles that end early.
ALIGNED_HEADS = [Heads(6, 2, 64), Heads(3, 1, 80), Heads(2, 2, 128)]
ALIGNED_TOKENS = [(1, 1), (3, 7), (2, 333), (1, 1700)]
ON_DEVICE = os.environ.get("BOOSTR_TEST_TARGET", "cpu") != "cpu"


class SeparateRows:
    """A module whose functions take a weight for each part, called with packed ones."""

    def __init__(self, module, heads):
        self.module = module
        self.ends = np.cumsum(heads.parts)[:-1]
        self.rows = heads.rows

    def __getattr__(self, name):
        function = getattr(self.module, name)
        return lambda *arguments, out: function(*self.split(arguments), out=self.split(out))

    def split(self, arrays):
        parts = []
        for array in arrays:
            is_weight = array.ndim <= 2 and len(array) == self.rows
            parts += np.split(array, self.ends) if is_weight else [array]
        return tuple(parts)


def forward_text(element, kind, shape, heads, bias):
    return qkv.function(qkv.name_of(element, heads, kind, bias), element, heads, shape, bias,
                        separate=True)


def gradient_text(element, kind, shape, heads, variant):
    return qkv_grad.function(qkv_grad.name_of(element, heads, kind, variant), element, heads, shape,
                             variant, separate=True)


def check_forward(compile_texts, element):
    cases = [("dynamic", (None,) * 3, heads, bias) for heads in HEADS for bias in (True, False)]
    cases.append(("static", STATIC_SHAPE, HEADS[1], True))
    module = compile_texts(forward_text(element, *case) for case in cases)
    for kind, _, heads, bias in cases:
        for shape in SHAPES if kind == "dynamic" else [STATIC_SHAPE]:
            qkv.check(SeparateRows(module, heads), element, heads, kind, shape, bias)


def check_gradients(compile_texts, element):
    chosen = variants(element)
    cases = [("dynamic", (None,) * 3, HEADS[1], variant) for variant in chosen]
    cases += [("dynamic", (None,) * 3, HEADS[0], chosen[6]),
              ("static", STATIC_SHAPE, HEADS[1], chosen[7])]
    module = compile_texts(gradient_text(element, *case) for case in cases)
    for kind, _, heads, variant in cases:
        for shape in SHAPES if kind == "dynamic" else [STATIC_SHAPE]:
            qkv_grad.check(SeparateRows(module, heads), element, heads, kind, variant, shape)


@pytest.mark.parametrize("element", TYPES)
def test_fused_qkv(element):
    check_forward(compile_functions, element)


@pytest.mark.parametrize("element", TYPES)
def test_fused_qkv_grad(element):
    check_gradients(compile_functions, element)


def test_linalg():
    def compile_to_linalg(texts):
        return compile_functions(texts, contractions="linalg")
    check_forward(compile_to_linalg, "f32")
    check_gradients(compile_to_linalg, "f32")


@pytest.mark.parametrize("element", ["f16", "bf16"])
def test_tensor_cores(element):
    """Shapes of whole pieces of 16 bytes: AMX on a CPU, wgmma on a GPU."""
    hidden = 136
    all_heads = ALIGNED_HEADS if ON_DEVICE else ALIGNED_HEADS[:1]
    everything = variants(element)[6:9]
    texts = [forward_text(element, "dynamic", (None, None, hidden), heads, True)
             for heads in all_heads]
    texts += [gradient_text(element, "dynamic", (None, None, hidden), heads, variant)
              for heads in all_heads for variant in everything]
    module = compile_functions(texts)
    for heads in all_heads:
        separate = SeparateRows(module, heads)
        for tokens in ALIGNED_TOKENS if ON_DEVICE else ALIGNED_TOKENS[:3]:
            shape = (*tokens, hidden)
            qkv.check(separate, element, heads, "dynamic", shape, True)
            for variant in everything:
                qkv_grad.check(separate, element, heads, "dynamic", variant, shape)


def test_same_bits_as_packed():
    """Where weights lie changes no sum."""
    heads, shape = HEADS[1], (2, 33, 64)
    module = compile_functions([
        qkv.function("packed", "f32", heads, (None,) * 3, False),
        qkv.function("separate", "f32", heads, (None,) * 3, False, separate=True)])
    x, w = random(1, "f32", *shape), random(2, "f32", heads.rows, shape[2])
    outs = [tuple(poisoned("f32", 2, n, 33, heads.dim)
                  for n in (heads.query, heads.key_value, heads.key_value)) for _ in range(2)]
    module.packed(x, w, out=outs[0])
    SeparateRows(module, heads).separate(x, w, out=outs[1])
    for packed, separate in zip(*outs):
        assert (packed == separate).all()
