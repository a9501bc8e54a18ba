# Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""enable_inductor: projections that torch.compile finds in graphs."""

import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

import boostr.torch as bt
from boostr.torch import _inductor


class Separate(torch.nn.Module):
    """Three linears of one input."""

    def __init__(self, heads=4, kv_heads=2, dim=16, bias=True):
        super().__init__()
        self.dim = dim
        self.q = torch.nn.Linear(64, heads * dim, bias=bias)
        self.k = torch.nn.Linear(64, kv_heads * dim, bias=bias)
        self.v = torch.nn.Linear(64, kv_heads * dim, bias=bias)
        self.o = torch.nn.Linear(heads * dim, 64, bias=bias)

    def heads(self, x):
        shape = (*x.shape[:2], -1, self.dim)
        return [p(x).view(shape).transpose(1, 2) for p in (self.q, self.k, self.v)]

    def forward(self, x):
        y = torch.nn.functional.scaled_dot_product_attention(*self.heads(x), enable_gqa=True)
        return x + self.o(y.transpose(1, 2).flatten(2))


class Wide(Separate):
    """One linear, split."""

    def __init__(self):
        super().__init__(kv_heads=4)
        self.qkv = torch.nn.Linear(64, 192)

    def heads(self, x):
        parts = self.qkv(x).split(64, dim=-1)
        return [p.reshape(*x.shape[:2], 4, 16).permute(0, 2, 1, 3) for p in parts]


class Watched(Separate):
    """A projection that someone else reads too."""

    def heads(self, x):
        query, key, value = super().heads(x)
        return query + self.q(x).mean(), key, value


@pytest.fixture(autouse=True)
def inductor():
    torch._dynamo.reset()
    torch.manual_seed(0)
    bt.enable_inductor()
    bt.enable_inductor()  # Twice is once.
    yield
    bt.disable_inductor()
    assert torch._inductor.config.pre_grad_custom_pass is None


def capture(module, x):
    """The graph before and after, run without inductor's code generation."""
    ops = []

    def backend(graph_module, example_inputs):
        _inductor._Rewriter(graph_module.graph).run()
        graph_module.recompile()
        ops.extend(str(n.target) for n in graph_module.graph.nodes
                   if "boostr" in str(n.target))
        return graph_module.forward

    compiled = torch.compile(module, backend=backend, fullgraph=True, dynamic=True)
    result = compiled(x)
    torch.testing.assert_close(result, module(x), rtol=1e-4, atol=1e-5)
    return ops


QKV, OUT_PROJ = "boostr.fused_qkv.default", "boostr.out_proj_residual.default"


@pytest.mark.parametrize("make, tokens, expected", [
    (Separate, 200, [QKV, OUT_PROJ]),
    (lambda: Separate(bias=False), 200, [QKV, OUT_PROJ]),
    (lambda: Separate(kv_heads=4), 200, [QKV, OUT_PROJ]),
    (Separate, 5, [OUT_PROJ]),  # Too few tokens to put three weights together.
    (Wide, 5, [QKV, OUT_PROJ]),
])
def test_what_is_found(make, tokens, expected):
    assert capture(make(), torch.randn(2, tokens, 64)) == expected


def test_other_users_are_respected():
    class Shared(Separate):
        def forward(self, x):
            projected = self.q(x)
            return projected + x, projected

    assert capture(Shared(), torch.randn(2, 200, 64)) == []


def test_other_types_are_left():
    assert capture(torch.nn.Sequential(torch.nn.Linear(8, 8)).double(),
                   torch.randn(2, 3, 8).double()) == []


def test_through_inductor():
    module, x = Separate(), torch.randn(2, 200, 64)
    compiled = torch.compile(module, dynamic=True)
    counted = torch._inductor.config.pre_grad_custom_pass
    parameters = list(module.parameters())
    expected = torch.autograd.grad(module(x).square().mean(), parameters)
    found = torch.autograd.grad(compiled(x).square().mean(), parameters)
    assert counted.count == 2
    for ours, theirs in zip(found, expected):
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-6)
    other = torch.randn(2, 211, 64)
    torch.testing.assert_close(compiled(other), module(other), rtol=1e-4, atol=1e-5)
    assert counted.count == 2
