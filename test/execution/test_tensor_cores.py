# Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Shapes that tensor cores take: f16 and bf16, rows of whole 16 bytes, any number of tokens.

On a GPU that has them the kernels of wgmma run: wide and narrow tiles, head dimensions that
fill boxes and that do not, tiles shared by several blocks or across segments, boxes that span
several batches.
"""

import os

import pytest
import test_fused_qkv as qkv
import test_fused_qkv_grad as qkv_grad
import test_out_proj_residual as out
import test_out_proj_residual_grad as out_grad
from gradients import Variant, variants
from support import Heads, compile_functions
from test_separate_weights import SeparateRows

ELEMENTS = ["f16", "bf16"]
HEADS = [Heads(4, 2, 64), Heads(2, 1, 128), Heads(3, 2, 80), Heads(2, 1, 96), Heads(1, 1, 256),
         Heads(5, 3, 40), Heads(6, 6, 32), Heads(2, 1, 72)]
HIDDEN = 136
# (batch, tokens): one token, batches of one, odd and short sequences, none, several tiles.
TOKENS = [(1, 1), (64, 1), (3, 7), (5, 20), (9, 33), (2, 77), (1, 130), (2, 333), (0, 5), (2, 0)]
# Few tiles and many steps, so that blocks share tiles.
LONG = [(3, 1700)]
WIDTHS = [(192, 264), (512, 64)]
# 72 and 96 tiles, fewer than multiprocessors but more than half of them: blocks without a
# tile compute parts of several. (P, H), as the weight lies, and tokens.
HELPED = [((1536, 1536), (1, 700)), ((1024, 3072), (3, 333))]
HELPED_FORWARD = ((4096, 2048), (2, 700))
# So many tiles that those of 192 columns, which cross heads and segments, take the fewest
# rounds on 132 multiprocessors.
ACROSS = [(Heads(8, 4, 128), (2, 550)), (Heads(16, 8, 64), (3, 350))]
# So many tiles of 256 columns that each block has two or three, whose results leave beside the
# products of the next. Steps of k (64 each): fewer than boxes of results, as many, and enough.
MANY = (2, 4500)
MANY_STEPS = [40, 200, 328, 1024]
MANY_HEADS = [Heads(8, 4, 128), Heads(16, 8, 64), Heads(9, 3, 80), Heads(8, 8, 96)]
if os.environ.get("BOOSTR_TEST_TARGET", "cpu") == "cpu":  # Other tests are for CPUs.
    TOKENS, LONG, HEADS, WIDTHS = TOKENS[2:5], [], HEADS[:3], WIDTHS[:1]
    HELPED, HELPED_FORWARD = [], ((128, 64), (1, 40))
    ACROSS, MANY, MANY_STEPS, MANY_HEADS = [], (1, 40), MANY_STEPS[:1], MANY_HEADS[2:3]


@pytest.fixture(scope="module", params=ELEMENTS)
def element(request):
    return request.param


@pytest.fixture(scope="module")
def module(element):
    texts = []
    for heads in HEADS:
        for bias in (True, False):
            texts.append(qkv.function(qkv.name_of(element, heads, "aligned", bias), element,
                                      heads, (None, None, HIDDEN), bias))
        for variant in gradient_variants(element, heads):
            texts.append(qkv_grad.function("grad_" + qkv_grad.name_of(
                element, heads, "aligned", variant), element, heads, (None, None, HIDDEN),
                variant))
    return compile_functions(texts)


def gradient_variants(element, heads):
    """All ways with one arrangement of heads, everything wanted with the others."""
    return variants(element) if heads is HEADS[0] else variants(element)[6:7]


class Prefixed:
    """The functions of a module whose names begin with `prefix`."""

    def __init__(self, module, prefix):
        self.module, self.prefix = module, prefix

    def __getattr__(self, name):
        return getattr(self.module, self.prefix + name)


@pytest.mark.parametrize("heads", HEADS, ids=lambda heads: heads.name)
def test_fused_qkv(module, element, heads):
    for batch, tokens in TOKENS:
        for bias in (True, False):
            qkv.check(module, element, heads, "aligned", (batch, tokens, HIDDEN), bias)


@pytest.mark.parametrize("heads, tokens", ACROSS, ids=str)
def test_tiles_across_segments(element, heads, tokens):
    for separate in (False, True):
        compiled = compile_functions(
            [qkv.function(qkv.name_of(element, heads, "across", bias), element, heads,
                          (None, None, HIDDEN), bias, separate) for bias in (True, False)])
        if separate:
            compiled = SeparateRows(compiled, heads)
        for bias in (True, False):
            qkv.check(compiled, element, heads, "across", (*tokens, HIDDEN), bias)


@pytest.mark.parametrize("heads", HEADS, ids=lambda heads: heads.name)
def test_fused_qkv_grad(module, element, heads):
    gradients = Prefixed(module, "grad_")
    for batch, tokens in TOKENS + LONG:
        for variant in gradient_variants(element, heads):
            qkv_grad.check(gradients, element, heads, "aligned", variant,
                           (batch, tokens, HIDDEN))


@pytest.mark.parametrize("widths", WIDTHS, ids=str)
def test_out_proj_residual(element, widths):
    compiled = compile_functions(
        [out.function(f"aligned_{element}_{bias}", element, (None, None, *widths), bias)
         for bias in (True, False)])
    for batch, tokens in TOKENS:
        for bias in (True, False):
            out.check(compiled, "aligned", element, bias, (batch, tokens, *widths))


@pytest.mark.parametrize("widths", WIDTHS, ids=str)
def test_out_proj_residual_grad(element, widths):
    chosen = variants(element)
    compiled = compile_functions(
        [out_grad.function(f"aligned_{variant.name}", element, (None, None, *widths), variant)
         for variant in chosen])
    for batch, tokens in TOKENS + LONG:
        for variant in chosen:
            out_grad.check(compiled, element, "aligned", variant, (batch, tokens, *widths))


@pytest.mark.parametrize("widths, tokens", HELPED, ids=str)
def test_helped_weight_gradient(element, widths, tokens):
    chosen = variants(element)
    compiled = compile_functions(
        [out_grad.function(f"aligned_{variant.name}", element, (None, None, *widths), variant)
         for variant in chosen])
    for variant in chosen:
        out_grad.check(compiled, element, "aligned", variant, (*tokens, *widths))


def test_helped_forward(element):
    widths, tokens = HELPED_FORWARD
    compiled = compile_functions(
        [out.function(f"aligned_{element}_{bias}", element, (None, None, *widths), bias)
         for bias in (True, False)])
    for bias in (True, False):
        out.check(compiled, "aligned", element, bias, (*tokens, *widths))


@pytest.mark.parametrize("steps", MANY_STEPS)
def test_many_tiles_with_residual(element, steps):
    widths = (steps, 1024)
    compiled = compile_functions(
        [out.function(f"many_{element}_{bias}", element, (None, None, *widths), bias)
         for bias in (True, False)])
    for bias in (True, False):
        out.check(compiled, "many", element, bias, (*MANY, *widths))


@pytest.mark.parametrize("heads", MANY_HEADS, ids=lambda heads: heads.name)
def test_many_tiles_of_heads(element, heads):
    for hidden in (72, 520):
        name = qkv.name_of(element, heads, "many", True)
        compiled = compile_functions(
            [qkv.function(name, element, heads, (None, None, hidden), True)])
        qkv.check(compiled, element, heads, "many", (*MANY, hidden), True)


@pytest.mark.parametrize("tokens", [(1, 24), (3, 70), (2, 700)], ids=str)
def test_many_tiles_of_weight(element, tokens):
    """Gradients of a large weight, without and with one that is added to, and of its bias, whose
    sums several blocks have parts of."""
    widths = (2048, 4352) if MANY[1] > 40 else (40, 72)
    chosen = [Variant(("activations", "weight")), Variant(("weight",), element),
              Variant(("weight",), "f32"), Variant(("activations", "weight", "bias")),
              Variant(("weight", "bias"), element, "f32"), Variant(("weight", "bias"), "f32", element)]
    compiled = compile_functions(
        [out_grad.function(f"many_{variant.name}", element, (None, None, *widths), variant)
         for variant in chosen])
    for variant in chosen:
        out_grad.check(compiled, element, "many", variant, (*tokens, *widths))
