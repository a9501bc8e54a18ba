# Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Two devices in one process: compiled modules, the C interface, PyTorch's ops, JAX."""

import os
import sys
import threading
from pathlib import Path

import boostr
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks" / "gpu"))
try:
    import torch
    COUNT = torch.cuda.device_count()
except ImportError:
    COUNT = 0

pytestmark = [
    pytest.mark.skipif(COUNT == 0 or os.environ.get("BOOSTR_TEST_TARGET") != "cuda",
                       reason="needs BOOSTR_TEST_TARGET=cuda, a GPU and PyTorch"),
    pytest.mark.skipif(COUNT < 2, reason=f"needs two GPUs, found {COUNT}")]

SOURCE = """
func.func @out(%a: tensor<?x?x64x{e}>, %w: tensor<128x64x{e}> {{boostr.name = "w"}}, %r: tensor<?x?x128x{e}>) -> tensor<?x?x128x{e}> {{
  %y = boostr.out_proj_residual %a, %w residual(%r)
      : tensor<?x?x64x{e}>, tensor<128x64x{e}>, tensor<?x?x128x{e}>
  return %y : tensor<?x?x128x{e}>
}}
func.func @grad(%dy: tensor<?x?x128x{e}>, %a: tensor<?x?x64x{e}>, %w: tensor<128x64x{e}>)
    -> (tensor<?x?x64x{e}>, tensor<128x64x{e}>, tensor<128x{e}>) {{
  %da, %dw, %db = boostr.out_proj_residual_grad %dy, %a, %w wrt(attn, weight, bias)
      : tensor<?x?x128x{e}>, tensor<?x?x64x{e}>, tensor<128x64x{e}>
  return %da, %dw, %db : tensor<?x?x64x{e}>, tensor<128x64x{e}>, tensor<128x{e}>
}}
"""
LIMITS = {"f32": 1e-5, "bf16": 8e-3}
HEADS = {"num_heads": 4, "num_kv_heads": 2, "head_dim": 16}


@pytest.fixture(autouse=True)
def current_device():
    """What is current stays current, whatever device a call is for."""
    torch.cuda.set_device(0)
    yield
    assert torch.cuda.current_device() == 0


@pytest.fixture(scope="module", params=["f32 generated", "bf16 generated", "bf16 cublaslt"])
def module(request):
    element, gemm = request.param.split()
    compiled = boostr.compile(SOURCE.format(e=element), "cuda", gemm=gemm)
    compiled_for[id(compiled)] = element
    return compiled


compiled_for = {}


def dtype_of(element):
    return {"f32": torch.float32, "bf16": torch.bfloat16}[element]


def operands(device, element, tokens=100):
    """attn, weight, residual on a device."""
    return [torch.randn(*shape, device=f"cuda:{device}").to(dtype_of(element))
            for shape in ((2, tokens, 64), (128, 64), (2, tokens, 128))]


def close(results, expected, device, limit):
    for result, exact in zip(results, expected, strict=True):
        assert result.device == torch.device("cuda", device)
        error = (result.double() - exact).norm() / exact.norm()
        assert error.item() < limit


def check_calls(module, element, device, tokens=100):
    a, w, r = operands(device, element, tokens)
    wide = [x.double() for x in (a, w, r)]
    close([module.out(a, w, r)], [wide[0] @ wide[1].t() + wide[2]], device, LIMITS[element])
    flat = wide[2].view(-1, 128)
    close(module.grad(r, a, w), [wide[2] @ wide[1], flat.t() @ wide[0].view(-1, 64), flat.sum(0)],
          device, LIMITS[element])


def at_once(*calls):
    """Runs each on a thread of its own."""
    failures = []
    start = threading.Barrier(len(calls))

    def work(call):
        try:
            start.wait()
            call()
        except Exception as error:  # Told by the main thread.
            failures.append(error)

    threads = [threading.Thread(target=work, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


def test_module(module):
    """One module, with kernels of the first device's chip, in turn."""
    for device in (1, 0, 1):
        check_calls(module, compiled_for[id(module)], device)
        assert torch.cuda.current_device() == 0


def test_threads(module):
    """Each thread a device, which is not current on it, and then a stream of it."""
    element = compiled_for[id(module)]

    def work(device):
        for tokens in range(1, 400, 41):
            check_calls(module, element, device, tokens)
            assert torch.cuda.current_device() == 0
        with torch.cuda.stream(torch.cuda.Stream(device=device)):
            for tokens in range(1, 400, 41):
                check_calls(module, element, device, tokens)
            assert torch.cuda.current_device() == device

    at_once(*(lambda device=device: work(device) for device in (0, 1, 0, 1)))


def test_target():
    """Compiled for the second device: NumPy arrays are copied there, tensors may be anywhere."""
    compiled = boostr.compile(SOURCE.format(e="f32"), "cuda:1")
    a, w, r = (x.cpu() for x in operands(0, "f32"))
    before = torch.cuda.mem_get_info(1)[0]
    y = torch.from_numpy(compiled.out(a.numpy(), w.numpy(), r.numpy()))
    exact = a.double() @ w.double().t() + r.double()
    assert ((y.double() - exact).norm() / exact.norm()).item() < 1e-5
    assert torch.cuda.mem_get_info(1)[0] <= before
    assert torch.cuda.current_device() == 0
    for device in (1, 0):
        check_calls(compiled, "f32", device)


def test_graph(module):
    """Captured on the second device."""
    element = compiled_for[id(module)]
    with torch.cuda.device(1):
        a, w, r = operands(1, element)
        y = torch.empty_like(r)
        module.out(a, w, r, out=y)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            module.out(a, w, r, out=y)
        y.fill_(float("nan"))
        r.normal_()
        graph.replay()
        torch.cuda.synchronize(1)
    close([y], [a.double() @ w.double().t() + r.double()], 1, LIMITS[element])


def test_mixed_operands(module):
    (a, _, r), (_, w, y) = (operands(device, compiled_for[id(module)]) for device in (0, 1))
    with pytest.raises(ValueError, match=r"argument 1 'w': expected device cuda:0, got cuda:1"):
        module.out(a, w, r)
    with pytest.raises(ValueError, match=r"expected device cuda:0, got cuda:1"):
        module.out(a, w.to("cuda:0"), r, out=y)
    with pytest.raises(ValueError, match=r"argument 1 'w': expected device cuda:1, got cuda:0"):
        module.out(a.to("cuda:1"), w.to("cuda:0"), r)


def test_stream_of_another_device(module):
    a, w, r = operands(1, compiled_for[id(module)])
    stream = torch.cuda.Stream(device=0).cuda_stream
    with pytest.raises((ValueError, RuntimeError), match="stream: expected one of device cuda:1, got one of cuda:0"):
        module.out(a, w, r, stream=stream)
    check_calls(module, compiled_for[id(module)], 1)


#===------------------------------------------------------------------------===#
# PyTorch's ops
#===------------------------------------------------------------------------===#

def check_ops(device):
    """Forward and backward, against PyTorch in float64."""
    import boostr.torch as bt
    leaves = [torch.randn(*shape, device=f"cuda:{device}", requires_grad=True)
              for shape in ((2, 9, 48), (128, 48), (128,), (48, 64))]
    x, w, b, wo = leaves
    q, k, v = bt.fused_qkv(x, w, b, **HEADS)
    attn = q.transpose(1, 2).reshape(2, 9, 64)
    y = bt.out_proj_residual(attn, wo, residual=x)
    (y.square().sum() + k.sum() + v.sum()).backward()

    wide = [leaf.detach().double().requires_grad_() for leaf in leaves]
    rows = torch.nn.functional.linear(wide[0], wide[1], wide[2])
    exact = rows[..., :64] @ wide[3].t() + wide[0]
    (exact.square().sum() + rows[..., 64:].sum()).backward()
    close([y, *(leaf.grad for leaf in leaves)], [exact, *(leaf.grad for leaf in wide)], device, 1e-5)


def test_torch_ops():
    for device in (1, 0, 1):
        check_ops(device)
        assert torch.cuda.current_device() == 0


def test_torch_ops_on_threads():
    def work(device):
        for _ in range(10):
            check_ops(device)

    at_once(*(lambda device=device: work(device) for device in (0, 1, 1, 0)))


def test_torch_ops_with_mixed_operands():
    import boostr.torch as bt
    x, w = torch.randn(2, 9, 48, device="cuda:0"), torch.randn(128, 48, device="cuda:1")
    with pytest.raises(ValueError, match="cuda:0.*cuda:1"):
        bt.fused_qkv(x, w, **HEADS)
    with pytest.raises(ValueError, match="cuda:1.*cuda:0"):
        bt.fused_qkv(x.to("cuda:1"), w.to("cuda:0"), **HEADS)
    check_ops(1)
