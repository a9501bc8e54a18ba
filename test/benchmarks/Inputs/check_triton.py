"""Runs the benchmark's Triton kernels in Triton's interpreter, against float64."""

import os
import sys

os.environ["TRITON_INTERPRET"] = "1"
sys.path.insert(0, os.path.join(sys.argv[1], "benchmarks", "gpu"))

import torch

import bench
import contenders
import modules
import triton_gradients as gradients
import triton_kernels as kernels

# Tokens that fill no tile, with columns that fill none; one token; tiles that are filled.
SHAPES = [modules.Shape("odd", 2, 70, 192, 2, 1, 64, True), modules.Shape("decode", 5, 1, 64, 3, 2, 64, False),
          modules.Shape("even", 1, 128, 128, 1, 1, 128, True)]


def bind(case):
    """The op in the first of the configurations that suit it; the interpreter measures none."""
    s = case.shape
    by_tokens = {"M": case.t}
    if "grad" not in case.op:
        return kernels.bind(case, kernels.prune_by_tokens(kernels.CONFIGS, by_tokens)[0])
    dim = s.head_dim if case.op == "fused_qkv_grad" else s.hidden
    return gradients.bind(case, (kernels.prune_by_tokens(gradients.INPUT_CONFIGS, by_tokens)[0],
                                 gradients.prune_by_heads(gradients.WEIGHT_CONFIGS, {"DIM": dim})[0]))


def exact(case):
    case.inputs = {name: tensor.double() for name, tensor in case.inputs.items()}
    return case.reference(torch.float64)


checked = 0
for shape in SHAPES:
    for op in modules.OPS:
        case = contenders.Case(op, shape, torch.float32, device="cpu")
        results = [result.clone() for result in bind(case)()]
        for result, expected in zip(results, exact(case), strict=True):
            error = (result.double() - expected).norm() / expected.norm()
            assert error < 1e-6, (op, shape.name, error)
            checked += 1
print(checked, "results are right")

# torch.compile is left out with a reason, never silently.


def fails(case):
    raise RuntimeError("no such kernel\nmore")


budget = bench.CompileBudget(1)
assert budget.create(fails, [None], None) == (None, "RuntimeError: no such kernel")
budget.used = 2
contender, reason = budget.create(fails, [None], None)
assert contender is None and "--compile-budget" in reason
print("reasons are given")
