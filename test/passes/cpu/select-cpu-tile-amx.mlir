// RUN: boostr-opt %s --boostr-set-cpu-target=cpu=sapphirerapids --boostr-select-cpu-tile | FileCheck %s
//
// bf16 on tiles of 16 x 16 sums. Blocks of columns are as wide as leaves eight
// blocks for threads: of columns, of segments and of rows, which count for two
// where their number is not known. `sapphirerapids` by name has a second-level
// cache of 1 MiB.

// Three segments: four blocks of columns in each are enough.
// CHECK-LABEL: func @fused_qkv(
// CHECK: #boostr.cpu_tile<kernel = amx, block = [512, 128, 128], register = [32, 32], lanes = 16, packed_bytes = 16777216, cached_bytes = 196608, few_rows = [1, 4, 8]>
func.func @fused_qkv(%x: memref<?x?x1024xbf16>, %w: memref<3072x1024xbf16>,
    %q: memref<?x16x?x64xbf16>, %k: memref<?x16x?x64xbf16>, %v: memref<?x16x?x64xbf16>) {
  boostr.fused_qkv %x, %w outs(%q, %k, %v) num_heads = 16 num_kv_heads = 16 head_dim = 64
      : memref<?x?x1024xbf16>, memref<3072x1024xbf16>, memref<?x16x?x64xbf16>, memref<?x16x?x64xbf16>, memref<?x16x?x64xbf16>
  return
}

// One segment of few columns.
// CHECK-LABEL: func @out_proj_residual(
// CHECK: #boostr.cpu_tile<kernel = amx, block = [512, 64, 128], register = [32, 32], lanes = 16, packed_bytes = 16777216, cached_bytes = 196608, few_rows = [1, 4, 8]>
func.func @out_proj_residual(%a: memref<?x?x1024xbf16>, %w: memref<256x1024xbf16>, %y: memref<?x?x256xbf16>) {
  boostr.out_proj_residual %a, %w residual(%y) outs(%y)
      : memref<?x?x1024xbf16>, memref<256x1024xbf16>, memref<?x?x256xbf16>, memref<?x?x256xbf16>
  return
}

// Packed rows of lhs stay in half of that cache, if all their steps fit: blocks
// of columns are narrower, since rows do not come from further away for each.
// CHECK-LABEL: func @out_proj_residual_kept(
// CHECK: #boostr.cpu_tile<kernel = amx, block = [512, 64, 128], register = [32, 32], lanes = 16, packed_bytes = 16777216, cached_bytes = 524288, few_rows = [1, 4, 8]>
func.func @out_proj_residual_kept(%a: memref<?x?x512xbf16>, %w: memref<1024x512xbf16>, %y: memref<?x?x1024xbf16>) {
  boostr.out_proj_residual %a, %w residual(%y) outs(%y)
      : memref<?x?x512xbf16>, memref<1024x512xbf16>, memref<?x?x1024xbf16>, memref<?x?x1024xbf16>
  return
}

// So they do where few are known to be there.
// CHECK-LABEL: func @out_proj_residual_few_kept(
// CHECK: #boostr.cpu_tile<kernel = amx, block = [64, 96, 320], register = [32, 32], lanes = 16, packed_bytes = 16777216, cached_bytes = 524288, streams_columns = true>
func.func @out_proj_residual_few_kept(%a: memref<1x64x2560xbf16>, %w: memref<4096x2560xbf16>, %y: memref<1x64x4096xbf16>) {
  boostr.out_proj_residual %a, %w residual(%y) outs(%y)
      : memref<1x64x2560xbf16>, memref<4096x2560xbf16>, memref<1x64x4096xbf16>, memref<1x64x4096xbf16>
  return
}

// Columns are packed, and rows pass by: blocks are wider.
// CHECK-LABEL: func @fused_qkv_grad_weight(
// CHECK: #boostr.cpu_tile<kernel = amx, block = [512, 352, 256], register = [32, 32], lanes = 16, packed_bytes = 16777216, cached_bytes = 196608>
func.func @fused_qkv_grad_weight(%dq: memref<1x16x512x64xbf16>, %dk: memref<1x16x512x64xbf16>, %dv: memref<1x16x512x64xbf16>,
    %x: memref<1x512x1024xbf16>, %w: memref<3072x1024xbf16>, %dw: memref<3072x1024xbf16>) {
  boostr.fused_qkv_grad %dq, %dk, %dv, %x, %w outs(%dw) wrt(weight)
      num_heads = 16 num_kv_heads = 16 head_dim = 64
      : memref<1x16x512x64xbf16>, memref<1x16x512x64xbf16>, memref<1x16x512x64xbf16>, memref<1x512x1024xbf16>, memref<3072x1024xbf16>, memref<3072x1024xbf16>
  return
}
