# Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Sharded arrays in JAX: the numbers, and what the devices send each other.

Four devices are made of this machine's CPU. With BOOSTR_TEST_TARGET=cuda, where there are two GPUs
or more, two or four of these serve.
"""

import os
import re

import pytest

os.environ["XLA_FLAGS"] = (os.environ.get("XLA_FLAGS", "")
                           + " --xla_force_host_platform_device_count=4")
jax = pytest.importorskip("jax", reason="JAX is not installed")
jax.config.update("jax_enable_x64", True)

import boostr.jax as bj
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec as P

if os.environ.get("BOOSTR_TEST_TARGET") != "cuda":
    jax.config.update("jax_platforms", "cpu")
DEVICES = jax.devices()
if len(DEVICES) < (2 if DEVICES[0].platform == "gpu" else 4):
    DEVICES = jax.devices("cpu")
    if len(DEVICES) < 4:
        pytest.skip("expected 4 devices; the CPU was made one before", allow_module_level=True)
# As many as there are of those that tests are written for.
DEVICES = DEVICES[:4] if len(DEVICES) >= 4 else DEVICES[:2]
COUNT = len(DEVICES)

HEADS = {"num_heads": 8, "num_kv_heads": 4, "head_dim": 16}
ROWS = 16 * 16
COLLECTIVES = r"(all-gather|all-reduce|reduce-scatter|collective-permute|all-to-all)(?:-start)?\("


@pytest.fixture(params=[True, False], ids=["shardy", "gspmd"])
def partitioner(request):
    if not hasattr(jax.config, "jax_use_shardy_partitioner"):
        pytest.skip("this JAX has one partitioner")
    before = jax.config.jax_use_shardy_partitioner
    jax.config.update("jax_use_shardy_partitioner", request.param)
    yield
    jax.config.update("jax_use_shardy_partitioner", before)


def mesh_of(*extents):
    return Mesh(np.array(DEVICES).reshape(extents), ("x", "y")[:len(extents)])


def arrays(*shapes):
    generator = np.random.default_rng(0)
    return [generator.standard_normal(shape) for shape in shapes]


def qkv(x, w, b):
    return bj.fused_qkv(x, w, b, **HEADS)


def qkv_reference(x, w, b):
    rows = jnp.einsum("bsk,nk->bsn", x, w) + b
    return tuple(part.reshape(*part.shape[:2], -1, 16).transpose(0, 2, 1, 3)
                 for part in jnp.split(rows, (128, 192), axis=2))


def out_proj(attn, w, b, residual):
    return bj.out_proj_residual(attn, w, b, residual=residual)


def out_proj_reference(attn, w, b, residual):
    return jnp.einsum("bsp,np->bsn", attn, w) + b + residual


def qkv_grad(dq, dk, dv, x, w):
    return bj.fused_qkv_grad(dq, dk, dv, x, w)


def qkv_grad_reference(dq, dk, dv, x, w):
    dy = jnp.concatenate([d.transpose(0, 2, 1, 3).reshape(*x.shape[:2], -1)
                          for d in (dq, dk, dv)], axis=2)
    return dy @ w, jnp.einsum("bsn,bsk->nk", dy, x), dy.sum((0, 1))


def out_proj_grad_reference(dy, attn, w):
    return dy @ w, jnp.einsum("bsn,bsp->np", dy, attn), dy.sum((0, 1))


QKV = arrays((4, 8, 32), (ROWS, 32), (ROWS,))
QKV_GRAD = arrays((4, 8, 8, 16), (4, 4, 8, 16), (4, 4, 8, 16), (4, 8, 32), (ROWS, 32))
OUT_PROJ = arrays((4, 8, 32), (64, 32), (64,), (4, 8, 64))
OUT_PROJ_GRAD = arrays((4, 8, 64), (4, 8, 32), (64, 32))


def close(result, expected):
    assert np.abs(np.asarray(result) - expected).max() <= 1e-12 * np.abs(expected).max()


def run(function, reference, operands, mesh, specs, out_specs=None):
    """Checks the numbers; returns the collectives of the program, and how results are sharded."""
    placed = [jax.device_put(o, NamedSharding(mesh, s)) for o, s in zip(operands, specs)]
    out = out_specs and jax.tree.map(lambda s: NamedSharding(mesh, s), out_specs,
                                     is_leaf=lambda s: isinstance(s, P))
    with mesh:
        compiled = jax.jit(function, out_shardings=out).lower(*placed).compile()
        results = compiled(*placed)
    for result, expected in zip(jax.tree.leaves(results),
                                jax.tree.leaves(reference(*operands))):
        close(result, expected)
    # A vector, as the gradient of a bias, may go to all devices in the end.
    text = re.sub(r"= \(?f64\[\d+\]\{0\}[^=]* all-gather.*", "", compiled.as_text())
    return sorted(re.findall(COLLECTIVES, text)), [tuple(r.sharding.spec) for r in jax.tree.leaves(results)]


# The op, how its operands are sharded, and the collectives that this takes.
NOTHING, SUM = set(), {"all-reduce"}
# What Shardy may do besides: it takes the rows of a packed weight for sharded as they lie, also
# when all devices have the weight, and then moves them to their heads.
ROWS_MOVE = {"collective-permute"}
CASES = {
    "qkv batch": (qkv, qkv_reference, QKV, (P("x"), P(), P()), NOTHING),
    "qkv sequence": (qkv, qkv_reference, QKV, (P(None, "x"), P(), P()), NOTHING),
    "qkv hidden": (qkv, qkv_reference, QKV, (P(None, None, "x"), P(None, "x"), P()), SUM),
    "qkv grad batch": (qkv_grad, qkv_grad_reference, QKV_GRAD,
                       (P("x"),) * 4 + (P(),), SUM),
    "qkv grad sequence": (qkv_grad, qkv_grad_reference, QKV_GRAD,
                          (P(None, None, "x"),) * 3 + (P(None, "x"), P()), SUM),
    "qkv grad hidden": (qkv_grad, qkv_grad_reference, QKV_GRAD,
                        (P(),) * 3 + (P(None, None, "x"), P(None, "x")), NOTHING),
    "qkv grad heads": (lambda *o: bj.fused_qkv_grad(*o, weight=False, bias=False)[0],
                       lambda *o: qkv_grad_reference(*o)[0], QKV_GRAD,
                       (P(None, "x"),) * 3 + (P(), P()), SUM | ROWS_MOVE),
    "out_proj batch": (out_proj, out_proj_reference, OUT_PROJ, (P("x"), P(), P(), P("x")),
                       NOTHING),
    "out_proj features": (out_proj, out_proj_reference, OUT_PROJ,
                          (P(), P("x"), P("x"), P(None, None, "x")), NOTHING),
    "out_proj width": (out_proj, out_proj_reference, OUT_PROJ,
                       (P(None, None, "x"), P(None, "x"), P(), P()), SUM),
    "out_proj grad batch": (bj.out_proj_residual_grad, out_proj_grad_reference, OUT_PROJ_GRAD,
                            (P("x"), P("x"), P()), SUM),
    "out_proj grad features": (bj.out_proj_residual_grad, out_proj_grad_reference,
                               OUT_PROJ_GRAD, (P(None, None, "x"), P(), P("x")), SUM),
    "out_proj grad width": (bj.out_proj_residual_grad, out_proj_grad_reference, OUT_PROJ_GRAD,
                            (P(), P(None, None, "x"), P(None, "x")), NOTHING),
}


@pytest.mark.parametrize("case", list(CASES))
def test_one_axis(partitioner, case):
    function, reference, operands, specs, expected = CASES[case]
    found, shardings = run(function, reference, operands, mesh_of(COUNT), specs)
    assert set(found) - ROWS_MOVE == expected - ROWS_MOVE
    assert ROWS_MOVE <= expected or not ROWS_MOVE & set(found)
    # Results stay where they are computed.
    assert any("x" in spec for spec in shardings) or expected


def test_heads(partitioner):
    """Whole heads of each kind for each device, from a weight that all have."""
    found, shardings = run(qkv, qkv_reference, QKV, mesh_of(COUNT), (P(), P(), P()),
                           (P(None, "x"),) * 3)
    assert set(found) <= ROWS_MOVE
    assert [s[1] for s in shardings] == ["x"] * 3


def test_rows_of_a_packed_weight(partitioner):
    """Rows move to the devices of their heads; no device gets all."""
    found, shardings = run(qkv, qkv_reference, QKV, mesh_of(COUNT), (P(), P("x"), P("x")),
                           (P(None, "x"),) * 3)
    assert set(found) == ROWS_MOVE
    assert [s[1] for s in shardings] == ["x"] * 3


def test_fewer_key_heads_than_devices(partitioner):
    """Query heads are divided, key and value heads are computed by all and added once."""
    heads = COUNT // 2
    operands = arrays((4, 8, 8, 16), (4, heads, 8, 16), (4, heads, 8, 16), (4, 8, 32),
                      ((8 + 2 * heads) * 16, 32))
    found, _ = run(qkv_grad, qkv_grad_reference, operands, mesh_of(COUNT),
                   (P(None, "x"), P(), P(), P(), P()))
    assert "all-reduce" in found


def test_two_axes(partitioner):
    """Data and tensor parallelism in one layer, forward and backward."""
    mesh = mesh_of(COUNT // 2, 2)

    def layer(project, attend_out, x, wqkv, bqkv, wo, bo):
        q, k, v = project(x, wqkv, bqkv)
        k, v = (jnp.repeat(a, 2, axis=1) for a in (k, v))
        context = jax.nn.softmax(q @ k.swapaxes(2, 3)) @ v
        context = context.transpose(0, 2, 1, 3).reshape(*x.shape[:2], 128)
        return attend_out(context, wo, bo, x)

    operands = arrays((4, 8, 32), (ROWS, 32), (ROWS,), (32, 128), (32,))
    specs = (P("x"), P(), P(), P(None, "y"), P())
    gradient = lambda *functions: jax.grad(
        lambda *o: (layer(*functions, *o) ** 2).sum(), (0, 1, 2, 3, 4))
    found, shardings = run(gradient(qkv, out_proj), gradient(qkv_reference, out_proj_reference),
                           operands, mesh, specs)
    assert "all-reduce" in found
    # On GPUs XLA exchanges more in this layer: seen on two, in a mesh of 1 x 2.
    assert "all-gather" not in found or DEVICES[0].platform == "gpu"


def test_fully_sharded_data_parallel(partitioner):
    """An axis of the tokens gathers the weight that is sharded over it, not the tokens."""
    found, shardings = run(qkv, qkv_reference, QKV, mesh_of(COUNT), (P("x"), P(None, "x"), P()))
    assert set(found) == {"all-gather"}
    assert all(s[0] == "x" for s in shardings)


def test_eager():
    mesh = mesh_of(COUNT)
    x, w, b = (jax.device_put(o, NamedSharding(mesh, s))
               for o, s in zip(QKV, (P("x"), P(), P())))
    for result, expected in zip(qkv(x, w, b), qkv_reference(*QKV)):
        close(result, expected)
        assert result.sharding.spec[0] == "x"


def test_shard_map():
    shard_map = getattr(jax, "shard_map", None)
    if shard_map is None:
        from jax.experimental.shard_map import shard_map
    mesh = mesh_of(COUNT)
    mapped = shard_map(qkv, mesh=mesh, in_specs=(P("x"), P(), P()), out_specs=(P("x"),) * 3)
    for result, expected in zip(jax.jit(mapped)(*QKV), qkv_reference(*QKV)):
        close(result, expected)
    loss = lambda function: lambda *o: sum((r ** 2).sum() for r in function(*o))
    for numbers in ((0,), (1, 2), (0, 1, 2)):
        gradients = jax.jit(jax.grad(loss(mapped), numbers))(*QKV)
        for gradient, exact in zip(gradients, jax.grad(loss(qkv_reference), numbers)(*QKV)):
            close(gradient, exact)


@pytest.mark.parametrize("specs", [
    (P("x"), P(), P(), P(), P()), (P(None, "x"), P(), P(), P(), P()),
    (P(None, None, "x"), P(None, "x"), P(), P("x"), P("x")), (P(), P("x"), P(), P(None, "x"), P()),
    (P("x"), P("x"), P("x"), P(None, "x"), P("x"))])
def test_explicit_axes(specs):
    """Where types say how arrays are sharded, gradients have those of the arrays."""
    mesh = jax.make_mesh((COUNT,), ("x",), axis_types=(jax.sharding.AxisType.Explicit,),
                         devices=DEVICES)
    operands = arrays((4, 8, 32), (ROWS, 32), (ROWS,), (32, 32), (32,))

    def loss(project, attend_out):
        def run(x, wqkv, bqkv, wo, bo):
            parts = project(x, wqkv, bqkv)
            return sum((r ** 2).sum() for r in parts) + (attend_out(x, wo, bo, x) ** 2).sum()
        return run

    expected = jax.grad(loss(qkv_reference, out_proj_reference), (0, 1, 2, 3, 4))(*operands)
    placed = [jax.device_put(o, NamedSharding(mesh, s)) for o, s in zip(operands, specs)]
    gradients = jax.jit(jax.grad(loss(qkv, out_proj), (0, 1, 2, 3, 4)))(*placed)
    for gradient, operand, exact in zip(gradients, placed, expected):
        assert gradient.sharding.is_equivalent_to(operand.sharding, operand.ndim)
        close(gradient, exact)
