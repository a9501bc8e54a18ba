# Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""MLIR passes on text: boostr-opt from Python."""

from __future__ import annotations

import os

from . import _core


def run(source: str | bytes | os.PathLike[str], pipeline: str) -> str:
    """Runs a pass pipeline and returns the module's text afterwards.

    Arguments:
      source: MLIR text, or a path (os.PathLike) of a file with text or bytecode.
      pipeline: as in `builtin.module(convert-boostr-to-linalg,canonicalize)`, of all passes
        and pipelines that boostr-opt has; without `builtin.module(...)` it is put around.

    Returns:
      The module, as text.

    Raises:
      CompileError: the source or the pipeline is wrong, or a pass fails; with MLIR's
        diagnostics.
      OSError: a file that cannot be read.
      TypeError: source or pipeline is of another type.
    """
    from .compiler import CompileError, _read  # It imports this package.

    text, name = _read(source)
    if not isinstance(pipeline, str):
        raise TypeError(f"pipeline: expected a str, got {type(pipeline).__name__}")
    if not pipeline.strip().startswith("builtin.module"):
        pipeline = f"builtin.module({pipeline})"
    result = _core.run_passes(source=text, name=name, pipeline=pipeline)
    if result.failed:
        raise CompileError(result.diagnostics.text.strip(), result.diagnostics.entries)
    return result.text
