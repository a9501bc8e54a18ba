func.func @project(%attn: tensor<?x?x64xf32>, %weight: tensor<48x64xf32>,
                   %residual: tensor<?x?x48xf32>) -> tensor<?x?x48xf32> {
  %y = boostr.out_proj_residual %attn, %weight residual(%residual)
      : tensor<?x?x64xf32>, tensor<48x64xf32>, tensor<?x?x48xf32>
  return %y : tensor<?x?x48xf32>
}
