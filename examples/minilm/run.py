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
    from compare import Recorder, compare, cotangents, relative_error
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
    parser.add_argument("--threads", type=int, default=0, metavar="N",
                        help="threads of the compiled code (default: one per processor)")
    parser.add_argument("--repeat", type=int, default=20, metavar="N",
                        help="runs to take the median time of, fewer if they are slow "
                        "(default: %(default)s)")
    options = parser.parse_args(arguments)
    if options.repeat < 1:
        parser.error(f"--repeat: expected at least 1, got {options.repeat}")
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


def check_projections(module, context, recorders, repeat: int) -> float:
    """Prints a line for each projection of each layer. Returns the largest error."""
    print(f"{'':16}{'relative error':^22}{'forward, ms':^20}{'gradients, ms':^20}")
    print(f"{'layer  op':16}{'forward':>10}{'gradients':>12}"
          f"{'boostr':>11}{'NumPy':>9}{'boostr':>11}{'NumPy':>9}")
    errors = []
    for layer in range(len(recorders["qkv"].calls)):
        for name, recorder in recorders.items():
            forward = partial(getattr(module, name), context=context)
            vjp = partial(getattr(module, f"{name}_vjp"), context=context)
            arguments = recorder.calls[layer]
            given = cotangents(layer, forward(*arguments))
            there = compare(forward, getattr(model, name), arguments, repeat)
            back = compare(vjp, getattr(model, f"{name}_vjp"), (*arguments, *given), repeat)
            errors += [there.error, back.error]
            print(f"{layer:>5}  {name:9}{there.error:>10.1e}{back.error:>12.1e}"
                  f"{there.milliseconds:>11.2f}{there.numpy_milliseconds:>9.2f}"
                  f"{back.milliseconds:>11.2f}{back.numpy_milliseconds:>9.2f}")
    return float(np.max(errors))


def print_ranking(query: str, sentences: list[str], likeness) -> None:
    print(f"\nclosest to: {query}")
    for number in np.argsort(-likeness):
        print(f"  {likeness[number]:6.3f}  {sentences[number]}")


def verdict(what: str, error: float, limit: float) -> bool:
    # Not `error > limit`, which a NaN would pass.
    within = error <= limit
    print(f"{what:32}{error:>9.1e}   limit {limit:.0e}   {'ok' if within else 'TOO LARGE'}")
    return within


def run(options) -> int:
    sentences = read_sentences(options.sentences)
    single = weights.load(np.float32)
    context = boostr.Context(num_threads=options.threads)
    start = time.perf_counter()
    module = boostr.compile(HERE / "minilm.mlir")
    print(f"compiled minilm.mlir in {time.perf_counter() - start:.2f} s: "
          f"{', '.join(module.functions())}")

    tokens, mask = weights.tokenize([*sentences, options.query])
    print(f"{len(sentences)} sentences and a query, {mask.sum()} tokens, padded to "
          f"{tokens.shape[0]} x {tokens.shape[1]}\n")
    recorders = {name: Recorder(partial(getattr(module, name), context=context))
                 for name in ("qkv", "out_proj")}
    found = model.embed(single, tokens, mask, **recorders)
    projection_error = check_projections(module, context, recorders, options.repeat)
    exact = model.embed(weights.load(np.float64), tokens, mask)

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
            ValueError) as error:
        print(f"run.py: error: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
