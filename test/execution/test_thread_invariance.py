# Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Results have the same bits for any number of threads, and from run to run."""

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


@pytest.mark.parametrize("element", TYPES)
def test_same_bits(element):
    module = compile_functions(functions(element))
    x, w = random(1, element, 2, 301, 333), random(2, element, 192, 333)
    results = []
    for threads in (1, 2, 5, 5):
        context = boostr.Context(num_threads=threads)
        projections = module.forward(x, w, context=context)
        gradients = module.backward(*projections, x, w, context=context)
        results.append([a.tobytes() for a in (*projections, *gradients)])
    assert results[0] == results[1] == results[2] == results[3]
