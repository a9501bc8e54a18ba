# Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Compiling in the process: diagnostics, passes, and the cache between processes."""

import concurrent.futures
import os
import subprocess
import sys

import boostr
import numpy as np
import pytest

SOURCE = """
func.func @twice(%x: tensor<?xf32>) -> tensor<?xf32> {
  %y = arith.addf %x, %x : tensor<?xf32>
  return %y : tensor<?xf32>
}"""


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("BOOSTR_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.delenv("BOOSTR_CACHE_BYTES", raising=False)
    return tmp_path / "cache"


def twice(module):
    return module.twice(np.arange(3, dtype=np.float32)).tolist()


def test_diagnostics_have_a_place():
    with pytest.raises(boostr.CompileError) as caught:
        boostr.compile("func.func @f() {\n  boostr.fuse\n  return\n}")
    first = caught.value.diagnostics[0]
    assert (first.severity, first.file, first.line, first.column) == ("error", "<string>", 2, 3)
    assert "boostr.fuse" in first.message
    assert repr(first) == f"<string>:2:3: error: {first.message}"
    assert str(caught.value).startswith("<string>:2:3: error: ")


def test_paths_and_bytecode(tmp_path, cache):
    path = tmp_path / "twice.mlir"
    path.write_text(SOURCE)
    assert twice(boostr.compile(path)) == [0, 2, 4]
    bytecode = tmp_path / "twice.mlirbc"
    subprocess.run(["boostr-opt", "--emit-bytecode", path, "-o", bytecode], check=True)
    assert twice(boostr.compile(bytecode)) == [0, 2, 4]
    with pytest.raises(OSError, match="missing.mlir"):
        boostr.compile(tmp_path / "missing.mlir")


@pytest.mark.parametrize("options, error, words", [
    ({"target": "tpu"}, boostr.CompileError, "target expected cpu"),
    ({"target": 3}, TypeError, "target: expected a str"),
    ({"contractions": "magic"}, boostr.CompileError, "contractions expected one of generated, linalg, got 'magic'"),
    ({"f32_precision": "half"}, boostr.CompileError, "f32_precision expected one of ieee, tf32, tf32x3"),
    ({"gemm": "blas"}, boostr.CompileError, "gemm expected one of generated, cublaslt, auto, got 'blas'"),
])
def test_wrong_options(options, error, words):
    with pytest.raises(error, match=words):
        boostr.compile(SOURCE, **options)
    with pytest.raises(TypeError, match="source: expected MLIR text"):
        boostr.compile(3)


def test_passes():
    text = boostr.passes.run(SOURCE, "convert-elementwise-to-linalg")
    assert "linalg.generic" in text
    assert boostr.passes.run(SOURCE, "builtin.module(canonicalize)").count("func.func") == 1
    with pytest.raises(boostr.CompileError, match="'nothing' does not refer to a registered pass"):
        boostr.passes.run(SOURCE, "nothing")
    with pytest.raises(boostr.CompileError, match="<string>:1:1: error"):
        boostr.passes.run("nonsense", "canonicalize")


def test_cache_is_used_and_cleared(cache):
    assert boostr.cache.folder() == cache and boostr.cache.entries() == []
    assert twice(boostr.compile(SOURCE)) == [0, 2, 4]
    entries = boostr.cache.entries()
    assert len(entries) == 1 and boostr.cache.size() == entries[0].stat().st_size
    before = entries[0].stat().st_ino
    assert twice(boostr.compile(SOURCE)) == [0, 2, 4]
    assert [e.stat().st_ino for e in boostr.cache.entries()] == [before]
    boostr.compile(SOURCE, contractions="linalg")
    assert len(boostr.cache.entries()) == 2
    assert boostr.cache.clear() == 2 and boostr.cache.entries() == []
    assert twice(boostr.compile(SOURCE)) == [0, 2, 4]


def test_damaged_entries_are_compiled_again(cache):
    boostr.compile(SOURCE)
    (entry,) = boostr.cache.entries()
    whole = entry.read_bytes()
    for damaged in (whole[:-1], whole[:100], b"", b"x" + whole[1:]):
        entry.unlink()  # What is mapped stays as it is.
        entry.write_bytes(damaged)
        assert twice(boostr.compile(SOURCE)) == [0, 2, 4]
        assert entry.read_bytes()[-8:] == whole[-8:] and entry.stat().st_size == len(whole)


def test_several_cpus(cache):
    assert twice(boostr.compile(SOURCE, target="cpu:x86-64,cpu:x86-64-v3,cpu")) == [0, 2, 4]
    with pytest.raises(boostr.CompileError, match="'cpu' expected a name that LLVM knows"):
        boostr.compile(SOURCE, target="cpu,cpu:z80")


def test_cache_is_bounded(cache, monkeypatch):
    boostr.compile(SOURCE)
    size = boostr.cache.size()
    monkeypatch.setenv("BOOSTR_CACHE_BYTES", str(size * 5 // 2))
    for i in range(4):
        boostr.compile(SOURCE.replace("@twice", f"@twice{i}"))
    assert 1 <= len(boostr.cache.entries()) <= 2
    monkeypatch.setenv("BOOSTR_CACHE_BYTES", "many")
    with pytest.raises(ValueError, match="BOOSTR_CACHE_BYTES: expected .* got 'many'"):
        boostr.compile(SOURCE)


def test_no_cache(monkeypatch):
    monkeypatch.setenv("BOOSTR_CACHE_DIR", "")
    assert boostr.cache.folder() is None and boostr.cache.entries() == []
    assert twice(boostr.compile(SOURCE)) == [0, 2, 4]


def test_cache_that_cannot_be_written(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("BOOSTR_CACHE_DIR", str(tmp_path / "file" / "cache"))
    assert twice(boostr.compile(SOURCE)) == [0, 2, 4]


def test_processes_at_once(cache):
    program = ("import sys, boostr, numpy as np\n"
               "print(boostr.compile(sys.argv[1]).twice(np.ones(2, np.float32)).tolist())")
    with concurrent.futures.ThreadPoolExecutor() as pool:
        runs = list(pool.map(lambda _: subprocess.run(
            [sys.executable, "-c", program, SOURCE], check=False, capture_output=True, text=True,
            env=os.environ), range(4)))
    assert [run.stdout.strip() for run in runs] == ["[2.0, 2.0]"] * 4, runs[0].stderr
    assert len(boostr.cache.entries()) == 1
    assert sorted(path.name for path in cache.iterdir() if path.name.endswith(".part")) == []


def test_processes_at_once_in_a_bounded_cache(cache, monkeypatch):
    """What does not fit goes; what is loaded by someone goes on, and nothing is half there."""
    boostr.compile(SOURCE)
    size = boostr.cache.size()
    monkeypatch.setenv("BOOSTR_CACHE_BYTES", str(size * 7 // 2))
    program = ("import sys, boostr, numpy as np\n"
               "for i in range(6):\n"
               "    name = f'twice{(i + int(sys.argv[2])) % 6}'\n"
               "    module = boostr.compile(sys.argv[1].replace('@twice', '@' + name))\n"
               "    assert getattr(module, name)(np.ones(2, np.float32)).tolist() == [2, 2]\n")
    with concurrent.futures.ThreadPoolExecutor() as pool:
        runs = list(pool.map(lambda i: subprocess.run(
            [sys.executable, "-c", program, SOURCE, str(2 * i)], check=False, capture_output=True,
            text=True, env=os.environ), range(3)))
    assert [run.returncode for run in runs] == [0] * 3, [run.stderr for run in runs]
    # The last one to compile pruned after it.
    assert 1 <= len(boostr.cache.entries()) <= 3
    assert [path.name for path in cache.iterdir() if path.name.endswith(".part")] == []
