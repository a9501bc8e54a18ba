func.func @matmul(%a: tensor<2x512x1024xf32>, %w: tensor<768x1024xf32>, %r: tensor<2x512x768xf32>) -> tensor<2x512x768xf32> {
  %y = boostr.out_proj_residual %a, %w residual(%r)
      : tensor<2x512x1024xf32>, tensor<768x1024xf32>, tensor<2x512x768xf32>
  return %y : tensor<2x512x768xf32>
}

func.func @decode(%a: tensor<1x1x4096xbf16>, %w: tensor<6144x4096xbf16>, %r: tensor<1x1x6144xbf16>) -> tensor<1x1x6144xbf16> {
  %y = boostr.out_proj_residual %a, %w residual(%r)
      : tensor<1x1x4096xbf16>, tensor<6144x4096xbf16>, tensor<1x1x6144xbf16>
  return %y : tensor<1x1x6144xbf16>
}

func.func @decode_several(%a: tensor<2x?x4096xf16>, %w: tensor<6144x4096xf16>, %r: tensor<2x?x6144xf16>) -> tensor<2x?x6144xf16> {
  %y = boostr.out_proj_residual %a, %w residual(%r)
      {boostr.gpu_tiles = [#boostr.gpu_tile<kernel = gemv, block = [8, 16, 256], stages = 4, group = 1, warp = [8, 16]>]}
      : tensor<2x?x4096xf16>, tensor<6144x4096xf16>, tensor<2x?x6144xf16>
  return %y : tensor<2x?x6144xf16>
}

func.func @decode_grad(%dq: tensor<1x32x1x128xf32>, %dk: tensor<1x8x1x128xf32>, %x: tensor<1x1x4096xf32>, %w: tensor<6144x4096xf32>) -> (tensor<1x1x4096xf32>, tensor<6144x4096xf32>) {
  %dx, %dw = boostr.fused_qkv_grad %dq, %dk, %dk, %x, %w wrt(input, weight) num_heads = 32 num_kv_heads = 8 head_dim = 128
      : tensor<1x32x1x128xf32>, tensor<1x8x1x128xf32>, tensor<1x8x1x128xf32>, tensor<1x1x4096xf32>, tensor<6144x4096xf32>
  return %dx, %dw : tensor<1x1x4096xf32>, tensor<6144x4096xf32>
}

func.func @decode_several_grad(%dy: tensor<1x16x4096xf16>, %a: tensor<1x16x4096xf16>, %w: tensor<4096x4096xf16>) -> (tensor<1x16x4096xf16>, tensor<4096x4096xf16>) {
  %da, %dw = boostr.out_proj_residual_grad %dy, %a, %w wrt(attn, weight)
      : tensor<1x16x4096xf16>, tensor<1x16x4096xf16>, tensor<4096x4096xf16>
  return %da, %dw : tensor<1x16x4096xf16>, tensor<4096x4096xf16>
}
