// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The ops. Named dimensions are those of the dialect's description. Every
// constraint has a number, which stands again at its check in BoostrOps.cpp
// (`fused_qkv_c1`) and in the name of its test.

#ifndef BOOSTR_DIALECT_BOOSTROPS_TD
#define BOOSTR_DIALECT_BOOSTROPS_TD

include "boostr/dialect/BoostrAttrs.td"
include "boostr/dialect/DifferentiableOpInterface.td"
include "boostr/dialect/SegmentedContractionOpInterface.td"
include "mlir/Dialect/Bufferization/IR/BufferizableOpInterface.td"
include "mlir/Dialect/Linalg/IR/LinalgInterfaces.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"
include "mlir/Interfaces/TilingInterface.td"
include "mlir/Interfaces/ViewLikeInterface.td"

def Boostr_Element : AnyTypeOf<[F64, F32, F16, BF16]>;

/// An operand of either form. Ranks are checked in C++, where the message can
/// name the operand.
def Boostr_Array : AnyTypeOf<
    [RankedTensorOf<[Boostr_Element]>, MemRefOf<[Boostr_Element]>],
    "ranked tensor or memref of f64, f32, f16 or bf16 values">;
def Boostr_Tensor : RankedTensorOf<[Boostr_Element]>;
def Boostr_Buffer : MemRefOf<[Boostr_Element]>;

class Boostr_ProjectionOp<string mnemonic, list<Trait> traits = []>
    : Op<Boostr_Dialect, mnemonic, !listconcat([
        AttrSizedOperandSegments,
        ConditionallySpeculatable,
        DeclareOpInterfaceMethods<MemoryEffectsOpInterface>,
        DeclareOpInterfaceMethods<ReifyRankedShapedTypeOpInterface, [
          "reifyResultShapes"]>,
        DeclareOpInterfaceMethods<AggregatedOpInterface, ["decomposeOperation"]>,
        DeclareOpInterfaceMethods<TilingInterface, [
          "getLoopIteratorTypes", "getIterationDomain",
          "getTiledImplementation", "getResultTilePosition",
          "generateResultTileValue"]>,
        DeclareOpInterfaceMethods<BufferizableOpInterface, [
          "bufferizesToAllocation", "bufferizesToMemoryRead", "bufferizesToMemoryWrite",
          "getAliasingValues", "bufferize"]>,
        DeclareOpInterfaceMethods<SegmentedContractionOpInterface>,
        InferTypeOpAdaptor], traits)> {
  let hasVerifier = 1;
  let hasCanonicalizer = 1;

  code commonDeclarations = [{
    /// Checks the constraints of the description. `emitError` starts the
    /// message about the first that does not hold. An inactive diagnostic says
    /// nothing and counts as success, so whoever returns one takes note itself.
    ::llvm::LogicalResult verifyConstraints(
        ::llvm::function_ref<::mlir::InFlightDiagnostic()> emitError);

    /// A value form computes nothing but its results.
    ::mlir::Speculation::Speculatability getSpeculatability() {
      return isBufferForm() ? ::mlir::Speculation::NotSpeculatable
                            : ::mlir::Speculation::Speculatable;
    }
  }];
}

//===----------------------------------------------------------------------===//
// fused_qkv
//===----------------------------------------------------------------------===//

def Boostr_FusedQKVOp : Boostr_ProjectionOp<"fused_qkv",
    [DeclareOpInterfaceMethods<DifferentiableOpInterface>]> {
  let summary = "Query, key and value projection into head layout";
  let description = [{
    ```
    Y[b,s,r] = sum_h input[b,s,h] * weight[r,h] + bias[r]
    query[b,i,s,d] = Y[b,s, i*D + d]                                i < num_heads
    key  [b,j,s,d] = Y[b,s, (num_heads + j)*D + d]                  j < num_kv_heads
    value[b,j,s,d] = Y[b,s, (num_heads + num_kv_heads + j)*D + d]   j < num_kv_heads
    ```

    | operand or result | shape |
    |-------------------|-------|
    | `input`           | `[B, S, H]` |
    | `weight`          | `[R, H]`, rows of all query heads, then key heads, then value heads; `R = (num_heads + 2*num_kv_heads) * D` |
    | or three weights  | `[num_heads*D, H]`, `[num_kv_heads*D, H]`, `[num_kv_heads*D, H]`: the same rows, apart |
    | `bias` (optional) | `[R]` |
    | or three biases   | `[num_heads*D]`, `[num_kv_heads*D]`, `[num_kv_heads*D]` |
    | `query`           | `[B, num_heads, S, D]` |
    | `key`, `value`    | `[B, num_kv_heads, S, D]` |

    Element types: one of f64, f32, f16, bf16 for all. f16 and bf16 accumulate
    in f32 and add the bias in f32 before the one rounding. The number of query
    heads need not be a multiple of the number of key/value heads.

    Weight and bias are given packed, or one for each of query, key and value,
    as most models hold them: then they are read where they are, and messages
    call them `query_weight`, `key_weight` and so on.

    Constraints:

    * C1: `num_heads`, `num_kv_heads` and `head_dim` are positive.
    * C2: all operands have the element type of `input`.
    * C3: `input` has shape `[B, S, H]`.
    * C4: `weight`, or each of three, has its shape above.
    * C5: `bias`, or each of three, has its shape above.
    * C6: in value form all operands are tensors and there is no `outs`; in
      buffer form all are memrefs, there are no results, and `outs` holds
      `query`, `key`, `value`.
    * C7: each of `outs` has the shape and element type of its result.
    * C8: there are one weight or three, and no bias or as many as weights.

    Dynamic extents that contradict a constraint at run time are undefined
    behaviour here; compiled artifacts check them when they are called.

    Tiling (of the value form): loops over batch, tokens and groups of heads, of
    which there are as many as the greatest common divisor of `num_heads` and
    `num_kv_heads`. A tile of all groups is `fused_qkv` on a slice of `input`;
    a tile of some is linalg on slices of `input` and on the rows of `weight`
    and `bias` that belong to its heads.

    Example:

    ```mlir
    %q, %k, %v = boostr.fused_qkv %x, %w bias(%b)
        num_heads = 32 num_kv_heads = 8 head_dim = 128
        : tensor<2x?x4096xbf16>, tensor<6144x4096xbf16>, tensor<6144xbf16>
    %q2, %k2, %v2 = boostr.fused_qkv %x, %wq, %wk, %wv
        num_heads = 32 num_kv_heads = 8 head_dim = 128
        : tensor<2x?x4096xbf16>, tensor<4096x4096xbf16>,
          tensor<1024x4096xbf16>, tensor<1024x4096xbf16>
    ```
  }];
  let arguments = (ins Boostr_Array:$input, Variadic<Boostr_Array>:$weights,
      Variadic<Boostr_Array>:$biases, Variadic<Boostr_Buffer>:$outs,
      I64Attr:$num_heads, I64Attr:$num_kv_heads, I64Attr:$head_dim);
  let results = (outs Variadic<Boostr_Tensor>:$projections);
  let assemblyFormat = [{
    $input `,` $weights (`bias` `(` $biases^ `)`)? (`outs` `(` $outs^ `)`)?
    `num_heads` `=` $num_heads `num_kv_heads` `=` $num_kv_heads
    `head_dim` `=` $head_dim attr-dict `:` type(operands)
  }];
  let extraClassDeclaration = commonDeclarations # [{
    ::mlir::Value getQuery() { return getProjections()[0]; }
    ::mlir::Value getKey() { return getProjections()[1]; }
    ::mlir::Value getValue() { return getProjections()[2]; }
  }];
}

//===----------------------------------------------------------------------===//
// fused_qkv_grad
//===----------------------------------------------------------------------===//

def Boostr_FusedQKVGradOp : Boostr_ProjectionOp<"fused_qkv_grad"> {
  let summary = "Gradients of `fused_qkv`";
  let description = [{
    With `dY[b,s,r]` standing for the three given gradients merged from heads
    and concatenated as the rows of `weight` are (which happens in no memory):

    ```
    d_input[b,s,h] = sum_r   dY[b,s,r] * weight[r,h]
    d_weight[r,h]  = sum_b,s dY[b,s,r] * input[b,s,h]  (+ accumulate_weight[r,h])
    d_bias[r]      = sum_b,s dY[b,s,r]                 (+ accumulate_bias[r])
    ```

    | operand or result   | shape |
    |---------------------|-------|
    | `d_query`           | `[B, num_heads, S, D]` |
    | `d_key`, `d_value`  | `[B, num_kv_heads, S, D]` |
    | `input`             | `[B, S, H]` |
    | `weight`            | `[R, H]`, or three as in `fused_qkv` |
    | `accumulate_weight`, `d_weight` | `[R, H]`, or three |
    | `accumulate_bias`, `d_bias`     | `[R]`, or three |
    | `d_input`           | `[B, S, H]` |

    With three weights every operand and result of a weight or bias is there
    three times, for query, key and value; messages call them `query_weight`,
    `d_query_weight` and so on. `wrt` and `accumulate_` mean all three alike.

    `wrt` names the gradients to compute, which are the results in the order
    `input`, `weight`, `bias`. A result has the element type of the operands,
    or of the tensor that it accumulates into, which may be f32 when the
    operands are f16 or bf16. With `B*S = 0` the weight and bias gradients are
    zero or what they accumulate into.

    In buffer form a gradient that accumulates is added to its `accumulate_`
    operand in place; `outs` has one memref for each other gradient.

    Tiling (of the value form): `d_input` alone has loops over batch, tokens and
    columns of `input`; `d_weight`, alone or beside `d_input`, over columns. A
    bias gradient has no columns: with `bias` in `wrt` there is no tile.

    Constraints:

    * C1: `num_heads`, `num_kv_heads` and `head_dim` are positive.
    * C2: all operands have the element type of `input`, but for those of C3.
    * C3: an `accumulate_` operand has that element type, or f32 when it is f16
      or bf16.
    * C4: `input` has shape `[B, S, H]`.
    * C5: `d_query`, `d_key` and `d_value` have the shapes above.
    * C6: `weight` and `accumulate_weight`, or each of three, have the shape above.
    * C7: `accumulate_bias`, or each of three, has the shape above.
    * C8: `accumulate_weight` and `accumulate_bias` need the gradient in `wrt`.
    * C9: value form: tensors, no `outs`; buffer form: memrefs, no results, one
      of `outs` for each gradient of `wrt` that does not accumulate.
    * C10: each of `outs` has the shape and element type of its gradient.
    * C11: there are one weight or three, and of each `accumulate_` operand none
      or as many.

    Example:

    ```mlir
    %dx, %dw, %db = boostr.fused_qkv_grad %dq, %dk, %dv, %x, %w
        accumulate_weight(%main_grad) wrt(input, weight, bias)
        num_heads = 32 num_kv_heads = 8 head_dim = 128
        : tensor<2x32x?x128xbf16>, tensor<2x8x?x128xbf16>,
          tensor<2x8x?x128xbf16>, tensor<2x?x4096xbf16>,
          tensor<6144x4096xbf16>, tensor<6144x4096xf32>
    ```
  }];
  let arguments = (ins Boostr_Array:$d_query, Boostr_Array:$d_key,
      Boostr_Array:$d_value, Boostr_Array:$input,
      Variadic<Boostr_Array>:$weights,
      Variadic<Boostr_Array>:$accumulate_weights,
      Variadic<Boostr_Array>:$accumulate_biases, Variadic<Boostr_Buffer>:$outs,
      Boostr_QKVGradientsAttr:$wrt, I64Attr:$num_heads, I64Attr:$num_kv_heads,
      I64Attr:$head_dim);
  let results = (outs Variadic<Boostr_Tensor>:$gradients);
  let assemblyFormat = [{
    $d_query `,` $d_key `,` $d_value `,` $input `,` $weights
    (`accumulate_weight` `(` $accumulate_weights^ `)`)?
    (`accumulate_bias` `(` $accumulate_biases^ `)`)?
    (`outs` `(` $outs^ `)`)? `wrt` `` $wrt
    `num_heads` `=` $num_heads `num_kv_heads` `=` $num_kv_heads
    `head_dim` `=` $head_dim attr-dict `:` type(operands)
  }];
  let extraClassDeclaration = commonDeclarations # [{
    bool wants(QKVGradients gradient) {
      return bitEnumContainsAny(getWrt(), gradient);
    }
    /// The results for one of the gradients: none if `wrt` leaves it out,
    /// otherwise one, or three of separate weights and biases.
    ::mlir::ResultRange getGradientsOf(QKVGradients gradient);
    /// Null if `wrt` leaves it out.
    ::mlir::Value getDInput();
    ::mlir::ResultRange getDWeights() {
      return getGradientsOf(QKVGradients::Weight);
    }
    ::mlir::ResultRange getDBiases() {
      return getGradientsOf(QKVGradients::Bias);
    }
  }];
}

//===----------------------------------------------------------------------===//
// out_proj_residual
//===----------------------------------------------------------------------===//

def Boostr_OutProjResidualOp : Boostr_ProjectionOp<"out_proj_residual",
    [DeclareOpInterfaceMethods<DifferentiableOpInterface>]> {
  let summary = "Output projection plus bias plus residual";
  let description = [{
    ```
    output[b,s,h] = sum_p attn[b,s,p] * weight[h,p] + bias[h] + residual[b,s,h]
    ```

    | operand or result    | shape |
    |----------------------|-------|
    | `attn`               | `[B, S, P]` |
    | `weight`             | `[H, P]` |
    | `bias` (optional)    | `[H]` |
    | `residual`, `output` | `[B, S, H]` |

    Element types: one of f64, f32, f16, bf16 for all. f16 and bf16 accumulate
    in f32 and add bias and residual in f32 before the one rounding.

    Constraints:

    * C1: all operands have the element type of `attn`.
    * C2: `attn` has shape `[B, S, P]`.
    * C3: `weight` has shape `[H, P]`.
    * C4: `bias` has shape `[H]`.
    * C5: `residual` has shape `[B, S, H]`.
    * C6: value form: tensors, no `outs`; buffer form: memrefs, no results, one
      of `outs`.
    * C7: `outs` has the shape and element type of `residual`.

    In buffer form `outs` may be the very memref of `residual`.

    Tiling (of the value form): loops over batch, tokens and columns of `output`.

    Example:

    ```mlir
    %y = boostr.out_proj_residual %attn, %w bias(%b) residual(%x)
        : tensor<?x?x4096xbf16>, tensor<4096x4096xbf16>, tensor<4096xbf16>,
          tensor<?x?x4096xbf16>
    ```
  }];
  let arguments = (ins Boostr_Array:$attn, Boostr_Array:$weight,
      Optional<Boostr_Array>:$bias, Boostr_Array:$residual,
      Variadic<Boostr_Buffer>:$outs);
  let results = (outs Variadic<Boostr_Tensor>:$projections);
  let assemblyFormat = [{
    $attn `,` $weight (`bias` `(` $bias^ `)`)? `residual` `(` $residual `)`
    (`outs` `(` $outs^ `)`)? attr-dict `:` type(operands)
  }];
  let extraClassDeclaration = commonDeclarations # [{
    ::mlir::Value getOutput() { return getProjections()[0]; }
  }];
}

//===----------------------------------------------------------------------===//
// out_proj_residual_grad
//===----------------------------------------------------------------------===//

def Boostr_OutProjResidualGradOp
    : Boostr_ProjectionOp<"out_proj_residual_grad"> {
  let summary = "Gradients of `out_proj_residual`";
  let description = [{
    ```
    d_attn[b,s,p] = sum_h   d_output[b,s,h] * weight[h,p]
    d_weight[h,p] = sum_b,s d_output[b,s,h] * attn[b,s,p]  (+ accumulate_weight[h,p])
    d_bias[h]     = sum_b,s d_output[b,s,h]                (+ accumulate_bias[h])
    ```

    The gradient of the residual is `d_output` itself, so it is no result.

    | operand or result   | shape |
    |---------------------|-------|
    | `d_output`          | `[B, S, H]` |
    | `attn`, `d_attn`    | `[B, S, P]` |
    | `weight`, `accumulate_weight`, `d_weight` | `[H, P]` |
    | `accumulate_bias`, `d_bias`               | `[H]` |

    `wrt`, accumulation, element types, the buffer form and tiling are those of
    `fused_qkv_grad`; the results come in the order `attn`, `weight`, `bias`.

    Constraints:

    * C1: all operands have the element type of `attn`, but for those of C2.
    * C2: an `accumulate_` operand has that element type, or f32 when it is f16
      or bf16.
    * C3: `attn` has shape `[B, S, P]`.
    * C4: `d_output` has shape `[B, S, H]`.
    * C5: `weight` and `accumulate_weight` have shape `[H, P]`.
    * C6: `accumulate_bias` has shape `[H]`.
    * C7: `accumulate_weight` and `accumulate_bias` need the gradient in `wrt`.
    * C8: value form: tensors, no `outs`; buffer form: memrefs, no results, one
      of `outs` for each gradient of `wrt` that does not accumulate.
    * C9: each of `outs` has the shape and element type of its gradient.

    Example:

    ```mlir
    %da, %dw = boostr.out_proj_residual_grad %dy, %attn, %w wrt(attn, weight)
        : tensor<?x?x4096xf32>, tensor<?x?x4096xf32>, tensor<4096x4096xf32>
    ```
  }];
  let arguments = (ins Boostr_Array:$d_output, Boostr_Array:$attn,
      Boostr_Array:$weight, Optional<Boostr_Array>:$accumulate_weight,
      Optional<Boostr_Array>:$accumulate_bias, Variadic<Boostr_Buffer>:$outs,
      Boostr_OutProjGradientsAttr:$wrt);
  let results = (outs Variadic<Boostr_Tensor>:$gradients);
  let assemblyFormat = [{
    $d_output `,` $attn `,` $weight
    (`accumulate_weight` `(` $accumulate_weight^ `)`)?
    (`accumulate_bias` `(` $accumulate_bias^ `)`)?
    (`outs` `(` $outs^ `)`)? `wrt` `` $wrt attr-dict `:` type(operands)
  }];
  let extraClassDeclaration = commonDeclarations # [{
    bool wants(OutProjGradients gradient) {
      return bitEnumContainsAny(getWrt(), gradient);
    }
    /// The result for one of the gradients, none if `wrt` leaves it out.
    ::mlir::ResultRange getGradientsOf(OutProjGradients gradient);
    /// What `fused_qkv_grad` may have three of.
    ::mlir::OperandRange getWeights() { return getODSOperands(2); }
    ::mlir::OperandRange getAccumulateWeights() { return getODSOperands(3); }
    ::mlir::OperandRange getAccumulateBiases() { return getODSOperands(4); }
    ::mlir::MutableOperandRange getAccumulateWeightsMutable() {
      return getAccumulateWeightMutable();
    }
    ::mlir::MutableOperandRange getAccumulateBiasesMutable() {
      return getAccumulateBiasMutable();
    }
    /// The gradients as values, null where `wrt` leaves one out.
    ::mlir::Value getDAttn();
    ::mlir::Value getDWeight();
    ::mlir::Value getDBias();
  }];
}

//===----------------------------------------------------------------------===//
// Weights packed ahead of time
//===----------------------------------------------------------------------===//

def Boostr_Bytes : AnyTypeOf<[RankedTensorOf<[I8]>, MemRefOf<[I8]>],
    "tensor or memref of i8 values">;

def Boostr_PackArrayOp : Op<Boostr_Dialect, "pack_array", [
    DeclareOpInterfaceMethods<MemoryEffectsOpInterface>,
    DeclareOpInterfaceMethods<BufferizableOpInterface, [
      "bufferizesToAllocation", "bufferizesToMemoryRead", "bufferizesToMemoryWrite",
      "getAliasingValues", "bufferize"]>]> {
  let summary = "A weight as the panels that tasks multiply";
  let description = [{
    `packed` is `array` in the form that `layout` describes
    (`#boostr.packed_layout`), a header before it. In buffer form it is written to
    `out`, at any alignment; panels are read fastest at a multiple of 64 bytes.

    Constraints:

    * C1: `array` has the type that `layout` says.
    * C2: `packed` or `out` is of as many `i8` as `layout` has bytes.
    * C3: value form: tensors, no `out`; buffer form: memrefs, no result.

    Example:

    ```mlir
    %p = boostr.pack_array %w layout(#boostr.packed_layout<
           array = tensor<32x64xf32>, kernel = fma, side = rows, width = 6,
           block = [16, 64], lanes = 8, rows = [32]>)
         : tensor<32x64xf32> to tensor<12480xi8>
    ```
  }];
  let arguments = (ins Boostr_Array:$array,
      Optional<MemRefOf<[I8]>>:$out, Boostr_PackedLayoutAttr:$layout);
  let results = (outs Optional<RankedTensorOf<[I8]>>:$packed);
  let assemblyFormat = [{
    $array (`outs` `(` $out^ `:` type($out) `)`)? `layout`
    `(` qualified($layout) `)` attr-dict `:` type($array) (`to` type($packed)^)?
  }];
  let hasVerifier = 1;
}

def Boostr_PackedArrayOp : Op<Boostr_Dialect, "packed_array", [Pure,
    DeclareOpInterfaceMethods<ViewLikeOpInterface>,
    DeclareOpInterfaceMethods<BufferizableOpInterface, [
      "bufferizesToMemoryRead", "bufferizesToMemoryWrite", "getAliasingValues",
      "bufferize"]>]> {
  let summary = "The weight that was packed";
  let description = [{
    `array` is the array of which `packed` is the packed form. It is not unpacked:
    only an op whose contraction has panels of this `layout` may use it, as its
    right operand, and reads them where they lie. In buffer form `array` is a
    name for the memory of `packed` and is not to be loaded from.

    Constraints: those of `pack_array`, of which this is the inverse.

    Example:

    ```mlir
    %w = boostr.packed_array %p layout(#boostr.packed_layout<
           array = tensor<32x64xf32>, kernel = fma, side = rows, width = 6,
           block = [16, 64], lanes = 8, rows = [32]>)
         : tensor<12480xi8> to tensor<32x64xf32>
    ```
  }];
  let arguments = (ins Boostr_Bytes:$packed, Boostr_PackedLayoutAttr:$layout);
  let results = (outs Boostr_Array:$array);
  let assemblyFormat = [{
    $packed `layout` `(` qualified($layout) `)` attr-dict `:` type($packed) `to`
    type($array)
  }];
  let hasVerifier = 1;
}

#endif // BOOSTR_DIALECT_BOOSTROPS_TD
