// y = attn @ weight^T + residual, and a second function of two results.
func.func @project(%attn: tensor<?x?x8xf32> {boostr.name = "attn"},
                   %weight: tensor<?x8xf32> {boostr.name = "weight"},
                   %residual: tensor<?x?x?xf32> {boostr.name = "residual"}) -> tensor<?x?x?xf32> {
  %y = boostr.out_proj_residual %attn, %weight residual(%residual)
      : tensor<?x?x8xf32>, tensor<?x8xf32>, tensor<?x?x?xf32>
  return %y : tensor<?x?x?xf32>
}
func.func @halves(%x: tensor<4xbf16> {boostr.name = "x"}) -> (tensor<2xbf16>, tensor<2xbf16>) {
  %a = tensor.extract_slice %x[0] [2] [1] : tensor<4xbf16> to tensor<2xbf16>
  %b = tensor.extract_slice %x[2] [2] [1] : tensor<4xbf16> to tensor<2xbf16>
  return %a, %b : tensor<2xbf16>, tensor<2xbf16>
}
