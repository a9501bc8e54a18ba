// RUN: boostr-opt %s --split-input-file -verify-diagnostics --boostr-set-gpu-target=chip=sm_90a --boostr-select-gpu-tile="gemm=cublaslt f32-precision=tf32x3" | FileCheck %s
//
// What is not left to cuBLASLt though it was asked for.

// CHECK-LABEL: func @bias_alone(
// CHECK-NOT: gemm =
func.func @bias_alone(%dy: memref<?x?x384xbf16>, %a: memref<?x?x512xbf16>, %w: memref<384x512xbf16>, %db: memref<384xbf16>) {
  // expected-remark @below {{'boostr.out_proj_residual_grad' op is not all left to cuBLASLt: there is no product to compute}}
  boostr.out_proj_residual_grad %dy, %a, %w outs(%db) wrt(bias)
      : memref<?x?x384xbf16>, memref<?x?x512xbf16>, memref<384x512xbf16>, memref<384xbf16>
  return
}

// -----

// One sum over three weights, which the library would round in between.
// CHECK-LABEL: func @input_of_separate_weights(
// CHECK-NOT: gemm =
func.func @input_of_separate_weights(%dy: memref<?x4x?x16xbf16>, %x: memref<?x?x40xbf16>, %w: memref<64x40xbf16>,
    %dx: memref<?x?x40xbf16>) {
  // expected-remark @below {{is not all left to cuBLASLt: arrays lie in memory as no matrices do}}
  boostr.fused_qkv_grad %dy, %dy, %dy, %x, %w, %w, %w outs(%dx) wrt(input) num_heads = 4 num_kv_heads = 4 head_dim = 16
      : memref<?x4x?x16xbf16>, memref<?x4x?x16xbf16>, memref<?x4x?x16xbf16>, memref<?x?x40xbf16>, memref<64x40xbf16>,
        memref<64x40xbf16>, memref<64x40xbf16>, memref<?x?x40xbf16>
  return
}

// -----

// CHECK-LABEL: func @tf32x3(
// CHECK-NOT: gemm =
func.func @tf32x3(%a: memref<?x?x512xf32>, %w: memref<384x512xf32>, %y: memref<?x?x384xf32>) {
  // expected-remark @below {{is not all left to cuBLASLt: it has no tf32x3}}
  boostr.out_proj_residual %a, %w residual(%y) outs(%y)
      : memref<?x?x512xf32>, memref<384x512xf32>, memref<?x?x384xf32>, memref<?x?x384xf32>
  return
}
