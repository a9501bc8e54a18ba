# Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""What the tests of both gradient ops share: `wrt`, accumulation, and comparing."""

import itertools
from dataclasses import dataclass
from typing import Optional

from support import TYPES, assert_close, poisoned, random, wide

SUBSETS = [subset for size in (1, 2, 3)
           for subset in itertools.combinations(("activations", "weight", "bias"), size)]


@dataclass(frozen=True)
class Variant:
    """What is asked of a gradient op: which gradients, and the element types of what the
    weight and bias gradients accumulate into."""

    wrt: tuple
    accumulate_weight: Optional[str] = None
    accumulate_bias: Optional[str] = None

    @property
    def name(self):
        return "_".join(self.wrt) + f"_{self.accumulate_weight}_{self.accumulate_bias}"

    def result_element(self, gradient, element):
        if gradient == "weight" and self.accumulate_weight:
            return self.accumulate_weight
        if gradient == "bias" and self.accumulate_bias:
            return self.accumulate_bias
        return element


def variants(element):
    """Every subset of gradients, and accumulation into the same type and into f32."""
    plain = [Variant(subset) for subset in SUBSETS]
    everything = SUBSETS[-1]
    main = "f32" if element in ("f16", "bf16") else element
    return plain + [Variant(everything, element, element), Variant(everything, main, None),
                    Variant(("bias",), None, main)]


def op_text(variant, activations, shapes):
    """Arguments, clauses and operand types that `variant` adds to a gradient op.

    shapes: function from (gradient, element type) to tensor types: one, or one for each of
    separate weights.
    """
    arguments, clauses, types = [], [], []
    for gradient, element in (("weight", variant.accumulate_weight),
                              ("bias", variant.accumulate_bias)):
        if element:
            names = {f"%acc_{gradient}{i}": part
                     for i, part in enumerate(shapes(gradient, element))}
            arguments += [f"{name}: {part}" for name, part in names.items()]
            clauses.append(f"accumulate_{gradient}({', '.join(names)})")
            types += names.values()
    names = [activations if g == "activations" else g for g in variant.wrt]
    clauses.append(f"wrt({', '.join(names)})")
    return arguments, " ".join(clauses), types


def run_and_check(run, variant, element, inputs, expected, scale):
    """Calls `run` and compares with the gradients of all three kinds in float64.

    expected, scale: by gradient, and the sums of absolute values (see assert_close).
    """
    arguments, starts = list(inputs), {}
    for gradient, kind in (("weight", variant.accumulate_weight),
                           ("bias", variant.accumulate_bias)):
        if kind:
            starts[gradient] = random(len(arguments) + 50, kind, *expected[gradient].shape)
            arguments.append(starts[gradient])
    elements = {g: variant.result_element(g, element) for g in variant.wrt}
    out = tuple(poisoned(elements[g], *expected[g].shape) for g in variant.wrt)
    before = {g: start.copy() for g, start in starts.items()}
    run(*arguments, out=out)
    for gradient, result in zip(variant.wrt, out):
        exact, size = expected[gradient], scale[gradient]
        if gradient in starts:
            (start,) = wide(starts[gradient])
            exact, size = exact + start, size + abs(start)
        assert_close(result, exact, elements[gradient], size)
    for gradient, start in starts.items():
        assert (start == before[gradient]).all(), "an input was written"


__all__ = ["TYPES", "Variant", "op_text", "run_and_check", "variants"]
