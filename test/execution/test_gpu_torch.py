# Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""CUDA functions on PyTorch's tensors and streams: what only memory of a device can show."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import boostr
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks" / "gpu"))
try:
    import torch
    import ours  # Of the benchmark: calls on torch tensors.
    HAS_GPU = torch.cuda.is_available()
except ImportError:
    HAS_GPU = False

pytestmark = pytest.mark.skipif(
    not HAS_GPU or os.environ.get("BOOSTR_TEST_TARGET") != "cuda",
    reason="needs BOOSTR_TEST_TARGET=cuda, a GPU and PyTorch")

OUT = """
func.func @out(%a: tensor<?x?x{p}x{e}>, %w: tensor<{h}x{p}x{e}>, %r: tensor<?x?x{h}x{e}>) -> tensor<?x?x{h}x{e}> {{
  %y = boostr.out_proj_residual %a, %w residual(%r)
      : tensor<?x?x{p}x{e}>, tensor<{h}x{p}x{e}>, tensor<?x?x{h}x{e}>
  return %y : tensor<?x?x{h}x{e}>
}}
func.func @grad(%dy: tensor<?x?x{h}x{e}>, %a: tensor<?x?x{p}x{e}>, %w: tensor<{h}x{p}x{e}>)
    -> (tensor<{h}x{p}x{e}>, tensor<{h}x{e}>) {{
  %dw, %db = boostr.out_proj_residual_grad %dy, %a, %w wrt(weight, bias)
      : tensor<?x?x{h}x{e}>, tensor<?x?x{p}x{e}>, tensor<{h}x{p}x{e}>
  return %dw, %db : tensor<{h}x{p}x{e}>, tensor<{h}x{e}>
}}
"""


def find_runtime():
    """The one that the package has loaded, wherever the library path had it found: with a second
    copy in the process, compiled code could call the wrong one."""
    for line in Path("/proc/self/maps").read_text(encoding="utf-8").splitlines():
        if "libboostr_runtime.so" in line:
            return line.split(maxsplit=5)[-1]
    raise RuntimeError("the package boostr has loaded no runtime")


def build(tmp, hidden, width, element="bf16", gemm="generated", *options, text=OUT):
    name = f"out_{hidden}_{width}_{element}_{gemm}{''.join(options)}"
    source, library = tmp / f"{name}.mlir", tmp / f"{name}.so"
    source.write_text(text.format(h=hidden, p=width, e=element), encoding="utf-8")
    subprocess.run([os.environ["BOOSTR_COMPILE"], source, "--target=cuda", f"--gemm={gemm}", *options,
                    "--emit=so", "-o", library], check=True)
    return ours.Module(ours.load_runtime(find_runtime()), library)


@pytest.fixture(scope="module", params=["generated", "cublaslt"])
def module(tmp_path_factory, request):
    return build(tmp_path_factory.mktemp("torch"), 512, 256, gemm=request.param)


def tensors(batch, tokens, hidden=512, width=256):
    def normal(*extents):
        return torch.randn(*extents, device="cuda").bfloat16()
    return normal(batch, tokens, width), normal(hidden, width), normal(batch, tokens, hidden)


def poisoned(*extents):
    return torch.full(extents, float("nan"), device="cuda", dtype=torch.bfloat16)


def expected(a, w, r):
    return a.double() @ w.double().t() + r.double()


def check(result, exact):
    error = (result.double() - exact).norm() / exact.norm()
    assert error.item() < 3e-3  # One rounding to bf16.


def test_same_bits(module):
    """Also where blocks share tiles: few tiles, many steps."""
    a, w, _ = tensors(2, 9000)
    dy = torch.randn(2, 9000, 512, device="cuda").bfloat16()
    results = []
    for _ in range(3):
        dw, db = poisoned(512, 256), poisoned(512)
        module.bind("grad", [dy, a, w], [dw, db])()
        results.append((dw, db))
    torch.cuda.synchronize()
    check(results[0][0], dy.view(-1, 512).double().t() @ a.view(-1, 256).double())
    for dw, db in results[1:]:
        assert torch.equal(dw, results[0][0]) and torch.equal(db, results[0][1])


def test_same_bits_of_parts(tmp_path):
    """Blocks in parts along k, whoever of them is done last: over and over, on two streams at once, and in a
    graph, each launch of which counts from the same number on."""
    small = build(tmp_path, 512, 256, "f32")
    a, dy, w = (torch.randn(*extents, device="cuda") for extents in ((2, 9000, 256), (2, 9000, 512), (512, 256)))
    exact = dy.view(-1, 512).double().t() @ a.view(-1, 256).double()
    calls, results = [], []
    for _ in range(2):
        results.append([torch.full(extents, float("nan"), device="cuda") for extents in ((512, 256), (512,))])
        calls.append(small.bind("grad", [dy, a, w], results[-1]))
    calls[0]()
    first = [result.clone() for result in results[0]]
    assert ((first[0].double() - exact).norm() / exact.norm()).item() < 1e-5

    def same():
        torch.cuda.synchronize()
        return all(torch.equal(x, y) for some in results for x, y in zip(some, first))

    streams = [torch.cuda.Stream() for _ in calls]
    for _ in range(100):
        for call, stream, some in zip(calls, streams, results):
            with torch.cuda.stream(stream):
                for result in some:
                    result.fill_(float("nan"))
                call()
        assert same()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, stream=streams[0]):
        for call in calls:
            call()
    for _ in range(100):
        for some in results:
            for result in some:
                result.fill_(float("nan"))
        graph.replay()
        assert same()


def test_same_bits_of_large_calls(tmp_path):
    """A residual passes through the ring on all multiprocessors: a slot that is filled again
    too early shows as some elements in some runs."""
    large = build(tmp_path, 3584, 3584)
    a, w, r = tensors(4, 2048, 3584, 3584)
    first, y = poisoned(*r.shape), poisoned(*r.shape)
    large.bind("out", [a, w, r], [first])()
    check(first, expected(a, w, r))
    call = large.bind("out", [a, w, r], [y])
    for _ in range(1000):
        call()
        assert torch.equal(y, first)


def test_threads_and_streams(module):
    """Each thread its stream and shape, all at once."""
    failures = []

    def work(seed):
        try:
            stream = torch.cuda.Stream()
            with torch.cuda.stream(stream):
                for i in range(20):
                    a, w, r = tensors(1 + seed, 100 + 37 * i)
                    y = poisoned(*r.shape)
                    module.bind("out", [a, w, r], [y])()
                    check(y, expected(a, w, r))
        except Exception as error:  # Told by the main thread.
            failures.append(error)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, failures[0]


@pytest.mark.parametrize("name", ["out", "grad"])
def test_graph(module, name):
    """Captured, then replayed on new data; `grad` allocates a workspace."""
    a, w, r = tensors(2, 3000)
    y, dw, db = poisoned(*r.shape), poisoned(512, 256), poisoned(512)
    call = (module.bind("out", [a, w, r], [y]) if name == "out"
            else module.bind("grad", [r, a, w], [dw, db]))
    stream = torch.cuda.Stream()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, stream=stream):
        call()
    for _ in range(2):
        a.normal_()
        r.normal_()
        for result in (y, dw, db):
            result.fill_(float("nan"))
        graph.replay()
        torch.cuda.synchronize()
        if name == "out":
            check(y, expected(a, w, r))
        else:
            check(dw, r.view(-1, 512).double().t() @ a.view(-1, 256).double())
            check(db, r.view(-1, 512).double().sum(0))


@pytest.mark.parametrize("element", ["f32", "f64", "f16", "bf16"])
@pytest.mark.parametrize("hidden, width", [(512, 256), (251, 131)])
def test_cublaslt_agrees(tmp_path, element, hidden, width):
    """Kernels of our own and the library."""
    dtype = {"f32": torch.float32, "f64": torch.float64, "f16": torch.float16,
             "bf16": torch.bfloat16}[element]
    a = torch.randn(3, 700, width, device="cuda").to(dtype)
    w = torch.randn(hidden, width, device="cuda").to(dtype)
    r = torch.randn(3, 700, hidden, device="cuda").to(dtype)
    results = {}
    for gemm in ("generated", "cublaslt", "auto"):
        built = build(tmp_path, hidden, width, element, gemm)
        y, dw, db = (torch.full(x, float("nan"), device="cuda", dtype=dtype)
                     for x in (r.shape, w.shape, (hidden,)))
        built.bind("out", [a, w, r], [y])()
        built.bind("grad", [r, a, w], [dw, db])()
        results[gemm] = (y, dw, db)
    torch.cuda.synchronize()
    limit = {"f32": 1e-5, "f64": 1e-13, "f16": 1e-3, "bf16": 8e-3}[element]
    for gemm in ("cublaslt", "auto"):
        for result, other in zip(results[gemm], results["generated"]):
            error = (result.double() - other.double()).norm() / other.double().norm()
            assert error.item() < limit, (gemm, tuple(result.shape))


@pytest.mark.parametrize("gemm", ["generated", "cublaslt"])
def test_f32_precision(tmp_path, gemm):
    """Rounded operands show, and no more than they allow."""
    a = torch.randn(2, 300, 256, device="cuda")
    w, r = torch.randn(512, 256, device="cuda"), torch.randn(2, 300, 512, device="cuda")
    rows = r.view(-1, 512).double()
    exact = (expected(a, w, r), rows.t() @ a.view(-1, 256).double(), rows.sum(0))
    for precision, least, most in (("ieee", 0, 1e-5), ("tf32", 1e-5, 1e-3), ("tf32x3", 0, 5e-5)):
        if gemm == "cublaslt" and precision == "tf32x3":
            continue  # It has no such products.
        built = build(tmp_path, 512, 256, "f32", gemm, f"--f32-precision={precision}")
        results = [torch.full(x.shape, float("nan"), device="cuda") for x in exact]
        built.bind("out", [a, w, r], results[:1])()
        built.bind("grad", [r, a, w], results[1:])()
        for result, right in zip(results[:2], exact):
            error = ((result.double() - right).norm() / right.norm()).item()
            assert least <= error <= most, (precision, error)


def test_measured(tmp_path, monkeypatch):
    """Both ways are run on tensors of the device, and one is kept on disk."""
    monkeypatch.setenv("BOOSTR_CACHE_DIR", str(tmp_path))
    source = OUT.format(h=512, p=256, e="f32")
    a, w, r = (x.float() for x in tensors(2, 300))
    exact = expected(a, w, r)
    for round in range(2):
        measured = boostr.compile(source, "cuda", gemm="auto", measure=True)
        for call in range(2):
            y = measured.out(a, w, r)
            error = ((y.double() - exact).norm() / exact.norm()).item()
            wrong = ((y.double() - exact).abs() > 1e-3).nonzero().tolist()
            chosen = [path.read_text() for path in tmp_path.glob("measured-*.json")]
            assert error < 1e-5, (round, call, chosen, len(wrong), wrong[:4], wrong[-4:])
    kept = list(tmp_path.glob("measured-*.json"))
    assert len(kept) == 1 and "out(2x512x256;512x256;2x512x512)" in kept[0].read_text()


def test_refusals(module):
    a, w, r = tensors(1, 8)
    y = poisoned(*r.shape)
    wrong = {
        "alignment": (a, torch.randn(512 * 256 + 1, device="cuda").bfloat16()[1:].view(512, 256), r),
        "shape": (a, w[:511].contiguous(), r),
        "element type": (a, w.half(), r),
        "device": (a, w.cpu(), r),
    }
    for inputs in wrong.values():
        with pytest.raises(RuntimeError, match="argument 1 "):
            module.bind("out", list(inputs), [y])()
    torch.cuda.synchronize()
    assert y.isnan().all(), "something was written"


@pytest.mark.parametrize("element, gemm", [("bf16", "generated"), ("bf16", "cublaslt"),
                                           ("f32", "generated")])
def test_more_than_2_to_the_31_elements(tmp_path, element, gemm):
    """In a result and what is added to it, and in an operand of a gradient; by tensor cores,
    the library and threads."""
    hidden, width, tokens = 2056, 64, (1 << 20) + 1024
    if torch.cuda.mem_get_info()[0] < 24 << 30:
        pytest.skip("needs 24 GiB of memory on the device")
    dtype = {"bf16": torch.bfloat16, "f32": torch.float32}[element]
    large = build(tmp_path, hidden, width, element, gemm)
    a = torch.randn(1, tokens, width, device="cuda").to(dtype)
    w = torch.randn(hidden, width, device="cuda").to(dtype)
    r = torch.empty(1, tokens, hidden, device="cuda", dtype=dtype).normal_()
    y = torch.full_like(r, float("nan"))
    assert y.numel() > 1 << 31
    large.bind("out", [a, w, r], [y])()
    torch.cuda.synchronize()
    weight = torch.zeros(hidden, width, device="cuda", dtype=torch.float64)
    bias = torch.zeros(hidden, device="cuda", dtype=torch.float64)
    for start in range(0, tokens, 1 << 16):
        part = slice(start, start + (1 << 16))
        exact = a[0, part].float() @ w.float().t() + r[0, part].float()
        check(y[0, part], exact.double())
        rows = r[0, part].double()
        weight += rows.t() @ a[0, part].double()
        bias += rows.sum(0)
    dw, db = (torch.full(x.shape, float("nan"), device="cuda", dtype=dtype) for x in (weight, bias))
    large.bind("grad", [r, a, w], [dw, db])()
    torch.cuda.synchronize()
    check(dw, weight)
    check(db, bias)
