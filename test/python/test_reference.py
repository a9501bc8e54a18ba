# Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Docstrings say what a user needs to know, and the reference is made of them."""

import importlib.util
import inspect
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MODULES = ["boostr", "boostr.cache", "boostr.passes"]
if importlib.util.find_spec("torch"):
    MODULES.append("boostr.torch")
OPS = [(module, name) for module in ("boostr", "boostr.torch") if module in MODULES
       for name in ("fused_qkv", "fused_qkv_grad", "out_proj_residual", "out_proj_residual_grad")
       if module == "boostr" or not name.endswith("grad")]


def public(module):
    """Names and objects of a module that are its own to describe."""
    names = getattr(module, "__all__", None) or [
        name for name, value in vars(module).items()
        if not name.startswith("_") and getattr(value, "__module__", None) == module.__name__]
    for name in names:
        value = getattr(module, name)
        if callable(value):
            yield name, value


def described():
    """Public functions, classes and their methods."""
    for module_name in MODULES:
        module = importlib.import_module(module_name)
        for name, value in public(module):
            yield f"{module_name}.{name}", value
            if not inspect.isclass(value):
                continue
            for method_name, method in vars(value).items():
                if not method_name.startswith("_") and callable(method):
                    yield f"{module_name}.{name}.{method_name}", method


THINGS = dict(described())
# Made by the package alone, so that their arguments are nobody's concern.
RESULTS = {"boostr.CompileError", "boostr.Module", "boostr.torch.FuseReport"}
# What they are made of cannot be wrong.
NEVER_RAISE = {"boostr.torch.OutProjResidual"}


@pytest.mark.parametrize("name", THINGS)
def test_docstring(name):
    """There is one; it names every parameter, and what is raised if there are any."""
    text = inspect.getdoc(THINGS[name])
    assert text
    try:
        parameters = set(inspect.signature(THINGS[name]).parameters) - {"self"}
    except ValueError:
        return  # Of the extension, whose signatures are in its stub.
    if not parameters or name in RESULTS:
        return
    for parameter in parameters:
        assert re.search(rf"^  {parameter}: ", text, re.MULTILINE), parameter
    if name not in NEVER_RAISE:
        assert re.search(r"^Raises:\n  \w+", text, re.MULTILINE)


@pytest.mark.parametrize("module, name", OPS)
def test_docstring_of_an_op(module, name):
    """With the formula, shapes, element types and results."""
    text = inspect.getdoc(getattr(importlib.import_module(module), name))
    assert re.search(r"@ w\b", text), "the formula"
    assert len(re.findall(r"\[B, \w+", text)) >= 2, "shapes"
    assert "float64, float32, float16 or bfloat16" in text
    for section in ("Arguments", "Returns", "Raises"):
        assert f"\n{section}:\n" in text
    assert "ValueError: " in text and "TypeError: " in text


def test_reference_is_generated(tmp_path, monkeypatch):
    pytest.importorskip("pdoc", reason="pdoc is not installed")
    monkeypatch.setattr(sys, "path", [str(ROOT / "docs"), *sys.path])
    python_reference = importlib.import_module("python_reference")
    python_reference.write(tmp_path)
    for module in MODULES:
        page = (tmp_path / f"{module.replace('.', '/')}.html").read_text(encoding="utf-8")
        for name, _ in public(importlib.import_module(module)):
            assert f'id="{name}"' in page, f"{module}.{name}"
    page = (tmp_path / "boostr.html").read_text(encoding="utf-8")
    assert "num_kv_heads" in page and "Raises:" in page
