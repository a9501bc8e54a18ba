# Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""What the package tells type checkers: of users' code, of itself, of the extension."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import boostr
import pytest

pytest.importorskip("mypy", reason="mypy is not installed")
from mypy import api

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PACKAGE = ROOT / "python" / "boostr"
has_torch = importlib.util.find_spec("torch") is not None
needs_torch = pytest.mark.skipif(not has_torch, reason="PyTorch is not installed")


def check(monkeypatch, *paths):
    """The lines that mypy reports errors in, and all that it says."""
    monkeypatch.setenv("MYPYPATH", str(ROOT / "python"))
    cache = Path(os.environ["BOOSTR_BUILD_DIR"]) / "test" / "mypy"
    said, problems, _ = api.run(["--config-file", str(ROOT / "pyproject.toml"),
                                 "--cache-dir", str(cache), *map(str, paths)])
    assert not problems, problems
    return [int(n) for n in re.findall(r"^[^:]+:(\d+): error:", said, re.MULTILINE)], said


@pytest.mark.parametrize("name", [
    "typed_user.py", pytest.param("typed_torch_user.py", marks=needs_torch)])
def test_code_of_users(name, monkeypatch):
    path = HERE / "Inputs" / name
    lines = path.read_text(encoding="utf-8").splitlines()
    wrong = [i for i, line in enumerate(lines, 1) if line.endswith("# wrong")]
    found, said = check(monkeypatch, path)
    assert wrong and sorted(set(found)) == wrong, said


def test_package(monkeypatch):
    """boostr.torch only where PyTorch is there to say what its types are; not boostr.jax,
    which is not annotated yet."""
    paths = sorted(PACKAGE.glob("*.py")) + [PACKAGE / "_core.pyi"]
    if has_torch:
        paths += sorted((PACKAGE / "torch").glob("*.py"))
    found, said = check(monkeypatch, *paths)
    assert not found, said
    assert (PACKAGE / "py.typed").is_file()


def test_stub_of_the_extension(tmp_path):
    """python -m nanobind.stubgen -m boostr._core -o python/boostr/_core.pyi"""
    if not hasattr(boostr._core, "jax_handlers"):
        pytest.skip("the extension was built without JAX, the stub says what is in it with")
    stub = tmp_path / "_core.pyi"
    subprocess.run([sys.executable, "-m", "nanobind.stubgen", "-q", "-m", "boostr._core",
                    "-o", stub], check=True)
    # The version depends on the JAX that was there.
    texts = [re.sub(r"(xla_ffi_version: tuple = ).*", r"\1...", path.read_text(encoding="utf-8"))
             for path in (stub, PACKAGE / "_core.pyi")]
    assert texts[0] == texts[1], "run: " + test_stub_of_the_extension.__doc__
