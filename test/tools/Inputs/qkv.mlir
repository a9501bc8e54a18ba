func.func @project(%x: tensor<1x512x64xf32>, %w: tensor<96x64xf32>)
    -> (tensor<1x2x512x16xf32>, tensor<1x2x512x16xf32>, tensor<1x2x512x16xf32>) {
  %q, %k, %v = boostr.fused_qkv %x, %w num_heads = 2 num_kv_heads = 2 head_dim = 16
      : tensor<1x512x64xf32>, tensor<96x64xf32>
  return %q, %k, %v : tensor<1x2x512x16xf32>, tensor<1x2x512x16xf32>, tensor<1x2x512x16xf32>
}
