// RUN: boostr-opt %s --mlir-print-op-generic | FileCheck %s

// Results take their extents from the operands that the descriptions name.

// CHECK: "boostr.fused_qkv"{{.*}} : (tensor<2x?x8xf32>, tensor<?x?xf32>) -> (tensor<2x3x?x4xf32>, tensor<2x1x?x4xf32>, tensor<2x1x?x4xf32>)
func.func @fused_qkv(%x: tensor<2x?x8xf32>, %w: tensor<?x?xf32>) {
  %q, %k, %v = boostr.fused_qkv %x, %w num_heads = 3 num_kv_heads = 1 head_dim = 4
      : tensor<2x?x8xf32>, tensor<?x?xf32>
  return
}

// The bias gradient's extent follows from the heads even if no operand has it.
// CHECK: "boostr.fused_qkv_grad"{{.*}} -> (tensor<?x?x?xbf16>, tensor<?x?xbf16>, tensor<16xbf16>)
// An accumulating gradient looks like what it accumulates into.
// CHECK: "boostr.fused_qkv_grad"{{.*}} -> (tensor<?x7xf32>, tensor<?xf32>)
// CHECK: "boostr.fused_qkv_grad"{{.*}} -> ()
func.func @fused_qkv_grad(%dq: tensor<?x2x?x4xbf16>, %dkv: tensor<?x1x?x4xbf16>,
    %x: tensor<?x?x?xbf16>, %w: tensor<?x?xbf16>, %dw0: tensor<?x7xf32>, %db0: tensor<?xf32>) {
  %dx, %dw, %db = boostr.fused_qkv_grad %dq, %dkv, %dkv, %x, %w wrt(input, weight, bias)
      num_heads = 2 num_kv_heads = 1 head_dim = 4 : tensor<?x2x?x4xbf16>, tensor<?x1x?x4xbf16>,
      tensor<?x1x?x4xbf16>, tensor<?x?x?xbf16>, tensor<?x?xbf16>
  %dw1, %db1 = boostr.fused_qkv_grad %dq, %dkv, %dkv, %x, %w accumulate_weight(%dw0)
      accumulate_bias(%db0) wrt(weight, bias) num_heads = 2 num_kv_heads = 1 head_dim = 4
      : tensor<?x2x?x4xbf16>, tensor<?x1x?x4xbf16>, tensor<?x1x?x4xbf16>, tensor<?x?x?xbf16>,
        tensor<?x?xbf16>, tensor<?x7xf32>, tensor<?xf32>
  boostr.fused_qkv_grad %dq, %dkv, %dkv, %x, %w wrt(none)
      num_heads = 2 num_kv_heads = 1 head_dim = 4 : tensor<?x2x?x4xbf16>, tensor<?x1x?x4xbf16>,
      tensor<?x1x?x4xbf16>, tensor<?x?x?xbf16>, tensor<?x?xbf16>
  return
}

// Separate weights have a gradient each, and biases too.
// CHECK: "boostr.fused_qkv_grad"{{.*}} -> (tensor<?x7xf32>, tensor<4x?xf32>, tensor<4x7xf32>, tensor<8xf32>, tensor<4xf32>, tensor<4xf32>)
func.func @fused_qkv_grad_separate(%dq: tensor<?x2x?x4xf32>, %dkv: tensor<?x1x?x4xf32>,
    %x: tensor<?x?x?xf32>, %wq: tensor<?x7xf32>, %wk: tensor<4x?xf32>, %wv: tensor<4x7xf32>) {
  %g:6 = boostr.fused_qkv_grad %dq, %dkv, %dkv, %x, %wq, %wk, %wv wrt(weight, bias)
      num_heads = 2 num_kv_heads = 1 head_dim = 4 : tensor<?x2x?x4xf32>, tensor<?x1x?x4xf32>,
      tensor<?x1x?x4xf32>, tensor<?x?x?xf32>, tensor<?x7xf32>, tensor<4x?xf32>, tensor<4x7xf32>
  return
}

// CHECK: "boostr.out_proj_residual"{{.*}} -> tensor<2x?x16xf64>
func.func @out_proj_residual(%a: tensor<2x3x8xf64>, %w: tensor<16x8xf64>, %r: tensor<2x?x16xf64>) {
  %y = boostr.out_proj_residual %a, %w residual(%r)
      : tensor<2x3x8xf64>, tensor<16x8xf64>, tensor<2x?x16xf64>
  return
}

// CHECK: "boostr.out_proj_residual_grad"{{.*}} -> (tensor<?x3x8xf16>, tensor<16x?xf16>, tensor<16xf16>)
// CHECK: "boostr.out_proj_residual_grad"{{.*}} -> tensor<?xf16>
func.func @out_proj_residual_grad(%dy: tensor<2x3x16xf16>, %a: tensor<?x3x8xf16>,
    %w: tensor<16x?xf16>, %w1: tensor<?x?xf16>) {
  %da, %dw, %db = boostr.out_proj_residual_grad %dy, %a, %w wrt(attn, weight, bias)
      : tensor<2x3x16xf16>, tensor<?x3x8xf16>, tensor<16x?xf16>
  %db1 = boostr.out_proj_residual_grad %dy, %a, %w1 wrt(bias)
      : tensor<2x3x16xf16>, tensor<?x3x8xf16>, tensor<?x?xf16>
  return
}

// CHECK: "boostr.out_proj_residual"{{.*}} -> ()
func.func @buffers(%a: memref<2x3x8xf64>, %w: memref<16x8xf64>, %r: memref<2x3x16xf64>) {
  boostr.out_proj_residual %a, %w residual(%r) outs(%r)
      : memref<2x3x8xf64>, memref<16x8xf64>, memref<2x3x16xf64>, memref<2x3x16xf64>
  return
}
