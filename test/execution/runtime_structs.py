# Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""The structures of runtime/boostr_runtime.h that tests of allocators pass, for ctypes."""

import ctypes as C

FLOAT, BFLOAT = 2, 4
ON_CPU, ON_CUDA = 1, 2


class Tensor(C.Structure):
    """DLTensor."""

    _fields_ = [("data", C.c_void_p), ("device_type", C.c_int32), ("device_id", C.c_int32),
                ("ndim", C.c_int32), ("code", C.c_uint8), ("bits", C.c_uint8),
                ("lanes", C.c_uint16), ("shape", C.POINTER(C.c_int64)), ("strides", C.c_void_p),
                ("byte_offset", C.c_uint64)]

    @classmethod
    def make(cls, data, device_type, code, bits, shape):
        """Contiguous."""
        return cls(data, device_type, 0, len(shape), code, bits, 1,
                   (C.c_int64 * len(shape))(*shape), None, 0)


def listed(tensors):
    """As two arguments of boostr_call."""
    return (C.POINTER(Tensor) * len(tensors))(*map(C.pointer, tensors)), len(tensors)


class Allocator(C.Structure):
    """boostr_allocator."""

    Allocate = C.CFUNCTYPE(C.c_void_p, C.c_void_p, C.c_size_t, C.c_size_t)
    Release = C.CFUNCTYPE(None, C.c_void_p, C.c_void_p, C.c_size_t)
    _fields_ = [("state", C.c_void_p), ("allocate", Allocate), ("release", Release)]

    @classmethod
    def of(cls, account):
        """One whose functions are methods of `account`."""
        return cls(None, cls.Allocate(account.allocate), cls.Release(account.release))


class CudaAllocator(C.Structure):
    """boostr_cuda_allocator."""

    Allocate = C.CFUNCTYPE(C.c_int32, C.c_void_p, C.c_size_t, C.c_size_t, C.c_int32, C.c_void_p,
                           C.POINTER(C.c_void_p))
    Release = C.CFUNCTYPE(None, C.c_void_p, C.c_void_p, C.c_size_t, C.c_int32, C.c_void_p)
    _fields_ = [("state", C.c_void_p), ("name", C.c_char_p), ("allocate", Allocate),
                ("release", Release)]

    @classmethod
    def of(cls, name, account):
        """One whose functions are methods of `account`."""
        return cls(None, name, cls.Allocate(account.allocate), cls.Release(account.release))


class Options(C.Structure):
    """boostr_context_options."""

    _fields_ = [("num_threads", C.c_int32), ("size", C.c_int32), ("executor", C.c_void_p),
                ("allocator", C.POINTER(Allocator)), ("cuda_allocator", C.POINTER(CudaAllocator))]


def create_cuda_context(runtime, allocator):
    """A context of one thread that takes memory of devices from `allocator`."""
    options = Options(1, C.sizeof(Options), None, None, C.pointer(allocator))
    context = C.c_void_p()
    assert runtime.boostr_context_create(C.byref(options), C.byref(context)) == 0
    return context
