"""usage: device_memory.py BUILD FOLDER

Calls compiled CUDA functions with an allocator of this program, and prints how many blocks they
take. Each call is repeated with each of its blocks, and then each of its launches, failing.
"""

import ctypes as C
import math
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from runtime_structs import (  # noqa: E402
    BFLOAT, ON_CUDA, CudaAllocator, Tensor, create_cuda_context, listed)

BUILD, FOLDER = map(Path, sys.argv[1:])
OUT_OF_MEMORY, CANCELLED, INTERNAL = 2, 5, 6
# Found by the runtime because they are in the process already.
DRIVER = C.CDLL(str(BUILD / "test/runtime/cuda/libcuda.so.1"))
CUBLASLT = C.CDLL(str(BUILD / "test/runtime/cuda/libcublasLt.so.13"))
RUNTIME = C.CDLL(str(BUILD / "lib/libboostr_runtime.so.1"), mode=C.RTLD_GLOBAL)
RUNTIME.boostr_last_error.restype = C.c_char_p


def make(shape):
    """A tensor of bf16 on the device."""
    data = C.c_void_p()
    size = C.c_size_t(2 * math.prod(shape))
    assert RUNTIME.boostr_cuda_allocate(0, size, C.byref(data)) == 0
    return Tensor.make(data, ON_CUDA, BFLOAT, 16, shape)


class Account:
    """An allocator of the process's memory, which is the driver's too, and its context."""

    def __init__(self):
        self.live, self.count, self.on_request = {}, 0, lambda: 0
        self.interface = CudaAllocator.of(b"account", self)
        self.context = create_cuda_context(RUNTIME, self.interface)

    def allocate(self, _, size, alignment, device, stream, block):
        self.count += 1
        status = self.on_request()
        if status:
            return status
        memory = C.create_string_buffer(size + alignment)
        address = -(-C.addressof(memory) // alignment) * alignment
        self.live[address] = (memory, size)
        block[0] = address
        return 0

    def release(self, _, address, size, device, stream):
        found = self.live.pop(address)[1]
        if found != size:
            print(f"expected a block of {found} bytes, got {size}")


def check(condition, *words):
    if not condition:
        print("error:", *words, RUNTIME.boostr_last_error())
        sys.exit(1)


class Function:
    def __init__(self, source, name, options, inputs, outputs):
        path = FOLDER / f"{name}.so"
        subprocess.run([BUILD / "bin/boostr-compile", "-", "--target=cuda", *options, "--emit=so",
                        "-o", path], input=source, text=True, check=True)
        library = C.CDLL(str(path))
        self.table = C.c_void_p(C.addressof(C.c_char.in_dll(library, f"{name}_function")))
        self.arguments = *listed([*map(make, inputs)]), *listed([*map(make, outputs)])
        self.account = Account()

    def call(self):
        """Its status. All that it took is back, and the driver was not asked for any."""
        self.account.count = 0
        status = RUNTIME.boostr_call_on_stream(self.account.context, None, self.table,
                                               *self.arguments)
        check(not self.account.live, len(self.account.live), "blocks are left")
        for function in (b"cuMemPoolCreate", b"cuMemAllocFromPoolAsync", b"cuMemAlloc_v2"):
            check(DRIVER.fake_count(function) == 0, function, "was called")
        return status

    def show(self, what, is_product_last=False):
        DRIVER.fake_forget()
        check(self.call() == 0, what)
        self.is_product_last = is_product_last
        blocks, kernels = self.account.count, DRIVER.fake_num_launches()
        self.blocks, self.kernels = blocks, kernels
        print(f"{what}: {blocks} blocks, {kernels} kernels", flush=True)
        for number in range(1, blocks + 1):
            self.fail_block(number)
            self.cancel_at_block(number)
        for number in range(1, kernels + 1):
            DRIVER.fake_fail(b"cuLaunchKernelEx", number, 1)
            check(self.call() == INTERNAL, what, "with launch", number, "failing")
        DRIVER.fake_forget()
        check(self.call() == 0, what)
        check(DRIVER.fake_num_launches() == kernels, what, "repeated")

    def fail_block(self, number):
        account = self.account
        account.on_request = lambda: OUT_OF_MEMORY if account.count == number else 0
        check(self.call() == OUT_OF_MEMORY, "with block", number, "failing")
        words = RUNTIME.boostr_last_error().decode()
        check(words.startswith("cannot allocate ") and words.endswith(
            " bytes on cuda:0: cuda_allocator 'account': BOOSTR_OUT_OF_MEMORY"))
        check(account.count == number, "requests follow one that failed")
        account.on_request = lambda: 0

    def cancel_at_block(self, number):
        """Stops the call, unless nothing but a product is left to queue."""
        account = self.account

        def cancel():
            if account.count == number:
                RUNTIME.boostr_context_cancel(account.context)
            return 0

        account.on_request = cancel
        launches = DRIVER.fake_num_launches()
        status = self.call()
        is_last = self.is_product_last and number == self.blocks
        check(status == (0 if is_last else CANCELLED), "cancelled at block", number)
        check(DRIVER.fake_num_launches() - launches < self.kernels or is_last)
        RUNTIME.boostr_context_reset(account.context)
        account.on_request = lambda: 0


GRAD = """
func.func @{name}(%dy: tensor<?x?x512xbf16>, %a: tensor<?x?x256xbf16>, %w: tensor<512x256xbf16>)
    -> tensor<512x256xbf16> {{
  %dw = boostr.out_proj_residual_grad %dy, %a, %w wrt(weight)
      : tensor<?x?x512xbf16>, tensor<?x?x256xbf16>, tensor<512x256xbf16>
  return %dw : tensor<512x256xbf16>
}}
"""
TWICE = """
func.func @twice(%a: tensor<?x?x256xbf16>, %w: tensor<256x256xbf16>, %r: tensor<?x?x256xbf16>)
    -> tensor<?x?x256xbf16> {
  %y = boostr.out_proj_residual %a, %w residual(%r)
      : tensor<?x?x256xbf16>, tensor<256x256xbf16>, tensor<?x?x256xbf16>
  %z = boostr.out_proj_residual %y, %w residual(%r)
      : tensor<?x?x256xbf16>, tensor<256x256xbf16>, tensor<?x?x256xbf16>
  return %z : tensor<?x?x256xbf16>
}
"""
HEADS = """
func.func @heads(%dq: tensor<?x4x?x16xbf16>, %dk: tensor<?x2x?x16xbf16>, %dv: tensor<?x2x?x16xbf16>,
                 %x: tensor<?x?x64xbf16>, %w: tensor<128x64xbf16>) -> tensor<?x?x64xbf16> {
  %dx = boostr.fused_qkv_grad %dq, %dk, %dv, %x, %w wrt(input)
      num_heads = 4 num_kv_heads = 2 head_dim = 16
      : tensor<?x4x?x16xbf16>, tensor<?x2x?x16xbf16>, tensor<?x2x?x16xbf16>, tensor<?x?x64xbf16>,
        tensor<128x64xbf16>
  return %dx : tensor<?x?x64xbf16>
}
"""


def main():
    for what, name, tokens in (("shared tiles", "many", 9000), ("no shared tiles", "few", 8)):
        Function(GRAD.format(name=name), name, [], [(2, tokens, 512), (2, tokens, 256), (512, 256)],
                 [(512, 256)]).show(what)
    Function(TWICE, "twice", [], [(2, 5, 256), (256, 256), (2, 5, 256)],
             [(2, 5, 256)]).show("between two ops")
    CUBLASLT.fake_lt_set_workspace(C.c_size_t(1000))
    Function(HEADS, "heads", ["--gemm=cublaslt"],
             [(3, 4, 7, 16), (3, 2, 7, 16), (3, 2, 7, 16), (3, 7, 64), (128, 64)],
             [(3, 7, 64)]).show("cuBLASLt, packed", is_product_last=True)


main()
