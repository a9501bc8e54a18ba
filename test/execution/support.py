# Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""What the execution tests share: arrays of every element type, and tolerances."""

import os
from dataclasses import dataclass
from pathlib import Path

import ml_dtypes
import numpy as np

import boostr

TYPES = {"f64": np.float64, "f32": np.float32, "f16": np.float16, "bf16": ml_dtypes.bfloat16}
# Half the distance between neighbouring numbers, relative.
HALF_ULP = {"f64": 2.0**-53, "f32": 2.0**-24, "f16": 2.0**-11, "bf16": 2.0**-8}
SMALLEST = {"f64": 0.0, "f32": 0.0, "f16": 2.0**-24, "bf16": 2.0**-133}


@dataclass(frozen=True)
class Heads:
    query: int
    key_value: int
    dim: int

    @property
    def rows(self):
        return (self.query + 2 * self.key_value) * self.dim

    @property
    def parts(self):
        """Rows of the weights of query, key and value."""
        return [self.query * self.dim, self.key_value * self.dim, self.key_value * self.dim]

    @property
    def attributes(self):
        return (f"num_heads = {self.query} num_kv_heads = {self.key_value} "
                f"head_dim = {self.dim}")

    @property
    def name(self):
        return f"{self.query}_{self.key_value}_{self.dim}"


def tensor(element, *extents):
    """`tensor<2x?x4xf32>`; None is dynamic."""
    dims = "".join(f"{'?' if e is None else e}x" for e in extents)
    return f"tensor<{dims}{element}>"


def random(seed, element, *shape):
    """Normal numbers, rounded to the element type."""
    return np.random.default_rng(seed).standard_normal(shape).astype(TYPES[element])


def wide(*arrays):
    """The same numbers in float64."""
    return tuple(None if a is None else a.astype(np.float64) for a in arrays)


def host_features():
    """What this CPU has, as /proc/cpuinfo calls it."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("flags"):
            return set(line.split())
    return set()


def poisoned(element, *shape):
    """An output that shows whatever was not written."""
    return np.full(shape, np.nan, TYPES[element])


def assert_close(result, expected, element, scale, late=None):
    """Fails unless `result` is what accumulation in f32 (f64 for f64) and one rounding
    allow of `expected`.

    scale: for each element, the sum of the absolute values of what was added up; the
    error of a sum is bounded by some units in the last place of that.
    late: absolute values of what is added along with a bias. cuBLASLt rounds products of 16
    bits before that; nothing else does.
    """
    assert result.dtype == TYPES[element]
    assert result.shape == expected.shape
    if expected.size == 0:
        return
    found = result.astype(np.float64)
    assert np.isfinite(found).all(), "an element was not written"
    if element in ("f64", "f32"):
        limit = {"f64": 1e-12, "f32": 1e-5}[element]
        error = np.linalg.norm(found - expected)
        assert error <= limit * max(np.linalg.norm(expected), np.finfo(np.float64).tiny), (
            f"relative error {error / np.linalg.norm(expected):.2e}, expected {limit:.0e}")
        return
    allowed = (HALF_ULP[element] * np.abs(expected) * (1 + 1e-6) + SMALLEST[element]
               + 16 * HALF_ULP["f32"] * scale)
    if late is not None and os.environ.get("BOOSTR_TEST_GEMM") == "cublaslt":
        allowed += HALF_ULP[element] * (np.abs(expected) + late)
    worst = np.max(np.abs(found - expected) - allowed)
    assert worst <= 0, f"an element is {worst:.2e} beyond one rounding"


def compile_functions(texts, **options):
    """One module of many functions: compiling is most of a test's time."""
    return boostr.compile("\n".join(texts), **options)
