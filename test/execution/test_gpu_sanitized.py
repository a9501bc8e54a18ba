# Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""One case of each family of GPU kernels, small enough for compute-sanitizer."""

import pytest
import test_fused_qkv as qkv
import test_fused_qkv_grad as qkv_grad
import test_out_proj_residual as out
from gradients import variants
from support import Heads, compile_functions

HEADS = Heads(2, 1, 64)


@pytest.mark.parametrize("element, hidden", [("bf16", 128), ("f16", 37), ("f32", 37)])
def test_fused_qkv(element, hidden):
    """Tensor cores (narrow and wide tiles of wgmma, mma) and single threads; a product for one
    token."""
    name = qkv.name_of(element, HEADS, "small", True)
    module = compile_functions(
        [qkv.function(name, element, HEADS, (None, None, hidden), True)])
    for batch, tokens in ((1, 1), (2, 3), (2, 33), (2, 129)):
        qkv.check(module, element, HEADS, "small", (batch, tokens, hidden), True)


def test_fused_qkv_across_segments():
    """Tiles of 192 columns, which are of several heads and segments."""
    heads = Heads(16, 8, 64)
    module = compile_functions(
        [qkv.function(qkv.name_of("bf16", heads, "across", True), "bf16", heads,
                      (None, None, 64), True)])
    qkv.check(module, "bf16", heads, "across", (2, 550, 64), True)


@pytest.mark.parametrize("element, hidden", [("f16", 128), ("f64", 19)])
def test_fused_qkv_grad(element, hidden):
    """Bias gradients, accumulation, and tiles that blocks share; f64 by tensor cores."""
    for variant in variants(element)[6:8]:
        name = qkv_grad.name_of(element, HEADS, "small", variant)
        module = compile_functions(
            [qkv_grad.function(name, element, HEADS, (None, None, hidden), variant)])
        for batch, tokens in ((2, 33), (1, 2100)):
            qkv_grad.check(module, element, HEADS, "small", variant, (batch, tokens, hidden))


def test_out_proj_residual():
    """A residual that arrives through the ring."""
    module = compile_functions(
        [out.function("small_bf16_True", "bf16", (None, None, 64, 192), True)])
    out.check(module, "small", "bf16", True, (2, 130, 64, 192))


def test_out_proj_residual_of_few_tokens():
    """The weight read straight to registers, in several turns and a rest."""
    width = 2200
    module = compile_functions(
        [out.function("deep_bf16_True", "bf16", (None, None, width, 64), True)])
    for batch, tokens in ((1, 1), (1, 2), (1, 7), (2, 8)):
        out.check(module, "deep", "bf16", True, (batch, tokens, width, 64))


@pytest.mark.parametrize("element, dim", [("bf16", 64), ("f32", 7), ("f64", 16)])
def test_cublaslt(element, dim):
    """What is packed and unpacked around products of the library."""
    heads, variant = Heads(2, 1, dim), variants(element)[6]
    forward = qkv.name_of(element, heads, "library", True)
    backward = qkv_grad.name_of(element, heads, "library", variant)
    module = compile_functions(
        [qkv.function(forward, element, heads, (None, None, 48), True),
         qkv_grad.function(backward, element, heads, (None, None, 48), variant)], gemm="cublaslt")
    for batch, tokens in ((1, 1), (2, 33)):
        qkv.check(module, element, heads, "library", (batch, tokens, 48), True)
        qkv_grad.check(module, element, heads, "library", variant, (batch, tokens, 48))
