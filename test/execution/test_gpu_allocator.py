# Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""The memory of a device that CUDA functions need for themselves: a host's allocator, here one
that keeps account and has its blocks from PyTorch; and PyTorch's own for its tensors."""

import ctypes as C

import boostr
import pytest
from runtime_structs import CudaAllocator, create_cuda_context
from test_gpu_torch import (OUT, build, check, find_runtime, poisoned, pytestmark, tensors)

try:
    import torch
except ImportError:
    torch = None

OUT_OF_MEMORY, UNAVAILABLE = 2, 3
# Few tiles and many steps, so that blocks share tiles by way of a workspace.
TOKENS = 9000


class Account:
    """An allocator, and a context that uses it."""

    def __init__(self):
        self.live, self.requests, self.failure, self.wrong = {}, [], 0, []
        self.runtime = C.CDLL(find_runtime())
        self.interface = CudaAllocator.of(b"account", self)
        self.context = create_cuda_context(self.runtime, self.interface)

    def close(self):
        torch.cuda.synchronize()
        self.runtime.boostr_context_destroy(self.context)
        assert not self.live and not self.wrong

    def allocate(self, _, size, alignment, device, stream, block):
        self.requests.append((size, device, stream or 0))
        if self.failure:
            return self.failure
        address = torch.cuda.caching_allocator_alloc(size, device, stream or 0)
        if address % alignment:
            self.wrong.append(f"{address:#x} for a multiple of {alignment}")
        self.live[address] = self.requests[-1]
        block[0] = address
        return 0

    def release(self, _, address, size, device, stream):
        if self.live.pop(address, None) != (size, device, stream or 0):
            self.wrong.append(f"released {address:#x}, {size} bytes, {device}, {stream}")
        torch.cuda.caching_allocator_delete(address)


@pytest.fixture
def account():
    made = Account()
    yield made
    made.close()


@pytest.fixture(scope="module", params=["generated", "cublaslt"])
def module(tmp_path_factory, request):
    built = build(tmp_path_factory.mktemp("allocator"), 512, 256, gemm=request.param)
    built.gemm = request.param
    return built


def gradients(dy, a):
    rows = dy.view(-1, 512).double()
    return rows.t() @ a.view(-1, 256).double(), rows.sum(0)


def bind(module, account, tokens=TOKENS):
    """A call of `grad`, and what it reads and writes."""
    a, w, dy = tensors(2, tokens)
    results = poisoned(512, 256), poisoned(512)
    return module.bind("grad", [dy, a, w], results, account.context), dy, a, results


def check_gradients(results, dy, a):
    for result, exact in zip(results, gradients(dy, a)):
        check(result, exact)


def test_workspace(module, account):
    """Taken on the device and stream of the call, and given back before it returns."""
    call, dy, a, results = bind(module, account)
    stream = torch.cuda.Stream()
    for current in (torch.cuda.default_stream(), stream):
        account.requests.clear()
        torch.cuda.synchronize()
        with torch.cuda.stream(current):
            call()
        assert not account.live
        if module.gemm == "generated":
            assert account.requests
        for size, device, used in account.requests:
            assert size > 0 and device == 0 and used == current.cuda_stream
        torch.cuda.synchronize()
        check_gradients(results, dy, a)
        for result in results:
            result.fill_(float("nan"))


def test_none_without_need(module, account):
    if module.gemm == "cublaslt":
        pytest.skip("what cuBLASLt needs is its own affair")
    call, dy, a, results = bind(module, account, tokens=8)
    call()
    torch.cuda.synchronize()
    check_gradients(results, dy, a)
    assert not account.requests


def test_graph(module, account):
    """Asked while the graph is captured, and not when it runs."""
    call, dy, a, results = bind(module, account)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, stream=torch.cuda.Stream()):
        call()
    count = len(account.requests)
    assert count > 0 or module.gemm == "cublaslt"
    for _ in range(2):
        for tensor in (dy, a):
            tensor.normal_()
        for result in results:
            result.fill_(float("nan"))
        # Would overwrite the workspace if that were anyone's.
        other = [torch.full((1 << 20,), float("nan"), device="cuda") for _ in range(8)]
        graph.replay()
        torch.cuda.synchronize()
        check_gradients(results, dy, a)
        del other
    assert len(account.requests) == count


def test_same_bits(module, account):
    """As with memory of the driver's."""
    call, dy, a, results = bind(module, account)
    call()
    others = poisoned(512, 256), poisoned(512)
    module.bind("grad", [dy, a, tensors(1, 1)[1]], others)()
    torch.cuda.synchronize()
    for result, other in zip(results, others):
        assert torch.equal(result, other)


@pytest.mark.parametrize("status, name", [(OUT_OF_MEMORY, "BOOSTR_OUT_OF_MEMORY"),
                                          (UNAVAILABLE, "BOOSTR_UNAVAILABLE")])
def test_failure(module, account, status, name):
    """Named, and nothing was written; the next call is as good as any."""
    call, dy, a, results = bind(module, account)
    call()
    torch.cuda.synchronize()
    if not account.requests:
        pytest.skip("cuBLASLt needs no workspace here")
    for result in results:
        result.fill_(float("nan"))
    account.failure = status
    with pytest.raises(RuntimeError, match=r"cannot allocate \d+ bytes on cuda:0: "
                                           rf"cuda_allocator 'account': {name}"):
        call()
    torch.cuda.synchronize()
    assert not account.live
    if module.gemm == "generated":
        assert all(result.isnan().all() for result in results)
    account.failure = 0
    call()
    torch.cuda.synchronize()
    check_gradients(results, dy, a)


# ---------------------------------------------------------------------------------------
# PyTorch's
# ---------------------------------------------------------------------------------------


def count_blocks(call):
    """How many blocks PyTorch's allocator gave during a call."""
    def total():
        return torch.cuda.memory_stats()["allocation.all.allocated"]
    before = total()
    call()
    return total() - before


@pytest.fixture(scope="module")
def compiled():
    return boostr.compile(OUT.format(h=512, p=256, e="bf16"), "cuda")


def grad_of_op(dy, a, w):
    import boostr.torch  # Registers the op.
    return torch.ops.boostr.out_proj_residual_grad(dy, a, w, False, True, True)


@pytest.mark.parametrize("how", ["op", "module"])
def test_workspace_is_pytorchs(compiled, how):
    grad = grad_of_op if how == "op" else compiled.grad
    a, w, dy = tensors(2, TOKENS)
    few = tensors(1, 8)
    grad(dy, a, w), grad(few[2], few[0], few[1])  # Compiled and loaded.
    torch.cuda.synchronize()
    results = []
    assert count_blocks(lambda: results.extend(grad(few[2], few[0], few[1]))) == 2
    results.clear()
    assert count_blocks(lambda: results.extend(grad(dy, a, w))) > 2
    torch.cuda.synchronize()
    check_gradients(results, dy, a)


def test_stream_of_the_caller(compiled):
    """Of a stream that is not PyTorch's current one, workspaces are the driver's."""
    a, w, dy = tensors(2, TOKENS)
    out = poisoned(512, 256), poisoned(512)
    stream = torch.cuda.Stream()
    torch.cuda.synchronize()
    call = lambda: compiled.grad(dy, a, w, out=out, stream=stream.cuda_stream)
    call()
    assert count_blocks(call) == 0
    torch.cuda.synchronize()
    check_gradients(out, dy, a)


@pytest.mark.parametrize("how", ["op", "module"])
def test_workspace_of_a_graph(compiled, how):
    """Is of the graph's pool: memory of others is not written when it runs."""
    grad = grad_of_op if how == "op" else compiled.grad
    a, w, dy = tensors(2, TOKENS)
    grad(dy, a, w)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        results = grad(dy, a, w)
    # All that the pool for others can give, down to small blocks.
    others = [torch.zeros(1 << size, device="cuda") for size in range(6, 24) for _ in range(4)]
    for tensor in (dy, a):
        tensor.normal_()
    graph.replay()
    torch.cuda.synchronize()
    check_gradients(results, dy, a)
    assert all(not other.any() for other in others)


def test_out_of_memory():
    """In the words that programs look for to retry with less."""
    a, w, dy = tensors(2, TOKENS)
    results = grad_of_op(dy, a, w)  # Their segment has room for more of their size.
    torch.cuda.synchronize()
    torch.cuda.empty_cache()
    total = torch.cuda.get_device_properties(0).total_memory
    hogs = []
    try:
        torch.cuda.set_per_process_memory_fraction(torch.cuda.memory_reserved() / total)
        for size in (8 << 20, 3 << 19):
            try:
                while True:
                    hogs.append(torch.empty(size, dtype=torch.uint8, device="cuda"))
            except torch.cuda.OutOfMemoryError:
                pass
        with pytest.raises(RuntimeError, match=r"CUDA out of memory\. A boostr op: cannot allocate "
                                               r"\d+ bytes on cuda:0: cuda_allocator 'PyTorch'"):
            grad_of_op(dy, a, w)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    hogs.clear()
    for result, other in zip(grad_of_op(dy, a, w), results):
        assert torch.equal(result, other)
