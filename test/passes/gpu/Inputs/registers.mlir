func.func @qkv_any(%x: tensor<?x?x?xf32>, %w: tensor<49x?xf32>, %b: tensor<49xf32>) -> (tensor<?x3x?x7xf32>, tensor<?x2x?x7xf32>, tensor<?x2x?x7xf32>) {
  %q, %k, %v = boostr.fused_qkv %x, %w bias(%b) num_heads = 3 num_kv_heads = 2 head_dim = 7
      : tensor<?x?x?xf32>, tensor<49x?xf32>, tensor<49xf32>
  return %q, %k, %v : tensor<?x3x?x7xf32>, tensor<?x2x?x7xf32>, tensor<?x2x?x7xf32>
}

func.func @qkv_tokens(%x: tensor<?x?x4096xbf16>, %w: tensor<6144x4096xbf16>, %b: tensor<6144xbf16>) -> (tensor<?x32x?x128xbf16>, tensor<?x8x?x128xbf16>, tensor<?x8x?x128xbf16>) {
  %q, %k, %v = boostr.fused_qkv %x, %w bias(%b) num_heads = 32 num_kv_heads = 8 head_dim = 128
      : tensor<?x?x4096xbf16>, tensor<6144x4096xbf16>, tensor<6144xbf16>
  return %q, %k, %v : tensor<?x32x?x128xbf16>, tensor<?x8x?x128xbf16>, tensor<?x8x?x128xbf16>
}

func.func @grad_any_f32(%dq: tensor<?x3x?x7xf32>, %dk: tensor<?x2x?x7xf32>, %dv: tensor<?x2x?x7xf32>, %x: tensor<?x?x?xf32>, %w: tensor<49x?xf32>) -> (tensor<?x?x?xf32>, tensor<49x?xf32>, tensor<49xf32>) {
  %dx, %dw, %db = boostr.fused_qkv_grad %dq, %dk, %dv, %x, %w wrt(input, weight, bias)
      num_heads = 3 num_kv_heads = 2 head_dim = 7 : tensor<?x3x?x7xf32>, tensor<?x2x?x7xf32>, tensor<?x2x?x7xf32>, tensor<?x?x?xf32>, tensor<49x?xf32>
  return %dx, %dw, %db : tensor<?x?x?xf32>, tensor<49x?xf32>, tensor<49xf32>
}

func.func @grad_any_f64(%dq: tensor<?x3x?x7xf64>, %dk: tensor<?x2x?x7xf64>, %dv: tensor<?x2x?x7xf64>, %x: tensor<?x?x?xf64>, %w: tensor<49x?xf64>) -> (tensor<?x?x?xf64>, tensor<49x?xf64>, tensor<49xf64>) {
  %dx, %dw, %db = boostr.fused_qkv_grad %dq, %dk, %dv, %x, %w wrt(input, weight, bias)
      num_heads = 3 num_kv_heads = 2 head_dim = 7 : tensor<?x3x?x7xf64>, tensor<?x2x?x7xf64>, tensor<?x2x?x7xf64>, tensor<?x?x?xf64>, tensor<49x?xf64>
  return %dx, %dw, %db : tensor<?x?x?xf64>, tensor<49x?xf64>, tensor<49xf64>
}

func.func @grad_small(%dq: tensor<2x2x19x8xf32>, %dk: tensor<2x1x19x8xf32>, %dv: tensor<2x1x19x8xf32>, %x: tensor<2x19x48xf32>, %w: tensor<32x48xf32>) -> (tensor<2x19x48xf32>, tensor<32x48xf32>, tensor<32xf32>) {
  %dx, %dw, %db = boostr.fused_qkv_grad %dq, %dk, %dv, %x, %w wrt(input, weight, bias)
      num_heads = 2 num_kv_heads = 1 head_dim = 8 : tensor<2x2x19x8xf32>, tensor<2x1x19x8xf32>, tensor<2x1x19x8xf32>, tensor<2x19x48xf32>, tensor<32x48xf32>
  return %dx, %dw, %db : tensor<2x19x48xf32>, tensor<32x48xf32>, tensor<32xf32>
}

func.func @grad_large(%dq: tensor<?x32x?x128xbf16>, %dk: tensor<?x8x?x128xbf16>, %dv: tensor<?x8x?x128xbf16>, %x: tensor<?x?x4096xbf16>, %w: tensor<6144x4096xbf16>) -> (tensor<?x?x4096xbf16>, tensor<6144x4096xbf16>, tensor<6144xbf16>) {
  %dx, %dw, %db = boostr.fused_qkv_grad %dq, %dk, %dv, %x, %w wrt(input, weight, bias)
      num_heads = 32 num_kv_heads = 8 head_dim = 128 : tensor<?x32x?x128xbf16>, tensor<?x8x?x128xbf16>, tensor<?x8x?x128xbf16>, tensor<?x?x4096xbf16>, tensor<6144x4096xbf16>
  return %dx, %dw, %db : tensor<?x?x4096xbf16>, tensor<6144x4096xbf16>, tensor<6144xbf16>
}
