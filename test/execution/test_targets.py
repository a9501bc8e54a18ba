# Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Code for other CPUs than this machine's, run where this machine can."""

import boostr
import pytest
from support import TYPES, Heads, host_features
from test_fused_qkv import check, function, name_of

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


@pytest.mark.parametrize("target", TARGETS)
def test_fused_qkv(target):
    missing = TARGETS[target] - host_features()
    if missing:
        pytest.skip(f"this CPU has no {', '.join(sorted(missing))}")
    module = boostr.compile(
        "\n".join(function(name_of(element, heads, "dynamic", True), element, heads, (None,) * 3,
                           True)
                  for element in TYPES for heads in HEADS), target=target)
    for element in TYPES:
        for heads in HEADS:
            for shape in [(2, 5, 13), (1, 130, 97)]:
                check(module, element, heads, "dynamic", shape, True)
