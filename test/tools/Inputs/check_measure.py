"""The checks of boostr-run-measure.test: a source, a folder with its inputs, and that of the fakes."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from boostr import _measured

SOURCE, FOLDER, FAKES = Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3])
KEY = "project(2x4x8;8x8;2x4x8)"
TIMES = rf"gemm: (\w+); generated [\d.]+ ms, cublaslt [\d.]+ ms for {re.escape(KEY)}\n"


def run(cache, library=FAKES / "libcublasLt.so.13"):
    """What boostr-run prints."""
    environment = {**os.environ, "LD_PRELOAD": str(FAKES / "libcuda.so.1"),
                   "BOOSTR_CUBLASLT_LIBRARY": str(library)}
    inputs = [f"--in={FOLDER / name}.npy" for name in ("attn", "weight", "residual")]
    return subprocess.run(
        ["boostr-run", SOURCE, "--entry=project", "--target=cuda:1", "--gemm=auto", "--measure",
         f"--cache={cache}", *inputs], env=environment, check=True, text=True,
        stdout=subprocess.PIPE).stdout


def choices(cache):
    os.environ["BOOSTR_CACHE_DIR"] = str(cache)
    return _measured.Choices(_measured.name_of(SOURCE.read_bytes(), "sm_80", "generated", "ieee"))


cache = FOLDER / "cache"
measured = re.fullmatch(TIMES, run(cache))
assert measured, "not measured"
# Where Python looks for it, and again.
assert choices(cache).get(KEY) == measured[1]
assert run(cache) == f"gemm: {measured[1]}, as measured before for {KEY}\n"
# What Python found.
for way in ("generated", "cublaslt"):
    choices(cache).set(KEY, way)
    choices(cache).set("other(4)", "generated")
    assert run(cache) == f"gemm: {way}, as measured before for {KEY}\n", way
# What is there stays there.
file, = cache.glob("measured-*.json")
file.write_text('{"other(4)": "generated", "project(2x4x8;8x8;2x4x8)": "magic"}', encoding="utf-8")
assert re.fullmatch(TIMES, run(cache))
assert json.loads(file.read_text(encoding="utf-8"))["other(4)"] == "generated"
# No file of ours; none at all; no library.
file.write_text("{", encoding="utf-8")
assert re.fullmatch(TIMES, run(cache))
assert re.fullmatch(TIMES, run(""))
assert re.fullmatch(r"gemm: generated; not measured: cannot open cuBLASLt .*\n",
                    run(FOLDER / "empty", "/nowhere/libcublasLt.so.13"))
assert not list((FOLDER / "empty").glob("measured-*"))
print("6 checks passed")
