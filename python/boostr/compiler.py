# Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Compiling from Python, in this process.

    module = boostr.compile(text, target="cuda")
"""

from __future__ import annotations

import functools
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

from . import _core, _measured, cache
from .module import Module, load


class CompileError(Exception):
    """MLIR's diagnostics, as tools print them: with location, text and the line in question.

    diagnostics: a list of objects with `severity` ("error", "warning", "note", "remark"),
      `file`, `line` and `column` (from 1; 0 if there is none), and `message`.
    """

    diagnostics: list[_core.Diagnostic]

    def __init__(self, text: str, diagnostics: Iterable[_core.Diagnostic] = ()):
        super().__init__(text)
        self.diagnostics = list(diagnostics)


def _read(source: str | bytes | os.PathLike[str]) -> tuple[bytes, str]:
    """The text, and what diagnostics call it."""
    if isinstance(source, os.PathLike):
        return Path(source).read_bytes(), os.fspath(source)
    if not isinstance(source, (str, bytes)):
        raise TypeError(f"source: expected MLIR text (str) or a path (os.PathLike), got "
                        f"{type(source).__name__}")
    return source.encode() if isinstance(source, str) else source, "<string>"


def _resolve(target: str) -> tuple[str, int]:
    """The target with a chip in place of a device's number, and that number."""
    if not isinstance(target, str):
        raise TypeError(f"target: expected a str, as in 'cpu' or 'cuda:1', got "
                        f"{type(target).__name__}")
    kind, _, details = target.partition(":")
    if kind != "cuda" or (details and not details.isdecimal()):
        return target, 0
    device = int(details or 0)
    return f"cuda:{_core.cuda_chip(device)}", device


def compile(source: str | bytes | os.PathLike[str], target: str = "cpu", *,
            contractions: str = "generated", f32_precision: str = "ieee", gemm: str = "generated",
            ptxas: str | os.PathLike[str] = "", measure: bool | None = None) -> Module:
    """Compiles MLIR and loads the result, or loads what was compiled before (boostr.cache).

    Arguments:
      source: MLIR text, or a path (os.PathLike) of a file with text or bytecode.
      target: `cpu`, this machine; `cpu:NAME,+FEATURE,...` with LLVM's names; `cuda` or
        `cuda:N`, the first or another device of this machine; `cuda:CHIP`, as in
        cuda:sm_90a, which also compiles where there is no device.
      contractions: `generated`, or `linalg` for plain loops to compare with.
      f32_precision: how a GPU multiplies float32 in boostr ops: `ieee`, `tf32` or `tf32x3`.
      gemm: what computes matrix products of boostr ops on a GPU: `generated` kernels, NVIDIA's
        library with `cublaslt`, or with `auto` whichever was measured to be faster.
      measure: with `gemm="auto"` and a device of this machine as target, whether the first call
        of a function on tensors of the device may run it both ways, some dozen times, and keep
        on disk which was faster for shapes of this size. By default if BOOSTR_MEASURE_GEMM is 1.
      ptxas: NVIDIA's assembler, if it is not in PATH, CUDA_HOME or /usr/local/cuda.

    Returns:
      The module: its functions, as attributes.

    Raises:
      CompileError: the source or an option is wrong; with MLIR's diagnostics.
      OSError: a file that cannot be read.
      RuntimeError: there is no such device.
      TypeError: source or target is of another type.
      ValueError: BOOSTR_CACHE_BYTES is no number of bytes.
    """
    text, name = _read(source)
    chip, device = _resolve(target)
    compile_with = functools.partial(_compile, text, name, chip, device, contractions, f32_precision,
                                     os.fspath(ptxas))
    if measure is None:
        measure = os.environ.get("BOOSTR_MEASURE_GEMM") == "1"
    if not measure or gemm != "auto" or chip == target or not target.startswith("cuda"):
        return compile_with(gemm)
    name_of_choices = _measured.name_of(text, chip.removeprefix("cuda:"), contractions, f32_precision)
    choices = _measured.Choices(name_of_choices)
    return _measured.MeasuredModule(functools.cache(compile_with), choices)


def _compile(text: bytes, name: str, chip: str, device: int, contractions: str, f32_precision: str,
             ptxas: str, gemm: str) -> Module:
    with tempfile.TemporaryDirectory(prefix="boostr-") as folder:
        result = _core.compile(
            source=text, name=name, target=chip, contractions=contractions,
            f32_precision=f32_precision, gemm=gemm, ptxas=ptxas, cache_folder=cache._folder(),
            cache_bytes=cache.limit(), output=os.path.join(folder, "module.so"))
        if result.failed:
            raise CompileError(result.diagnostics.text.strip(), result.diagnostics.entries)
        return load(result.path, device=device)  # Stays mapped when the file is gone.
