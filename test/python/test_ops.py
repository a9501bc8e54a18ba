# Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""The ops as functions, against float64 NumPy over shapes, types and orders in memory."""

import gc
import os
import subprocess
import sys
import threading

import boostr
import ml_dtypes
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies

TYPES = {"f64": np.float64, "f32": np.float32, "f16": np.float16, "bf16": ml_dtypes.bfloat16}
# Of the largest result: one rounding for the short types, sums of a few hundred for the others.
LIMITS = {"f64": 1e-13, "f32": 1e-5, "f16": 1e-3, "bf16": 8e-3}
# As few as show something: each is a kernel to compile.
WIDTHS = [(8, 2, 1, 4), (33, 3, 3, 5), (1, 1, 1, 1)]  # H, heads, key and value heads, D

SETTINGS = settings(max_examples=40, deadline=None,
                    suppress_health_check=[HealthCheck.too_slow])


def arrays(element, *shapes):
    generator = np.random.default_rng(hash((element, shapes)) % 2**32)
    return [generator.standard_normal(shape).astype(TYPES[element]) for shape in shapes]


def wide(array):
    return array.astype(np.float64)


def close(result, expected, element):
    assert result.dtype == TYPES[element] and result.shape == expected.shape
    if result.size:
        size = max(np.abs(expected).max(), 1.0)
        assert np.abs(wide(result) - expected).max() <= LIMITS[element] * size


def split(rows, batch, length, heads, kv_heads, dim):
    """[B, S, rows] as query, key and value in the head layout."""
    ends = np.cumsum([heads * dim, kv_heads * dim])
    return [part.reshape(batch, length, part.shape[2] // dim, dim).transpose(0, 2, 1, 3)
            for part in np.split(rows, ends, axis=2)]


def merge(parts):
    """The inverse of split."""
    return np.concatenate(
        [p.transpose(0, 2, 1, 3).reshape(p.shape[0], p.shape[2], p.shape[1] * p.shape[3])
         for p in parts], axis=2)


cases = strategies.tuples(
    strategies.sampled_from(sorted(TYPES)), strategies.sampled_from(WIDTHS),
    strategies.integers(0, 3), strategies.integers(0, 40), strategies.booleans())


@SETTINGS
@given(cases)
def test_fused_qkv(case):
    element, (hidden, heads, kv_heads, dim), batch, length, has_bias = case
    rows = (heads + 2 * kv_heads) * dim
    x, w, b = arrays(element, (batch, length, hidden), (rows, hidden), (rows,))
    options = {"num_heads": heads, "num_kv_heads": kv_heads, "head_dim": dim}
    results = boostr.fused_qkv(x, w, b if has_bias else None, **options)
    exact = wide(x) @ wide(w).T + (wide(b) if has_bias else 0)
    for result, expected in zip(results, split(exact, batch, length, heads, kv_heads, dim)):
        close(result, expected, element)


@SETTINGS
@given(cases, strategies.tuples(*[strategies.booleans()] * 3).filter(any))
def test_fused_qkv_grad(case, wanted):
    element, (hidden, heads, kv_heads, dim), batch, length, _ = case
    rows = (heads + 2 * kv_heads) * dim
    x, w = arrays(element, (batch, length, hidden), (rows, hidden))
    grads = arrays(element, *[(batch, h, length, dim) for h in (heads, kv_heads, kv_heads)])
    results = boostr.fused_qkv_grad(*grads, x, w, input=wanted[0], weight=wanted[1],
                                    bias=wanted[2])
    dy = merge([wide(g) for g in grads]).reshape(batch, length, rows)
    exact = (dy @ wide(w), np.einsum("bsn,bsk->nk", dy, wide(x)), dy.sum(axis=(0, 1)))
    for result, expected, is_wanted in zip(results, exact, wanted):
        if is_wanted:
            close(result, expected, element)
        else:
            assert result is None


@SETTINGS
@given(cases, strategies.tuples(*[strategies.booleans()] * 3).filter(any))
def test_separate_weights(case, wanted):
    """Weights in tuples give the same bits as their rows in one."""
    element, (hidden, heads, kv_heads, dim), batch, length, has_bias = case
    options = {"num_heads": heads, "num_kv_heads": kv_heads, "head_dim": dim}
    ends = np.cumsum([heads * dim, kv_heads * dim])
    rows = (heads + 2 * kv_heads) * dim
    x, w, b = arrays(element, (batch, length, hidden), (rows, hidden), (rows,))
    weights, biases = tuple(np.split(w, ends)), tuple(np.split(b, ends))
    packed = boostr.fused_qkv(x, w, b if has_bias else None, **options)
    separate = boostr.fused_qkv(x, weights, biases if has_bias else None, **options)
    for one, other in zip(packed, separate):
        np.testing.assert_array_equal(one, other)
    flags = dict(zip(("input", "weight", "bias"), wanted))
    dx, dw, db = boostr.fused_qkv_grad(*packed, x, w, **flags)
    out = [np.empty_like(x)] if wanted[0] else []
    out += [tuple(map(np.empty_like, parts)) for parts, is_wanted in (
        (weights, wanted[1]), (biases, wanted[2])) if is_wanted]
    results = boostr.fused_qkv_grad(*packed, x, weights, **flags, out=tuple(out))
    for whole, parts in zip((dx, dw, db), results):
        if whole is None:
            assert parts is None
        elif whole is dx:
            np.testing.assert_array_equal(whole, parts)
        else:
            np.testing.assert_array_equal(whole, np.concatenate(parts))


def test_errors_of_separate_weights():
    x, w, b = arrays("f32", (2, 3, 8), (16, 8), (16,))
    weights, options = (w[:8], w[8:12], w[12:]), {"num_heads": 2, "num_kv_heads": 1, "head_dim": 4}
    for w, b, words in (
            (weights[:2], None, r"w: expected a tensor, or three for query, key and value, got 2"),
            (weights, b, r"b: expected three tensors, as w has, got 1"),
            ((w[:8], w[8:13], w[12:]), None, r"w\[1\]: expected \[4, 8\], got \[5, 8\]"),
            (weights, (b[:8], b[8:12], b[:5]), r"b\[2\]: expected \[4\], got \[5\]")):
        with pytest.raises(ValueError, match=words):
            boostr.fused_qkv(x, w, b, **options)


@SETTINGS
@given(cases)
def test_out_proj_residual(case):
    element, (hidden, heads, _, dim), batch, length, has_bias = case
    attn, w, b, residual = arrays(element, (batch, length, heads * dim), (hidden, heads * dim),
                                  (hidden,), (batch, length, hidden))
    result = boostr.out_proj_residual(attn, w, b if has_bias else None, residual=residual)
    exact = wide(attn) @ wide(w).T + (wide(b) if has_bias else 0) + wide(residual)
    close(result, exact, element)


@SETTINGS
@given(cases, strategies.tuples(*[strategies.booleans()] * 3).filter(any))
def test_out_proj_residual_grad(case, wanted):
    element, (hidden, heads, _, dim), batch, length, _ = case
    dy, attn, w = arrays(element, (batch, length, hidden), (batch, length, heads * dim),
                         (hidden, heads * dim))
    results = boostr.out_proj_residual_grad(dy, attn, w, input=wanted[0], weight=wanted[1],
                                            bias=wanted[2])
    exact = (wide(dy) @ wide(w), np.einsum("bsn,bsk->nk", wide(dy), wide(attn)),
             wide(dy).sum(axis=(0, 1)))
    for result, expected, is_wanted in zip(results, exact, wanted):
        if is_wanted:
            close(result, expected, element)
        else:
            assert result is None


# How an array may lie in memory: what makes a view of the same shape.
VIEWS = {
    "part": lambda a: np.concatenate([a, a])[:a.shape[0]],
    "offset": lambda a: np.concatenate([a.ravel()[:1], a.ravel()])[1:].reshape(a.shape)
    if a.size else a,
    "every other row": lambda a: np.repeat(a, 2, axis=0)[::2],
    "every other element": lambda a: np.repeat(a, 2, axis=-1)[..., ::2],
    "backwards": lambda a: a[::-1].copy()[::-1],
    "fortran": np.asfortranarray,
    "read-only": lambda a: np.frombuffer(a.tobytes(), a.dtype).reshape(a.shape) if a.size else a,
}


def out_proj_call(attn, w, residual):
    return boostr.out_proj_residual(attn, w, residual=residual)


@SETTINGS
@given(strategies.sampled_from(sorted(TYPES)), strategies.integers(0, 3), strategies.integers(0, 3),
       strategies.sampled_from([(8, 8), (15, 33), (1, 1)]), strategies.integers(0, 2),
       strategies.sampled_from(sorted(VIEWS)))
def test_strides(element, batch, length, widths, place, view):
    """Views of any order are taken, and left as they are."""
    width, hidden = widths
    tensors = arrays(element, (batch, length, width), (hidden, width), (batch, length, hidden))
    exact = wide(tensors[0]) @ wide(tensors[1]).T + wide(tensors[2])
    tensors[place] = VIEWS[view](tensors[place])
    before = tensors[place].copy()
    close(out_proj_call(*tensors), exact, element)
    assert (tensors[place] == before).all()


@SETTINGS
@given(strategies.integers(0, 4), strategies.sampled_from(sorted(set(VIEWS) - {"read-only"})))
def test_strides_of_gradients(place, view):
    tensors = arrays("f32", (2, 3, 4, 5), (2, 1, 4, 5), (2, 1, 4, 5), (2, 4, 8), (25, 8))
    expected = boostr.fused_qkv_grad(*tensors)
    tensors[place] = VIEWS[view](tensors[place])
    for ours, theirs in zip(boostr.fused_qkv_grad(*tensors), expected):
        assert (ours == theirs).all()


def test_strides_of_results():
    """What is written to has to lie in C order."""
    x, w, _ = operands()
    out = boostr.fused_qkv(x, w, **OPTIONS)
    with pytest.raises(ValueError, match="'k|result 1|out.*strides"):
        boostr.fused_qkv(x, w, **OPTIONS, out=(out[0], np.repeat(out[1], 2, axis=3)[..., ::2],
                                               out[2]))


OPTIONS = {"num_heads": 2, "num_kv_heads": 1, "head_dim": 4}


def operands():
    return arrays("f32", (2, 3, 8), (16, 8), (16,))


def test_lists_are_no_gradients():
    dy, attn, w = arrays("f32", (1, 2, 4), (1, 2, 4), (4, 4))
    with pytest.raises(TypeError, match="attn: expected a tensor, got list"):
        boostr.out_proj_residual_grad(dy, attn.tolist(), w)


@pytest.mark.parametrize("change, error, words", [
    (lambda x, w, b: (x[0], w, b), ValueError, r"x: expected \[batch, sequence, hidden\], got \[3, 8\]"),
    (lambda x, w, b: (x, w[:-1], b), ValueError, r"w: expected \[16, 8\], got \[15, 8\]"),
    (lambda x, w, b: (x, w, b[1:]), ValueError, r"b: expected \[16\], got \[15\]"),
    (lambda x, w, b: (x, w, b.astype("f8")), TypeError, "b: expected float32, as x has, got float64"),
    (lambda x, w, b: (x.astype("i4"), w, b), TypeError, "x: expected float64, float32.* got int32"),
    (lambda x, w, b: (x.tolist(), w, b), TypeError, "x: expected a tensor, got list"),
    (lambda x, w, b: (x, w, 3), TypeError, "b: expected a tensor, got int"),
])
def test_wrong_tensors(change, error, words):
    with pytest.raises(error, match=words):
        boostr.fused_qkv(*change(*operands()), **OPTIONS)


@pytest.mark.parametrize("change, error, words", [
    ({"num_heads": 0}, ValueError, "num_heads: expected at least 1, got 0"),
    ({"head_dim": 4.0}, TypeError, "head_dim: expected a whole number, got float"),
    ({"num_kv_heads": 2}, ValueError, r"w: expected \[24, 8\], got \[16, 8\]"),
])
def test_wrong_numbers(change, error, words):
    with pytest.raises(error, match=words):
        boostr.fused_qkv(*operands(), **{**OPTIONS, **change})


def test_no_gradient_wanted():
    dy, attn, w = arrays("f32", (1, 2, 4), (1, 2, 4), (4, 4))
    with pytest.raises(ValueError, match="at least one of attn, weight, bias"):
        boostr.out_proj_residual_grad(dy, attn, w, input=False, weight=False, bias=False)


def test_nothing_is_compiled_for_other_lengths():
    from boostr import _kernels
    x, w, b = operands()
    boostr.fused_qkv(x, w, b, **OPTIONS)
    before = _kernels.fused_qkv.cache_info().misses
    for batch, length in ((1, 1), (3, 7), (0, 5), (2, 600)):
        boostr.fused_qkv(np.zeros((batch, length, 8), np.float32), w, b, **OPTIONS)
    assert _kernels.fused_qkv.cache_info().misses == before


def test_threads_at_once():
    x, w, b = operands()
    expected = boostr.fused_qkv(x, w, b, **OPTIONS)[0]
    wrong = []

    def work():
        for _ in range(200):
            if not (boostr.fused_qkv(x, w, b, **OPTIONS)[0] == expected).all():
                wrong.append(1)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def resident_pages():
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1])


def test_memory_does_not_grow():
    x, w, b = operands()
    for _ in range(1000):
        boostr.fused_qkv(x, w, b, **OPTIONS)
    gc.collect()
    before = resident_pages()
    for _ in range(10_000):
        boostr.fused_qkv(x, w, b, **OPTIONS)
    assert resident_pages() - before < 200


@pytest.mark.parametrize("is_used", [False, True])
def test_fork(is_used):
    """After the import, and after a call, when threads of the parent wait."""
    program = f"""
import os, numpy as np, boostr
x = np.ones((1, 64, 64), np.float32)
w = np.ones((192, 64), np.float32)
call = lambda: boostr.fused_qkv(x, w, num_heads=2, num_kv_heads=2, head_dim=32)[0]
assert not {is_used} or (call() == 64).all()
child = os.fork()
if child == 0:
    os._exit(0 if (call() == 64).all() else 1)
assert os.waitpid(child, 0)[1] == 0
"""
    run = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True,
                         text=True, env=os.environ)
    assert run.returncode == 0, run.stderr


def run_python(program):
    return subprocess.run([sys.executable, "-c", program], check=True, capture_output=True,
                          text=True, env=os.environ).stdout.strip()


def test_import_brings_no_framework():
    assert run_python("import sys, boostr; "
                      "print([m for m in ('torch', 'jax') if m in sys.modules])") == "[]"


def test_import_is_fast():
    """Beside NumPy's own time; processor time, since other tests run at once."""
    program = """
import time, numpy
start = time.process_time()
import boostr
print(time.process_time() - start)
"""
    assert min(float(run_python(program)) for _ in range(3)) < 0.15
