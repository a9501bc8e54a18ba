func.func @qkv_bf16(%x: tensor<?x?x4096xbf16>, %w: tensor<6144x4096xbf16>, %b: tensor<6144xbf16>) -> (tensor<?x32x?x128xbf16>, tensor<?x8x?x128xbf16>, tensor<?x8x?x128xbf16>) {
  %q, %k, %v = boostr.fused_qkv %x, %w bias(%b) num_heads = 32 num_kv_heads = 8 head_dim = 128
      : tensor<?x?x4096xbf16>, tensor<6144x4096xbf16>, tensor<6144xbf16>
  return %q, %k, %v : tensor<?x32x?x128xbf16>, tensor<?x8x?x128xbf16>, tensor<?x8x?x128xbf16>
}

func.func @grad_f16(%dq: tensor<?x32x?x128xf16>, %dk: tensor<?x8x?x128xf16>, %dv: tensor<?x8x?x128xf16>, %x: tensor<?x?x4096xf16>, %w: tensor<6144x4096xf16>) -> (tensor<?x?x4096xf16>, tensor<6144x4096xf16>, tensor<6144xf16>) {
  %dx, %dw, %db = boostr.fused_qkv_grad %dq, %dk, %dv, %x, %w wrt(input, weight, bias)
      num_heads = 32 num_kv_heads = 8 head_dim = 128 : tensor<?x32x?x128xf16>, tensor<?x8x?x128xf16>, tensor<?x8x?x128xf16>, tensor<?x?x4096xf16>, tensor<6144x4096xf16>
  return %dx, %dw, %db : tensor<?x?x4096xf16>, tensor<6144x4096xf16>, tensor<6144xf16>
}

// Extents that are known when the code runs, 16 bytes at a time or not.
func.func @grad_any_bf16(%dq: tensor<?x3x?x7xbf16>, %dk: tensor<?x2x?x7xbf16>, %dv: tensor<?x2x?x7xbf16>, %x: tensor<?x?x?xbf16>, %w: tensor<49x?xbf16>) -> (tensor<?x?x?xbf16>, tensor<49x?xbf16>, tensor<49xbf16>) {
  %dx, %dw, %db = boostr.fused_qkv_grad %dq, %dk, %dv, %x, %w wrt(input, weight, bias)
      num_heads = 3 num_kv_heads = 2 head_dim = 7 : tensor<?x3x?x7xbf16>, tensor<?x2x?x7xbf16>, tensor<?x2x?x7xbf16>, tensor<?x?x?xbf16>, tensor<49x?xbf16>
  return %dx, %dw, %db : tensor<?x?x?xbf16>, tensor<49x?xbf16>, tensor<49xbf16>
}

func.func @out_any_f16(%a: tensor<?x?x?xf16>, %w: tensor<?x?xf16>, %r: tensor<?x?x?xf16>) -> tensor<?x?x?xf16> {
  %y = boostr.out_proj_residual %a, %w residual(%r)
      : tensor<?x?x?xf16>, tensor<?x?xf16>, tensor<?x?x?xf16>
  return %y : tensor<?x?x?xf16>
}

func.func @grad_any_f64(%dy: tensor<?x?x?xf64>, %a: tensor<?x?x?xf64>, %w: tensor<?x?xf64>) -> (tensor<?x?x?xf64>, tensor<?x?xf64>, tensor<?xf64>) {
  %da, %dw, %db = boostr.out_proj_residual_grad %dy, %a, %w wrt(attn, weight, bias)
      : tensor<?x?x?xf64>, tensor<?x?x?xf64>, tensor<?x?xf64>
  return %da, %dw, %db : tensor<?x?x?xf64>, tensor<?x?xf64>, tensor<?xf64>
}

func.func @grad_f32(%dy: tensor<?x?x768xf32>, %a: tensor<?x?x1024xf32>, %w: tensor<768x1024xf32>) -> (tensor<?x?x1024xf32>, tensor<768x1024xf32>, tensor<768xf32>) {
  %da, %dw, %db = boostr.out_proj_residual_grad %dy, %a, %w wrt(attn, weight, bias)
      : tensor<?x?x768xf32>, tensor<?x?x1024xf32>, tensor<768x1024xf32>
  return %da, %dw, %db : tensor<?x?x1024xf32>, tensor<768x1024xf32>, tensor<768xf32>
}

func.func @few_bf16(%a: tensor<1x16x4096xbf16>, %w: tensor<4096x4096xbf16>, %r: tensor<1x16x4096xbf16>) -> tensor<1x16x4096xbf16> {
  %y = boostr.out_proj_residual %a, %w residual(%r)
      : tensor<1x16x4096xbf16>, tensor<4096x4096xbf16>, tensor<1x16x4096xbf16>
  return %y : tensor<1x16x4096xbf16>
}

func.func @qkv_f32(%x: tensor<?x?x4096xf32>, %w: tensor<6144x4096xf32>) -> (tensor<?x32x?x128xf32>, tensor<?x8x?x128xf32>, tensor<?x8x?x128xf32>) {
  %q, %k, %v = boostr.fused_qkv %x, %w num_heads = 32 num_kv_heads = 8 head_dim = 128
      : tensor<?x?x4096xf32>, tensor<6144x4096xf32>
  return %q, %k, %v : tensor<?x32x?x128xf32>, tensor<?x8x?x128xf32>, tensor<?x8x?x128xf32>
}

func.func @out_f32(%a: tensor<?x?x4096xf32>, %w: tensor<4096x4096xf32>, %b: tensor<4096xf32>, %r: tensor<?x?x4096xf32>) -> tensor<?x?x4096xf32> {
  %y = boostr.out_proj_residual %a, %w bias(%b) residual(%r)
      : tensor<?x?x4096xf32>, tensor<4096x4096xf32>, tensor<4096xf32>, tensor<?x?x4096xf32>
  return %y : tensor<?x?x4096xf32>
}

// Head dimensions that fill no 16 bytes, accumulation into f32 and into the same type, f64 forward.
func.func @qkv_odd_f16(%x: tensor<?x?x61xf16>, %w: tensor<49x61xf16>, %b: tensor<49xf16>) -> (tensor<?x3x?x7xf16>, tensor<?x2x?x7xf16>, tensor<?x2x?x7xf16>) {
  %q, %k, %v = boostr.fused_qkv %x, %w bias(%b) num_heads = 3 num_kv_heads = 2 head_dim = 7
      : tensor<?x?x61xf16>, tensor<49x61xf16>, tensor<49xf16>
  return %q, %k, %v : tensor<?x3x?x7xf16>, tensor<?x2x?x7xf16>, tensor<?x2x?x7xf16>
}

func.func @grad_sums_bf16(%dy: tensor<?x?x768xbf16>, %a: tensor<?x?x1024xbf16>, %w: tensor<768x1024xbf16>, %dw0: tensor<768x1024xf32>, %db0: tensor<768xbf16>) -> (tensor<768x1024xf32>, tensor<768xbf16>) {
  %dw, %db = boostr.out_proj_residual_grad %dy, %a, %w accumulate_weight(%dw0) accumulate_bias(%db0) wrt(weight, bias)
      : tensor<?x?x768xbf16>, tensor<?x?x1024xbf16>, tensor<768x1024xbf16>, tensor<768x1024xf32>, tensor<768xbf16>
  return %dw, %db : tensor<768x1024xf32>, tensor<768xbf16>
}

func.func @qkv_f64(%x: tensor<?x?x512xf64>, %w: tensor<1024x512xf64>, %b: tensor<1024xf64>) -> (tensor<?x8x?x64xf64>, tensor<?x4x?x64xf64>, tensor<?x4x?x64xf64>) {
  %q, %k, %v = boostr.fused_qkv %x, %w bias(%b) num_heads = 8 num_kv_heads = 4 head_dim = 64
      : tensor<?x?x512xf64>, tensor<1024x512xf64>, tensor<1024xf64>
  return %q, %k, %v : tensor<?x8x?x64xf64>, tensor<?x4x?x64xf64>, tensor<?x4x?x64xf64>
}
