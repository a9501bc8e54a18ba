# Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""examples/minilm: the gradients of its NumPy model, and that it ends with status 1.

That it ends well is tested in test/execution/test_minilm.py.
"""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "examples" / "minilm"))

import model
import run
import weights


def pair(left, right):
    """The sum of the products of two arrays, or of two tuples of them."""
    if isinstance(left, tuple):
        return sum(map(pair, left, right))
    return (left * right).sum()


@pytest.mark.parametrize("name", ["qkv", "out_proj"])
def test_gradients_of_the_model(name):
    """The projections are affine in each argument, so their differences are exact."""
    generator = np.random.default_rng(0)
    function, vjp = getattr(model, name), getattr(model, f"{name}_vjp")
    shapes = {"qkv": [(2, 3, 384), (1152, 384), (1152,)],
              "out_proj": [(2, 3, 384), (384, 384), (384,), (2, 3, 384)]}[name]
    arguments = [generator.standard_normal(shape) for shape in shapes]
    results = function(*arguments)
    cotangents = (tuple(generator.standard_normal(r.shape) for r in results)
                  if isinstance(results, tuple) else (generator.standard_normal(results.shape),))
    gradients = vjp(*arguments, *cotangents)
    assert len(gradients) == len(arguments)
    for number, gradient in enumerate(gradients):
        direction = generator.standard_normal(shapes[number])
        moved = list(arguments)
        moved[number] = moved[number] + direction
        given = cotangents if isinstance(results, tuple) else cotangents[0]
        expected = pair(given, function(*moved)) - pair(given, results)
        assert pair(gradient, direction) == pytest.approx(expected, rel=1e-9, abs=1e-8)


def status(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["run.py", "--repeat=1", *map(str, arguments)])
    return run.main()


@pytest.mark.parametrize("limit", ["PROJECTION_LIMIT", "EMBEDDING_LIMIT"])
def test_errors_that_are_too_large(monkeypatch, capsys, tmp_path, limit):
    sentences = tmp_path / "sentences.txt"
    sentences.write_text("One.\n\nTwo words.\n")
    monkeypatch.setattr(run, limit, 1e-9)
    assert status(monkeypatch, "--sentences", sentences, "--query", "Three.") == 1
    assert capsys.readouterr().out.count("TOO LARGE") == 1


@pytest.mark.parametrize("text, message", [
    (None, "No such file"), (b"\n  \n", "no sentences"), (b"\xff\xfe\x00", "not UTF-8")])
def test_sentences_that_cannot_be_read(monkeypatch, capsys, tmp_path, text, message):
    sentences = tmp_path / "sentences.txt"
    if text is not None:
        sentences.write_bytes(text)
    assert status(monkeypatch, "--sentences", sentences) == 1
    captured = capsys.readouterr()
    assert message in captured.err and str(sentences) in captured.err
    assert len(captured.err.splitlines()) == 1


@pytest.mark.parametrize("argument", ["--repeat=0", "--query= ", "--threads=many", "--nothing"])
def test_wrong_arguments(monkeypatch, capsys, argument):
    with pytest.raises(SystemExit) as ended:
        status(monkeypatch, argument)
    assert ended.value.code == 2 and argument.split("=")[0] in capsys.readouterr().err


def test_package_that_is_missing(monkeypatch, capsys):
    monkeypatch.setattr(weights, "PACKAGE", "no_such_package")
    assert status(monkeypatch) == 1
    assert "no_such_package is not installed: run scripts/setup.sh" in capsys.readouterr().err
