// RUN: boostr-opt %s --transform-interpreter -split-input-file -verify-diagnostics

// What has no tiles is refused by upstream's drivers with a message: bias
// gradients, which have no columns, and buffer forms.

module attributes {transform.with_named_sequence} {
  func.func @negative_gradient_with_bias(%dy: tensor<2x3x4xf32>, %a: tensor<2x3x8xf32>,
      %w: tensor<4x8xf32>) -> (tensor<2x3x8xf32>, tensor<4xf32>) {
    // expected-error @below {{tile operation}}
    // expected-error @below {{failed to generate tiling loops}}
    // expected-note @below {{when applied to this op}}
    %da, %db = boostr.out_proj_residual_grad %dy, %a, %w wrt(attn, bias)
        : tensor<2x3x4xf32>, tensor<2x3x8xf32>, tensor<4x8xf32>
    return %da, %db : tensor<2x3x8xf32>, tensor<4xf32>
  }
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    %op = transform.structured.match ops{["boostr.out_proj_residual_grad"]} in %root
        : (!transform.any_op) -> !transform.any_op
    // expected-error @below {{transform.structured.tile_using_forall failed to apply}}
    %tiled, %loop = transform.structured.tile_using_forall %op tile_sizes [1]
        : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    transform.yield
  }
}

// -----

module attributes {transform.with_named_sequence} {
  func.func @negative_bias_gradient(%dy: tensor<2x1x3x4xf32>, %x: tensor<2x3x8xf32>,
      %w: tensor<12x8xf32>) -> tensor<12xf32> {
    // expected-error @below {{tile operation}}
    // expected-error @below {{failed to generate tiling loops}}
    // expected-note @below {{when applied to this op}}
    %db = boostr.fused_qkv_grad %dy, %dy, %dy, %x, %w wrt(bias) num_heads = 1 num_kv_heads = 1
        head_dim = 4 : tensor<2x1x3x4xf32>, tensor<2x1x3x4xf32>, tensor<2x1x3x4xf32>,
        tensor<2x3x8xf32>, tensor<12x8xf32>
    return %db : tensor<12xf32>
  }
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    %op = transform.structured.match ops{["boostr.fused_qkv_grad"]} in %root
        : (!transform.any_op) -> !transform.any_op
    // expected-error @below {{transform.structured.tile_using_forall failed to apply}}
    %tiled, %loop = transform.structured.tile_using_forall %op tile_sizes [1]
        : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    transform.yield
  }
}

// -----

module attributes {transform.with_named_sequence} {
  func.func @negative_buffers(%a: memref<2x3x8xf32>, %w: memref<4x8xf32>, %r: memref<2x3x4xf32>) {
    // expected-error @below {{tile operation}}
    // expected-error @below {{failed to generate tiling loops}}
    // expected-note @below {{when applied to this op}}
    boostr.out_proj_residual %a, %w residual(%r) outs(%r)
        : memref<2x3x8xf32>, memref<4x8xf32>, memref<2x3x4xf32>, memref<2x3x4xf32>
    return
  }
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    %op = transform.structured.match ops{["boostr.out_proj_residual"]} in %root
        : (!transform.any_op) -> !transform.any_op
    // expected-error @below {{transform.structured.tile_using_forall failed to apply}}
    %tiled, %loop = transform.structured.tile_using_forall %op tile_sizes [1]
        : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    transform.yield
  }
}
