# Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Element types: between NumPy and DLPack.

NumPy has no bfloat16. Where the package ml_dtypes is installed, its `bfloat16` is
taken and returned; arrays of uint16 with the same bits are always taken, and are
returned where it is not.
"""

from __future__ import annotations

import numpy

from . import _abi

try:
    from ml_dtypes import bfloat16
except ImportError:
    bfloat16 = None

_KINDS = {"f": _abi.FLOAT, "i": _abi.INT, "u": _abi.UINT, "b": _abi.BOOL}
_NAMES = {_abi.FLOAT: "float", _abi.INT: "int", _abi.UINT: "uint", _abi.BFLOAT: "bfloat"}


def to_numpy(dtype: _abi.DLDataType) -> numpy.dtype:
    """The NumPy type that arrays of this element type have."""
    if dtype.code == _abi.BFLOAT:
        return numpy.dtype(bfloat16 or numpy.uint16)
    if dtype.code == _abi.BOOL:
        return numpy.dtype(bool)
    return numpy.dtype(f"{_NAMES[dtype.code]}{dtype.bits}")


def to_dlpack(dtype: numpy.dtype, wanted: _abi.DLDataType) -> _abi.DLDataType:
    """How the elements of an array are described to the runtime.

    uint16 arrays pass for bfloat16 where that is `wanted`. TypeError for types that
    have no description.
    """
    is_bfloat16 = bfloat16 is not None and dtype == bfloat16
    carries_bits = wanted.code == _abi.BFLOAT and dtype == numpy.uint16
    if is_bfloat16 or carries_bits:
        return _abi.DLDataType(_abi.BFLOAT, 16, 1)
    if dtype.kind not in _KINDS or not dtype.isnative:
        raise TypeError(f"expected an array of numbers in native byte order, got {dtype}")
    return _abi.DLDataType(_KINDS[dtype.kind], dtype.itemsize * 8, 1)


def name(dtype: _abi.DLDataType) -> str:
    """As in `float32`."""
    return "bool" if dtype.code == _abi.BOOL else f"{_NAMES[dtype.code]}{dtype.bits}"
