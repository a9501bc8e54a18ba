// RUN: boostr-opt %s --split-input-file --verify-diagnostics --boostr-generate-gpu

func.func @negative_value_form(%a: tensor<2x3x8xbf16>, %w: tensor<4x8xbf16>, %r: tensor<2x3x4xbf16>)
    -> tensor<2x3x4xbf16> {
  // expected-error @below {{expected the buffer form, on memrefs, got the value form; bufferize before generating code}}
  %y = boostr.out_proj_residual %a, %w residual(%r)
      : tensor<2x3x8xbf16>, tensor<4x8xbf16>, tensor<2x3x4xbf16>
  return %y : tensor<2x3x4xbf16>
}

// -----

func.func @negative_no_tile(%a: memref<2x3x8xbf16>, %w: memref<8x8xbf16>, %y: memref<2x3x8xbf16>) {
  // expected-error @below {{expected an attribute 'boostr.gpu_tiles' with 1 tiles; run boostr-select-gpu-tile before}}
  boostr.out_proj_residual %a, %w residual(%y) outs(%y)
      : memref<2x3x8xbf16>, memref<8x8xbf16>, memref<2x3x8xbf16>, memref<2x3x8xbf16>
  return
}

// -----

func.func @negative_cublaslt(%dy: memref<2x3x8xf64>, %a: memref<2x3x8xf64>, %w: memref<8x8xf64>, %db: memref<8xf64>) {
  // expected-error @below {{is nothing for cuBLASLt: there is no product to compute}}
  boostr.out_proj_residual_grad %dy, %a, %w outs(%db) wrt(bias)
      {boostr.gpu_tiles = [#boostr.gpu_tile<kernel = simt, block = [64, 64, 16], stages = 2, group = 8, gemm = cublaslt>]}
      : memref<2x3x8xf64>, memref<2x3x8xf64>, memref<8x8xf64>, memref<8xf64>
  return
}

// -----

func.func @negative_wgmma_type(%a: memref<2x3x8xf64>, %w: memref<8x8xf64>, %y: memref<2x3x8xf64>) {
  // expected-error @below {{is nothing for the wgmma kernel: the element type is neither bf16 nor f16}}
  boostr.out_proj_residual %a, %w residual(%y) outs(%y)
      {boostr.gpu_tiles = [#boostr.gpu_tile<kernel = wgmma, block = [128, 256, 64], stages = 4, group = 16>]}
      : memref<2x3x8xf64>, memref<8x8xf64>, memref<2x3x8xf64>, memref<2x3x8xf64>
  return
}

// -----

func.func @negative_wgmma_strides(%a: memref<2x3x9xbf16>, %w: memref<8x9xbf16>, %y: memref<2x3x8xbf16>) {
  // expected-error @below {{is nothing for the wgmma kernel: an array is no run of memory along its last dimension with strides of multiples of 16 bytes}}
  boostr.out_proj_residual %a, %w residual(%y) outs(%y)
      {boostr.gpu_tiles = [#boostr.gpu_tile<kernel = wgmma, block = [128, 256, 64], stages = 4, group = 16>]}
      : memref<2x3x9xbf16>, memref<8x9xbf16>, memref<2x3x8xbf16>, memref<2x3x8xbf16>
  return
}

// -----

// A box of results has 16 columns here: one would reach into the next head.
func.func @negative_wgmma_part_of_head(%x: memref<2x3x64xbf16>, %w: memref<216x64xbf16>,
    %q: memref<2x1x3x72xbf16>, %k: memref<2x1x3x72xbf16>, %v: memref<2x1x3x72xbf16>) {
  // expected-error @below {{has a tile that does not fit: columns of a tile must be whole heads, or 64, 128 or 192 columns that divide one, or a multiple of 16 whose largest power of two up to 64 divides heads and segments}}
  boostr.fused_qkv %x, %w outs(%q, %k, %v) num_heads = 1 num_kv_heads = 1 head_dim = 72
      {boostr.gpu_tiles = [#boostr.gpu_tile<kernel = wgmma, block = [128, 48, 64], stages = 4, group = 16>]}
      : memref<2x3x64xbf16>, memref<216x64xbf16>, memref<2x1x3x72xbf16>, memref<2x1x3x72xbf16>, memref<2x1x3x72xbf16>
  return
}

// -----

func.func @negative_wgmma_tile(%a: memref<2x3x8xbf16>, %w: memref<8x8xbf16>, %y: memref<2x3x8xbf16>) {
  // expected-error @below {{has a tile that does not fit: two to as many stages as shared memory holds are possible}}
  boostr.out_proj_residual %a, %w residual(%y) outs(%y)
      {boostr.gpu_tiles = [#boostr.gpu_tile<kernel = wgmma, block = [128, 256, 64], stages = 5, group = 16>]}
      : memref<2x3x8xbf16>, memref<8x8xbf16>, memref<2x3x8xbf16>, memref<2x3x8xbf16>
  return
}

// -----

func.func @negative_simt_rows(%a: memref<2x3x8xf32>, %w: memref<8x8xf32>, %y: memref<2x3x8xf32>) {
  // expected-error @below {{has a tile that does not fit: rows and columns of a tile of simt are multiples of 64 (of 32 for f64) up to 256}}
  boostr.out_proj_residual %a, %w residual(%y) outs(%y)
      {boostr.gpu_tiles = [#boostr.gpu_tile<kernel = simt, block = [96, 64, 16], stages = 1, group = 1>]}
      : memref<2x3x8xf32>, memref<8x8xf32>, memref<2x3x8xf32>, memref<2x3x8xf32>
  return
}

// -----

func.func @negative_simt_sums(%a: memref<2x3x8xf64>, %w: memref<8x8xf64>, %y: memref<2x3x8xf64>) {
  // expected-error @below {{has a tile that does not fit: sums of a tile of simt are at most 128 x 256 (128 x 128 for f64)}}
  boostr.out_proj_residual %a, %w residual(%y) outs(%y)
      {boostr.gpu_tiles = [#boostr.gpu_tile<kernel = simt, block = [128, 256, 16], stages = 1, group = 1>]}
      : memref<2x3x8xf64>, memref<8x8xf64>, memref<2x3x8xf64>, memref<2x3x8xf64>
  return
}

// -----

func.func @negative_simt_steps(%a: memref<2x3x8xf32>, %w: memref<8x8xf32>, %y: memref<2x3x8xf32>) {
  // expected-error @below {{has a tile that does not fit: steps of a tile of simt are a multiple of 16}}
  boostr.out_proj_residual %a, %w residual(%y) outs(%y)
      {boostr.gpu_tiles = [#boostr.gpu_tile<kernel = simt, block = [64, 64, 8], stages = 1, group = 1>]}
      : memref<2x3x8xf32>, memref<8x8xf32>, memref<2x3x8xf32>, memref<2x3x8xf32>
  return
}

// -----

func.func @negative_simt_stages(%a: memref<2x3x8xf32>, %w: memref<8x8xf32>, %y: memref<2x3x8xf32>) {
  // expected-error @below {{has a tile that does not fit: simt has one or two stages}}
  boostr.out_proj_residual %a, %w residual(%y) outs(%y)
      {boostr.gpu_tiles = [#boostr.gpu_tile<kernel = simt, block = [64, 64, 16], stages = 3, group = 1>]}
      : memref<2x3x8xf32>, memref<8x8xf32>, memref<2x3x8xf32>, memref<2x3x8xf32>
  return
}

// -----

func.func @negative_simt_shared(%a: memref<2x3x8xf32>, %w: memref<8x8xf32>, %y: memref<2x3x8xf32>) {
  // expected-error @below {{has a tile that does not fit: stages of simt are at most 64 KiB}}
  boostr.out_proj_residual %a, %w residual(%y) outs(%y)
      {boostr.gpu_tiles = [#boostr.gpu_tile<kernel = simt, block = [128, 128, 64], stages = 2, group = 1>]}
      : memref<2x3x8xf32>, memref<8x8xf32>, memref<2x3x8xf32>, memref<2x3x8xf32>
  return
}

// -----

func.func @negative_gemv_columns(%a: memref<2x3x8xbf16>, %w: memref<8x8xbf16>, %y: memref<2x3x8xbf16>) {
  // expected-error @below {{has a tile that does not fit: columns of a block of gemv divide its number of threads}}
  boostr.out_proj_residual %a, %w residual(%y) outs(%y)
      {boostr.gpu_tiles = [#boostr.gpu_tile<kernel = gemv, block = [1, 6, 256], stages = 4, group = 1>]}
      : memref<2x3x8xbf16>, memref<8x8xbf16>, memref<2x3x8xbf16>, memref<2x3x8xbf16>
  return
}

// -----

func.func @negative_gemv_elements(%a: memref<2x3x8xbf16>, %w: memref<8x8xbf16>, %y: memref<2x3x8xbf16>) {
  // expected-error @below {{has a tile that does not fit: a block of gemv computes at most 32 elements}}
  boostr.out_proj_residual %a, %w residual(%y) outs(%y)
      {boostr.gpu_tiles = [#boostr.gpu_tile<kernel = gemv, block = [17, 2, 256], stages = 4, group = 1>]}
      : memref<2x3x8xbf16>, memref<8x8xbf16>, memref<2x3x8xbf16>, memref<2x3x8xbf16>
  return
}

// -----

func.func @negative_gemv_steps(%a: memref<2x3x8xbf16>, %w: memref<8x8xbf16>, %y: memref<2x3x8xbf16>) {
  // expected-error @below {{has a tile that does not fit: steps of a block of gemv are what 1 to 32 warps read at once}}
  boostr.out_proj_residual %a, %w residual(%y) outs(%y)
      {boostr.gpu_tiles = [#boostr.gpu_tile<kernel = gemv, block = [1, 8, 384], stages = 4, group = 1>]}
      : memref<2x3x8xbf16>, memref<8x8xbf16>, memref<2x3x8xbf16>, memref<2x3x8xbf16>
  return
}

// -----

func.func @negative_gemv_stages(%a: memref<2x3x8xbf16>, %w: memref<8x8xbf16>, %y: memref<2x3x8xbf16>) {
  // expected-error @below {{has a tile that does not fit: gemv has up to 16 stages}}
  boostr.out_proj_residual %a, %w residual(%y) outs(%y)
      {boostr.gpu_tiles = [#boostr.gpu_tile<kernel = gemv, block = [1, 8, 256], stages = 17, group = 1>]}
      : memref<2x3x8xbf16>, memref<8x8xbf16>, memref<2x3x8xbf16>, memref<2x3x8xbf16>
  return
}

// -----

func.func @negative_gemv_warp_type(%a: memref<2x3x8xf32>, %w: memref<8x8xf32>, %y: memref<2x3x8xf32>) {
  // expected-error @below {{has a tile that does not fit: gemv with 'warp' multiplies f16 and bf16}}
  boostr.out_proj_residual %a, %w residual(%y) outs(%y)
      {boostr.gpu_tiles = [#boostr.gpu_tile<kernel = gemv, block = [8, 16, 256], stages = 4, group = 1, warp = [8, 16]>]}
      : memref<2x3x8xf32>, memref<8x8xf32>, memref<2x3x8xf32>, memref<2x3x8xf32>
  return
}

// -----

func.func @negative_gemv_warp_pieces(%a: memref<2x3x9xbf16>, %w: memref<8x9xbf16>, %y: memref<2x3x8xbf16>) {
  // expected-error @below {{has a tile that does not fit: gemv with 'warp' reads operands that are known to run along k in pieces of 16 bytes}}
  boostr.out_proj_residual %a, %w residual(%y) outs(%y)
      {boostr.gpu_tiles = [#boostr.gpu_tile<kernel = gemv, block = [8, 16, 256], stages = 4, group = 1, warp = [8, 16]>]}
      : memref<2x3x9xbf16>, memref<8x9xbf16>, memref<2x3x8xbf16>, memref<2x3x8xbf16>
  return
}

// -----

func.func @negative_gemv_warp_part(%a: memref<2x3x8xbf16>, %w: memref<8x8xbf16>, %y: memref<2x3x8xbf16>) {
  // expected-error @below {{has a tile that does not fit: a warp of gemv computes all of its block, a multiple of 8 rows and of 16 columns}}
  boostr.out_proj_residual %a, %w residual(%y) outs(%y)
      {boostr.gpu_tiles = [#boostr.gpu_tile<kernel = gemv, block = [8, 32, 256], stages = 4, group = 1, warp = [8, 16]>]}
      : memref<2x3x8xbf16>, memref<8x8xbf16>, memref<2x3x8xbf16>, memref<2x3x8xbf16>
  return
}

// -----

func.func @negative_gemv_warp_rows(%a: memref<2x3x8xbf16>, %w: memref<8x8xbf16>, %y: memref<2x3x8xbf16>) {
  // expected-error @below {{has a tile that does not fit: a warp of gemv computes all of its block, a multiple of 8 rows and of 16 columns}}
  boostr.out_proj_residual %a, %w residual(%y) outs(%y)
      {boostr.gpu_tiles = [#boostr.gpu_tile<kernel = gemv, block = [4, 16, 256], stages = 4, group = 1, warp = [4, 16]>]}
      : memref<2x3x8xbf16>, memref<8x8xbf16>, memref<2x3x8xbf16>, memref<2x3x8xbf16>
  return
}

// -----

func.func @negative_gemv_warp_sums(%a: memref<2x3x8xbf16>, %w: memref<8x8xbf16>, %y: memref<2x3x8xbf16>) {
  // expected-error @below {{has a tile that does not fit: a warp of gemv computes at most 2048 elements}}
  boostr.out_proj_residual %a, %w residual(%y) outs(%y)
      {boostr.gpu_tiles = [#boostr.gpu_tile<kernel = gemv, block = [64, 64, 256], stages = 1, group = 1, warp = [64, 64]>]}
      : memref<2x3x8xbf16>, memref<8x8xbf16>, memref<2x3x8xbf16>, memref<2x3x8xbf16>
  return
}

// -----

func.func @negative_gemv_warp_steps(%a: memref<2x3x8xbf16>, %w: memref<8x8xbf16>, %y: memref<2x3x8xbf16>) {
  // expected-error @below {{has a tile that does not fit: steps of a block of gemv are 32 for each of up to 16 warps, whose threads are a multiple of its columns}}
  boostr.out_proj_residual %a, %w residual(%y) outs(%y)
      {boostr.gpu_tiles = [#boostr.gpu_tile<kernel = gemv, block = [8, 16, 48], stages = 4, group = 1, warp = [8, 16]>]}
      : memref<2x3x8xbf16>, memref<8x8xbf16>, memref<2x3x8xbf16>, memref<2x3x8xbf16>
  return
}

// -----

func.func @negative_gemv_warp_stages(%a: memref<2x3x8xbf16>, %w: memref<8x8xbf16>, %y: memref<2x3x8xbf16>) {
  // expected-error @below {{has a tile that does not fit: a thread of gemv reads at most 32 pieces of 16 bytes at once}}
  boostr.out_proj_residual %a, %w residual(%y) outs(%y)
      {boostr.gpu_tiles = [#boostr.gpu_tile<kernel = gemv, block = [8, 16, 256], stages = 11, group = 1, warp = [8, 16]>]}
      : memref<2x3x8xbf16>, memref<8x8xbf16>, memref<2x3x8xbf16>, memref<2x3x8xbf16>
  return
}

// -----

func.func @negative_gemv_lhs_sum(%dy: memref<2x3x8xf32>, %a: memref<2x3x8xf32>, %w: memref<8x8xf32>,
    %dw: memref<8x8xf32>, %db: memref<8xf32>) {
  // expected-error @below {{has a tile that does not fit: gemv computes products and nothing beside them}}
  boostr.out_proj_residual_grad %dy, %a, %w outs(%dw, %db) wrt(weight, bias)
      {boostr.gpu_tiles = [#boostr.gpu_tile<kernel = gemv, block = [1, 8, 128], stages = 4, group = 1>]}
      : memref<2x3x8xf32>, memref<2x3x8xf32>, memref<8x8xf32>, memref<8x8xf32>, memref<8xf32>
  return
}

// -----

func.func @negative_few_rows(%a: memref<?x?x?xbf16>, %w: memref<?x?xbf16>, %y: memref<?x?x?xbf16>) {
  // expected-error @below {{has a tile with 'few_rows', expected at most 8 rows, and memory of operands that is known to run along k, or of rhs along n, in pieces of 16 bytes}}
  boostr.out_proj_residual %a, %w residual(%y) outs(%y)
      {boostr.gpu_tiles = [#boostr.gpu_tile<kernel = simt, block = [64, 64, 16], stages = 2, group = 8, few_rows = [1]>]}
      : memref<?x?x?xbf16>, memref<?x?xbf16>, memref<?x?x?xbf16>, memref<?x?x?xbf16>
  return
}

// -----

func.func @negative_gemvt_lhs_sum(%dy: memref<2x3x8xf32>, %a: memref<2x3x8xf32>, %w: memref<8x8xf32>, %dw: memref<8x8xf32>, %db: memref<8xf32>) {
  // expected-error @below {{has a tile that does not fit: gemvt computes products and nothing beside them}}
  boostr.out_proj_residual_grad %dy, %a, %w outs(%dw, %db) wrt(weight, bias)
      {boostr.gpu_tiles = [#boostr.gpu_tile<kernel = gemvt, block = [1, 32, 32], stages = 4, group = 1>]}
      : memref<2x3x8xf32>, memref<2x3x8xf32>, memref<8x8xf32>, memref<8x8xf32>, memref<8xf32>
  return
}

// -----

func.func @negative_gemvt_columns(%dy: memref<2x3x8xf32>, %a: memref<2x3x8xf32>, %w: memref<8x8xf32>, %da: memref<2x3x8xf32>) {
  // expected-error @below {{has a tile that does not fit: columns of a block of gemvt are what 1, 2, 4, 8, 16 or 32 threads read at once}}
  boostr.out_proj_residual_grad %dy, %a, %w outs(%da) wrt(attn)
      {boostr.gpu_tiles = [#boostr.gpu_tile<kernel = gemvt, block = [1, 24, 32], stages = 4, group = 1>]}
      : memref<2x3x8xf32>, memref<2x3x8xf32>, memref<8x8xf32>, memref<2x3x8xf32>
  return
}

// -----

func.func @negative_gemvt_stages(%dy: memref<2x3x8xf32>, %a: memref<2x3x8xf32>, %w: memref<8x8xf32>, %da: memref<2x3x8xf32>) {
  // expected-error @below {{has a tile that does not fit: gemvt has up to 16 stages, which divide its steps}}
  boostr.out_proj_residual_grad %dy, %a, %w outs(%da) wrt(attn)
      {boostr.gpu_tiles = [#boostr.gpu_tile<kernel = gemvt, block = [1, 32, 32], stages = 3, group = 1>]}
      : memref<2x3x8xf32>, memref<2x3x8xf32>, memref<8x8xf32>, memref<2x3x8xf32>
  return
}

// -----

func.func @negative_gemvt_steps(%dy: memref<2x3x8xf32>, %a: memref<2x3x8xf32>, %w: memref<8x8xf32>, %da: memref<2x3x8xf32>) {
  // expected-error @below {{has a tile that does not fit: steps of a block of gemvt are what 1 to 32 warps read, whose threads are a multiple of its columns}}
  boostr.out_proj_residual_grad %dy, %a, %w outs(%da) wrt(attn)
      {boostr.gpu_tiles = [#boostr.gpu_tile<kernel = gemvt, block = [1, 32, 8], stages = 4, group = 1>]}
      : memref<2x3x8xf32>, memref<2x3x8xf32>, memref<8x8xf32>, memref<2x3x8xf32>
  return
}

// -----

func.func @negative_gemvt_rows(%dy: memref<2x3x8xf32>, %a: memref<2x3x8xf32>, %w: memref<8x8xf32>, %da: memref<2x3x8xf32>) {
  // expected-error @below {{has a tile that does not fit: a thread of gemvt has at most 512 bytes of sums}}
  boostr.out_proj_residual_grad %dy, %a, %w outs(%da) wrt(attn)
      {boostr.gpu_tiles = [#boostr.gpu_tile<kernel = gemvt, block = [33, 32, 16], stages = 4, group = 1>]}
      : memref<2x3x8xf32>, memref<2x3x8xf32>, memref<8x8xf32>, memref<2x3x8xf32>
  return
}

// -----

func.func @negative_gemvt_shared(%dy: memref<2x3x8xf32>, %a: memref<2x3x8xf32>, %w: memref<8x8xf32>, %da: memref<2x3x8xf32>) {
  // expected-error @below {{has a tile that does not fit: sums of the warps of gemvt take at most 64 KiB}}
  boostr.out_proj_residual_grad %dy, %a, %w outs(%da) wrt(attn)
      {boostr.gpu_tiles = [#boostr.gpu_tile<kernel = gemvt, block = [32, 32, 512], stages = 4, group = 1>]}
      : memref<2x3x8xf32>, memref<2x3x8xf32>, memref<8x8xf32>, memref<2x3x8xf32>
  return
}

// -----

func.func @negative_gemvt_warp_type(%dy: memref<2x3x8xf32>, %a: memref<2x3x8xf32>, %w: memref<8x8xf32>, %da: memref<2x3x8xf32>) {
  // expected-error @below {{has a tile that does not fit: gemvt with 'warp' multiplies f16 and bf16}}
  boostr.out_proj_residual_grad %dy, %a, %w outs(%da) wrt(attn)
      {boostr.gpu_tiles = [#boostr.gpu_tile<kernel = gemvt, block = [8, 32, 32], stages = 2, group = 1, warp = [8, 32]>]}
      : memref<2x3x8xf32>, memref<2x3x8xf32>, memref<8x8xf32>, memref<2x3x8xf32>
  return
}

// -----

func.func @negative_gemvt_warp_columns(%dy: memref<2x3x8xbf16>, %a: memref<2x3x8xbf16>, %w: memref<8x8xbf16>, %da: memref<2x3x8xbf16>) {
  // expected-error @below {{has a tile that does not fit: a warp of gemvt computes all of its block, a multiple of 8 rows and 16, 32 or 64 columns}}
  boostr.out_proj_residual_grad %dy, %a, %w outs(%da) wrt(attn)
      {boostr.gpu_tiles = [#boostr.gpu_tile<kernel = gemvt, block = [8, 48, 32], stages = 2, group = 1, warp = [8, 48]>]}
      : memref<2x3x8xbf16>, memref<2x3x8xbf16>, memref<8x8xbf16>, memref<2x3x8xbf16>
  return
}

// -----

func.func @negative_gemvt_warp_steps(%dy: memref<2x3x8xbf16>, %a: memref<2x3x8xbf16>, %w: memref<8x8xbf16>, %da: memref<2x3x8xbf16>) {
  // expected-error @below {{has a tile that does not fit: steps of a block of gemvt are 16 for each of up to 32 warps, whose threads are a multiple of its columns}}
  boostr.out_proj_residual_grad %dy, %a, %w outs(%da) wrt(attn)
      {boostr.gpu_tiles = [#boostr.gpu_tile<kernel = gemvt, block = [8, 64, 16], stages = 2, group = 1, warp = [8, 64]>]}
      : memref<2x3x8xbf16>, memref<2x3x8xbf16>, memref<8x8xbf16>, memref<2x3x8xbf16>
  return
}

// -----

func.func @negative_gemvt_warp_stages(%dy: memref<2x3x8xbf16>, %a: memref<2x3x8xbf16>, %w: memref<8x8xbf16>, %da: memref<2x3x8xbf16>) {
  // expected-error @below {{has a tile that does not fit: a thread of gemvt has up to 32 loads under way}}
  boostr.out_proj_residual_grad %dy, %a, %w outs(%da) wrt(attn)
      {boostr.gpu_tiles = [#boostr.gpu_tile<kernel = gemvt, block = [8, 32, 32], stages = 9, group = 1, warp = [8, 32]>]}
      : memref<2x3x8xbf16>, memref<2x3x8xbf16>, memref<8x8xbf16>, memref<2x3x8xbf16>
  return
}

// -----

func.func @negative_gemvt_warp_sums(%dy: memref<2x3x8xbf16>, %a: memref<2x3x8xbf16>, %w: memref<8x8xbf16>, %da: memref<2x3x8xbf16>) {
  // expected-error @below {{has a tile that does not fit: a warp of gemvt computes at most 2048 elements}}
  boostr.out_proj_residual_grad %dy, %a, %w outs(%da) wrt(attn)
      {boostr.gpu_tiles = [#boostr.gpu_tile<kernel = gemvt, block = [72, 32, 32], stages = 2, group = 1, warp = [72, 32]>]}
      : memref<2x3x8xbf16>, memref<2x3x8xbf16>, memref<8x8xbf16>, memref<2x3x8xbf16>
  return
}

// -----

func.func @negative_gemvt_warp_shared(%dy: memref<2x3x8xbf16>, %a: memref<2x3x8xbf16>, %w: memref<8x8xbf16>, %da: memref<2x3x8xbf16>) {
  // expected-error @below {{has a tile that does not fit: sums of the warps of gemvt take at most 96 KiB}}
  boostr.out_proj_residual_grad %dy, %a, %w outs(%da) wrt(attn)
      {boostr.gpu_tiles = [#boostr.gpu_tile<kernel = gemvt, block = [64, 32, 256], stages = 2, group = 1, warp = [64, 32]>]}
      : memref<2x3x8xbf16>, memref<2x3x8xbf16>, memref<8x8xbf16>, memref<2x3x8xbf16>
  return
}

// -----

func.func @negative_ger_no_product(%dy: memref<2x3x8xf32>, %a: memref<2x3x8xf32>, %w: memref<8x8xf32>, %db: memref<8xf32>) {
  // expected-error @below {{has a tile that does not fit: ger computes products, and sums of lhs beside them}}
  boostr.out_proj_residual_grad %dy, %a, %w outs(%db) wrt(bias)
      {boostr.gpu_tiles = [#boostr.gpu_tile<kernel = ger, block = [8, 128, 2], stages = 1, group = 1>]}
      : memref<2x3x8xf32>, memref<2x3x8xf32>, memref<8x8xf32>, memref<8xf32>
  return
}

// -----

func.func @negative_ger_columns(%dy: memref<2x3x8xf32>, %a: memref<2x3x8xf32>, %w: memref<8x8xf32>, %dw: memref<8x8xf32>) {
  // expected-error @below {{has a tile that does not fit: columns of a block of ger are what 1 to 32 warps read at once, with a thread for each row or more}}
  boostr.out_proj_residual_grad %dy, %a, %w outs(%dw) wrt(weight)
      {boostr.gpu_tiles = [#boostr.gpu_tile<kernel = ger, block = [8, 64, 2], stages = 1, group = 1>]}
      : memref<2x3x8xf32>, memref<2x3x8xf32>, memref<8x8xf32>, memref<8x8xf32>
  return
}

// -----

func.func @negative_ger_rows(%dy: memref<2x3x8xf32>, %a: memref<2x3x8xf32>, %w: memref<8x8xf32>, %dw: memref<8x8xf32>) {
  // expected-error @below {{has a tile that does not fit: a thread of ger has at most 512 bytes of sums}}
  boostr.out_proj_residual_grad %dy, %a, %w outs(%dw) wrt(weight)
      {boostr.gpu_tiles = [#boostr.gpu_tile<kernel = ger, block = [64, 256, 2], stages = 1, group = 1>]}
      : memref<2x3x8xf32>, memref<2x3x8xf32>, memref<8x8xf32>, memref<8x8xf32>
  return
}

// -----

func.func @negative_ger_stages(%dy: memref<2x3x8xf32>, %a: memref<2x3x8xf32>, %w: memref<8x8xf32>, %dw: memref<8x8xf32>) {
  // expected-error @below {{has a tile that does not fit: ger has one stage, of up to 8 steps}}
  boostr.out_proj_residual_grad %dy, %a, %w outs(%dw) wrt(weight)
      {boostr.gpu_tiles = [#boostr.gpu_tile<kernel = ger, block = [8, 128, 2], stages = 2, group = 1>]}
      : memref<2x3x8xf32>, memref<2x3x8xf32>, memref<8x8xf32>, memref<8x8xf32>
  return
}

// -----

func.func @negative_gemvt_warp_odd(%dy: memref<2x3x6xbf16>, %a: memref<2x3x8xbf16>, %w: memref<6x8xbf16>, %da: memref<2x3x8xbf16>) {
  // expected-error @below {{has a tile that does not fit: gemvt with 'warp' reads lhs that is known to run along k in pieces of 8 bytes}}
  boostr.out_proj_residual_grad %dy, %a, %w outs(%da) wrt(attn)
      {boostr.gpu_tiles = [#boostr.gpu_tile<kernel = gemvt, block = [8, 32, 32], stages = 2, group = 1, warp = [8, 32]>]}
      : memref<2x3x6xbf16>, memref<2x3x8xbf16>, memref<6x8xbf16>, memref<2x3x8xbf16>
  return
}

// -----

func.func @negative_gemvt_warp_odd_columns(%dy: memref<2x3x8xbf16>, %a: memref<2x3x6xbf16>, %w: memref<8x6xbf16>, %da: memref<2x3x6xbf16>) {
  // expected-error @below {{has a tile that does not fit: gemvt with 'warp' reads rhs that is known to run along n in pieces of an eighth of its columns}}
  boostr.out_proj_residual_grad %dy, %a, %w outs(%da) wrt(attn)
      {boostr.gpu_tiles = [#boostr.gpu_tile<kernel = gemvt, block = [8, 32, 32], stages = 2, group = 1, warp = [8, 32]>]}
      : memref<2x3x8xbf16>, memref<2x3x6xbf16>, memref<8x6xbf16>, memref<2x3x6xbf16>
  return
}

// -----

func.func @negative_few_steps(%dy: memref<?x?x8xbf16>, %a: memref<?x?x6xbf16>, %w: memref<8x6xbf16>, %dw: memref<8x6xbf16>) {
  // expected-error @below {{has a tile with 'few_steps', expected a product, and memory of rhs that is known to run along n in pieces of 16 bytes}}
  boostr.out_proj_residual_grad %dy, %a, %w outs(%dw) wrt(weight)
      {boostr.gpu_tiles = [#boostr.gpu_tile<kernel = simt, block = [64, 64, 16], stages = 2, group = 8, few_steps = 4>]}
      : memref<?x?x8xbf16>, memref<?x?x6xbf16>, memref<8x6xbf16>, memref<8x6xbf16>
  return
}

// -----

func.func @negative_mma_type(%a: memref<2x3x8xf32>, %w: memref<8x8xf32>, %y: memref<2x3x8xf32>) {
  // expected-error @below {{has a tile that does not fit: mma multiplies f32 with a precision of tf32 or tf32x3 only}}
  boostr.out_proj_residual %a, %w residual(%y) outs(%y)
      {boostr.gpu_tiles = [#boostr.gpu_tile<kernel = mma, block = [64, 64, 32], stages = 2, group = 1, warp = [32, 32]>]}
      : memref<2x3x8xf32>, memref<8x8xf32>, memref<2x3x8xf32>, memref<2x3x8xf32>
  return
}

// -----

func.func @negative_mma_warp(%a: memref<2x3x8xbf16>, %w: memref<8x8xbf16>, %y: memref<2x3x8xbf16>) {
  // expected-error @below {{has a tile that does not fit: rows and columns of a warp of mma are multiples of 16}}
  boostr.out_proj_residual %a, %w residual(%y) outs(%y)
      {boostr.gpu_tiles = [#boostr.gpu_tile<kernel = mma, block = [64, 64, 32], stages = 2, group = 1, warp = [8, 32]>]}
      : memref<2x3x8xbf16>, memref<8x8xbf16>, memref<2x3x8xbf16>, memref<2x3x8xbf16>
  return
}

// -----

func.func @negative_mma_block(%a: memref<2x3x8xbf16>, %w: memref<8x8xbf16>, %y: memref<2x3x8xbf16>) {
  // expected-error @below {{has a tile that does not fit: a block of mma is 1 to 16 whole warps}}
  boostr.out_proj_residual %a, %w residual(%y) outs(%y)
      {boostr.gpu_tiles = [#boostr.gpu_tile<kernel = mma, block = [64, 64, 32], stages = 2, group = 1, warp = [48, 32]>]}
      : memref<2x3x8xbf16>, memref<8x8xbf16>, memref<2x3x8xbf16>, memref<2x3x8xbf16>
  return
}

// -----

func.func @negative_mma_threads(%a: memref<2x3x8xbf16>, %w: memref<8x8xbf16>, %y: memref<2x3x8xbf16>) {
  // expected-error @below {{has a tile that does not fit: a block of mma is 1 to 16 whole warps}}
  boostr.out_proj_residual %a, %w residual(%y) outs(%y)
      {boostr.gpu_tiles = [#boostr.gpu_tile<kernel = mma, block = [128, 128, 32], stages = 2, group = 1, warp = [16, 32]>]}
      : memref<2x3x8xbf16>, memref<8x8xbf16>, memref<2x3x8xbf16>, memref<2x3x8xbf16>
  return
}

// -----

func.func @negative_mma_sums(%a: memref<2x3x8xbf16>, %w: memref<8x8xbf16>, %y: memref<2x3x8xbf16>) {
  // expected-error @below {{has a tile that does not fit: sums of a warp of mma are at most 64 x 64 (32 x 64 for f64)}}
  boostr.out_proj_residual %a, %w residual(%y) outs(%y)
      {boostr.gpu_tiles = [#boostr.gpu_tile<kernel = mma, block = [128, 64, 32], stages = 2, group = 1, warp = [128, 64]>]}
      : memref<2x3x8xbf16>, memref<8x8xbf16>, memref<2x3x8xbf16>, memref<2x3x8xbf16>
  return
}

// -----

func.func @negative_mma_columns(%a: memref<2x3x8xbf16>, %w: memref<8x8xbf16>, %y: memref<2x3x8xbf16>) {
  // expected-error @below {{has a tile that does not fit: columns of a block of mma are a power of two and at most as many as its threads}}
  boostr.out_proj_residual %a, %w residual(%y) outs(%y)
      {boostr.gpu_tiles = [#boostr.gpu_tile<kernel = mma, block = [64, 128, 32], stages = 2, group = 1, warp = [64, 64]>]}
      : memref<2x3x8xbf16>, memref<8x8xbf16>, memref<2x3x8xbf16>, memref<2x3x8xbf16>
  return
}

// -----

func.func @negative_mma_steps(%a: memref<2x3x8xbf16>, %w: memref<8x8xbf16>, %y: memref<2x3x8xbf16>) {
  // expected-error @below {{has a tile that does not fit: steps of a block of mma are a multiple of 16, and its threads share them evenly}}
  boostr.out_proj_residual %a, %w residual(%y) outs(%y)
      {boostr.gpu_tiles = [#boostr.gpu_tile<kernel = mma, block = [64, 64, 24], stages = 2, group = 1, warp = [32, 32]>]}
      : memref<2x3x8xbf16>, memref<8x8xbf16>, memref<2x3x8xbf16>, memref<2x3x8xbf16>
  return
}

// -----

func.func @negative_mma_stages(%a: memref<2x3x8xbf16>, %w: memref<8x8xbf16>, %y: memref<2x3x8xbf16>) {
  // expected-error @below {{has a tile that does not fit: two to as many stages of mma as shared memory holds are possible}}
  boostr.out_proj_residual %a, %w residual(%y) outs(%y)
      {boostr.gpu_tiles = [#boostr.gpu_tile<kernel = mma, block = [64, 64, 32], stages = 1, group = 1, warp = [32, 32]>]}
      : memref<2x3x8xbf16>, memref<8x8xbf16>, memref<2x3x8xbf16>, memref<2x3x8xbf16>
  return
}

// -----

func.func @negative_mma_shared(%a: memref<2x3x8xbf16>, %w: memref<8x8xbf16>, %y: memref<2x3x8xbf16>) {
  // expected-error @below {{has a tile that does not fit: two to as many stages of mma as shared memory holds are possible}}
  boostr.out_proj_residual %a, %w residual(%y) outs(%y)
      {boostr.gpu_tiles = [#boostr.gpu_tile<kernel = mma, block = [128, 128, 64], stages = 7, group = 1, warp = [64, 32]>]}
      : memref<2x3x8xbf16>, memref<8x8xbf16>, memref<2x3x8xbf16>, memref<2x3x8xbf16>
  return
}

// -----

func.func @negative_mma_product(%dy: memref<2x3x8xf16>, %a: memref<2x3x8xf16>, %w: memref<8x8xf16>, %db: memref<8xf16>) {
  // expected-error @below {{has a tile that does not fit: there is no product for mma to compute}}
  boostr.out_proj_residual_grad %dy, %a, %w outs(%db) wrt(bias)
      {boostr.gpu_tiles = [#boostr.gpu_tile<kernel = mma, block = [64, 64, 32], stages = 2, group = 1, warp = [32, 32]>]}
      : memref<2x3x8xf16>, memref<2x3x8xf16>, memref<8x8xf16>, memref<8xf16>
  return
}

// -----

module attributes {boostr.gpu_target = #boostr.gpu_target<chip = "sm_75", features = "+ptx75">} {
  func.func @negative_gemv_warp_chip(%a: memref<2x3x8xbf16>, %w: memref<8x8xbf16>, %y: memref<2x3x8xbf16>) {
    // expected-error @below {{has a tile that does not fit: gemv with 'warp' is for sm_80 and newer}}
    boostr.out_proj_residual %a, %w residual(%y) outs(%y)
        {boostr.gpu_tiles = [#boostr.gpu_tile<kernel = gemv, block = [8, 16, 256], stages = 4, group = 1, warp = [8, 16]>]}
        : memref<2x3x8xbf16>, memref<8x8xbf16>, memref<2x3x8xbf16>, memref<2x3x8xbf16>
    return
  }
}

// -----

func.func @negative_wgmma_columns(%a: memref<?x?x512xbf16>, %w: memref<960x512xbf16>, %y: memref<?x?x960xbf16>) {
  // expected-error @below {{has a tile that does not fit: columns that are no heads come in multiples of 16, or 32 of an f32 result}}
  boostr.out_proj_residual %a, %w residual(%y) outs(%y)
      {boostr.gpu_tiles = [#boostr.gpu_tile<kernel = wgmma, block = [128, 72, 64], stages = 4, group = 16>]}
      : memref<?x?x512xbf16>, memref<960x512xbf16>, memref<?x?x960xbf16>, memref<?x?x960xbf16>
  return
}

// -----

func.func @negative_wgmma_f32_columns(%dy: memref<?x?x960xbf16>, %a: memref<?x?x512xbf16>, %w: memref<960x512xbf16>,
    %dw: memref<960x512xf32>) {
  // expected-error @below {{has a tile that does not fit: columns that are no heads come in multiples of 16, or 32 of an f32 result}}
  boostr.out_proj_residual_grad %dy, %a, %w accumulate_weight(%dw) wrt(weight)
      {boostr.gpu_tiles = [#boostr.gpu_tile<kernel = wgmma, block = [128, 48, 64], stages = 4, group = 16>]}
      : memref<?x?x960xbf16>, memref<?x?x512xbf16>, memref<960x512xbf16>, memref<960x512xf32>
  return
}

// -----

func.func @negative_wgmma_flat(%a: memref<?x?x512xbf16>, %w: memref<1024x512xbf16>, %y: memref<?x?x1024xbf16>) {
  // expected-error @below {{has a tile that does not fit: a tile of wgmma has a multiple of 8 columns up to 256}}
  boostr.out_proj_residual %a, %w residual(%y) outs(%y)
      {boostr.gpu_tiles = [#boostr.gpu_tile<kernel = wgmma, block = [128, 256, 64], stages = 4, group = 16, flat = [36]>]}
      : memref<?x?x512xbf16>, memref<1024x512xbf16>, memref<?x?x1024xbf16>, memref<?x?x1024xbf16>
  return
}

// -----

func.func @negative_wgmma_tall(%a: memref<?x?x512xbf16>, %w: memref<1024x512xbf16>, %y: memref<?x?x1024xbf16>) {
  // expected-error @below {{has a tile that does not fit: a tall tile of wgmma has up to 192 columns}}
  boostr.out_proj_residual %a, %w residual(%y) outs(%y)
      {boostr.gpu_tiles = [#boostr.gpu_tile<kernel = wgmma, block = [128, 256, 64], stages = 4, group = 16, tall = [256]>]}
      : memref<?x?x512xbf16>, memref<1024x512xbf16>, memref<?x?x1024xbf16>, memref<?x?x1024xbf16>
  return
}

// -----

func.func @negative_ger_warp_type(%dy: memref<2x3x8xf32>, %a: memref<2x3x8xf32>, %w: memref<8x8xf32>, %dw: memref<8x8xf32>) {
  // expected-error @below {{has a tile that does not fit: ger with 'warp' multiplies f16 and bf16}}
  boostr.out_proj_residual_grad %dy, %a, %w outs(%dw) wrt(weight)
      {boostr.gpu_tiles = [#boostr.gpu_tile<kernel = ger, block = [16, 64, 16], stages = 1, group = 1, warp = [16, 64]>]}
      : memref<2x3x8xf32>, memref<2x3x8xf32>, memref<8x8xf32>, memref<8x8xf32>
  return
}

// -----

func.func @negative_ger_warp_odd(%dy: memref<2x3x8xbf16>, %a: memref<2x3x12xbf16>, %w: memref<8x12xbf16>, %dw: memref<8x12xbf16>) {
  // expected-error @below {{has a tile that does not fit: ger with 'warp' reads rhs that is known to run along n in pieces of 16 bytes}}
  boostr.out_proj_residual_grad %dy, %a, %w outs(%dw) wrt(weight)
      {boostr.gpu_tiles = [#boostr.gpu_tile<kernel = ger, block = [16, 64, 16], stages = 1, group = 1, warp = [16, 64]>]}
      : memref<2x3x8xbf16>, memref<2x3x12xbf16>, memref<8x12xbf16>, memref<8x12xbf16>
  return
}

// -----

func.func @negative_ger_warp_rows(%dy: memref<2x3x8xbf16>, %a: memref<2x3x8xbf16>, %w: memref<8x8xbf16>, %dw: memref<8x8xbf16>) {
  // expected-error @below {{has a tile that does not fit: a warp of ger computes 64 columns of all rows of its block, 8, 16, 32 or 64}}
  boostr.out_proj_residual_grad %dy, %a, %w outs(%dw) wrt(weight)
      {boostr.gpu_tiles = [#boostr.gpu_tile<kernel = ger, block = [24, 64, 16], stages = 1, group = 1, warp = [24, 64]>]}
      : memref<2x3x8xbf16>, memref<2x3x8xbf16>, memref<8x8xbf16>, memref<8x8xbf16>
  return
}

// -----

func.func @negative_ger_warp_columns(%dy: memref<2x3x8xbf16>, %a: memref<2x3x8xbf16>, %w: memref<8x8xbf16>, %dw: memref<8x8xbf16>) {
  // expected-error @below {{has a tile that does not fit: columns of a block of ger are those of 1 to 32 warps, with a thread for each row or more}}
  boostr.out_proj_residual_grad %dy, %a, %w outs(%dw) wrt(weight)
      {boostr.gpu_tiles = [#boostr.gpu_tile<kernel = ger, block = [16, 96, 16], stages = 1, group = 1, warp = [16, 64]>]}
      : memref<2x3x8xbf16>, memref<2x3x8xbf16>, memref<8x8xbf16>, memref<8x8xbf16>
  return
}

// -----

func.func @negative_ger_warp_steps(%dy: memref<2x3x8xbf16>, %a: memref<2x3x8xbf16>, %w: memref<8x8xbf16>, %dw: memref<8x8xbf16>) {
  // expected-error @below {{has a tile that does not fit: ger with 'warp' has one stage of 16 steps}}
  boostr.out_proj_residual_grad %dy, %a, %w outs(%dw) wrt(weight)
      {boostr.gpu_tiles = [#boostr.gpu_tile<kernel = ger, block = [16, 64, 32], stages = 1, group = 1, warp = [16, 64]>]}
      : memref<2x3x8xbf16>, memref<2x3x8xbf16>, memref<8x8xbf16>, memref<8x8xbf16>
  return
}

// -----

func.func @negative_small(%a: memref<2x?x8xf32>, %w: memref<8x8xf32>, %y: memref<2x?x8xf32>) {
  // expected-error @below {{has a tile that does not fit: rows and columns of a tile of simt are multiples of 64 (of 32 for f64) up to 256}}
  boostr.out_proj_residual %a, %w residual(%y) outs(%y)
      {boostr.gpu_tiles = [#boostr.gpu_tile<kernel = simt, block = [128, 128, 16], stages = 2, group = 1, small = [[32, 64]]>]}
      : memref<2x?x8xf32>, memref<8x8xf32>, memref<2x?x8xf32>, memref<2x?x8xf32>
  return
}
