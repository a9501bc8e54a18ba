# Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Calls that are wrong: an exception that names the argument, and nothing written."""

import boostr
import numpy as np
import pytest
from support import poisoned, random

MODULE = """
func.func @project(%attn: tensor<?x?x8xf32> {boostr.name = "attn"},
                   %weight: tensor<?x8xf32> {boostr.name = "weight"},
                   %residual: tensor<?x?x?xf32> {boostr.name = "residual"}) -> tensor<?x?x?xf32> {
  %y = boostr.out_proj_residual %attn, %weight residual(%residual)
      : tensor<?x?x8xf32>, tensor<?x8xf32>, tensor<?x?x?xf32>
  return %y : tensor<?x?x?xf32>
}"""


@pytest.fixture(scope="module")
def project():
    return boostr.compile(MODULE).project


def inputs(**changed):
    right = {"attn": random(1, "f32", 2, 3, 8), "weight": random(2, "f32", 5, 8),
             "residual": random(3, "f32", 2, 3, 5)}
    return list({**right, **changed}.values())


def refuse(project, arguments, *words, error=ValueError):
    out = poisoned("f32", 2, 3, 5)
    with pytest.raises(error) as caught:
        project(*arguments, out=out)
    for word in words:
        assert word in str(caught.value)
    assert np.isnan(out).all(), "an output was written"


def test_right_call(project):
    assert project(*inputs()).shape == (2, 3, 5)


def test_rank(project):
    refuse(project, inputs(weight=random(2, "f32", 1, 5, 8)), "'weight'")


def test_static_extent(project):
    refuse(project, inputs(attn=random(1, "f32", 2, 3, 7)), "'attn'", "[?, ?, 8]", "[2, 3, 7]")


def test_extents_of_two_arguments(project):
    refuse(project, inputs(residual=random(3, "f32", 2, 4, 5)), "'attn'", "'residual'")
    refuse(project, inputs(weight=random(2, "f32", 6, 8)), "'weight'", "'residual'")


def test_element_type(project):
    refuse(project, inputs(attn=random(1, "f64", 2, 3, 8)), "'attn'")


def test_strides(project):
    refuse(project, inputs(weight=random(2, "f32", 8, 5).T), "'weight'", "stride")


def test_output_shape(project):
    with pytest.raises(ValueError, match="output 0"):
        project(*inputs(), out=poisoned("f32", 2, 3, 6))


def test_overlap(project):
    arguments = inputs()
    with pytest.raises(ValueError, match="shared with argument 2"):
        project(*arguments, out=arguments[2])


def test_count(project):
    refuse(project, inputs()[:2], "expected 3 arguments, got 2", error=TypeError)


def test_no_array(project):
    refuse(project, [[1.0], *inputs()[1:]], "'attn'", "expected an array", error=TypeError)


def test_source_that_does_not_parse():
    with pytest.raises(boostr.CompileError, match="custom op 'boostr.fuse'"):
        boostr.compile("func.func @f() {\n  boostr.fuse\n  return\n}")
