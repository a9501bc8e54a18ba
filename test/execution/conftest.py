# Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""BOOSTR_TEST_TARGET=cuda runs these tests on a GPU, BOOSTR_TEST_CONTRACTIONS=linalg without
our code generators, BOOSTR_TEST_GEMM=cublaslt with products by cuBLASLt."""

import os

import boostr

_compile = boostr.compile


def _compile_for_target(source, target=None, *, contractions=None, gemm=None, **options):
    return _compile(source, target or os.environ.get("BOOSTR_TEST_TARGET", "cpu"),
                    contractions=contractions
                    or os.environ.get("BOOSTR_TEST_CONTRACTIONS", "generated"),
                    gemm=gemm or os.environ.get("BOOSTR_TEST_GEMM", "generated"), **options)


boostr.compile = _compile_for_target
