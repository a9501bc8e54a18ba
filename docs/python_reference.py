# Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Writes the reference of the Python package, from its docstrings, with pdoc.

    python docs/python_reference.py FOLDER

Parts for frameworks that are not installed are left out, and named.
"""

import importlib
import sys
from pathlib import Path

import pdoc

# With the modules that it names in __all__.
ALWAYS = ("boostr",)
WITH_FRAMEWORKS = ("boostr.torch", "boostr.jax")


def modules() -> list[str]:
    """The public modules that can be imported here."""
    found = list(ALWAYS)
    for name in WITH_FRAMEWORKS:
        try:
            importlib.import_module(name)
            found.append(name)
        except ImportError as reason:
            print(f"left out {name}: {reason}", file=sys.stderr)
    return found


def write(folder: Path) -> None:
    # The docstrings' sections are called as in Google's style.
    pdoc.render.configure(docformat="google", show_source=False, search=False)
    pdoc.pdoc(*modules(), output_directory=folder)


if __name__ == "__main__":
    write(Path(sys.argv[1]))
