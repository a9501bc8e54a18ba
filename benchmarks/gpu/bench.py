"""Measures the ops on a GPU against libraries and compilers, in one run.

For each op and shape every contender is checked against float32 first. Then its work on several sets of inputs
(more than the L2 cache holds) is captured in a CUDA graph, and the graphs of all contenders are replayed in
turn; the time of a contender is the median of its replays, by CUDA events, divided by the number of sets.

usage: bench.py MODULES [--runtime libboostr_runtime.so.1] [--ops ...] [--shapes ...] [--contenders ...]
                [--variant NAME=MODULES] [--compile-budget SECONDS] [--shapes-file shapes.json] [--apart] [--out FOLDER]

Calls of one op follow each other in a graph, which no model has; with --apart a small kernel of PyTorch is
between two calls, of all contenders, and its time is counted.

MODULES is the folder that modules.py wrote. Needs torch and triton; matplotlib for the picture.
"""

import argparse
import json
import math
import statistics
import sys
import time
from pathlib import Path

import torch

import contenders as c
import modules
import ours

DTYPES = {"bf16": torch.bfloat16, "f16": torch.float16, "f32": torch.float32, "f64": torch.float64}
LIMITS = {torch.bfloat16: 4e-3, torch.float16: 6e-4, torch.float32: 1e-5, torch.float64: 1e-13}
L2_BYTES = 100 << 20


def relative_error(result, reference):
    difference = (result.double() - reference.double()).norm() / reference.double().norm()
    return difference.item() if math.isfinite(difference.item()) else math.inf


def put_apart(make):
    """What `make` makes, each call behind a small kernel."""
    def make_apart(case):
        call, numbers = make(case), torch.zeros(128, device="cuda")

        def run():
            numbers.add_(1)
            return call()
        return call and run
    return make_apart


class Contender:
    """One way to compute an op, captured on all sets of tensors."""

    def __init__(self, name, make, cases, references):
        self.name, self.times, self.error = name, [], None
        calls = [make(case) for case in cases]
        self.available = calls[0] is not None
        if not self.available:
            return
        if references is not None:
            results = calls[0]()
            torch.cuda.synchronize()
            self.error = max(relative_error(x, y) for x, y in zip(results, references))
        stream = torch.cuda.Stream()
        with torch.cuda.stream(stream):
            for call in calls:
                call()
            torch.cuda.synchronize()
            # Short ones several times: a replay should be long against its start.
            self.rounds = self._rounds(calls, stream)
            self.count = self.rounds * len(calls)
            self.graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(self.graph, stream=stream):
                for _ in range(self.rounds):
                    for call in calls:
                        call()
        self.calls = calls
        self.graph.replay()
        torch.cuda.synchronize()

    @staticmethod
    def _rounds(calls, stream):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record(stream)
        for call in calls:
            call()
        end.record(stream)
        end.synchronize()
        return max(1, min(20, math.ceil(2.0 / max(start.elapsed_time(end), 0.05))))

    def replay(self):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        self.graph.replay()
        end.record()
        end.synchronize()
        self.times.append(start.elapsed_time(end) / self.count)


class CompileBudget:
    """What torch.compile may take to compile and to tune, in all: how long that is differs much between shapes."""

    def __init__(self, seconds):
        self.seconds, self.used, self.rows = seconds, 0.0, 0

    def create(self, make, cases, references):
        """The contender, or None and why."""
        if self.used >= self.seconds:
            return None, f"its warm-ups have taken {self.used:.0f} s of {self.seconds} s (--compile-budget)"
        start = time.perf_counter()
        try:
            contender, reason = Contender("compile", make, cases, references), ""
        except Exception as error:  # Of any kind: a compiler's failure is its result.
            lines = str(error).strip().splitlines() or [""]
            contender, reason = None, f"{type(error).__name__}: {lines[0]}"
        seconds = time.perf_counter() - start
        self.used += seconds
        self.rows += contender is not None
        if contender:
            print(f"compile: warm-up of {seconds:.0f} s", flush=True)
        return contender, reason


def create_rivals(op, shape, makers, cases, references, budget):
    rivals = []
    for name, make in makers.items():
        if name == "compile":
            contender, reason = budget.create(make, cases, references)
            if not contender:
                print(f"{op:22s} {shape.name:20s} compile: skipped: {reason}", flush=True)
                continue
        else:
            contender = Contender(name, make, cases, None if name == "floor" else references)
        if contender.available:
            rivals.append(contender)
    return rivals


def measure(op, shape, dtype, makers, repeats, budget):
    first = c.Case(op, shape, dtype)
    sets = max(1, min(8, math.ceil(L2_BYTES / first.bytes())))
    cases = [first] + [c.Case(op, shape, dtype) for _ in range(sets - 1)]
    references = first.reference(torch.float64 if dtype.itemsize >= 4 else torch.float32)
    rivals = create_rivals(op, shape, makers, cases, references, budget)
    del references
    for _ in range(repeats):
        for contender in rivals:
            contender.replay()
    flops, size = shape.products(op), first.bytes()
    rows = []
    for contender in rivals:
        ms = statistics.median(contender.times)
        rows.append({"op": op, "shape": shape.name, "contender": contender.name, "ms": ms,
                     "tflops": flops / ms / 1e9, "gb_per_s": size / ms / 1e6, "error": contender.error,
                     "spread": (max(contender.times) - min(contender.times)) / ms})
    return rows


def add_ratios(rows, variants):
    """Against the floor, and of ours against the best of the others that compute the whole op."""
    floor = next(row["ms"] for row in rows if row["contender"] == "floor")
    rivals = [row["ms"] for row in rows if row["contender"] not in {"floor", "ours", "ours-cublaslt"} | variants]
    for row in rows:
        row["floor_ratio"] = floor / row["ms"]
        row["rival_ratio"] = min(rivals) / row["ms"] if row["contender"] == "ours" and rivals else None


def table(results):
    lines = ["| op | shape | contender | ms | TFLOP/s | GB/s | floor / time | best rival / time | error |",
             "|---|---|---|---|---|---|---|---|---|"]
    for row in results:
        rival = f"{row['rival_ratio']:.3f}" if row["rival_ratio"] else ""
        error = f"{row['error']:.1e}" if row["error"] is not None else ""
        lines.append(f"| {row['op']} | {row['shape']} | {row['contender']} | {row['ms']:.4f} | {row['tflops']:.1f} | "
                     f"{row['gb_per_s']:.0f} | {row['floor_ratio']:.3f} | {rival} | {error} |")
    return "\n".join(lines)


def geometric_means(results):
    lines = []
    for op in modules.OPS:
        mine = [row for row in results if row["op"] == op and row["contender"] == "ours" and "decode" not in row["shape"]]
        if not mine:
            continue
        floor = statistics.geometric_mean(row["floor_ratio"] for row in mine)
        rival = [row["rival_ratio"] for row in mine if row["rival_ratio"]]
        lines.append(f"{op}: geometric mean of floor / ours {floor:.3f}" +
                     (f", of best rival / ours {statistics.geometric_mean(rival):.3f}" if rival else "") +
                     f" ({len(mine)} shapes)")
    return "\n".join(lines)


# Ours stand out; variants of it have no color of their own.
COLORS = {"floor": "0.75", "eager": "#c6dbef", "compile": "#9ecae1", "library": "#6baed6", "batched": "#3182bd",
          "triton": "#08519c", "ours": "#d62728", "ours-cublaslt": "#f2a6a6"}


def draw_op(axes, results, op, names):
    """Bars of all contenders for each shape."""
    shapes = list(dict.fromkeys(row["shape"] for row in results))
    width = 0.85 / len(names)
    for position, name in enumerate(names):
        found = [(shapes.index(row["shape"]), row["tflops"]) for row in results if row["contender"] == name]
        if not found:
            continue
        axes.bar([x + (position - (len(names) - 1) / 2) * width for x, _ in found], [y for _, y in found], width,
                 label=name, color=COLORS.get(name, f"C{position}"))
    axes.set_title(op, fontsize=9)
    axes.set_xticks(range(len(shapes)), shapes, fontsize=8)
    axes.grid(axis="y", linewidth=0.4)
    axes.set_axisbelow(True)


def picture(results, title, path):
    try:
        import matplotlib
        matplotlib.use("Agg")
        import matplotlib.pyplot as plt
    except ImportError:
        return
    results = [row for row in results if "decode" not in row["shape"]]
    ops = [op for op in modules.OPS if any(row["op"] == op for row in results)]
    if not ops:
        return
    names = list(dict.fromkeys(row["contender"] for row in results))
    figure, panels = plt.subplots(len(ops), 1, figsize=(9, 1 + 2.2 * len(ops)), squeeze=False, sharey=True)
    for axes, op in zip(panels[:, 0], ops):
        draw_op(axes, [row for row in results if row["op"] == op], op, names)
        axes.set_ylabel("TFLOP/s", fontsize=8)
    handles = {label: handle for axes in panels[:, 0] for handle, label in zip(*axes.get_legend_handles_labels())}
    figure.suptitle(f"Products by all contenders, {title}", fontsize=10)
    figure.legend(handles.values(), handles.keys(), loc="lower center", ncol=len(names), fontsize=8, frameon=False)
    figure.tight_layout(rect=(0, 0.04, 1, 1))
    figure.savefig(path, dpi=120)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("modules", help="the folder that modules.py wrote")
    parser.add_argument("--runtime", default="libboostr_runtime.so.1")
    parser.add_argument("--dtype", default="bf16", choices=DTYPES,
                        help="f32 and f64 are without triton, whose kernels multiply with TF32")
    parser.add_argument("--ops", nargs="+", default=modules.OPS, choices=modules.OPS)
    parser.add_argument("--shapes-file", type=Path, default=modules.SHAPES_FILE, help="the shapes, as JSON")
    parser.add_argument("--shapes", nargs="+", metavar="NAME", help="which of them; all unless given")
    parser.add_argument("--contenders", nargs="+", help="floor is always one of them",
                        default=["eager", "compile", "library", "batched", "triton", "ours", "ours-cublaslt"],
                        choices=["eager", "compile", "library", "batched", "triton", "ours", "ours-cublaslt"])
    parser.add_argument("--variant", action="append", default=[], metavar="NAME=MODULES",
                        help="another folder of modules, compiled otherwise, as one more contender")
    parser.add_argument("--compile-budget", type=int, default=600, metavar="SECONDS",
                        help="what torch.compile may take to compile and to tune, in all; after it the rest is skipped")
    parser.add_argument("--repeats", type=int, default=15, help="replays of each graph")
    parser.add_argument("--apart", action="store_true",
                        help="a small kernel of PyTorch between two calls, whose time is counted")
    parser.add_argument("--out", type=Path, help="folder for table, picture and raw data")
    args = parser.parse_args()
    shapes = {shape.name: shape for shape in modules.load_shapes(args.shapes_file)}
    if unknown := set(args.shapes or []) - set(shapes):
        parser.error(f"--shapes: expected some of {', '.join(shapes)}, got {', '.join(sorted(unknown))}")
    dtype = DTYPES[args.dtype]
    if dtype.itemsize > 2:
        args.contenders = [name for name in args.contenders if name != "triton"]
    torch.manual_seed(0)
    torch.backends.cuda.matmul.allow_tf32 = False
    runtime = ours.load_runtime(args.runtime)

    def modules_in(folder, gemm="generated"):
        loaded = {}

        def module_of(case):
            path = modules.module_path(folder, case.op, case.shape, args.dtype, gemm)
            return loaded.setdefault(path, ours.Module(runtime, path))
        return module_of

    every = {"floor": c.floor, "eager": c.eager, "compile": c.compiled, "library": c.library_fused,
             "batched": c.strided_batched, "triton": c.triton_fused, "ours": c.generated(modules_in(args.modules)),
             "ours-cublaslt": c.generated(modules_in(args.modules, "cublaslt"))}
    makers = {name: make for name, make in every.items() if name == "floor" or name in args.contenders}
    for variant in args.variant:
        name, _, folder = variant.partition("=")
        makers[name] = c.generated(modules_in(folder))
    if args.apart:
        makers = {name: put_apart(make) for name, make in makers.items()}
    variants = {variant.partition("=")[0] for variant in args.variant}
    results, wrong, budget = [], 0, CompileBudget(args.compile_budget)
    for op in args.ops:
        for name in args.shapes or shapes:
            rows = measure(op, shapes[name], dtype, makers, args.repeats, budget)
            add_ratios(rows, variants)
            for row in rows:
                is_wrong = row["error"] is not None and row["error"] > LIMITS[dtype]
                wrong += is_wrong
                rival = f" rival/ours {row['rival_ratio']:.3f}" if row["rival_ratio"] else ""
                error = "" if row["error"] is None else f" error {row['error']:.1e}" + (" WRONG" if is_wrong else "")
                print(f"{op:22s} {name:20s} {row['contender']:13s} {row['ms'] * 1e3:9.1f} us {row['tflops']:7.1f} TFLOP/s "
                      f"{row['gb_per_s']:6.0f} GB/s floor/time {row['floor_ratio']:.3f}{rival}{error}", flush=True)
            results += rows
            torch.cuda.empty_cache()
    device = torch.cuda.get_device_name()
    print(device, args.dtype)
    if "compile" in makers:
        print(f"torch.compile: {budget.used:.0f} s of warm-up for {budget.rows} rows")
    print(geometric_means(results))
    if args.out:
        args.out.mkdir(parents=True, exist_ok=True)
        (args.out / "results.json").write_text(json.dumps({"device": device, "dtype": args.dtype, "rows": results}, indent=1))
        (args.out / "table.md").write_text(table(results) + "\n")
        picture(results, f"{device}, {args.dtype}", args.out / "tflops.png")
    if wrong:
        print(f"{wrong} results are wrong", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
