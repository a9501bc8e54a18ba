// RUN: boostr-opt %s --transform-interpreter -split-input-file -verify-diagnostics | FileCheck %s

// The ops decompose through upstream's interface, with upstream's transform op.
// What comes out is tested in test/passes/linalg/convert-boostr-to-linalg.mlir. The
// transform op takes ops of one result only, so `fused_qkv` is tested there alone.

module attributes {transform.with_named_sequence} {
  // CHECK-LABEL: func.func @decompose(
  // CHECK-NOT: boostr.
  // CHECK-COUNT-3: linalg.contract
  // CHECK-NOT: linalg.contract
  // CHECK: return
  func.func @decompose(%dq: tensor<?x1x?x4xf32>, %x: tensor<?x?x8xf32>, %w: tensor<12x8xf32>)
      -> tensor<?x?x8xf32> {
    %dx = boostr.fused_qkv_grad %dq, %dq, %dq, %x, %w wrt(input) num_heads = 1 num_kv_heads = 1
        head_dim = 4 : tensor<?x1x?x4xf32>, tensor<?x1x?x4xf32>, tensor<?x1x?x4xf32>,
        tensor<?x?x8xf32>, tensor<12x8xf32>
    return %dx : tensor<?x?x8xf32>
  }

  // CHECK-LABEL: func.func @projections(
  // CHECK-NOT: boostr.
  // CHECK-COUNT-2: linalg.contract
  // CHECK-NOT: linalg.contract
  // CHECK: return
  func.func @projections(%dy: tensor<2x3x4xbf16>, %a: tensor<2x3x8xbf16>, %w: tensor<4x8xbf16>)
      -> (tensor<2x3x4xbf16>, tensor<4x8xbf16>) {
    %y = boostr.out_proj_residual %a, %w residual(%dy)
        : tensor<2x3x8xbf16>, tensor<4x8xbf16>, tensor<2x3x4xbf16>
    %dw = boostr.out_proj_residual_grad %y, %a, %w wrt(weight)
        : tensor<2x3x4xbf16>, tensor<2x3x8xbf16>, tensor<4x8xbf16>
    return %y, %dw : tensor<2x3x4xbf16>, tensor<4x8xbf16>
  }

  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    %ops = transform.structured.match ops{["boostr.fused_qkv_grad", "boostr.out_proj_residual",
        "boostr.out_proj_residual_grad"]} in %root : (!transform.any_op) -> !transform.any_op
    transform.structured.decompose_interface %ops : (!transform.any_op) -> !transform.any_op
    transform.yield
  }
}

// -----

module attributes {transform.with_named_sequence} {
  func.func @negative_buffers(%a: memref<2x3x8xf32>, %w: memref<4x8xf32>, %r: memref<2x3x4xf32>) {
    // expected-note @below {{when applied to this op}}
    boostr.out_proj_residual %a, %w residual(%r) outs(%r)
        : memref<2x3x8xf32>, memref<4x8xf32>, memref<2x3x4xf32>, memref<2x3x4xf32>
    return
  }

  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    %ops = transform.structured.match ops{["boostr.out_proj_residual"]} in %root
        : (!transform.any_op) -> !transform.any_op
    // expected-error @below {{failed to apply}}
    transform.structured.decompose_interface %ops : (!transform.any_op) -> !transform.any_op
    transform.yield
  }
}
