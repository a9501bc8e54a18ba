// RUN: boostr-opt %s --convert-boostr-to-linalg -split-input-file -verify-diagnostics

func.func @negative_buffer_form(%a: memref<2x3x8xf32>, %w: memref<4x8xf32>, %r: memref<2x3x4xf32>) {
  // expected-error @below {{expected the value form, on tensors, got the buffer form; lower to linalg before bufferization}}
  boostr.out_proj_residual %a, %w residual(%r) outs(%r)
      : memref<2x3x8xf32>, memref<4x8xf32>, memref<2x3x4xf32>, memref<2x3x4xf32>
  return
}

// -----

func.func @negative_buffer_form_grad(%dy: memref<2x3x4xf32>, %a: memref<2x3x8xf32>, %w: memref<4x8xf32>,
    %db: memref<4xf32>) {
  // expected-error @below {{'boostr.out_proj_residual_grad' op expected the value form}}
  boostr.out_proj_residual_grad %dy, %a, %w accumulate_bias(%db) wrt(bias)
      : memref<2x3x4xf32>, memref<2x3x8xf32>, memref<4x8xf32>, memref<4xf32>
  return
}
