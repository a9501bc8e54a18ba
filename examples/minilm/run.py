# Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Embeds sentences with all-MiniLM-L6-v2, its attention projections compiled.

Compiles minilm.mlir, runs the model with the compiled projections in all six layers,
compares each projection, its gradients and the embeddings with NumPy in float64, and
ranks the sentences by their likeness to a query. Ends with status 1 if an error is
beyond its limit.
"""

from __future__ import annotations

import argparse
import sys
import time
from functools import partial
from pathlib import Path

try:
    import boostr
    import numpy as np

    import model
    import weights
    from compare import Recorder, cotangents, error, relative_error, times
except ImportError as missing:
    sys.exit(f"run.py: error: {missing}; scripts/demo.sh sets up and finds what is needed")

HERE = Path(__file__).resolve().parent
PROJECTION_LIMIT = 1e-5
EMBEDDING_LIMIT = 1e-4
QUERY = "How can I keep bread fresh for longer?"


def parse_arguments(arguments):
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--query", default=QUERY, help="what to rank the sentences by "
                        "(default: %(default)r)")
    parser.add_argument("--sentences", type=Path, metavar="FILE",
                        default=HERE / "sentences.txt",
                        help="a text file, a sentence per line (default: sentences.txt here)")
    parser.add_argument("--batch", type=int, default=0, metavar="N",
                        help="sentences to embed at a time (default: all)")
    parser.add_argument("--threads", type=int, default=0, metavar="N",
                        help="threads of the compiled code (default: one per processor)")
    parser.add_argument("--repeat", type=int, default=20, metavar="N",
                        help="runs to take the median time of, fewer if they are slow "
                        "(default: %(default)s)")
    options = parser.parse_args(arguments)
    if options.repeat < 1:
        parser.error(f"--repeat: expected at least 1, got {options.repeat}")
    if options.batch < 0:
        parser.error(f"--batch: expected at least 1, or 0 for all, got {options.batch}")
    if not options.query.strip():
        parser.error("--query: expected some words, got none")
    return options


def read_sentences(path: Path) -> list[str]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise ValueError(f"'{path}' is not UTF-8 text: {error.reason}") from error
    sentences = [line.strip() for line in lines if line.strip()]
    if not sentences:
        raise ValueError(f"'{path}' has no sentences; expected one per line")
    return sentences


def check_projection(module, context, name: str, seed: int, calls, repeat: int):
    """Compares the calls of one projection in one layer, and their gradients, with NumPy.

    Returns a line of the table, and the largest error.
    """
    cells, errors = [], []
    forward = partial(getattr(module, name), context=context)
    given = [cotangents(seed, forward(*arguments)) for arguments in calls]
    with_cotangents = [(*arguments, *c) for arguments, c in zip(calls, given)]
    for suffix, inputs, products in (("", calls, 1), ("_vjp", with_cotangents, 2)):
        compiled = partial(getattr(module, name + suffix), context=context)
        reference = getattr(model, name + suffix)
        errors.append(float(np.max([error(compiled, reference, i) for i in inputs])))
        taken = times(compiled, reference, inputs[0], repeat)
        x, weight = inputs[0][:2]
        flops = 2 * products * x.shape[0] * x.shape[1] * weight.size
        cells.append(f"{errors[-1]:>11.1e}{taken.milliseconds:>9.2f}"
                     f"{flops / taken.milliseconds / 1e6:>9.1f}{taken.numpy_milliseconds:>10.2f}")
    return f"{name:9}{''.join(cells)}", errors


def check_projections(module, context, recorders, layers: int, repeat: int) -> float:
    """Prints a line for each projection of each layer. Returns the largest error."""
    batch, tokens = recorders["qkv"].calls[0][0].shape[:2]
    print(f"relative errors; median times of {batch} x {tokens} = {batch * tokens} tokens\n")
    print(f"{'':16}{'forward':^39}{'gradients':^39}")
    print(f"{'layer  op':16}" + f"{'error':>11}{'ms':>9}{'GFLOP/s':>9}{'NumPy ms':>10}" * 2)
    largest = []
    for layer in range(layers):
        for name, recorder in recorders.items():
            # Each batch made one call per layer.
            line, errors = check_projection(module, context, name, layer,
                                            recorder.calls[layer::layers], repeat)
            print(f"{layer:>5}  {line}")
            largest += errors
    return float(np.max(largest))


def print_ranking(query: str, sentences: list[str], likeness) -> None:
    print(f"\nclosest to: {query}")
    for number in np.argsort(-likeness):
        print(f"  {likeness[number]:6.3f}  {sentences[number]}")


def verdict(what: str, found: float, limit: float) -> bool:
    # Not `found > limit`, which a NaN would pass.
    within = found <= limit
    print(f"{what:32}{found:>9.1e}   limit {limit:.0e}   {'ok' if within else 'TOO LARGE'}")
    return within


def run(options) -> int:
    sentences = read_sentences(options.sentences)
    single = weights.load(np.float32)
    context = boostr.Context(num_threads=options.threads)
    start = time.perf_counter()
    module = boostr.compile(HERE / "minilm.mlir")
    print(f"compiled minilm.mlir in {time.perf_counter() - start:.2f} s: "
          f"{', '.join(module.functions())}")

    everything = [*sentences, options.query]
    size = options.batch or len(everything)
    batches = [weights.tokenize(everything[i:i + size]) for i in range(0, len(everything), size)]
    print(f"{len(sentences)} sentences and a query, {sum(mask.sum() for _, mask in batches)} "
          f"tokens, padded to {', '.join('{} x {}'.format(*mask.shape) for _, mask in batches)}")
    recorders = {name: Recorder(partial(getattr(module, name), context=context))
                 for name in ("qkv", "out_proj")}
    found = np.concatenate([model.embed(single, *batch, **recorders) for batch in batches])
    projection_error = check_projections(module, context, recorders, len(single.layers),
                                         options.repeat)
    double = weights.load(np.float64)
    exact = np.concatenate([model.embed(double, *batch) for batch in batches])

    print_ranking(options.query, sentences, found[:-1] @ found[-1])
    print("\nlargest errors against NumPy in float64")
    results = [verdict("  projections and gradients", projection_error, PROJECTION_LIMIT),
               verdict("  embeddings", relative_error(found, exact), EMBEDDING_LIMIT)]
    return 0 if all(results) else 1


def main() -> int:
    options = parse_arguments(sys.argv[1:])
    try:
        return run(options)
    except (boostr.CompileError, weights.ModelNotFound, ImportError, OSError,
            ValueError) as problem:
        print(f"run.py: error: {problem}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
