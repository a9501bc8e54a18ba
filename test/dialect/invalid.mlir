// RUN: boostr-opt %s -split-input-file -verify-diagnostics

// One case or more for each numbered constraint of the ops (dialect/BoostrOps.td),
// in their order: `negative_<op>_c<number>`.

//===----------------------------------------------------------------------===//
// fused_qkv
//===----------------------------------------------------------------------===//

func.func @negative_fused_qkv_c1(%x: tensor<2x3x8xf32>, %w: tensor<12x8xf32>) {
  // expected-error @below {{'num_heads' expected positive, got 0}}
  %q, %k, %v = boostr.fused_qkv %x, %w num_heads = 0 num_kv_heads = 1 head_dim = 4
      : tensor<2x3x8xf32>, tensor<12x8xf32>
  return
}

// -----

func.func @negative_fused_qkv_c1_kv_heads(%x: tensor<2x3x8xf32>, %w: tensor<12x8xf32>) {
  // expected-error @below {{'num_kv_heads' expected positive, got -1}}
  %q, %k, %v = boostr.fused_qkv %x, %w num_heads = 1 num_kv_heads = -1 head_dim = 4
      : tensor<2x3x8xf32>, tensor<12x8xf32>
  return
}

// -----

func.func @negative_fused_qkv_c1_head_dim(%x: memref<2x3x8xf32>, %w: memref<12x8xf32>,
    %y: memref<2x1x3x4xf32>) {
  // expected-error @below {{'head_dim' expected positive, got 0}}
  boostr.fused_qkv %x, %w outs(%y, %y, %y) num_heads = 1 num_kv_heads = 1 head_dim = 0
      : memref<2x3x8xf32>, memref<12x8xf32>, memref<2x1x3x4xf32>, memref<2x1x3x4xf32>,
        memref<2x1x3x4xf32>
  return
}

// -----

// (3037000500)^2 is just more than 2^63.
func.func @negative_fused_qkv_c1_overflow(%x: tensor<2x3x8xf32>, %w: tensor<?x8xf32>) {
  // expected-error @below {{'num_heads', 'num_kv_heads' and 'head_dim' expected to give fewer than 2^63 weight rows}}
  %q, %k, %v = boostr.fused_qkv %x, %w num_heads = 3037000498 num_kv_heads = 1 head_dim = 3037000500
      : tensor<2x3x8xf32>, tensor<?x8xf32>
  return
}

// -----

func.func @negative_fused_qkv_c2_weight(%x: tensor<2x3x8xf32>, %w: tensor<12x8xf64>) {
  // expected-error @below {{'weight' expected element type 'f32', got 'f64'}}
  %q, %k, %v = boostr.fused_qkv %x, %w num_heads = 1 num_kv_heads = 1 head_dim = 4
      : tensor<2x3x8xf32>, tensor<12x8xf64>
  return
}

// -----

func.func @negative_fused_qkv_c2_bias(%x: tensor<2x3x8xbf16>, %w: tensor<12x8xbf16>, %b: tensor<12xf32>) {
  // expected-error @below {{'bias' expected element type 'bf16', got 'f32'}}
  %q, %k, %v = boostr.fused_qkv %x, %w bias(%b) num_heads = 1 num_kv_heads = 1 head_dim = 4
      : tensor<2x3x8xbf16>, tensor<12x8xbf16>, tensor<12xf32>
  return
}

// -----

func.func @negative_fused_qkv_c3(%x: tensor<3x8xf32>, %w: tensor<12x8xf32>) {
  // expected-error @below {{'input' expected [?, ?, ?], got [3, 8]}}
  %q, %k, %v = boostr.fused_qkv %x, %w num_heads = 1 num_kv_heads = 1 head_dim = 4
      : tensor<3x8xf32>, tensor<12x8xf32>
  return
}

// -----

func.func @negative_fused_qkv_c3_buffer(%x: memref<1x2x3x8xf32>, %w: memref<12x8xf32>,
    %y: memref<2x1x3x4xf32>) {
  // expected-error @below {{'input' expected [?, ?, ?], got [1, 2, 3, 8]}}
  boostr.fused_qkv %x, %w outs(%y, %y, %y) num_heads = 1 num_kv_heads = 1 head_dim = 4
      : memref<1x2x3x8xf32>, memref<12x8xf32>, memref<2x1x3x4xf32>, memref<2x1x3x4xf32>,
        memref<2x1x3x4xf32>
  return
}

// -----

func.func @negative_fused_qkv_c4_rows(%x: tensor<2x3x8xf32>, %w: tensor<13x8xf32>) {
  // expected-error @below {{'weight' expected [12, 8], got [13, 8]}}
  %q, %k, %v = boostr.fused_qkv %x, %w num_heads = 1 num_kv_heads = 1 head_dim = 4
      : tensor<2x3x8xf32>, tensor<13x8xf32>
  return
}

// -----

func.func @negative_fused_qkv_c4_columns(%x: tensor<2x3x8xf32>, %w: tensor<12x9xf32>) {
  // expected-error @below {{'weight' expected [12, 8], got [12, 9]}}
  %q, %k, %v = boostr.fused_qkv %x, %w num_heads = 1 num_kv_heads = 1 head_dim = 4
      : tensor<2x3x8xf32>, tensor<12x9xf32>
  return
}

// -----

func.func @negative_fused_qkv_c4_rank(%x: tensor<2x3x?xf32>, %w: tensor<96xf32>) {
  // expected-error @below {{'weight' expected [12, ?], got [96]}}
  %q, %k, %v = boostr.fused_qkv %x, %w num_heads = 1 num_kv_heads = 1 head_dim = 4
      : tensor<2x3x?xf32>, tensor<96xf32>
  return
}

// -----

func.func @negative_fused_qkv_c5(%x: tensor<2x3x8xf32>, %w: tensor<12x8xf32>, %b: tensor<4xf32>) {
  // expected-error @below {{'bias' expected [12], got [4]}}
  %q, %k, %v = boostr.fused_qkv %x, %w bias(%b) num_heads = 1 num_kv_heads = 1 head_dim = 4
      : tensor<2x3x8xf32>, tensor<12x8xf32>, tensor<4xf32>
  return
}

// -----

func.func @negative_fused_qkv_c6_mixed(%x: tensor<2x3x8xf32>, %w: memref<12x8xf32>) {
  // expected-error @below {{'weight' expected a tensor as 'input' is, got 'memref<12x8xf32>'}}
  %q, %k, %v = boostr.fused_qkv %x, %w num_heads = 1 num_kv_heads = 1 head_dim = 4
      : tensor<2x3x8xf32>, memref<12x8xf32>
  return
}

// -----

func.func @negative_fused_qkv_c6_outs(%x: tensor<2x3x8xf32>, %w: tensor<12x8xf32>, %y: memref<2x1x3x4xf32>) {
  // expected-error @below {{'outs' expected 0 memrefs in value form, got 1}}
  %q, %k, %v = boostr.fused_qkv %x, %w outs(%y) num_heads = 1 num_kv_heads = 1 head_dim = 4
      : tensor<2x3x8xf32>, tensor<12x8xf32>, memref<2x1x3x4xf32>
  return
}

// -----

func.func @negative_fused_qkv_c6_few_outs(%x: memref<2x3x8xf32>, %w: memref<12x8xf32>, %y: memref<2x1x3x4xf32>) {
  // expected-error @below {{'outs' expected 3 memrefs in buffer form, got 2}}
  boostr.fused_qkv %x, %w outs(%y, %y) num_heads = 1 num_kv_heads = 1 head_dim = 4
      : memref<2x3x8xf32>, memref<12x8xf32>, memref<2x1x3x4xf32>, memref<2x1x3x4xf32>
  return
}

// -----

func.func @negative_fused_qkv_c6_results(%x: memref<2x3x8xf32>, %w: memref<12x8xf32>, %y: memref<2x1x3x4xf32>) {
  // expected-error @below {{are incompatible with return type(s) of operation 'tensor<2x1x3x4xf32>'}}
  // expected-error @below {{failed to infer returned types}}
  %q = "boostr.fused_qkv"(%x, %w, %y, %y, %y) <{operandSegmentSizes = array<i32: 1, 1, 0, 3>,
      num_heads = 1 : i64, num_kv_heads = 1 : i64, head_dim = 4 : i64}>
      : (memref<2x3x8xf32>, memref<12x8xf32>, memref<2x1x3x4xf32>, memref<2x1x3x4xf32>,
         memref<2x1x3x4xf32>) -> tensor<2x1x3x4xf32>
  return
}

// -----

func.func @negative_fused_qkv_c7_shape(%x: memref<2x3x8xf32>, %w: memref<12x8xf32>,
    %y: memref<2x1x3x4xf32>, %k: memref<2x3x1x4xf32>) {
  // expected-error @below {{'key' expected [2, 1, 3, 4], got [2, 3, 1, 4]}}
  boostr.fused_qkv %x, %w outs(%y, %k, %y) num_heads = 1 num_kv_heads = 1 head_dim = 4
      : memref<2x3x8xf32>, memref<12x8xf32>, memref<2x1x3x4xf32>, memref<2x3x1x4xf32>,
        memref<2x1x3x4xf32>
  return
}

// -----

func.func @negative_fused_qkv_c7_element_type(%x: memref<2x3x8xbf16>, %w: memref<12x8xbf16>,
    %y: memref<2x1x3x4xbf16>, %v: memref<2x1x3x4xf32>) {
  // expected-error @below {{'value' expected element type 'bf16', got 'f32'}}
  boostr.fused_qkv %x, %w outs(%y, %y, %v) num_heads = 1 num_kv_heads = 1 head_dim = 4
      : memref<2x3x8xbf16>, memref<12x8xbf16>, memref<2x1x3x4xbf16>, memref<2x1x3x4xbf16>,
        memref<2x1x3x4xf32>
  return
}

// -----

func.func @negative_fused_qkv_c4_key_weight(%x: tensor<2x3x8xf32>, %wq: tensor<8x8xf32>, %wk: tensor<5x8xf32>, %wv: tensor<4x8xf32>) {
  // expected-error@+1 {{'key_weight' expected [4, 8], got [5, 8]}}
  %q, %k, %v = boostr.fused_qkv %x, %wq, %wk, %wv num_heads = 2 num_kv_heads = 1 head_dim = 4
      : tensor<2x3x8xf32>, tensor<8x8xf32>, tensor<5x8xf32>, tensor<4x8xf32>
  return
}

// -----

func.func @negative_fused_qkv_c5_value_bias(%x: tensor<2x3x8xf32>, %wq: tensor<8x8xf32>, %wk: tensor<4x8xf32>, %bq: tensor<8xf32>, %bk: tensor<4xf32>) {
  // expected-error@+1 {{'value_bias' expected [4], got [8]}}
  %q, %k, %v = boostr.fused_qkv %x, %wq, %wk, %wk bias(%bq, %bk, %bq) num_heads = 2 num_kv_heads = 1 head_dim = 4
      : tensor<2x3x8xf32>, tensor<8x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>, tensor<8xf32>, tensor<4xf32>, tensor<8xf32>
  return
}

// -----

func.func @negative_fused_qkv_c8_two_weights(%x: tensor<2x3x8xf32>, %w: tensor<4x8xf32>) {
  // expected-error@+1 {{'weight' expected 1 or 3 operands, got 2}}
  %q, %k, %v = boostr.fused_qkv %x, %w, %w num_heads = 1 num_kv_heads = 1 head_dim = 4
      : tensor<2x3x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>
  return
}

// -----

func.func @negative_fused_qkv_c8_packed_bias(%x: tensor<2x3x8xf32>, %w: tensor<4x8xf32>, %b: tensor<12xf32>) {
  // expected-error@+1 {{'bias' expected 3 operands as 'weight' has, got 1}}
  %q, %k, %v = boostr.fused_qkv %x, %w, %w, %w bias(%b) num_heads = 1 num_kv_heads = 1 head_dim = 4
      : tensor<2x3x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>, tensor<12xf32>
  return
}

// -----

func.func @negative_fused_qkv_c8_separate_bias(%x: tensor<2x3x8xf32>, %w: tensor<12x8xf32>, %b: tensor<4xf32>) {
  // expected-error@+1 {{'bias' expected 1 operand as 'weight' has, got 3}}
  %q, %k, %v = boostr.fused_qkv %x, %w bias(%b, %b, %b) num_heads = 1 num_kv_heads = 1 head_dim = 4
      : tensor<2x3x8xf32>, tensor<12x8xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>
  return
}

// -----

func.func @negative_fused_qkv_type(%x: i32, %w: tensor<12x8xf32>) {
  // expected-error @below {{'input' expected a ranked tensor or memref, got 'i32'}}
  %q, %k, %v = boostr.fused_qkv %x, %w num_heads = 1 num_kv_heads = 1 head_dim = 4
      : i32, tensor<12x8xf32>
  return
}

// -----

func.func @negative_fused_qkv_elements(%x: tensor<2x3x8xi32>, %w: tensor<12x8xi32>) {
  // expected-error @below {{operand #0 must be ranked tensor or memref of f64, f32, f16 or bf16 values, but got 'tensor<2x3x8xi32>'}}
  %q, %k, %v = boostr.fused_qkv %x, %w num_heads = 1 num_kv_heads = 1 head_dim = 4
      : tensor<2x3x8xi32>, tensor<12x8xi32>
  return
}

// -----

func.func @negative_fused_qkv_result_types(%x: tensor<2x3x8xf32>, %w: tensor<12x8xf32>) {
  // expected-error @below {{inferred type(s) 'tensor<2x1x3x4xf32>', 'tensor<2x1x3x4xf32>', 'tensor<2x1x3x4xf32>' are incompatible with return type(s)}}
  // expected-error @below {{failed to infer returned types}}
  %q:3 = "boostr.fused_qkv"(%x, %w) <{operandSegmentSizes = array<i32: 1, 1, 0, 0>,
      num_heads = 1 : i64, num_kv_heads = 1 : i64, head_dim = 4 : i64}>
      : (tensor<2x3x8xf32>, tensor<12x8xf32>)
      -> (tensor<2x3x1x4xf32>, tensor<2x1x3x4xf32>, tensor<2x1x3x4xf32>)
  return
}

// -----

//===----------------------------------------------------------------------===//
// fused_qkv_grad
//===----------------------------------------------------------------------===//

func.func @negative_fused_qkv_grad_c1(%dq: tensor<2x2x3x4xf32>, %dk: tensor<2x1x3x4xf32>,
    %dv: tensor<2x1x3x4xf32>, %x: tensor<2x3x8xf32>, %w: tensor<16x8xf32>) {
  // expected-error @below {{'num_heads' expected positive, got 0}}
  %dx, %dw, %db = boostr.fused_qkv_grad %dq, %dk, %dv, %x, %w wrt(input, weight, bias)
      num_heads = 0 num_kv_heads = 1 head_dim = 4 : tensor<2x2x3x4xf32>, tensor<2x1x3x4xf32>,
        tensor<2x1x3x4xf32>, tensor<2x3x8xf32>, tensor<16x8xf32>
  return
}

// -----

func.func @negative_fused_qkv_grad_c1_kv_heads(%dq: tensor<2x2x3x4xf32>, %dk: tensor<2x1x3x4xf32>,
    %dv: tensor<2x1x3x4xf32>, %x: tensor<2x3x8xf32>, %w: tensor<16x8xf32>) {
  // expected-error @below {{'num_kv_heads' expected positive, got -1}}
  %dx, %dw, %db = boostr.fused_qkv_grad %dq, %dk, %dv, %x, %w wrt(input, weight, bias)
      num_heads = 2 num_kv_heads = -1 head_dim = 4 : tensor<2x2x3x4xf32>, tensor<2x1x3x4xf32>,
        tensor<2x1x3x4xf32>, tensor<2x3x8xf32>, tensor<16x8xf32>
  return
}

// -----

func.func @negative_fused_qkv_grad_c1_head_dim(%dq: tensor<2x2x3x4xf32>, %dk: tensor<2x1x3x4xf32>,
    %dv: tensor<2x1x3x4xf32>, %x: tensor<2x3x8xf32>, %w: tensor<16x8xf32>) {
  // expected-error @below {{'head_dim' expected positive, got 0}}
  %dx, %dw, %db = boostr.fused_qkv_grad %dq, %dk, %dv, %x, %w wrt(input, weight, bias)
      num_heads = 2 num_kv_heads = 1 head_dim = 0 : tensor<2x2x3x4xf32>, tensor<2x1x3x4xf32>,
        tensor<2x1x3x4xf32>, tensor<2x3x8xf32>, tensor<16x8xf32>
  return
}

// -----

func.func @negative_fused_qkv_grad_c2_d_query(%dq: tensor<2x2x3x4xf16>, %dk: tensor<2x1x3x4xf32>,
    %dv: tensor<2x1x3x4xf32>, %x: tensor<2x3x8xf32>, %w: tensor<16x8xf32>) {
  // expected-error @below {{'d_query' expected element type 'f32', got 'f16'}}
  %dx, %dw, %db = boostr.fused_qkv_grad %dq, %dk, %dv, %x, %w wrt(input, weight, bias)
      num_heads = 2 num_kv_heads = 1 head_dim = 4 : tensor<2x2x3x4xf16>, tensor<2x1x3x4xf32>,
        tensor<2x1x3x4xf32>, tensor<2x3x8xf32>, tensor<16x8xf32>
  return
}

// -----

func.func @negative_fused_qkv_grad_c2_d_key(%dq: tensor<2x2x3x4xf32>, %dk: tensor<2x1x3x4xf64>,
    %dv: tensor<2x1x3x4xf32>, %x: tensor<2x3x8xf32>, %w: tensor<16x8xf32>) {
  // expected-error @below {{'d_key' expected element type 'f32', got 'f64'}}
  %dx, %dw, %db = boostr.fused_qkv_grad %dq, %dk, %dv, %x, %w wrt(input, weight, bias)
      num_heads = 2 num_kv_heads = 1 head_dim = 4 : tensor<2x2x3x4xf32>, tensor<2x1x3x4xf64>,
        tensor<2x1x3x4xf32>, tensor<2x3x8xf32>, tensor<16x8xf32>
  return
}

// -----

func.func @negative_fused_qkv_grad_c2_d_value(%dq: tensor<2x2x3x4xbf16>, %dk: tensor<2x1x3x4xbf16>,
    %dv: tensor<2x1x3x4xf32>, %x: tensor<2x3x8xbf16>, %w: tensor<16x8xbf16>) {
  // expected-error @below {{'d_value' expected element type 'bf16', got 'f32'}}
  %dx, %dw, %db = boostr.fused_qkv_grad %dq, %dk, %dv, %x, %w wrt(input, weight, bias)
      num_heads = 2 num_kv_heads = 1 head_dim = 4 : tensor<2x2x3x4xbf16>, tensor<2x1x3x4xbf16>,
        tensor<2x1x3x4xf32>, tensor<2x3x8xbf16>, tensor<16x8xbf16>
  return
}

// -----

func.func @negative_fused_qkv_grad_c2_weight(%dq: tensor<2x2x3x4xf32>, %dk: tensor<2x1x3x4xf32>,
    %dv: tensor<2x1x3x4xf32>, %x: tensor<2x3x8xf32>, %w: tensor<16x8xbf16>) {
  // expected-error @below {{'weight' expected element type 'f32', got 'bf16'}}
  %dx, %dw, %db = boostr.fused_qkv_grad %dq, %dk, %dv, %x, %w wrt(input, weight, bias)
      num_heads = 2 num_kv_heads = 1 head_dim = 4 : tensor<2x2x3x4xf32>, tensor<2x1x3x4xf32>,
        tensor<2x1x3x4xf32>, tensor<2x3x8xf32>, tensor<16x8xbf16>
  return
}

// -----

func.func @negative_fused_qkv_grad_c3_f32(%dq: tensor<2x2x3x4xf32>, %dk: tensor<2x1x3x4xf32>,
    %dv: tensor<2x1x3x4xf32>, %x: tensor<2x3x8xf32>, %w: tensor<16x8xf32>, %a: tensor<16x8xf64>) {
  // expected-error @below {{'accumulate_weight' expected element type 'f32', got 'f64'}}
  %dx, %dw, %db = boostr.fused_qkv_grad %dq, %dk, %dv, %x, %w accumulate_weight(%a) wrt(input, weight, bias)
      num_heads = 2 num_kv_heads = 1 head_dim = 4 : tensor<2x2x3x4xf32>, tensor<2x1x3x4xf32>,
        tensor<2x1x3x4xf32>, tensor<2x3x8xf32>, tensor<16x8xf32>, tensor<16x8xf64>
  return
}

// -----

func.func @negative_fused_qkv_grad_c3_bf16(%dq: tensor<2x2x3x4xbf16>, %dk: tensor<2x1x3x4xbf16>,
    %dv: tensor<2x1x3x4xbf16>, %x: tensor<2x3x8xbf16>, %w: tensor<16x8xbf16>, %a: tensor<16xf16>) {
  // expected-error @below {{'accumulate_bias' expected element type 'bf16' or 'f32', got 'f16'}}
  %dx, %dw, %db = boostr.fused_qkv_grad %dq, %dk, %dv, %x, %w accumulate_bias(%a) wrt(input, weight, bias)
      num_heads = 2 num_kv_heads = 1 head_dim = 4 : tensor<2x2x3x4xbf16>, tensor<2x1x3x4xbf16>,
        tensor<2x1x3x4xbf16>, tensor<2x3x8xbf16>, tensor<16x8xbf16>, tensor<16xf16>
  return
}

// -----

func.func @negative_fused_qkv_grad_c3_f64(%dq: tensor<2x2x3x4xf64>, %dk: tensor<2x1x3x4xf64>,
    %dv: tensor<2x1x3x4xf64>, %x: tensor<2x3x8xf64>, %w: tensor<16x8xf64>, %a: tensor<16xf32>) {
  // expected-error @below {{'accumulate_bias' expected element type 'f64', got 'f32'}}
  %dx, %dw, %db = boostr.fused_qkv_grad %dq, %dk, %dv, %x, %w accumulate_bias(%a) wrt(input, weight, bias)
      num_heads = 2 num_kv_heads = 1 head_dim = 4 : tensor<2x2x3x4xf64>, tensor<2x1x3x4xf64>,
        tensor<2x1x3x4xf64>, tensor<2x3x8xf64>, tensor<16x8xf64>, tensor<16xf32>
  return
}

// -----

func.func @negative_fused_qkv_grad_c4_rank(%dq: tensor<2x2x3x4xf32>, %dk: tensor<2x1x3x4xf32>,
    %dv: tensor<2x1x3x4xf32>, %x: tensor<6x8xf32>, %w: tensor<16x8xf32>) {
  // expected-error @below {{'input' expected [2, 3, 8], got [6, 8]}}
  %dx, %dw, %db = boostr.fused_qkv_grad %dq, %dk, %dv, %x, %w wrt(input, weight, bias)
      num_heads = 2 num_kv_heads = 1 head_dim = 4 : tensor<2x2x3x4xf32>, tensor<2x1x3x4xf32>,
        tensor<2x1x3x4xf32>, tensor<6x8xf32>, tensor<16x8xf32>
  return
}

// -----

func.func @negative_fused_qkv_grad_c4(%dq: tensor<2x2x3x4xf32>, %dk: tensor<2x1x3x4xf32>,
    %dv: tensor<2x1x3x4xf32>, %x: tensor<4x3x8xf32>, %w: tensor<16x8xf32>) {
  // expected-error @below {{'d_query' expected [4, 2, 3, 4], got [2, 2, 3, 4]}}
  %dx, %dw, %db = boostr.fused_qkv_grad %dq, %dk, %dv, %x, %w wrt(input, weight, bias)
      num_heads = 2 num_kv_heads = 1 head_dim = 4 : tensor<2x2x3x4xf32>, tensor<2x1x3x4xf32>,
        tensor<2x1x3x4xf32>, tensor<4x3x8xf32>, tensor<16x8xf32>
  return
}

// -----

func.func @negative_fused_qkv_grad_c4_tokens(%dq: tensor<2x2x3x4xf32>, %dk: tensor<2x1x3x4xf32>,
    %dv: tensor<2x1x3x4xf32>, %x: tensor<2x5x8xf32>, %w: tensor<16x8xf32>) {
  // expected-error @below {{'d_query' expected [2, 2, 5, 4], got [2, 2, 3, 4]}}
  %dx, %dw, %db = boostr.fused_qkv_grad %dq, %dk, %dv, %x, %w wrt(input, weight, bias)
      num_heads = 2 num_kv_heads = 1 head_dim = 4 : tensor<2x2x3x4xf32>, tensor<2x1x3x4xf32>,
        tensor<2x1x3x4xf32>, tensor<2x5x8xf32>, tensor<16x8xf32>
  return
}

// -----

func.func @negative_fused_qkv_grad_c5_d_query(%dq: tensor<2x3x2x4xf32>, %dk: tensor<2x1x3x4xf32>,
    %dv: tensor<2x1x3x4xf32>, %x: tensor<2x3x8xf32>, %w: tensor<16x8xf32>) {
  // expected-error @below {{'d_query' expected [2, 2, 3, 4], got [2, 3, 2, 4]}}
  %dx, %dw, %db = boostr.fused_qkv_grad %dq, %dk, %dv, %x, %w wrt(input, weight, bias)
      num_heads = 2 num_kv_heads = 1 head_dim = 4 : tensor<2x3x2x4xf32>, tensor<2x1x3x4xf32>,
        tensor<2x1x3x4xf32>, tensor<2x3x8xf32>, tensor<16x8xf32>
  return
}

// -----

func.func @negative_fused_qkv_grad_c5_d_key(%dq: tensor<2x2x3x4xf32>, %dk: tensor<2x2x3x4xf32>,
    %dv: tensor<2x1x3x4xf32>, %x: tensor<2x3x8xf32>, %w: tensor<16x8xf32>) {
  // expected-error @below {{'d_key' expected [2, 1, 3, 4], got [2, 2, 3, 4]}}
  %dx, %dw, %db = boostr.fused_qkv_grad %dq, %dk, %dv, %x, %w wrt(input, weight, bias)
      num_heads = 2 num_kv_heads = 1 head_dim = 4 : tensor<2x2x3x4xf32>, tensor<2x2x3x4xf32>,
        tensor<2x1x3x4xf32>, tensor<2x3x8xf32>, tensor<16x8xf32>
  return
}

// -----

func.func @negative_fused_qkv_grad_c5_d_value(%dq: tensor<2x2x3x4xf32>, %dk: tensor<2x1x3x4xf32>,
    %dv: tensor<2x1x3x5xf32>, %x: tensor<2x3x8xf32>, %w: tensor<16x8xf32>) {
  // expected-error @below {{'d_value' expected [2, 1, 3, 4], got [2, 1, 3, 5]}}
  %dx, %dw, %db = boostr.fused_qkv_grad %dq, %dk, %dv, %x, %w wrt(input, weight, bias)
      num_heads = 2 num_kv_heads = 1 head_dim = 4 : tensor<2x2x3x4xf32>, tensor<2x1x3x4xf32>,
        tensor<2x1x3x5xf32>, tensor<2x3x8xf32>, tensor<16x8xf32>
  return
}

// -----

func.func @negative_fused_qkv_grad_c5_between_gradients(%dq: tensor<?x2x3x4xf32>,
    %dk: tensor<?x1x4x4xf32>, %dv: tensor<?x1x3x4xf32>, %x: tensor<?x?x8xf32>,
    %w: tensor<16x8xf32>) {
  // expected-error @below {{'d_key' expected [?, 1, 3, 4], got [?, 1, 4, 4]}}
  %dx, %dw, %db = boostr.fused_qkv_grad %dq, %dk, %dv, %x, %w wrt(input, weight, bias)
      num_heads = 2 num_kv_heads = 1 head_dim = 4 : tensor<?x2x3x4xf32>, tensor<?x1x4x4xf32>,
        tensor<?x1x3x4xf32>, tensor<?x?x8xf32>, tensor<16x8xf32>
  return
}

// -----

func.func @negative_fused_qkv_grad_c6(%dq: tensor<2x2x3x4xf32>, %dk: tensor<2x1x3x4xf32>,
    %dv: tensor<2x1x3x4xf32>, %x: tensor<2x3x8xf32>, %w: tensor<8x16xf32>) {
  // expected-error @below {{'weight' expected [16, 8], got [8, 16]}}
  %dx, %dw, %db = boostr.fused_qkv_grad %dq, %dk, %dv, %x, %w wrt(input, weight, bias)
      num_heads = 2 num_kv_heads = 1 head_dim = 4 : tensor<2x2x3x4xf32>, tensor<2x1x3x4xf32>,
        tensor<2x1x3x4xf32>, tensor<2x3x8xf32>, tensor<8x16xf32>
  return
}

// -----

func.func @negative_fused_qkv_grad_c6_accumulate(%dq: tensor<2x2x3x4xf32>,
    %dk: tensor<2x1x3x4xf32>, %dv: tensor<2x1x3x4xf32>, %x: tensor<2x3x8xf32>,
    %w: tensor<16x8xf32>, %a: tensor<16x9xf32>) {
  // expected-error @below {{'accumulate_weight' expected [16, 8], got [16, 9]}}
  %dx, %dw, %db = boostr.fused_qkv_grad %dq, %dk, %dv, %x, %w accumulate_weight(%a) wrt(input, weight, bias)
      num_heads = 2 num_kv_heads = 1 head_dim = 4 : tensor<2x2x3x4xf32>, tensor<2x1x3x4xf32>,
        tensor<2x1x3x4xf32>, tensor<2x3x8xf32>, tensor<16x8xf32>, tensor<16x9xf32>
  return
}

// -----

func.func @negative_fused_qkv_grad_c6_rank(%dq: tensor<2x2x3x4xf32>, %dk: tensor<2x1x3x4xf32>,
    %dv: tensor<2x1x3x4xf32>, %x: tensor<2x3x8xf32>, %w: tensor<16x8xf32>, %a: tensor<128xf32>) {
  // expected-error @below {{'accumulate_weight' expected [16, 8], got [128]}}
  %dx, %dw, %db = boostr.fused_qkv_grad %dq, %dk, %dv, %x, %w accumulate_weight(%a) wrt(input, weight, bias)
      num_heads = 2 num_kv_heads = 1 head_dim = 4 : tensor<2x2x3x4xf32>, tensor<2x1x3x4xf32>,
        tensor<2x1x3x4xf32>, tensor<2x3x8xf32>, tensor<16x8xf32>, tensor<128xf32>
  return
}

// -----

func.func @negative_fused_qkv_grad_c7(%dq: tensor<2x2x3x4xf32>, %dk: tensor<2x1x3x4xf32>,
    %dv: tensor<2x1x3x4xf32>, %x: tensor<2x3x8xf32>, %w: tensor<16x8xf32>, %a: tensor<8xf32>) {
  // expected-error @below {{'accumulate_bias' expected [16], got [8]}}
  %dx, %dw, %db = boostr.fused_qkv_grad %dq, %dk, %dv, %x, %w accumulate_bias(%a) wrt(input, weight, bias)
      num_heads = 2 num_kv_heads = 1 head_dim = 4 : tensor<2x2x3x4xf32>, tensor<2x1x3x4xf32>,
        tensor<2x1x3x4xf32>, tensor<2x3x8xf32>, tensor<16x8xf32>, tensor<8xf32>
  return
}

// -----

func.func @negative_fused_qkv_grad_c8_weight(%dq: tensor<2x2x3x4xf32>, %dk: tensor<2x1x3x4xf32>,
    %dv: tensor<2x1x3x4xf32>, %x: tensor<2x3x8xf32>, %w: tensor<16x8xf32>, %a: tensor<16x8xf32>) {
  // expected-error @below {{'accumulate_weight' expected 'weight' in 'wrt'}}
  %dx, %db = boostr.fused_qkv_grad %dq, %dk, %dv, %x, %w accumulate_weight(%a) wrt(input, bias)
      num_heads = 2 num_kv_heads = 1 head_dim = 4 : tensor<2x2x3x4xf32>, tensor<2x1x3x4xf32>,
        tensor<2x1x3x4xf32>, tensor<2x3x8xf32>, tensor<16x8xf32>, tensor<16x8xf32>
  return
}

// -----

func.func @negative_fused_qkv_grad_c8_bias(%dq: tensor<2x2x3x4xf32>, %dk: tensor<2x1x3x4xf32>,
    %dv: tensor<2x1x3x4xf32>, %x: tensor<2x3x8xf32>, %w: tensor<16x8xf32>, %a: tensor<16xf32>) {
  // expected-error @below {{'accumulate_bias' expected 'bias' in 'wrt'}}
  %dx = boostr.fused_qkv_grad %dq, %dk, %dv, %x, %w accumulate_bias(%a) wrt(input)
      num_heads = 2 num_kv_heads = 1 head_dim = 4 : tensor<2x2x3x4xf32>, tensor<2x1x3x4xf32>,
        tensor<2x1x3x4xf32>, tensor<2x3x8xf32>, tensor<16x8xf32>, tensor<16xf32>
  return
}

// -----

func.func @negative_fused_qkv_grad_c9_mixed(%dq: tensor<2x2x3x4xf32>, %dk: memref<2x1x3x4xf32>,
    %dv: tensor<2x1x3x4xf32>, %x: tensor<2x3x8xf32>, %w: tensor<16x8xf32>) {
  // expected-error @below {{'d_key' expected a tensor as 'input' is, got 'memref<2x1x3x4xf32>'}}
  %dx, %dw, %db = boostr.fused_qkv_grad %dq, %dk, %dv, %x, %w wrt(input, weight, bias)
      num_heads = 2 num_kv_heads = 1 head_dim = 4 : tensor<2x2x3x4xf32>, memref<2x1x3x4xf32>,
        tensor<2x1x3x4xf32>, tensor<2x3x8xf32>, tensor<16x8xf32>
  return
}

// -----

func.func @negative_fused_qkv_grad_c9_accumulate(%dq: memref<2x2x3x4xf32>,
    %dk: memref<2x1x3x4xf32>, %dv: memref<2x1x3x4xf32>, %x: memref<2x3x8xf32>,
    %w: memref<16x8xf32>, %a: tensor<16xf32>) {
  // expected-error @below {{'accumulate_bias' expected a memref as 'input' is, got 'tensor<16xf32>'}}
  boostr.fused_qkv_grad %dq, %dk, %dv, %x, %w accumulate_bias(%a) wrt(bias)
      num_heads = 2 num_kv_heads = 1 head_dim = 4 : memref<2x2x3x4xf32>, memref<2x1x3x4xf32>,
        memref<2x1x3x4xf32>, memref<2x3x8xf32>, memref<16x8xf32>, tensor<16xf32>
  return
}

// -----

func.func @negative_fused_qkv_grad_c9_value_outs(%dq: tensor<2x2x3x4xf32>,
    %dk: tensor<2x1x3x4xf32>, %dv: tensor<2x1x3x4xf32>, %x: tensor<2x3x8xf32>,
    %w: tensor<16x8xf32>, %a: memref<16xf32>) {
  // expected-error @below {{'outs' expected 0 memrefs in value form, got 1}}
  %db = boostr.fused_qkv_grad %dq, %dk, %dv, %x, %w outs(%a) wrt(bias)
      num_heads = 2 num_kv_heads = 1 head_dim = 4 : tensor<2x2x3x4xf32>, tensor<2x1x3x4xf32>,
        tensor<2x1x3x4xf32>, tensor<2x3x8xf32>, tensor<16x8xf32>, memref<16xf32>
  return
}

// -----

func.func @negative_fused_qkv_grad_c9_buffer_outs(%dq: memref<2x2x3x4xf32>,
    %dk: memref<2x1x3x4xf32>, %dv: memref<2x1x3x4xf32>, %x: memref<2x3x8xf32>,
    %w: memref<16x8xf32>, %a: memref<16x8xf32>, %o: memref<2x3x8xf32>, %c: memref<16xf32>) {
  // expected-error @below {{'outs' expected 2 memrefs in buffer form, got 3}}
  boostr.fused_qkv_grad %dq, %dk, %dv, %x, %w accumulate_weight(%a) outs(%o, %a, %c) wrt(input, weight, bias)
      num_heads = 2 num_kv_heads = 1 head_dim = 4 : memref<2x2x3x4xf32>, memref<2x1x3x4xf32>,
        memref<2x1x3x4xf32>, memref<2x3x8xf32>, memref<16x8xf32>, memref<16x8xf32>,
        memref<2x3x8xf32>, memref<16x8xf32>, memref<16xf32>
  return
}

// -----

func.func @negative_fused_qkv_grad_c10_d_input(%dq: memref<2x2x3x4xf32>, %dk: memref<2x1x3x4xf32>,
    %dv: memref<2x1x3x4xf32>, %x: memref<2x3x8xf32>, %w: memref<16x8xf32>, %o: memref<3x2x8xf32>) {
  // expected-error @below {{'d_input' expected [2, 3, 8], got [3, 2, 8]}}
  boostr.fused_qkv_grad %dq, %dk, %dv, %x, %w outs(%o) wrt(input)
      num_heads = 2 num_kv_heads = 1 head_dim = 4 : memref<2x2x3x4xf32>, memref<2x1x3x4xf32>,
        memref<2x1x3x4xf32>, memref<2x3x8xf32>, memref<16x8xf32>, memref<3x2x8xf32>
  return
}

// -----

func.func @negative_fused_qkv_grad_c10_d_weight(%dq: memref<2x2x3x4xf32>, %dk: memref<2x1x3x4xf32>,
    %dv: memref<2x1x3x4xf32>, %x: memref<2x3x8xf32>, %w: memref<16x8xf32>, %o: memref<8x16xf32>) {
  // expected-error @below {{'d_weight' expected [16, 8], got [8, 16]}}
  boostr.fused_qkv_grad %dq, %dk, %dv, %x, %w outs(%o) wrt(weight)
      num_heads = 2 num_kv_heads = 1 head_dim = 4 : memref<2x2x3x4xf32>, memref<2x1x3x4xf32>,
        memref<2x1x3x4xf32>, memref<2x3x8xf32>, memref<16x8xf32>, memref<8x16xf32>
  return
}

// -----

func.func @negative_fused_qkv_grad_c10_d_bias(%dq: memref<2x2x3x4xbf16>, %dk: memref<2x1x3x4xbf16>,
    %dv: memref<2x1x3x4xbf16>, %x: memref<2x3x8xbf16>, %w: memref<16x8xbf16>, %o: memref<16xf32>) {
  // expected-error @below {{'d_bias' expected element type 'bf16', got 'f32'}}
  boostr.fused_qkv_grad %dq, %dk, %dv, %x, %w outs(%o) wrt(bias)
      num_heads = 2 num_kv_heads = 1 head_dim = 4 : memref<2x2x3x4xbf16>, memref<2x1x3x4xbf16>,
        memref<2x1x3x4xbf16>, memref<2x3x8xbf16>, memref<16x8xbf16>, memref<16xf32>
  return
}

// -----

func.func @negative_fused_qkv_grad_c6_value_weight(%dy: tensor<2x1x3x4xf32>, %x: tensor<2x3x8xf32>,
    %w: tensor<4x8xf32>, %wv: tensor<4x9xf32>) {
  // expected-error@+1 {{'value_weight' expected [4, 8], got [4, 9]}}
  %dx = boostr.fused_qkv_grad %dy, %dy, %dy, %x, %w, %w, %wv wrt(input) num_heads = 1 num_kv_heads = 1 head_dim = 4
      : tensor<2x1x3x4xf32>, tensor<2x1x3x4xf32>, tensor<2x1x3x4xf32>, tensor<2x3x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x9xf32>
  return
}

// -----

func.func @negative_fused_qkv_grad_c10_d_key_bias(%dy: memref<2x1x3x4xf32>, %x: memref<2x3x8xf32>,
    %w: memref<4x8xf32>, %db: memref<4xf32>, %dbk: memref<5xf32>) {
  // expected-error@+1 {{'d_key_bias' expected [4], got [5]}}
  boostr.fused_qkv_grad %dy, %dy, %dy, %x, %w, %w, %w outs(%db, %dbk, %db) wrt(bias) num_heads = 1 num_kv_heads = 1 head_dim = 4
      : memref<2x1x3x4xf32>, memref<2x1x3x4xf32>, memref<2x1x3x4xf32>, memref<2x3x8xf32>, memref<4x8xf32>, memref<4x8xf32>, memref<4x8xf32>,
        memref<4xf32>, memref<5xf32>, memref<4xf32>
  return
}

// -----

func.func @negative_fused_qkv_grad_c11_weights(%dy: tensor<2x1x3x4xf32>, %x: tensor<2x3x8xf32>, %w: tensor<4x8xf32>) {
  // expected-error@+1 {{'weight' expected 1 or 3 operands, got 2}}
  %dx = boostr.fused_qkv_grad %dy, %dy, %dy, %x, %w, %w wrt(input) num_heads = 1 num_kv_heads = 1 head_dim = 4
      : tensor<2x1x3x4xf32>, tensor<2x1x3x4xf32>, tensor<2x1x3x4xf32>, tensor<2x3x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>
  return
}

// -----

func.func @negative_fused_qkv_grad_c11_accumulate(%dy: tensor<2x1x3x4xf32>, %x: tensor<2x3x8xf32>, %w: tensor<4x8xf32>, %a: tensor<4xf32>) {
  // expected-error@+1 {{'accumulate_bias' expected 3 operands as 'weight' has, got 1}}
  %db:3 = boostr.fused_qkv_grad %dy, %dy, %dy, %x, %w, %w, %w accumulate_bias(%a) wrt(bias) num_heads = 1 num_kv_heads = 1 head_dim = 4
      : tensor<2x1x3x4xf32>, tensor<2x1x3x4xf32>, tensor<2x1x3x4xf32>, tensor<2x3x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>, tensor<4xf32>
  return
}

// -----

func.func @negative_fused_qkv_grad_type(%dq: tensor<2x2x3x4xf32>, %dk: tensor<2x1x3x4xf32>,
    %dv: tensor<2x1x3x4xf32>, %x: tensor<2x3x8xf32>, %w: i32) {
  // expected-error @below {{'weight' expected a ranked tensor or memref, got 'i32'}}
  %dw = boostr.fused_qkv_grad %dq, %dk, %dv, %x, %w wrt(weight)
      num_heads = 2 num_kv_heads = 1 head_dim = 4 : tensor<2x2x3x4xf32>, tensor<2x1x3x4xf32>,
        tensor<2x1x3x4xf32>, tensor<2x3x8xf32>, i32
  return
}

// -----

func.func @negative_fused_qkv_grad_unranked(%dq: tensor<2x2x3x4xf32>, %dk: tensor<2x1x3x4xf32>,
    %dv: tensor<2x1x3x4xf32>, %x: tensor<2x3x8xf32>, %w: tensor<16x8xf32>, %a: tensor<*xf32>) {
  // expected-error @below {{'accumulate_weight' expected a ranked tensor or memref, got 'tensor<*xf32>'}}
  %dw = boostr.fused_qkv_grad %dq, %dk, %dv, %x, %w accumulate_weight(%a) wrt(weight)
      num_heads = 2 num_kv_heads = 1 head_dim = 4 : tensor<2x2x3x4xf32>, tensor<2x1x3x4xf32>,
        tensor<2x1x3x4xf32>, tensor<2x3x8xf32>, tensor<16x8xf32>, tensor<*xf32>
  return
}

// -----

//===----------------------------------------------------------------------===//
// out_proj_residual
//===----------------------------------------------------------------------===//

func.func @negative_out_proj_residual_c1_weight(%a: tensor<2x3x8xf32>, %w: tensor<4x8xf16>,
    %r: tensor<2x3x4xf32>) {
  // expected-error @below {{'weight' expected element type 'f32', got 'f16'}}
  %y = boostr.out_proj_residual %a, %w residual(%r)
      : tensor<2x3x8xf32>, tensor<4x8xf16>, tensor<2x3x4xf32>
  return
}

// -----

func.func @negative_out_proj_residual_c1_bias(%a: tensor<2x3x8xbf16>, %w: tensor<4x8xbf16>,
    %b: tensor<4xf32>, %r: tensor<2x3x4xbf16>) {
  // expected-error @below {{'bias' expected element type 'bf16', got 'f32'}}
  %y = boostr.out_proj_residual %a, %w bias(%b) residual(%r)
      : tensor<2x3x8xbf16>, tensor<4x8xbf16>, tensor<4xf32>, tensor<2x3x4xbf16>
  return
}

// -----

func.func @negative_out_proj_residual_c1_residual(%a: tensor<2x3x8xbf16>, %w: tensor<4x8xbf16>,
    %r: tensor<2x3x4xf32>) {
  // expected-error @below {{'residual' expected element type 'bf16', got 'f32'}}
  %y = boostr.out_proj_residual %a, %w residual(%r)
      : tensor<2x3x8xbf16>, tensor<4x8xbf16>, tensor<2x3x4xf32>
  return
}

// -----

func.func @negative_out_proj_residual_c2(%a: tensor<6x8xf32>, %w: tensor<4x8xf32>,
    %r: tensor<2x3x4xf32>) {
  // expected-error @below {{'attn' expected [2, 3, 8], got [6, 8]}}
  %y = boostr.out_proj_residual %a, %w residual(%r)
      : tensor<6x8xf32>, tensor<4x8xf32>, tensor<2x3x4xf32>
  return
}

// -----

func.func @negative_out_proj_residual_c2_heads(%a: tensor<2x2x3x4xf32>, %w: tensor<4x8xf32>,
    %r: tensor<2x3x4xf32>) {
  // expected-error @below {{'attn' expected [2, 3, 8], got [2, 2, 3, 4]}}
  %y = boostr.out_proj_residual %a, %w residual(%r)
      : tensor<2x2x3x4xf32>, tensor<4x8xf32>, tensor<2x3x4xf32>
  return
}

// -----

func.func @negative_out_proj_residual_c3(%a: tensor<2x3x8xf32>, %w: tensor<4x9xf32>,
    %r: tensor<2x3x4xf32>) {
  // expected-error @below {{'weight' expected [4, 8], got [4, 9]}}
  %y = boostr.out_proj_residual %a, %w residual(%r)
      : tensor<2x3x8xf32>, tensor<4x9xf32>, tensor<2x3x4xf32>
  return
}

// -----

func.func @negative_out_proj_residual_c3_rank(%a: tensor<2x3x8xf32>, %w: tensor<32xf32>,
    %r: tensor<2x3x4xf32>) {
  // expected-error @below {{'weight' expected [4, 8], got [32]}}
  %y = boostr.out_proj_residual %a, %w residual(%r)
      : tensor<2x3x8xf32>, tensor<32xf32>, tensor<2x3x4xf32>
  return
}

// -----

func.func @negative_out_proj_residual_c4(%a: tensor<2x3x8xf32>, %w: tensor<4x8xf32>,
    %b: tensor<8xf32>, %r: tensor<2x3x4xf32>) {
  // expected-error @below {{'bias' expected [4], got [8]}}
  %y = boostr.out_proj_residual %a, %w bias(%b) residual(%r)
      : tensor<2x3x8xf32>, tensor<4x8xf32>, tensor<8xf32>, tensor<2x3x4xf32>
  return
}

// -----

func.func @negative_out_proj_residual_c4_rank(%a: tensor<2x3x8xf32>, %w: tensor<4x8xf32>,
    %b: tensor<1x4xf32>, %r: tensor<2x3x4xf32>) {
  // expected-error @below {{'bias' expected [4], got [1, 4]}}
  %y = boostr.out_proj_residual %a, %w bias(%b) residual(%r)
      : tensor<2x3x8xf32>, tensor<4x8xf32>, tensor<1x4xf32>, tensor<2x3x4xf32>
  return
}

// -----

func.func @negative_out_proj_residual_c5(%a: tensor<2x3x8xf32>, %w: tensor<4x8xf32>,
    %r: tensor<2x3x5xf32>) {
  // expected-error @below {{'residual' expected [2, 3, 4], got [2, 3, 5]}}
  %y = boostr.out_proj_residual %a, %w residual(%r)
      : tensor<2x3x8xf32>, tensor<4x8xf32>, tensor<2x3x5xf32>
  return
}

// -----

func.func @negative_out_proj_residual_c5_tokens(%a: tensor<2x3x8xf32>, %w: tensor<4x8xf32>,
    %r: tensor<2x1x4xf32>) {
  // expected-error @below {{'residual' expected [2, 3, 4], got [2, 1, 4]}}
  %y = boostr.out_proj_residual %a, %w residual(%r)
      : tensor<2x3x8xf32>, tensor<4x8xf32>, tensor<2x1x4xf32>
  return
}

// -----

func.func @negative_out_proj_residual_c6_mixed(%a: tensor<2x3x8xf32>, %w: tensor<4x8xf32>,
    %r: memref<2x3x4xf32>) {
  // expected-error @below {{'residual' expected a tensor as 'attn' is, got 'memref<2x3x4xf32>'}}
  boostr.out_proj_residual %a, %w residual(%r)
      : tensor<2x3x8xf32>, tensor<4x8xf32>, memref<2x3x4xf32>
  return
}

// -----

func.func @negative_out_proj_residual_c6_value_outs(%a: tensor<2x3x8xf32>, %w: tensor<4x8xf32>,
    %r: tensor<2x3x4xf32>, %o0: memref<2x3x4xf32>) {
  // expected-error @below {{'outs' expected 0 memrefs in value form, got 1}}
  %y = boostr.out_proj_residual %a, %w residual(%r) outs(%o0)
      : tensor<2x3x8xf32>, tensor<4x8xf32>, tensor<2x3x4xf32>, memref<2x3x4xf32>
  return
}

// -----

func.func @negative_out_proj_residual_c6_buffer_outs(%a: memref<2x3x8xf32>, %w: memref<4x8xf32>,
    %r: memref<2x3x4xf32>) {
  // expected-error @below {{'outs' expected 1 memrefs in buffer form, got 0}}
  boostr.out_proj_residual %a, %w residual(%r)
      : memref<2x3x8xf32>, memref<4x8xf32>, memref<2x3x4xf32>
  return
}

// -----

func.func @negative_out_proj_residual_c7_shape(%a: memref<2x3x8xf32>, %w: memref<4x8xf32>,
    %r: memref<2x3x4xf32>, %o0: memref<6x4xf32>) {
  // expected-error @below {{'output' expected [2, 3, 4], got [6, 4]}}
  boostr.out_proj_residual %a, %w residual(%r) outs(%o0)
      : memref<2x3x8xf32>, memref<4x8xf32>, memref<2x3x4xf32>, memref<6x4xf32>
  return
}

// -----

func.func @negative_out_proj_residual_c7_element_type(%a: memref<2x3x8xf16>, %w: memref<4x8xf16>,
    %r: memref<2x3x4xf16>, %o0: memref<2x3x4xf32>) {
  // expected-error @below {{'output' expected element type 'f16', got 'f32'}}
  boostr.out_proj_residual %a, %w residual(%r) outs(%o0)
      : memref<2x3x8xf16>, memref<4x8xf16>, memref<2x3x4xf16>, memref<2x3x4xf32>
  return
}

// -----

func.func @negative_out_proj_residual_type(%a: tensor<2x3x8xf32>, %w: tensor<4x8xf32>,
    %r: tensor<*xf32>) {
  // expected-error @below {{'residual' expected a ranked tensor or memref, got 'tensor<*xf32>'}}
  %y = boostr.out_proj_residual %a, %w residual(%r)
      : tensor<2x3x8xf32>, tensor<4x8xf32>, tensor<*xf32>
  return
}

// -----

//===----------------------------------------------------------------------===//
// out_proj_residual_grad
//===----------------------------------------------------------------------===//

func.func @negative_out_proj_residual_grad_c1_d_output(%dy: tensor<2x3x4xf64>,
    %a: tensor<2x3x8xf32>, %w: tensor<4x8xf32>) {
  // expected-error @below {{'d_output' expected element type 'f32', got 'f64'}}
  %da, %dw, %db = boostr.out_proj_residual_grad %dy, %a, %w wrt(attn, weight, bias)
      : tensor<2x3x4xf64>, tensor<2x3x8xf32>, tensor<4x8xf32>
  return
}

// -----

func.func @negative_out_proj_residual_grad_c1_weight(%dy: tensor<2x3x4xbf16>,
    %a: tensor<2x3x8xbf16>, %w: tensor<4x8xf32>) {
  // expected-error @below {{'weight' expected element type 'bf16', got 'f32'}}
  %da, %dw, %db = boostr.out_proj_residual_grad %dy, %a, %w wrt(attn, weight, bias)
      : tensor<2x3x4xbf16>, tensor<2x3x8xbf16>, tensor<4x8xf32>
  return
}

// -----

func.func @negative_out_proj_residual_grad_c2(%dy: tensor<2x3x4xf32>, %a: tensor<2x3x8xf32>,
    %w: tensor<4x8xf32>, %c: tensor<4x8xbf16>) {
  // expected-error @below {{'accumulate_weight' expected element type 'f32', got 'bf16'}}
  %da, %dw, %db = boostr.out_proj_residual_grad %dy, %a, %w accumulate_weight(%c) wrt(attn, weight, bias)
      : tensor<2x3x4xf32>, tensor<2x3x8xf32>, tensor<4x8xf32>, tensor<4x8xbf16>
  return
}

// -----

func.func @negative_out_proj_residual_grad_c2_f16(%dy: tensor<2x3x4xf16>, %a: tensor<2x3x8xf16>,
    %w: tensor<4x8xf16>, %c: tensor<4xf64>) {
  // expected-error @below {{'accumulate_bias' expected element type 'f16' or 'f32', got 'f64'}}
  %da, %dw, %db = boostr.out_proj_residual_grad %dy, %a, %w accumulate_bias(%c) wrt(attn, weight, bias)
      : tensor<2x3x4xf16>, tensor<2x3x8xf16>, tensor<4x8xf16>, tensor<4xf64>
  return
}

// -----

func.func @negative_out_proj_residual_grad_c5_columns(%dy: tensor<2x3x4xf32>,
    %a: tensor<2x3x9xf32>, %w: tensor<4x8xf32>) {
  // expected-error @below {{'weight' expected [4, 9], got [4, 8]}}
  %da, %dw, %db = boostr.out_proj_residual_grad %dy, %a, %w wrt(attn, weight, bias)
      : tensor<2x3x4xf32>, tensor<2x3x9xf32>, tensor<4x8xf32>
  return
}

// -----

func.func @negative_out_proj_residual_grad_c3(%dy: tensor<2x3x4xf32>, %a: tensor<6x8xf32>,
    %w: tensor<4x8xf32>) {
  // expected-error @below {{'attn' expected [2, 3, 8], got [6, 8]}}
  %da, %dw, %db = boostr.out_proj_residual_grad %dy, %a, %w wrt(attn, weight, bias)
      : tensor<2x3x4xf32>, tensor<6x8xf32>, tensor<4x8xf32>
  return
}

// -----

func.func @negative_out_proj_residual_grad_c4(%dy: tensor<2x3x5xf32>, %a: tensor<2x3x8xf32>,
    %w: tensor<4x8xf32>) {
  // expected-error @below {{'d_output' expected [2, 3, 4], got [2, 3, 5]}}
  %da, %dw, %db = boostr.out_proj_residual_grad %dy, %a, %w wrt(attn, weight, bias)
      : tensor<2x3x5xf32>, tensor<2x3x8xf32>, tensor<4x8xf32>
  return
}

// -----

func.func @negative_out_proj_residual_grad_c4_rank(%dy: tensor<6x4xf32>, %a: tensor<2x3x8xf32>,
    %w: tensor<4x8xf32>) {
  // expected-error @below {{'d_output' expected [2, 3, 4], got [6, 4]}}
  %da, %dw, %db = boostr.out_proj_residual_grad %dy, %a, %w wrt(attn, weight, bias)
      : tensor<6x4xf32>, tensor<2x3x8xf32>, tensor<4x8xf32>
  return
}

// -----

func.func @negative_out_proj_residual_grad_c5(%dy: tensor<2x3x4xf32>, %a: tensor<2x3x8xf32>,
    %w: tensor<32xf32>) {
  // expected-error @below {{'weight' expected [4, 8], got [32]}}
  %da, %dw, %db = boostr.out_proj_residual_grad %dy, %a, %w wrt(attn, weight, bias)
      : tensor<2x3x4xf32>, tensor<2x3x8xf32>, tensor<32xf32>
  return
}

// -----

func.func @negative_out_proj_residual_grad_c5_accumulate(%dy: tensor<2x3x4xf32>,
    %a: tensor<2x3x8xf32>, %w: tensor<4x8xf32>, %c: tensor<8x4xf32>) {
  // expected-error @below {{'accumulate_weight' expected [4, 8], got [8, 4]}}
  %da, %dw, %db = boostr.out_proj_residual_grad %dy, %a, %w accumulate_weight(%c) wrt(attn, weight, bias)
      : tensor<2x3x4xf32>, tensor<2x3x8xf32>, tensor<4x8xf32>, tensor<8x4xf32>
  return
}

// -----

func.func @negative_out_proj_residual_grad_c6(%dy: tensor<2x3x4xf32>, %a: tensor<2x3x8xf32>,
    %w: tensor<4x8xf32>, %c: tensor<8xf32>) {
  // expected-error @below {{'accumulate_bias' expected [4], got [8]}}
  %da, %dw, %db = boostr.out_proj_residual_grad %dy, %a, %w accumulate_bias(%c) wrt(attn, weight, bias)
      : tensor<2x3x4xf32>, tensor<2x3x8xf32>, tensor<4x8xf32>, tensor<8xf32>
  return
}

// -----

func.func @negative_out_proj_residual_grad_c7_weight(%dy: tensor<2x3x4xf32>, %a: tensor<2x3x8xf32>,
    %w: tensor<4x8xf32>, %c: tensor<4x8xf32>) {
  // expected-error @below {{'accumulate_weight' expected 'weight' in 'wrt'}}
  %da = boostr.out_proj_residual_grad %dy, %a, %w accumulate_weight(%c) wrt(attn)
      : tensor<2x3x4xf32>, tensor<2x3x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>
  return
}

// -----

func.func @negative_out_proj_residual_grad_c7_bias(%dy: tensor<2x3x4xf32>, %a: tensor<2x3x8xf32>,
    %w: tensor<4x8xf32>, %c: tensor<4xf32>) {
  // expected-error @below {{'accumulate_bias' expected 'bias' in 'wrt'}}
  %da, %dw = boostr.out_proj_residual_grad %dy, %a, %w accumulate_bias(%c) wrt(attn, weight)
      : tensor<2x3x4xf32>, tensor<2x3x8xf32>, tensor<4x8xf32>, tensor<4xf32>
  return
}

// -----

func.func @negative_out_proj_residual_grad_c8_mixed(%dy: tensor<2x3x4xf32>, %a: tensor<2x3x8xf32>,
    %w: memref<4x8xf32>) {
  // expected-error @below {{'weight' expected a tensor as 'attn' is, got 'memref<4x8xf32>'}}
  %da, %dw, %db = boostr.out_proj_residual_grad %dy, %a, %w wrt(attn, weight, bias)
      : tensor<2x3x4xf32>, tensor<2x3x8xf32>, memref<4x8xf32>
  return
}

// -----

func.func @negative_out_proj_residual_grad_c8_value_outs(%dy: tensor<2x3x4xf32>,
    %a: tensor<2x3x8xf32>, %w: tensor<4x8xf32>, %c: memref<4xf32>) {
  // expected-error @below {{'outs' expected 0 memrefs in value form, got 1}}
  %db = boostr.out_proj_residual_grad %dy, %a, %w outs(%c) wrt(bias)
      : tensor<2x3x4xf32>, tensor<2x3x8xf32>, tensor<4x8xf32>, memref<4xf32>
  return
}

// -----

func.func @negative_out_proj_residual_grad_c8_buffer_outs(%dy: memref<2x3x4xf32>,
    %a: memref<2x3x8xf32>, %w: memref<4x8xf32>, %c: memref<4x8xf32>) {
  // expected-error @below {{'outs' expected 2 memrefs in buffer form, got 1}}
  boostr.out_proj_residual_grad %dy, %a, %w outs(%c) wrt(weight, bias)
      : memref<2x3x4xf32>, memref<2x3x8xf32>, memref<4x8xf32>, memref<4x8xf32>
  return
}

// -----

func.func @negative_out_proj_residual_grad_c9_d_attn(%dy: memref<2x3x4xf32>, %a: memref<2x3x8xf32>,
    %w: memref<4x8xf32>, %c: memref<2x3x4xf32>) {
  // expected-error @below {{'d_attn' expected [2, 3, 8], got [2, 3, 4]}}
  boostr.out_proj_residual_grad %dy, %a, %w outs(%c) wrt(attn)
      : memref<2x3x4xf32>, memref<2x3x8xf32>, memref<4x8xf32>, memref<2x3x4xf32>
  return
}

// -----

func.func @negative_out_proj_residual_grad_c9_d_weight(%dy: memref<2x3x4xbf16>,
    %a: memref<2x3x8xbf16>, %w: memref<4x8xbf16>, %c: memref<4x8xf32>) {
  // expected-error @below {{'d_weight' expected element type 'bf16', got 'f32'}}
  boostr.out_proj_residual_grad %dy, %a, %w outs(%c) wrt(weight)
      : memref<2x3x4xbf16>, memref<2x3x8xbf16>, memref<4x8xbf16>, memref<4x8xf32>
  return
}

// -----

func.func @negative_out_proj_residual_grad_c9_d_bias(%dy: memref<2x3x4xf32>, %a: memref<2x3x8xf32>,
    %w: memref<4x8xf32>, %c: memref<8xf32>) {
  // expected-error @below {{'d_bias' expected [4], got [8]}}
  boostr.out_proj_residual_grad %dy, %a, %w outs(%c) wrt(bias)
      : memref<2x3x4xf32>, memref<2x3x8xf32>, memref<4x8xf32>, memref<8xf32>
  return
}

// -----

func.func @negative_out_proj_residual_grad_type(%dy: tensor<2x3x4xf32>, %a: tensor<2x3x8xf32>,
    %w: tensor<4x8xf32>, %c: i32) {
  // expected-error @below {{'accumulate_bias' expected a ranked tensor or memref, got 'i32'}}
  %db = boostr.out_proj_residual_grad %dy, %a, %w accumulate_bias(%c) wrt(bias)
      : tensor<2x3x4xf32>, tensor<2x3x8xf32>, tensor<4x8xf32>, i32
  return
}

//===----------------------------------------------------------------------===//
// pack_array and packed_array
//===----------------------------------------------------------------------===//

// -----

func.func @negative_pack_array_c1(%w: tensor<32x63xf32>) {
  // expected-error @below {{'array' expected [32, 64], got [32, 63]}}
  %p = boostr.pack_array %w layout(#boostr.packed_layout<array = tensor<32x64xf32>, kernel = fma, side = rows, width = 6, block = [16, 64], lanes = 8, rows = [32]>) : tensor<32x63xf32> to tensor<12480xi8>
  return
}

// -----

func.func @negative_pack_array_c1_type(%w: tensor<32x64xf16>) {
  // expected-error @below {{'array' expected element type 'f32', got 'f16'}}
  %p = boostr.pack_array %w layout(#boostr.packed_layout<array = tensor<32x64xf32>, kernel = fma, side = rows, width = 6, block = [16, 64], lanes = 8, rows = [32]>) : tensor<32x64xf16> to tensor<12480xi8>
  return
}

// -----

func.func @negative_pack_array_c2(%w: tensor<32x64xf32>) {
  // expected-error @below {{'packed' expected [12480], got [12544]}}
  %p = boostr.pack_array %w layout(#boostr.packed_layout<array = tensor<32x64xf32>, kernel = fma, side = rows, width = 6, block = [16, 64], lanes = 8, rows = [32]>) : tensor<32x64xf32> to tensor<12544xi8>
  return
}

// -----

func.func @negative_pack_array_c3(%w: memref<32x64xf32>) {
  // expected-error @below {{'array' and 'packed' expected static tensors or memrefs, got 'memref<32x64xf32>' and 'tensor<12480xi8>'}}
  %p = boostr.pack_array %w layout(#boostr.packed_layout<array = tensor<32x64xf32>, kernel = fma, side = rows, width = 6, block = [16, 64], lanes = 8, rows = [32]>) : memref<32x64xf32> to tensor<12480xi8>
  return
}

// -----

func.func @negative_pack_array_c3_out(%w: memref<32x64xf32>) {
  // expected-error @below {{expected 'out' or a result, and not both}}
  boostr.pack_array %w layout(#boostr.packed_layout<array = tensor<32x64xf32>, kernel = fma, side = rows, width = 6, block = [16, 64], lanes = 8, rows = [32]>) : memref<32x64xf32>
  return
}

// -----

func.func @negative_packed_array_c2(%p: tensor<12544xi8>) {
  // expected-error @below {{'packed' expected [12480], got [12544]}}
  %w = boostr.packed_array %p layout(#boostr.packed_layout<array = tensor<32x64xf32>, kernel = fma, side = rows, width = 6, block = [16, 64], lanes = 8, rows = [32]>) : tensor<12544xi8> to tensor<32x64xf32>
  return
}
