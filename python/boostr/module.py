# Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Compiled modules: functions by name."""

from __future__ import annotations

import os
from collections.abc import Iterable

from . import _core

Function = _core.Function


class Module:
    """The functions of a compiled module, as attributes: see `Function`.

        y = module.project(attn, weight, residual)

    Made by `compile` and `load`.
    """

    def __init__(self, path: str | os.PathLike[str], device: int = 0):
        self._path = os.fspath(path)
        functions = _core.load_functions(os.path.abspath(self._path), device)
        self._functions = {function.name: function for function in functions}

    def functions(self) -> list[str]:
        """The names of all functions."""
        return sorted(self._functions)

    def __getattr__(self, name: str) -> Function:
        try:
            return self.__dict__["_functions"][name]
        except KeyError:
            raise AttributeError(f"'{self.__dict__.get('_path')}' has no function '{name}', only "
                                 f"{', '.join(self.__dict__.get('_functions', ()))}") from None

    def __dir__(self) -> Iterable[str]:
        return [*super().__dir__(), *self._functions]


def load(path: str | os.PathLike[str], *, device: int = 0) -> Module:
    """Loads a shared object that `boostr-compile --emit=so` made.

    Arguments:
      path: the file.
      device: the CUDA device on which functions for CUDA run when they get NumPy arrays.

    Returns:
      The module: its functions, as attributes.

    Raises:
      OSError: the file cannot be loaded.
      ValueError: it is something else.
      RuntimeError: it was compiled for another version of the runtime.
    """
    return Module(path, device)
