# Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""The C interface of the runtime (runtime/boostr_runtime.h), for ctypes."""

from __future__ import annotations

import ctypes
import os
from ctypes import (
    POINTER, Structure, c_char_p, c_int32, c_int64, c_size_t, c_uint8, c_uint16, c_uint64, c_void_p)
from pathlib import Path

OK = 0
INVALID_ARGUMENT = 1
OUT_OF_MEMORY = 2
CPU_DEVICE = 1
CUDA_DEVICE = 2

# The structs below are those of this BOOSTR_ABI_MAJOR.
MAJOR_VERSION = 1

# Codes of DLDataType.
INT, UINT, FLOAT, BFLOAT, BOOL = 0, 1, 2, 4, 6


class DLDataType(Structure):
    _fields_ = [("code", c_uint8), ("bits", c_uint8), ("lanes", c_uint16)]


class DLDevice(Structure):
    _fields_ = [("device_type", c_int32), ("device_id", c_int32)]


class DLTensor(Structure):
    _fields_ = [
        ("data", c_void_p),
        ("device", DLDevice),
        ("ndim", c_int32),
        ("dtype", DLDataType),
        ("shape", POINTER(c_int64)),
        ("strides", POINTER(c_int64)),
        ("byte_offset", c_uint64),
    ]


class TensorSpec(Structure):
    _fields_ = [
        ("name", c_char_p),
        ("dtype", DLDataType),
        ("rank", c_int32),
        ("shape", POINTER(c_int64)),
    ]


class FunctionTable(Structure):
    """`boostr_function`."""

    _fields_ = [
        ("abi_version", c_int32),
        ("name", c_char_p),
        ("num_inputs", c_int32),
        ("num_outputs", c_int32),
        ("inputs", POINTER(TensorSpec)),
        ("outputs", POINTER(TensorSpec)),
        ("packed", c_void_p),
        ("shapes", c_void_p),
        ("num_constraints", c_int32),
        ("constraints", POINTER(c_char_p)),
        ("since_minor_1", c_int32),
    ]

    @property
    def device_type(self) -> int:
        """`boostr_function.device_type`, which came with minor version 1."""
        return self.since_minor_1 if self.abi_version % 1000 >= 1 else CPU_DEVICE


class ContextOptions(Structure):
    _fields_ = [
        ("num_threads", c_int32),
        ("reserved", c_int32),
        ("executor", c_void_p),
        ("allocator", c_void_p),
    ]


def _runtime_candidates():
    if named := os.environ.get("BOOSTR_RUNTIME_LIBRARY"):
        yield Path(named)
        return
    root = Path(__file__).resolve().parents[2]
    yield root / "build" / "lib" / "libboostr_runtime.so"  # the source tree
    yield root / "lib" / "libboostr_runtime.so"  # a package
    # One that is loaded already, as by a compiled module, or where the loader searches.
    yield Path("libboostr_runtime.so.1")


def _load_runtime() -> ctypes.CDLL:
    tried = []
    for path in _runtime_candidates():
        try:
            return ctypes.CDLL(str(path))
        except OSError as error:
            tried.append(f"{path}: {error}")
    raise ImportError(
        "libboostr_runtime was not found; name it in BOOSTR_RUNTIME_LIBRARY (tried "
        + "; ".join(tried) + ")")


_runtime = None


def runtime() -> ctypes.CDLL:
    """The runtime library, loaded at the first call."""
    global _runtime
    if _runtime is None:
        library = _load_runtime()
        if library.boostr_abi_version() // 1000 != MAJOR_VERSION:
            raise ImportError(f"expected libboostr_runtime of version {MAJOR_VERSION}, got "
                              f"{library.boostr_abi_version() // 1000}")
        library.boostr_last_error.restype = c_char_p
        tensors = POINTER(POINTER(DLTensor))
        library.boostr_output_shapes.argtypes = [
            POINTER(FunctionTable), tensors, c_int32, POINTER(c_int64)]
        library.boostr_call.argtypes = [
            c_void_p, POINTER(FunctionTable), tensors, c_int32, tensors, c_int32]
        library.boostr_context_create.argtypes = [POINTER(ContextOptions), POINTER(c_void_p)]
        library.boostr_context_destroy.argtypes = [c_void_p]
        library.boostr_context_destroy.restype = None
        if library.boostr_abi_version() % 1000 >= 1:
            library.boostr_cuda_allocate.argtypes = [c_int32, c_size_t, POINTER(c_void_p)]
            library.boostr_cuda_release.argtypes = [c_int32, c_void_p]
            library.boostr_cuda_copy.argtypes = [c_int32, c_void_p, c_void_p, c_void_p, c_size_t]
            library.boostr_cuda_synchronize.argtypes = [c_int32, c_void_p]
        _runtime = library
    return _runtime


def check_version(function: FunctionTable, path: str) -> None:
    """Raises RuntimeError if the fields behind `abi_version` may be others than above."""
    if function.abi_version // 1000 != MAJOR_VERSION:
        raise RuntimeError(f"'{path}' was compiled for version {function.abi_version // 1000} of "
                           f"the runtime's interface, expected {MAJOR_VERSION}")


def check(status: int) -> None:
    """Raises what a status stands for, with the runtime's message."""
    if status == OK:
        return
    message = runtime().boostr_last_error().decode()
    if status == INVALID_ARGUMENT:
        raise ValueError(message)
    if status == OUT_OF_MEMORY:
        raise MemoryError(message)
    raise RuntimeError(message)
