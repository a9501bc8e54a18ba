"""From shapes.json to a plan for cpu-benchmark: cases, and an artifact of boostr-compile for each op.

usage: modules.py --build BUILD --environment VENV --artifacts FOLDER --plan PLAN.json [--filter REGEX] [--sweep]
"""

import argparse
import concurrent.futures
import hashlib
import json
import os
import re
import subprocess
from pathlib import Path

HERE = Path(__file__).resolve().parent
GRADIENTS = ("input", "weight", "bias")


def split_op(text):
    """`fused_qkv_grad:weight+bias` is an op and its gradients, all of them if none is named."""
    op, _, wanted = text.partition(":")
    if not op.endswith("_grad"):
        return op, []
    return op, wanted.split("+") if wanted else list(GRADIENTS)


def make_case(model_name, model, op_text, element, tokens, contenders):
    op, wrt = split_op(op_text)
    wrt = [name for name in wrt if model["bias"] or name != "bias"]
    suffix = "" if not wrt or op_text.endswith("_grad") else ":" + "+".join(wrt)
    return {"name": f"{op}{suffix}/{model_name}/{element}/{tokens}", "op": op, "wrt": wrt, "model": model_name,
            "type": element, "tokens": tokens, **model, "contenders": contenders}


def make_cases(shapes, sweep):
    """Cases of the same weight follow each other, which saves making it anew."""
    if sweep:
        spec = shapes["sweep"]
        return [make_case(name, shapes["models"][name], spec["op"], element, tokens, spec["contenders"])
                for name in spec["models"] for element in spec["types"] for tokens in spec["tokens"]]
    cases = [make_case(name, shapes["models"][name], op, element, tokens, contenders_of(shapes, name, tokens))
             for entry in shapes["sets"] for name in entry["models"] for element in entry["types"]
             for op in entry["ops"] for tokens in entry["tokens"]]
    return list({case["name"]: case for case in cases}.values())


def contenders_of(shapes, model, tokens):
    """Few tokens are a matter of reading memory, and only they. ONNX Runtime's sessions take long to make, and its
    fused operator wants as many heads of keys as of queries."""
    fused = shapes["fused_attention"]
    names = shapes["contenders"] + (fused["contenders"] if model in fused["models"] else [])
    return [name for name in names if tokens <= 16 or not name.startswith("read")]


def signature(case):
    """Names and extents of inputs and of outputs; None is dynamic."""
    rows = (case["heads"] + 2 * case["kv_heads"]) * case["head_dim"]
    width = case["heads"] * case["head_dim"]
    hidden = case["hidden"]
    activations, attention = (None, None, hidden), (None, None, width)
    head = [(None, count, None, case["head_dim"]) for count in (case["heads"], case["kv_heads"], case["kv_heads"])]
    is_qkv = case["op"].startswith("fused_qkv")
    x = ("input", activations) if is_qkv else ("attn", attention)
    weight = (rows, hidden) if is_qkv else (hidden, width)
    if not case["wrt"]:
        inputs = [x, ("weight", weight)] + [("bias", weight[:1])] * case["bias"]
        if is_qkv:
            return inputs, list(zip(("query", "key", "value"), head))
        return inputs + [("residual", activations)], [("output", activations)]
    upstream = list(zip(("d_query", "d_key", "d_value"), head)) if is_qkv else [("d_output", activations)]
    extents = {"input": x[1], "weight": weight, "bias": weight[:1]}
    return upstream + [x, ("weight", weight)], [(f"d_{name}", extents[name]) for name in case["wrt"]]


def module_text(case):
    inputs, outputs = signature(case)

    def tensor(extents):
        return "tensor<" + "".join("?x" if e is None else f"{e}x" for e in extents) + f"{case['type']}>"

    types = [tensor(extents) for _, extents in inputs]
    result_types = ", ".join(tensor(extents) for _, extents in outputs)
    plain = [f"%{name}" for name, _ in inputs if name not in ("bias", "residual")]
    keywords = [f" {name}(%{name})" for name, _ in inputs if name in ("bias", "residual")]
    wrt = ["attn" if name == "input" and "out_proj" in case["op"] else name for name in case["wrt"]]
    heads = (f" num_heads = {case['heads']} num_kv_heads = {case['kv_heads']} head_dim = {case['head_dim']}"
             if "qkv" in case["op"] else "")
    arguments = ", ".join(f'%{name}: {kind} {{boostr.name = "{name}"}}' for (name, _), kind in zip(inputs, types))
    values = ", ".join(f"%{name}" for name, _ in outputs)
    return (f"func.func @{case['op']}({arguments}) -> ({result_types}) {{\n"
            f"  {values} = boostr.{case['op']} {', '.join(plain)}{''.join(keywords)}"
            f"{' wrt(' + ', '.join(wrt) + ')' if wrt else ''}{heads}\n"
            f"      : {', '.join(types)}\n"
            f"  return {values} : {result_types}\n}}\n")


def compile_modules(cases, folder, build):
    """Adds to each case the path of its artifact; compiles what is not there. A new compiler compiles anew."""
    folder.mkdir(parents=True, exist_ok=True)
    compiler = build / "bin" / "boostr-compile"
    key = hashlib.sha256()
    for path in [compiler, *sorted((build / "lib").glob("libboostr_runtime.so.*"))]:
        key.update(path.read_bytes())
    can_prepack = "--prepack=" in subprocess.run([compiler, "--help"], capture_output=True, text=True, check=True).stdout
    texts, options = {}, {}
    for case in cases:
        text = module_text(case)
        digest = hashlib.sha256(key.digest() + text.encode()).hexdigest()[:16]
        case["module"] = str(folder / f"{case['op']}-{digest}.so")
        texts[case["module"]] = text
        # A weight is packed for one product; that of its own gradient does not read it.
        options[case["module"]] = ["--prepack=weight"] * (can_prepack and case["wrt"] in ([], ["input"]))

    def compile_one(item):
        path, text = Path(item[0]), item[1]
        source = path.with_suffix(".mlir")
        source.write_text(text, encoding="utf-8")
        subprocess.run([compiler, source, "--target=cpu", "--emit=so", *options[item[0]], "-o", path],
                       check=True)

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(compile_one, [item for item in texts.items() if not Path(item[0]).exists()]))


def cases_in(folder, sweep):
    """Names of the cases that have results, with several contenders or of a sweep, which no other process disturbed."""
    contenders = {}
    for path in folder.glob("*.json"):
        disturbed, there = set(), {}
        for run in json.loads(path.read_text(encoding="utf-8"))["benchmarks"]:
            name, contender = run["name"].split("/iterations")[0].rsplit("/", 1)
            there.setdefault(name, set()).add(contender)
            if run["foreign"] > 0.04:
                disturbed.add(name)
        for name in there.keys() - disturbed:
            contenders.setdefault(name, set()).update(there[name])
    return {name for name, there in contenders.items() if sweep or len(there) > 1}


def find_in(environment, pattern):
    found = sorted(environment.glob(pattern))
    if not found:
        raise SystemExit(f"modules.py: error: '{environment}' has no {pattern}; run scripts/bench-cpu.sh")
    return str(found[0])


def commit():
    """What is measured, as Git names it; empty outside of a checkout."""
    described = subprocess.run(["git", "-C", HERE, "describe", "--always", "--dirty"], capture_output=True, text=True,
                               check=False)
    return described.stdout.strip()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=Path, required=True, help="the build with boostr-compile")
    parser.add_argument("--environment", type=Path, required=True, help="Python's, with the libraries")
    parser.add_argument("--artifacts", type=Path, required=True, help="where compiled modules go")
    parser.add_argument("--plan", type=Path, required=True, help="the file to write")
    parser.add_argument("--shapes", type=Path, default=HERE / "shapes.json")
    parser.add_argument("--filter", default="", help="regular expression that the names of cases contain")
    parser.add_argument("--contenders", default="", help="only these, separated by commas")
    parser.add_argument("--sweep", action="store_true", help="many token counts for the plot, ours alone")
    parser.add_argument("--seconds", type=float, default=0, help="begin no case later than this")
    parser.add_argument("--resume", type=Path, help="leave out the cases of which this folder has undisturbed results")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    args = parser.parse_args()

    shapes = json.loads(args.shapes.read_text(encoding="utf-8"))
    cases = [case for case in make_cases(shapes, args.sweep) if re.search(args.filter, case["name"])]
    if args.resume:
        done = cases_in(args.resume, args.sweep)
        cases = [case for case in cases if case["name"] not in done]
        if not cases:
            raise SystemExit(f"modules.py: nothing to do: '{args.resume}' has results of all cases")
    if not cases:
        raise SystemExit(f"modules.py: error: filter '{args.filter}' expected to select a case, selected none")
    if args.contenders:
        for case in cases:
            case["contenders"] = args.contenders.split(",")
    compile_modules(cases, args.artifacts, args.build)
    settings = ("rotate_bytes", "max_copies", "seconds_per_case", "wait_seconds", "min_repetitions", "max_repetitions")
    plan = {name: shapes[name] for name in settings}
    if args.sweep:
        plan["seconds_per_case"] = 0.2
    args.plan.write_text(json.dumps(plan | {
        "commit": commit(), "threads": args.threads, "seconds": args.seconds, "python": str(args.environment / "bin" / "python"), "python_path": str(HERE),
        "opencl_driver": find_in(args.environment, "lib/libintelocl.so"),
        "openblas": find_in(args.environment, "lib/python3*/site-packages/scipy_openblas32/lib/libscipy_openblas*.so"),
        "cases": cases}, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
