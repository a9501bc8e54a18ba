# Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Weights packed ahead of time: the same bits as with plain weights, whatever the sizes, and
no buffer is taken that was packed for something else."""

import os
import re
import subprocess

import numpy as np
import pytest

import boostr
from support import Heads, host_features, random, tensor

pytestmark = pytest.mark.skipif(os.environ.get("BOOSTR_TEST_TARGET", "cpu") != "cpu",
                                reason="weights are packed for CPUs")

# Several blocks of columns and of steps, the last ones cut, and one of each.
HEADS = [Heads(5, 3, 48), Heads(2, 1, 5)]
SIZES = [(530, 300), (37, 41)]
# Few tokens are one group or several; the others are packed.
TOKENS = [1, 3, 7, 19, 40, 130]


def forward(element, heads, hidden):
    name = f"qkv_{element}_{heads.name}_{hidden}"
    x, w = tensor(element, None, None, hidden), tensor(element, heads.rows, hidden)
    b = tensor(element, heads.rows)
    results = ", ".join(tensor(element, None, n, None, heads.dim)
                        for n in (heads.query, heads.key_value, heads.key_value))
    return name, f"""
        func.func @{name}(%x: {x}, %w: {w} {{boostr.name = "weight"}}, %b: {b}) -> ({results}) {{
          %q, %k, %v = boostr.fused_qkv %x, %w bias(%b) {heads.attributes} : {x}, {w}, {b}
          return %q, %k, %v : {results}
        }}"""


def output(element, rows, columns):
    name = f"out_{element}_{rows}_{columns}"
    a, w = tensor(element, None, None, columns), tensor(element, rows, columns)
    r = tensor(element, None, None, rows)
    return name, f"""
        func.func @{name}(%a: {a}, %w: {w} {{boostr.name = "weight"}}, %r: {r}) -> {r} {{
          %y = boostr.out_proj_residual %a, %w residual(%r) : {a}, {w}, {r}
          return %y : {r}
        }}"""


def backward(element, heads, hidden):
    name = f"qkv_grad_{element}_{heads.name}_{hidden}"
    x, w = tensor(element, None, None, hidden), tensor(element, heads.rows, hidden)
    q, k = (tensor(element, None, n, None, heads.dim) for n in (heads.query, heads.key_value))
    return name, f"""
        func.func @{name}(%q: {q}, %k: {k}, %v: {k}, %x: {x}, %w: {w} {{boostr.name = "weight"}})
            -> {x} {{
          %d = boostr.fused_qkv_grad %q, %k, %v, %x, %w wrt(input) {heads.attributes}
              : {q}, {k}, {k}, {x}, {w}
          return %d : {x}
        }}"""


def build(folder, functions, target="cpu"):
    """A module of `functions`, with weights plain and packed."""
    source, path = folder / "module.mlir", folder / f"{target.replace(':', '_')}.so"
    source.write_text("\n".join(text for _, text in functions))
    subprocess.run([os.environ["BOOSTR_COMPILE"], source, f"--target={target}",
                    "--prepack=weight", "--emit=so", "-o", path], check=True)
    return boostr.load(path)


def same_bits(plain, packed):
    plain, packed = (r if isinstance(r, tuple) else (r,) for r in (plain, packed))
    return all(np.array_equal(a.view(np.uint8), b.view(np.uint8))
               for a, b in zip(plain, packed, strict=True))


def check(module, name, arguments, weight):
    """Compares `name` with its packed form; `arguments` has the weight at `weight`."""
    packed = getattr(module, f"{name}_pack_weight")(arguments[weight])
    plain = getattr(module, name)(*arguments)
    given = [packed if i == weight else a for i, a in enumerate(arguments)]
    assert same_bits(plain, getattr(module, f"{name}_packed")(*given)), name
    return packed, given


def check_forward(module, element, heads, hidden, tokens):
    name, _ = forward(element, heads, hidden)
    return check(module, name, [
        random(1, element, 1, tokens, hidden), random(2, element, heads.rows, hidden),
        random(3, element, heads.rows)], weight=1)


@pytest.mark.parametrize("element", ["f32", "bf16"])
def test_forward(tmp_path, element):
    cases = [(heads, hidden) for heads, hidden in zip(HEADS, (300, 41))]
    module = build(tmp_path, [forward(element, *case) for case in cases])
    for heads, hidden in cases:
        for tokens in TOKENS:
            check_forward(module, element, heads, hidden, tokens)


@pytest.mark.parametrize("element", ["f32", "bf16"])
def test_gradient_of_the_input(tmp_path, element):
    module = build(tmp_path, [backward(element, heads, 300) for heads in HEADS])
    for heads in HEADS:
        for tokens in TOKENS:
            name, _ = backward(element, heads, 300)
            d = [random(n, element, 1, heads.query if n == 0 else heads.key_value, tokens,
                        heads.dim) for n in range(3)]
            check(module, name, [*d, random(4, element, 1, tokens, 300),
                                 random(5, element, heads.rows, 300)], weight=4)


def test_element_types(tmp_path):
    # The last has tasks of several panels where there are few tokens.
    cases = [("f64", *SIZES[1]), ("f16", *SIZES[1]), ("f32", *SIZES[0]), ("bf16", 2100, 600)]
    module = build(tmp_path, [output(*case) for case in cases])
    for element, rows, columns in cases:
        for tokens in TOKENS:
            check(module, output(element, rows, columns)[0], [
                random(1, element, 1, tokens, columns), random(2, element, rows, columns),
                random(3, element, 1, tokens, rows)], weight=1)


@pytest.mark.parametrize("cpu, needs, element", [
    ("x86-64", set(), "f32"), ("x86-64-v3", {"avx2", "fma"}, "f32"),
    ("x86-64-v4,+avx512bf16", {"avx512f", "avx512bw", "avx512dq", "avx512vl", "avx512_bf16"}, "bf16")])
def test_other_cpus(tmp_path, cpu, needs, element):
    if not needs <= host_features():
        pytest.skip(f"this CPU lacks some of {', '.join(sorted(needs))}")
    module = build(tmp_path, [forward(element, HEADS[0], 300)], target=f"cpu:{cpu}")
    for tokens in TOKENS:
        check_forward(module, element, HEADS[0], 300, tokens)


def test_any_alignment_will_do(tmp_path):
    module = build(tmp_path, [forward("f32", HEADS[0], 300)])
    packed, given = check_forward(module, "f32", HEADS[0], 300, 40)
    function = getattr(module, f"{forward('f32', HEADS[0], 300)[0]}_packed")
    expected = function(*given)
    for shift in (1, 4, 64):
        moved = np.empty(packed.size + shift, np.int8)[shift:]
        moved[:] = packed
        assert same_bits(expected, function(given[0], moved, given[2]))


def test_what_is_packed_otherwise_is_refused(tmp_path):
    name, text = forward("f32", HEADS[0], 300)
    module = build(tmp_path, [(name, text)], target="cpu:x86-64")
    other = build(tmp_path, [(name, text)], target="cpu:x86-64-v3")
    packed, (x, _, b) = check_forward(module, "f32", HEADS[0], 300, 7)
    weight = random(2, "f32", HEADS[0].rows, 300)
    function = getattr(module, f"{name}_packed")
    layout = re.escape("argument 1 'weight': expected a weight packed as #boostr.packed_layout<"
                       "array = tensor<528x300xf32>, kernel = fma, side = rows, ")
    if {"avx2", "fma"} <= host_features():
        v3 = getattr(other, f"{name}_pack_weight")(weight)
        with pytest.raises(ValueError, match=layout + ".*lanes = 4.*got one packed as.*lanes = 8"):
            function(x, v3, b)
    spoilt = packed.copy()
    spoilt[3] += 1
    for wrong in (spoilt, np.zeros_like(packed)):
        with pytest.raises(ValueError, match=layout + ".*got bytes that are no packed weight"):
            function(x, wrong, b)
    for size in (-1, 20, 0):
        with pytest.raises(ValueError, match="argument 1 'weight': expected shape"):
            function(x, packed[:size], b)
    with pytest.raises(ValueError, match="argument 1 'weight': expected element type"):
        function(x, weight, b)


def test_run_packs_and_runs(tmp_path):
    name, text = output("f32", *SIZES[0])
    (tmp_path / "m.mlir").write_text(text)
    rows, columns = SIZES[0]
    for file, array in {"a": random(1, "f32", 2, 9, columns), "w": random(2, "f32", rows, columns),
                        "r": random(3, "f32", 2, 9, rows)}.items():
        np.save(tmp_path / f"{file}.npy", array)

    def run(entry, out, *inputs):
        command = ["boostr-run", "m.mlir", f"--entry={entry}", "--prepack=weight", "--out", out]
        subprocess.run([*command, *(a for i in inputs for a in ("--in", i))], check=True,
                       cwd=tmp_path)

    run(name, "plain.npy", "a.npy", "w.npy", "r.npy")
    run(f"{name}_pack_weight", "p.npy", "w.npy")
    run(f"{name}_packed", "packed.npy", "a.npy", "p.npy", "r.npy")
    assert (tmp_path / "plain.npy").read_bytes() == (tmp_path / "packed.npy").read_bytes()
