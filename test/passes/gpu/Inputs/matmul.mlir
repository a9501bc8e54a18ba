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
