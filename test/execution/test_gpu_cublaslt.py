# Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Products by cuBLASLt, on an emulated GPU and library, against float64: what is packed and
unpacked, what is asked of the library, and what is done without it."""

import pytest
import test_fused_qkv as qkv
import test_fused_qkv_grad as qkv_grad
import test_out_proj_residual as proj
import test_out_proj_residual_grad as proj_grad
import test_separate_weights as separate
from gpu_emulator import compile_emulated
from gradients import variants
from support import TYPES, Heads

HEADS = [Heads(3, 2, 7), Heads(2, 1, 8), Heads(4, 1, 20)]
SHAPES = [(1, 1, 1), (0, 4, 8), (2, 0, 8), (2, 17, 31), (3, 5, 0), (1, 33, 40)]
STATIC_SHAPE = (2, 19, 48)


def compile_for_library(texts, options="gemm=cublaslt"):
    """For a chip on which the kernels beside the products compile fast; test_gpu_kernels.py has
    the others."""
    return compile_emulated(texts, chip="sm_75", options=options)


@pytest.mark.parametrize("element", TYPES)
def test_fused_qkv(element):
    cases = [("dynamic", (None, None, None), heads, bias)
             for heads in HEADS for bias in (True, False)]
    cases.append(("static", STATIC_SHAPE, HEADS[1], True))
    module = compile_for_library(
        (qkv.function(qkv.name_of(element, heads, kind, bias), element, heads, shape, bias)
         for kind, shape, heads, bias in cases))
    for kind, _, heads, bias in cases:
        for shape in SHAPES if kind == "dynamic" else [STATIC_SHAPE]:
            qkv.check(module, element, heads, kind, shape, bias)


@pytest.mark.parametrize("element", TYPES)
def test_out_proj_residual(element):
    static = (2, 19, 48, 72)
    module = compile_for_library(
        (proj.function(f"{kind}_{element}_{bias}", element, shape, bias)
         for bias in (True, False)
         for kind, shape in (("dynamic", (None,) * 4), ("static", static))))
    for bias in (True, False):
        proj.check(module, "static", element, bias, static)
        for batch, tokens, hidden in SHAPES:
            proj.check(module, "dynamic", element, bias, (batch, tokens, hidden, 71))


@pytest.mark.parametrize("element", TYPES)
def test_fused_qkv_grad(element):
    cases = [("dynamic", (None,) * 3, HEADS[0], variant) for variant in variants(element)]
    everything = variants(element)[6]
    cases.append(("static", STATIC_SHAPE, HEADS[1], everything))
    cases.append(("dynamic", (None,) * 3, HEADS[2], everything))
    module = compile_for_library(
        (qkv_grad.function(qkv_grad.name_of(element, heads, kind, variant), element, heads, shape,
                           variant) for kind, shape, heads, variant in cases))
    for kind, _, heads, variant in cases:
        for shape in SHAPES if kind == "dynamic" else [STATIC_SHAPE]:
            qkv_grad.check(module, element, heads, kind, variant, shape)


@pytest.mark.parametrize("element", TYPES)
def test_out_proj_residual_grad(element):
    static = (2, 19, 48, 72)
    cases = [(kind, shape, variant) for variant in variants(element)
             for kind, shape in (("dynamic", (None,) * 4), ("static", static))]
    module = compile_for_library(
        (proj_grad.function(f"{kind}_{variant.name}", element, shape, variant)
         for kind, shape, variant in cases))
    for kind, _, variant in cases:
        for shape in [(*s, 71) for s in SHAPES] if kind == "dynamic" else [static]:
            proj_grad.check(module, element, kind, variant, shape)


@pytest.mark.parametrize("element", ["f32", "bf16"])
def test_separate_weights(element):
    """One product for each weight where segments are told apart by them; the input's gradient, a
    sum over all three, is left to a kernel."""
    separate.check_forward(compile_for_library, element)
    separate.check_gradients(compile_for_library, element)


def test_batched():
    """Products of their own for each batch and head, and one for all."""
    heads = Heads(2, 1, 128)
    module = compile_for_library(
        [qkv.function(qkv.name_of("f32", heads, "dynamic", False), "f32", heads, (None,) * 3,
                      False)])
    for shape in [(2, 1025, 3), (0, 1024, 3), (3, 7, 5), (1, 1024, 0)]:
        qkv.check(module, "f32", heads, "dynamic", shape, False)


@pytest.mark.parametrize("behaviour", ["refuses", "refuses sums", "missing"])
def test_without_library(behaviour, monkeypatch):
    """What the library does not do is done by kernels; with `auto` also all that it would do."""
    monkeypatch.setenv("BOOSTR_EMULATED_CUBLASLT", behaviour)
    element, heads = "f32", HEADS[0]
    everything = variants(element)[6]
    module = compile_for_library(
        [qkv.function(qkv.name_of(element, heads, "dynamic", True), element, heads, (None,) * 3,
                      True),
         qkv_grad.function(qkv_grad.name_of(element, heads, "dynamic", everything), element,
                           heads, (None,) * 3, everything)],
        options="gemm=auto")
    for shape in SHAPES:
        qkv.check(module, element, heads, "dynamic", shape, True)
        qkv_grad.check(module, element, heads, "dynamic", everything, shape)
