# Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""What compiled code needs for itself comes from the caller's allocator, is bounded as
docs/cpu-codegen.md says, and is given back before a call returns."""

import ctypes as C
import os
import subprocess
import threading
from pathlib import Path

import boostr
import numpy as np
import pytest
import reference
import test_fused_qkv_grad as qkv_grad
from gradients import Variant, variants
from runtime_structs import BFLOAT, FLOAT, ON_CPU, Allocator, Options, Tensor, listed
from support import TYPES, Heads, assert_close, compile_functions, poisoned, random, wide

pytestmark = pytest.mark.skipif(os.environ.get("BOOSTR_TEST_TARGET", "cpu") != "cpu",
                                reason="CUDA functions take memory of the device")

WIDTH = 640
MODULE = """
func.func @out(%a: tensor<?x?x?x{e}>, %w: tensor<?x?x{e}>, %r: tensor<?x?x?x{e}>) -> tensor<?x?x?x{e}> {{
  %y = boostr.out_proj_residual %a, %w residual(%r)
      : tensor<?x?x?x{e}>, tensor<?x?x{e}>, tensor<?x?x?x{e}>
  return %y : tensor<?x?x?x{e}>
}}
func.func @grad(%dy: tensor<?x?x640x{e}>, %a: tensor<?x?x640x{e}>, %w: tensor<640x640x{e}>)
    -> (tensor<?x?x640x{e}>, tensor<640x640x{e}>, tensor<640x{e}>) {{
  %da, %dw, %db = boostr.out_proj_residual_grad %dy, %a, %w wrt(attn, weight, bias)
      : tensor<?x?x640x{e}>, tensor<?x?x640x{e}>, tensor<640x640x{e}>
  return %da, %dw, %db : tensor<?x?x640x{e}>, tensor<640x640x{e}>, tensor<640x{e}>
}}
"""
MIB = 1 << 20
# Rows that are packed at a time, what each thread has beside them, and the most for each.
PACKED, OF_A_THREAD, MOST_OF_A_THREAD = 16 * MIB, 2 * MIB, 16 * MIB


def get_bound(threads):
    return min(PACKED + threads * OF_A_THREAD, threads * MOST_OF_A_THREAD)


def load_runtime():
    """That of the package: a process has one."""
    for line in Path("/proc/self/maps").read_text(encoding="utf-8").splitlines():
        if "libboostr_runtime.so" in line:
            runtime = C.CDLL(line.split(maxsplit=5)[-1])
            runtime.boostr_last_error.restype = C.c_char_p
            return runtime
    raise RuntimeError("the package boostr has loaded no runtime")


class Counted:
    """A context with an allocator that counts bytes and fills blocks."""

    def __init__(self, num_threads):
        self.live = self.peak = self.count = 0
        self.lock, self.blocks = threading.Lock(), {}
        self.allocator = Allocator.of(self)
        self.runtime, self.context = load_runtime(), C.c_void_p()
        options = Options(num_threads, 0, None, C.pointer(self.allocator))
        assert self.runtime.boostr_context_create(C.byref(options), C.byref(self.context)) == 0

    def allocate(self, _, size, alignment):
        block = C.create_string_buffer(b"\xff" * (size + alignment), size + alignment)
        address = -(-C.addressof(block) // alignment) * alignment
        with self.lock:
            self.blocks[address] = (block, size)
            self.live += size
            self.peak = max(self.peak, self.live)
            self.count += 1
        return address

    def release(self, _, address, size):
        with self.lock:
            assert self.blocks.pop(address)[1] == size
            self.live -= size

    def call(self, library, name, element, inputs, outputs):
        def describe(arrays):
            code = BFLOAT if element == "bf16" else FLOAT
            return listed([Tensor.make(array.ctypes.data, ON_CPU, code, array.itemsize * 8,
                                       array.shape) for array in arrays])

        self.peak = self.count = 0
        function = C.c_void_p(C.addressof(C.c_char.in_dll(library, f"{name}_function")))
        status = self.runtime.boostr_call(self.context, function, *describe(inputs),
                                          *describe(outputs))
        assert status == 0, self.runtime.boostr_last_error()
        assert self.live == 0 and self.count > 0
        return self.peak

    def close(self):
        self.runtime.boostr_context_destroy(self.context)


def compile_library(folder, text):
    """A library, and the module that has loaded it."""
    source, path = folder / "module.mlir", folder / "module.so"
    source.write_text(text)
    subprocess.run([os.environ["BOOSTR_COMPILE"], source, "--emit=so", "-o", path], check=True)
    return C.CDLL(str(path)), boostr.load(path)


@pytest.mark.parametrize("element", TYPES)
def test_scratch(tmp_path, element):
    library, module = compile_library(tmp_path, MODULE.format(e=element))
    for threads in (1, 3):
        counted = Counted(threads)
        for tokens, columns in ((1, 4096), (16, 2048), (700, 41), (2500, 1024)):
            inputs = [random(1, element, 1, tokens, columns), random(2, element, WIDTH, columns),
                      random(3, element, 1, tokens, WIDTH)]
            out = poisoned(element, 1, tokens, WIDTH)
            peak = counted.call(library, "out", element, inputs, [out])
            assert peak <= get_bound(threads), (tokens, peak)
            assert np.array_equal(out, module.out(*inputs))
        # So many that the rows of a block are fewer, as all steps of k are packed.
        for tokens in (1, 16, 1500, 20000):
            inputs = [random(1, element, 1, tokens, WIDTH), random(2, element, 1, tokens, WIDTH),
                      random(3, element, WIDTH, WIDTH)]
            outs = [poisoned(element, 1, tokens, WIDTH), poisoned(element, WIDTH, WIDTH),
                    poisoned(element, WIDTH)]
            peak = counted.call(library, "grad", element, inputs, outs)
            assert peak <= get_bound(threads), (tokens, peak)
            for result, expected in zip(outs, module.grad(*inputs), strict=True):
                assert np.array_equal(result, expected)
        counted.close()


@pytest.mark.parametrize("element", TYPES)
def test_blocks_of_fewer_rows(element):
    """So many steps of k that a block has fewer rows than its tile, and heads begin within it."""
    heads, tokens = Heads(16, 16, 64), {"f64": 1500, "f32": 3000}.get(element, 6000)
    variant = variants(element)[6]
    module = compile_functions([qkv_grad.function(
        qkv_grad.name_of(element, heads, "long", variant), element, heads, (None, None, 64), variant)])
    qkv_grad.check(module, element, heads, "long", variant, (1, tokens, 64))


LONG = Heads(1, 1, 8)
WIDE_HEADS = Heads(8, 4, 32)
WEIGHT = Variant(("weight", "bias"))
# Steps come in blocks of 16, of which 8 parts are made with sums of their own.
SMALL_STEPS = """{{boostr.cpu_tile = #boostr.cpu_tile<kernel = fma, block = [48, 64, 16],
    register = [12, 32], lanes = 16, packed_bytes = 16777216, few_rows = [1, 4, 32]>}}"""
LONG_MODULE = """
func.func @out(%a: tensor<?x?x?x{e}>, %w: tensor<?x?x{e}>, %r: tensor<?x?x?x{e}>) -> tensor<?x?x?x{e}> {{
  %y = boostr.out_proj_residual %a, %w residual(%r)
      : tensor<?x?x?x{e}>, tensor<?x?x{e}>, tensor<?x?x?x{e}>
  return %y : tensor<?x?x?x{e}>
}}
func.func @attn(%dy: tensor<?x?x?x{e}>, %a: tensor<?x?x?x{e}>, %w: tensor<?x?x{e}>) -> tensor<?x?x?x{e}> {{
  %da = boostr.out_proj_residual_grad %dy, %a, %w wrt(attn) """ + SMALL_STEPS + """
      : tensor<?x?x?x{e}>, tensor<?x?x?x{e}>, tensor<?x?x{e}>
  return %da : tensor<?x?x?x{e}>
}}
"""


@pytest.fixture(scope="module", params=TYPES)
def long_module(request, tmp_path_factory):
    element = request.param
    gradients = [qkv_grad.function(name, element, heads, (None, None, None), WEIGHT)
                 for name, heads in (("weight", LONG), ("wide_weight", WIDE_HEADS))]
    text = LONG_MODULE.format(e=element) + "".join(gradients)
    return element, *compile_library(tmp_path_factory.mktemp("long"), text)


def check_long(long_module, name, inputs, shapes, formula, steps):
    """Bounded, of the same bits for any number of threads, and right."""
    element, library, module = long_module
    results = []
    for threads in (1, 3):
        counted = Counted(threads)
        out = [poisoned(element, *shape) for shape in shapes]
        peak = counted.call(library, name, element, inputs, out)
        assert peak <= threads * MOST_OF_A_THREAD, (name, threads, peak)
        results.append(out)
        counted.close()
    exact = wide(*inputs)
    for result, other, expected, scale in zip(*results, formula(*exact),
                                              formula(*map(np.abs, exact)), strict=True):
        assert result.tobytes() == other.tobytes()
        if element in ("f64", "f32"):  # Errors of each of very many additions.
            error = np.linalg.norm(result - expected) / np.linalg.norm(expected)
            assert error <= {"f64": 2.0**-53, "f32": 2.0**-24}[element] * steps**0.5
        else:
            assert_close(result, expected, element, scale)


@pytest.mark.parametrize("tokens", [1, 24, 32, 40])
def test_long_rows(long_module, tokens):
    """So many steps that even all few tokens, or a panel of them, would be too much."""
    element, steps = long_module[0], 300_000 if long_module[0] == "bf16" else 130_000
    inputs = [random(1, element, 1, tokens, steps), random(2, element, 5, steps),
              random(3, element, 1, tokens, 5)]
    check_long(long_module, "out", inputs, [(1, tokens, 5)],
               lambda a, w, r: [reference.out_proj_residual(a, w, None, r)], steps)


@pytest.mark.parametrize("tokens", [1, 16])
def test_wide_result_of_few_rows(long_module, tokens):
    """So many columns that 8 parts of their sums, or a single one, would be too much; or so
    many steps that there is room for them with several threads only."""
    element = long_module[0]
    for steps, columns in ((128, 20_000), (128, 36_000), (20, 90_000), (60_000, 8)):
        inputs = [random(1, element, 1, tokens, steps), random(2, element, 1, tokens, columns),
                  random(3, element, steps, columns)]
        check_long(long_module, "attn", inputs, [(1, tokens, columns)],
                   lambda dy, a, w: reference.out_proj_residual_grad(dy, a, w)[:1], steps)


@pytest.mark.parametrize("name,heads,tokens,hidden",
                         [("weight", LONG, 70_000, 11), ("wide_weight", WIDE_HEADS, 5_000, 2000)])
def test_weight_gradient_of_many_tokens(long_module, name, heads, tokens, hidden):
    """Steps are packed in spans; of the second, for some blocks of results at a time."""
    element = long_module[0]
    tokens *= 2 if element == "bf16" else 1
    inputs = [random(i, element, 1, n, tokens, heads.dim) for i, n in
              enumerate((heads.query, heads.key_value, heads.key_value))]
    inputs += [random(4, element, 1, tokens, hidden), random(5, element, heads.rows, hidden)]
    check_long(long_module, name, inputs, [(heads.rows, hidden), (heads.rows,)],
               lambda *a: reference.fused_qkv_grad(*a)[1:], tokens)
