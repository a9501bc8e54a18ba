# Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""The Python code of the READMEs does what they say."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("page", ["README.md", "python/README.md"])
def test_code(page, capsys):
    blocks = re.findall(r"^```python\n(.*?)^```", (ROOT / page).read_text(encoding="utf-8"),
                        re.DOTALL | re.MULTILINE)
    assert blocks
    names = {}
    for block in blocks:
        for package, name in (("torch", "PyTorch"), ("jax", "JAX")):
            if f"import {package}" in block:
                pytest.importorskip(package, reason=f"{name} is not installed")
        exec(compile(block, page, "exec"), names)
        # What a print shows stands behind it.
        expected = re.findall(r"^print\(.*?\)\s+# (.*)$", block, re.MULTILINE)
        assert capsys.readouterr().out.splitlines() == expected
