# Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""The packages that tensors come from, as the extension sees them.

An adapter allocates results, names the current stream, and says what is wrong with an
object that is no tensor. None of the packages is imported before one of its tensors
came along.
"""

from __future__ import annotations

import functools
import sys

import numpy

_CPU = 1


class Adapter:
    """Anything with DLPack or the buffer protocol; results are NumPy arrays.

    copies_to_device: whether a function for CUDA devices takes arrays of the host.
    is_torch: whether this is PyTorch, whose memory of CUDA devices calls can use.
    wrap: what makes a result of the framework from what `empty` gave; None for nothing.
    """

    copies_to_device = False
    is_torch = False
    wrap = None

    @staticmethod
    def describe(name, tensor):
        """The element type, as in "float32", and the target, as in "cuda:0"."""
        raise TypeError(f"{name}: expected a tensor, got {type(tensor).__name__}")

    @staticmethod
    def in_order(tensor):
        """The tensor, or a copy of it if its elements do not follow each other in C order."""
        return tensor

    @staticmethod
    def empty(shape, dtype, device_type, device):
        """A new tensor; `dtype` as in "float32", `device_type` and `device` as DLPack's."""
        if device_type != _CPU:
            raise TypeError("expected 'out' for tensors of this type on a device")
        return numpy.empty(shape, numpy_dtype(dtype))

    @staticmethod
    def stream(device):
        """The address of the stream on which work is queued now."""
        return 0  # The legacy default stream, which DLPack's exporters wait for.

    @staticmethod
    def is_capturing():
        """Whether that stream is being captured in a graph."""
        return False

    @staticmethod
    def bits_of(tensor):
        """A tensor of uint16 over the same memory, for bfloat16 that cannot be exported."""
        return None

    @staticmethod
    def refuse(value, place, is_output):
        """Raises an exception that says what is wrong with it."""
        raise TypeError(f"{place}: expected an array, got {type(value).__name__}")


class NumPy(Adapter):
    copies_to_device = True

    @staticmethod
    def describe(name, array):
        # `dtype.name` is put together anew at each use.
        return _NUMPY_NAMES.get(array.dtype) or array.dtype.name, "cpu"

    @staticmethod
    def in_order(array):
        return array if array.flags.c_contiguous else numpy.ascontiguousarray(array)

    @staticmethod
    def empty(shape, dtype, device_type, device):
        return numpy.empty(shape, _NUMPY_DTYPES.get(dtype) or numpy_dtype(dtype))

    @staticmethod
    def bits_of(array):
        bfloat16 = _bfloat16()
        if isinstance(array, numpy.ndarray) and bfloat16 and array.dtype == bfloat16:
            return array.view(numpy.uint16)
        return None

    @staticmethod
    def refuse(array, place, is_output):
        if not isinstance(array, (numpy.ndarray, numpy.generic)):
            Adapter.refuse(array, place, is_output)
        if is_output and not array.flags.writeable:
            raise ValueError(f"{place}: expected a writable array, got a read-only one")
        if array.dtype.kind in "fiub" and array.dtype.isnative:
            raise ValueError(f"{place}: expected strides of whole elements "
                             f"({array.itemsize} bytes), got {list(array.strides)} bytes")
        raise TypeError(f"{place}: expected an array of numbers in native byte order, got "
                        f"{array.dtype}")


class Torch(Adapter):
    is_torch = True

    def __init__(self):
        import torch
        self._empty = torch.empty
        self._dtypes = {name: getattr(torch, name) for name in (
            "float64", "float32", "float16", "bfloat16", "int8", "int16", "int32", "int64",
            "uint8", "bool")}
        self._names = {dtype: name for name, dtype in self._dtypes.items()}
        self._torch = torch

    def describe(self, name, tensor):
        if tensor.requires_grad and self._torch.is_grad_enabled():
            raise ValueError(f"{name}: expected a tensor that requires no gradient (use "
                             "boostr.torch for those), got one that does")
        device = tensor.device
        target = device.type if device.index is None else f"{device.type}:{device.index}"
        if device.type not in ("cpu", "cuda"):
            raise ValueError(f"{name}: expected a tensor on cpu or cuda, got one on {target}")
        return self._names.get(tensor.dtype, str(tensor.dtype)), target

    @staticmethod
    def in_order(tensor):
        return tensor.contiguous()

    def empty(self, shape, dtype, device_type, device):
        if device_type == _CPU:
            return self._empty(shape, dtype=self._dtypes[dtype])
        return self._empty(shape, dtype=self._dtypes[dtype], device=f"cuda:{device}")

    def stream(self, device):
        return self._torch.cuda.current_stream(device).cuda_stream

    def is_capturing(self):
        return self._torch.cuda.is_current_stream_capturing()

    def refuse(self, tensor, place, is_output):
        if tensor.requires_grad:
            raise ValueError(f"{place}: expected a tensor that requires no gradient (use "
                             "boostr.torch, or tensor.detach()), got one that does")
        raise TypeError(f"{place}: expected a dense tensor in memory, got {tensor.layout} on "
                        f"{tensor.device}")


class CuPy(Adapter):
    def __init__(self):
        import cupy
        self._cupy = cupy

    def describe(self, name, array):
        return array.dtype.name, f"cuda:{array.device.id}"

    def in_order(self, array):
        return self._cupy.ascontiguousarray(array)

    def empty(self, shape, dtype, device_type, device):
        with self._cupy.cuda.Device(device):
            return self._cupy.empty(shape, dtype)

    def stream(self, device):
        return self._cupy.cuda.get_current_stream(device).ptr

    def is_capturing(self):
        return self._cupy.cuda.get_current_stream().is_capturing()


class Jax(Adapter):
    def __init__(self):
        import jax
        self.wrap = jax.dlpack.from_dlpack

    def describe(self, name, array):
        device = next(iter(array.devices()))
        if device.platform != "cpu":
            raise ValueError(f"{name}: expected an array on cpu (use boostr.jax for others), got "
                             f"one on {device}")
        return array.dtype.name, "cpu"


def _bfloat16():
    """The NumPy type, if the package that has it is there."""
    try:
        import ml_dtypes
    except ImportError:
        return None
    return numpy.dtype(ml_dtypes.bfloat16)


def numpy_dtype(name: str) -> numpy.dtype:
    """The NumPy type of this name; uint16 for bfloat16 where ml_dtypes is missing."""
    if name == "bfloat16":
        return _bfloat16() or numpy.dtype(numpy.uint16)
    return numpy.dtype(name)


_NUMPY_DTYPES = {name: numpy.dtype(name) for name in ("float64", "float32", "float16")}
_NUMPY_NAMES = {dtype: name for name, dtype in _NUMPY_DTYPES.items()}
_ADAPTERS = {"torch": Torch, "cupy": CuPy, "jax": Jax, "jaxlib": Jax, "numpy": NumPy}


@functools.cache
def find(kind: type) -> Adapter:
    """The adapter of a type of tensors; one without knowledge of any if it is none."""
    for base in kind.__mro__:
        name = base.__module__.partition(".")[0]
        if name in _ADAPTERS and name in sys.modules:
            return _ADAPTERS[name]()
    return Adapter()


def of(tensor) -> Adapter:
    """The adapter of a tensor."""
    return find(type(tensor))


def in_order(*tensors) -> list:
    """The tensors, copied where their elements do not follow each other in C order."""
    return [find(type(tensor)).in_order(tensor) for tensor in tensors]


def describe(name: str, tensor) -> tuple[str, str]:
    """The element type and the target of a tensor, as its adapter says them."""
    return find(type(tensor)).describe(name, tensor)
