# Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""What a call costs beside the work: tiny tensors, in turn with torch.ops.aten.linear.

    python benchmarks/torch/call_overhead.py

On CUDA devices it is the time of queueing, with 200 calls between two synchronizations.
"""

import statistics
import time

import numpy as np
import torch

import boostr
import boostr.torch


def rounds(functions, synchronize, count=200, repeat=41):
    """Microseconds of a call of each, measured in turn; medians."""
    times = {name: [] for name in functions}
    for _ in range(repeat):
        for name, function in functions.items():
            synchronize()
            start = time.perf_counter()
            for _ in range(count):
                function()
            times[name].append((time.perf_counter() - start) / count * 1e6)
    return {name: statistics.median(values) for name, values in times.items()}


def main():
    options = {"num_heads": 4, "num_kv_heads": 2, "head_dim": 16}
    x, w, b = (np.ones(s, np.float32) for s in ((1, 1, 64), (128, 64), (128,)))
    function = boostr._kernels.fused_qkv("f32", 64, 4, 2, 16, True, "cpu")
    for name, value in rounds({
            "boostr.fused_qkv, NumPy": lambda: boostr.fused_qkv(x, w, b, **options),
            "its compiled function": lambda: function(x, w, b),
            "x @ w.T + b, NumPy": lambda: x @ w.T + b}, lambda: None).items():
        print(f"cpu   {name:45} {value:7.2f} us")
    for device in ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]:
        dtype = torch.float32 if device == "cpu" else torch.bfloat16
        tx, tw, tb = (torch.ones(s, device=device, dtype=dtype)
                      for s in ((1, 1, 64), (128, 64), (128,)))
        trained = [t.clone().requires_grad_() for t in (tw, tb)]
        op = torch.ops.boostr.fused_qkv.default
        results = rounds({
            "aten.linear": lambda: torch.ops.aten.linear(tx, tw, tb),
            "boostr.fused_qkv": lambda: op(tx, tw, tb, 4, 2, 16),
            "aten.linear, weights need gradients": lambda: torch.ops.aten.linear(tx, *trained),
            "boostr.fused_qkv, weights need gradients": lambda: op(tx, *trained, 4, 2, 16),
        }, torch.cuda.synchronize if device == "cuda" else lambda: None)
        for name, value in results.items():
            print(f"{device:5} {name:45} {value:7.2f} us")


if __name__ == "__main__":
    main()
