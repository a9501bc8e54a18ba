# Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""A loop over layers: each iteration's result is a new buffer that the next one reads."""

import numpy as np
from support import assert_close, compile_functions, poisoned, random

LAYERS = """
func.func @layers(%x: tensor<2x?x24xf32>, %w: tensor<24x24xf32>) -> tensor<2x?x24xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c5 = arith.constant 5 : index
  %y = scf.for %i = %c0 to %c5 step %c1 iter_args(%layer = %x) -> tensor<2x?x24xf32> {
    %next = boostr.out_proj_residual %layer, %w residual(%layer)
        : tensor<2x?x24xf32>, tensor<24x24xf32>, tensor<2x?x24xf32>
    scf.yield %next : tensor<2x?x24xf32>
  }
  return %y : tensor<2x?x24xf32>
}"""


def test_layers():
    x, w = random(0, "f32", 2, 7, 24), random(1, "f32", 24, 24) * np.float32(0.1)
    before, out = x.copy(), poisoned("f32", *x.shape)
    compile_functions([LAYERS]).layers(x, w, out=out)
    expected = x.astype(np.float64)
    for _ in range(5):
        expected = expected @ w.T.astype(np.float64) + expected
    assert_close(out, expected, "f32", np.abs(expected))
    assert np.array_equal(x, before), "an input was written"
