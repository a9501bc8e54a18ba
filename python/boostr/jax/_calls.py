# Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Compiled functions as custom calls of XLA.

A call carries the name of its function as an attribute: the arguments of `_kernels`, which
say all that the function depends on but the device. Executables may therefore come out of
JAX's compilation cache, or from another process: the handlers compile what they do not
know by `_compile`, while XLA compiles or loads a program, and for a CUDA device that is not
the first of the machine when it first runs the call.
"""

from __future__ import annotations

import json
import re
import threading
from pathlib import Path

import jax

from .. import _core, _kernels

_OPS = ("fused_qkv", "fused_qkv_grad", "out_proj_residual", "out_proj_residual_grad")
_TARGET = "boostr_call"
# Devices that meet a function at once would otherwise each compile it.
_compiling = threading.Lock()


def _compile(name: str, target: str):
    """The function of this name for "cpu" or "cuda:N". The handlers call it."""
    op, *settings = json.loads(name)
    if op not in _OPS:
        raise ValueError(f"expected one of {', '.join(_OPS)}, got '{op}'")
    settings = (tuple(s) if isinstance(s, list) else s for s in settings)
    with _compiling:
        return getattr(_kernels, op)(*settings, target)


def _version_of_xla() -> tuple[int, int] | None:
    """That of the interface that XLA has for us; None if its headers are not there."""
    try:
        header = Path(jax.ffi.include_dir(), "xla/ffi/api/c_api.h").read_text(encoding="utf-8")
    except OSError:
        return None
    numbers = [re.search(rf"define XLA_FFI_API_{part} (\d+)", header)
               for part in ("MAJOR", "MINOR")]
    return tuple(int(n[1]) for n in numbers) if all(numbers) else None


def _register() -> None:
    """Raises ImportError rather than have XLA refuse the handlers, and JAX not start at all."""
    if not hasattr(_core, "jax_handlers"):
        raise ImportError("boostr was built without boostr.jax: there was no jaxlib 0.6 or newer "
                          "when it was configured")
    if not hasattr(jax, "ffi"):
        raise ImportError(f"boostr.jax: expected JAX 0.6 or newer, got {jax.__version__}")
    ours, found = _core.xla_ffi_version, _version_of_xla()
    if found and (found[0] != ours[0] or found < ours):
        raise ImportError("boostr.jax: expected a JAX whose XLA FFI is of version "
                          f"{ours[0]}.{ours[1]} or newer, as boostr was built with, got "
                          f"{found[0]}.{found[1]} of JAX {jax.__version__}")
    for platform, stages in _core.jax_handlers(_compile).items():
        jax.ffi.register_ffi_target(_TARGET, stages, platform=platform)


_register()


def call(op: str, settings: tuple, arguments, shapes):
    """Runs the function `op` of `_kernels` with these settings.

    arguments: arrays of one element type, in the order of the function.
    shapes: those of its results, which are returned as a list.
    """
    dtype = arguments[0].dtype
    name = json.dumps([op, _kernels.ELEMENTS[dtype.name], *settings])
    results = [jax.ShapeDtypeStruct(shape, dtype) for shape in shapes]
    return jax.ffi.ffi_call(_TARGET, results)(*arguments, function=name)
