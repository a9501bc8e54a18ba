// Part of the boostr-mlir project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The passes. Every description says: input, output, what is left, when it fails.

#ifndef BOOSTR_PASSES_PASSES_TD
#define BOOSTR_PASSES_PASSES_TD

include "mlir/Pass/PassBase.td"

//===----------------------------------------------------------------------===//
// passes/linalg
//===----------------------------------------------------------------------===//

def ConvertBoostrToLinalg : Pass<"convert-boostr-to-linalg"> {
  let summary = "Lower boostr ops on tensors to linalg contractions on views";
  let description = [{
    Input: boostr ops in value form.

    Output: one `linalg.contract` for each term of each segment, on slices and
    expanded shapes of the operands where they lie: no transpose, no concatenation,
    no copy. f16 and bf16 accumulate in f32; a `linalg.generic` adds bias, residual
    and given gradients and rounds once. Bias gradients are reductions in
    `linalg.generic`. What comes out is plain linalg, tensor and arith for any other
    compiler to take over, and serves as the specification that can be run.

    Leaves: every other op, of any dialect.

    Fails: on a boostr op in buffer form, at that op.

    Example: `test/passes/linalg/convert-boostr-to-linalg.mlir`.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect",
    "::mlir::linalg::LinalgDialect", "::mlir::tensor::TensorDialect"];
}

#endif // BOOSTR_PASSES_PASSES_TD
