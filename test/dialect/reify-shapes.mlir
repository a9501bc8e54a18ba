// RUN: boostr-opt %s --resolve-ranked-shaped-type-result-dims --cse | FileCheck %s
// RUN: boostr-opt %s --reify-result-shapes | FileCheck %s --check-prefix=CAST

// CHECK-LABEL: func.func @fused_qkv(
// CHECK-SAME: %[[X:.*]]: tensor<?x?x8xf32>
// CHECK-DAG: %[[B:.*]] = tensor.dim %[[X]], %c0
// CHECK-DAG: %[[S:.*]] = tensor.dim %[[X]], %c1
// CHECK-DAG: %[[HEADS:.*]] = arith.constant 3 : index
// CHECK-NOT: boostr.fused_qkv
// CHECK: return %[[B]], %[[HEADS]], %[[S]], %[[S]] : index, index, index, index
func.func @fused_qkv(%x: tensor<?x?x8xf32>, %w: tensor<?x8xf32>) -> (index, index, index, index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %q, %k, %v = boostr.fused_qkv %x, %w num_heads = 3 num_kv_heads = 1 head_dim = 4
      : tensor<?x?x8xf32>, tensor<?x8xf32>
  %batch = tensor.dim %q, %c0 : tensor<?x3x?x4xf32>
  %heads = tensor.dim %q, %c1 : tensor<?x3x?x4xf32>
  %tokens = tensor.dim %k, %c2 : tensor<?x1x?x4xf32>
  %tokens2 = tensor.dim %v, %c2 : tensor<?x1x?x4xf32>
  return %batch, %heads, %tokens, %tokens2 : index, index, index, index
}

// CHECK-LABEL: func.func @fused_qkv_grad_separate(
// CHECK-SAME: %{{[^:]*}}: tensor<?x?x?xf32>, %[[WQ:[^:]*]]: tensor<?x?xf32>, %[[WK:[^:]*]]: tensor<?x?xf32>
// CHECK-DAG: %[[R:.*]] = tensor.dim %[[WK]], %c0
// CHECK-DAG: %[[ROWS:.*]] = arith.constant 4 : index
// CHECK-NOT: boostr.fused_qkv_grad
// CHECK: return %[[R]], %[[ROWS]] : index, index
func.func @fused_qkv_grad_separate(%x: tensor<?x?x?xf32>, %wq: tensor<?x?xf32>, %wk: tensor<?x?xf32>,
    %dq: tensor<?x3x?x4xf32>, %dkv: tensor<?x1x?x4xf32>) -> (index, index) {
  %c0 = arith.constant 0 : index
  %g:6 = boostr.fused_qkv_grad %dq, %dkv, %dkv, %x, %wq, %wk, %wk wrt(weight, bias)
      num_heads = 3 num_kv_heads = 1 head_dim = 4 : tensor<?x3x?x4xf32>, tensor<?x1x?x4xf32>,
      tensor<?x1x?x4xf32>, tensor<?x?x?xf32>, tensor<?x?xf32>, tensor<?x?xf32>, tensor<?x?xf32>
  %0 = tensor.dim %g#1, %c0 : tensor<?x?xf32>
  %1 = tensor.dim %g#5, %c0 : tensor<4xf32>
  return %0, %1 : index, index
}

// CHECK-LABEL: func.func @fused_qkv_grad(
// CHECK-SAME: %[[X:[^:]*]]: tensor<?x?x?xf32>, %[[W:[^:]*]]: tensor<?x?xf32>
// CHECK-DAG: %[[S:.*]] = tensor.dim %[[X]], %c1
// CHECK-DAG: %[[R:.*]] = tensor.dim %[[W]], %c0
// CHECK-DAG: %[[ROWS:.*]] = arith.constant 20 : index
// CHECK-NOT: boostr.fused_qkv_grad
// CHECK: return %[[S]], %[[R]], %[[ROWS]] : index, index, index
func.func @fused_qkv_grad(%x: tensor<?x?x?xf32>, %w: tensor<?x?xf32>, %dq: tensor<?x3x?x4xf32>,
    %dkv: tensor<?x1x?x4xf32>) -> (index, index, index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %dx, %dw, %db = boostr.fused_qkv_grad %dq, %dkv, %dkv, %x, %w wrt(input, weight, bias)
      num_heads = 3 num_kv_heads = 1 head_dim = 4 : tensor<?x3x?x4xf32>, tensor<?x1x?x4xf32>,
      tensor<?x1x?x4xf32>, tensor<?x?x?xf32>, tensor<?x?xf32>
  %0 = tensor.dim %dx, %c1 : tensor<?x?x?xf32>
  %1 = tensor.dim %dw, %c0 : tensor<?x?xf32>
  %2 = tensor.dim %db, %c0 : tensor<20xf32>
  return %0, %1, %2 : index, index, index
}

// What a gradient accumulates into has its extents.
// CHECK-LABEL: func.func @accumulate(
// CHECK-SAME: %[[DW:[^:]*]]: tensor<?x?xf32>, %[[DB:[^:]*]]: tensor<?xf32>
// CHECK-DAG: %[[H:.*]] = tensor.dim %[[DW]], %c0
// CHECK-DAG: %[[B:.*]] = tensor.dim %[[DB]], %c0
// CHECK: return %[[H]], %[[B]] : index, index
func.func @accumulate(%dy: tensor<?x?x?xf16>, %a: tensor<?x?x?xf16>, %w: tensor<?x?xf16>,
    %dw0: tensor<?x?xf32>, %db0: tensor<?xf32>) -> (index, index) {
  %c0 = arith.constant 0 : index
  %dw, %db = boostr.out_proj_residual_grad %dy, %a, %w accumulate_weight(%dw0)
      accumulate_bias(%db0) wrt(weight, bias) : tensor<?x?x?xf16>, tensor<?x?x?xf16>,
      tensor<?x?xf16>, tensor<?x?xf32>, tensor<?xf32>
  %0 = tensor.dim %dw, %c0 : tensor<?x?xf32>
  %1 = tensor.dim %db, %c0 : tensor<?xf32>
  return %0, %1 : index, index
}

// Without `weight` in `wrt`, the bias gradient is result 0.
// CHECK-LABEL: func.func @out_proj_residual_grad(
// CHECK-SAME: %[[W:[^:]*]]: tensor<?x?xf32>
// CHECK: %[[H:.*]] = tensor.dim %[[W]], %c0
// CHECK: return %[[H]]
func.func @out_proj_residual_grad(%w: tensor<?x?xf32>, %dy: tensor<?x?x?xf32>, %a: tensor<?x?x?xf32>)
    -> index {
  %c0 = arith.constant 0 : index
  %db = boostr.out_proj_residual_grad %dy, %a, %w wrt(bias)
      : tensor<?x?x?xf32>, tensor<?x?x?xf32>, tensor<?x?xf32>
  %0 = tensor.dim %db, %c0 : tensor<?xf32>
  return %0 : index
}

// CHECK-LABEL: func.func @out_proj_residual(
// CHECK-SAME: %[[R:[^:]*]]: tensor<?x?x?xf32>
// CHECK: %[[S:.*]] = tensor.dim %[[R]], %c1
// CHECK: return %[[S]]
func.func @out_proj_residual(%r: tensor<?x?x?xf32>, %a: tensor<?x?x?xf32>, %w: tensor<?x?xf32>) -> index {
  %c1 = arith.constant 1 : index
  %y = boostr.out_proj_residual %a, %w residual(%r)
      : tensor<?x?x?xf32>, tensor<?x?xf32>, tensor<?x?x?xf32>
  %0 = tensor.dim %y, %c1 : tensor<?x?x?xf32>
  return %0 : index
}

// A buffer form has no result to ask about, and is left alone.
// CHECK-LABEL: func.func @buffers
// CHECK: boostr.out_proj_residual
// CAST-LABEL: func.func @buffers
// CAST: boostr.out_proj_residual
func.func @buffers(%a: memref<2x3x8xf64>, %w: memref<16x8xf64>, %r: memref<2x3x16xf64>) {
  boostr.out_proj_residual %a, %w residual(%r) outs(%r)
      : memref<2x3x8xf64>, memref<16x8xf64>, memref<2x3x16xf64>, memref<2x3x16xf64>
  return
}
