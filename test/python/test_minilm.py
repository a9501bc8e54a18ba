# Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""examples/minilm: its NumPy model against published numbers, and the whole example."""

import functools
import sys
from pathlib import Path

import boostr
import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "examples" / "minilm"))

import compare
import model
import run
import weights

# Most of the time of a run, and the same for all of them.
weights.load = functools.cache(weights.load)
boostr.compile = functools.cache(boostr.compile)


def test_published_similarities():
    """Those in the documentation of sentence-transformers for this model."""
    sentences = ["The weather is lovely today.", "It's so sunny outside!",
                 "He drove to the stadium."]
    expected = [[1.0000, 0.6660, 0.1046], [0.6660, 1.0000, 0.1411], [0.1046, 0.1411, 1.0000]]
    exact = weights.load(np.float64)
    found = model.embed(exact, *weights.tokenize(sentences))
    np.testing.assert_allclose(found @ found.T, expected, rtol=0, atol=5.1e-5)
    # Padding makes no difference.
    alone = model.embed(exact, *weights.tokenize(sentences[1:2]))
    np.testing.assert_allclose(found[1:2], alone, rtol=0, atol=1e-14)


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


def test_example(monkeypatch, capsys):
    assert status(monkeypatch, "--threads=2", "--batch=8") == 0
    captured = capsys.readouterr()
    assert captured.out.count("   ok\n") == 2 and not captured.err
    _, ranking = captured.out.split("closest to: ")
    assert "Bread goes stale more slowly" in ranking.splitlines()[1]


def test_comparison_sees_an_error():
    x = np.ones((2, 3), np.float32)
    assert compare.error(lambda a: a + 1e-3, lambda a: a, (x,)) > 1e-4
    assert np.isnan(compare.error(lambda a: (a, a * np.nan), lambda a: (a, a), (x,)))
    assert compare.error(lambda a: a, lambda a: a, (x,)) == 0


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


@pytest.mark.parametrize("argument", ["--repeat=0", "--batch=-1", "--query= ", "--threads=many", "--nothing"])
def test_wrong_arguments(monkeypatch, capsys, argument):
    with pytest.raises(SystemExit) as ended:
        status(monkeypatch, argument)
    assert ended.value.code == 2 and argument.split("=")[0] in capsys.readouterr().err


def test_package_that_is_missing(monkeypatch, capsys):
    monkeypatch.setattr(weights, "PACKAGE", "no_such_package")
    assert status(monkeypatch) == 1
    assert "no_such_package is not installed: run scripts/setup.sh" in capsys.readouterr().err
