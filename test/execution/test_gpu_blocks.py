# Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Each size of blocks of simt and mma on a device, written on the op, and the host's choice between them.

test_gpu_kernels.py runs the smaller ones without a GPU.
"""

import os
import re

import pytest
import test_fused_qkv as qkv
import test_fused_qkv_grad as qkv_grad
import test_out_proj_residual as out
from gradients import Variant
from support import Heads, compile_functions

SIMT = "kernel = simt, block = [{}], stages = 2, group = 8"
MMA = "kernel = mma, block = [{}], stages = {}, group = 8, warp = [{}]"
BLOCKS = {
    "simt_256x128": ("f32", SIMT.format("256, 128, 16")),
    "simt_128x256": ("f32", SIMT.format("128, 256, 16")),
    "simt_128x128": ("f32", SIMT.format("128, 128, 16")),
    "simt_64x64": ("f32", SIMT.format("64, 64, 16")),
    "simt_f64": ("f64", SIMT.format("64, 64, 16")),
    "mma_128x256x64": ("bf16", MMA.format("128, 256, 64", 3, "64, 64")),
    "mma_128x256x32": ("f16", MMA.format("128, 256, 32", 4, "64, 64")),
    "mma_128x128": ("bf16", MMA.format("128, 128, 32", 4, "64, 32")),
    "mma_64x64": ("f16", MMA.format("64, 64, 64", 4, "32, 32")),
    "mma_f64": ("f64", MMA.format("64, 64, 16", 4, "32, 32")),
}
# Heads that are whole blocks, and a part of one; all extents of blocks divided by none.
HEADS = [Heads(2, 1, 128), Heads(5, 3, 40)]
# (batch, tokens): one token, boundaries of batches within a step and a block, several blocks.
TOKENS = [(1, 1), (7, 3), (2, 77), (1, 333), (3, 200), (0, 5)]
# Steps of k: 72 fill no stage, 520 go round the ring.
HIDDEN = [72, 520]
# So many that the host takes the smallest blocks, those between and the largest.
COUNTS = [(1, 40), (3, 333), (1, 3000), (2, 9000)]


@pytest.fixture(scope="module", autouse=True)
def device():
    if not os.environ.get("BOOSTR_TEST_TARGET", "cpu").startswith("cuda"):
        pytest.skip("needs BOOSTR_TEST_TARGET=cuda and a GPU")


class Gradients:
    """The functions of a module whose names begin with `grad_`, without that."""

    def __init__(self, module):
        self.module = module

    def __getattr__(self, name):
        return getattr(self.module, "grad_" + name)


def with_tile(text, tile, count):
    one = f"#boostr.gpu_tile<{tile}>"
    tiles = f" {{boostr.gpu_tiles = [{', '.join([one] * count)}]}} : tensor"
    return re.sub(r"\s+: tensor", tiles, text, count=1)


@pytest.mark.parametrize("hidden", HIDDEN)
@pytest.mark.parametrize("heads", HEADS, ids=lambda heads: heads.name)
@pytest.mark.parametrize("blocks", BLOCKS)
def test_blocks(blocks, heads, hidden):
    element, tile = BLOCKS[blocks]
    some = [Variant(("activations", "weight", "bias")), Variant(("activations", "weight"), element)]
    texts = [with_tile(qkv.function(qkv.name_of(element, heads, "blocks", bias), element, heads,
                                    (None, None, hidden), bias), tile, 1) for bias in (True, False)]
    texts += [with_tile(qkv_grad.function("grad_" + qkv_grad.name_of(element, heads, "blocks", variant), element,
                                          heads, (None, None, hidden), variant), tile, 2) for variant in some]
    module = compile_functions(texts)
    for tokens in TOKENS:
        for bias in (True, False):
            qkv.check(module, element, heads, "blocks", (*tokens, hidden), bias)
        for variant in some:
            qkv_grad.check(Gradients(module), element, heads, "blocks", variant, (*tokens, hidden))


@pytest.mark.parametrize("element", ["f32", "bf16"])
def test_choice(element):
    """The compiler's choice, for a chip without warpgroup products."""
    target = os.environ["BOOSTR_TEST_TARGET"]
    widths = (136, 1032)
    module = compile_functions([out.function(f"choice_{element}_True", element, (None, None, *widths), True)],
                               target="cuda:sm_80" if target == "cuda" else target)
    for tokens in COUNTS:
        out.check(module, "choice", element, True, (*tokens, *widths))


def check_parts(element, counts):
    """Few blocks with many steps, which the compiler cuts along k, for a chip without warpgroup products."""
    heads, hidden = Heads(2, 1, 64), 1032
    some = [Variant(("activations", "weight", "bias")), Variant(("bias",))]
    texts = [qkv.function(qkv.name_of(element, heads, "parts", True), element, heads, (None, None, hidden), True)]
    texts += [qkv_grad.function("grad_" + qkv_grad.name_of(element, heads, "parts", variant), element, heads,
                                (None, None, 136), variant) for variant in some]
    target = os.environ["BOOSTR_TEST_TARGET"]
    module = compile_functions(texts, target="cuda:sm_80" if target == "cuda" else target)
    for batch, tokens in counts:
        qkv.check(module, element, heads, "parts", (batch, tokens, hidden), True)
        for variant in some:
            qkv_grad.check(Gradients(module), element, heads, "parts", variant, (batch, tokens, 136))


@pytest.mark.parametrize("element", ["f16", "bf16", "f32", "f64"])
def test_parts(element):
    check_parts(element, [(2, 40), (3, 333), (1, 9000)])
