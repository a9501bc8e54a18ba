# Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""The ops in JAX: numbers, gradients, and what JAX does with functions."""

import functools
import json
import os
import subprocess
import sys
import threading

import pytest

jax = pytest.importorskip("jax", reason="JAX is not installed")
jax.config.update("jax_enable_x64", True)

import boostr.jax as bj
import jax.export
import jax.numpy as jnp
import numpy as np
from jax.test_util import check_grads

PLATFORM = "gpu" if os.environ.get("BOOSTR_TEST_TARGET") == "cuda" else "cpu"
HEADS = {"num_heads": 4, "num_kv_heads": 2, "head_dim": 16}
LIMITS = {"float64": 1e-13, "float32": 1e-5, "float16": 1e-3, "bfloat16": 8e-3}


@pytest.fixture(autouse=True)
def on_device():
    if PLATFORM == "cpu":
        jax.config.update("jax_platforms", "cpu")
    device = jax.devices(PLATFORM)[0]
    with jax.default_device(device):
        yield


def arrays(dtype, *shapes):
    generator = np.random.default_rng(hash(shapes) % 2**32)
    return [jnp.asarray(generator.standard_normal(shape), dtype) for shape in shapes]


def qkv_operands(dtype="float32", hidden=64, tokens=(2, 5)):
    return arrays(dtype, (*tokens, hidden), (128, hidden), (128,))


def out_proj_operands(dtype="float32", tokens=(2, 5)):
    return arrays(dtype, (*tokens, 64), (48, 64), (48,), (*tokens, 48))


def qkv_reference(x, w, b=None):
    rows = jnp.einsum("bsk,nk->bsn", x, w, precision="highest")
    rows = rows if b is None else rows + b
    return tuple(part.reshape(*part.shape[:2], -1, 16).transpose(0, 2, 1, 3)
                 for part in jnp.split(rows, (64, 96), axis=2))


def out_proj_reference(attn, w, b, residual):
    y = jnp.einsum("bsk,nk->bsn", attn, w, precision="highest") + residual
    return y if b is None else y + b


def fused_qkv(x, w, b=None):
    return bj.fused_qkv(x, w, b, **HEADS)


def out_proj(attn, w, b, residual):
    return bj.out_proj_residual(attn, w, b, residual=residual)


def wide(tree):
    return jax.tree.map(lambda a: np.asarray(a).astype(np.float64), tree)


def close(results, expected, dtype):
    results, expected = jax.tree.leaves(results), jax.tree.leaves(expected)
    assert len(results) == len(expected)
    for result, exact in zip(results, expected):
        exact = np.asarray(exact, np.float64)
        assert result.dtype == dtype and result.shape == exact.shape
        if exact.size:
            error = np.abs(wide(result) - exact).max()
            assert error <= LIMITS[dtype] * max(np.abs(exact).max(), 1)


CASES = [(qkv_operands, fused_qkv, qkv_reference), (out_proj_operands, out_proj, out_proj_reference)]


@pytest.mark.parametrize("has_bias", [True, False])
@pytest.mark.parametrize("dtype", list(LIMITS))
@pytest.mark.parametrize("make, ours, reference", CASES, ids=["qkv", "out_proj"])
def test_numbers_and_gradients(make, ours, reference, dtype, has_bias):
    operands = make(dtype)
    if not has_bias:
        operands[2] = None
    exact = [o if o is None else o.astype("float64") for o in operands]
    numbers = tuple(i for i, o in enumerate(operands) if o is not None)
    results, expected = ours(*operands), reference(*exact)
    close(results, expected, dtype)
    cotangents = jax.tree.map(lambda r: arrays(dtype, (3, *r.shape))[0][1], results)

    def loss(function, cotangents):
        def run(*operands):
            products = jax.tree.map(lambda r, c: (r.astype("float64") * c).sum(),
                                    function(*operands), cotangents)
            return sum(jax.tree.leaves(products))
        return run

    gradients = jax.grad(loss(ours, cotangents), numbers)(*operands)
    close(gradients, jax.grad(loss(reference, cotangents), numbers)(*exact), dtype)
    close(jax.jit(jax.grad(loss(ours, cotangents), numbers))(*operands), gradients, dtype)


@pytest.mark.parametrize("dtype", list(LIMITS))
def test_gradient_ops(dtype):
    x, w, b = qkv_operands(dtype)
    dqkv = arrays(dtype, (2, 4, 5, 16), (2, 2, 5, 16), (3, 2, 2, 5, 16))
    dqkv[2] = dqkv[2][0]
    exact = [a.astype("float64") for a in (x, w, b)]
    _, pull = jax.vjp(qkv_reference, *exact)
    expected = pull(tuple(d.astype("float64") for d in dqkv))
    close(bj.fused_qkv_grad(*dqkv, x, w), expected, dtype)
    dx, dw, db = bj.fused_qkv_grad(*dqkv, x, w, weight=False)
    assert dw is None
    close((dx, db), (expected[0], expected[2]), dtype)

    attn, w, b, residual = out_proj_operands(dtype)
    exact = [a.astype("float64") for a in (attn, w, b, residual)]
    _, pull = jax.vjp(out_proj_reference, *exact)
    expected = pull(exact[3])[:3]
    close(bj.out_proj_residual_grad(residual, attn, w), expected, dtype)
    close(bj.out_proj_residual_grad(residual, attn, w, input=False, bias=False)[1], expected[1],
          dtype)


@pytest.mark.parametrize("make, ours", [case[:2] for case in CASES], ids=["qkv", "out_proj"])
def test_check_grads(make, ours):
    # By central differences, along random directions.
    check_grads(ours, make("float64", tokens=(2, 3)), order=2, modes=["rev"])
    check_grads(jax.jit(ours), make("float64", tokens=(1, 2)), order=1, modes=["rev"])


@pytest.mark.parametrize("make, ours, reference", CASES, ids=["qkv", "out_proj"])
def test_second_derivatives(make, ours, reference):
    operands = make("float64")

    def penalty(function, i):
        loss = lambda *operands: sum((r ** 3).sum() for r in jax.tree.leaves(function(*operands)))
        return lambda *operands: (jax.grad(loss, i)(*operands) ** 2).sum()

    for i in range(3):
        ours_, expected = (jax.jit(jax.grad(penalty(f, i), (0, 1, 2)))(*operands)
                           for f in (ours, reference))
        for result, exact in zip(ours_, expected):
            np.testing.assert_allclose(result, exact, rtol=1e-9, atol=1e-9 * abs(exact).max())


@pytest.fixture
def compiled():
    """The functions that the handlers ask for, in order."""
    from boostr.jax import _calls
    names = []

    def spy(name, target):
        names.append(json.loads(name))
        return _calls._compile(name, target)

    _calls._core.jax_handlers(spy)
    yield names
    _calls._core.jax_handlers(_calls._compile)


def test_lengths_share_a_kernel(compiled):
    step = jax.jit(jax.grad(lambda w, x: sum(r.sum() for r in bj.fused_qkv(
        x, w, num_heads=3, num_kv_heads=1, head_dim=4))))
    w = arrays("float32", (20, 24))[0]
    for batch, length in ((1, 3), (2, 7), (5, 1), (1, 64)):
        x = arrays("float32", (batch, length, 24))[0]
        expected = np.repeat(np.asarray(x).sum((0, 1))[None], 20, axis=0)
        np.testing.assert_allclose(step(w, x), expected, rtol=1e-4, atol=1e-4)
    # The results of the forward function are not used, so XLA leaves it out.
    assert [name for name in compiled if name[0] == "fused_qkv_grad"] == [
        ["fused_qkv_grad", "f32", 24, 3, 1, 4, ["weight"]]]


def test_only_wanted_gradients():
    x, w, b = qkv_operands()
    loss = lambda *operands: sum(r.sum() for r in fused_qkv(*operands))
    for wanted, names in (((0,), "input"), ((1, 2), "weight bias"), ((2,), "bias")):
        text = jax.jit(jax.grad(loss, wanted)).lower(x, w, b).as_text()
        for name in ("input", "weight", "bias"):
            assert (f'{name}\\' in text or f'{name}"' in text) == (name in names.split()), text
    attn, w, b, residual = out_proj_operands()
    gradient = jax.grad(lambda r: out_proj(attn, w, b, r).sum())
    assert "out_proj_residual_grad" not in jax.jit(gradient).lower(residual).as_text()
    np.testing.assert_array_equal(gradient(residual), 1)


def test_nothing_is_copied():
    """XLA finds that the parts of a packed weight, as devices would get them, are all of it."""
    x, w, b = qkv_operands()
    step = jax.grad(lambda *operands: sum(r.sum() for r in fused_qkv(*operands)), (0, 1, 2))
    for function in (fused_qkv, step):
        text = jax.jit(function).lower(x, w, b).compile().as_text()
        assert "boostr_call" in text
        assert not any(f" {op}(" in text for op in ("concatenate", "slice", "copy", "transpose"))


def test_one_result_of_three():
    x, w, b = qkv_operands("float64")
    for i in range(3):
        gradients = [jax.grad(lambda *o: (f(*o)[i] ** 2).sum(), (0, 1, 2))(x, w, b)
                     for f in (fused_qkv, qkv_reference)]
        close(*gradients, "float64")


@pytest.mark.parametrize("transform", [lambda f: f, jax.jit], ids=["eager", "jit"])
def test_vmap(transform):
    x, w, b = qkv_operands("float64", tokens=(3, 2, 5))
    for axes in ((0, None, None), (1, None, None), (2, None, None)):
        ours, expected = (jax.vmap(f, axes)(x, w, b) for f in (transform(fused_qkv), qkv_reference))
        close(ours, expected, "float64")
    ws, bs = jnp.stack([w, 2 * w, -w]), jnp.stack([b, 2 * b, -b])
    for axes, operands in (((0, 0, None), (x, ws, b)), ((0, 0, 0), (x, ws, bs)),
                           ((None, 0, None), (x[0], ws, b)), ((0, None, 0), (x, w, bs))):
        ours, expected = (transform(jax.vmap(f, axes))(*operands)
                          for f in (fused_qkv, qkv_reference))
        close(ours, expected, "float64")
    attn, w, b, residual = out_proj_operands("float64", (3, 2, 5))
    for axes, operands in (((0, None, None, 0), (attn, w, b, residual)),
                           ((0, None, None, None), (attn, w, b, residual[0])),
                           ((None, 0, None, None), (attn[0], jnp.stack([w, 2 * w]), b,
                                                    residual[0]))):
        ours, expected = (transform(jax.vmap(f, axes))(*operands)
                          for f in (out_proj, out_proj_reference))
        close(ours, expected, "float64")


def test_vmap_of_a_batch_is_one_call():
    x, w, b = qkv_operands(tokens=(3, 2, 5))
    text = jax.jit(jax.vmap(fused_qkv, (0, None, None))).lower(x, w, b).as_text()
    assert "6x5x64" in text and "while" not in text


def test_vmap_and_grad():
    x, w, b = qkv_operands("float64", tokens=(3, 2, 5))
    loss = lambda f: lambda x, w, b: sum((r ** 2).sum() for r in f(x, w, b))
    # Each choice after others: none may take over what was traced for another.
    for numbers in ((1,), (0,), (0, 1, 2), (2,), (0,)):
        per_example = [jax.vmap(jax.grad(loss(f), numbers), (0, None, None))(x, w, b)
                       for f in (fused_qkv, qkv_reference)]
        close(*per_example, "float64")
        of_all = [jax.grad(loss(jax.vmap(f, (0, None, None))), numbers)(x, w, b)
                  for f in (fused_qkv, qkv_reference)]
        close(*of_all, "float64")
        shared = jax.jit(fused_qkv)
        close(jax.jit(jax.grad(loss(jax.vmap(shared, (0, None, None))), numbers))(x, w, b),
              of_all[1], "float64")


def test_checkpoint_and_scan():
    _, w, b = qkv_operands("float64")
    x, = arrays("float64", (2, 5, 64))
    wo = arrays("float64", (64, 64))[0]

    def layer(qkv, project, x):
        q, k, v = qkv(x, w, b)
        k, v = (jnp.repeat(a, 2, axis=1) for a in (k, v))
        scores = jax.nn.softmax(q @ k.swapaxes(2, 3) / 4)
        context = (scores @ v).transpose(0, 2, 1, 3).reshape(x.shape)
        return project(context, wo, None, x)

    def loss(qkv, project, x):
        body = jax.checkpoint(functools.partial(layer, qkv, project))
        x, _ = jax.lax.scan(lambda x, _: (jnp.tanh(body(x)), None), x, length=2)
        return (x ** 2).sum()

    ours = jax.grad(functools.partial(loss, fused_qkv, out_proj))(x)
    expected = jax.grad(functools.partial(loss, qkv_reference, out_proj_reference))(x)
    np.testing.assert_allclose(ours, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("tokens", [(0, 5), (2, 0), (0, 0)])
def test_zero_extents(tokens):
    x, w, b = qkv_operands(tokens=tokens)
    assert [r.shape for r in fused_qkv(x, w, b)] == [
        (tokens[0], h, tokens[1], 16) for h in (4, 2, 2)]
    loss = lambda f, *o: sum(jnp.sum(r) for r in jax.tree.leaves(f(*o)))
    dx, dw, db = jax.grad(functools.partial(loss, fused_qkv), (0, 1, 2))(x, w, b)
    assert dx.shape == x.shape and not dw.any() and not db.any()
    attn, w, b, residual = out_proj_operands(tokens=tokens)
    assert out_proj(attn, w, b, residual).shape == residual.shape
    d_attn, dw, db = jax.grad(functools.partial(loss, out_proj), (0, 1, 2))(attn, w, b, residual)
    assert d_attn.shape == attn.shape and not dw.any() and not db.any()


def test_numpy_arrays_and_other_layouts():
    x, w, b = qkv_operands("float32")
    expected = fused_qkv(x, w, b)
    close(fused_qkv(*map(np.asarray, (x, w, b))), wide(expected), "float32")
    turned = jax.jit(lambda xt, wt: fused_qkv(xt.T, wt.T, b))(x.T, w.T)
    close(turned, wide(expected), "float32")


@pytest.mark.parametrize("transform", [lambda f: f, jax.jit], ids=["eager", "jit"])
def test_errors(transform):
    x, w, b = qkv_operands()
    qkv = transform(fused_qkv)
    for operands, kind, words in (
            ((x[0], w, b), ValueError, r"x: expected \[batch, sequence, hidden\], got \[5, 64\]"),
            ((x, w[:, :63], b), ValueError, r"w: expected \[128, 64\], got \[128, 63\]"),
            ((x, w, b[:5]), ValueError, r"b: expected \[128\], got \[5\]"),
            ((x, w.astype("float16"), b), TypeError,
             "w: expected float32, as x has, got float16"),
            ((x.astype(int), w, b), TypeError,
             "x: expected float64, float32, float16 or bfloat16, got int64")):
        with pytest.raises(kind, match=words):
            qkv(*operands)
    attn, w, b, residual = out_proj_operands()
    with pytest.raises(ValueError, match=r"residual: expected \[2, 5, 48\], got \[2, 5, 47\]"):
        transform(out_proj)(attn, w, b, residual[:, :, 1:])
    with pytest.raises(ValueError, match=r"attn: expected \[2, 5, 64\], got \[2, 4, 64\]"):
        bj.out_proj_residual_grad(residual, attn[:, 1:], w)


def test_errors_of_settings():
    x, w, b = qkv_operands()
    with pytest.raises(TypeError, match="x: expected an array, got list"):
        fused_qkv([1.0], w, b)
    with pytest.raises(ValueError, match="num_heads: expected at least 1, got 0"):
        bj.fused_qkv(x, w, num_heads=0, num_kv_heads=2, head_dim=16)
    with pytest.raises(TypeError, match="head_dim: expected a whole number"):
        jax.jit(lambda d: bj.fused_qkv(x, w, num_heads=4, num_kv_heads=2, head_dim=d))(16)
    with pytest.raises(ValueError, match="expected at least one of input, weight, bias"):
        bj.fused_qkv_grad(x, x, x, x, w, input=False, weight=False, bias=False)


def test_errors_of_the_handler():
    """What only a broken or foreign program can bring about is an exception, too."""
    from boostr.jax import _calls
    x = arrays("float32", (2, 5, 64))[0]
    run = lambda name, *operands: jax.block_until_ready(jax.ffi.ffi_call(
        _calls._TARGET, [jax.ShapeDtypeStruct((2, 5, 48), x.dtype)])(*operands, function=name))
    with pytest.raises(Exception, match="cannot compile .*ValueError: expected one of fused_qkv"):
        run('["open", "/"]', x)
    with pytest.raises(Exception, match="cannot compile .*JSONDecodeError"):
        run("nonsense", x)
    with pytest.raises(Exception, match=r"dimension|expected .* got"):
        run('["out_proj_residual", "f32", 48, 64, false]', x, x, x)


def run_python(program, **environment):
    return subprocess.run([sys.executable, "-c", program], check=False, capture_output=True,
                          text=True, env={**os.environ, **environment})


def test_executables_of_another_process(tmp_path):
    """A cached program names its functions, so a process that never traced it can run it."""
    program = """
import os, pickle, jax, numpy as np, boostr.jax as bj
from jax.experimental import serialize_executable as se
x, w = np.ones((2, 3, 8), np.float32), np.ones((16, 8), np.float32)
f = lambda x, w: bj.fused_qkv(x, w, num_heads=2, num_kv_heads=1, head_dim=4)
if "WRITE" in os.environ:
    compiled = jax.jit(f).lower(x, w).compile()
    pickle.dump(se.serialize(compiled), open("PATH", "wb"))
else:
    q, k, v = se.deserialize_and_load(*pickle.load(open("PATH", "rb")))(x, w)
    assert q.shape == (2, 2, 3, 4) and all((a == 8).all() for a in (q, k, v))
""".replace("PATH", str(tmp_path / "program"))
    for environment in ({"WRITE": "1"}, {}):
        run = run_python(program, **environment)
        assert run.returncode == 0, run.stderr


def test_export_with_symbolic_shapes():
    step = jax.grad(lambda x, w: sum((r ** 2).sum() for r in fused_qkv(x, w)), (0, 1))
    x, w, _ = qkv_operands("float64")
    any_tokens = jax.ShapeDtypeStruct(jax.export.symbolic_shape("b, s, 64"), x.dtype)
    exported = jax.export.export(
        jax.jit(step),
        disabled_checks=[jax.export.DisabledSafetyCheck.custom_call("boostr_call")],
    )(any_tokens, w)
    close(exported.call(x, w), step(x, w), "float64")


def test_import_is_lazy():
    run = run_python("import sys, boostr; print('jax' in sys.modules); import boostr.jax; "
                     "print('jax' in sys.modules, 'torch' in sys.modules)")
    assert run.stdout.split() == ["False", "True", "False"], run.stderr


def test_built_without():
    run = run_python("import boostr._core as core; del core.jax_handlers; import boostr.jax")
    assert run.returncode != 0
    assert "ImportError: boostr was built without boostr.jax" in run.stderr


def test_built_for_a_newer_xla():
    run = run_python("import boostr._core as core; core.xla_ffi_version = (0, 99); "
                     "import boostr.jax")
    assert run.returncode != 0
    assert "ImportError: boostr.jax: expected a JAX whose XLA FFI is of version 0.99" in run.stderr


@pytest.mark.parametrize("order", ["torch jax", "jax torch"])
def test_with_torch_in_one_process(order):
    pytest.importorskip("torch", reason="PyTorch is not installed")
    uses = {
        "torch": """
import torch, boostr.torch as bt
y = bt.out_proj_residual(torch.ones(1, 3, 8), torch.ones(4, 8), residual=torch.ones(1, 3, 4))
assert (y == 9).all()
""",
        "jax": """
import jax, jax.numpy as jnp, boostr.jax as bj
y = bj.out_proj_residual(jnp.ones((1, 3, 8)), jnp.ones((4, 8)), residual=jnp.ones((1, 3, 4)))
assert (y == 9).all()
"""}
    run = run_python("".join(uses[name] for name in [*order.split(), *order.split()]))
    assert run.returncode == 0, run.stderr


def test_workspace_is_xlas():
    """Of few tiles and many steps, which blocks share by way of a workspace."""
    if PLATFORM != "gpu":
        pytest.skip("needs a GPU")
    device = jax.devices(PLATFORM)[0]
    if "num_allocs" not in (device.memory_stats() or {}):
        pytest.skip("XLA's allocator does not count")
    grad = jax.jit(lambda *o: bj.out_proj_residual_grad(*o, input=False))

    def count(tokens):
        dy, attn, w = arrays("bfloat16", (2, tokens, 512), (2, tokens, 256), (512, 256))
        for _ in range(2):  # The first call compiles.
            jax.block_until_ready((dy, attn, w))
            before = device.memory_stats()["num_allocs"]
            _, dw, db = jax.block_until_ready(grad(dy, attn, w))
            number = device.memory_stats()["num_allocs"] - before
        close((dw, db), (np.einsum("bsn,bsk->nk", wide(dy), wide(attn)), wide(dy).sum((0, 1))),
              "bfloat16")
        return number

    assert count(9000) > count(8)


def test_two_devices_at_once():
    """Each thread a device: results are there, and right."""
    devices = jax.devices(PLATFORM)[:2] if PLATFORM == "gpu" else []
    if len(devices) < 2:
        pytest.skip(f"needs two GPUs, found {len(devices)}")
    loss = lambda function: lambda *o: sum((part ** 2).sum() for part in function(*o))
    gradient = jax.jit(jax.grad(loss(fused_qkv), (0, 1, 2)))
    failures = []

    def work(device):
        try:
            for tokens in (1, 7, 130, 300):
                operands = jax.device_put(qkv_operands("float64", tokens=(2, tokens)), device)
                results = [*fused_qkv(*operands), *jax.jit(fused_qkv)(*operands), *gradient(*operands)]
                expected = [*qkv_reference(*operands) * 2,
                            *jax.grad(loss(qkv_reference), (0, 1, 2))(*operands)]
                for result, exact in zip(results, expected):
                    assert result.devices() == {device}
                    np.testing.assert_allclose(result, exact, rtol=1e-10, atol=1e-10)
        except Exception as error:  # Told by the main thread.
            failures.append(error)

    threads = [threading.Thread(target=work, args=(device,)) for device in devices * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, failures[0]


def test_independent_calls_at_once():
    """Many calls in one program, which XLA runs on the threads that they take, too."""
    x, w, b = qkv_operands(tokens=(2, 300))

    @jax.jit
    def run(x, w):
        parts = [fused_qkv(x + i, w) for i in range(16)]
        return sum(sum(r.sum() for r in part) for part in parts)

    expected = sum(float(sum(r.sum() for r in qkv_reference(x + i, w))) for i in range(16))
    for _ in range(10):
        np.testing.assert_allclose(run(x, w), expected, rtol=1e-3)
