# Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""The three numeric cases of the original implementation, in Rust."""

import boostr
import numpy as np
import reference
from support import assert_close

HEADS = "num_heads = 2 num_kv_heads = 1 head_dim = 4"
X, W, B = "tensor<1x2x8xf32>", "tensor<16x8xf32>", "tensor<16xf32>"
Q, K = "tensor<1x2x2x4xf32>", "tensor<1x1x2x4xf32>"
A, WO = "tensor<1x3x8xf32>", "tensor<8x8xf32>"

MODULE = f"""
func.func @qkv_grad(%dq: {Q}, %dk: {K}, %dv: {K}, %x: {X}, %w: {W}) -> ({X}, {W}, {B}) {{
  %dx, %dw, %db = boostr.fused_qkv_grad %dq, %dk, %dv, %x, %w wrt(input, weight, bias) {HEADS}
      : {Q}, {K}, {K}, {X}, {W}
  return %dx, %dw, %db : {X}, {W}, {B}
}}
func.func @qkv_grad_without_bias(%dq: {Q}, %dk: {K}, %dv: {K}, %x: {X}, %w: {W}) -> ({X}, {W}) {{
  %dx, %dw = boostr.fused_qkv_grad %dq, %dk, %dv, %x, %w wrt(input, weight) {HEADS}
      : {Q}, {K}, {K}, {X}, {W}
  return %dx, %dw : {X}, {W}
}}
func.func @out_proj_grad(%dy: {A}, %a: {A}, %w: {WO}) -> ({A}, {WO}, tensor<8xf32>) {{
  %da, %dw, %db = boostr.out_proj_residual_grad %dy, %a, %w wrt(attn, weight, bias)
      : {A}, {A}, {WO}
  return %da, %dw, %db : {A}, {WO}, tensor<8xf32>
}}"""


def numbers(formula, *shape):
    return np.array([formula(i) for i in range(np.prod(shape))], np.float32).reshape(shape)


def qkv_inputs():
    return (numbers(lambda i: ((i % 7) - 3) * 0.01, 1, 2, 2, 4),
            numbers(lambda i: ((i % 5) - 2) * 0.01, 1, 1, 2, 4),
            numbers(lambda i: ((i % 3) - 1) * 0.01, 1, 1, 2, 4),
            numbers(lambda i: i * 0.01, 1, 2, 8), numbers(lambda i: i * 0.005, 16, 8))


def compare(results, inputs, formula):
    exact = formula(*(a.astype(np.float64) for a in inputs))
    for result, expected in zip(results, exact):
        assert_close(result, expected, "f32", None)


def test_fused_qkv_grad():
    inputs = qkv_inputs()
    compare(boostr.compile(MODULE).qkv_grad(*inputs), inputs, reference.fused_qkv_grad)


def test_fused_qkv_grad_without_bias():
    inputs = qkv_inputs()
    results = boostr.compile(MODULE).qkv_grad_without_bias(*inputs)
    assert len(results) == 2
    compare(results, inputs, reference.fused_qkv_grad)


def test_out_proj_residual_grad():
    inputs = (numbers(lambda i: ((i % 5) - 2) * 0.01, 1, 3, 8),
              numbers(lambda i: i * 0.02, 1, 3, 8), numbers(lambda i: i * 0.01, 8, 8))
    compare(boostr.compile(MODULE).out_proj_grad(*inputs), inputs,
            reference.out_proj_residual_grad)
