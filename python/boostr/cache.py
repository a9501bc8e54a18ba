# Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""What was compiled, kept on disk between processes.

Artifacts are named by a hash of the source, the options, the compiler and, for this
machine's CPU, what that has; so nothing is ever stale. Any number of processes may use the
folder at once. The longest unused go first when there is too much.

| variable | says |
|---|---|
| `BOOSTR_CACHE_DIR` | the folder; empty for none. Otherwise `boostr` in `XDG_CACHE_HOME` or `~/.cache` |
| `BOOSTR_CACHE_BYTES` | how much is kept; 1 GiB unless set |
"""

from __future__ import annotations

import os
from pathlib import Path

_PREFIX = "llvmcache-"  # As LLVM's functions for caches have it.


def _folder() -> str:
    named = os.environ.get("BOOSTR_CACHE_DIR")
    if named is not None:
        return os.path.abspath(named) if named else ""
    root = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return os.path.join(root, "boostr")


def folder() -> Path | None:
    """Where artifacts are kept; None if they are not."""
    named = _folder()
    return Path(named) if named else None


def limit() -> int:
    """How many bytes are kept.

    Raises:
      ValueError: BOOSTR_CACHE_BYTES is no whole number above 0.
    """
    text = os.environ.get("BOOSTR_CACHE_BYTES") or str(1 << 30)
    if not text.isdecimal() or int(text) == 0:
        raise ValueError(f"BOOSTR_CACHE_BYTES: expected a whole number above 0, got '{text}'")
    return int(text)


def entries() -> list[Path]:
    """The artifacts that are there, in the order of their last use."""
    found = []
    place = folder()
    if place is not None and place.is_dir():
        for path in place.iterdir():
            if path.name.startswith(_PREFIX):
                try:
                    found.append((path.stat().st_mtime_ns, path))
                except FileNotFoundError:
                    pass  # Another process removed it.
    return [path for _, path in sorted(found)]


def size() -> int:
    """How many bytes there are."""
    total = 0
    for path in entries():
        try:
            total += path.stat().st_size
        except FileNotFoundError:
            pass
    return total


def clear() -> int:
    """Removes all artifacts, and returns how many there were. What is loaded stays loaded. What was
    measured is forgotten too."""
    removed = 0
    place = folder()
    for path in place.glob("measured-*.json") if place else ():
        path.unlink(missing_ok=True)
    for path in entries():
        try:
            path.unlink()
            removed += 1
        except FileNotFoundError:
            pass
    return removed
