# Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Whether an installed wheel works, with nothing else there. scripts/wheel.sh runs it."""

import time
from pathlib import Path

start = time.perf_counter()
import numpy as np

with_numpy = time.perf_counter()
import boostr

imported = time.perf_counter()
x, w = np.ones((2, 3, 8), np.float32), np.ones((16, 8), np.float32)
q, k, v = boostr.fused_qkv(x, w, num_heads=2, num_kv_heads=1, head_dim=4)
first = time.perf_counter()
assert q.shape == (2, 2, 3, 4) and all((a == 8).all() for a in (q, k, v))
assert boostr.compile("func.func @f() { return }", target="cpu:x86-64").functions() == ["f"]
assert "func.func" in boostr.passes.run("func.func @f() { return }", "canonicalize")
assert len(boostr.cache.entries()) == 2
assert hasattr(boostr._core, "jax_handlers")  # What boostr.jax needs is inside.
for name in ("py.typed", "_core.pyi"):  # For type checkers.
    assert (Path(boostr.__file__).parent / name).is_file()
print(f"boostr {boostr.__version__}: imported in {(imported - with_numpy) * 1e3:.0f} ms (NumPy "
      f"{(with_numpy - start) * 1e3:.0f} ms), first op in {(first - imported) * 1e3:.0f} ms")
