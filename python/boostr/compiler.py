# Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Compiling from Python, by way of the boostr-compile program."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from .module import Module, load


class CompileError(Exception):
    """MLIR's diagnostics, as boostr-compile printed them."""


def _find_compiler() -> str:
    if named := os.environ.get("BOOSTR_COMPILE"):
        return named
    root = Path(__file__).resolve().parents[2]
    for folder in (root / "build", root):  # a source tree that is built, a package
        compiler = folder / "bin" / "boostr-compile"
        if compiler.exists():
            return str(compiler)
    if found := shutil.which("boostr-compile"):
        return found
    raise FileNotFoundError("boostr-compile was not found; name it in BOOSTR_COMPILE")


def compile(source: str | os.PathLike, target: str = "cpu", *,
            contractions: str = "generated") -> Module:
    """Compiles MLIR and loads the result.

    Arguments:
      source: a path (os.PathLike), or MLIR text.
      target: as boostr-compile's --target, `cpu`, `cpu:NAME,+FEATURE,...`, `cuda` or
        `cuda:CHIP,+FEATURE,...`.
      contractions: `generated`, or `linalg` for plain loops to compare with.

    Raises CompileError with MLIR's diagnostics, FileNotFoundError if boostr-compile
    is not installed.
    """
    compiler = _find_compiler()
    with tempfile.TemporaryDirectory(prefix="boostr-") as folder:
        if isinstance(source, os.PathLike):
            path = os.fspath(source)
        else:
            path = os.path.join(folder, "module.mlir")
            Path(path).write_text(source, encoding="utf-8")
        shared_object = os.path.join(folder, "module.so")
        result = subprocess.run(
            [compiler, path, f"--target={target}", f"--contractions={contractions}",
             "--emit=so", "-o", shared_object],
            capture_output=True, text=True, check=False)
        if result.returncode != 0:
            raise CompileError(result.stderr.strip() or f"boostr-compile ended with status "
                               f"{result.returncode}")
        return load(shared_object)  # Stays mapped after the folder is gone.
