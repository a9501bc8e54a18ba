# Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Arrays at odd addresses, and numbers at the ends of the range."""

import numpy as np
import pytest
import reference
from support import TYPES, Heads, assert_close, compile_functions, random, tensor, wide

HEADS = Heads(3, 2, 7)


def functions(element):
    x, w = tensor(element, None, None, None), tensor(element, HEADS.rows, None)
    b = tensor(element, HEADS.rows)
    q, k = (tensor(element, None, n, None, HEADS.dim) for n in (HEADS.query, HEADS.key_value))
    return f"""
func.func @forward_{element}(%x: {x}, %w: {w}, %b: {b}) -> ({q}, {k}, {k}) {{
  %q, %k, %v = boostr.fused_qkv %x, %w bias(%b) {HEADS.attributes} : {x}, {w}, {b}
  return %q, %k, %v : {q}, {k}, {k}
}}
func.func @backward_{element}(%dq: {q}, %dk: {k}, %dv: {k}, %x: {x}, %w: {w}) -> ({x}, {w}, {b}) {{
  %dx, %dw, %db = boostr.fused_qkv_grad %dq, %dk, %dv, %x, %w wrt(input, weight, bias)
      {HEADS.attributes} : {q}, {k}, {k}, {x}, {w}
  return %dx, %dw, %db : {x}, {w}, {b}
}}"""


@pytest.fixture(scope="module")
def module():
    return compile_functions(map(functions, TYPES))


def misplaced(array):
    """A copy one element behind a multiple of 64 bytes."""
    memory = np.empty(array.nbytes + 128, np.uint8)
    start = -memory.ctypes.data % 64 + array.itemsize
    copy = memory[start:start + array.nbytes].view(array.dtype).reshape(array.shape)
    copy[...] = array
    return copy


def run_and_check(run, formula, element, arguments, has_bias=False):
    arguments = [misplaced(a) for a in arguments]
    exact, scale = formula(*wide(*arguments)), formula(*map(np.abs, wide(*arguments)))
    out = tuple(misplaced(np.full(e.shape, np.nan, TYPES[element])) for e in exact)
    run(*arguments, out=out)
    late = [None] * len(out)
    if has_bias:
        late = formula(*wide(0 * arguments[0]), *map(np.abs, wide(*arguments[1:])))
    for result, expected, size, later in zip(out, exact, scale, late):
        assert_close(result, expected, element, size, later)


@pytest.mark.parametrize("element", TYPES)
@pytest.mark.parametrize("shape", [(2, 33, 65), (1, 7, 8200)])
def test_odd_addresses_and_long_sums(module, element, shape):
    batch, tokens, hidden = shape
    x, w = random(1, element, *shape), random(2, element, HEADS.rows, hidden)
    run_and_check(
        getattr(module, f"forward_{element}"),
        lambda x, w, b: reference.fused_qkv(x, w, b, HEADS.query, HEADS.key_value, HEADS.dim),
        element, (x, w, random(3, element, HEADS.rows)), has_bias=True)
    cotangents = [random(4 + i, element, batch, n, tokens, HEADS.dim)
                  for i, n in enumerate((HEADS.query, HEADS.key_value, HEADS.key_value))]
    run_and_check(getattr(module, f"backward_{element}"), reference.fused_qkv_grad, element,
                  (*cotangents, x, w))


def project(module, element, x, w):
    bias = np.zeros(HEADS.rows, TYPES[element])
    return getattr(module, f"forward_{element}")(x, w, bias)


@pytest.mark.parametrize("element", TYPES)
def test_nan_and_infinity_stay_with_their_token(module, element):
    x, w = random(1, element, 1, 5, 20), random(2, element, HEADS.rows, 20)
    right = project(module, element, x, w)
    x[0, 2, 3], x[0, 4, 0] = np.nan, np.inf
    for result, before in zip(project(module, element, x, w), right):
        found = result.astype(np.float64)
        assert np.isnan(found[:, :, 2]).all() and np.isinf(found[:, :, 4]).all()
        assert (result[:, :, [0, 1, 3]] == before[:, :, [0, 1, 3]]).all()


@pytest.mark.parametrize("element, largest, smallest",
                         [("f16", 65504.0, 2.0**-24), ("bf16", 2.0**127, 2.0**-133)])
def test_sums_are_rounded_once(module, element, largest, smallest):
    """What f32 holds on the way is not cut to the range of the element type."""
    ones = np.ones((HEADS.rows, 3), TYPES[element])

    def sums(*row):
        results = project(module, element, np.array([[row]], TYPES[element]), ones)
        (value,) = {float(v) for result in results for v in result.ravel()}
        return value

    assert sums(smallest, 0, 0) == smallest  # A subnormal number.
    if element == "f16":  # The sum of the first two is beyond f16, not beyond f32.
        assert sums(largest, largest, -largest) == largest
        assert sums(largest, largest, largest) == np.inf
    else:
        assert sums(largest, largest, 0) == np.inf
