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

// Gradients of few tokens, into what is there too.
func.func @grad_few_f16(%dq: tensor<?x16x?x64xf16>, %dk: tensor<?x2x?x64xf16>, %x: tensor<?x?x1024xf16>, %w: tensor<1280x1024xf16>, %a: tensor<1280x1024xf32>) -> (tensor<?x?x1024xf16>, tensor<1280x1024xf32>, tensor<1280xf16>) {
  %dx, %dw, %db = boostr.fused_qkv_grad %dq, %dk, %dk, %x, %w accumulate_weight(%a) wrt(input, weight, bias)
      num_heads = 16 num_kv_heads = 2 head_dim = 64 : tensor<?x16x?x64xf16>, tensor<?x2x?x64xf16>, tensor<?x2x?x64xf16>, tensor<?x?x1024xf16>, tensor<1280x1024xf16>, tensor<1280x1024xf32>
  return %dx, %dw, %db : tensor<?x?x1024xf16>, tensor<1280x1024xf32>, tensor<1280xf16>
}

func.func @grad_few_bf16(%dq: tensor<?x16x?x64xbf16>, %dk: tensor<?x2x?x64xbf16>, %x: tensor<?x?x1032xbf16>, %w: tensor<1280x1032xbf16>, %a: tensor<1280x1032xbf16>) -> (tensor<?x?x1032xbf16>, tensor<1280x1032xbf16>, tensor<1280xbf16>) {
  %dx, %dw, %db = boostr.fused_qkv_grad %dq, %dk, %dk, %x, %w accumulate_weight(%a) wrt(input, weight, bias)
      num_heads = 16 num_kv_heads = 2 head_dim = 64 : tensor<?x16x?x64xbf16>, tensor<?x2x?x64xbf16>, tensor<?x2x?x64xbf16>, tensor<?x?x1032xbf16>, tensor<1280x1032xbf16>, tensor<1280x1032xbf16>
  return %dx, %dw, %db : tensor<?x?x1032xbf16>, tensor<1280x1032xbf16>, tensor<1280xbf16>
}

func.func @grad_few_f32(%dq: tensor<?x16x?x64xf32>, %dk: tensor<?x2x?x64xf32>, %x: tensor<?x?x1024xf32>, %w: tensor<1280x1024xf32>, %a: tensor<1280x1024xf32>) -> (tensor<?x?x1024xf32>, tensor<1280x1024xf32>, tensor<1280xf32>) {
  %dx, %dw, %db = boostr.fused_qkv_grad %dq, %dk, %dk, %x, %w accumulate_weight(%a) wrt(input, weight, bias)
      num_heads = 16 num_kv_heads = 2 head_dim = 64 : tensor<?x16x?x64xf32>, tensor<?x2x?x64xf32>, tensor<?x2x?x64xf32>, tensor<?x?x1024xf32>, tensor<1280x1024xf32>, tensor<1280x1024xf32>
  return %dx, %dw, %db : tensor<?x?x1024xf32>, tensor<1280x1024xf32>, tensor<1280xf32>
}

func.func @grad_few_f64(%dq: tensor<?x16x?x64xf64>, %dk: tensor<?x2x?x64xf64>, %x: tensor<?x?x1024xf64>, %w: tensor<1280x1024xf64>) -> (tensor<?x?x1024xf64>, tensor<1280x1024xf64>, tensor<1280xf64>) {
  %dx, %dw, %db = boostr.fused_qkv_grad %dq, %dk, %dk, %x, %w wrt(input, weight, bias)
      num_heads = 16 num_kv_heads = 2 head_dim = 64 : tensor<?x16x?x64xf64>, tensor<?x2x?x64xf64>, tensor<?x2x?x64xf64>, tensor<?x?x1024xf64>, tensor<1280x1024xf64>
  return %dx, %dw, %db : tensor<?x?x1024xf64>, tensor<1280x1024xf64>, tensor<1280xf64>
}
