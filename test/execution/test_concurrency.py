# Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Calls from several threads at once."""

import threading

import boostr
import numpy as np
from support import random

MODULE = """
func.func @qkv(%x: tensor<?x?x96xf32>, %w: tensor<192x96xf32>)
    -> (tensor<?x4x?x24xf32>, tensor<?x2x?x24xf32>, tensor<?x2x?x24xf32>) {
  %q, %k, %v = boostr.fused_qkv %x, %w num_heads = 4 num_kv_heads = 2 head_dim = 24
      : tensor<?x?x96xf32>, tensor<192x96xf32>
  return %q, %k, %v : tensor<?x4x?x24xf32>, tensor<?x2x?x24xf32>, tensor<?x2x?x24xf32>
}"""


def test_same_results_as_one_after_the_other():
    qkv = boostr.compile(MODULE).qkv
    w = random(0, "f32", 192, 96)
    inputs = [random(1 + i, "f32", 1 + i % 3, 17 + 31 * i, 96) for i in range(8)]
    expected = [qkv(x, w) for x in inputs]
    shared = boostr.Context(num_threads=2)
    failures = []

    def work(number):
        for _ in range(20):
            # Some on a context of their own, some on one that others use too.
            context = shared if number % 2 else None
            for found, right in zip(qkv(inputs[number], w, context=context), expected[number]):
                if not np.array_equal(found, right):
                    failures.append(number)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(len(inputs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
