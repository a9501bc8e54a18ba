# Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""One case of each family of GPU kernels, small enough for compute-sanitizer."""

import os

import boostr
import numpy as np
import pytest
import test_fused_qkv as qkv
import test_fused_qkv_grad as qkv_grad
import test_gpu_blocks as gpu_blocks
import test_out_proj_residual as out
from gradients import variants
from support import Heads, compile_functions, random

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


def test_fused_qkv_of_tall_tiles():
    """Tiles of 192 rows, which three warpgroups multiply: 128 for as many multiprocessors."""
    heads = Heads(32, 8, 128)
    module = compile_functions(
        [qkv.function(qkv.name_of("bf16", heads, "tall", True), "bf16", heads, (2, 384, 64), True)])
    qkv.check(module, "bf16", heads, "tall", (2, 384, 64), True)


def test_out_proj_residual_of_flat_tiles():
    """Tiles of 64 rows, which one warpgroup multiplies: 128 of them, and 32 for few rows."""
    module = compile_functions(
        [out.function("flat_bf16_True", "bf16", (None, None, 1024, 1024), True)])
    for tokens in (256, 40):
        out.check(module, "flat", "bf16", True, (1, tokens, 1024, 1024))


@pytest.mark.parametrize("element, hidden", [("f16", 128), ("bf16", 1288), ("f64", 19)])
def test_fused_qkv_grad(element, hidden):
    """Bias gradients, of one column of tiles and of several; accumulation into the same type and
    into f32, and tiles that blocks share; f64 by tensor cores."""
    for variant in variants(element)[6:9]:
        name = qkv_grad.name_of(element, HEADS, "small", variant)
        module = compile_functions(
            [qkv_grad.function(name, element, HEADS, (None, None, hidden), variant)])
        for batch, tokens in ((2, 33), (1, 2100)):
            qkv_grad.check(module, element, HEADS, "small", variant, (batch, tokens, hidden))


@pytest.mark.skipif(os.environ.get("BOOSTR_TEST_TARGET") != "cuda", reason="needs a GPU")
@pytest.mark.parametrize("width", [72, 1024])
def test_out_proj_residual_of_many_tiles(width):
    """Several tiles for each block: results leave beside the products of the next tile, and the
    residual arrives beside them; or both do behind these if k is short."""
    module = compile_functions(
        [out.function("many_bf16_True", "bf16", (None, None, width, 1024), True)])
    out.check(module, "many", "bf16", True, (2, 4300, width, 1024))


def test_out_proj_residual():
    """A residual that arrives through the ring, of narrow tiles."""
    module = compile_functions(
        [out.function("small_bf16_True", "bf16", (None, None, 64, 192), True)])
    for batch, tokens in ((2, 130), (1, 20)):
        out.check(module, "small", "bf16", True, (batch, tokens, 64, 192))


@pytest.mark.skipif(os.environ.get("BOOSTR_TEST_TARGET") != "cuda", reason="needs a GPU")
@pytest.mark.parametrize("element, precision", [("bf16", "ieee"), ("f16", "ieee"), ("f32", "tf32")])
def test_sm_80(element, precision):
    """Tensor cores with operands that come by asynchronous copies of 16 bytes, for which sm_90a
    has other kernels."""
    heads = Heads(2, 1, 64)
    forward = qkv.name_of(element, heads, "older", True)
    variant = variants(element)[6]
    backward = qkv_grad.name_of(element, heads, "older", variant)
    module = compile_functions(
        [qkv.function(forward, element, heads, (None, None, 64), True),
         qkv_grad.function(backward, element, heads, (None, None, 64), variant)],
        target="cuda:sm_80", f32_precision=precision)
    if precision != "ieee":  # What the numbers are, test_gpu_torch.py checks.
        getattr(module, forward)(random(1, element, 2, 33, 64), random(2, element, heads.rows, 64),
                                 random(3, element, heads.rows))
        return
    for batch, tokens in ((1, 5), (2, 33)):
        qkv.check(module, element, heads, "older", (batch, tokens, 64), True)
        qkv_grad.check(module, element, heads, "older", variant, (batch, tokens, 64))


@pytest.mark.skipif(os.environ.get("BOOSTR_TEST_TARGET") != "cuda", reason="needs a GPU")
@pytest.mark.parametrize("blocks", ["simt_256x128", "mma_128x256x64"])
def test_large_blocks(blocks):
    """What is launched only where there are many of them, written on the op."""
    element, tile = gpu_blocks.BLOCKS[blocks]
    heads, variant = Heads(2, 1, 64), variants(element)[6]
    name = qkv_grad.name_of(element, heads, "large", variant)
    text = qkv_grad.function(name, element, heads, (None, None, 200), variant)
    module = compile_functions([gpu_blocks.with_tile(text, tile, 2)])
    for batch, tokens in ((2, 33), (1, 300)):
        qkv_grad.check(module, element, heads, "large", variant, (batch, tokens, 200))


@pytest.mark.skipif(os.environ.get("BOOSTR_TEST_TARGET") != "cuda", reason="needs a GPU")
@pytest.mark.parametrize("element", ["f16", "f32"])
def test_parts(element):
    """Blocks in parts along k, of mma and simt, whose sums meet in global memory."""
    gpu_blocks.check_parts(element, [(2, 40), (1, 3000)])


def test_between_the_ops():
    """A thread for each element, and for each row of a softmax."""
    module = boostr.compile("""
func.func @softmax(%x: tensor<?x37xf32>, %y: tensor<?x37xf32>) -> tensor<?x37xf32> {
  %sum = arith.addf %x, %y : tensor<?x37xf32>
  %c0 = arith.constant 0 : index
  %n = tensor.dim %x, %c0 : tensor<?x37xf32>
  %empty = tensor.empty(%n) : tensor<?x37xf32>
  %result = linalg.softmax dimension(1) ins(%sum : tensor<?x37xf32>) outs(%empty : tensor<?x37xf32>)
      -> tensor<?x37xf32>
  return %result : tensor<?x37xf32>
}""")
    x, y = random(1, "f32", 300, 37), random(2, "f32", 300, 37)
    exact = np.exp(x.astype(np.float64) + y)
    exact /= exact.sum(axis=1, keepdims=True)
    assert np.allclose(module.softmax(x, y), exact, rtol=1e-5)


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
