# Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Functions for a GPU that are compiled in several ways, and run in the one that was faster.

A function is measured once for each bucket of shapes, in which extents lie between the same
powers of two. What came of it is kept on disk beside compiled code (boostr.cache), in files that
`boostr-run --measure` shares (passes/driver/GemmChoices.h has their format).
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import time
from typing import Any, Callable

from . import _core, _frameworks, cache
from .module import Module

# What is compared, and what is taken where nothing can be measured.
WAYS = ("generated", "cublaslt")
UNMEASURED = "auto"
# Of the calls of one measurement: how many follow each other, and how often.
_CALLS, _ROUNDS = 10, 5


def name_of(source: bytes, chip: str, contractions: str, f32_precision: str) -> str:
    """What the file of a source's functions is called, after `measured-`."""
    digest = hashlib.sha256()
    version = _core.__version__  # type: ignore[attr-defined]
    for part in (source, chip.encode(), contractions.encode(), f32_precision.encode(),
                 version.encode()):
        digest.update(b"%d:" % len(part) + part)
    return digest.hexdigest()[:32]


class Choices:
    """Which way was faster, by function and bucket; on disk if `name` and a folder are given."""

    def __init__(self, name: str = ""):
        folder = cache.folder()
        self._path = folder / f"measured-{name}.json" if name and folder else None
        self._known = self._read()

    def _read(self) -> dict[str, str]:
        try:
            found = json.loads(self._path.read_text(encoding="utf-8")) if self._path else {}
        except (OSError, ValueError):
            return {}  # Not there, or of a process that did not finish.
        return {key: way for key, way in found.items() if way in WAYS} if isinstance(found, dict) else {}

    def get(self, key: str) -> str | None:
        return self._known.get(key)

    def set(self, key: str, way: str):
        self._known[key] = way
        if not self._path:
            return
        # Another process may have written others meanwhile; readers see the old file or the new.
        merged = {**self._read(), **self._known}
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile("w", dir=self._path.parent, delete=False,
                                             encoding="utf-8") as file:
                json.dump(merged, file, indent=1, sort_keys=True)
            os.replace(file.name, self._path)
        except OSError:
            pass  # Measured again by the next process.


def bucket(tensors) -> str:
    """Of shapes: extents rounded up to powers of two."""
    def up(extent):
        return 1 << (extent - 1).bit_length() if extent else 0
    return ";".join("x".join(str(up(extent)) for extent in tensor.shape) for tensor in tensors)


def measure(calls: dict[str, Callable], wait: Callable) -> dict[str, float]:
    """Seconds for one call of each, the least of some rounds, in turn. What raises RuntimeError,
    as without cuBLASLt, is left out."""
    times: dict[str, float] = {}
    for way, call in calls.items():
        try:
            call()
            wait()
            times[way] = float("inf")
        except RuntimeError:
            pass
    for _ in range(_ROUNDS if len(times) > 1 else 0):
        for way in times:
            start = time.perf_counter()
            for _ in range(_CALLS):
                calls[way]()
            wait()
            times[way] = min(times[way], (time.perf_counter() - start) / _CALLS)
    return times


class MeasuredFunction:
    """Called as a boostr.Function is."""

    def __init__(self, name: str, module_of: Callable[[str], Module], choices: Choices):
        self.name = name
        self._module_of = module_of
        self._choices = choices

    def __repr__(self):
        return f"{getattr(self._module_of(UNMEASURED), self.name)!r}, measured"

    def __call__(self, *inputs, **options):
        way = self._choose(inputs, options)
        return getattr(self._module_of(way), self.name)(*inputs, **options)

    def _choose(self, inputs, options) -> str:
        try:
            adapter = _frameworks.of(inputs[0])
            target = adapter.describe("", inputs[0])[1]
            key = f"{self.name}({bucket(inputs)})"
        except (AttributeError, IndexError, TypeError, ValueError):
            return UNMEASURED  # What is wrong, the call says.
        way = self._choices.get(key)
        if way:
            return way
        # Arrays of the host are copied, which takes longer; nothing may be waited for in a capture.
        if not target.startswith("cuda") or options.get("stream") is not None or adapter.is_capturing():
            return UNMEASURED
        device = int(target.partition(":")[2] or 0)
        functions = {way: getattr(self._module_of(way), self.name) for way in WAYS}
        times = measure({way: lambda f=f: f(*inputs) for way, f in functions.items()},
                        lambda: _core.cuda_synchronize(device, adapter.stream(device)))
        if len(times) < len(WAYS):
            return UNMEASURED  # Nothing to remember: a library may be there next time.
        way = min(times, key=lambda way: times[way])
        self._choices.set(key, way)
        return way


class MeasuredModule(Module):
    """A module whose functions choose. `module_of` compiles it in one of the ways."""

    def __init__(self, module_of: Callable[[str], Module], choices: Choices):
        default = module_of(UNMEASURED)
        self._path = default._path
        functions: dict[str, Any] = {name: MeasuredFunction(name, module_of, choices)
                                     for name in default.functions()}
        self._functions = functions  # Called as those are.
