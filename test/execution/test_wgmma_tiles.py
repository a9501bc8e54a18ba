# Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Each width of the wgmma kernels beside that of 256 columns, written on the op.

Which one the host launches depends on what each is estimated to take: with few rows a narrow or
flat one always does, a tall one where its tiles run at once and those of 128 x 256 do not.
"""

import os
import re

import pytest
import test_fused_qkv as qkv
import test_fused_qkv_grad as qkv_grad
import test_out_proj_residual as out
import test_out_proj_residual_grad as out_grad
from gradients import Variant
from support import Heads, compile_functions

ELEMENTS = ["f16", "bf16"]
KINDS = ["narrow", "flat"]
TOKENS = [(1, 1), (3, 40), (2, 77), (1, 333)]
# Boxes of 16, 32 and 64 columns.
WIDTHS = [32, 48, 80, 96, 112, 160, 192, 224]
# 160 and 96 columns of heads of 64 are of two and three heads, and some of two segments.
HEADS = [Heads(4, 2, 64), Heads(5, 2, 128), Heads(3, 3, 96)]
# 6144 columns and 768 rows: 128 tiles of 192 x 192, or 144 of 128 x 256.
TALL = [(Heads(32, 8, 128), (2, 384)), (Heads(48, 24, 64), (3, 250))]
TALL_TOKENS = (1, 750)


@pytest.fixture(scope="module", autouse=True)
def hopper():
    torch = pytest.importorskip("torch")
    if os.environ.get("BOOSTR_TEST_TARGET") != "cuda" or torch.cuda.get_device_capability() != (9, 0):
        pytest.skip("needs BOOSTR_TEST_TARGET=cuda and a GPU with warpgroup products")


def with_tile(text, further, count=1, columns=256):
    """`text`, whose op has `count` contractions, with tiles beside that of 128 x `columns`."""
    tile = (f"#boostr.gpu_tile<kernel = wgmma, block = [128, {columns}, 64], stages = 4, "
            f"group = 16, split = 8, {further}>")
    tiles = f" {{boostr.gpu_tiles = [{', '.join([tile] * count)}]}} : tensor"
    return re.sub(r"\s+: tensor", tiles, text, count=1)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("element", ELEMENTS)
@pytest.mark.parametrize("heads", HEADS, ids=lambda heads: heads.name)
def test_fused_qkv(kind, element, heads):
    for width in WIDTHS:
        if heads.dim % (width & -width) and width % heads.dim:
            continue
        compiled = compile_functions(
            [with_tile(qkv.function(qkv.name_of(element, heads, kind, bias), element, heads,
                                    (None, None, 136), bias), f"{kind} = [{width}]",
                       columns=256 // heads.dim * heads.dim)
             for bias in (True, False)])
        for tokens in TOKENS:
            for bias in (True, False):
                qkv.check(compiled, element, heads, kind, (*tokens, 136), bias)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("element", ELEMENTS)
@pytest.mark.parametrize("width", WIDTHS)
def test_out_proj_residual(kind, element, width):
    widths = (136, 480)
    compiled = compile_functions(
        [with_tile(out.function(f"{kind}_{element}_True", element, (None, None, *widths), True),
                   f"{kind} = [{width}]")])
    for tokens in TOKENS:
        out.check(compiled, kind, element, True, (*tokens, *widths))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("width", WIDTHS)
def test_out_proj_residual_grad(kind, width):
    """Memory of rhs runs along its columns. An f32 gradient has boxes of 32 columns."""
    chosen = [Variant(("activations", "weight", "bias")), Variant(("weight",), "bf16")]
    if width % 32 == 0:
        chosen.append(Variant(("weight", "bias"), "f32", "f32"))
    widths = (136, 480)
    compiled = compile_functions(
        [with_tile(out_grad.function(f"{kind}_{variant.name}", "bf16", (None, None, *widths), variant),
                   f"{kind} = [{width}]", 2 if "activations" in variant.wrt else 1)
         for variant in chosen])
    for tokens in TOKENS:
        for variant in chosen:
            out_grad.check(compiled, "bf16", kind, variant, (*tokens, *widths))


@pytest.mark.parametrize("element", ELEMENTS)
@pytest.mark.parametrize("heads, tokens", TALL, ids=str)
def test_tall_fused_qkv(element, heads, tokens):
    compiled = compile_functions(
        [with_tile(qkv.function(qkv.name_of(element, heads, "tall", bias), element, heads,
                                (None, None, 136), bias), "tall = [192]") for bias in (True, False)])
    for bias in (True, False):
        qkv.check(compiled, element, heads, "tall", (*tokens, 136), bias)


@pytest.mark.parametrize("element", ELEMENTS)
def test_tall_out_proj_residual(element):
    widths = (136, 6144)
    compiled = compile_functions(
        [with_tile(out.function(f"tall_{element}_True", element, (None, None, *widths), True),
                   "tall = [192]")])
    out.check(compiled, "tall", element, True, (*TALL_TOKENS, *widths))


def test_tall_gradients():
    """Of the input: memory of rhs runs along its columns, and there are three terms."""
    widths, variant = (6144, 136), Variant(("activations",))
    compiled = compile_functions(
        [with_tile(out_grad.function(f"tall_{variant.name}", "bf16", (None, None, *widths), variant),
                   "tall = [192]")])
    out_grad.check(compiled, "bf16", "tall", variant, (*TALL_TOKENS, *widths))
    heads, variant = Heads(2, 1, 64), Variant(("activations",))
    name = qkv_grad.name_of("bf16", heads, "tall", variant)
    compiled = compile_functions(
        [with_tile(qkv_grad.function(name, "bf16", heads, (None, None, 6144), variant),
                   "tall = [192]")])
    qkv_grad.check(compiled, "bf16", heads, "tall", variant, (*TALL_TOKENS, 6144))
