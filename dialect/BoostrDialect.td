// Part of the boostr-mlir project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The dialect itself.

#ifndef BOOSTR_DIALECT_BOOSTRDIALECT_TD
#define BOOSTR_DIALECT_BOOSTRDIALECT_TD

include "mlir/IR/DialectBase.td"

def Boostr_Dialect : Dialect {
  let name = "boostr";
  let cppNamespace = "::mlir::boostr";
  let summary = "Attention projections, fused with what surrounds them";
  let description = [{
    Every attention block begins and ends with a projection:

    ```
    Q, K, V = split_heads(X @ Wqkv^T + bqkv)        boostr.fused_qkv
    Y       = attn @ Wo^T + bo + residual           boostr.out_proj_residual
    ```

    The dialect has these two ops and their gradients. Named dimensions used
    throughout:

    | name | meaning |
    |------|---------|
    | `B`  | batch |
    | `S`  | tokens in a sequence |
    | `H`  | hidden size of the model |
    | `D`  | `head_dim` |
    | `P`  | columns of the output projection's weight, `num_heads * head_dim` in a transformer |
    | `R`  | rows of the fused weight, `(num_heads + 2 * num_kv_heads) * head_dim` |

    Every dimension may be static or dynamic, and `B` and `S` may be zero.
    Element types are f64, f32, f16 and bf16. Products of f16 and bf16 values
    are accumulated in f32; bias, residual and given gradients are added in f32
    too, before the one rounding at the end.

    Each op has two forms. The *value form* has tensor operands and results.
    The *buffer form* has memref operands and writes to the memrefs of its
    `outs` group; bufferization turns the first into the second, and code
    generators read the second. Operands of the buffer form must not overlap
    what is written, except where an op says that it accumulates in place.
  }];

  let dependentDialects = [
    "::mlir::affine::AffineDialect", "::mlir::arith::ArithDialect",
    "::mlir::bufferization::BufferizationDialect",
    "::mlir::linalg::LinalgDialect", "::mlir::memref::MemRefDialect",
    "::mlir::tensor::TensorDialect"];
  let hasOperationAttrVerify = 1;
  let useDefaultAttributePrinterParser = 1;
  let extraClassDeclaration = [{
    void registerAttributes();

    /// Marks a function for `boostr-differentiate`.
    static constexpr ::llvm::StringLiteral getDifferentiateAttrName() {
      return "boostr.differentiate";
    }
    /// Marks an op whose results are constants to `boostr-differentiate`.
    static constexpr ::llvm::StringLiteral getStopGradientAttrName() {
      return "boostr.stop_gradient";
    }
    /// Discardable attribute of an op in buffer form: the CPU tile to use.
    static constexpr ::llvm::StringLiteral getCpuTileAttrName() {
      return "boostr.cpu_tile";
    }
    /// Discardable attribute of a parallel loop: iterations that make up a task.
    static constexpr ::llvm::StringLiteral getGrainAttrName() {
      return "boostr.grain";
    }
    /// Discardable attribute of a module: the CPU to generate code for.
    static constexpr ::llvm::StringLiteral getCpuTargetAttrName() {
      return "boostr.cpu_target";
    }
  }];
}

#endif // BOOSTR_DIALECT_BOOSTRDIALECT_TD
