# Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""The boostr package: loading, arrays of every kind, contexts."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import boostr
import ml_dtypes
import numpy as np
import pytest

MODULE = """
func.func @project(%attn: tensor<?x?x?xf32> {boostr.name = "attn"},
                   %weight: tensor<?x?xf32> {boostr.name = "weight"},
                   %bias: tensor<?xf32> {boostr.name = "bias"},
                   %residual: tensor<?x?x?xf32> {boostr.name = "residual"}) -> tensor<?x?x?xf32> {
  %y = boostr.out_proj_residual %attn, %weight bias(%bias) residual(%residual)
      : tensor<?x?x?xf32>, tensor<?x?xf32>, tensor<?xf32>, tensor<?x?x?xf32>
  return %y : tensor<?x?x?xf32>
}
func.func @qkv(%x: tensor<1x?x8xbf16>, %w: tensor<16x8xbf16>)
    -> (tensor<1x2x?x4xbf16>, tensor<1x1x?x4xbf16>, tensor<1x1x?x4xbf16>) {
  %q, %k, %v = boostr.fused_qkv %x, %w num_heads = 2 num_kv_heads = 1 head_dim = 4
      : tensor<1x?x8xbf16>, tensor<16x8xbf16>
  return %q, %k, %v : tensor<1x2x?x4xbf16>, tensor<1x1x?x4xbf16>, tensor<1x1x?x4xbf16>
}"""


@pytest.fixture(scope="module")
def shared_object(tmp_path_factory):
    folder = tmp_path_factory.mktemp("module")
    source, result = folder / "module.mlir", folder / "module.so"
    source.write_text(MODULE)
    subprocess.run([os.environ["BOOSTR_COMPILE"], source, "--target=cpu", "--emit=so", "-o", result],
                   check=True)
    return result


@pytest.fixture(scope="module")
def module(shared_object):
    return boostr.load(shared_object)


def in_new_process(program, shared_object, *arguments, **environment):
    """Runs Python that finds `shared_object` in sys.argv[1], and then the arguments."""
    everything = {**os.environ, **environment}
    for line in Path("/proc/self/maps").read_text(encoding="utf-8").splitlines():
        if "libclang_rt.asan" in line:  # It must be there before the libraries built with it.
            everything["LD_PRELOAD"] = line.split()[-1]
    return subprocess.run(
        [sys.executable, "-c", program, shared_object, *arguments], check=False, capture_output=True, text=True,
        env={name: value for name, value in everything.items() if value is not None})


def project_inputs():
    """All ones, so that every result is 4 + 1 + 1."""
    return [np.ones(shape, np.float32) for shape in ((1, 2, 4), (3, 4), (3,), (1, 2, 3))]


def test_functions(module):
    assert module.functions() == ["project", "qkv"]
    assert {"project", "qkv"} <= set(dir(module))
    assert repr(module.project).startswith(
        "project(attn: float32[?, ?, ?], weight: float32[?, ?], bias: float32[?], ")
    assert repr(module.qkv).endswith("bfloat16[1, 1, ?, 4])")
    with pytest.raises(AttributeError, match="no function 'nothing', only project, qkv"):
        module.nothing


def test_results_are_allocated(module):
    result = module.project(*project_inputs())
    assert result.dtype == np.float32 and result.shape == (1, 2, 3)
    assert (result == 6).all()


def test_results_are_written_to_out(module):
    for kind in (lambda y: y, lambda y: (y,), lambda y: [y]):
        y = np.zeros((1, 2, 3), np.float32)
        assert module.project(*project_inputs(), out=kind(y)) is y
        assert (y == 6).all()


def test_bfloat16_and_its_bits(module):
    x = np.arange(24, dtype=np.float32).astype(ml_dtypes.bfloat16).reshape(1, 3, 8)
    w = (np.arange(128) % 5).astype(ml_dtypes.bfloat16).reshape(16, 8)
    values = module.qkv(x, w)
    from_bits = module.qkv(x.view(np.uint16), w.view(np.uint16))
    bits = tuple(np.zeros(a.shape, np.uint16) for a in values)
    module.qkv(x, w, out=bits)
    for value, other, written in zip(values, from_bits, bits):
        assert value.dtype == other.dtype == ml_dtypes.bfloat16
        assert value.any() and (value == other).all() and (value.view(np.uint16) == written).all()


def test_bits_are_no_numbers(module):
    inputs = project_inputs()
    inputs[0] = inputs[0].astype(np.uint16)
    with pytest.raises(ValueError, match="'attn': expected element type f32, got ui16"):
        module.project(*inputs)


def test_results_without_ml_dtypes(shared_object):
    program = """
import sys
sys.modules["ml_dtypes"] = None
import boostr, numpy
module = boostr.load(sys.argv[1])
one = numpy.uint16(0x3F80)
results = module.qkv(numpy.full((1, 1, 8), one), numpy.full((16, 8), one))
assert all(r.dtype == numpy.uint16 and (r == 0x4100).all() for r in results), results
"""
    run = in_new_process(program, shared_object)
    assert run.returncode == 0, run.stderr


def refuse(module, position, array, error, words):
    inputs, y = project_inputs(), np.full((1, 2, 3), np.nan, np.float32)
    inputs[position] = array
    with pytest.raises(error, match=words):
        module.project(*inputs, out=y)
    assert np.isnan(y).all(), "an output was written"


def test_arrays_that_cannot_be_described(module):
    refuse(module, 2, np.ones(3, ">f4"), TypeError, "'bias': .*native byte order, got >f4")
    refuse(module, 2, np.ones(3, complex), ValueError, "'bias': .*got complex128")
    refuse(module, 2, np.array([1.0, None, 2.0]), TypeError, "'bias': .*got object")
    refuse(module, 2, [1.0, 2.0, 3.0], TypeError, "'bias': expected an array, got list")


def test_strides_between_elements(module):
    """6 bytes from one number to the next, which is no whole number of elements."""
    field = np.ones(3, np.dtype([("bias", np.float32), ("other", np.int16)]))["bias"]
    refuse(module, 2, field, ValueError, "'bias': expected strides of whole elements")


def test_other_strides(module):
    refuse(module, 2, np.ones(6, np.float32)[::2], ValueError, "'bias': .*strides")
    refuse(module, 2, np.ones(3, np.float32)[::-1], ValueError, "'bias': .*strides")
    refuse(module, 2, np.broadcast_to(np.float32(1), (3,)), ValueError, "'bias': .*strides")


def test_read_only_arrays(module):
    inputs = project_inputs()
    for array in inputs:
        array.flags.writeable = False
    y = np.zeros((1, 2, 3), np.float32)
    module.project(*inputs, out=y)
    assert (y == 6).all()
    y[...] = 0
    y.flags.writeable = False
    with pytest.raises(ValueError, match="output 0 .*expected a writable array"):
        module.project(*inputs, out=y)
    assert (y == 0).all()


def test_wrong_keyword_arguments(module):
    with pytest.raises(TypeError, match="expected 1 arrays in 'out', got 2"):
        module.project(*project_inputs(), out=(np.zeros(1), np.zeros(1)))
    with pytest.raises(TypeError, match="output 0 .*expected an array, got int"):
        module.project(*project_inputs(), out=3)
    with pytest.raises(TypeError, match="expected a boostr.Context as 'context', got int"):
        module.project(*project_inputs(), context=2)


@pytest.mark.parametrize("count", [-1, 1025, 2**31, 2**32 + 1])
def test_contexts_of_wrong_sizes(count):
    with pytest.raises(ValueError, match=f"num_threads: .*got {count}"):
        boostr.Context(num_threads=count)


def test_contexts_come_and_go(module):
    for count in (0, 1, 3):
        context = boostr.Context(num_threads=count)
        assert (module.project(*project_inputs(), context=context) == 6).all()
        del context


TWO_COPIES = """
import boostr, ctypes, sys, numpy as np
ctypes.CDLL(sys.argv[2], mode=ctypes.RTLD_GLOBAL)
project = boostr.load(sys.argv[1]).project
try:
    project(*[np.ones(shape, np.float32) for shape in ((1, 2, 4), (3, 4), (3,), (1, 2, 3))])
except RuntimeError as error:
    print(error)
"""


def test_two_copies_of_the_runtime(shared_object, tmp_path):
    """The loader gives compiled code the copy that is global, and the package calls its own."""
    copy = shutil.copy(os.environ["BOOSTR_RUNTIME_LIBRARY"], tmp_path / "other_runtime.so")
    result = in_new_process(TWO_COPIES, shared_object, copy)
    assert result.returncode == 0, result.stderr
    assert "expected its code to call the copy of the runtime that was asked to run it, '/" in result.stdout
    assert f"got another, '{copy}'; a process needs to load one alone" in result.stdout


def test_functions_keep_their_code(shared_object):
    project = boostr.load(shared_object).project
    assert (project(*project_inputs()) == 6).all()


def test_files_that_are_no_modules(tmp_path):
    with pytest.raises(OSError, match="missing.so"):
        boostr.load(tmp_path / "missing.so")
    (tmp_path / "text.so").write_text("text")
    with pytest.raises(OSError, match="text.so"):
        boostr.load(tmp_path / "text.so")
    with pytest.raises(ValueError, match="was not made by boostr-compile"):
        boostr.load(os.environ["BOOSTR_RUNTIME_LIBRARY"])
