# Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""fused_qkv of PyTorch with a weight for each of query, key and value."""

import os
import subprocess
import sys

import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

import boostr.torch as bt
from test_torch import (DEVICES, HEADS, LIMITS, close_with_gradients, qkv_operands, qkv_reference,
                        seed)

ROWS = [64, 32, 32]
NUMBERS = (4, 2, 16)
assert seed


def separate(device="cpu", dtype=torch.float32, requires_grad=False, **options):
    """x, (wq, wk, wv), (bq, bk, bv), and all of them in a row."""
    x, w, b = qkv_operands(device, dtype, **options)
    parts = [tuple(p.clone() for p in t.split(ROWS)) for t in (w, b)]
    tensors = [x, *parts[0], *parts[1]]
    for tensor in tensors:
        tensor.requires_grad_(requires_grad)
    return x, *parts, tensors


def reference(x, *parts):
    return qkv_reference(x, torch.cat(parts[:3]), torch.cat(parts[3:]) if parts[3:] else None)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", list(LIMITS), ids=str)
@pytest.mark.parametrize("has_bias", [True, False])
def test_numbers_and_gradients(device, dtype, has_bias):
    x, weights, biases, tensors = separate(device, dtype, requires_grad=True)
    if not has_bias:
        biases, tensors = None, tensors[:4]
    exact = [t.detach().double().requires_grad_() for t in tensors]
    close_with_gradients(bt.fused_qkv(x, weights, biases, **HEADS), tensors, reference(*exact),
                         exact, dtype)


def test_gradcheck():
    tensors = separate(dtype=torch.float64, hidden=8, requires_grad=True, tokens=(2, 3))[3]
    assert torch.autograd.gradcheck(
        lambda x, *parts: bt.fused_qkv(x, parts[:3], parts[3:], **HEADS), tensors)


@pytest.mark.parametrize("device", DEVICES)
def test_opcheck(device):
    tensors = separate(device, requires_grad=True)[3]
    ops = torch.ops.boostr
    torch.library.opcheck(ops.fused_qkv_separate.default, (*tensors, *NUMBERS))
    torch.library.opcheck(ops.fused_qkv_separate.default,
                          (*tensors[:4], None, None, None, *NUMBERS))
    plain = [t.detach() for t in tensors]
    gradients = ops.fused_qkv_separate(*plain, *NUMBERS)
    torch.library.opcheck(ops.fused_qkv_separate_grad.default,
                          (*gradients, *plain[:4], True, False, True))


def test_one_needed_gradient():
    """Of three weights, all or none are computed; what was not asked for has none."""
    x, weights, biases, _ = separate()
    weights[1].requires_grad_()
    q, k, v = bt.fused_qkv(x, weights, biases, **HEADS)
    (q.sum() + 2 * k.sum() + v.sum()).backward()
    assert x.grad is None and weights[0].grad is None
    torch.testing.assert_close(weights[1].grad, 2 * x.sum((0, 1)).expand(32, 64))


def test_compile_with_dynamic_shapes():
    counter = torch._dynamo.testing.CompileCounterWithBackend("aot_eager")

    def heads(x, *parts):
        return bt.fused_qkv(x, parts[:3], parts[3:], **HEADS)

    compiled = torch.compile(heads, fullgraph=True, dynamic=True, backend=counter)
    _, _, _, (_, *parts) = separate(requires_grad=True)
    for length in (5, 7, 40):
        x = torch.randn(2, length, 64, requires_grad=True)
        results = [f(x, *parts) for f in (heads, compiled)]
        torch.testing.assert_close(*results, rtol=0, atol=0)
        gradients = [torch.autograd.grad([t.square().sum() for t in r], (x, *parts))
                     for r in results]
        torch.testing.assert_close(*gradients, rtol=0, atol=0)
    assert counter.frame_count == 1


@pytest.mark.skipif(not hasattr(torch.library, "register_vmap"), reason="PyTorch is too old")
def test_functional_transforms():
    x, weights, biases, _ = separate()

    def loss(weights, x, run):
        return sum(r.square().sum() for r in run(x, weights))

    def ours(x, weights):
        return bt.fused_qkv(x, weights, biases, **HEADS)

    def theirs(x, weights):
        return reference(x, *weights, *biases)

    for transform, tokens in ((lambda f: f, x), (
            lambda f: torch.func.vmap(f, in_dims=(None, 0, None)), torch.randn(3, *x.shape))):
        found = [transform(torch.func.grad(loss))(weights, tokens, run) for run in (ours, theirs)]
        torch.testing.assert_close(*found, rtol=1e-4, atol=1e-4)


def test_autocast():
    x, weights, biases, _ = separate(requires_grad=True)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        q, *_ = bt.fused_qkv(x, weights, biases, **HEADS)
    assert q.dtype == torch.bfloat16
    q.sum().backward()
    assert weights[0].grad.dtype == torch.float32


def test_errors():
    x, weights, biases, _ = separate()
    wq, wk, wv = weights
    with pytest.raises(ValueError, match="w: expected a tensor, or three .* got 2"):
        bt.fused_qkv(x, (wq, wk), **HEADS)
    with pytest.raises(ValueError, match=r"w\[2\]: expected \[32, 64\], got \[64, 64\]"):
        bt.fused_qkv(x, (wq, wk, wq), **HEADS)
    with pytest.raises(ValueError, match="b: expected three tensors, as w has, got 1"):
        bt.fused_qkv(x, weights, biases[0], **HEADS)
    with pytest.raises(TypeError, match=r"b\[1\]: expected float32.*got float64"):
        bt.fused_qkv(x, weights, (biases[0], biases[1].double(), biases[2]), **HEADS)
    # RuntimeErrors from PyTorch 2.15 on.
    wrong = (ValueError, RuntimeError)
    with pytest.raises(wrong, match="b: expected three tensors, as w has, got 1"):
        torch.ops.boostr.fused_qkv_separate(x, *weights, biases[0], None, None, *NUMBERS)
    with pytest.raises(wrong, match=r"w\[1\]: expected"):
        torch.ops.boostr.fused_qkv_separate(x, wq, wq, wv, None, None, None, *NUMBERS)


def test_older_versions_of_pytorch():
    """With kernels in Python all is the same."""
    program = """
from boostr import _core
_core.register_torch_kernels = lambda *functions: []
import pytest
raise SystemExit(pytest.main(["-q", "-p", "no:cacheprovider", "-k", "not older", FILE]))
"""
    run = subprocess.run([sys.executable, "-c", program.replace("FILE", repr(__file__))],
                         check=False, capture_output=True, text=True, env=os.environ)
    assert run.returncode == 0, run.stdout
