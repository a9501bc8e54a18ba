# Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""The scripts of examples/python print what lies beside them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "examples" / "python"


@pytest.mark.parametrize("script", sorted(p.name for p in FOLDER.glob("*.py")))
def test_output(script):
    path = FOLDER / script
    if "import torch" in path.read_text(encoding="utf-8"):
        pytest.importorskip("torch", reason="PyTorch is not installed")
    run = subprocess.run([sys.executable, path], check=False, capture_output=True, text=True,
                         env=os.environ)
    assert run.returncode == 0, run.stderr
    assert run.stdout == path.with_suffix(".txt").read_text(encoding="utf-8")
