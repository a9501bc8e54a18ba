func.func @project(%a: tensor<1x?x8xf32> {boostr.name = "attn"},
                   %w: tensor<16x8xf32> {boostr.name = "weight"},
                   %r: tensor<1x?x16xf32> {boostr.name = "residual"}) -> tensor<1x?x16xf32> {
  %y = boostr.out_proj_residual %a, %w residual(%r)
      : tensor<1x?x8xf32>, tensor<16x8xf32>, tensor<1x?x16xf32>
  return %y : tensor<1x?x16xf32>
}
