# Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Results have the same bits for any number of threads, from run to run, and whatever
tokens follow."""

import boostr
import numpy as np
import pytest
from support import TYPES, compile_functions, random, tensor


def functions(element):
    x, w, t = tensor(element, None, None, None), tensor(element, None, None), element
    q, k = tensor(t, None, 4, None, 24), tensor(t, None, 2, None, 24)
    heads = "num_heads = 4 num_kv_heads = 2 head_dim = 24"
    b = tensor(t, 192)
    return [f"""
func.func @forward(%x: {x}, %w: {w}) -> ({q}, {k}, {k}) {{
  %q, %k, %v = boostr.fused_qkv %x, %w {heads} : {x}, {w}
  return %q, %k, %v : {q}, {k}, {k}
}}
func.func @backward(%dq: {q}, %dk: {k}, %dv: {k}, %x: {x}, %w: {w}) -> ({x}, {w}, {b}) {{
  %dx, %dw, %db = boostr.fused_qkv_grad %dq, %dk, %dv, %x, %w wrt(input, weight, bias) {heads}
      : {q}, {k}, {k}, {x}, {w}
  return %dx, %dw, %db : {x}, {w}, {b}
}}"""]


OUT_PROJ = """
func.func @forward(%a: tensor<?x?x?xf32>, %w: tensor<?x?xf32>, %r: tensor<?x?x?xf32>)
    -> tensor<?x?x?xf32> {
  %y = boostr.out_proj_residual %a, %w residual(%r)
      : tensor<?x?x?xf32>, tensor<?x?xf32>, tensor<?x?x?xf32>
  return %y : tensor<?x?x?xf32>
}
func.func @backward(%dy: tensor<?x?x?xf32>, %a: tensor<?x?x?xf32>, %w: tensor<?x?xf32>,
                    %dw0: tensor<?x?xf32>, %db0: tensor<?xf32>)
    -> (tensor<?x?x?xf32>, tensor<?x?xf32>, tensor<?xf32>) {
  %da, %dw, %db = boostr.out_proj_residual_grad %dy, %a, %w
      accumulate_weight(%dw0) accumulate_bias(%db0) wrt(attn, weight, bias)
      : tensor<?x?x?xf32>, tensor<?x?x?xf32>, tensor<?x?xf32>, tensor<?x?xf32>, tensor<?xf32>
  return %da, %dw, %db : tensor<?x?x?xf32>, tensor<?x?xf32>, tensor<?xf32>
}"""


def check_same_bits(run):
    """run: from a context to all results."""
    first, *others = ([a.tobytes() for a in run(boostr.Context(num_threads=threads))]
                      for threads in (1, 2, 5, 5))
    assert all(other == first for other in others)


# Few tokens have code of their own, forward and in both gradients.
# 49 leave few in the last panel of 32.
TOKENS = [(1, 1), (1, 7), (3, 4), (1, 49), (2, 301)]


@pytest.mark.parametrize("element", TYPES)
def test_fused_qkv(element):
    module = compile_functions(functions(element))
    w = random(2, element, 192, 1333)
    for batch, tokens in TOKENS:
        x = random(1, element, batch, tokens, 1333)

        def run(context, x=x):
            projections = module.forward(x, w, context=context)
            return *projections, *module.backward(*projections, x, w, context=context)

        check_same_bits(run)


@pytest.mark.parametrize("element", TYPES)
def test_rest_of_a_panel(element):
    """More tokens than few ones do not change the bits of a token's results: a last panel
    of half the width adds up in the same order as a whole one."""
    module = compile_functions(functions(element))
    w, x = random(2, element, 192, 700), random(1, element, 1, 96, 700)
    whole = module.forward(x, w)
    for tokens in (33, 40, 41, 48, 49, 65, 72, 73, 80, 81):
        for result, expected in zip(module.forward(x[:, :tokens], w), whole):
            assert result.tobytes() == expected[:, :, :tokens].tobytes()


def test_out_proj_residual():
    module = boostr.compile(OUT_PROJ)
    w = random(2, "f32", 1191, 333)
    dw, db = random(4, "f32", 1191, 333), random(5, "f32", 1191)
    for batch, tokens in TOKENS:
        a, r = random(1, "f32", batch, tokens, 333), random(3, "f32", batch, tokens, 1191)

        def run(context, a=a, r=r):
            y = module.forward(a, w, r, context=context)
            return y, *module.backward(y, a, w, dw, db, context=context)

        check_same_bits(run)
