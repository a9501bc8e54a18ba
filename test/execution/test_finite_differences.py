# Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Gradient ops against central finite differences of the forward ops, in f64."""

import boostr
import numpy as np
from support import random

QKV = """
func.func @forward(%x: tensor<?x?x?xf64>, %w: tensor<20x?xf64>, %b: tensor<20xf64>)
    -> (tensor<?x3x?x4xf64>, tensor<?x1x?x4xf64>, tensor<?x1x?x4xf64>) {
  %q, %k, %v = boostr.fused_qkv %x, %w bias(%b) num_heads = 3 num_kv_heads = 1 head_dim = 4
      : tensor<?x?x?xf64>, tensor<20x?xf64>, tensor<20xf64>
  return %q, %k, %v : tensor<?x3x?x4xf64>, tensor<?x1x?x4xf64>, tensor<?x1x?x4xf64>
}
func.func @backward(%dq: tensor<?x3x?x4xf64>, %dk: tensor<?x1x?x4xf64>, %dv: tensor<?x1x?x4xf64>,
                    %x: tensor<?x?x?xf64>, %w: tensor<20x?xf64>)
    -> (tensor<?x?x?xf64>, tensor<20x?xf64>, tensor<20xf64>) {
  %dx, %dw, %db = boostr.fused_qkv_grad %dq, %dk, %dv, %x, %w wrt(input, weight, bias)
      num_heads = 3 num_kv_heads = 1 head_dim = 4
      : tensor<?x3x?x4xf64>, tensor<?x1x?x4xf64>, tensor<?x1x?x4xf64>, tensor<?x?x?xf64>,
        tensor<20x?xf64>
  return %dx, %dw, %db : tensor<?x?x?xf64>, tensor<20x?xf64>, tensor<20xf64>
}"""

OUT_PROJ = """
func.func @forward(%a: tensor<?x?x?xf64>, %w: tensor<?x?xf64>, %b: tensor<?xf64>,
                   %r: tensor<?x?x?xf64>) -> tensor<?x?x?xf64> {
  %y = boostr.out_proj_residual %a, %w bias(%b) residual(%r)
      : tensor<?x?x?xf64>, tensor<?x?xf64>, tensor<?xf64>, tensor<?x?x?xf64>
  return %y : tensor<?x?x?xf64>
}
func.func @backward(%dy: tensor<?x?x?xf64>, %a: tensor<?x?x?xf64>, %w: tensor<?x?xf64>)
    -> (tensor<?x?x?xf64>, tensor<?x?xf64>, tensor<?xf64>) {
  %da, %dw, %db = boostr.out_proj_residual_grad %dy, %a, %w wrt(attn, weight, bias)
      : tensor<?x?x?xf64>, tensor<?x?x?xf64>, tensor<?x?xf64>
  return %da, %dw, %db : tensor<?x?x?xf64>, tensor<?x?xf64>, tensor<?xf64>
}"""


def differences(function, arguments, number, cotangents, step=1e-5):
    """Central differences of sum(cotangent * result) by every element of an argument."""
    gradient = np.empty_like(arguments[number])
    for index in np.ndindex(gradient.shape):
        values = []
        for sign in (1, -1):
            moved = [a.copy() for a in arguments]
            moved[number][index] += sign * step
            results = function(*moved)
            results = results if isinstance(results, tuple) else (results,)
            values.append(sum((r * c).sum() for r, c in zip(results, cotangents)))
        gradient[index] = (values[0] - values[1]) / (2 * step)
    return gradient


def check(module, arguments, cotangents, saved):
    gradients = module.backward(*cotangents, *saved)
    for number, gradient in enumerate(gradients):
        expected = differences(module.forward, arguments, number, cotangents)
        np.testing.assert_allclose(gradient, expected, rtol=1e-7, atol=1e-8)


def test_fused_qkv_grad():
    x, w, b = random(1, "f64", 2, 3, 5), random(2, "f64", 20, 5), random(3, "f64", 20)
    cotangents = [random(4 + i, "f64", 2, n, 3, 4) for i, n in enumerate((3, 1, 1))]
    check(boostr.compile(QKV), [x, w, b], cotangents, [x, w])


def test_out_proj_residual_grad():
    a, w, b = random(1, "f64", 2, 3, 5), random(2, "f64", 4, 5), random(3, "f64", 4)
    r, dy = random(4, "f64", 2, 3, 4), random(5, "f64", 2, 3, 4)
    module = boostr.compile(OUT_PROJ)
    check(module, [a, w, b, r], [dy], [a, w])
    # The residual's gradient is the cotangent itself.
    np.testing.assert_allclose(differences(module.forward, [a, w, b, r], 3, [dy]), dy, rtol=1e-7)
