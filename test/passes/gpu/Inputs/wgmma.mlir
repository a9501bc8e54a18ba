// Every way in which the kernels of sm_90a differ: types, head dimensions, residual, accumulation, bias gradient.

func.func @qkv_64(%x: tensor<?x?x1024xbf16>, %w: tensor<1536x1024xbf16>, %b: tensor<1536xbf16>)
    -> (tensor<?x16x?x64xbf16>, tensor<?x4x?x64xbf16>, tensor<?x4x?x64xbf16>) {
  %q, %k, %v = boostr.fused_qkv %x, %w bias(%b) num_heads = 16 num_kv_heads = 4 head_dim = 64
      : tensor<?x?x1024xbf16>, tensor<1536x1024xbf16>, tensor<1536xbf16>
  return %q, %k, %v : tensor<?x16x?x64xbf16>, tensor<?x4x?x64xbf16>, tensor<?x4x?x64xbf16>
}

func.func @qkv_80_f16(%x: tensor<?x?x320xf16>, %w: tensor<960x320xf16>, %b: tensor<960xf16>)
    -> (tensor<?x6x?x80xf16>, tensor<?x3x?x80xf16>, tensor<?x3x?x80xf16>) {
  %q, %k, %v = boostr.fused_qkv %x, %w bias(%b) num_heads = 6 num_kv_heads = 3 head_dim = 80
      : tensor<?x?x320xf16>, tensor<960x320xf16>, tensor<960xf16>
  return %q, %k, %v : tensor<?x6x?x80xf16>, tensor<?x3x?x80xf16>, tensor<?x3x?x80xf16>
}

func.func @qkv_96(%x: tensor<?x?x768xbf16>, %w: tensor<2304x768xbf16>, %b: tensor<2304xbf16>)
    -> (tensor<?x8x?x96xbf16>, tensor<?x8x?x96xbf16>, tensor<?x8x?x96xbf16>) {
  %q, %k, %v = boostr.fused_qkv %x, %w bias(%b) num_heads = 8 num_kv_heads = 8 head_dim = 96
      : tensor<?x?x768xbf16>, tensor<2304x768xbf16>, tensor<2304xbf16>
  return %q, %k, %v : tensor<?x8x?x96xbf16>, tensor<?x8x?x96xbf16>, tensor<?x8x?x96xbf16>
}

func.func @qkv_256(%x: tensor<?x?x512xbf16>, %w: tensor<1024x512xbf16>, %b: tensor<1024xbf16>)
    -> (tensor<?x2x?x256xbf16>, tensor<?x1x?x256xbf16>, tensor<?x1x?x256xbf16>) {
  %q, %k, %v = boostr.fused_qkv %x, %w bias(%b) num_heads = 2 num_kv_heads = 1 head_dim = 256
      : tensor<?x?x512xbf16>, tensor<1024x512xbf16>, tensor<1024xbf16>
  return %q, %k, %v : tensor<?x2x?x256xbf16>, tensor<?x1x?x256xbf16>, tensor<?x1x?x256xbf16>
}

func.func @qkv_grad_128(%dq: tensor<?x8x?x128xbf16>, %dk: tensor<?x2x?x128xbf16>, %dv: tensor<?x2x?x128xbf16>, %x: tensor<?x?x1024xbf16>, %w: tensor<1536x1024xbf16>)
    -> (tensor<?x?x1024xbf16>, tensor<1536x1024xbf16>, tensor<1536xbf16>) {
  %dx, %dw, %db = boostr.fused_qkv_grad %dq, %dk, %dv, %x, %w
      wrt(input, weight, bias) num_heads = 8 num_kv_heads = 2 head_dim = 128
      : tensor<?x8x?x128xbf16>, tensor<?x2x?x128xbf16>, tensor<?x2x?x128xbf16>, tensor<?x?x1024xbf16>, tensor<1536x1024xbf16>
  return %dx, %dw, %db : tensor<?x?x1024xbf16>, tensor<1536x1024xbf16>, tensor<1536xbf16>
}

func.func @qkv_grad_64_f32(%dq: tensor<?x8x?x64xf16>, %dk: tensor<?x8x?x64xf16>, %dv: tensor<?x8x?x64xf16>, %x: tensor<?x?x512xf16>, %w: tensor<1536x512xf16>, %a: tensor<1536x512xf32>)
    -> (tensor<?x?x512xf16>, tensor<1536x512xf32>, tensor<1536xf16>) {
  %dx, %dw, %db = boostr.fused_qkv_grad %dq, %dk, %dv, %x, %w accumulate_weight(%a)
      wrt(input, weight, bias) num_heads = 8 num_kv_heads = 8 head_dim = 64
      : tensor<?x8x?x64xf16>, tensor<?x8x?x64xf16>, tensor<?x8x?x64xf16>, tensor<?x?x512xf16>, tensor<1536x512xf16>, tensor<1536x512xf32>
  return %dx, %dw, %db : tensor<?x?x512xf16>, tensor<1536x512xf32>, tensor<1536xf16>
}

func.func @qkv_grad_40_same(%dq: tensor<?x8x?x40xbf16>, %dk: tensor<?x8x?x40xbf16>, %dv: tensor<?x8x?x40xbf16>, %x: tensor<?x?x320xbf16>, %w: tensor<960x320xbf16>, %a: tensor<960x320xbf16>)
    -> (tensor<?x?x320xbf16>, tensor<960x320xbf16>, tensor<960xbf16>) {
  %dx, %dw, %db = boostr.fused_qkv_grad %dq, %dk, %dv, %x, %w accumulate_weight(%a)
      wrt(input, weight, bias) num_heads = 8 num_kv_heads = 8 head_dim = 40
      : tensor<?x8x?x40xbf16>, tensor<?x8x?x40xbf16>, tensor<?x8x?x40xbf16>, tensor<?x?x320xbf16>, tensor<960x320xbf16>, tensor<960x320xbf16>
  return %dx, %dw, %db : tensor<?x?x320xbf16>, tensor<960x320xbf16>, tensor<960xbf16>
}

func.func @out(%a: tensor<?x?x1024xbf16>, %w: tensor<512x1024xbf16>, %b: tensor<512xbf16>, %r: tensor<?x?x512xbf16>) -> tensor<?x?x512xbf16> {
  %y = boostr.out_proj_residual %a, %w bias(%b) residual(%r) : tensor<?x?x1024xbf16>, tensor<512x1024xbf16>, tensor<512xbf16>, tensor<?x?x512xbf16>
  return %y : tensor<?x?x512xbf16>
}

// Widths at which a register of the loop over shared tiles was spilled: Llama 3 70B, and 5120.
func.func @out_8192(%a: tensor<?x?x8192xbf16>, %w: tensor<8192x8192xbf16>, %r: tensor<?x?x8192xbf16>) -> tensor<?x?x8192xbf16> {
  %y = boostr.out_proj_residual %a, %w residual(%r) : tensor<?x?x8192xbf16>, tensor<8192x8192xbf16>, tensor<?x?x8192xbf16>
  return %y : tensor<?x?x8192xbf16>
}
func.func @out_5120(%a: tensor<?x?x5120xbf16>, %w: tensor<5120x5120xbf16>, %r: tensor<?x?x5120xbf16>) -> tensor<?x?x5120xbf16> {
  %y = boostr.out_proj_residual %a, %w residual(%r) : tensor<?x?x5120xbf16>, tensor<5120x5120xbf16>, tensor<?x?x5120xbf16>
  return %y : tensor<?x?x5120xbf16>
}
