# Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Compiled modules: load a shared object that boostr-compile made, and call it."""

from __future__ import annotations

import ctypes
import os
from typing import Sequence

import numpy

from . import _abi, _dtypes
from .context import Context


def _describe(spec: _abi.TensorSpec) -> str:
    extents = ", ".join("?" if spec.shape[i] < 0 else str(spec.shape[i]) for i in range(spec.rank))
    name = f"{spec.name.decode()}: " if spec.name else ""
    return f"{name}{_dtypes.name(spec.dtype)}[{extents}]"


def _element_strides(array: numpy.ndarray, called: str) -> list[int]:
    """Strides as the runtime counts them, in elements."""
    # A field of a structured array may lie at strides between two elements.
    if any(extent > 1 and stride % array.itemsize
           for extent, stride in zip(array.shape, array.strides)):
        raise ValueError(f"{called}: expected strides of whole elements ({array.itemsize} bytes), "
                         f"got {list(array.strides)} bytes")
    return [stride // array.itemsize for stride in array.strides]


def _open(path: str) -> ctypes.CDLL:
    """Loads a shared object, and the runtime that it needs."""
    try:
        _abi.runtime()
    except ImportError:
        pass  # The object may know where it is.
    library = ctypes.CDLL(path)
    _abi.runtime()
    return library


class _DeviceCopy:
    """Memory of the first CUDA device, of the size of an array."""

    DEVICE = 0

    def __init__(self, array: numpy.ndarray):
        self._array = array
        self.address = ctypes.c_void_p()
        _abi.check(_abi.runtime().boostr_cuda_allocate(
            self.DEVICE, array.nbytes, ctypes.byref(self.address)))
        # A call refuses all others, of which it reads nothing.
        if array.flags.c_contiguous:
            self._copy(self.address, array.ctypes.data)

    def bring_back(self):
        self._copy(self._array.ctypes.data, self.address)

    def _copy(self, to, source):
        _abi.check(_abi.runtime().boostr_cuda_copy(
            self.DEVICE, None, to, source, self._array.nbytes))

    def __del__(self):
        _abi.runtime().boostr_cuda_release(self.DEVICE, self.address)


class _Tensors:
    """DLTensors of some arrays, and what keeps their memory.

    is_cuda: of copies on a device, as functions compiled for one take them.
    """

    def __init__(self, arrays: Sequence[numpy.ndarray], specs, kind: str, is_cuda: bool):
        self.arrays = arrays
        self.copies = []
        self._structs = []
        self._extents = []
        for number, (array, spec) in enumerate(zip(arrays, specs)):
            called = f"{kind} {number}" + (f" '{spec.name.decode()}'" if spec.name else "")
            if not isinstance(array, numpy.ndarray):
                raise TypeError(f"{called}: expected a NumPy array, got {type(array).__name__}")
            try:
                dtype = _dtypes.to_dlpack(array.dtype, spec.dtype)
            except TypeError as error:
                raise TypeError(f"{called}: {error}") from None
            if kind == "output" and not array.flags.writeable:
                raise ValueError(f"{called}: expected a writable array, got a read-only one")
            shape = (ctypes.c_int64 * array.ndim)(*array.shape)
            strides = (ctypes.c_int64 * array.ndim)(*_element_strides(array, called))
            self._extents.append((shape, strides))
            data, device = array.ctypes.data, _abi.DLDevice(_abi.CPU_DEVICE, 0)
            if is_cuda:
                self.copies.append(_DeviceCopy(array))
                data = self.copies[-1].address.value
                device = _abi.DLDevice(_abi.CUDA_DEVICE, _DeviceCopy.DEVICE)
            self._structs.append(_abi.DLTensor(
                data=data, device=device, ndim=array.ndim, dtype=dtype, shape=shape,
                strides=strides, byte_offset=0))
        pointers = [ctypes.pointer(struct) for struct in self._structs]
        self.pointers = (ctypes.POINTER(_abi.DLTensor) * len(pointers))(*pointers)


class Function:
    """A function of a compiled module.

    Called with one NumPy array per input it returns its result, or a tuple if it has
    several. Arrays must be in C order; nothing is copied or converted.

        y = module.project(attn, weight, residual)
        module.project(attn, weight, residual, out=y)

    Arguments:
      *inputs: as many arrays as the function has inputs.
      out: an array, or a tuple with one for each result, to write to; must not share
        memory with an input.
      context: the threads to use; by default as many as there are processors.

    A function that was compiled for CUDA devices runs on the first one, on copies of the
    arrays, and its results are copied back: convenient, and slow.

    bfloat16 is `ml_dtypes.bfloat16`; see boostr._dtypes for arrays of its bits.

    Raises TypeError for a wrong number of arguments or something that is no array of
    numbers; ValueError, which names the argument, what was expected and what was found,
    for a wrong rank, shape, element type or stride, a read-only output or one that shares
    memory. Nothing is written then. MemoryError and RuntimeError for what fails later.
    """

    def __init__(self, table: _abi.FunctionTable, module: "Module"):
        self._table = table
        self._module = module  # Keeps the code loaded.
        self.__name__ = table.name.decode()
        self._inputs = [table.inputs[i] for i in range(table.num_inputs)]
        self._outputs = [table.outputs[i] for i in range(table.num_outputs)]
        self._num_extents = sum(spec.rank for spec in self._outputs)
        self._is_cuda = table.device_type == _abi.CUDA_DEVICE

    def __repr__(self) -> str:
        inputs = ", ".join(map(_describe, self._inputs))
        outputs = ", ".join(map(_describe, self._outputs))
        return f"{self.__name__}({inputs}) -> ({outputs})"

    def __call__(self, *inputs, out=None, context: Context | None = None):
        if len(inputs) != len(self._inputs):
            raise TypeError(f"{self.__name__} expected {len(self._inputs)} arguments, "
                            f"got {len(inputs)}")
        if context is not None and not isinstance(context, Context):
            raise TypeError(f"expected a boostr.Context as 'context', got "
                            f"{type(context).__name__}")
        tensors = _Tensors(inputs, self._inputs, "argument", self._is_cuda)
        results = self._allocate(tensors) if out is None else self._check_out(out)
        written = _Tensors(results, self._outputs, "output", self._is_cuda)
        _abi.check(_abi.runtime().boostr_call(
            context._handle if context else None, ctypes.byref(self._table),
            tensors.pointers, len(inputs), written.pointers, len(results)))
        for copy in written.copies:
            copy.bring_back()  # When the work is done.
        return results[0] if len(results) == 1 else tuple(results)

    def _check_out(self, out):
        if not isinstance(out, (numpy.ndarray, tuple, list)):
            raise TypeError(f"{self.__name__} expected an array or a tuple of arrays as 'out', "
                            f"got {type(out).__name__}")
        results = (out,) if isinstance(out, numpy.ndarray) else tuple(out)
        if len(results) != len(self._outputs):
            raise TypeError(f"{self.__name__} expected {len(self._outputs)} arrays in 'out', "
                            f"got {len(results)}")
        return results

    def _allocate(self, tensors: _Tensors):
        extents = (ctypes.c_int64 * max(self._num_extents, 1))()
        _abi.check(_abi.runtime().boostr_output_shapes(
            ctypes.byref(self._table), tensors.pointers, len(tensors.arrays), extents))
        results, start = [], 0
        for spec in self._outputs:
            shape = tuple(extents[start:start + spec.rank])
            start += spec.rank
            results.append(numpy.empty(shape, _dtypes.to_numpy(spec.dtype)))
        return results


class Module:
    """The functions of a shared object, as attributes: see `Function`."""

    def __init__(self, path: str | os.PathLike):
        self._path = os.fspath(path)
        self._library = _open(os.path.abspath(self._path))
        try:
            table = (ctypes.POINTER(_abi.FunctionTable) * (1 << 20)).in_dll(
                self._library, "boostr_module_functions")
        except ValueError:
            raise ValueError(f"'{self._path}' was not made by boostr-compile: it has no "
                             "boostr_module_functions") from None
        self._functions = {}
        number = 0
        while table[number]:
            _abi.check_version(table[number].contents, self._path)
            function = Function(table[number].contents, self)
            self._functions[function.__name__] = function
            number += 1

    def functions(self) -> list[str]:
        """The names of all functions."""
        return sorted(self._functions)

    def __getattr__(self, name: str) -> Function:
        try:
            return self.__dict__["_functions"][name]
        except KeyError:
            raise AttributeError(f"'{self.__dict__.get('_path')}' has no function '{name}', only "
                                 f"{', '.join(self.__dict__.get('_functions', ()))}") from None

    def __dir__(self):
        return [*super().__dir__(), *self._functions]


def load(path: str | os.PathLike) -> Module:
    """Loads a shared object that `boostr-compile --emit=so` made.

    Raises OSError if it cannot be loaded, ValueError if it is something else,
    RuntimeError if it was compiled for another version of the runtime.
    """
    return Module(path)
