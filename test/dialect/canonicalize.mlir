// RUN: boostr-opt %s --canonicalize | FileCheck %s

//===----------------------------------------------------------------------===//
// Gradients that nobody uses
//===----------------------------------------------------------------------===//

// CHECK-LABEL: func.func @drop_weight(
// CHECK-SAME: %[[DY:[^:]*]]: tensor<2x3x4xf32>, %[[A:[^:]*]]: tensor<2x3x8xf32>, %[[W:[^:]*]]: tensor<4x8xf32>, %[[DW:[^:]*]]: tensor<4x8xf32>, %[[DB:[^:]*]]: tensor<4xf32>
// CHECK: %[[G:.*]]:2 = boostr.out_proj_residual_grad %[[DY]], %[[A]], %[[W]] accumulate_bias(%[[DB]]) wrt(attn, bias) {note} :
// CHECK: return %[[G]]#0, %[[G]]#1
func.func @drop_weight(%dy: tensor<2x3x4xf32>, %a: tensor<2x3x8xf32>, %w: tensor<4x8xf32>,
    %dw0: tensor<4x8xf32>, %db0: tensor<4xf32>) -> (tensor<2x3x8xf32>, tensor<4xf32>) {
  %da, %dw, %db = boostr.out_proj_residual_grad %dy, %a, %w accumulate_weight(%dw0)
      accumulate_bias(%db0) wrt(attn, weight, bias) {note} : tensor<2x3x4xf32>, tensor<2x3x8xf32>,
      tensor<4x8xf32>, tensor<4x8xf32>, tensor<4xf32>
  return %da, %db : tensor<2x3x8xf32>, tensor<4xf32>
}

// CHECK-LABEL: func.func @drop_input_and_bias(
// CHECK: %[[DW:.*]] = boostr.fused_qkv_grad %{{.*}} wrt(weight) num_heads = 1 num_kv_heads = 1 head_dim = 4 :
// CHECK: return %[[DW]] : tensor<12x8xf32>
func.func @drop_input_and_bias(%dy: tensor<2x1x3x4xf32>, %x: tensor<2x3x8xf32>, %w: tensor<12x8xf32>,
    %db0: tensor<12xf32>) -> tensor<12x8xf32> {
  %dx, %dw, %db = boostr.fused_qkv_grad %dy, %dy, %dy, %x, %w accumulate_bias(%db0)
      wrt(input, weight, bias) num_heads = 1 num_kv_heads = 1 head_dim = 4
      : tensor<2x1x3x4xf32>, tensor<2x1x3x4xf32>, tensor<2x1x3x4xf32>, tensor<2x3x8xf32>,
        tensor<12x8xf32>, tensor<12xf32>
  return %dw : tensor<12x8xf32>
}

// Gradients of separate weights go together.
// CHECK-LABEL: func.func @drop_separate_weights(
// CHECK: %[[G:.*]]:3 = boostr.fused_qkv_grad %{{.*}} wrt(bias) num_heads = 1
// CHECK: return %[[G]]#1 : tensor<4xf32>
func.func @drop_separate_weights(%dy: tensor<2x1x3x4xf32>, %x: tensor<2x3x8xf32>, %w: tensor<4x8xf32>)
    -> tensor<4xf32> {
  %g:6 = boostr.fused_qkv_grad %dy, %dy, %dy, %x, %w, %w, %w accumulate_weight(%w, %w, %w)
      wrt(weight, bias) num_heads = 1 num_kv_heads = 1 head_dim = 4
      : tensor<2x1x3x4xf32>, tensor<2x1x3x4xf32>, tensor<2x1x3x4xf32>, tensor<2x3x8xf32>,
        tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>,
        tensor<4x8xf32>
  return %g#4 : tensor<4xf32>
}

// CHECK-LABEL: func.func @untouched_one_separate_used(
// CHECK: %[[G:.*]]:3 = boostr.fused_qkv_grad %{{.*}} wrt(weight)
// CHECK: return %[[G]]#2
func.func @untouched_one_separate_used(%dy: tensor<2x1x3x4xf32>, %x: tensor<2x3x8xf32>,
    %w: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %g:3 = boostr.fused_qkv_grad %dy, %dy, %dy, %x, %w, %w, %w wrt(weight)
      num_heads = 1 num_kv_heads = 1 head_dim = 4
      : tensor<2x1x3x4xf32>, tensor<2x1x3x4xf32>, tensor<2x1x3x4xf32>, tensor<2x3x8xf32>,
        tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>
  return %g#2 : tensor<4x8xf32>
}

// CHECK-LABEL: func.func @drop_all(
// CHECK-NOT: boostr
// CHECK: return
func.func @drop_all(%dy: tensor<2x1x3x4xf32>, %x: tensor<2x3x8xf32>, %w: tensor<12x8xf32>) {
  %dw = boostr.fused_qkv_grad %dy, %dy, %dy, %x, %w wrt(weight)
      num_heads = 1 num_kv_heads = 1 head_dim = 4 : tensor<2x1x3x4xf32>, tensor<2x1x3x4xf32>,
      tensor<2x1x3x4xf32>, tensor<2x3x8xf32>, tensor<12x8xf32>
  boostr.fused_qkv_grad %dy, %dy, %dy, %x, %w wrt(none)
      num_heads = 1 num_kv_heads = 1 head_dim = 4 : tensor<2x1x3x4xf32>, tensor<2x1x3x4xf32>,
      tensor<2x1x3x4xf32>, tensor<2x3x8xf32>, tensor<12x8xf32>
  return
}

// CHECK-LABEL: func.func @untouched_all_used(
// CHECK: wrt(attn, bias)
func.func @untouched_all_used(%dy: tensor<2x3x4xf32>, %a: tensor<2x3x8xf32>, %w: tensor<4x8xf32>)
    -> (tensor<2x3x8xf32>, tensor<4xf32>) {
  %da, %db = boostr.out_proj_residual_grad %dy, %a, %w wrt(attn, bias)
      : tensor<2x3x4xf32>, tensor<2x3x8xf32>, tensor<4x8xf32>
  return %da, %db : tensor<2x3x8xf32>, tensor<4xf32>
}

// CHECK-LABEL: func.func @untouched_buffers(
// CHECK: outs(%{{.*}}, %{{.*}}) wrt(attn, bias)
func.func @untouched_buffers(%dy: memref<2x3x4xf32>, %a: memref<2x3x8xf32>, %w: memref<4x8xf32>,
    %da: memref<2x3x8xf32>, %db: memref<4xf32>) {
  boostr.out_proj_residual_grad %dy, %a, %w outs(%da, %db) wrt(attn, bias)
      : memref<2x3x4xf32>, memref<2x3x8xf32>, memref<4x8xf32>, memref<2x3x8xf32>, memref<4xf32>
  return
}

//===----------------------------------------------------------------------===//
// Extents that a cast forgets
//===----------------------------------------------------------------------===//

// CHECK-LABEL: func.func @fold_casts(
// CHECK-SAME: %[[X:[^:]*]]: tensor<2x3x8xf32>, %[[W:[^:]*]]: tensor<12x8xf32>
// CHECK: %[[Y:.*]]:3 = boostr.fused_qkv %[[X]], %[[W]] num_heads = 1 {{.*}} : tensor<2x3x8xf32>, tensor<12x8xf32>
// CHECK-DAG: %[[Q:.*]] = tensor.cast %[[Y]]#0 : tensor<2x1x3x4xf32> to tensor<?x1x?x4xf32>
// CHECK-DAG: %[[K:.*]] = tensor.cast %[[Y]]#1
// CHECK: return %[[Q]], %[[K]], %[[Y]]#2
func.func @fold_casts(%x: tensor<2x3x8xf32>, %w: tensor<12x8xf32>)
    -> (tensor<?x1x?x4xf32>, tensor<?x1x?x4xf32>, tensor<2x1x3x4xf32>) {
  %0 = tensor.cast %x : tensor<2x3x8xf32> to tensor<?x?x8xf32>
  %1 = tensor.cast %w : tensor<12x8xf32> to tensor<?x?xf32>
  %q, %k, %v = boostr.fused_qkv %0, %1 num_heads = 1 num_kv_heads = 1 head_dim = 4
      : tensor<?x?x8xf32>, tensor<?x?xf32>
  %2 = tensor.cast %v : tensor<?x1x?x4xf32> to tensor<2x1x3x4xf32>
  return %q, %k, %2 : tensor<?x1x?x4xf32>, tensor<?x1x?x4xf32>, tensor<2x1x3x4xf32>
}

// CHECK-LABEL: func.func @fold_casts_projection(
// CHECK-NOT: tensor.cast
// CHECK: boostr.out_proj_residual %{{.*}} : tensor<2x3x8xf32>, tensor<?x8xf32>, tensor<2x3x?xf32>
// CHECK-NOT: tensor.cast
// CHECK: boostr.out_proj_residual_grad %{{.*}} : tensor<2x3x?xf32>, tensor<2x3x8xf32>, tensor<?x8xf32>
// CHECK-NOT: tensor.cast
// CHECK: return
func.func @fold_casts_projection(%a: tensor<2x3x8xf32>, %w: tensor<?x8xf32>, %r: tensor<2x3x?xf32>)
    -> (tensor<2x3x?xf32>, tensor<2x3x8xf32>) {
  %0 = tensor.cast %a : tensor<2x3x8xf32> to tensor<?x?x?xf32>
  %y = boostr.out_proj_residual %0, %w residual(%r)
      : tensor<?x?x?xf32>, tensor<?x8xf32>, tensor<2x3x?xf32>
  %da = boostr.out_proj_residual_grad %r, %0, %w wrt(attn)
      : tensor<2x3x?xf32>, tensor<?x?x?xf32>, tensor<?x8xf32>
  %1 = tensor.cast %da : tensor<?x?x?xf32> to tensor<2x3x8xf32>
  return %y, %1 : tensor<2x3x?xf32>, tensor<2x3x8xf32>
}

// On memrefs casts forget strides as well.
// CHECK-LABEL: func.func @fold_memref_casts(
// CHECK-SAME: %[[A:[^:]*]]: memref<2x3x8xf32>, %[[W:[^:]*]]: memref<4x8xf32>, %[[R:[^:]*]]: memref<2x3x4xf32>
// CHECK-NEXT: boostr.out_proj_residual %[[A]], %[[W]] residual(%[[R]]) outs(%[[R]]) {note} : memref<2x3x8xf32>, memref<4x8xf32>, memref<2x3x4xf32>, memref<2x3x4xf32>
// CHECK-NEXT: return
func.func @fold_memref_casts(%a: memref<2x3x8xf32>, %w: memref<4x8xf32>, %r: memref<2x3x4xf32>) {
  %0 = memref.cast %a : memref<2x3x8xf32> to memref<2x3x8xf32, strided<[?, ?, ?], offset: ?>>
  %1 = memref.cast %r : memref<2x3x4xf32> to memref<?x?x4xf32>
  boostr.out_proj_residual %0, %w residual(%1) outs(%1) {note}
      : memref<2x3x8xf32, strided<[?, ?, ?], offset: ?>>, memref<4x8xf32>, memref<?x?x4xf32>,
        memref<?x?x4xf32>
  return
}

// A cast that adds an extent is a promise about what runs here; it stays.
// CHECK-LABEL: func.func @untouched_cast(
// CHECK: %[[X:.*]] = tensor.cast
// CHECK: boostr.fused_qkv %[[X]]
func.func @untouched_cast(%x: tensor<?x?x8xf32>, %w: tensor<12x8xf32>) -> tensor<2x1x3x4xf32> {
  %0 = tensor.cast %x : tensor<?x?x8xf32> to tensor<2x3x8xf32>
  %q, %k, %v = boostr.fused_qkv %0, %w num_heads = 1 num_kv_heads = 1 head_dim = 4
      : tensor<2x3x8xf32>, tensor<12x8xf32>
  return %q : tensor<2x1x3x4xf32>
}

// What contradicts itself never runs, and is no error.
// CHECK-LABEL: func.func @untouched_contradiction(
// CHECK: %[[X:.*]] = tensor.cast
// CHECK: boostr.fused_qkv %[[X]]
func.func @untouched_contradiction(%x: tensor<2x3x9xf32>, %w: tensor<12x8xf32>)
    -> tensor<?x1x?x4xf32> {
  %0 = tensor.cast %x : tensor<2x3x9xf32> to tensor<?x?x?xf32>
  %q, %k, %v = boostr.fused_qkv %0, %w num_heads = 1 num_kv_heads = 1 head_dim = 4
      : tensor<?x?x?xf32>, tensor<12x8xf32>
  return %q : tensor<?x1x?x4xf32>
}
