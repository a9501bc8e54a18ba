# Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""The ops of boostr.jax and XLA's own code for the same formulas, under jit, in turn.

    python benchmarks/jax/ops.py [--dtype bfloat16] [--tokens 512] [--hidden 4096]

32 query, 8 key/value heads of 128 with 4096. Forward, and forward with all gradients. Results
are compared before anything is timed. Also what a call of a tiny op costs beside the work.
"""

import argparse
import statistics
import time

import jax
import jax.numpy as jnp
import numpy as np

import boostr.jax as bj


def qkv_xla(x, w, b, heads, kv_heads, dim):
    rows = x @ w.T + b
    ends = (heads * dim, (heads + kv_heads) * dim)
    return tuple(part.reshape(*part.shape[:2], -1, dim).transpose(0, 2, 1, 3)
                 for part in jnp.split(rows, ends, axis=2))


def qkv_boostr(x, w, b, heads, kv_heads, dim):
    return bj.fused_qkv(x, w, b, num_heads=heads, num_kv_heads=kv_heads, head_dim=dim)


def out_proj_xla(attn, w, b, residual):
    return (attn @ w.T + b + residual,)


def out_proj_boostr(attn, w, b, residual):
    return (bj.out_proj_residual(attn, w, b, residual=residual),)


def rounds(functions, operands, repeat):
    """Milliseconds of each, measured in turn; medians."""
    times = {name: [] for name in functions}
    for _ in range(repeat):
        for name, function in functions.items():
            start = time.perf_counter()
            jax.block_until_ready(function(*operands))
            times[name].append((time.perf_counter() - start) * 1e3)
    return {name: statistics.median(values) for name, values in times.items()}


def compare(results, expected):
    """The largest difference, of the largest element."""
    differences = []
    for result, exact in zip(jax.tree.leaves(results), jax.tree.leaves(expected)):
        result, exact = (np.asarray(a, np.float64) for a in (result, exact))
        differences.append(np.abs(result - exact).max() / np.abs(exact).max())
    return max(differences)


def measure(name, functions, operands, repeat):
    with_gradients = {}
    for way, function in functions.items():
        cotangents = [jnp.asarray(np.random.default_rng(1).standard_normal(r.shape), r.dtype)
                      for r in jax.eval_shape(function, *operands)]

        def step(*operands, function=function, cotangents=tuple(cotangents)):
            results, pull = jax.vjp(function, *operands)
            return results, pull(cotangents)
        with_gradients[way] = jax.jit(step)
    forward = {way: jax.jit(function) for way, function in functions.items()}
    for kind, ways in (("forward", forward), ("forward and gradients", with_gradients)):
        difference = compare(*(way(*operands) for way in ways.values()))
        for way, value in rounds(ways, operands, repeat).items():
            print(f"{name:9} {kind:22} {way:7} {value:9.3f} ms   differ by {difference:.1e}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dtype", default="bfloat16" if jax.default_backend() == "gpu" else "float32")
    parser.add_argument("--tokens", type=int, default=512)
    parser.add_argument("--hidden", type=int, default=4096)
    parser.add_argument("--repeat", type=int, default=15)
    options = parser.parse_args()
    hidden, dim = options.hidden, 128
    heads, kv_heads = hidden // dim, max(hidden // dim // 4, 1)
    rows = (heads + 2 * kv_heads) * dim
    print(f"{jax.devices()[0].device_kind}, JAX {jax.__version__}, {options.dtype}, "
          f"{options.tokens} tokens, hidden {hidden}, {heads} and {kv_heads} heads of {dim}")
    generator = np.random.default_rng(0)
    array = lambda *shape: jnp.asarray(generator.standard_normal(shape) / 8, options.dtype)
    x, w, b = array(1, options.tokens, hidden), array(rows, hidden), array(rows)
    sizes = (heads, kv_heads, dim)
    measure("qkv", {"XLA": lambda *o: qkv_xla(*o, *sizes), "boostr": lambda *o: qkv_boostr(*o, *sizes)},
            (x, w, b), options.repeat)
    measure("out_proj", {"XLA": out_proj_xla, "boostr": out_proj_boostr},
            (x, array(hidden, hidden), array(hidden), x), options.repeat)
    tiny = [array(*shape) for shape in ((1, 1, 64), (128, 64), (128,))]
    calls = {"XLA": jax.jit(lambda *o: qkv_xla(*o, 4, 2, 16)),
             "boostr": lambda *o: qkv_boostr(*o, 4, 2, 16)}
    compare(*(call(*tiny) for call in calls.values()))
    for way, value in rounds(calls, tiny, 2001).items():
        print(f"a tiny qkv, with waiting for it    {way:7} {value * 1e3:9.1f} us")


if __name__ == "__main__":
    main()
