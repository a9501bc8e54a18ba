// RUN: boostr-opt %s --boostr-set-gpu-target=chip=sm_90a --boostr-select-gpu-tile | FileCheck %s --check-prefixes=CHECK,HOPPER
// RUN: boostr-opt %s --boostr-set-gpu-target=chip=sm_80 --boostr-select-gpu-tile | FileCheck %s --check-prefixes=CHECK,AMPERE
// RUN: boostr-opt %s --boostr-set-gpu-target=chip=sm_86 --boostr-select-gpu-tile=f32-precision=tf32x3 | FileCheck %s --check-prefixes=SMALL
// RUN: boostr-opt %s --boostr-set-gpu-target=chip=sm_100 --boostr-select-gpu-tile | FileCheck %s --check-prefixes=LARGE
// RUN: boostr-opt %s --boostr-set-gpu-target=chip=sm_120 --boostr-select-gpu-tile | FileCheck %s --check-prefixes=GRAPHICS
// RUN: boostr-opt %s --boostr-set-gpu-target=chip=sm_75 --boostr-select-gpu-tile=f32-precision=tf32 | FileCheck %s --check-prefixes=TURING

// Tensor cores where the chip has those that a kernel is for.
// CHECK-LABEL: func @large_bf16(
// HOPPER: boostr.gpu_tiles = [#boostr.gpu_tile<kernel = wgmma, block = [128, 256, 64], stages = 4, group = 16, split = 8>]
// AMPERE: boostr.gpu_tiles = [#boostr.gpu_tile<kernel = mma, block = [128, 256, 32], stages = 4, group = 8, warp = [64, 64]>]
// SMALL-LABEL: func @large_bf16(
// SMALL: boostr.gpu_tiles = [#boostr.gpu_tile<kernel = mma, block = [128, 128, 32], stages = 4, group = 8, warp = [64, 32]>]
// TURING: boostr.gpu_tiles = [#boostr.gpu_tile<kernel = simt, block = [256, 128, 16], stages = 2, group = 8>]
func.func @large_bf16(%a: memref<32x512x1024xbf16>, %w: memref<1024x1024xbf16>, %y: memref<32x512x1024xbf16>) {
  boostr.out_proj_residual %a, %w residual(%y) outs(%y)
      : memref<32x512x1024xbf16>, memref<1024x1024xbf16>, memref<32x512x1024xbf16>, memref<32x512x1024xbf16>
  return
}

// Small blocks where large ones would leave most of the device idle; of the gradient of a weight those that are the best for
// some number of tokens.
// LARGE-LABEL: func @large_bf16(
// LARGE: boostr.gpu_tiles = [#boostr.gpu_tile<kernel = mma, block = [128, 256, 64], stages = 3, group = 8, warp = [64, 64]>]
// LARGE-LABEL: func @flat_tiles(
// LARGE: boostr.gpu_tiles = [#boostr.gpu_tile<kernel = mma, block = [64, 64, 64], stages = 4, group = 8, warp = [32, 32]>]
// LARGE-LABEL: func @weight_gradient(
// LARGE: boostr.gpu_tiles = [#boostr.gpu_tile<kernel = mma, block = [128, 256, 64], {{.+}}, split = 4, small = {{.+}}, few_steps = 16, warp = [64, 64]>]
// TURING-LABEL: func @half_of_the_device(
// TURING: boostr.gpu_tiles = [#boostr.gpu_tile<kernel = simt, block = [128, 128, 16], stages = 2, group = 8>]
// TURING-LABEL: func @flat_tiles(
// TURING: boostr.gpu_tiles = [#boostr.gpu_tile<kernel = simt, block = [64, 64, 16], stages = 2, group = 8, split = 4>]
// TURING-LABEL: func @across_segments(
// TURING: boostr.gpu_tiles = [#boostr.gpu_tile<kernel = simt, block = [256, 128, 16], stages = 2, group = 8, split = 16, small = {{\[\[}}128, 128], [64, 64]], few_rows = [1, 8]>]

// 64 tiles of 256 columns would leave half of an H100 without any: so there are those that take the least time.
// CHECK-LABEL: func @half_of_the_device(
// HOPPER: boostr.gpu_tiles = [#boostr.gpu_tile<kernel = wgmma, block = [128, 256, 64], stages = 4, group = 16, split = 8, narrow = [128]>]
func.func @half_of_the_device(%a: memref<4x512x1024xbf16>, %w: memref<1024x1024xbf16>, %y: memref<4x512x1024xbf16>) {
  boostr.out_proj_residual %a, %w residual(%y) outs(%y)
      : memref<4x512x1024xbf16>, memref<1024x1024xbf16>, memref<4x512x1024xbf16>, memref<4x512x1024xbf16>
  return
}

// 128 tiles of 64 x 32 occupy the device, 64 of 128 x 32 half of it.
// CHECK-LABEL: func @flat_tiles(
// HOPPER: boostr.gpu_tiles = [#boostr.gpu_tile<kernel = wgmma, block = [128, 256, 64], stages = 4, group = 16, split = 8, flat = [32]>]
func.func @flat_tiles(%a: memref<2x128x1024xbf16>, %w: memref<1024x1024xbf16>, %y: memref<2x128x1024xbf16>) {
  boostr.out_proj_residual %a, %w residual(%y) outs(%y)
      : memref<2x128x1024xbf16>, memref<1024x1024xbf16>, memref<2x128x1024xbf16>, memref<2x128x1024xbf16>
  return
}

// 144 tiles of 128 x 256 are more than run at once, 128 of 192 x 192 are not.
// CHECK-LABEL: func @tall_tiles(
// HOPPER: boostr.gpu_tiles = [#boostr.gpu_tile<kernel = wgmma, block = [128, 256, 64], stages = 4, group = 16, split = 8, tall = [192]>]
func.func @tall_tiles(%x: memref<1x768x4096xbf16>, %w: memref<6144x4096xbf16>, %q: memref<1x32x768x128xbf16>,
    %k: memref<1x8x768x128xbf16>, %v: memref<1x8x768x128xbf16>) {
  boostr.fused_qkv %x, %w outs(%q, %k, %v) num_heads = 32 num_kv_heads = 8 head_dim = 128
      : memref<1x768x4096xbf16>, memref<6144x4096xbf16>, memref<1x32x768x128xbf16>, memref<1x8x768x128xbf16>, memref<1x8x768x128xbf16>
  return
}

// Rows of the gradient of a weight are known, too.
// CHECK-LABEL: func @weight_gradient(
// HOPPER: boostr.gpu_tiles = [#boostr.gpu_tile<kernel = wgmma, block = [128, 256, 64], stages = 4, group = 16, split = 8, narrow = [64], few_steps = 16>]
func.func @weight_gradient(%dy: memref<?x?x1024xbf16>, %a: memref<?x?x1024xbf16>, %w: memref<1024x1024xbf16>,
    %dw: memref<1024x1024xbf16>) {
  boostr.out_proj_residual_grad %dy, %a, %w outs(%dw) wrt(weight)
      : memref<?x?x1024xbf16>, memref<?x?x1024xbf16>, memref<1024x1024xbf16>, memref<1024x1024xbf16>
  return
}

// Two gradients at the same time: of the input's that which leaves room for the weight's counts, 48 tiles of 192 x 128
// where by itself 128 of 128 x 64 would take less.
// CHECK-LABEL: func @gradients_together(
// HOPPER: boostr.gpu_tiles = [#boostr.gpu_tile<kernel = wgmma, block = [128, 256, 64], stages = 4, group = 16, split = 8, narrow = [128]>, #boostr.gpu_tile<kernel = wgmma, block = [128, 256, 64], stages = 4, group = 16, split = 8, narrow = [128]>]
// CHECK-LABEL: func @gradient_of_the_input(
// HOPPER: boostr.gpu_tiles = [#boostr.gpu_tile<kernel = wgmma, block = [128, 256, 64], stages = 4, group = 16, split = 8, narrow = [64]>]
func.func @gradients_together(%dy: memref<1x1024x1024xbf16>, %a: memref<1x1024x1024xbf16>, %w: memref<1024x1024xbf16>,
    %da: memref<1x1024x1024xbf16>, %dw: memref<1024x1024xbf16>) {
  boostr.out_proj_residual_grad %dy, %a, %w outs(%da, %dw) wrt(attn, weight)
      : memref<1x1024x1024xbf16>, memref<1x1024x1024xbf16>, memref<1024x1024xbf16>, memref<1x1024x1024xbf16>, memref<1024x1024xbf16>
  return
}
func.func @gradient_of_the_input(%dy: memref<1x1024x1024xbf16>, %a: memref<1x1024x1024xbf16>, %w: memref<1024x1024xbf16>,
    %da: memref<1x1024x1024xbf16>) {
  boostr.out_proj_residual_grad %dy, %a, %w outs(%da) wrt(attn)
      : memref<1x1024x1024xbf16>, memref<1x1024x1024xbf16>, memref<1024x1024xbf16>, memref<1x1024x1024xbf16>
  return
}

// As many kernels as take nearly the least time for any number of rows. Of heads of 128, 192 columns are one and a
// half: tiles have columns of several heads, and of two segments.
// CHECK-LABEL: func @across_segments(
// HOPPER: boostr.gpu_tiles = [#boostr.gpu_tile<kernel = wgmma, block = [128, 256, 64], stages = 4, group = 16, split = 8, narrow = [96, 160, 192], tall = [192], flat = [64, 96], few_rows = [1, 8]>]
func.func @across_segments(%x: memref<?x?x4096xbf16>, %w: memref<6144x4096xbf16>, %q: memref<?x32x?x128xbf16>,
    %k: memref<?x8x?x128xbf16>, %v: memref<?x8x?x128xbf16>) {
  boostr.fused_qkv %x, %w outs(%q, %k, %v) num_heads = 32 num_kv_heads = 8 head_dim = 128
      : memref<?x?x4096xbf16>, memref<6144x4096xbf16>, memref<?x32x?x128xbf16>, memref<?x8x?x128xbf16>, memref<?x8x?x128xbf16>
  return
}

// Heads of 80 columns are not cut where rows are few or many, and between in pieces of 16.
// CHECK-LABEL: func @heads_of_80(
// HOPPER: boostr.gpu_tiles = [#boostr.gpu_tile<kernel = wgmma, block = [128, 240, 64], stages = 4, group = 16, split = 8, narrow = [80, 112, 160, 208], flat = [80], few_rows = [1, 16]>]
func.func @heads_of_80(%x: memref<?x?x1024xbf16>, %w: memref<2880x1024xbf16>, %q: memref<?x12x?x80xbf16>,
    %k: memref<?x12x?x80xbf16>, %v: memref<?x12x?x80xbf16>) {
  boostr.fused_qkv %x, %w outs(%q, %k, %v) num_heads = 12 num_kv_heads = 12 head_dim = 80
      : memref<?x?x1024xbf16>, memref<2880x1024xbf16>, memref<?x12x?x80xbf16>, memref<?x12x?x80xbf16>, memref<?x12x?x80xbf16>
  return
}

// Columns that fill the tiles best: two of 192 rather than two of 256.
// CHECK-LABEL: func @columns_bf16(
// HOPPER: boostr.gpu_tiles = [#boostr.gpu_tile<kernel = wgmma, block = [128, 192, 64], stages = 4, group = 16, split = 8, narrow = [64, 96], flat = [32, 64], few_rows = [1, 16]>]
func.func @columns_bf16(%a: memref<?x?x512xbf16>, %w: memref<384x512xbf16>, %y: memref<?x?x384xbf16>) {
  boostr.out_proj_residual %a, %w residual(%y) outs(%y)
      : memref<?x?x512xbf16>, memref<384x512xbf16>, memref<?x?x384xbf16>, memref<?x?x384xbf16>
  return
}

// Whole heads, as many as leave the fewest columns of the three results empty.
// CHECK-LABEL: func @heads_f16(
// LARGE-LABEL: func @heads_f16(
// LARGE: boostr.gpu_tiles = [#boostr.gpu_tile<kernel = mma, block = [128, 256, 64], stages = 3, group = 8, split = 16, small = {{\[\[}}128, 128], [64, 64]], few_rows = [1, 16], warp = [64, 64]>]
// HOPPER: boostr.gpu_tiles = [#boostr.gpu_tile<kernel = wgmma, block = [128, 128, 64], stages = 4, group = 16, split = 8, narrow = [64, 96], tall = [192], flat = [32, 64], few_rows = [1, 16]>]
func.func @heads_f16(%x: memref<?x?x512xf16>, %w: memref<1024x512xf16>, %q: memref<?x14x?x64xf16>,
    %k: memref<?x1x?x64xf16>, %v: memref<?x1x?x64xf16>) {
  boostr.fused_qkv %x, %w outs(%q, %k, %v) num_heads = 14 num_kv_heads = 1 head_dim = 64
      : memref<?x?x512xf16>, memref<1024x512xf16>, memref<?x14x?x64xf16>, memref<?x1x?x64xf16>, memref<?x1x?x64xf16>
  return
}

// The copy engine steps by 16 bytes, and of these extents that is not known.
// CHECK-LABEL: func @dynamic_bf16(
// CHECK: boostr.gpu_tiles = [#boostr.gpu_tile<kernel = mma, block = [128, 128, 32], stages = 4, group = 8, small = {{\[\[}}64, 64]], warp = [64, 32]>]
func.func @dynamic_bf16(%a: memref<?x?x?xbf16>, %w: memref<?x?xbf16>, %y: memref<?x?x?xbf16>) {
  boostr.out_proj_residual %a, %w residual(%y) outs(%y)
      : memref<?x?x?xbf16>, memref<?x?xbf16>, memref<?x?x?xbf16>, memref<?x?x?xbf16>
  return
}

// Few rows or columns need no large tile; two blocks are cut along k. Tensor
// cores multiply f32 only if the user says so.
// CHECK-LABEL: func @small_f32(
// CHECK: boostr.gpu_tiles = [#boostr.gpu_tile<kernel = simt, block = [64, 64, 16], stages = 2, group = 8, split = 4>, #boostr.gpu_tile<kernel = simt, block = [64, 64, 16], stages = 2, group = 8>]
// SMALL-LABEL: func @small_f32(
// SMALL: boostr.gpu_tiles = [#boostr.gpu_tile<kernel = mma, block = [64, 64, 32], stages = 4, group = 8, split = 4, warp = [32, 32], precision = tf32x3>, #boostr.gpu_tile<kernel = mma, block = [64, 64, 32], stages = 4, group = 8, warp = [32, 32], precision = tf32x3>]
func.func @small_f32(%dy: memref<1x24x192xf32>, %a: memref<1x24x128xf32>, %w: memref<192x128xf32>,
    %dw: memref<192x128xf32>, %da: memref<1x24x128xf32>) {
  boostr.out_proj_residual_grad %dy, %a, %w accumulate_weight(%dw) outs(%da)
      wrt(attn, weight) : memref<1x24x192xf32>, memref<1x24x128xf32>, memref<192x128xf32>, memref<192x128xf32>, memref<1x24x128xf32>
  return
}

// Elements that are copied one by one take registers, of which sm_120 has none left for 32 steps.
// CHECK-LABEL: func @dynamic_f16(
// HOPPER: boostr.gpu_tiles = [#boostr.gpu_tile<kernel = mma, block = [128, 128, 32], stages = 4, group = 8, small = {{\[\[}}64, 64]], warp = [64, 32]>]
// SMALL-LABEL: func @dynamic_f16(
// SMALL: boostr.gpu_tiles = [#boostr.gpu_tile<kernel = mma, block = [128, 128, 32], stages = 4, group = 8, small = {{\[\[}}64, 64]], warp = [64, 32]>]
// GRAPHICS-LABEL: func @dynamic_f16(
// GRAPHICS: boostr.gpu_tiles = [#boostr.gpu_tile<kernel = mma, block = [128, 128, 16], stages = 4, group = 8, small = {{\[\[}}64, 64]], warp = [64, 32]>]
func.func @dynamic_f16(%a: memref<?x?x?xf16>, %w: memref<?x?xf16>, %y: memref<?x?x?xf16>) {
  boostr.out_proj_residual %a, %w residual(%y) outs(%y)
      : memref<?x?x?xf16>, memref<?x?xf16>, memref<?x?x?xf16>, memref<?x?x?xf16>
  return
}

// Chips that have few units for f64 have no faster tensor cores for it.
// CHECK-LABEL: func @dynamic_f64(
// CHECK: boostr.gpu_tiles = [#boostr.gpu_tile<kernel = mma, block = [64, 64, 16], stages = 4, group = 8, warp = [32, 32]>]
// SMALL-LABEL: func @dynamic_f64(
// SMALL: boostr.gpu_tiles = [#boostr.gpu_tile<kernel = simt, block = [64, 64, 16], stages = 2, group = 8, split = 16>]
func.func @dynamic_f64(%a: memref<?x?x?xf64>, %w: memref<?x?xf64>, %y: memref<?x?x?xf64>) {
  boostr.out_proj_residual %a, %w residual(%y) outs(%y)
      : memref<?x?x?xf64>, memref<?x?xf64>, memref<?x?x?xf64>, memref<?x?x?xf64>
  return
}

// One token, as when text is generated.
// CHECK-LABEL: func @one_token(
// CHECK: boostr.gpu_tiles = [#boostr.gpu_tile<kernel = gemv, block = [1, 2, 1024], stages = 1, group = 1>]
func.func @one_token(%a: memref<1x1x1024xbf16>, %w: memref<1024x1024xbf16>, %y: memref<1x1x1024xbf16>) {
  boostr.out_proj_residual %a, %w residual(%y) outs(%y)
      : memref<1x1x1024xbf16>, memref<1024x1024xbf16>, memref<1x1x1024xbf16>, memref<1x1x1024xbf16>
  return
}

// Several tokens, by tensor cores where there are those for the type. Other kernels have tiles for more: wgmma flat
// ones for 17.
// CHECK-LABEL: func @several_tokens(
// CHECK: boostr.gpu_tiles = [#boostr.gpu_tile<kernel = gemv, block = [8, 16, 512], stages = 2, group = 1, warp = [8, 16]>]
// CHECK: boostr.gpu_tiles = [#boostr.gpu_tile<kernel = gemv, block = [16, 16, 512], stages = 2, group = 1, warp = [16, 16]>]
// HOPPER: boostr.gpu_tiles = [#boostr.gpu_tile<kernel = wgmma, {{.+}} flat = [32]
// AMPERE: boostr.gpu_tiles = [#boostr.gpu_tile<kernel = mma,
// CHECK: boostr.gpu_tiles = [#boostr.gpu_tile<kernel = gemv, block = [8, 2, 512], stages = 2, group = 1>]
// TURING-LABEL: func @several_tokens(
// TURING: boostr.gpu_tiles = [#boostr.gpu_tile<kernel = gemv, block = [3, 2, 1024], stages = 2, group = 1>]
// TURING-COUNT-2: boostr.gpu_tiles = [#boostr.gpu_tile<kernel = simt,
func.func @several_tokens(%a3: memref<1x3x1024xbf16>, %a9: memref<9x1x1024xbf16>, %a17: memref<17x1x1024xbf16>,
    %w: memref<1024x1024xbf16>, %y3: memref<1x3x1024xbf16>, %y9: memref<9x1x1024xbf16>, %y17: memref<17x1x1024xbf16>,
    %a: memref<8x1x1024xf32>, %v: memref<1024x1024xf32>, %y: memref<8x1x1024xf32>) {
  boostr.out_proj_residual %a3, %w residual(%y3) outs(%y3)
      : memref<1x3x1024xbf16>, memref<1024x1024xbf16>, memref<1x3x1024xbf16>, memref<1x3x1024xbf16>
  boostr.out_proj_residual %a9, %w residual(%y9) outs(%y9)
      : memref<9x1x1024xbf16>, memref<1024x1024xbf16>, memref<9x1x1024xbf16>, memref<9x1x1024xbf16>
  boostr.out_proj_residual %a17, %w residual(%y17) outs(%y17)
      : memref<17x1x1024xbf16>, memref<1024x1024xbf16>, memref<17x1x1024xbf16>, memref<17x1x1024xbf16>
  boostr.out_proj_residual %a, %v residual(%y) outs(%y)
      : memref<8x1x1024xf32>, memref<1024x1024xf32>, memref<8x1x1024xf32>, memref<8x1x1024xf32>
  return
}

// With more columns, blocks of few rows are not all there at once: they are smaller, and flat tiles of wgmma are
// faster from 9 tokens on.
// CHECK-LABEL: func @several_tokens_of_many_columns(
// CHECK: boostr.gpu_tiles = [#boostr.gpu_tile<kernel = gemv, block = [8, 16, 256], stages = 4, group = 1, warp = [8, 16]>]
// HOPPER: boostr.gpu_tiles = [#boostr.gpu_tile<kernel = wgmma, {{.+}} flat = [64]
// AMPERE: boostr.gpu_tiles = [#boostr.gpu_tile<kernel = gemv, block = [16, 16, 256], stages = 4, group = 1, warp = [16, 16]>]
func.func @several_tokens_of_many_columns(%a3: memref<1x3x1024xbf16>, %a9: memref<9x1x1024xbf16>,
    %w: memref<6144x1024xbf16>, %y3: memref<1x3x6144xbf16>, %y9: memref<9x1x6144xbf16>) {
  boostr.out_proj_residual %a3, %w residual(%y3) outs(%y3)
      : memref<1x3x1024xbf16>, memref<6144x1024xbf16>, memref<1x3x6144xbf16>, memref<1x3x6144xbf16>
  boostr.out_proj_residual %a9, %w residual(%y9) outs(%y9)
      : memref<9x1x1024xbf16>, memref<6144x1024xbf16>, memref<9x1x6144xbf16>, memref<9x1x6144xbf16>
  return
}

// How many tokens there are shows when the code runs.
// CHECK-LABEL: func @any_tokens(
// HOPPER: boostr.gpu_tiles = [#boostr.gpu_tile<kernel = wgmma, {{.+}}, few_rows = [1, 16]>]
// AMPERE: boostr.gpu_tiles = [#boostr.gpu_tile<kernel = mma, block = [128, 256, 32], stages = 4, group = 8, split = 16, small = {{\[\[}}128, 128], [64, 64]], few_rows = [1, 16], warp = [64, 64]>]
func.func @any_tokens(%a: memref<?x?x1024xbf16>, %w: memref<1024x1024xbf16>, %y: memref<?x?x1024xbf16>) {
  boostr.out_proj_residual %a, %w residual(%y) outs(%y)
      : memref<?x?x1024xbf16>, memref<1024x1024xbf16>, memref<?x?x1024xbf16>, memref<?x?x1024xbf16>
  return
}

// Gradients of few tokens: memory of the weight runs along the result's columns, and few steps make the gradient of
// the weight. Tensor cores multiply tokens where there are those for the type.
// CHECK-LABEL: func @gradients_of_one(
// CHECK: boostr.gpu_tiles = [#boostr.gpu_tile<kernel = gemvt, block = [8, 32, 512], stages = 1, group = 1, warp = [8, 32]>, #boostr.gpu_tile<kernel = ger, block = [32, 256, 16], stages = 1, group = 1, warp = [32, 64]>]
func.func @gradients_of_one(%dy: memref<1x1x2048xbf16>, %a: memref<1x1x4096xbf16>, %w: memref<2048x4096xbf16>,
    %da: memref<1x1x4096xbf16>, %dw: memref<2048x4096xbf16>) {
  boostr.out_proj_residual_grad %dy, %a, %w outs(%da, %dw) wrt(attn, weight)
      : memref<1x1x2048xbf16>, memref<1x1x4096xbf16>, memref<2048x4096xbf16>, memref<1x1x4096xbf16>, memref<2048x4096xbf16>
  return
}

// CHECK-LABEL: func @gradients_of_several(
// CHECK: boostr.gpu_tiles = [#boostr.gpu_tile<kernel = gemvt, block = [16, 32, 512], stages = 1, group = 1, warp = [16, 32]>, #boostr.gpu_tile<kernel = ger, block = [32, 256, 16], stages = 1, group = 1, warp = [32, 64]>]
// CHECK: boostr.gpu_tiles = [#boostr.gpu_tile<kernel = gemvt, block = [3, 8, 1024], stages = 4, group = 1>, #boostr.gpu_tile<kernel = ger, block = [8, 128, 2], stages = 1, group = 1>]
// TURING-LABEL: func @gradients_of_several(
// TURING: boostr.gpu_tiles = [#boostr.gpu_tile<kernel = simt, block = [64, 64, 16], stages = 2, group = 8, split = {{[0-9]+}}>, #boostr.gpu_tile<kernel = ger,
// TURING: boostr.gpu_tiles = [#boostr.gpu_tile<kernel = gemvt, block = [3, 8, 1024], stages = 4, group = 1>
func.func @gradients_of_several(%dy: memref<9x1x2048xf16>, %a: memref<9x1x768xf16>, %w: memref<2048x768xf16>,
    %da: memref<9x1x768xf16>, %dw: memref<2048x768xf16>, %dz: memref<1x3x2048xf32>, %c: memref<1x3x128xf32>, %v: memref<2048x128xf32>,
    %dc: memref<1x3x128xf32>, %dv: memref<2048x128xf32>) {
  boostr.out_proj_residual_grad %dy, %a, %w outs(%da, %dw) wrt(attn, weight)
      : memref<9x1x2048xf16>, memref<9x1x768xf16>, memref<2048x768xf16>, memref<9x1x768xf16>, memref<2048x768xf16>
  boostr.out_proj_residual_grad %dz, %c, %v outs(%dc, %dv) wrt(attn, weight)
      : memref<1x3x2048xf32>, memref<1x3x128xf32>, memref<2048x128xf32>, memref<1x3x128xf32>, memref<2048x128xf32>
  return
}

// Of many columns a block has more, as far as there is memory for their sums.
// CHECK-LABEL: func @gradients_of_many_columns(
// CHECK: boostr.gpu_tiles = [#boostr.gpu_tile<kernel = gemvt, block = [16, 64, 256], stages = 2, group = 1, warp = [16, 64]>]
// CHECK: boostr.gpu_tiles = [#boostr.gpu_tile<kernel = gemvt, block = [8, 32, 128], stages = 4, group = 1>]
func.func @gradients_of_many_columns(%dy: memref<1x12x1024xbf16>, %a: memref<1x12x8192xbf16>, %w: memref<1024x8192xbf16>, %da: memref<1x12x8192xbf16>,
    %dz: memref<1x8x1024xf64>, %c: memref<1x8x8192xf64>, %v: memref<1024x8192xf64>, %dc: memref<1x8x8192xf64>) {
  boostr.out_proj_residual_grad %dy, %a, %w outs(%da) wrt(attn)
      : memref<1x12x1024xbf16>, memref<1x12x8192xbf16>, memref<1024x8192xbf16>, memref<1x12x8192xbf16>
  boostr.out_proj_residual_grad %dz, %c, %v outs(%dc) wrt(attn)
      : memref<1x8x1024xf64>, memref<1x8x8192xf64>, memref<1024x8192xf64>, memref<1x8x8192xf64>
  return
}

// More, or how many shows when the code runs; sums of lhs alone are no product.
// CHECK-LABEL: func @gradients_of_any(
// HOPPER: boostr.gpu_tiles = [#boostr.gpu_tile<kernel = wgmma, {{[^>]+}}, few_rows = {{\[?16\]?}}>, #boostr.gpu_tile<kernel = wgmma, {{[^>]+}}, few_steps = 16>]
// AMPERE: boostr.gpu_tiles = [#boostr.gpu_tile<kernel = mma, {{[^>]+}}, few_rows = {{\[?16\]?}}, warp = [64, 64]>, #boostr.gpu_tile<kernel = mma, block = [128, 256, 32], {{[^>]+}}, split = 2, small = {{\[\[}}128, 128]], few_steps = 16, warp = [64, 64]>]
// CHECK-NOT: {{ger|few_steps}}
// TURING-LABEL: func @gradients_of_any(
// TURING: boostr.gpu_tiles = [#boostr.gpu_tile<kernel = simt, {{[^>]+}}, few_rows = [1, 8]>, #boostr.gpu_tile<kernel = simt, {{[^>]+}}, few_steps = 16>]
func.func @gradients_of_any(%dy: memref<?x?x2048xbf16>, %a: memref<?x?x1024xbf16>, %w: memref<2048x1024xbf16>,
    %da: memref<?x?x1024xbf16>, %dw: memref<2048x1024xbf16>, %db: memref<2048xbf16>,
    %dz: memref<1x17x2048xbf16>, %c: memref<1x17x1024xbf16>) {
  boostr.out_proj_residual_grad %dy, %a, %w outs(%da, %dw, %db) wrt(attn, weight, bias)
      : memref<?x?x2048xbf16>, memref<?x?x1024xbf16>, memref<2048x1024xbf16>, memref<?x?x1024xbf16>, memref<2048x1024xbf16>, memref<2048xbf16>
  boostr.out_proj_residual_grad %dz, %c, %w outs(%dw) wrt(weight)
      : memref<1x17x2048xbf16>, memref<1x17x1024xbf16>, memref<2048x1024xbf16>, memref<2048x1024xbf16>
  boostr.out_proj_residual_grad %dy, %a, %w outs(%db) wrt(bias)
      : memref<?x?x2048xbf16>, memref<?x?x1024xbf16>, memref<2048x1024xbf16>, memref<2048xbf16>
  return
}

// What the user wrote wins.
// CHECK-LABEL: func @untouched_user_tile(
// CHECK: boostr.gpu_tiles = [#boostr.gpu_tile<kernel = simt, block = [64, 64, 32], stages = 1, group = 2>]
func.func @untouched_user_tile(%a: memref<1x4x8xf32>, %w: memref<8x8xf32>, %y: memref<1x4x8xf32>) {
  boostr.out_proj_residual %a, %w residual(%y) outs(%y) {boostr.gpu_tiles =
      [#boostr.gpu_tile<kernel = simt, block = [64, 64, 32], stages = 1, group = 2>]}
      : memref<1x4x8xf32>, memref<8x8xf32>, memref<1x4x8xf32>, memref<1x4x8xf32>
  return
}

// Tiles are chosen for memrefs only.
// CHECK-LABEL: func @untouched_value_form(
// CHECK-NOT: gpu_tile
// CHECK: return
func.func @untouched_value_form(%a: tensor<1x4x8xf32>, %w: tensor<8x8xf32>, %r: tensor<1x4x8xf32>) -> tensor<1x4x8xf32> {
  %y = boostr.out_proj_residual %a, %w residual(%r)
      : tensor<1x4x8xf32>, tensor<8x8xf32>, tensor<1x4x8xf32>
  return %y : tensor<1x4x8xf32>
}
