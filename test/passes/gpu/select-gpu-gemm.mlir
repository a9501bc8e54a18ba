// RUN: boostr-opt %s --boostr-set-gpu-target=chip=sm_90a --boostr-select-gpu-tile=gemm=cublaslt | FileCheck %s --check-prefixes=CHECK,LIBRARY
// RUN: boostr-opt %s --boostr-set-gpu-target=chip=sm_90a --boostr-select-gpu-tile=gemm=auto | FileCheck %s --check-prefixes=CHECK,AUTO
// RUN: boostr-opt %s --boostr-set-gpu-target=chip=sm_90a --boostr-select-gpu-tile | FileCheck %s --check-prefixes=CHECK,GENERATED
// RUN: boostr-opt %s --boostr-set-gpu-target=chip=sm_90a --boostr-select-gpu-tile="gemm=auto f32-precision=tf32" | FileCheck %s --check-prefixes=TF32

// What the copy engine feeds is as fast as the library, and does the rest on the way.
// CHECK-LABEL: func @copy_engine(
// LIBRARY: boostr.gpu_tiles = [#boostr.gpu_tile<kernel = wgmma, {{.*}}, gemm = cublaslt>]
// AUTO-NOT: gemm =
// GENERATED-NOT: gemm =
func.func @copy_engine(%a: memref<4x512x1024xbf16>, %w: memref<1024x1024xbf16>, %y: memref<4x512x1024xbf16>) {
  boostr.out_proj_residual %a, %w residual(%y) outs(%y)
      : memref<4x512x1024xbf16>, memref<1024x1024xbf16>, memref<4x512x1024xbf16>, memref<4x512x1024xbf16>
  return
}

// The library is ahead of other kernels, but for exact f32, with its passes around the
// product. Its choice is nothing for kernels for few rows.
// CHECK-LABEL: func @f32(
// LIBRARY: boostr.gpu_tiles = [#boostr.gpu_tile<kernel = simt, block = [256, 128, 16], stages = 2, group = 8, gemm = cublaslt>]
// AUTO: boostr.gpu_tiles = [#boostr.gpu_tile<kernel = simt, block = [256, 128, 16], stages = 2, group = 8, split = 16, small = {{.+}}, few_rows = [1, 8]>]
// GENERATED-NOT: gemm =
// TF32-LABEL: func @f32(
// TF32: boostr.gpu_tiles = [#boostr.gpu_tile<kernel = mma, {{.*}}, precision = tf32, gemm = auto>]
func.func @f32(%a: memref<?x?x512xf32>, %w: memref<384x512xf32>, %b: memref<384xf32>, %y: memref<?x?x384xf32>) {
  boostr.out_proj_residual %a, %w bias(%b) residual(%y) outs(%y)
      : memref<?x?x512xf32>, memref<384x512xf32>, memref<384xf32>, memref<?x?x384xf32>, memref<?x?x384xf32>
  return
}

// Of odd rows, which only `mma` can copy, the library has the product without
// copies around it.
// CHECK-LABEL: func @odd_bf16(
// AUTO: boostr.gpu_tiles = [#boostr.gpu_tile<kernel = mma, {{.*}}], gemm = auto>]
func.func @odd_bf16(%x: memref<?x?x4095xbf16>, %w: memref<512x4095xbf16>, %q: memref<?x2x?x128xbf16>,
    %k: memref<?x1x?x128xbf16>, %v: memref<?x1x?x128xbf16>) {
  boostr.fused_qkv %x, %w outs(%q, %k, %v) num_heads = 2 num_kv_heads = 1 head_dim = 128
      : memref<?x?x4095xbf16>, memref<512x4095xbf16>, memref<?x2x?x128xbf16>, memref<?x1x?x128xbf16>, memref<?x1x?x128xbf16>
  return
}

// CHECK-LABEL: func @odd_bf16_gradients(
// LIBRARY-COUNT-2: gemm = cublaslt
// AUTO-NOT: gemm =
func.func @odd_bf16_gradients(%dq: memref<?x2x?x128xbf16>, %dk: memref<?x1x?x128xbf16>, %dv: memref<?x1x?x128xbf16>,
    %x: memref<?x?x4095xbf16>, %w: memref<512x4095xbf16>, %dx: memref<?x?x4095xbf16>, %dw: memref<512x4095xbf16>) {
  boostr.fused_qkv_grad %dq, %dk, %dv, %x, %w outs(%dx, %dw) wrt(input, weight) num_heads = 2 num_kv_heads = 1 head_dim = 128
      : memref<?x2x?x128xbf16>, memref<?x1x?x128xbf16>, memref<?x1x?x128xbf16>, memref<?x?x4095xbf16>, memref<512x4095xbf16>, memref<?x?x4095xbf16>, memref<512x4095xbf16>
  return
}

// CHECK-LABEL: func @bias_of_f64(
// LIBRARY: gemm = cublaslt
// AUTO: gemm = auto
func.func @bias_of_f64(%a: memref<?x?x512xf64>, %w: memref<384x512xf64>, %b: memref<384xf64>, %y: memref<?x?x384xf64>) {
  boostr.out_proj_residual %a, %w bias(%b) residual(%y) outs(%y)
      : memref<?x?x512xf64>, memref<384x512xf64>, memref<384xf64>, memref<?x?x384xf64>, memref<?x?x384xf64>
  return
}

// What is written on an op goes before the option.
// CHECK-LABEL: func @attribute(
// CHECK: gemm = cublaslt
// CHECK: gpu_tile
// CHECK-NOT: gemm = cublaslt
// CHECK: return
func.func @attribute(%a: memref<4x512x1024xbf16>, %w: memref<1024x1024xbf16>, %y: memref<4x512x1024xbf16>) {
  boostr.out_proj_residual %a, %w residual(%y) outs(%y) {boostr.gemm = #boostr.gemm<cublaslt>}
      : memref<4x512x1024xbf16>, memref<1024x1024xbf16>, memref<4x512x1024xbf16>, memref<4x512x1024xbf16>
  boostr.out_proj_residual %a, %w residual(%y) outs(%y) {boostr.gemm = #boostr.gemm<generated>}
      : memref<4x512x1024xbf16>, memref<1024x1024xbf16>, memref<4x512x1024xbf16>, memref<4x512x1024xbf16>
  return
}
