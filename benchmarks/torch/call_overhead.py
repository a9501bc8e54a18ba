# Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""What a call costs beside the work: tiny tensors, in turn with torch.ops.aten.linear.

    python benchmarks/torch/call_overhead.py [--layers]

On CUDA devices it is the time of queueing, with 200 calls between two synchronizations.
--layers: what the parts of a call cost, by themselves.
"""

import statistics
import sys
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


OPTIONS = {"num_heads": 4, "num_kv_heads": 2, "head_dim": 16}
NUMBERS = tuple(OPTIONS.values())
SHAPES = (1, 1, 64), (128, 64), (128,)
RESULTS = (1, 4, 1, 16), (1, 2, 1, 16), (1, 2, 1, 16)


def report(place, results):
    """A line for each, with the ratio to the last linear before it."""
    for name, value in results.items():
        if "linear" in name or "x @ w.T" in name:
            base = value
        print(f"{place:5} {name:52} {value:7.2f} us {value / base:6.2f} x")


def measure_numpy():
    x, w, b = (np.ones(s, np.float32) for s in SHAPES)
    function = boostr._kernels.fused_qkv("f32", 64, *NUMBERS, True, "cpu")
    report("cpu", rounds({
        "x @ w.T + b, NumPy": lambda: x @ w.T + b,
        "boostr.fused_qkv, NumPy": lambda: boostr.fused_qkv(x, w, b, **OPTIONS),
        "its compiled function": lambda: function(x, w, b)}, lambda: None))


def operands(device):
    dtype = torch.float32 if device == "cpu" else torch.bfloat16
    x, w, b = (torch.ones(s, device=device, dtype=dtype) for s in SHAPES)
    return x, w, b, [t.clone().requires_grad_() for t in (w, b)]


def measure_torch(device):
    x, w, b, trained = operands(device)
    op = torch.ops.boostr.fused_qkv.default
    report(device, rounds({
        "aten.linear": lambda: torch.ops.aten.linear(x, w, b),
        "boostr.torch.fused_qkv": lambda: boostr.torch.fused_qkv(x, w, b, **OPTIONS),
        "torch.ops.boostr.fused_qkv": lambda: op(x, w, b, *NUMBERS),
        "aten.linear, weights need gradients": lambda: torch.ops.aten.linear(x, *trained),
        "boostr.torch.fused_qkv, weights need gradients":
            lambda: boostr.torch.fused_qkv(x, *trained, **OPTIONS),
        "torch.ops.boostr.fused_qkv, weights need gradients": lambda: op(x, *trained, *NUMBERS),
    }, torch.cuda.synchronize if device == "cuda" else lambda: None))


def measure_layers():
    """An op of Python functions that compute nothing, and autograd around it."""
    x, w, b, trained = operands("cpu")
    library = torch.library.Library("boostr_benchmark", "DEF")
    for name in ("kernel", "autograd"):
        library.define(f"{name}(Tensor x, Tensor w, Tensor? b, int h, int k, int d)"
                       " -> (Tensor, Tensor, Tensor)")
        library.impl(name, lambda *_: empty(), "CPU")
    kernel, with_autograd = (getattr(torch.ops.boostr_benchmark, n).default
                             for n in ("kernel", "autograd"))

    def empty():
        return tuple(torch.empty(s) for s in RESULTS)

    def below(*arguments):
        with torch._C._AutoDispatchBelowAutograd():
            return with_autograd(*arguments)

    def guard():
        with torch._C._AutoDispatchBelowAutograd():
            pass

    library.impl("autograd", below, "Autograd")

    class Plain(torch.autograd.Function):
        @staticmethod
        def forward(ctx, *arguments):
            ctx.save_for_backward(*arguments[:2])
            return empty()

    class SetUp(torch.autograd.Function):
        @staticmethod
        def forward(*arguments):
            return empty()

        @staticmethod
        def setup_context(ctx, inputs, output):
            ctx.save_for_backward(*inputs[:2])

    raw = super(torch.autograd.Function, Plain).apply
    report("cpu", rounds({
        "aten.linear": lambda: torch.ops.aten.linear(x, w, b),
        "three torch.empty": empty,
        "op whose kernel is that, in Python": lambda: kernel(x, w, b, *NUMBERS),
        "and whose kernel for autograd is in Python": lambda: with_autograd(x, w, b, *NUMBERS),
        "a guard that skips autograd": guard,
        "autograd.Function with setup_context": lambda: SetUp.apply(x, *trained, *NUMBERS),
        "autograd.Function without": lambda: Plain.apply(x, *trained, *NUMBERS),
        "its apply in C++": lambda: raw(x, *trained, *NUMBERS)}, lambda: None))


def main():
    if "--layers" in sys.argv[1:]:
        return measure_layers()
    measure_numpy()
    for device in ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]:
        measure_torch(device)


if __name__ == "__main__":
    main()
