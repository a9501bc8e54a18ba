# Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Threads that compiled functions run on."""

from __future__ import annotations

import ctypes
import operator

from . import _abi


class Context:
    """A pool of threads.

    num_threads: 1 to 1024, or 0 for as many as BOOSTR_NUM_THREADS says or the
    machine has processors. Results do not depend on it.

    Raises ValueError for another number, TypeError for what is no whole number.
    """

    def __init__(self, num_threads: int = 0):
        self._handle = ctypes.c_void_p()
        num_threads = operator.index(num_threads)
        if not -2**31 <= num_threads < 2**31:  # ctypes would take it modulo 2**32.
            raise ValueError(f"option num_threads: expected a number from 0 to 1024, got "
                             f"{num_threads}")
        options = _abi.ContextOptions(num_threads=num_threads)
        _abi.check(_abi.runtime().boostr_context_create(
            ctypes.byref(options), ctypes.byref(self._handle)))

    def __del__(self):
        handle = getattr(self, "_handle", None)
        if handle:
            _abi.runtime().boostr_context_destroy(handle)
            self._handle = None
