// RUN: boostr-opt %s --split-input-file --verify-diagnostics --boostr-generate-cpu

func.func @negative_value_form(%a: tensor<1x4x8xf32>, %w: tensor<8x8xf32>,
    %r: tensor<1x4x8xf32>) -> tensor<1x4x8xf32> {
  // expected-error @below {{'boostr.out_proj_residual' op expected the buffer form, on memrefs, got the value form; bufferize before generating code}}
  %y = boostr.out_proj_residual %a, %w residual(%r)
      : tensor<1x4x8xf32>, tensor<8x8xf32>, tensor<1x4x8xf32>
  return %y : tensor<1x4x8xf32>
}

// -----

func.func @negative_no_tile(%a: memref<1x4x8xf32>, %w: memref<8x8xf32>,
    %y: memref<1x4x8xf32>) {
  // expected-error @below {{'boostr.out_proj_residual' op expected an attribute 'boostr.cpu_tile'; run boostr-select-cpu-tile before}}
  boostr.out_proj_residual %a, %w residual(%y) outs(%y)
      : memref<1x4x8xf32>, memref<8x8xf32>, memref<1x4x8xf32>, memref<1x4x8xf32>
  return
}

// -----

func.func @negative_lanes_no_power_of_two(%a: memref<1x4x8xf32>,
    %w: memref<8x8xf32>, %y: memref<1x4x8xf32>) {
  // expected-error @below {{'boostr.out_proj_residual' op 'boostr.cpu_tile' expected 'lanes' a power of two, got 3}}
  boostr.out_proj_residual %a, %w residual(%y) outs(%y) {boostr.cpu_tile =
      #boostr.cpu_tile<kernel = fma, block = [3, 6, 3], register = [3, 6], lanes = 3, packed_bytes = 4096>}
      : memref<1x4x8xf32>, memref<8x8xf32>, memref<1x4x8xf32>, memref<1x4x8xf32>
  return
}

// -----

func.func @negative_amx_f32(%a: memref<1x16x32xf32>, %w: memref<16x32xf32>,
    %y: memref<1x16x16xf32>) {
  // expected-error @below {{'boostr.out_proj_residual' op 'boostr.cpu_tile' expected elements of type 'bf16' with 'kernel' = amx, got 'f32'}}
  boostr.out_proj_residual %a, %w residual(%y) outs(%y) {boostr.cpu_tile =
      #boostr.cpu_tile<kernel = amx, block = [16, 32, 32], register = [16, 32], lanes = 16, packed_bytes = 0>}
      : memref<1x16x32xf32>, memref<16x32xf32>, memref<1x16x16xf32>, memref<1x16x16xf32>
  return
}

// -----

func.func @negative_dot_f32(%a: memref<1x16x32xf32>, %w: memref<16x32xf32>,
    %y: memref<1x16x16xf32>) {
  // expected-error @below {{'boostr.out_proj_residual' op 'boostr.cpu_tile' expected elements of type 'bf16' with 'kernel' = dot, got 'f32'}}
  boostr.out_proj_residual %a, %w residual(%y) outs(%y) {boostr.cpu_tile =
      #boostr.cpu_tile<kernel = dot, block = [16, 32, 32], register = [16, 32], lanes = 16, packed_bytes = 0>}
      : memref<1x16x32xf32>, memref<16x32xf32>, memref<1x16x16xf32>, memref<1x16x16xf32>
  return
}

// -----

func.func @negative_packed_otherwise(%a: memref<1x4x64xf32>, %p: memref<12480xi8>, %y: memref<1x4x32xf32>) {
  %w = boostr.packed_array %p layout(#boostr.packed_layout<array = tensor<32x64xf32>, kernel = fma, side = rows, width = 6, block = [16, 64], lanes = 8, rows = [32]>) : memref<12480xi8> to memref<32x64xf32>
  // expected-error-re @below {{op expected its weight packed as #boostr.packed_layout<{{.*}} block = [16, 32], {{.*}}>, got #boostr.packed_layout<{{.*}} block = [16, 64], {{.*}}>}}
  boostr.out_proj_residual %a, %w residual(%y) outs(%y) {boostr.cpu_tile =
      #boostr.cpu_tile<kernel = fma, block = [16, 16, 32], register = [6, 16], lanes = 8, packed_bytes = 0>}
      : memref<1x4x64xf32>, memref<32x64xf32>, memref<1x4x32xf32>, memref<1x4x32xf32>
  return
}

// -----

func.func @negative_packed_residual(%a: memref<1x32x32xf32>, %p: memref<12480xi8>) -> f32 {
  %c0 = arith.constant 0 : index
  %w = boostr.packed_array %p layout(#boostr.packed_layout<array = tensor<32x64xf32>, kernel = fma, side = rows, width = 6, block = [16, 64], lanes = 8, rows = [32]>) : memref<12480xi8> to memref<32x64xf32>
  // expected-error @below {{op cannot use a packed weight: expected boostr ops alone to use it}}
  %x = memref.load %w[%c0, %c0] : memref<32x64xf32>
  return %x : f32
}

// -----

func.func @negative_pack_value_form(%w: tensor<32x64xf32>) -> tensor<12480xi8> {
  // expected-error @below {{'boostr.pack_array' op expected the buffer form, on memrefs, got the value form; bufferize before generating code}}
  %p = boostr.pack_array %w layout(#boostr.packed_layout<array = tensor<32x64xf32>, kernel = fma, side = rows, width = 6, block = [16, 64], lanes = 8, rows = [32]>) : tensor<32x64xf32> to tensor<12480xi8>
  return %p : tensor<12480xi8>
}
