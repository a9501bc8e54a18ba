# Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Compiled functions against NumPy: errors against float64, times against float32."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from typing import Callable

import numpy as np

# So that a busy machine does not keep anybody waiting.
PATIENCE = 0.5
# OpenBLAS's threads wait for more work in a loop, about so long, and take the processors
# from whatever runs next.
REST = 0.05


class Recorder:
    """Calls a function, and keeps the arguments of each call.

    The six layers make six calls, so `calls[i]` has the arguments in layer i.
    """

    def __init__(self, function: Callable):
        self._function = function
        self.calls: list[tuple[np.ndarray, ...]] = []

    def __call__(self, *arguments):
        self.calls.append(arguments)
        return self._function(*arguments)


@dataclass(frozen=True)
class Times:
    milliseconds: float  # of the compiled function; median
    numpy_milliseconds: float  # of NumPy in float32; median


def relative_error(found: np.ndarray, exact: np.ndarray) -> float:
    """|found - exact| / |exact| in the Frobenius norm; NaN if `found` has one."""
    return float(np.linalg.norm(found - exact) / np.linalg.norm(exact))


def _as_tuple(results) -> tuple:
    return results if isinstance(results, tuple) else (results,)


def _median_milliseconds(function: Callable, arguments, repeat: int) -> float:
    """Of `repeat` runs, or fewer once they have taken PATIENCE seconds together."""
    time.sleep(REST)
    function(*arguments)
    times = []
    while len(times) < repeat and sum(times) < PATIENCE:
        start = time.perf_counter()
        function(*arguments)
        times.append(time.perf_counter() - start)
    return 1e3 * statistics.median(times)


def error(compiled: Callable, reference: Callable, arguments) -> float:
    """The largest relative error among the results of `compiled`.

    reference: NumPy code that computes in the element type of its arguments; it is given
    the same numbers in float64.
    """
    exact = _as_tuple(reference(*(a.astype(np.float64) for a in arguments)))
    found = _as_tuple(compiled(*arguments))
    # np.max, unlike max, does not lose a NaN.
    return float(np.max([relative_error(f, e) for f, e in zip(found, exact, strict=True)]))


def times(compiled: Callable, reference: Callable, arguments, repeat: int) -> Times:
    """Runs both on the same arguments, one after the other."""
    return Times(_median_milliseconds(compiled, arguments, repeat),
                 _median_milliseconds(reference, arguments, repeat))


def cotangents(seed: int, results) -> tuple[np.ndarray, ...]:
    """Normal numbers in the shapes of some results."""
    generator = np.random.default_rng(seed)
    return tuple(generator.standard_normal(r.shape, dtype=np.float32)
                 for r in _as_tuple(results))
