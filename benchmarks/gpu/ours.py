"""Calls compiled modules on torch tensors, with nothing in between but the C interface."""

import ctypes as C

import torch

_KDL_CPU, _KDL_CUDA, _KDL_FLOAT, _KDL_BFLOAT = 1, 2, 2, 4


class _Device(C.Structure):
    _fields_ = [("type", C.c_int32), ("id", C.c_int32)]


class _Type(C.Structure):
    _fields_ = [("code", C.c_uint8), ("bits", C.c_uint8), ("lanes", C.c_uint16)]


class _Tensor(C.Structure):
    _fields_ = [("data", C.c_void_p), ("device", _Device), ("ndim", C.c_int32), ("dtype", _Type),
                ("shape", C.POINTER(C.c_int64)), ("strides", C.POINTER(C.c_int64)),
                ("byte_offset", C.c_uint64)]


def _describe(tensor):
    shape = (C.c_int64 * tensor.dim())(*tensor.shape)
    code = _KDL_BFLOAT if tensor.dtype == torch.bfloat16 else _KDL_FLOAT
    kind = _KDL_CUDA if tensor.is_cuda else _KDL_CPU
    return _Tensor(tensor.data_ptr(), _Device(kind, tensor.device.index or 0), tensor.dim(),
                   _Type(code, tensor.element_size() * 8, 1), shape, None, 0)


def _list(tensors):
    structs = [_describe(tensor) for tensor in tensors]
    return (C.POINTER(_Tensor) * len(structs))(*[C.pointer(struct) for struct in structs])


class Module:
    """A compiled module."""

    def __init__(self, runtime, path):
        self.runtime = runtime
        self.library = C.CDLL(str(path))

    def bind(self, name, inputs, outputs, context=None):
        """A function that runs `name` on these tensors, on torch's current stream; `context`
        is a boostr_context, or None for the default one."""
        function = C.addressof(C.c_char.in_dll(self.library, f"{name}_function"))
        arguments = (context, C.c_void_p(function), _list(inputs), len(inputs), _list(outputs),
                     len(outputs))

        def call():
            stream = C.c_void_p(torch.cuda.current_stream().cuda_stream)
            status = self.runtime.boostr_call_on_stream(arguments[0], stream, *arguments[1:])
            if status:
                raise RuntimeError(self.runtime.boostr_last_error().decode())

        call.keep = (inputs, outputs)
        return call


def load_runtime(path):
    runtime = C.CDLL(str(path), mode=C.RTLD_GLOBAL)
    runtime.boostr_last_error.restype = C.c_char_p
    return runtime
