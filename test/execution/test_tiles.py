# Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Blockings that somebody wrote on the op: the results do not depend on them.

The blocks are so small that every loop over blocks runs several times, with a rest,
which on large caches no other test can afford.
"""

import numpy as np
import pytest
import reference
from support import (Heads, assert_close, compile_functions, host_features, poisoned, random,
                     tensor, wide)

HEADS = Heads(3, 2, 20)
SHAPE = (2, 37, 53)

# As (mc, nc, kc), (rows, columns), lanes, bytes of packed rows (from one block of rows
# at a time to all of them) and what else there is.
TILES = {
    "small": ((16, 32, 16), (8, 32), 16, 0),
    "narrow": ((4, 8, 4), (2, 8), 4, 0),
    "tall": ((48, 16, 16), (16, 16), 16, 1 << 20),
    "wide": ((8, 72, 8), (1, 24), 8, 20000),
    "deep": ((16, 48, 128), (8, 48), 16, 1 << 20),
    "odd_rows": ((32, 40, 16), (5, 16), 8, 30000),
    # Panels of rows for three blocks of steps at a time, and a rest.
    "cached": ((16, 16, 8), (4, 8), 8, 1 << 20, ", cached_bytes = 1600"),
    # The 74 rows are few: groups of 8, more than a block has.
    "few_rows": ((16, 32, 16), (8, 32), 16, 0, ", few_rows = [3, 80]"),
    "fewer_rows": ((16, 32, 16), (8, 32), 16, 0, ", few_rows = [3, 73]"),
}
# Three blocks of tokens, for which a task has rows of the weight packed once.
AMX_TILES = {
    "amx": ((32, 32, 32), (32, 32), 16, 1 << 20),
    "amx_cached": ((32, 64, 32), (32, 32), 16, 1 << 20, ", cached_bytes = 4096"),
    "amx_low": ((32, 32, 64), (16, 32), 16, 1 << 20),
    "amx_slim": ((48, 48, 64), (32, 16), 16, 20000, ", streams_columns = true"),
}
CASES = [(name, element, "fma") for name in TILES for element in ("f32", "bf16")]
if "amx_bf16" in host_features():
    CASES += [(name, "bf16", "amx") for name in AMX_TILES]


def attribute(tile, kernel):
    (mc, nc, kc), (rows, columns), lanes, packed_bytes, *rest = tile
    return (f"{{boostr.cpu_tile = #boostr.cpu_tile<kernel = {kernel}, block = [{mc}, {nc}, {kc}], "
            f"register = [{rows}, {columns}], lanes = {lanes}, packed_bytes = {packed_bytes}"
            f"{''.join(rest)}>}}")


def functions(name, element, kernel):
    written = attribute({**TILES, **AMX_TILES}[name], kernel)
    name = f"{name}_{element}"
    x, w, b = tensor(element, *SHAPE), tensor(element, HEADS.rows, SHAPE[2]), tensor(
        element, HEADS.rows)
    q = tensor(element, SHAPE[0], HEADS.query, SHAPE[1], HEADS.dim)
    k = tensor(element, SHAPE[0], HEADS.key_value, SHAPE[1], HEADS.dim)
    return f"""
func.func @forward_{name}(%x: {x}, %w: {w}, %b: {b}) -> ({q}, {k}, {k}) {{
  %q, %k, %v = boostr.fused_qkv %x, %w bias(%b) {HEADS.attributes} {written}
      : {x}, {w}, {b}
  return %q, %k, %v : {q}, {k}, {k}
}}
func.func @backward_{name}(%dq: {q}, %dk: {k}, %dv: {k}, %x: {x}, %w: {w}) -> ({x}, {w}, {b}) {{
  %dx, %dw, %db = boostr.fused_qkv_grad %dq, %dk, %dv, %x, %w wrt(input, weight, bias)
      {HEADS.attributes} {written} : {q}, {k}, {k}, {x}, {w}
  return %dx, %dw, %db : {x}, {w}, {b}
}}"""


@pytest.fixture(scope="module")
def module():
    return compile_functions(functions(*case) for case in CASES)


def run_and_check(function, inputs, shapes, formula, element):
    out = tuple(poisoned(element, *shape) for shape in shapes)
    function(*inputs, out=out)
    exact = wide(*inputs)
    for result, expected, scale in zip(out, formula(*exact), formula(*map(np.abs, exact))):
        assert_close(result, expected, element, scale)


@pytest.mark.parametrize("name, element", [case[:2] for case in CASES])
def test_tile(module, name, element):
    batch, tokens, hidden = SHAPE
    x, w = random(1, element, *SHAPE), random(2, element, HEADS.rows, hidden)
    b = random(3, element, HEADS.rows)
    heads = [(batch, n, tokens, HEADS.dim) for n in (HEADS.query, HEADS.key_value,
                                                     HEADS.key_value)]
    run_and_check(getattr(module, f"forward_{name}_{element}"), (x, w, b), heads,
                  lambda *a: reference.fused_qkv(*a, HEADS.query, HEADS.key_value, HEADS.dim),
                  element)
    cotangents = [random(4 + i, element, *shape) for i, shape in enumerate(heads)]
    run_and_check(getattr(module, f"backward_{name}_{element}"), (*cotangents, x, w),
                  [x.shape, w.shape, b.shape], reference.fused_qkv_grad, element)
