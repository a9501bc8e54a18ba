# Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""The order of kernels in a stream: both gradients of an op run at the same time, but what comes
behind them reads what both wrote, and no kernel reads what one before it has not written yet."""

import pytest
from test_gpu_torch import OUT, build, poisoned, pytestmark  # noqa: F401 (applies here, too)

try:
    import torch
except ImportError:
    torch = None

WIDTH = 1024
GRADIENTS = OUT + """
func.func @grads(%dy: tensor<?x?x{h}x{e}>, %a: tensor<?x?x{p}x{e}>, %w: tensor<{h}x{p}x{e}>)
    -> (tensor<?x?x{p}x{e}>, tensor<{h}x{p}x{e}>, tensor<{h}x{e}>) {{
  %da, %dw, %db = boostr.out_proj_residual_grad %dy, %a, %w wrt(attn, weight, bias)
      : tensor<?x?x{h}x{e}>, tensor<?x?x{p}x{e}>, tensor<{h}x{p}x{e}>
  return %da, %dw, %db : tensor<?x?x{p}x{e}>, tensor<{h}x{p}x{e}>, tensor<{h}x{e}>
}}
"""


@pytest.fixture(scope="module")
def module(tmp_path_factory):
    return build(tmp_path_factory.mktemp("order"), WIDTH, WIDTH, text=GRADIENTS)


def normal(*extents, scale=1.0):
    return (scale * torch.randn(*extents, device="cuda")).bfloat16()


def out(module, a, w, r, y):
    return module.bind("out", [a, w, r], [y])


def run_captured(calls):
    stream, graph = torch.cuda.Stream(), torch.cuda.CUDAGraph()
    torch.cuda.synchronize()
    with torch.cuda.graph(graph, stream=stream):
        for call in calls:
            call()
    graph.replay()


def run_in_stream(calls):
    with torch.cuda.stream(torch.cuda.Stream()):
        torch.cuda.current_stream().wait_stream(torch.cuda.default_stream())
        for call in calls:
            call()


def run_by_default(calls):
    for call in calls:
        call()


WAYS = [run_by_default, run_in_stream, run_captured]


@pytest.mark.parametrize("run", WAYS)
@pytest.mark.parametrize("tokens", [1, 3, 16, 40, 200, 2000])
def test_chain(module, tokens, run):
    """Each call reads what the one before wrote, and writes what that read. Over and over, and
    at first what both gradients' kernels wrote."""
    a, b, r = normal(1, tokens, WIDTH), poisoned(1, tokens, WIDTH), normal(1, tokens, WIDTH)
    w, dw = normal(WIDTH, WIDTH, scale=WIDTH**-0.5), poisoned(WIDTH, WIDTH)
    da, db = poisoned(1, tokens, WIDTH), poisoned(WIDTH)
    calls = [module.bind("grads", [r, a, w], [da, dw, db]), out(module, da, dw, r, b)]
    for i in range(39):
        source, target = (b, a) if i % 2 == 0 else (a, b)
        calls.append(out(module, source, w, r, target))
    start = a.clone()
    for call in calls:  # One by one.
        call()
        torch.cuda.synchronize()
    expected = a.clone(), b.clone(), da.clone(), dw.clone()
    for _ in range(3):
        a.copy_(start)
        for result in (b, da, dw, db):
            result.fill_(float("nan"))
        run(calls)
        torch.cuda.synchronize()
        for got, exact in zip((a, b, da, dw), expected):
            assert torch.equal(got, exact)


def slowly(copy):
    """Long enough for what comes behind to begin, if it does not wait."""
    def run():
        torch.cuda._sleep(200_000)
        copy()
    return run


def on_other_stream(copy):
    other = torch.cuda.Stream()

    def run():
        other.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(other):
            slowly(copy)()
        torch.cuda.current_stream().wait_stream(other)
    return run


@pytest.mark.parametrize("run", WAYS)
@pytest.mark.parametrize("tokens", [1, 16, 200])
@pytest.mark.parametrize("before", ["kernel", "copy", "memset", "other stream", "nothing"])
def test_behind_others(module, before, tokens, run):
    """Behind what is not ours, of all kinds that a stream has."""
    source, w, r = normal(1, tokens, WIDTH), normal(WIDTH, WIDTH), normal(1, tokens, WIDTH)
    a, y = torch.zeros_like(source), poisoned(1, tokens, WIDTH)
    if before == "memset":
        source.zero_()
    write = {"kernel": slowly(lambda: torch.add(source, 0, out=a)),
             "copy": slowly(lambda: a.copy_(source)),
             "memset": slowly(lambda: a.zero_()),
             "other stream": on_other_stream(lambda: a.copy_(source)),
             "nothing": lambda: None}[before]
    exact, call = poisoned(1, tokens, WIDTH), out(module, a, w, r, y)
    out(module, source, w, r, exact)()
    for _ in range(2):
        a.copy_(source if before == "nothing" else torch.ones_like(a))
        y.fill_(float("nan"))
        torch.cuda.synchronize()
        run([write, call, lambda: y.mul_(1)])
        torch.cuda.synchronize()
        assert torch.equal(y, exact)
