// RUN: boostr-opt %s --boostr-differentiate | FileCheck %s

// The boostr ops have gradient ops, told in `wrt` which gradients anybody needs.

// CHECK-LABEL: func.func @fused_qkv_vjp(
// CHECK-SAME: %[[X:[^:]*]]: tensor<2x?x8xf32>, %[[W:[^:]*]]: tensor<16x8xf32>, %[[B:[^:]*]]: tensor<16xf32>, %[[DQ:[^:]*]]: tensor<2x2x?x4xf32>, %[[DK:[^:]*]]: tensor<2x1x?x4xf32>, %[[DV:[^:]*]]: tensor<2x1x?x4xf32>)
// CHECK-NOT: boostr.fused_qkv %
// CHECK: %[[G:.*]]:3 = boostr.fused_qkv_grad %[[DQ]], %[[DK]], %[[DV]], %[[X]], %[[W]] wrt(input, weight, bias) num_heads = 2 num_kv_heads = 1 head_dim = 4
// CHECK: return %[[G]]#0, %[[G]]#1, %[[G]]#2
func.func @fused_qkv(%x: tensor<2x?x8xf32>, %w: tensor<16x8xf32>, %b: tensor<16xf32>)
    -> (tensor<2x2x?x4xf32>, tensor<2x1x?x4xf32>, tensor<2x1x?x4xf32>) attributes {boostr.differentiate} {
  %q, %k, %v = boostr.fused_qkv %x, %w bias(%b) num_heads = 2 num_kv_heads = 1 head_dim = 4
      : tensor<2x?x8xf32>, tensor<16x8xf32>, tensor<16xf32>
  return %q, %k, %v : tensor<2x2x?x4xf32>, tensor<2x1x?x4xf32>, tensor<2x1x?x4xf32>
}

// Separate weights: one gradient each, all of them if one is needed.

// CHECK-LABEL: func.func @fused_qkv_separate_vjp(
// CHECK-SAME: %[[X:[^:]*]]: tensor<2x?x8xf32>, %[[WQ:[^:]*]]: tensor<8x8xf32>, %[[WK:[^:]*]]: tensor<4x8xf32>, %[[WV:[^:]*]]: tensor<4x8xf32>, %[[BQ:[^:]*]]: tensor<8xf32>, %[[BK:[^:]*]]: tensor<4xf32>, %[[BV:[^:]*]]: tensor<4xf32>, %[[DQ:[^:]*]]: tensor<2x2x?x4xf32>, %[[DK:[^:]*]]: tensor<2x1x?x4xf32>, %[[DV:[^:]*]]: tensor<2x1x?x4xf32>)
// CHECK: %[[G:.*]]:6 = boostr.fused_qkv_grad %[[DQ]], %[[DK]], %[[DV]], %[[X]], %[[WQ]], %[[WK]], %[[WV]] wrt(weight, bias) num_heads = 2
// CHECK: return %[[G]]#1, %[[G]]#5
func.func @fused_qkv_separate(%x: tensor<2x?x8xf32>, %wq: tensor<8x8xf32>, %wk: tensor<4x8xf32>,
    %wv: tensor<4x8xf32>, %bq: tensor<8xf32>, %bk: tensor<4xf32>, %bv: tensor<4xf32>)
    -> (tensor<2x2x?x4xf32>, tensor<2x1x?x4xf32>, tensor<2x1x?x4xf32>)
    attributes {boostr.differentiate = array<i64: 2, 6>} {
  %q, %k, %v = boostr.fused_qkv %x, %wq, %wk, %wv bias(%bq, %bk, %bv)
      num_heads = 2 num_kv_heads = 1 head_dim = 4
      : tensor<2x?x8xf32>, tensor<8x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>, tensor<8xf32>,
        tensor<4xf32>, tensor<4xf32>
  return %q, %k, %v : tensor<2x2x?x4xf32>, tensor<2x1x?x4xf32>, tensor<2x1x?x4xf32>
}

// Frozen input, no bias.

// CHECK-LABEL: func.func @fused_qkv_weight_vjp(
// CHECK: boostr.fused_qkv_grad {{.*}} wrt(weight) num_heads
func.func @fused_qkv_weight(%x: tensor<2x?x8xbf16>, %w: tensor<16x8xbf16>)
    -> (tensor<2x2x?x4xbf16>, tensor<2x1x?x4xbf16>, tensor<2x1x?x4xbf16>) attributes {boostr.differentiate = array<i64: 1>} {
  %q, %k, %v = boostr.fused_qkv %x, %w num_heads = 2 num_kv_heads = 1 head_dim = 4
      : tensor<2x?x8xbf16>, tensor<16x8xbf16>
  return %q, %k, %v : tensor<2x2x?x4xbf16>, tensor<2x1x?x4xbf16>, tensor<2x1x?x4xbf16>
}

// A result that nobody uses has a cotangent of zeros, in the shape of the input's
// tokens: the projection is not computed for it.

// CHECK-LABEL: func.func @fused_qkv_query_vjp(
// CHECK-SAME: %[[X:[^:]*]]: tensor<2x?x8xf32>, %[[W:[^:]*]]: tensor<16x8xf32>, %[[DQ:[^:]*]]: tensor<2x2x?x4xf32>)
// CHECK-NOT: boostr.fused_qkv %
// CHECK: %[[S:.*]] = tensor.dim %[[X]], %c1
// CHECK: tensor.empty(%[[S]]) : tensor<2x1x?x4xf32>
// CHECK: %[[ZK:.*]] = linalg.fill
// CHECK: %[[ZV:.*]] = linalg.fill
// CHECK: boostr.fused_qkv_grad %[[DQ]], %[[ZK]], %[[ZV]], %[[X]], %[[W]] wrt(input, weight)
func.func @fused_qkv_query(%x: tensor<2x?x8xf32>, %w: tensor<16x8xf32>) -> tensor<2x2x?x4xf32>
    attributes {boostr.differentiate} {
  %q, %k, %v = boostr.fused_qkv %x, %w num_heads = 2 num_kv_heads = 1 head_dim = 4
      : tensor<2x?x8xf32>, tensor<16x8xf32>
  return %q : tensor<2x2x?x4xf32>
}

// The gradient of the residual is the cotangent itself.

// CHECK-LABEL: func.func @out_proj_residual_vjp(
// CHECK-SAME: %[[A:[^:]*]]: tensor<?x?x8xf32>, %[[W:[^:]*]]: tensor<6x8xf32>, %[[B:[^:]*]]: tensor<6xf32>, %[[R:[^:]*]]: tensor<?x?x6xf32>, %[[DY:[^:]*]]: tensor<?x?x6xf32>)
// CHECK-NEXT: %[[G:.*]]:3 = boostr.out_proj_residual_grad %[[DY]], %[[A]], %[[W]] wrt(attn, weight, bias)
// CHECK-NEXT: return %[[G]]#0, %[[G]]#1, %[[G]]#2, %[[DY]]
func.func @out_proj_residual(%a: tensor<?x?x8xf32>, %w: tensor<6x8xf32>, %b: tensor<6xf32>, %r: tensor<?x?x6xf32>) -> tensor<?x?x6xf32>
    attributes {boostr.differentiate} {
  %y = boostr.out_proj_residual %a, %w bias(%b) residual(%r)
      : tensor<?x?x8xf32>, tensor<6x8xf32>, tensor<6xf32>, tensor<?x?x6xf32>
  return %y : tensor<?x?x6xf32>
}

// CHECK-LABEL: func.func @residual_alone_vjp(
// CHECK-SAME: %[[DY:[^:]*]]: tensor<?x?x6xf32>)
// CHECK-NEXT: return %[[DY]]
func.func @residual_alone(%a: tensor<?x?x8xf32>, %w: tensor<6x8xf32>, %r: tensor<?x?x6xf32>) -> tensor<?x?x6xf32>
    attributes {boostr.differentiate = array<i64: 2>} {
  %y = boostr.out_proj_residual %a, %w residual(%r)
      : tensor<?x?x8xf32>, tensor<6x8xf32>, tensor<?x?x6xf32>
  return %y : tensor<?x?x6xf32>
}

// Inference knows more of the gradient's shape than the operand's type does.

// CHECK-LABEL: func.func @less_static_vjp(
// CHECK: %[[G:.*]] = boostr.out_proj_residual_grad {{.*}} wrt(bias)
// CHECK: %[[DB:.*]] = tensor.cast %[[G]] : tensor<6xf32> to tensor<?xf32>
// CHECK: return %[[DB]]
func.func @less_static(%a: tensor<1x2x8xf32>, %w: tensor<6x8xf32>, %b: tensor<?xf32>, %r: tensor<1x2x6xf32>) -> tensor<1x2x6xf32>
    attributes {boostr.differentiate = array<i64: 2>} {
  %y = boostr.out_proj_residual %a, %w bias(%b) residual(%r)
      : tensor<1x2x8xf32>, tensor<6x8xf32>, tensor<?xf32>, tensor<1x2x6xf32>
  return %y : tensor<1x2x6xf32>
}
