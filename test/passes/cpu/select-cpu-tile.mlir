// RUN: boostr-opt %s --split-input-file --verify-diagnostics --boostr-set-cpu-target=cpu=x86-64-v4 --boostr-select-cpu-tile | FileCheck %s --check-prefixes=CHECK,AVX512
// RUN: boostr-opt %s --split-input-file --verify-diagnostics --boostr-set-cpu-target=cpu=x86-64-v3 --boostr-select-cpu-tile | FileCheck %s --check-prefixes=CHECK,AVX2
// RUN: boostr-opt %s --split-input-file --verify-diagnostics --boostr-set-cpu-target=cpu=x86-64-v2 --boostr-select-cpu-tile | FileCheck %s --check-prefixes=CHECK,SSE
//
// Sums are f64 for f64 and f32 for all others, so `lanes` elements of these
// fill a register; 12 x 2 (32 registers) or 6 x 2 (16) of them make the register
// tile. Static extents balance the blocks, dynamic ones leave them as large as
// the caches allow. Few rows that may be there have code of their own.

// CHECK-LABEL: func @fused_qkv_f64_static(
// AVX512: #boostr.cpu_tile<kernel = fma, block = [16, 72, 64], register = [12, 16], lanes = 8, packed_bytes = 16777216, cached_bytes = 262144, few_rows = [32]>
// AVX2: #boostr.cpu_tile<kernel = fma, block = [16, 72, 64], register = [6, 8], lanes = 4, packed_bytes = 16777216, cached_bytes = 65536, few_rows = [32]>
// SSE: #boostr.cpu_tile<kernel = fma, block = [12, 66, 64], register = [6, 4], lanes = 2, packed_bytes = 16777216, cached_bytes = 65536, few_rows = [32]>
func.func @fused_qkv_f64_static(%x: memref<2x5x64xf64>, %w: memref<256x64xf64>, %q: memref<2x4x5x32xf64>, %k: memref<2x2x5x32xf64>,
    %v: memref<2x2x5x32xf64>) {
  boostr.fused_qkv %x, %w outs(%q, %k, %v)
      num_heads = 4 num_kv_heads = 2 head_dim = 32
      : memref<2x5x64xf64>, memref<256x64xf64>, memref<2x4x5x32xf64>, memref<2x2x5x32xf64>, memref<2x2x5x32xf64>
  return
}

// CHECK-LABEL: func @fused_qkv_f32_static(
// AVX512: #boostr.cpu_tile<kernel = fma, block = [32, 144, 64], register = [12, 32], lanes = 16, packed_bytes = 16777216, cached_bytes = 262144, few_rows = [32]>
// AVX2: #boostr.cpu_tile<kernel = fma, block = [16, 72, 64], register = [6, 16], lanes = 8, packed_bytes = 16777216, cached_bytes = 65536, few_rows = [32]>
// SSE: #boostr.cpu_tile<kernel = fma, block = [16, 72, 64], register = [6, 8], lanes = 4, packed_bytes = 16777216, cached_bytes = 65536, few_rows = [32]>
func.func @fused_qkv_f32_static(%x: memref<2x5x64xf32>, %w: memref<256x64xf32>, %q: memref<2x4x5x32xf32>, %k: memref<2x2x5x32xf32>,
    %v: memref<2x2x5x32xf32>) {
  boostr.fused_qkv %x, %w outs(%q, %k, %v)
      num_heads = 4 num_kv_heads = 2 head_dim = 32
      : memref<2x5x64xf32>, memref<256x64xf32>, memref<2x4x5x32xf32>, memref<2x2x5x32xf32>, memref<2x2x5x32xf32>
  return
}

// CHECK-LABEL: func @fused_qkv_f16_static(
// AVX512: #boostr.cpu_tile<kernel = fma, block = [32, 144, 64], register = [12, 32], lanes = 16, packed_bytes = 16777216, cached_bytes = 262144, few_rows = [32]>
// AVX2: #boostr.cpu_tile<kernel = fma, block = [16, 72, 64], register = [6, 16], lanes = 8, packed_bytes = 16777216, cached_bytes = 65536, few_rows = [32]>
// SSE: #boostr.cpu_tile<kernel = fma, block = [16, 72, 64], register = [6, 8], lanes = 4, packed_bytes = 16777216, cached_bytes = 65536, few_rows = [32]>
func.func @fused_qkv_f16_static(%x: memref<2x5x64xf16>, %w: memref<256x64xf16>, %q: memref<2x4x5x32xf16>, %k: memref<2x2x5x32xf16>,
    %v: memref<2x2x5x32xf16>) {
  boostr.fused_qkv %x, %w outs(%q, %k, %v)
      num_heads = 4 num_kv_heads = 2 head_dim = 32
      : memref<2x5x64xf16>, memref<256x64xf16>, memref<2x4x5x32xf16>, memref<2x2x5x32xf16>, memref<2x2x5x32xf16>
  return
}

// CHECK-LABEL: func @fused_qkv_bf16_static(
// AVX512: #boostr.cpu_tile<kernel = fma, block = [32, 144, 64], register = [12, 32], lanes = 16, packed_bytes = 16777216, cached_bytes = 262144, few_rows = [32]>
// AVX2: #boostr.cpu_tile<kernel = fma, block = [16, 72, 64], register = [6, 16], lanes = 8, packed_bytes = 16777216, cached_bytes = 65536, few_rows = [32]>
// SSE: #boostr.cpu_tile<kernel = fma, block = [16, 72, 64], register = [6, 8], lanes = 4, packed_bytes = 16777216, cached_bytes = 65536, few_rows = [32]>
func.func @fused_qkv_bf16_static(%x: memref<2x5x64xbf16>, %w: memref<256x64xbf16>, %q: memref<2x4x5x32xbf16>, %k: memref<2x2x5x32xbf16>,
    %v: memref<2x2x5x32xbf16>) {
  boostr.fused_qkv %x, %w outs(%q, %k, %v)
      num_heads = 4 num_kv_heads = 2 head_dim = 32
      : memref<2x5x64xbf16>, memref<256x64xbf16>, memref<2x4x5x32xbf16>, memref<2x2x5x32xbf16>, memref<2x2x5x32xbf16>
  return
}

// Heads are static, so n is.
// CHECK-LABEL: func @fused_qkv_f64_dynamic(
// AVX512: #boostr.cpu_tile<kernel = fma, block = [400, 96, 80], register = [12, 16], lanes = 8, packed_bytes = 16777216, cached_bytes = 262144, few_rows = [1, 4, 32]>
// AVX2: #boostr.cpu_tile<kernel = fma, block = [48, 132, 168], register = [6, 8], lanes = 4, packed_bytes = 16777216, cached_bytes = 65536, few_rows = [1, 4, 32]>
// SSE: #boostr.cpu_tile<kernel = fma, block = [48, 132, 170], register = [6, 4], lanes = 2, packed_bytes = 16777216, cached_bytes = 65536, few_rows = [1, 4, 32]>
func.func @fused_qkv_f64_dynamic(%x: memref<?x?x?xf64>, %w: memref<?x?xf64>, %q: memref<?x4x?x32xf64>, %k: memref<?x2x?x32xf64>,
    %v: memref<?x2x?x32xf64>) {
  boostr.fused_qkv %x, %w outs(%q, %k, %v)
      num_heads = 4 num_kv_heads = 2 head_dim = 32
      : memref<?x?x?xf64>, memref<?x?xf64>, memref<?x4x?x32xf64>, memref<?x2x?x32xf64>, memref<?x2x?x32xf64>
  return
}

// CHECK-LABEL: func @fused_qkv_f32_dynamic(
// AVX512: #boostr.cpu_tile<kernel = fma, block = [384, 144, 128], register = [12, 32], lanes = 16, packed_bytes = 16777216, cached_bytes = 262144, few_rows = [1, 4, 32]>
// AVX2: #boostr.cpu_tile<kernel = fma, block = [64, 144, 256], register = [6, 16], lanes = 8, packed_bytes = 16777216, cached_bytes = 65536, few_rows = [1, 4, 32]>
// SSE: #boostr.cpu_tile<kernel = fma, block = [64, 132, 256], register = [6, 8], lanes = 4, packed_bytes = 16777216, cached_bytes = 65536, few_rows = [1, 4, 32]>
func.func @fused_qkv_f32_dynamic(%x: memref<?x?x?xf32>, %w: memref<?x?xf32>, %q: memref<?x4x?x32xf32>, %k: memref<?x2x?x32xf32>,
    %v: memref<?x2x?x32xf32>) {
  boostr.fused_qkv %x, %w outs(%q, %k, %v)
      num_heads = 4 num_kv_heads = 2 head_dim = 32
      : memref<?x?x?xf32>, memref<?x?xf32>, memref<?x4x?x32xf32>, memref<?x2x?x32xf32>, memref<?x2x?x32xf32>
  return
}

// CHECK-LABEL: func @fused_qkv_f16_dynamic(
// AVX512: #boostr.cpu_tile<kernel = fma, block = [384, 144, 128], register = [12, 32], lanes = 16, packed_bytes = 16777216, cached_bytes = 262144, few_rows = [1, 4, 32]>
// AVX2: #boostr.cpu_tile<kernel = fma, block = [64, 144, 256], register = [6, 16], lanes = 8, packed_bytes = 16777216, cached_bytes = 65536, few_rows = [1, 4, 32]>
// SSE: #boostr.cpu_tile<kernel = fma, block = [64, 132, 256], register = [6, 8], lanes = 4, packed_bytes = 16777216, cached_bytes = 65536, few_rows = [1, 4, 32]>
func.func @fused_qkv_f16_dynamic(%x: memref<?x?x?xf16>, %w: memref<?x?xf16>, %q: memref<?x4x?x32xf16>, %k: memref<?x2x?x32xf16>,
    %v: memref<?x2x?x32xf16>) {
  boostr.fused_qkv %x, %w outs(%q, %k, %v)
      num_heads = 4 num_kv_heads = 2 head_dim = 32
      : memref<?x?x?xf16>, memref<?x?xf16>, memref<?x4x?x32xf16>, memref<?x2x?x32xf16>, memref<?x2x?x32xf16>
  return
}

// CHECK-LABEL: func @fused_qkv_bf16_dynamic(
// AVX512: #boostr.cpu_tile<kernel = fma, block = [384, 144, 128], register = [12, 32], lanes = 16, packed_bytes = 16777216, cached_bytes = 262144, few_rows = [1, 4, 32]>
// AVX2: #boostr.cpu_tile<kernel = fma, block = [64, 144, 256], register = [6, 16], lanes = 8, packed_bytes = 16777216, cached_bytes = 65536, few_rows = [1, 4, 32]>
// SSE: #boostr.cpu_tile<kernel = fma, block = [64, 132, 256], register = [6, 8], lanes = 4, packed_bytes = 16777216, cached_bytes = 65536, few_rows = [1, 4, 32]>
func.func @fused_qkv_bf16_dynamic(%x: memref<?x?x?xbf16>, %w: memref<?x?xbf16>, %q: memref<?x4x?x32xbf16>, %k: memref<?x2x?x32xbf16>,
    %v: memref<?x2x?x32xbf16>) {
  boostr.fused_qkv %x, %w outs(%q, %k, %v)
      num_heads = 4 num_kv_heads = 2 head_dim = 32
      : memref<?x?x?xbf16>, memref<?x?xbf16>, memref<?x4x?x32xbf16>, memref<?x2x?x32xbf16>, memref<?x2x?x32xbf16>
  return
}

// 512 x 6144 x 4096: blocks as the caches allow, cut equal.
// CHECK-LABEL: func @fused_qkv_large(
// AVX512: #boostr.cpu_tile<kernel = fma, block = [256, 192, 128], register = [12, 32], lanes = 16, packed_bytes = 16777216, cached_bytes = 262144>
// AVX2: #boostr.cpu_tile<kernel = fma, block = [64, 240, 256], register = [6, 16], lanes = 8, packed_bytes = 16777216, cached_bytes = 65536>
// SSE: #boostr.cpu_tile<kernel = fma, block = [64, 252, 256], register = [6, 8], lanes = 4, packed_bytes = 16777216, cached_bytes = 65536>
func.func @fused_qkv_large(%x: memref<1x512x4096xf32>, %w: memref<6144x4096xf32>, %q: memref<1x32x512x128xf32>, %k: memref<1x8x512x128xf32>,
    %v: memref<1x8x512x128xf32>) {
  boostr.fused_qkv %x, %w outs(%q, %k, %v)
      num_heads = 32 num_kv_heads = 8 head_dim = 128
      : memref<1x512x4096xf32>, memref<6144x4096xf32>, memref<1x32x512x128xf32>, memref<1x8x512x128xf32>, memref<1x8x512x128xf32>
  return
}

// 6144 x 4096 x 512, of which the columns are packed: rows pass by, and blocks
// have more of them.
// CHECK-LABEL: func @fused_qkv_grad_weight(
// AVX512: #boostr.cpu_tile<kernel = fma, block = [1024, 128, 128], register = [12, 32], lanes = 16, packed_bytes = 16777216, cached_bytes = 262144>
// AVX2: #boostr.cpu_tile<kernel = fma, block = [512, 48, 256], register = [6, 16], lanes = 8, packed_bytes = 16777216, cached_bytes = 65536>
// SSE: #boostr.cpu_tile<kernel = fma, block = [512, 48, 256], register = [6, 8], lanes = 4, packed_bytes = 16777216, cached_bytes = 65536>
func.func @fused_qkv_grad_weight(%dq: memref<1x32x512x128xf32>, %dk: memref<1x8x512x128xf32>, %dv: memref<1x8x512x128xf32>,
    %x: memref<1x512x4096xf32>, %w: memref<6144x4096xf32>, %dw: memref<6144x4096xf32>) {
  boostr.fused_qkv_grad %dq, %dk, %dv, %x, %w outs(%dw) wrt(weight)
      num_heads = 32 num_kv_heads = 8 head_dim = 128
      : memref<1x32x512x128xf32>, memref<1x8x512x128xf32>, memref<1x8x512x128xf32>, memref<1x512x4096xf32>, memref<6144x4096xf32>, memref<6144x4096xf32>
  return
}

// An extent of zero says nothing; the block is what it is for a dynamic one.
// CHECK-LABEL: func @fused_qkv_empty(
// AVX512: #boostr.cpu_tile<kernel = fma, block = [512, 144, 64], register = [12, 32], lanes = 16, packed_bytes = 16777216, cached_bytes = 262144, few_rows = [1]>
// AVX2: #boostr.cpu_tile<kernel = fma, block = [256, 72, 64], register = [6, 16], lanes = 8, packed_bytes = 16777216, cached_bytes = 65536, few_rows = [1]>
// SSE: #boostr.cpu_tile<kernel = fma, block = [256, 72, 64], register = [6, 8], lanes = 4, packed_bytes = 16777216, cached_bytes = 65536, few_rows = [1]>
func.func @fused_qkv_empty(%x: memref<0x5x64xf32>, %w: memref<256x64xf32>, %q: memref<0x4x5x32xf32>, %k: memref<0x2x5x32xf32>,
    %v: memref<0x2x5x32xf32>) {
  boostr.fused_qkv %x, %w outs(%q, %k, %v)
      num_heads = 4 num_kv_heads = 2 head_dim = 32
      : memref<0x5x64xf32>, memref<256x64xf32>, memref<0x4x5x32xf32>, memref<0x2x5x32xf32>, memref<0x2x5x32xf32>
  return
}

// No block is smaller than a vector.
// CHECK-LABEL: func @fused_qkv_one_token_one_element(
// AVX512: #boostr.cpu_tile<kernel = fma, block = [32, 48, 16], register = [12, 32], lanes = 16, packed_bytes = 16777216, cached_bytes = 262144, few_rows = [1]>
// AVX2: #boostr.cpu_tile<kernel = fma, block = [16, 24, 8], register = [6, 16], lanes = 8, packed_bytes = 16777216, cached_bytes = 65536, few_rows = [1]>
// SSE: #boostr.cpu_tile<kernel = fma, block = [8, 12, 4], register = [6, 8], lanes = 4, packed_bytes = 16777216, cached_bytes = 65536, few_rows = [1]>
func.func @fused_qkv_one_token_one_element(%x: memref<1x1x1xf32>, %w: memref<3x1xf32>, %q: memref<1x1x1x1xf32>, %k: memref<1x1x1x1xf32>,
    %v: memref<1x1x1x1xf32>) {
  boostr.fused_qkv %x, %w outs(%q, %k, %v)
      num_heads = 1 num_kv_heads = 1 head_dim = 1
      : memref<1x1x1xf32>, memref<3x1xf32>, memref<1x1x1x1xf32>, memref<1x1x1x1xf32>, memref<1x1x1x1xf32>
  return
}

// One tile serves d_attn (m, n, k = 16, 64, 48) and d_weight (48, 64, 16), so it
// is chosen for the largest of each, but with code for the fewest rows.
// CHECK-LABEL: func @out_proj_residual_grad_two_contractions(
// AVX512: #boostr.cpu_tile<kernel = fma, block = [64, 64, 48], register = [12, 32], lanes = 16, packed_bytes = 16777216, cached_bytes = 262144, few_rows = [32]>
// AVX2: #boostr.cpu_tile<kernel = fma, block = [48, 48, 48], register = [6, 16], lanes = 8, packed_bytes = 16777216, cached_bytes = 65536, few_rows = [32]>
// SSE: #boostr.cpu_tile<kernel = fma, block = [48, 48, 48], register = [6, 8], lanes = 4, packed_bytes = 16777216, cached_bytes = 65536, few_rows = [32]>
func.func @out_proj_residual_grad_two_contractions(%dy: memref<1x16x48xbf16>, %a: memref<1x16x64xbf16>, %w: memref<48x64xbf16>,
    %dw: memref<48x64xf32>, %da: memref<1x16x64xbf16>) {
  boostr.out_proj_residual_grad %dy, %a, %w accumulate_weight(%dw) outs(%da)
      wrt(attn, weight) : memref<1x16x48xbf16>, memref<1x16x64xbf16>, memref<48x64xbf16>, memref<48x64xf32>, memref<1x16x64xbf16>
  return
}

// More elements than a number can count: as if the extents were not known.
// CHECK-LABEL: func @out_proj_residual_overflow(
// AVX512: #boostr.cpu_tile<kernel = fma, block = [512, 48, 16], register = [12, 32], lanes = 16, packed_bytes = 16777216, cached_bytes = 262144, few_rows = [1, 4, 32]>
// AVX2: #boostr.cpu_tile<kernel = fma, block = [512, 24, 8], register = [6, 16], lanes = 8, packed_bytes = 16777216, cached_bytes = 65536, few_rows = [1, 4, 32]>
// SSE: #boostr.cpu_tile<kernel = fma, block = [512, 12, 8], register = [6, 8], lanes = 4, packed_bytes = 16777216, cached_bytes = 65536, few_rows = [1, 4, 32]>
func.func @out_proj_residual_overflow(%a: memref<8589934592x8589934592x8xf32>,
    %w: memref<8x8xf32>, %y: memref<8589934592x8589934592x8xf32>) {
  boostr.out_proj_residual %a, %w residual(%y) outs(%y)
      : memref<8589934592x8589934592x8xf32>, memref<8x8xf32>,
        memref<8589934592x8589934592x8xf32>, memref<8589934592x8589934592x8xf32>
  return
}

// What the user wrote wins.
// CHECK-LABEL: func @untouched_user_tile(
// CHECK: #boostr.cpu_tile<kernel = fma, block = [4, 8, 8], register = [2, 4], lanes = 4, packed_bytes = 4096>
func.func @untouched_user_tile(%a: memref<1x4x8xf32>, %w: memref<8x8xf32>,
    %y: memref<1x4x8xf32>) {
  boostr.out_proj_residual %a, %w residual(%y) outs(%y) {boostr.cpu_tile =
      #boostr.cpu_tile<kernel = fma, block = [4, 8, 8], register = [2, 4], lanes = 4, packed_bytes = 4096>}
      : memref<1x4x8xf32>, memref<8x8xf32>, memref<1x4x8xf32>, memref<1x4x8xf32>
  return
}

// Tiles are chosen for memrefs only.
// CHECK-LABEL: func @untouched_value_form(
// CHECK-NOT: cpu_tile
// CHECK: return
func.func @untouched_value_form(%a: tensor<1x4x8xf32>, %w: tensor<8x8xf32>,
    %r: tensor<1x4x8xf32>) -> tensor<1x4x8xf32> {
  %y = boostr.out_proj_residual %a, %w residual(%r)
      : tensor<1x4x8xf32>, tensor<8x8xf32>, tensor<1x4x8xf32>
  return %y : tensor<1x4x8xf32>
}

// -----

// A register of 256 bits and caches that were written down by hand.
// CHECK-LABEL: module @user_target
// CHECK: #boostr.cpu_tile<kernel = fma, block = [192, 192, 128], register = [6, 16], lanes = 8, packed_bytes = 16777216, cached_bytes = 131072, few_rows = [1, 4, 32]>
module @user_target attributes {boostr.cpu_target = #boostr.cpu_target<
    cpu = "znver4", features = "", vector_bits = 256, registers = 16,
    l1_bytes = 16384, l2_bytes = 524288>} {
  func.func @dynamic(%a: memref<?x?x?xf32>, %w: memref<?x?xf32>,
      %y: memref<?x?x?xf32>) {
    boostr.out_proj_residual %a, %w residual(%y) outs(%y)
        : memref<?x?x?xf32>, memref<?x?xf32>, memref<?x?x?xf32>, memref<?x?x?xf32>
    return
  }
}

// -----

// A CPU that multiplies tiles of bf16 does so, for bf16 alone.
// CHECK-LABEL: module @amx_target
module @amx_target attributes {boostr.cpu_target = #boostr.cpu_target<
    cpu = "sapphirerapids", features = "", vector_bits = 512, registers = 32,
    l1_bytes = 49152, l2_bytes = 2097152>} {
  // CHECK-LABEL: func @bf16(
  // CHECK: #boostr.cpu_tile<kernel = amx, block = [512, 256, 256], register = [32, 32], lanes = 16, packed_bytes = 16777216, cached_bytes = 393216, few_rows = [1, 4, 8]>
  func.func @bf16(%a: memref<?x?x?xbf16>, %w: memref<?x?xbf16>,
      %y: memref<?x?x?xbf16>) {
    boostr.out_proj_residual %a, %w residual(%y) outs(%y)
        : memref<?x?x?xbf16>, memref<?x?xbf16>, memref<?x?x?xbf16>, memref<?x?x?xbf16>
    return
  }
  // Where columns are packed they do not stay in the first-level cache, which has
  // room for twice the steps of a panel of rows.
  // CHECK-LABEL: func @bf16_grad_weight(
  // CHECK: #boostr.cpu_tile<kernel = amx, block = [512, 256, 512], register = [32, 32], lanes = 16, packed_bytes = 16777216, cached_bytes = 393216, few_rows = [1, 4, 8], streams_columns = true>
  func.func @bf16_grad_weight(%dy: memref<?x?x?xbf16>, %a: memref<?x?x?xbf16>,
      %w: memref<?x?xbf16>, %dw: memref<?x?xbf16>) {
    boostr.out_proj_residual_grad %dy, %a, %w outs(%dw) wrt(weight)
        : memref<?x?x?xbf16>, memref<?x?x?xbf16>, memref<?x?xbf16>, memref<?x?xbf16>
    return
  }
  // No more than a block of steps, which are few: columns stay.
  // CHECK-LABEL: func @bf16_few_steps(
  // CHECK: #boostr.cpu_tile<kernel = amx, block = [512, 384, 192], register = [32, 32], lanes = 16, packed_bytes = 16777216, cached_bytes = 393216, few_rows = [1, 4, 8]>
  func.func @bf16_few_steps(%dy: memref<?x?x192xbf16>, %a: memref<?x?x?xbf16>,
      %w: memref<192x?xbf16>, %da: memref<?x?x?xbf16>) {
    boostr.out_proj_residual_grad %dy, %a, %w outs(%da) wrt(attn)
        : memref<?x?x192xbf16>, memref<?x?x?xbf16>, memref<192x?xbf16>, memref<?x?x?xbf16>
    return
  }
  // CHECK-LABEL: func @f16(
  // CHECK: #boostr.cpu_tile<kernel = fma, block = [512, 240, 192], register = [12, 32], lanes = 16, packed_bytes = 16777216, cached_bytes = 524288, few_rows = [1, 4, 32]>
  func.func @f16(%a: memref<?x?x?xf16>, %w: memref<?x?xf16>,
      %y: memref<?x?x?xf16>) {
    boostr.out_proj_residual %a, %w residual(%y) outs(%y)
        : memref<?x?x?xf16>, memref<?x?xf16>, memref<?x?x?xf16>, memref<?x?x?xf16>
    return
  }
}

// -----

// One that multiplies vectors of pairs of bf16 does that.
// CHECK-LABEL: module @dot_target
// CHECK: #boostr.cpu_tile<kernel = dot, block = [512, 144, 256], register = [12, 32], lanes = 16, packed_bytes = 16777216, cached_bytes = 262144, few_rows = [1, 4, 32]>
module @dot_target attributes {boostr.cpu_target = #boostr.cpu_target<
    cpu = "znver4", features = "", vector_bits = 512, registers = 32,
    l1_bytes = 32768, l2_bytes = 1048576>} {
  func.func @bf16(%a: memref<?x?x?xbf16>, %w: memref<?x?xbf16>,
      %y: memref<?x?x?xbf16>) {
    boostr.out_proj_residual %a, %w residual(%y) outs(%y)
        : memref<?x?x?xbf16>, memref<?x?xbf16>, memref<?x?x?xbf16>, memref<?x?x?xbf16>
    return
  }
}

// -----

// But not where multiply-adds of f32 are faster.
// CHECK-LABEL: module @slow_dot_target
// CHECK: #boostr.cpu_tile<kernel = fma
module @slow_dot_target attributes {boostr.cpu_target = #boostr.cpu_target<
    cpu = "sapphirerapids", features = "-amx-bf16", vector_bits = 512, registers = 32,
    l1_bytes = 49152, l2_bytes = 2097152>} {
  func.func @bf16(%a: memref<?x?x?xbf16>, %w: memref<?x?xbf16>,
      %y: memref<?x?x?xbf16>) {
    boostr.out_proj_residual %a, %w residual(%y) outs(%y)
        : memref<?x?x?xbf16>, memref<?x?xbf16>, memref<?x?x?xbf16>, memref<?x?x?xbf16>
    return
  }
}
