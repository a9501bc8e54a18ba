"""The functions to measure, as MLIR, and their compilation for a GPU.

Batch and tokens are dynamic, so shapes that differ in nothing else share a module.

usage: modules.py FOLDER [--dtype bf16|f16|f32|f64] [--boostr-compile PATH] [--target cuda:sm_90a] [--tile TILE...]
                  [--gemm generated cublaslt] [--ops OP...] [--shapes-file shapes.json]
"""

import argparse
import concurrent.futures
import hashlib
import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

# What computes the products: kernels of our own, or cuBLASLt in compiled code.
GEMMS = ("generated", "cublaslt")
OPS = ("fused_qkv", "fused_qkv_grad", "out_proj_residual", "out_proj_residual_grad")


@dataclass(frozen=True)
class Shape:
    """One line of shapes.json. Tensors are named as in the descriptions of the ops."""

    name: str
    batch: int
    tokens: int
    hidden: int
    heads: int
    kv_heads: int
    head_dim: int
    bias: bool

    @property
    def rows(self):
        """Rows of the fused weight."""
        return (self.heads + 2 * self.kv_heads) * self.head_dim

    @property
    def width(self):
        """Columns of the output projection's weight."""
        return self.heads * self.head_dim

    def products(self, op):
        """Multiply-adds of the op's products, times two."""
        rows, columns = (self.rows, self.hidden) if "qkv" in op else (self.hidden, self.width)
        return 2.0 * self.batch * self.tokens * rows * columns * (2 if "grad" in op else 1)


SHAPES_FILE = Path(__file__).with_name("shapes.json")


def load_shapes(path=SHAPES_FILE):
    return [Shape(**entry) for entry in json.loads(Path(path).read_text(encoding="utf-8"))]


def signature(op, shape):
    """Names and extents of inputs and of outputs; None is dynamic."""
    s = shape
    activations, attention = (None, None, s.hidden), (None, None, s.width)
    heads = (None, s.heads, None, s.head_dim)
    kv_heads = (None, s.kv_heads, None, s.head_dim)
    if op == "fused_qkv":
        inputs = {"input": activations, "weight": (s.rows, s.hidden), "bias": (s.rows,)}
        outputs = {"query": heads, "key": kv_heads, "value": kv_heads}
    elif op == "fused_qkv_grad":
        inputs = {"d_query": heads, "d_key": kv_heads, "d_value": kv_heads, "input": activations,
                  "weight": (s.rows, s.hidden)}
        outputs = {"d_input": activations, "d_weight": (s.rows, s.hidden), "d_bias": (s.rows,)}
    elif op == "out_proj_residual":
        inputs = {"attn": attention, "weight": (s.hidden, s.width), "bias": (s.hidden,),
                  "residual": activations}
        outputs = {"output": activations}
    else:
        inputs = {"d_output": activations, "attn": attention, "weight": (s.hidden, s.width)}
        outputs = {"d_attn": attention, "d_weight": (s.hidden, s.width), "d_bias": (s.hidden,)}
    if not s.bias:
        inputs.pop("bias", None)
        outputs.pop("d_bias", None)
    return inputs, outputs


def module_text(op, shape, dtype, tile=None):
    """`tile` is a `#boostr.gpu_tile` for every contraction of the op, or a list of one for each, instead of the
    compiler's choice."""
    inputs, outputs = signature(op, shape)

    def tensor(extents):
        return "tensor<" + "".join("?x" if e is None else f"{e}x" for e in extents) + f"{dtype}>"

    types = {name: tensor(extents) for name, extents in (inputs | outputs).items()}
    heads = (f" num_heads = {shape.heads} num_kv_heads = {shape.kv_heads} head_dim = {shape.head_dim}"
             if "qkv" in op else "")
    bias = " bias(%bias)" if shape.bias else ""
    operands = {
        "fused_qkv": f"%input, %weight{bias}",
        "fused_qkv_grad": "%d_query, %d_key, %d_value, %input, %weight "
                          f"wrt(input, weight{', bias' if shape.bias else ''})",
        "out_proj_residual": f"%attn, %weight{bias} residual(%residual)",
        "out_proj_residual_grad": "%d_output, %attn, %weight "
                                  f"wrt(attn, weight{', bias' if shape.bias else ''})",
    }[op]
    if isinstance(tile, str):
        tile = [tile]
    count = 2 if "grad" in op else 1
    tiles = f" {{boostr.gpu_tiles = [{', '.join(tile * count if len(tile) == 1 else tile)}]}}" if tile else ""
    arguments = ", ".join(f"%{name}: {types[name]}" for name in inputs)
    results = ", ".join(types[name] for name in outputs)
    values = ", ".join(f"%{name}" for name in outputs)
    return (f"func.func @{op}({arguments}) -> ({results}) {{\n"
            f"  {values} = boostr.{op} {operands}{heads}{tiles}\n"
            f"      : {', '.join(types[name] for name in inputs)}\n"
            f"  return {values} : {results}\n}}\n")


def module_path(folder, op, shape, dtype, gemm="generated"):
    """Where the compiled module is: named after what is in it."""
    text = module_text(op, shape, dtype)
    suffix = "" if gemm == "generated" else f"-{gemm}"
    return Path(folder) / f"{op}-{hashlib.sha256(text.encode()).hexdigest()[:16]}{suffix}.so"


def compile_modules(folder, shapes, dtype, compiler, target, tile=None, gemms=GEMMS, ops=OPS):
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    texts = {module_path(folder, op, shape, dtype, gemm): (module_text(op, shape, dtype, tile), gemm)
             for shape in shapes for op in ops for gemm in gemms}

    def compile_one(item):
        path, (text, gemm) = item
        source = path.with_suffix(".mlir")
        source.write_text(text, encoding="utf-8")
        subprocess.run([compiler, source, f"--target={target}", f"--gemm={gemm}", "--emit=so", "-o", path],
                       check=True)

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(compile_one, [item for item in texts.items() if not item[0].exists()]))
    return sorted(texts)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", help="where compiled modules go")
    parser.add_argument("--dtype", default="bf16", choices=("bf16", "f16", "f32", "f64"))
    parser.add_argument("--boostr-compile", default="boostr-compile", help="the compiler")
    parser.add_argument("--target", default="cuda:sm_90a", help="as boostr-compile takes it")
    parser.add_argument("--tile", nargs="+", help="a #boostr.gpu_tile<...> to use for every contraction, or one for each; "
                                                  "--gemm generated then")
    parser.add_argument("--gemm", nargs="+", default=GEMMS, choices=GEMMS, help="what computes the products")
    parser.add_argument("--ops", nargs="+", default=OPS, choices=OPS, help="what to compile")
    parser.add_argument("--shapes-file", type=Path, default=SHAPES_FILE, help="the shapes, as JSON")
    args = parser.parse_args()
    for path in compile_modules(args.folder, load_shapes(args.shapes_file), args.dtype, args.boostr_compile,
                                args.target, args.tile, ["generated"] if args.tile else args.gemm,
                                args.ops):
        print(path)


if __name__ == "__main__":
    main()
