// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
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
  let hasRegionArgAttrVerify = 1;
  let hasRegionResultAttrVerify = 1;
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
    /// Discardable attribute of a function's argument: how the weight is packed
    /// that the caller passes.
    static constexpr ::llvm::StringLiteral getPackedLayoutAttrName() {
      return "boostr.packed_layout";
    }
    /// Discardable attribute of a parallel loop: iterations that make up a task.
    static constexpr ::llvm::StringLiteral getGrainAttrName() {
      return "boostr.grain";
    }
    /// Discardable attribute of a load: what is read is not read again soon, so
    /// that it need not stay in the first-level cache.
    static constexpr ::llvm::StringLiteral getStreamedAttrName() {
      return "boostr.streamed";
    }
    /// Discardable attribute of a module: the CPU to generate code for.
    static constexpr ::llvm::StringLiteral getCpuTargetAttrName() {
      return "boostr.cpu_target";
    }
    /// Discardable attribute of an op in buffer form: the GPU tiles to use, one
    /// for each contraction.
    static constexpr ::llvm::StringLiteral getGpuTilesAttrName() {
      return "boostr.gpu_tiles";
    }
    /// Discardable attribute of an op: what computes its matrix products.
    static constexpr ::llvm::StringLiteral getGemmAttrName() {
      return "boostr.gemm";
    }
    /// Discardable attribute of a module: the GPU to generate code for.
    static constexpr ::llvm::StringLiteral getGpuTargetAttrName() {
      return "boostr.gpu_target";
    }
    /// Discardable attribute of a function's argument or result: its name, a
    /// string, for messages and for callers in other languages.
    static constexpr ::llvm::StringLiteral getNameAttrName() {
      return "boostr.name";
    }
    /// Discardable attribute of a public function: its type before lowering,
    /// from tensors to tensors.
    static constexpr ::llvm::StringLiteral getSignatureAttrName() {
      return "boostr.signature";
    }
    /// Beside `boostr.signature`: the names of its inputs, then its outputs.
    static constexpr ::llvm::StringLiteral getSignatureNamesAttrName() {
      return "boostr.signature_names";
    }
    /// Beside `boostr.signature`: for each input the text of its
    /// `boostr.packed_layout`, or "". Absent if none has one.
    static constexpr ::llvm::StringLiteral getSignatureLayoutsAttrName() {
      return "boostr.signature_layouts";
    }
    /// Beside `boostr.signature`: the symbol of the shape function.
    static constexpr ::llvm::StringLiteral getShapesAttrName() {
      return "boostr.shapes";
    }
    /// Discardable attribute of a shape function: the symbol of the function
    /// whose shapes it computes.
    static constexpr ::llvm::StringLiteral getShapesOfAttrName() {
      return "boostr.shapes_of";
    }
    /// Beside `boostr.shapes_of`: an array of strings, in words that follow
    /// "expected that", one for each constraint that the function checks.
    static constexpr ::llvm::StringLiteral getConstraintsAttrName() {
      return "boostr.constraints";
    }
  }];
}

#endif // BOOSTR_DIALECT_BOOSTRDIALECT_TD
