# Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Code for other CPUs than this machine's, run where this machine can."""

import boostr
import pytest
import test_fused_qkv as qkv
import test_fused_qkv_grad as qkv_grad
import test_out_proj_residual as out
import test_out_proj_residual_grad as out_grad
from gradients import variants
from support import TYPES, Heads, host_features

HEADS = [Heads(4, 2, 96), Heads(3, 2, 7)]
# What each level of x86-64 adds, as /proc/cpuinfo calls it.
TARGETS = {
    "cpu:x86-64": set(),
    "cpu:x86-64-v2": {"sse4_2"},
    "cpu:x86-64,+avx": {"avx"},
    "cpu:x86-64-v3": {"avx2", "fma", "f16c"},
    "cpu:x86-64-v4": {"avx512f", "avx512bw", "avx512dq", "avx512vl"},
    "cpu:x86-64-v4,+avx512bf16": {"avx512f", "avx512bw", "avx512dq", "avx512vl", "avx512_bf16"},
    "cpu:x86-64-v4,+amx-bf16": {"avx512f", "avx512bw", "avx512dq", "avx512vl", "amx_bf16"},
}


# (B, S): one token, few, and more.
TOKENS = [(1, 1), (2, 5), (1, 130)]


@pytest.fixture(params=TARGETS)
def target(request):
    missing = TARGETS[request.param] - host_features()
    if missing:
        pytest.skip(f"this CPU has no {', '.join(sorted(missing))}")
    return request.param


def test_fused_qkv(target):
    module = boostr.compile(
        "\n".join(qkv.function(qkv.name_of(element, heads, "dynamic", True), element, heads,
                               (None,) * 3, True)
                  for element in TYPES for heads in HEADS), target=target)
    for element in TYPES:
        for heads in HEADS:
            for batch, tokens in TOKENS:
                for hidden in (13, 97):
                    qkv.check(module, element, heads, "dynamic", (batch, tokens, hidden), True)


def test_out_proj_residual(target):
    module = boostr.compile(
        "\n".join(out.function(f"dynamic_{element}_True", element, (None,) * 4, True)
                  for element in TYPES), target=target)
    for element in TYPES:
        for batch, tokens in TOKENS:
            out.check(module, "dynamic", element, True, (batch, tokens, 97, 71))


@pytest.mark.parametrize("element", TYPES)
def test_gradients(target, element):
    heads, everything = HEADS[0], variants(element)[6]
    text = qkv_grad.function("qkv_" + qkv_grad.name_of(element, heads, "dynamic", everything),
                             element, heads, (None,) * 3, everything)
    text += out_grad.function(f"dynamic_{everything.name}", element, (None,) * 4, everything)
    module = boostr.compile(text, target=target)

    class Named:
        """The functions whose names begin with `qkv_`."""

        def __getattr__(self, name):
            return getattr(module, "qkv_" + name)

    for batch, tokens in TOKENS:
        qkv_grad.check(Named(), element, heads, "dynamic", everything, (batch, tokens, 97))
        out_grad.check(module, element, "dynamic", everything, (batch, tokens, 97, 71))
