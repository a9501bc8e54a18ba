# Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""The host's time for a call: from the call to the return, when the work is queued.

    python benchmarks/gpu/host_time.py --runtime libboostr_runtime.so.1 [another one ...]

Calls fused_qkv and its gradients for bfloat16 through the C interface, by ctypes; what that
takes itself is measured with a call that is refused at once and subtracted. Each runtime
runs in a process of its own, in turn, three times; the least of medians is printed. Beside
it, what no runtime can save: the driver's launch of an empty kernel with as many bytes of
parameters as that of fused_qkv, less what ctypes takes.
"""

import argparse
import ctypes
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HEADS, KV_HEADS, DIM, HIDDEN, TOKENS = 16, 16, 64, 1024, 128
ROWS = (HEADS + 2 * KV_HEADS) * DIM
HEAD = f"tensor<?x{HEADS}x?x{DIM}xbf16>"
X, W, B = f"tensor<?x?x{HIDDEN}xbf16>", f"tensor<{ROWS}x{HIDDEN}xbf16>", f"tensor<{ROWS}xbf16>"
SIZES = f"num_heads = {HEADS} num_kv_heads = {KV_HEADS} head_dim = {DIM}"
SOURCE = f"""
func.func @fused_qkv(%x: {X}, %w: {W}, %b: {B}) -> ({HEAD}, {HEAD}, {HEAD}) {{
  %q, %k, %v = boostr.fused_qkv %x, %w bias(%b) {SIZES} : {X}, {W}, {B}
  return %q, %k, %v : {HEAD}, {HEAD}, {HEAD}
}}
func.func @fused_qkv_grad(%q: {HEAD}, %k: {HEAD}, %v: {HEAD}, %x: {X}, %w: {W}) -> ({X}, {W}, {B}) {{
  %dx, %dw, %db = boostr.fused_qkv_grad %q, %k, %v, %x, %w wrt(input, weight, bias) {SIZES}
      : {HEAD}, {HEAD}, {HEAD}, {X}, {W}
  return %dx, %dw, %db : {X}, {W}, {B}
}}"""


PARAMETER_BYTES = 7 * 128 + 56  # Tensor maps and numbers.
EMPTY = f"""
.version 7.0
.target sm_80
.address_size 64
.visible .entry empty(.param .align 64 .b8 all[{PARAMETER_BYTES}]) {{ ret; }}
"""


def launches():
    """The driver's launch alone, and a call of the driver that does next to nothing."""
    driver = ctypes.CDLL("libcuda.so.1")
    module, function, context = ctypes.c_void_p(), ctypes.c_void_p(), ctypes.c_void_p()
    text = ctypes.create_string_buffer(EMPTY.encode())
    for result in (driver.cuModuleLoadData(ctypes.byref(module), text),
                   driver.cuModuleGetFunction(ctypes.byref(function), module, b"empty")):
        if result:
            raise RuntimeError(f"the driver's error {result} for an empty kernel")
    storage = ctypes.create_string_buffer(PARAMETER_BYTES)
    parameters = (ctypes.c_void_p * 1)(ctypes.addressof(storage))
    none = ctypes.c_void_p()
    arguments = (function, *map(ctypes.c_uint, (132, 1, 1, 384, 1, 1, 0)), none, parameters, none)
    reference = ctypes.byref(context)
    return {"launch": lambda storage=storage: driver.cuLaunchKernel(*arguments),
            "driver": lambda: driver.cuCtxGetCurrent(reference)}


def measure(runtime_path, module_path):
    """Microseconds of a call, by function."""
    import torch
    import ours

    runtime = ours.load_runtime(runtime_path)
    module = ours.Module(runtime, module_path)
    make = lambda *shape: torch.randn(shape, device="cuda", dtype=torch.bfloat16)
    x, w, b = make(1, TOKENS, HIDDEN), make(ROWS, HIDDEN), make(ROWS)
    heads = [make(1, HEADS, TOKENS, DIM) for _ in range(3)]
    calls = {"fused_qkv": module.bind("fused_qkv", (x, w, b), heads),
             "fused_qkv_grad": module.bind("fused_qkv_grad", (*heads, x, w),
                                           [torch.empty_like(t) for t in (x, w, b)])}
    stream = ctypes.c_void_p(torch.cuda.current_stream().cuda_stream)

    def refused():
        torch.cuda.current_stream().cuda_stream
        runtime.boostr_call_on_stream(None, stream, None, None, 0, None, 0)

    calls["refused"] = refused
    calls |= launches()
    times = {name: [] for name in calls}
    for _ in range(30):
        for name, call in calls.items():
            torch.cuda.synchronize()
            start = time.perf_counter()
            for _ in range(100):
                call()
            times[name].append((time.perf_counter() - start) * 1e4)
    return {name: statistics.median(values) for name, values in times.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--runtime", nargs="+", required=True)
    parser.add_argument("--boostr-compile", default="boostr-compile")
    parser.add_argument("--target", default="cuda:sm_90a")
    parser.add_argument("--module", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.module:
        print(json.dumps(measure(options.runtime[0], options.module)))
        return
    with tempfile.TemporaryDirectory() as folder:
        source, module = Path(folder, "qkv.mlir"), Path(folder, "qkv.so")
        source.write_text(SOURCE, encoding="utf-8")
        subprocess.run([options.boostr_compile, source, f"--target={options.target}",
                        "--emit=so", "-o", module], check=True)
        found = {path: [] for path in options.runtime}
        for _ in range(3):
            for path in options.runtime:
                run = subprocess.run([sys.executable, __file__, "--module", module, "--runtime",
                                      path], check=True, stdout=subprocess.PIPE, env=os.environ)
                found[path].append(json.loads(run.stdout))
    for path, runs in found.items():
        least = {name: min(run[name] for run in runs) for name in runs[0]}
        for name in ("fused_qkv", "fused_qkv_grad"):
            print(f"{path}: {name:16} {least[name] - least['refused']:6.2f} us "
                  f"(and {least['refused']:.2f} us of ctypes)")
        print(f"{path}: {'an empty launch':16} {least['launch'] - least['driver']:6.2f} us "
              f"(and {least['driver']:.2f} us of ctypes)")


if __name__ == "__main__":
    main()
