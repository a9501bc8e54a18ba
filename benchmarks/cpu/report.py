"""Tables, the issue's targets and pictures from the results of cpu-benchmark.

usage: report.py RESULTS.json... --out FOLDER [--no-plots] [--docs FOLDER]

A case that is in several files counts as the newest of them has it that was not disturbed. With --docs, the parts of
cpu-performance.md that are marked as generated, cpu-benchmark.md and the pictures are written there, of the
cases that were not disturbed.
"""

import argparse
import json
import re
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

# Gradients of one product each, and forward.
PRODUCTS = ("fused_qkv", "out_proj_residual", "fused_qkv_grad:input", "fused_qkv_grad:weight+bias",
            "fused_qkv_grad:weight")
DISTURBED = 0.04  # As in main.cpp.
PLAIN_LIBRARIES = ("openblas", "onednn")
CONTENDER_TITLES = {"boostr": "ours", "boostr_prepacked": "ours, prepacked", "openblas": "OpenBLAS",
                    "onednn": "oneDNN", "onednn_prepacked": "oneDNN, prepacked", "numpy": "NumPy",
                    "onnxruntime": "ONNX Runtime", "onnxruntime_attention": "ORT Attention",
                    "onnxruntime_mha": "ORT attention without projection"}


@dataclass
class Contender:
    """Seconds of each repetition; operations and bytes of a run."""

    seconds: list = field(default_factory=list)
    flops: float = 0
    bytes: float = 0
    label: str = ""

    @property
    def time(self):
        return median(self.seconds)

    @property
    def flop_rate(self):
        return self.flops / self.time

    @property
    def byte_rate(self):
        return self.bytes / self.time


@dataclass
class Case:
    op: str
    model: str
    type: str
    tokens: int
    date: str
    foreign: float = 0  # The largest share of the processors that other processes had in a repetition.
    contenders: dict = field(default_factory=dict)

    @property
    def worth(self):
        """A sweep, of ours alone, does not replace what was compared, nor a disturbed case an undisturbed one."""
        return len(self.contenders) > 1, self.foreign <= DISTURBED

    def time(self, name):
        return self.contenders[name].time if name in self.contenders else None

    def ratio(self, other, ours="boostr"):
        """How many times longer `other` takes."""
        a, b = self.time(other), self.time(ours)
        return a / b if a and b else None

    def best(self, names):
        there = [name for name in names if name in self.contenders]
        return min(there, key=self.time) if there else None

    def of_peak(self, ours="boostr"):
        if ours not in self.contenders or "peak" not in self.contenders:
            return None
        return self.contenders[ours].flop_rate / self.contenders["peak"].flop_rate

    def of_read(self, ours="boostr"):
        if ours not in self.contenders or "read" not in self.contenders:
            return None
        return self.contenders[ours].byte_rate / self.contenders["read"].byte_rate


def load(paths):
    """Cases by name, and the context of the newest file."""
    cases, contexts = {}, []
    for document in sorted((json.loads(Path(path).read_text(encoding="utf-8")) for path in paths),
                           key=lambda document: document["context"]["date"]):
        contexts.append(document["context"])
        fresh = {}
        for run in document["benchmarks"]:
            op, model, element, tokens, contender = run["name"].split("/")[:5]
            name = "/".join((op, model, element, tokens))
            case = fresh.setdefault(name, Case(op, model, element, int(tokens), document["context"]["date"]))
            case.foreign = max(case.foreign, run.get("foreign", 0))
            entry = case.contenders.setdefault(contender, Contender())
            entry.seconds.append(run["real_time"] * {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1}[run["time_unit"]])
            entry.flops, entry.bytes, entry.label = run["flops"], run["bytes"], run.get("label", "")
        cases.update({name: case for name, case in fresh.items()
                      if name not in cases or case.worth >= cases[name].worth})
    return cases, contexts[-1]


def number(value, digits=2):
    return "" if value is None else f"{value:.{digits}f}"


def milliseconds(seconds):
    if seconds is None:
        return ""
    value = seconds * 1e3
    return f"{value:.3f}" if value < 1 else f"{value:.2f}" if value < 10 else f"{value:.1f}"


def markdown(header, rows):
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def case_row(case, libraries):
    ours = case.contenders["boostr"]
    plain = case.best(PLAIN_LIBRARIES)
    row = [case.model, str(case.tokens), milliseconds(ours.time), number(ours.flop_rate / 1e9, 0),
           number(case.of_peak()), number(ours.byte_rate / 1e9, 1) if case.tokens <= 16 else "",
           number(case.of_read())]
    row += [milliseconds(case.time(name)) for name in libraries]
    return row + [number(case.ratio(plain) if plain else None), number(case.ratio("numpy"))]


def full_tables(cases):
    """A table for each op and type, a row for each case."""
    groups = defaultdict(list)
    for case in cases.values():
        if len(case.contenders) > 1 and "boostr" in case.contenders:
            groups[case.op, case.type].append(case)
    parts = []
    for (op, element), members in sorted(groups.items()):
        libraries = [name for name in CONTENDER_TITLES
                     if name != "boostr" and any(name in case.contenders for case in members)]
        header = ["model", "tokens", "ours, ms", "GFLOP/s", "of peak", "GB/s", "of read"]
        header += [CONTENDER_TITLES[name] for name in libraries] + ["library / ours", "NumPy / ours"]
        members.sort(key=lambda case: (case.model, case.tokens))
        parts.append(f"## `{op}`, {element}\n\n" +
                     markdown(header, [case_row(case, libraries) for case in members]))
    return "\n\n".join(parts)


@dataclass
class Row:
    """A line of the table of targets: `value` may be missing."""

    what: str
    model: str
    tokens: str
    metric: str
    value: float
    least: float

    @property
    def met(self):
        return None if self.value is None else self.value >= self.least


def bf16_units(case):
    """What multiplied bf16 in the measured peak: its name, and what fraction is aimed at plain and prepacked."""
    label = case.contenders["peak"].label if "peak" in case.contenders else ""
    if label.startswith("AMX"):
        return "AMX", 0.45, 0.50
    return ("AVX512-BF16" if label.startswith("AVX512-BF16") else "FMA"), 0.75, 0.75


def product_targets(case):
    """Forward and gradient products with many tokens."""
    if case.op not in PRODUCTS or case.tokens < 512 or case.model not in ("llama3-8b", "gpt2-medium"):
        return
    what, tokens = f"`{case.op}` {case.type}", str(case.tokens)
    if case.type == "f32":
        yield Row(what, case.model, tokens, "of FMA peak", case.of_peak(), 0.80)
        best = case.best(PLAIN_LIBRARIES)
        yield Row(what, case.model, tokens, "fastest library GEMM / ours", case.ratio(best) if best else None, 1.10)
    elif case.type == "bf16":
        units, least, least_prepacked = bf16_units(case)
        yield Row(what, case.model, tokens, f"of {units} peak, plain", case.of_peak(), least)
        yield Row(what, case.model, tokens, "oneDNN / ours, plain", case.ratio("onednn"), 1.4)
        if ":weight" not in case.op:  # The weight is no operand there.
            yield Row(what, case.model, tokens, f"of {units} peak, prepacked", case.of_peak("boostr_prepacked"),
                      least_prepacked)
            yield Row(what, case.model, tokens, "oneDNN / ours, both prepacked",
                      case.ratio("onednn_prepacked", "boostr_prepacked"), 1.4)
    else:
        yield Row(what, case.model, tokens, "of FMA peak", case.of_peak(), 0.75)


def other_targets(case):
    what, tokens = f"`{case.op}` {case.type}", str(case.tokens)
    if case.op in ("fused_qkv_grad", "out_proj_residual_grad") and "numpy" in case.contenders:
        yield Row(what, case.model, tokens, "NumPy / ours", case.ratio("numpy"), 1.4)
    if (case.model == "llama3-8b" and case.tokens == 1 and case.type in ("f32", "bf16")
            and case.op in ("fused_qkv", "out_proj_residual")):
        yield Row(what, case.model, tokens, "of read bandwidth", case.of_read(), 0.85)


def projection_target(cases, runtime, title):
    """MiniLM's two projections with 128 tokens against ONNX Runtime; none without both."""
    pair = [cases.get(f"{op}/minilm/f32/128") for op in ("fused_qkv", "out_proj_residual")]
    if None in pair or any("onnxruntime" not in case.contenders for case in pair):
        return []
    theirs = runtime(pair)
    value = theirs / sum(case.time("boostr") for case in pair) if theirs else None
    return [Row("both projections f32", "minilm", "128", title, value, 2.0)]


def fused_attention_time(pair):
    """QKV by ONNX Runtime's Attention, less attention itself; the output projection as a graph."""
    attention, alone = pair[0].time("onnxruntime_attention"), pair[0].time("onnxruntime_mha")
    return attention - alone + pair[1].time("onnxruntime") if attention and alone else None


def find_targets(cases):
    rows = [row for rule in (product_targets, other_targets) for case in cases.values() if len(case.contenders) > 1
            for row in rule(case)]
    rows += projection_target(cases, lambda pair: sum(case.time("onnxruntime") for case in pair),
                              "ONNX Runtime's graph / ours")
    rows += projection_target(cases, fused_attention_time, "ONNX Runtime's fused Attention / ours")
    return rows


def targets_table(cases):
    def verdict(row):
        if row.met is None:
            return "not measured"
        return "met" if row.met else f"missed by {100 * (1 - row.value / row.least):.0f} %"

    rows = sorted(find_targets(cases), key=lambda row: (row.metric, row.what, row.model, int(row.tokens)))
    met = sum(row.met is True for row in rows)
    missing = sum(row.met is None for row in rows)
    return (f"{met} of {len(rows) - missing} measured lines are met.\n\n" +
            markdown(["what", "model", "tokens", "measure", "value", "at least", ""],
                     [[row.what, row.model, row.tokens, row.metric, number(row.value), number(row.least), verdict(row)]
                      for row in rows]))


def machine_table(cases, context):
    """What the machine reached, over all cases, and what was compared."""
    rows = []
    units = {bf16_units(case)[0] for case in cases.values() if case.type == "bf16" and "peak" in case.contenders}
    titles = {("peak", "f32"): "f32 FMA, registers alone", ("peak", "f64"): "f64 FMA, registers alone",
              ("peak", "bf16"): f"bf16 {' and '.join(sorted(units))}, registers alone"}
    for (name, element), title in titles.items():
        rates = [case.contenders[name].flop_rate / 1e9 for case in cases.values()
                 if case.type == element and name in case.contenders]
        if rates:
            rows.append([title, f"{median(rates):.0f} GFLOP/s", f"{min(rates):.0f} to {max(rates):.0f}"])
    for name, title in (("read", "reads of memory"), ("read_1thread", "reads of memory, 1 thread")):
        rates = [case.contenders[name].byte_rate / 1e9 for case in cases.values() if name in case.contenders]
        if rates:
            rows.append([title, f"{median(rates):.1f} GB/s", f"{min(rates):.1f} to {max(rates):.1f}"])
    caches = ", ".join(f"L{cache['level']} {cache['size'] // 1024} KiB {cache['type'].lower()}"
                       for cache in context["caches"])
    lines = [f"{context['threads']} threads of {context.get('cpu', 'a CPU')}; {caches}.",
             f"OpenBLAS: {context['openblas'].strip()}, running its `{context['openblas_kernels']}` kernels. "
             f"oneDNN {context['onednn']}. NumPy {context['numpy']} with {context['numpy_blas'].strip()}. "
             f"ONNX Runtime {context['onnxruntime']}. Ours as of commit {context.get('boostr') or 'unknown'}.",
             f"Results of {context['date'][:10]} and the days before." if len({c.date[:10] for c in cases.values()}) > 1
             else f"Results of {context['date'][:10]}."]
    disturbed = sum(case.foreign > DISTURBED for case in cases.values())
    if disturbed:
        lines.append(f"In {disturbed} of {len(cases)} cases other processes had more than 4 % of the processors "
                     "in a repetition, after retries.")
    return markdown(["", "median of the cases", "lowest and highest"], rows) + "\n\n" + "\n".join(lines)


def write_docs(docs, parts, full):
    """Replaces what lies between `<!-- generated: NAME -->` and `<!-- end -->`."""
    page = docs / "cpu-performance.md"
    text = page.read_text(encoding="utf-8")
    for name, content in parts.items():
        pattern = re.compile(rf"(<!-- generated: {name} -->\n).*?(<!-- end -->)", re.DOTALL)
        if not pattern.search(text):
            raise SystemExit(f"report.py: error: '{page}' expected <!-- generated: {name} -->, found none")
        text = pattern.sub(lambda match, content=content: f"{match[1]}\n{content}\n\n{match[2]}", text)
    page.write_text(text, encoding="utf-8")
    (docs / "cpu-benchmark.md").write_text(full, encoding="utf-8")


def write_parts(cases, context, left_out=0):
    """What is printed and put into pages, and the page of all cases."""
    parts = {"machine": machine_table(cases, context), "targets": targets_table(cases)}
    if left_out:
        parts["machine"] += (f"\n{left_out} more cases were measured while other processes had more than 4 % of the "
                             "processors, and are left out.")
    full = ("# CPU benchmark, all cases\n\nWritten by `scripts/bench-cpu.sh`; [cpu-performance.md](cpu-performance.md) says what is "
            "measured. Times in ms, medians.\n\"library / ours\" is the time of the fastest GEMM alone with plain weights "
            "over that of our whole op.\n\n" + parts["machine"] + "\n\n" + full_tables(cases) + "\n")
    return parts, full


def draw(cases, folder):
    """Draws what there is data for; names and titles of the pictures."""
    import plots  # Wants matplotlib.

    return plots.draw(cases, folder)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("results", nargs="+", help="JSON of cpu-benchmark")
    parser.add_argument("--out", type=Path, help="where table and pictures go; only prints the targets without")
    parser.add_argument("--no-plots", action="store_true", help="no pictures, which need matplotlib")
    parser.add_argument("--docs", type=Path, help="the docs/ folder to bring up to date")
    args = parser.parse_args()

    cases, context = load(args.results)
    parts, full = write_parts(cases, context)
    print(parts["machine"], parts["targets"], sep="\n\n")
    if args.out:
        args.out.mkdir(parents=True, exist_ok=True)
        (args.out / "table.md").write_text(full + "\n# Targets\n\n" + parts["targets"] + "\n", encoding="utf-8")
        if not args.no_plots:
            draw(cases, args.out)
    if args.docs:
        calm = {name: case for name, case in cases.items() if case.foreign <= DISTURBED}
        parts, full = write_parts(calm, context, len(cases) - len(calm))
        parts["pictures"] = "\n\n".join(f"![{title}]({name})" for name, title in draw(calm, args.docs))
        write_docs(args.docs, parts, full)


if __name__ == "__main__":
    main()
