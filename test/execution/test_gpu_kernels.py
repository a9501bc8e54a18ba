# Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Kernels for GPUs that fit every contraction, on an emulated GPU, against float64."""

import re

import numpy as np
import pytest
import reference
import test_fused_qkv as qkv
import test_fused_qkv_grad as qkv_grad
import test_out_proj_residual as proj
import test_out_proj_residual_grad as proj_grad
import test_separate_weights as separate
from gpu_emulator import compile_emulated
from gradients import Variant, variants
from support import TYPES, Heads, poisoned, random, wide

HEADS = [Heads(3, 2, 7), Heads(4, 1, 80)]
SHAPES = [(1, 1, 1), (0, 4, 8), (2, 0, 8), (2, 37, 61), (3, 67, 0), (1, 130, 97)]
# What is read and written in pieces of 16 bytes.
STATIC_SHAPE = (2, 19, 48)

# What is written on the op in place of what boostr-select-gpu-tile would choose.
TILES = {
    "one_stage": ("simt", (64, 64, 16), 1, 1),
    "deep": ("simt", (64, 128, 32), 1, 2),
    "tall": ("simt", (128, 64, 16), 2, 3),
    "large": ("simt", (256, 128, 16), 2, 2),
    # Single elements of k.
    "gemv": ("gemv", (4, 8, 32), 4, 1),
    "gemv_warps": ("gemv", (3, 6, 96), 2, 1),
    # Single columns; groups of threads that share k, of a warp and of several.
    "gemvt": ("gemvt", (4, 8, 32), 2, 1),
    "gemvt_warps": ("gemvt", (3, 32, 12), 4, 1),
    "ger": ("ger", (4, 32, 1), 1, 1),
    "ger_several": ("ger", (6, 64, 3), 1, 2),
}
# Of tensor cores: block, stages, group, warp.
MMA_TILES = {
    "one_warp": ((32, 32, 16), 2, 1, (32, 32)),
    # Lines along k longer than the threads are many.
    "one_warp_deep": ((32, 32, 64), 2, 1, (32, 32)),
    "wide": ((64, 128, 32), 3, 2, (32, 64)),
    "tall": ((128, 32, 64), 2, 3, (64, 16)),
    "deep": ((64, 64, 64), 3, 1, (32, 32)),
}
# Of few tokens, by tensor cores.
SKINNY_TILES = {
    "one_warp": "kernel = gemv, block = [8, 32, 32], stages = 3, group = 1, warp = [8, 32]",
    "tall": "kernel = gemv, block = [24, 64, 64], stages = 2, group = 1, warp = [24, 64]",
}
# The same, where the weight is read along its columns.
SKINNY_GEMVT_TILES = {
    "one_warp": "kernel = gemvt, block = [8, 16, 16], stages = 3, group = 1, warp = [8, 16]",
    "tall": "kernel = gemvt, block = [24, 32, 32], stages = 1, group = 1, warp = [24, 32]",
    "wide": "kernel = gemvt, block = [16, 64, 64], stages = 2, group = 1, warp = [16, 64]",
}
# Gradients of the weight alike.
SKINNY_GER_TILES = {
    "one_warp": "kernel = ger, block = [8, 64, 16], stages = 1, group = 1, warp = [8, 64]",
    "wide": "kernel = ger, block = [16, 128, 16], stages = 1, group = 2, warp = [16, 64]",
    "tall": "kernel = ger, block = [64, 128, 16], stages = 1, group = 1, warp = [64, 64]",
}


def attribute(tile, count):
    kernel, block, stages, group = TILES[tile]
    return attribute_of(f"kernel = {kernel}, block = {list(block)}, stages = {stages}, "
                        f"group = {group}", count)


def attribute_of(parameters, count):
    one = f"#boostr.gpu_tile<{parameters}>"
    return f"{{boostr.gpu_tiles = [{', '.join([one] * count)}]}}"


@pytest.mark.parametrize("element", TYPES)
def test_fused_qkv(element):
    cases = [("dynamic", (None, None, None), heads, bias)
             for heads in HEADS for bias in (True, False)]
    cases.append(("static", STATIC_SHAPE, Heads(2, 1, 8), True))
    module = compile_emulated(
        qkv.function(qkv.name_of(element, heads, kind, bias), element, heads, shape, bias)
        for kind, shape, heads, bias in cases)
    for kind, _, heads, bias in cases:
        for shape in SHAPES if kind == "dynamic" else [STATIC_SHAPE]:
            qkv.check(module, element, heads, kind, shape, bias)


@pytest.mark.parametrize("element", TYPES)
def test_out_proj_residual(element):
    static = (2, 19, 48, 72)
    module = compile_emulated(
        proj.function(f"{kind}_{element}_{bias}", element, shape, bias)
        for bias in (True, False)
        for kind, shape in (("dynamic", (None,) * 4), ("static", static)))
    for bias in (True, False):
        proj.check(module, "static", element, bias, static)
        for batch, tokens, hidden in SHAPES:
            proj.check(module, "dynamic", element, bias, (batch, tokens, hidden, 71))


@pytest.mark.parametrize("element", TYPES)
def test_fused_qkv_grad(element):
    everything = variants(element)[6]
    # Most of the time is compiling.
    some = variants(element)[0 if element in ("f32", "bf16") else 6:]
    cases = [("dynamic", (None,) * 3, HEADS[0], variant) for variant in some]
    cases.append(("static", STATIC_SHAPE, Heads(2, 1, 8), everything))
    cases.append(("dynamic", (None,) * 3, HEADS[1], everything))
    module = compile_emulated(
        qkv_grad.function(qkv_grad.name_of(element, heads, kind, variant), element, heads, shape,
                          variant) for kind, shape, heads, variant in cases)
    for kind, _, heads, variant in cases:
        for shape in SHAPES if kind == "dynamic" else [STATIC_SHAPE]:
            qkv_grad.check(module, element, heads, kind, variant, shape)


@pytest.mark.parametrize("element", TYPES)
def test_out_proj_residual_grad(element):
    static = (2, 19, 48, 72)
    cases = [(kind, shape, variant) for variant in variants(element)[5:]
             for kind, shape in (("dynamic", (None,) * 4), ("static", static))]
    module = compile_emulated(
        proj_grad.function(f"{kind}_{variant.name}", element, shape, variant)
        for kind, shape, variant in cases)
    for kind, _, variant in cases:
        for shape in [(*s, 71) for s in SHAPES] if kind == "dynamic" else [static]:
            proj_grad.check(module, element, kind, variant, shape)


@pytest.mark.parametrize("element", ["f32", "bf16"])
def test_separate_weights(element):
    separate.check_forward(compile_emulated, element)
    separate.check_gradients(compile_emulated, element)


@pytest.mark.parametrize("tile", TILES)
def test_tiles(tile):
    """Of every size: results do not depend on them."""
    element, heads = "f32", HEADS[0]
    few = tile.startswith(("gemv", "ger"))
    # These kernels have no sums of lhs.
    everything = Variant(("activations",) if tile.startswith("gemvt") else
                         ("weight", "bias") if tile.startswith("ger") else
                         ("activations", "weight", "bias"))
    forward = qkv.function(qkv.name_of(element, heads, "dynamic", True), element, heads,
                           (None,) * 3, True)
    texts = [re.sub(r"(head_dim = \d+)", rf"\1 {attribute(tile, 1)}", forward)]
    has_gradients = not tile in ("gemv", "gemv_warps")
    if has_gradients:
        backward = qkv_grad.function(qkv_grad.name_of(element, heads, "dynamic", everything),
                                     element, heads, (None,) * 3, everything)
        texts.append(re.sub(r"(head_dim = \d+)", rf"\1 {attribute(tile, 1 if few else 2)}", backward))
    module = compile_emulated(texts)
    for shape in SHAPES + [(1, 300, 131)]:
        qkv.check(module, element, heads, "dynamic", shape, True)
        if has_gradients:
            qkv_grad.check(module, element, heads, "dynamic", everything, shape)


@pytest.mark.parametrize("element", TYPES)
def test_few_tokens(element):
    """Known when compiling, and when running."""
    heads = Heads(3, 1, 24)
    shapes = [(1, 1, 512), (5, 1, 512), (2, 4, 1056), (1, 9, 264), (1, 2, 0), (0, 1, 64), (16, 1, 328)]
    few = [shape for shape in shapes if 0 < shape[0] * shape[1] <= 16]
    texts = [qkv.function(qkv.name_of(element, heads, f"static{i}", True), element, heads, shape,
                          True) for i, shape in enumerate(few)]
    for hidden in {shape[2] for shape in shapes}:
        texts.append(qkv.function(qkv.name_of(element, heads, f"dynamic{hidden}", True), element,
                                  heads, (None, None, hidden), True))
    module = compile_emulated(texts)
    for i, shape in enumerate(few):
        qkv.check(module, element, heads, f"static{i}", shape, True)
    for shape in shapes:
        qkv.check(module, element, heads, f"dynamic{shape[2]}", shape, True)


@pytest.mark.parametrize("tile", ["chosen", *SKINNY_TILES])
@pytest.mark.parametrize("element", ["f16", "bf16"])
def test_few_tokens_by_tensor_cores(element, tile):
    """Around the borders of tiles, k that fills no turn, several heads, what is added."""
    heads = Heads(3, 2, 24)
    shapes = [(1, 3, 512), (4, 1, 512), (2, 4, 264), (1, 9, 1312), (16, 1, 8), (3, 5, 40), (1, 17, 1048),
              (2, 33, 264), (1, 3, 0), (0, 1, 264)]
    texts = [(qkv.function(qkv.name_of(element, heads, f"dynamic{hidden}", bias), element, heads,
                           (None, None, hidden), bias), r"(head_dim = \d+)")
             for hidden in sorted({shape[2] for shape in shapes}) for bias in (True, False)]
    texts += [(proj.function(f"proj_{element}_{bias}", element, (None, None, 328, 100), bias),
               r"(residual\(%\w+\))") for bias in (True, False)]
    if tile != "chosen":
        text = attribute_of(SKINNY_TILES[tile], 1)
        texts = [re.sub(place, rf"\1 {text}", function) for function, place in texts]
    else:
        texts = [function for function, _ in texts]
    module = compile_emulated(texts)
    for bias in (True, False):
        for shape in shapes:
            qkv.check(module, element, heads, f"dynamic{shape[2]}", shape, bias)
        for batch, tokens in ((1, 3), (7, 1), (3, 3), (2, 8), (1, 17)):
            proj.check(module, "proj", element, bias, (batch, tokens, 328, 100))


@pytest.mark.parametrize("element", TYPES)
def test_gradients_of_few_tokens(element):
    """Known when compiling, and when running; k that fills no turn, what is added."""
    heads = Heads(3, 1, 24)
    shapes = [(1, 1, 328), (4, 1, 328), (1, 2, 264), (2, 4, 328), (3, 3, 264), (16, 1, 264), (1, 17, 328),
              (0, 1, 264)]
    few = [shape for shape in shapes if shape[0] and shape[0] * shape[1] < 5]
    chosen = variants(element)[6:9]
    cases = [(f"static{i}", shape, chosen[0]) for i, shape in enumerate(few)]
    cases += [(f"dynamic{hidden}", (None, None, hidden), variant) for hidden in (264, 328)
              for variant in chosen[:3 if hidden == 328 else 1]]
    texts = [qkv_grad.function(qkv_grad.name_of(element, heads, kind, variant), element, heads, shape,
                               variant) for kind, shape, variant in cases]
    proj_shape = (None, None, 328, 100)
    texts += [proj_grad.function(f"proj_{variant.name}", element, proj_shape, variant)
              for variant in chosen]
    module = compile_emulated(texts)
    for kind, static, variant in cases:
        for shape in [static] if kind.startswith("static") else shapes:
            if static[2] == shape[2]:
                qkv_grad.check(module, element, heads, kind, variant, shape)
    for variant in chosen:
        for batch, tokens in ((1, 1), (1, 3), (2, 4), (1, 17)):
            proj_grad.check(module, element, "proj", variant, (batch, tokens, 328, 100))


@pytest.mark.parametrize("tile", SKINNY_GEMVT_TILES)
@pytest.mark.parametrize("element", ["f16", "bf16"])
def test_gemvt_by_tensor_cores(element, tile):
    """Around the borders of tiles; k that fills no turn."""
    heads, variant = Heads(3, 1, 20), variants(element)[0]
    shapes = [(1, 1, 72), (4, 2, 72), (1, 9, 72), (3, 11, 72)]
    text = qkv_grad.function(qkv_grad.name_of(element, heads, "dynamic", variant), element, heads,
                             (None, None, 72), variant)
    tiles = attribute_of(SKINNY_GEMVT_TILES[tile], 1)
    module = compile_emulated([re.sub(r"(head_dim = \d+)", rf"\1 {tiles}", text)])
    for shape in shapes:
        qkv_grad.check(module, element, heads, "dynamic", variant, shape)


@pytest.mark.parametrize("tile", SKINNY_GER_TILES)
@pytest.mark.parametrize("element", ["f16", "bf16"])
def test_ger_by_tensor_cores(element, tile):
    """Rows that fill no block, read in pieces and one by one; steps that fill no instruction, and several."""
    tiles = attribute_of(SKINNY_GER_TILES[tile], 1)
    variant = Variant(("weight", "bias"), element, None)
    for heads, hidden in ((Heads(3, 1, 20), 72), (Heads(2, 1, 7), 136)):
        text = qkv_grad.function(qkv_grad.name_of(element, heads, "dynamic", variant), element, heads,
                                 (None, None, hidden), variant)
        module = compile_emulated([re.sub(r"(head_dim = \d+)", rf"\1 {tiles}", text)])
        for batch, tokens in ((1, 1), (4, 2), (1, 9), (3, 11), (0, 4)):
            qkv_grad.check(module, element, heads, "dynamic", variant, (batch, tokens, hidden))


@pytest.mark.parametrize("tile", MMA_TILES)
@pytest.mark.parametrize("element", ["f16", "f64"])
def test_mma_tiles(element, tile):
    """Operands that memory runs along and across, by 16 bytes and by single elements, the
    instructions of two chips for f64."""
    heads = HEADS[0]
    everything = variants(element)[6]
    block, stages, group, warp = MMA_TILES[tile]
    parameters = (f"kernel = mma, block = {list(block)}, stages = {stages}, group = {group}, "
                  f"warp = {list(warp)}")
    forward = qkv.function(qkv.name_of(element, heads, "dynamic", True), element, heads,
                           (None,) * 3, True)
    backward = qkv_grad.function(qkv_grad.name_of(element, heads, "dynamic", everything),
                                 element, heads, (None,) * 3, everything)
    module = compile_emulated(
        [re.sub(r"(head_dim = \d+)", rf"\1 {attribute_of(parameters, count)}", text)
         for text, count in ((forward, 1), (backward, 2))],
        chip="sm_90" if tile == "wide" else "sm_80")
    for shape in SHAPES + [(1, 67, 48)]:
        qkv.check(module, element, heads, "dynamic", shape, True)
        qkv_grad.check(module, element, heads, "dynamic", everything, shape)


@pytest.mark.parametrize("element, chip", [("f32", "sm_80"), ("f32", "sm_90"), ("f16", "sm_80"), ("f64", "sm_90")])
def test_parts(element, chip):
    """Few blocks with many steps are cut along k: steps that fill no turn, parts that have no turn of some of
    three terms, or none at all; sums of rows; a bias gradient alone."""
    heads, hidden, long = Heads(2, 1, 72), 136, 1096
    everything, bias = variants(element)[6], Variant(("bias",))
    # On sm_90, whose loads of few tokens are none that the emulator knows, both gradients run at the same time.
    known = chip == "sm_80"
    texts = [qkv_grad.function(qkv_grad.name_of(element, heads, "parts", variant), element, heads,
                               (None, None, hidden if known else None), variant) for variant in (everything, bias)]
    texts.append(qkv.function(qkv.name_of(element, heads, "parts", True), element, heads,
                              (None, None, long if known else None), True))
    module = compile_emulated(texts, chip=chip)
    for shape in ((3, 170, hidden), (1, 1100, hidden), (2, 9, hidden)):
        qkv_grad.check(module, element, heads, "parts", everything, shape)
        qkv_grad.check(module, element, heads, "parts", bias, shape)
    qkv.check(module, element, heads, "parts", (2, 19, long), True)


@pytest.mark.parametrize("precision, units", [("tf32", 2.0**-10), ("tf32x3", 2.0**-20)])
@pytest.mark.parametrize("heads, shape", [(Heads(3, 1, 8), (2, 37, 64)), (HEADS[0], (1, 9, 61))])
def test_f32_precision(precision, units, heads, shape):
    """Errors are within what rounded operands allow, and those of TF32 beyond what f32 does."""
    variant = Variant(("activations", "weight", "bias"))
    module = compile_emulated(
        [qkv_grad.function("gradients", "f32", heads, (None,) * 3, variant)],
        options=f"f32-precision={precision}")
    batch, tokens, hidden = shape
    gradients = [random(i, "f32", batch, n, tokens, heads.dim)
                 for i, n in enumerate((heads.query, heads.key_value, heads.key_value))]
    arguments = (*gradients, random(4, "f32", *shape), random(5, "f32", heads.rows, hidden))
    out = (poisoned("f32", *shape), poisoned("f32", heads.rows, hidden), poisoned("f32", heads.rows))
    module.gradients(*arguments, out=out)
    exact = reference.fused_qkv_grad(*wide(*arguments))
    scale = reference.fused_qkv_grad(*(np.abs(a) for a in wide(*arguments)))
    worst = [np.max(np.abs(x.astype(np.float64) - y) / z) for x, y, z in zip(out, exact, scale)]
    assert max(worst) <= units + 2.0**-23
    assert precision != "tf32" or min(worst[:2]) > 2.0**-16
