# Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""The custom ops of PyTorch: numbers, gradients, and what PyTorch does with ops."""

import gc
import os
import subprocess
import sys
import threading

import pytest
from hypothesis import HealthCheck, given, settings, strategies

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

import torch._dynamo.testing

import boostr.torch as bt

HEADS = {"num_heads": 4, "num_kv_heads": 2, "head_dim": 16}
DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
LIMITS = {torch.float64: 1e-13, torch.float32: 1e-5, torch.float16: 1e-3, torch.bfloat16: 8e-3}


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)
    torch._dynamo.reset()


def qkv_operands(device="cpu", dtype=torch.float32, hidden=64, requires_grad=False, tokens=(2, 5)):
    return [torch.randn(shape, dtype=torch.float64).to(device, dtype).requires_grad_(requires_grad)
            for shape in ((*tokens, hidden), (128, hidden), (128,))]


def out_proj_operands(device="cpu", dtype=torch.float32, requires_grad=False):
    return [torch.randn(shape, dtype=torch.float64).to(device, dtype).requires_grad_(requires_grad)
            for shape in ((2, 5, 64), (48, 64), (48,), (2, 5, 48))]


def qkv_reference(x, w, b):
    rows = torch.nn.functional.linear(x, w, b)
    return [part.unflatten(2, (-1, 16)).transpose(1, 2) for part in rows.split([64, 32, 32], dim=2)]


def out_proj_reference(attn, w, b, residual):
    return torch.nn.functional.linear(attn, w, b) + residual


def close(result, expected, dtype):
    assert result.dtype == dtype and result.shape == expected.shape
    error = (result.double() - expected.double()).abs().max()
    assert error <= LIMITS[dtype] * max(expected.abs().max(), 1)


def close_with_gradients(results, operands, expected, exact, dtype):
    """`results` of `operands` and their gradients, against those in float64."""
    cotangents = [torch.randn_like(r) for r in results]
    for r, e in zip(results, expected):
        assert r.is_contiguous()
        close(r, e, dtype)
    gradients = torch.autograd.grad(results, operands, cotangents)
    for g, e in zip(gradients, torch.autograd.grad(expected, exact,
                                                   [c.double() for c in cotangents])):
        close(g, e, dtype)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", list(LIMITS), ids=str)
def test_numbers_and_gradients(device, dtype):
    for make, ours, reference in (
            (qkv_operands, lambda *a: bt.fused_qkv(*a, **HEADS), qkv_reference),
            (out_proj_operands, lambda a, w, b, r: [bt.out_proj_residual(a, w, b, residual=r)],
             lambda *a: [out_proj_reference(*a)])):
        operands = make(device, dtype, requires_grad=True)
        exact = [o.detach().double().requires_grad_() for o in operands]
        close_with_gradients(ours(*operands), operands, reference(*exact), exact, dtype)


def test_gradcheck():
    x, w, b = qkv_operands(dtype=torch.float64, hidden=8, requires_grad=True, tokens=(2, 3))
    assert torch.autograd.gradcheck(lambda *a: bt.fused_qkv(*a, **HEADS), (x, w, b))
    small = [torch.randn(shape, dtype=torch.float64, requires_grad=True)
             for shape in ((2, 3, 8), (4, 8), (4,), (2, 3, 4))]
    assert torch.autograd.gradcheck(
        lambda a, w, b, r: bt.out_proj_residual(a, w, b, residual=r), small)


@pytest.mark.parametrize("device", DEVICES)
def test_opcheck(device):
    x, w, b = qkv_operands(device, requires_grad=True)
    ops = torch.ops.boostr
    torch.library.opcheck(ops.fused_qkv.default, (x, w, b, 4, 2, 16))
    torch.library.opcheck(ops.fused_qkv.default, (x, w, None, 4, 2, 16))
    q, k, v = (t.detach() for t in ops.fused_qkv(x, w, b, 4, 2, 16))
    torch.library.opcheck(ops.fused_qkv_grad.default,
                          (q, k, v, x.detach(), w.detach(), True, False, True))
    attn, w, b, residual = out_proj_operands(device, requires_grad=True)
    torch.library.opcheck(ops.out_proj_residual.default, (attn, w, b, residual))
    torch.library.opcheck(ops.out_proj_residual_grad.default,
                          (residual.detach(), attn.detach(), w.detach(), True, True, True))


def test_only_needed_gradients(monkeypatch):
    from boostr import _kernels
    asked = []
    original = _kernels.fused_qkv_grad

    def spy(element, hidden, heads, kv_heads, dim, wrt, *rest):
        asked.append(wrt)
        return original(element, hidden, heads, kv_heads, dim, wrt, *rest)

    monkeypatch.setattr(_kernels, "fused_qkv_grad", spy)
    x, w, b = qkv_operands(hidden=56)  # No other test has it, for each is asked for once.
    for needed in ((True, False, False), (False, True, True), (False, False, True)):
        operands = [t.detach().requires_grad_(n) for t, n in zip((x, w, b), needed)]
        sum(r.sum() for r in bt.fused_qkv(*operands, **HEADS)).backward()
        assert [t.grad is not None for t in operands] == list(needed)
    assert asked == [("input",), ("weight", "bias"), ("bias",)]


def attention(x, w, b):
    q, k, v = bt.fused_qkv(x, w, b, **HEADS)
    # PyTorch 2.4 has no enable_gqa.
    k, v = (t.repeat_interleave(2, dim=1) for t in (k, v))
    y = torch.nn.functional.scaled_dot_product_attention(q, k, v)
    return bt.out_proj_residual(y.transpose(1, 2).flatten(2), w[:64], residual=x)


def test_compile_with_dynamic_shapes():
    counter = torch._dynamo.testing.CompileCounterWithBackend("aot_eager")
    compiled = torch.compile(attention, fullgraph=True, dynamic=True, backend=counter)
    _, w, b = qkv_operands(requires_grad=True)
    for length in (5, 7, 40):
        x = torch.randn(2, length, 64, requires_grad=True)
        results = [f(x, w, b) for f in (attention, compiled)]
        torch.testing.assert_close(*results, rtol=0, atol=0)
        gradients = [torch.autograd.grad(r.square().sum(), (x, w, b)) for r in results]
        torch.testing.assert_close(*gradients, rtol=0, atol=0)
    assert counter.frame_count == 1


def test_functional_transforms():
    x, w, b = qkv_operands()

    def loss(w, x):
        return sum(r.square().sum() for r in bt.fused_qkv(x, w, b, **HEADS))

    def reference(w, x):
        return sum(r.square().sum() for r in qkv_reference(x, w, b))

    torch.testing.assert_close(torch.func.grad(loss)(w, x), torch.func.grad(reference)(w, x),
                               rtol=1e-4, atol=1e-4)
    many = torch.randn(3, *x.shape)
    if not hasattr(torch.library, "register_vmap"):
        pytest.skip("no rules for vmap of custom ops in this PyTorch")
    torch.testing.assert_close(*[torch.func.vmap(torch.func.grad(f), in_dims=(None, 0))(w, many)
                                 for f in (loss, reference)], rtol=1e-4, atol=1e-4)
    per_batch = torch.vmap(lambda x: bt.fused_qkv(x, w, b, **HEADS))(many)
    for i in range(3):
        for batched, alone in zip(per_batch, bt.fused_qkv(many[i], w, b, **HEADS)):
            torch.testing.assert_close(batched[i], alone)
    weights = torch.randn(2, *w.shape)
    torch.testing.assert_close(
        torch.vmap(lambda w: bt.fused_qkv(x, w, **HEADS)[0])(weights)[1],
        bt.fused_qkv(x, weights[1], **HEADS)[0])


def test_autocast():
    x, w, b = qkv_operands(requires_grad=True)
    attn, wo, bo, residual = out_proj_operands(requires_grad=True)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        q, *_ = bt.fused_qkv(x, w, b, **HEADS)
        y = bt.out_proj_residual(attn, wo, bo, residual=residual)
        narrow = bt.out_proj_residual(attn, wo, bo, residual=residual.bfloat16())
        expected = torch.nn.functional.linear(attn, wo, bo) + residual
    assert (q.dtype, y.dtype, narrow.dtype) == (torch.bfloat16, torch.float32, torch.bfloat16)
    torch.testing.assert_close(y, expected)
    q.sum().backward()
    assert w.grad.dtype == torch.float32


def test_checkpointing():
    x, w, b = qkv_operands(requires_grad=True)
    plain = torch.autograd.grad(attention(x, w, b).sum(), (x, w, b))
    again = torch.utils.checkpoint.checkpoint(attention, x, w, b, use_reentrant=False)
    torch.testing.assert_close(torch.autograd.grad(again.sum(), (x, w, b)), plain)


def strided(tensor, kind):
    """The same numbers, in another order in memory."""
    if kind == "transposed":
        return tensor.transpose(0, -1).contiguous().transpose(0, -1)
    if kind == "every other":
        return torch.stack([tensor, tensor], dim=-1)[..., 0]
    if kind == "offset":
        return torch.cat([tensor.flatten()[:1], tensor.flatten()])[1:].view(
            tensor.shape) if tensor.numel() else tensor
    return tensor


@pytest.mark.parametrize("device", DEVICES)
@settings(max_examples=40, deadline=None, suppress_health_check=[
    HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(strategies.sampled_from(list(LIMITS)), strategies.integers(0, 3), strategies.integers(0, 9),
       strategies.booleans(),
       strategies.tuples(*[strategies.sampled_from(["", "transposed", "every other", "offset"])] * 3),
       strategies.tuples(*[strategies.booleans()] * 3))
def test_shapes_strides_and_needed_gradients(device, dtype, batch, length, has_bias, kinds, needed):
    """Against float64, with tensors in any order, without elements, and any gradients."""
    # Memory of CUDA devices has to begin at multiples of 16 bytes.
    kinds = ["" if device == "cuda" and kind == "offset" else kind for kind in kinds]
    x, w, b = [strided(t, kind).detach().requires_grad_(is_needed) for t, kind, is_needed in zip(
        qkv_operands(device, dtype, tokens=(batch, length)), kinds, needed)]
    tensors = [x, w, b if has_bias else None]
    exact = [t if t is None else t.detach().double().requires_grad_(t.requires_grad)
             for t in tensors]
    results, expected = bt.fused_qkv(*tensors, **HEADS), qkv_reference(*exact)
    for result, e in zip(results, expected):
        close(result, e, dtype) if result.numel() else None
    wanted = [(t, e) for t, e in zip(tensors, exact) if t is not None and t.requires_grad]
    if not wanted:
        return
    cotangents = [torch.randn_like(r) for r in results]
    ours = torch.autograd.grad(results, [t for t, _ in wanted], cotangents)
    theirs = torch.autograd.grad(expected, [e for _, e in wanted],
                                 [c.double() for c in cotangents])
    for g, e in zip(ours, theirs):
        assert g.shape == e.shape
        close(g, e, dtype) if g.numel() else None


def test_tensors_that_are_not_contiguous():
    x, w, b = qkv_operands()
    other = x.transpose(0, 1).contiguous().transpose(0, 1)
    assert not other.is_contiguous()
    torch.testing.assert_close(bt.fused_qkv(other, w.t().contiguous().t(), b, **HEADS),
                               bt.fused_qkv(x, w, b, **HEADS))


def test_errors():
    x, w, b = qkv_operands()
    with pytest.raises(ValueError, match=r"w: expected \[128, 64\], got \[127, 64\]"):
        bt.fused_qkv(x, w[1:], b, **HEADS)
    with pytest.raises(TypeError, match="b: expected float32, as x has, got float64"):
        bt.fused_qkv(x, w, b.double(), **HEADS)
    with pytest.raises(ValueError, match="w: expected a tensor on cpu, as x is, got one on meta"):
        bt.fused_qkv(x, w.to("meta"), b, **HEADS)
    with pytest.raises(TypeError, match="x: expected float64, .*got int64"):
        bt.fused_qkv(x.long(), w.long(), **HEADS)
    with pytest.raises(TypeError, match="x: expected a torch.Tensor, got list"):
        bt.fused_qkv(x.tolist(), w, b, **HEADS)
    with pytest.raises(TypeError, match="b: expected a torch.Tensor, got int"):
        bt.fused_qkv(x, w, 3, **HEADS)
    with pytest.raises(TypeError, match="head_dim: expected a whole number, got float"):
        bt.fused_qkv(x, w, b, **{**HEADS, "head_dim": 16.0})
    import boostr
    with pytest.raises(ValueError, match="x: expected a tensor that requires no gradient"):
        boostr.fused_qkv(x.requires_grad_(), w, b, **HEADS)


@pytest.mark.parametrize("device", DEVICES)
def test_results_of_the_framework(device):
    """Compiled modules give tensors for tensors, where those are."""
    import boostr
    module = boostr.compile("""
func.func @twice(%x: tensor<?xbf16>) -> tensor<?xbf16> {
  %y = arith.addf %x, %x : tensor<?xbf16>
  return %y : tensor<?xbf16>
}""", target=device)
    y = module.twice(torch.ones(3, dtype=torch.bfloat16, device=device))
    assert isinstance(y, torch.Tensor) and (y.dtype, y.device.type) == (torch.bfloat16, device)
    assert y.tolist() == [2, 2, 2]
    out = torch.empty(3, dtype=torch.bfloat16, device=device)
    assert module.twice(y, out=out) is out and out.tolist() == [4, 4, 4]
    with pytest.raises(ValueError, match="argument 0 .*: expected shape|argument 0 .*element type"):
        module.twice(torch.ones(3, device=device))


@pytest.mark.parametrize("names", [("q_proj", "k_proj", "v_proj"), ("query", "key", "value")])
def test_modules_load_separate_projections(names):
    separate = torch.nn.ModuleDict({
        name: torch.nn.Linear(64, rows) for name, rows in zip(names, (64, 32, 32))})
    module = bt.FusedQKV(64, 4, 2, bias=True)
    module.load_state_dict(separate.state_dict())
    x = torch.randn(2, 5, 64)
    for result, (name, linear) in zip(module(x), separate.items()):
        expected = linear(x).unflatten(2, (-1, 16)).transpose(1, 2)
        torch.testing.assert_close(result, expected)


def test_modules_load_packed_projections():
    module = bt.FusedQKV(64, 4)
    weight = torch.randn(64, 192)
    module.load_state_dict({"c_attn.weight": weight})
    torch.testing.assert_close(module.weight.data, weight.t())
    module.load_state_dict({"qkv_proj.weight": weight.t()})
    torch.testing.assert_close(module.weight.data, weight.t())
    linear, out = torch.nn.Linear(64, 48), bt.OutProjResidual(64, 48, bias=True)
    out.load_state_dict(linear.state_dict())
    attn, residual = torch.randn(2, 5, 64), torch.randn(2, 5, 48)
    torch.testing.assert_close(out(attn, residual), linear(attn) + residual)
    with pytest.raises(ValueError, match="head_dim: expected a number"):
        bt.FusedQKV(10, 3)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_graph_and_streams():
    x, w, b = qkv_operands("cuda", torch.bfloat16, tokens=(2, 256))
    bt.fused_qkv(x, w, b, **HEADS)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        results = bt.fused_qkv(x, w, b, **HEADS)
    x.copy_(torch.randn_like(x))
    graph.replay()
    torch.testing.assert_close(results, bt.fused_qkv(x, w, b, **HEADS), rtol=0, atol=0)
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        elsewhere = bt.fused_qkv(x, w, b, **HEADS)
    side.synchronize()
    torch.testing.assert_close(elsewhere, results, rtol=0, atol=0)


def test_errors_of_the_bare_ops():
    """What the dispatcher passes on is in the words of the runtime; a ValueError, but a
    RuntimeError in PyTorch 2.15."""
    x, w, b = qkv_operands()
    op = torch.ops.boostr.fused_qkv
    for arguments, words in (
            ((x, w[1:], b, 4, 2, 16), "w: expected"), ((x[0], w, b, 4, 2, 16), "x: expected"),
            ((x, w, b.double(), 4, 2, 16), "'b'.*f32.*f64|b: expected"),
            ((x.long(), w.long(), None, 4, 2, 16), "x: expected"),
            ((x, w, b, 10, -1, 16), "num_kv_heads: expected at least 1, got -1")):
        with pytest.raises((ValueError, TypeError, RuntimeError), match=words):
            op(*arguments)
    attn, w, b, residual = out_proj_operands()
    with pytest.raises(ValueError, match=r"residual: expected \[2, 5, 48\], got \[2, 4, 48\]"):
        bt.out_proj_residual(attn, w, b, residual=residual[:, 1:])
    with pytest.raises((ValueError, RuntimeError), match="'residual'|residual: expected"):
        torch.ops.boostr.out_proj_residual(attn, w, b, residual[:, 1:])


@pytest.mark.skipif("ASAN_OPTIONS" in os.environ, reason="AddressSanitizer ends the process")
def test_memory_that_is_not_there():
    """Of 2^48 bytes for a copy in C order."""
    x, w, b = qkv_operands()
    with pytest.raises(RuntimeError, match="out of memory|can't allocate memory"):
        bt.fused_qkv(x[:1, :1].expand(2**40, 1, 64), w, b, **HEADS)


def test_function_modes_see_the_op():
    class Mode(torch.overrides.TorchFunctionMode):
        def __torch_function__(self, function, types, arguments=(), options=None):
            seen.append(function)
            return function(*arguments, **(options or {}))

    seen = []
    x, w, b = qkv_operands(requires_grad=True)
    with Mode():
        q, *_ = bt.fused_qkv(x, w, b, **HEADS)
    assert torch.ops.boostr.fused_qkv.default in seen and q.requires_grad


def test_tensors_that_a_transform_left_behind():
    x, w, b = qkv_operands()
    left = []
    torch.func.grad(lambda t: (left.append(t), t.sum())[1])(x)
    w.requires_grad_()
    torch.testing.assert_close(bt.fused_qkv(left[0], w, b, **HEADS),
                               bt.fused_qkv(x, w, b, **HEADS))


def test_threads_at_once():
    """Of one process, in forward and backward, with kernels that are new to all of them."""
    x, w, b = qkv_operands(hidden=72, requires_grad=True)
    expected = [e.detach() for e in qkv_reference(x, w, b)]
    wrong = []

    def work():
        for _ in range(20):
            results = bt.fused_qkv(x, w, b, **HEADS)
            torch.autograd.grad([r.sum() for r in results], (x, w, b))
            if not all(torch.allclose(r, e, atol=1e-4) for r, e in zip(results, expected)):
                wrong.append(1)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_memory_does_not_grow():
    x, w, b = qkv_operands()
    trained = w.clone().requires_grad_()

    def call():
        bt.fused_qkv(x, w, b, **HEADS)
        bt.fused_qkv(x.transpose(0, 1), trained, b, **HEADS)[0].sum().backward()
        trained.grad = None

    def pages():
        gc.collect()
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[1])

    for _ in range(500):
        call()
    before = pages()
    for _ in range(5_000):
        call()
    assert pages() - before < 300


def test_older_versions_of_pytorch():
    """Without PyTorch's stable interface kernels are Python functions; all else is the same."""
    program = """
from boostr import _core
_core.register_torch_kernels = lambda *functions: []
import torch, boostr.torch as bt
x, w, b = (torch.randn(s) for s in ((2, 5, 64), (128, 64), (128,)))
w.requires_grad_()
options = {"num_heads": 4, "num_kv_heads": 2, "head_dim": 16}
q, k, v = bt.fused_qkv(x.transpose(0, 1), w, b, **options)
y = torch.nn.functional.linear(x.transpose(0, 1), w, b)
expected = y[..., :64].unflatten(2, (4, 16)).transpose(1, 2)
torch.testing.assert_close(q, expected)
ours, theirs = (torch.autograd.grad(r.square().sum(), w)[0] for r in (q, expected))
torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)
attn, wo, residual = (torch.randn(s) for s in ((2, 5, 64), (48, 64), (2, 5, 48)))
y = bt.out_proj_residual(attn, wo.requires_grad_(), residual=residual)
torch.testing.assert_close(y, attn @ wo.T + residual)
y.sum().backward()
for call, words in ((lambda: bt.fused_qkv(x, w[1:], b, **options), "w: expected [128, 64], got [127, 64]"),
                    (lambda: bt.fused_qkv(x.long(), w.long(), **options), "bfloat16, got int64")):
    try:
        call()
        raise SystemExit("no error")
    except (ValueError, TypeError) as error:
        assert words in str(error), error
torch.library.opcheck(torch.ops.boostr.fused_qkv.default, (x, w, b, 4, 2, 16))
"""
    run = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True,
                         text=True, env=os.environ)
    assert run.returncode == 0, run.stderr
