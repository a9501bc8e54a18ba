// RUN: boostr-opt %s --boostr-set-cpu-target=cpu=x86-64-v3 --boostr-prepack-weights=arguments=weight --split-input-file --verify-diagnostics

// expected-error @below {{expected a public function with a weight 'weight' to pack, got none that can be}}
module {
  func.func @negative_no_such_argument(%w: tensor<8x8xf32>) {
    return
  }
}

// -----

// expected-error @below {{expected a public function with a weight 'weight' to pack, got none that can be}}
module {
func.func @negative_dynamic(%a: tensor<1x2x8xf32>, %w: tensor<?x8xf32> {boostr.name = "weight"},
    %r: tensor<1x2x?xf32>) -> tensor<1x2x?xf32> {
  // expected-warning @below {{'boostr.out_proj_residual' op cannot use 'weight' packed, so there is no 'negative_dynamic_packed': expected a tensor of static shape, got 'tensor<?x8xf32>'}}
  %y = boostr.out_proj_residual %a, %w residual(%r)
      : tensor<1x2x8xf32>, tensor<?x8xf32>, tensor<1x2x?xf32>
  return %y : tensor<1x2x?xf32>
}
}

// -----

// expected-error @below {{expected a public function with a weight 'weight' to pack, got none that can be}}
module {
func.func @negative_other_use(%w: tensor<8x8xf32> {boostr.name = "weight"}) -> tensor<8x8xf32> {
  // expected-warning @below {{'arith.addf' op cannot use 'weight' packed, so there is no 'negative_other_use_packed': expected boostr ops alone to use it}}
  %y = arith.addf %w, %w : tensor<8x8xf32>
  return %y : tensor<8x8xf32>
}
}

// -----

// expected-error @below {{expected a public function with a weight 'weight' to pack, got none that can be}}
module {
func.func @negative_no_weight(%a: tensor<1x8x8xf32> {boostr.name = "weight"}, %w: tensor<8x8xf32>)
    -> tensor<1x8x8xf32> {
  // expected-warning @below {{'boostr.out_proj_residual' op cannot use 'weight' packed, so there is no 'negative_no_weight_packed': expected it to be the whole weight}}
  %y = boostr.out_proj_residual %a, %w residual(%a)
      : tensor<1x8x8xf32>, tensor<8x8xf32>, tensor<1x8x8xf32>
  return %y : tensor<1x8x8xf32>
}
}

// -----

// expected-error @below {{expected a public function with a weight 'weight' to pack, got none that can be}}
module {
func.func @negative_separate(%x: tensor<1x8x8xf32>, %w: tensor<8x8xf32> {boostr.name = "weight"}, %wk: tensor<8x8xf32>)
    -> tensor<1x1x8x8xf32> {
  // expected-warning @below {{'boostr.fused_qkv' op cannot use 'weight' packed, so there is no 'negative_separate_packed': expected it to be the whole weight}}
  %q, %k, %v = boostr.fused_qkv %x, %w, %wk, %wk num_heads = 1 num_kv_heads = 1 head_dim = 8
      : tensor<1x8x8xf32>, tensor<8x8xf32>, tensor<8x8xf32>, tensor<8x8xf32>
  return %q : tensor<1x1x8x8xf32>
}
}

// -----

// expected-error @below {{expected a public function with a weight 'weight' to pack, got none that can be}}
module {
func.func @negative_two_layouts(%a: tensor<1x2x8xf32>, %w: tensor<8x8xf32> {boostr.name = "weight"})
    -> (tensor<1x2x8xf32>, tensor<1x2x8xf32>) {
  %y = boostr.out_proj_residual %a, %w residual(%a)
      : tensor<1x2x8xf32>, tensor<8x8xf32>, tensor<1x2x8xf32>
  // expected-warning-re @below {{op cannot use 'weight' packed, so there is no 'negative_two_layouts_packed': expected #boostr.packed_layout<{{.*}}> as another op, got #boostr.packed_layout<{{.*}}>}}
  %d = boostr.out_proj_residual_grad %y, %a, %w wrt(attn)
      : tensor<1x2x8xf32>, tensor<1x2x8xf32>, tensor<8x8xf32>
  return %y, %d : tensor<1x2x8xf32>, tensor<1x2x8xf32>
}
}

// -----

// expected-error @below {{cannot pack arguments of function 'taken': the symbol 'taken_packed' is taken}}
func.func @taken(%a: tensor<1x2x8xf32>, %w: tensor<8x8xf32> {boostr.name = "weight"}) -> tensor<1x2x8xf32> {
  %y = boostr.out_proj_residual %a, %w residual(%a)
      : tensor<1x2x8xf32>, tensor<8x8xf32>, tensor<1x2x8xf32>
  return %y : tensor<1x2x8xf32>
}
// expected-note @below {{by this}}
func.func private @taken_packed()

// -----

// What cannot be packed in one function can be in another.
func.func @update(%w: tensor<8x8xf32> {boostr.name = "weight"}) -> tensor<8x8xf32> {
  // expected-warning @below {{'arith.addf' op cannot use 'weight' packed, so there is no 'update_packed': expected boostr ops alone to use it}}
  %y = arith.addf %w, %w : tensor<8x8xf32>
  return %y : tensor<8x8xf32>
}
func.func @project(%a: tensor<1x2x8xf32>, %w: tensor<8x8xf32> {boostr.name = "weight"}) -> tensor<1x2x8xf32> {
  %y = boostr.out_proj_residual %a, %w residual(%a)
      : tensor<1x2x8xf32>, tensor<8x8xf32>, tensor<1x2x8xf32>
  return %y : tensor<1x2x8xf32>
}
