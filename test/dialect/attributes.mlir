// RUN: boostr-opt %s -split-input-file -verify-diagnostics | FileCheck %s

// CHECK-LABEL: module @target
// CHECK-SAME: boostr.cpu_target = #boostr.cpu_target<cpu = "x86-64-v4", features = "+avx512f", vector_bits = 512, registers = 32, l1_bytes = 32768, l2_bytes = 1048576>
module @target attributes {boostr.cpu_target = #boostr.cpu_target<cpu = "x86-64-v4",
    features = "+avx512f", vector_bits = 512, registers = 32, l1_bytes = 32768,
    l2_bytes = 1048576>} {
  // CHECK: func.func private @all() attributes {boostr.differentiate}
  func.func private @all() attributes {boostr.differentiate}
  // CHECK: func.func private @some(tensor<f32>) attributes {boostr.differentiate = array<i64: 0>}
  func.func private @some(tensor<f32>) attributes {boostr.differentiate = array<i64: 0>}
  // CHECK: arith.negf %{{.*}} {boostr.stop_gradient} : f32
  func.func @constant(%x: f32) -> f32 {
    %y = arith.negf %x {boostr.stop_gradient} : f32
    return %y : f32
  }
}

// -----

// expected-error @below {{'vector_bits' expected 128, 256 or 512, got 64}}
module attributes {boostr.cpu_target = #boostr.cpu_target<cpu = "x", features = "",
    vector_bits = 64, registers = 32, l1_bytes = 32768, l2_bytes = 1048576>} {}

// -----

// expected-error @below {{'registers' expected at least 8, got 4}}
module attributes {boostr.cpu_target = #boostr.cpu_target<cpu = "x", features = "",
    vector_bits = 256, registers = 4, l1_bytes = 32768, l2_bytes = 1048576>} {}

// -----

// expected-error @below {{cache sizes expected positive, got 0 and 1048576}}
module attributes {boostr.cpu_target = #boostr.cpu_target<cpu = "x", features = "",
    vector_bits = 256, registers = 16, l1_bytes = 0, l2_bytes = 1048576>} {}

// -----

// expected-error @below {{'boostr.cpu_target' expected #boostr.cpu_target<...>, got "zen4"}}
module attributes {boostr.cpu_target = "zen4"} {}

// -----

// CHECK-LABEL: func.func private @tile()
// CHECK-SAME: tile = #boostr.cpu_tile<kernel = fma, block = [16, 64, 16], register = [8, 32], lanes = 16, packed_bytes = 4096>
func.func private @tile() attributes {
  tile = #boostr.cpu_tile<kernel = fma, block = [16, 64, 16], register = [8, 32], lanes = 16, packed_bytes = 4096>}

// -----

// CHECK-LABEL: func.func private @tile_dot()
// CHECK-SAME: tile = #boostr.cpu_tile<kernel = dot, block = [512, 192, 256], register = [12, 32], lanes = 16, packed_bytes = 0>
func.func private @tile_dot() attributes {
  tile = #boostr.cpu_tile<kernel = dot, block = [512, 192, 256], register = [12, 32], lanes = 16, packed_bytes = 0>}

// CHECK-LABEL: func.func private @tile_amx()
// CHECK-SAME: tile = #boostr.cpu_tile<kernel = amx, block = [512, 192, 256], register = [32, 32], lanes = 16, packed_bytes = 0, cached_bytes = 1048576, few_rows = [1, 4], streams_columns = true>
func.func private @tile_amx() attributes {
  tile = #boostr.cpu_tile<kernel = amx, block = [512, 192, 256], register = [32, 32], lanes = 16, packed_bytes = 0, cached_bytes = 1048576, few_rows = [1, 4], streams_columns = true>}

// -----

func.func private @negative_tile_block() attributes {
  // expected-error @below {{'block' expected 3 sizes [mc, nc, kc], got 2}}
  tile = #boostr.cpu_tile<kernel = fma, block = [16, 64], register = [8, 32], lanes = 16, packed_bytes = 4096>}

// -----

func.func private @negative_tile_register() attributes {
  // expected-error @below {{'register' expected 2 sizes [rows, columns], got 1}}
  tile = #boostr.cpu_tile<kernel = fma, block = [16, 64, 16], register = [8], lanes = 16, packed_bytes = 4096>}

// -----

func.func private @negative_tile_positive() attributes {
  // expected-error @below {{tile sizes expected positive}}
  tile = #boostr.cpu_tile<kernel = fma, block = [16, 0, 16], register = [8, 32], lanes = 16, packed_bytes = 4096>}

// -----

func.func private @negative_tile_packed_bytes() attributes {
  // expected-error @below {{'packed_bytes' expected zero or more, got -1}}
  tile = #boostr.cpu_tile<kernel = fma, block = [16, 64, 16], register = [8, 32], lanes = 16, packed_bytes = -1>}

// -----

func.func private @negative_tile_cached_bytes() attributes {
  // expected-error @below {{'cached_bytes' expected zero or more, got -1}}
  tile = #boostr.cpu_tile<kernel = fma, block = [16, 64, 16], register = [8, 32], lanes = 16, packed_bytes = 0, cached_bytes = -1>}

// -----

func.func private @negative_tile_option() attributes {
  // expected-error @below {{expected 'cached_bytes', 'few_rows' or 'streams_columns', got rows}}
  tile = #boostr.cpu_tile<kernel = fma, block = [16, 64, 16], register = [8, 32], lanes = 16, packed_bytes = 0, rows = 1>}

// -----

func.func private @negative_tile_streams_columns() attributes {
  // expected-error @below {{'streams_columns' expected false with 'kernel' = fma}}
  tile = #boostr.cpu_tile<kernel = fma, block = [16, 64, 16], register = [8, 32], lanes = 16, packed_bytes = 0, streams_columns = true>}

// -----

func.func private @negative_tile_streams_columns_value() attributes {
  // expected-error @below {{expected 'true' or 'false'}}
  tile = #boostr.cpu_tile<kernel = amx, block = [16, 64, 32], register = [16, 32], lanes = 16, packed_bytes = 0, streams_columns = 1>}

// -----

func.func private @negative_tile_few_rows() attributes {
  // expected-error @below {{'few_rows' expected more than 4, got 4}}
  tile = #boostr.cpu_tile<kernel = fma, block = [16, 64, 16], register = [8, 32], lanes = 16, packed_bytes = 0, few_rows = [1, 4, 4]>}

// -----

func.func private @negative_tile_columns() attributes {
  // expected-error @below {{'columns' expected a multiple of 'lanes' = 16, got 24}}
  tile = #boostr.cpu_tile<kernel = fma, block = [16, 48, 16], register = [8, 24], lanes = 16, packed_bytes = 4096>}

// -----

func.func private @negative_tile_mc() attributes {
  // expected-error @below {{'mc' expected a multiple of 'lanes' = 16, got 24}}
  tile = #boostr.cpu_tile<kernel = fma, block = [24, 64, 16], register = [8, 32], lanes = 16, packed_bytes = 4096>}

// -----

func.func private @negative_tile_nc() attributes {
  // expected-error @below {{'nc' expected a multiple of 'lanes' = 16, got 40}}
  tile = #boostr.cpu_tile<kernel = fma, block = [16, 40, 16], register = [8, 32], lanes = 16, packed_bytes = 4096>}

// -----

func.func private @negative_tile_kc() attributes {
  // expected-error @below {{'kc' expected a multiple of 'lanes' = 16, got 20}}
  tile = #boostr.cpu_tile<kernel = fma, block = [16, 64, 20], register = [8, 32], lanes = 16, packed_bytes = 4096>}

// -----

func.func private @negative_tile_amx_lanes() attributes {
  // expected-error @below {{'lanes' expected 16 with 'kernel' = amx, got 8}}
  tile = #boostr.cpu_tile<kernel = amx, block = [16, 64, 32], register = [16, 32], lanes = 8, packed_bytes = 4096>}

// -----

func.func private @negative_tile_amx_rows() attributes {
  // expected-error @below {{'rows' expected a multiple of 'lanes' = 16, got 12}}
  tile = #boostr.cpu_tile<kernel = amx, block = [16, 64, 32], register = [12, 32], lanes = 16, packed_bytes = 4096>}

// -----

func.func private @negative_tile_amx_kc() attributes {
  // expected-error @below {{'kc' expected a multiple of 'two lanes' = 32, got 48}}
  tile = #boostr.cpu_tile<kernel = amx, block = [16, 64, 48], register = [16, 32], lanes = 16, packed_bytes = 4096>}

// -----

func.func private @negative_tile_dot_lanes() attributes {
  // expected-error @below {{'lanes' expected 16 with 'kernel' = dot, got 8}}
  tile = #boostr.cpu_tile<kernel = dot, block = [16, 64, 32], register = [12, 32], lanes = 8, packed_bytes = 4096>}

// -----

func.func private @negative_tile_dot_kc() attributes {
  // expected-error @below {{'kc' expected a multiple of 'two lanes' = 32, got 48}}
  tile = #boostr.cpu_tile<kernel = dot, block = [16, 64, 48], register = [12, 32], lanes = 16, packed_bytes = 4096>}

// -----

func.func @negative_tile_type(%a: memref<2x3x8xf32>, %w: memref<4x8xf32>, %r: memref<2x3x4xf32>) {
  // expected-error @below {{'boostr.cpu_tile' expected #boostr.cpu_tile<...>, got 7 : i64}}
  boostr.out_proj_residual %a, %w residual(%r) outs(%r) {boostr.cpu_tile = 7}
      : memref<2x3x8xf32>, memref<4x8xf32>, memref<2x3x4xf32>, memref<2x3x4xf32>
  return
}

// -----

// expected-error @below {{'boostr.differentiate' expected on a function}}
module attributes {boostr.differentiate} {}

// -----

// expected-error @below {{'boostr.differentiate' expected unit or array<i64: ...> of argument numbers, got "x"}}
func.func private @negative_differentiate() attributes {boostr.differentiate = "x"}

// -----

func.func @negative_stop_gradient(%x: f32) -> f32 {
  // expected-error @below {{'boostr.stop_gradient' expected unit, got true}}
  %y = arith.negf %x {boostr.stop_gradient = true} : f32
  return %y : f32
}

// -----

// expected-error @below {{has unknown attribute 'boostr.tile' of the boostr dialect}}
func.func private @negative_unknown() attributes {boostr.tile = 4}

// -----

func.func @negative_wrt(%dy: tensor<2x3x4xf32>, %a: tensor<2x3x8xf32>, %w: tensor<4x8xf32>) {
  // expected-error @below {{to be one of: none, attn, weight, bias}}
  // expected-error @below {{failed to parse Boostr_OutProjGradientsAttr parameter 'value'}}
  %da = boostr.out_proj_residual_grad %dy, %a, %w wrt(input)
      : tensor<2x3x4xf32>, tensor<2x3x8xf32>, tensor<4x8xf32>
  return
}

// -----

// CHECK-LABEL: func private @gpu
// CHECK-SAME: few = #boostr.gpu_tile<kernel = wgmma, block = [128, 256, 64], stages = 4, group = 16, split = 8, few_rows = [1, 8]>
// CHECK-SAME: few_steps = #boostr.gpu_tile<kernel = wgmma, block = [128, 256, 64], stages = 4, group = 16, split = 8, few_steps = 16>
// CHECK-SAME: flat = #boostr.gpu_tile<kernel = wgmma, block = [128, 256, 64], stages = 4, group = 16, tall = [192], flat = [32, 64]>
// CHECK-SAME: gemm = #boostr.gemm<auto>
// CHECK-SAME: gemvt = #boostr.gpu_tile<kernel = gemvt, block = [1, 32, 1024], stages = 4, group = 1>
// CHECK-SAME: ger = #boostr.gpu_tile<kernel = ger, block = [8, 1024, 2], stages = 1, group = 1>
// CHECK-SAME: library = #boostr.gpu_tile<kernel = mma, block = [128, 128, 16], stages = 4, group = 8, warp = [64, 32], precision = tf32, gemm = cublaslt>
// CHECK-SAME: mma = #boostr.gpu_tile<kernel = mma, block = [128, 128, 16], stages = 4, group = 8, few_rows = [1, 8], warp = [64, 32], precision = tf32x3>
// CHECK-SAME: narrow = #boostr.gpu_tile<kernel = wgmma, block = [128, 256, 64], stages = 4, group = 16, narrow = [32, 64, 128]>
// CHECK-SAME: shared = #boostr.gpu_tile<kernel = wgmma, block = [128, 256, 64], stages = 4, group = 16, split = 8, narrow = [64]>
// A number alone, as earlier versions wrote it, is a list of one.
// CHECK-SAME: single = #boostr.gpu_tile<kernel = wgmma, block = [128, 256, 64], stages = 4, group = 16, split = 8, narrow = [64]>
// CHECK-SAME: small = #boostr.gpu_tile<kernel = simt, block = [256, 128, 16], stages = 2, group = 8, small = {{\[\[}}128, 128], [64, 64]], few_rows = [1]>
// CHECK-SAME: tall = #boostr.gpu_tile<kernel = wgmma, block = [128, 256, 64], stages = 4, group = 16, narrow = [64], tall = [192]>
// CHECK-SAME: target = #boostr.gpu_target<chip = "sm_90a", features = "+ptx83">
// CHECK-SAME: tile = #boostr.gpu_tile<kernel = wgmma, block = [128, 256, 64], stages = 4, group = 16>
func.func private @gpu() attributes {
  few = #boostr.gpu_tile<kernel = wgmma, block = [128, 256, 64], stages = 4, group = 16, few_rows = [1, 8], split = 8>,
  few_steps = #boostr.gpu_tile<kernel = wgmma, block = [128, 256, 64], stages = 4, group = 16, few_steps = 16, split = 8>,
  flat = #boostr.gpu_tile<kernel = wgmma, block = [128, 256, 64], stages = 4, group = 16, flat = [32, 64], tall = [192]>,
  gemm = #boostr.gemm<auto>,
  gemvt = #boostr.gpu_tile<kernel = gemvt, block = [1, 32, 1024], stages = 4, group = 1>,
  ger = #boostr.gpu_tile<kernel = ger, block = [8, 1024, 2], stages = 1, group = 1>,
  library = #boostr.gpu_tile<kernel = mma, block = [128, 128, 16], stages = 4, group = 8, gemm = cublaslt, precision = tf32, warp = [64, 32]>,
  mma = #boostr.gpu_tile<kernel = mma, block = [128, 128, 16], stages = 4, group = 8, precision = tf32x3, warp = [64, 32], few_rows = [1, 8]>,
  shared = #boostr.gpu_tile<kernel = wgmma, block = [128, 256, 64], stages = 4, group = 16, narrow = [64], split = 8>,
  narrow = #boostr.gpu_tile<kernel = wgmma, block = [128, 256, 64], stages = 4, group = 16, narrow = [32, 64, 128]>,
  small = #boostr.gpu_tile<kernel = simt, block = [256, 128, 16], stages = 2, group = 8, few_rows = [1], small = [[128, 128], [64, 64]]>,
  single = #boostr.gpu_tile<kernel = wgmma, block = [128, 256, 64], stages = 4, group = 16, narrow = 64, split = 8>,
  tall = #boostr.gpu_tile<kernel = wgmma, block = [128, 256, 64], stages = 4, group = 16, tall = [192], narrow = [64]>,
  target = #boostr.gpu_target<chip = "sm_90a", features = "+ptx83">,
  tile = #boostr.gpu_tile<kernel = wgmma, block = [128, 256, 64], stages = 4, group = 16>}

// -----

func.func private @negative_gpu_target_chip() attributes {
  // expected-error @below {{'chip' expected a name like sm_90a, got 'hopper'}}
  target = #boostr.gpu_target<chip = "hopper", features = "">}

// -----

func.func private @negative_gpu_tile_rank() attributes {
  // expected-error @below {{'block' expected 3 sizes [m, n, k], got 2}}
  tile = #boostr.gpu_tile<kernel = simt, block = [64, 64], stages = 1, group = 1>}

// -----

func.func private @negative_gpu_tile_few_rows() attributes {
  // expected-error @below {{'few_rows' expected positive numbers that increase}}
  tile = #boostr.gpu_tile<kernel = simt, block = [64, 64, 16], stages = 1, group = 1, few_rows = [8, 1]>}

// -----

func.func private @negative_gpu_tile_narrow() attributes {
  // expected-error @below {{'narrow' expected positive numbers that increase}}
  tile = #boostr.gpu_tile<kernel = wgmma, block = [128, 256, 64], stages = 4, group = 1, narrow = [64, 64]>}

// -----

func.func private @negative_gpu_tile_single_narrow() attributes {
  // expected-error @below {{'narrow' expected positive numbers that increase}}
  tile = #boostr.gpu_tile<kernel = wgmma, block = [128, 256, 64], stages = 4, group = 1, narrow = 0>}

// -----

func.func private @negative_gpu_tile_flat() attributes {
  // expected-error @below {{'flat' expected positive numbers that increase}}
  tile = #boostr.gpu_tile<kernel = wgmma, block = [128, 256, 64], stages = 4, group = 1, flat = [64, 64]>}

// -----

func.func private @negative_gpu_tile_small() attributes {
  // expected-error @below {{expected 2 sizes [m, n], got 3}}
  tile = #boostr.gpu_tile<kernel = simt, block = [128, 128, 16], stages = 2, group = 1, small = [[64, 64, 16]]>}

// -----

func.func private @negative_gpu_tile_small_sizes() attributes {
  // expected-error @below {{'small' expected pairs of positive sizes [m, n]}}
  tile = #boostr.gpu_tile<kernel = simt, block = [128, 128, 16], stages = 2, group = 1, small = [[64, 0]]>}

// -----

func.func private @negative_gpu_tile_small_of_wgmma() attributes {
  // expected-error @below {{'small' expected of kernel simt or mma, got wgmma}}
  tile = #boostr.gpu_tile<kernel = wgmma, block = [128, 256, 64], stages = 4, group = 1, small = [[64, 64]]>}

// -----

func.func private @negative_gpu_tile_tall() attributes {
  // expected-error @below {{'tall' expected positive numbers that increase}}
  tile = #boostr.gpu_tile<kernel = wgmma, block = [128, 256, 64], stages = 4, group = 1, tall = [192, 128]>}

// -----

func.func private @negative_gpu_tile_narrow_name() attributes {
  // expected-error @below {{expected '['}}
  tile = #boostr.gpu_tile<kernel = wgmma, block = [128, 256, 64], stages = 4, group = 1, narrow = all>}

// -----

func.func private @negative_gpu_tile_few_rows_of_gemv() attributes {
  // expected-error @below {{'few_rows' and 'few_steps' expected of another kernel than gemv}}
  tile = #boostr.gpu_tile<kernel = gemv, block = [1, 8, 256], stages = 1, group = 1, few_rows = [1]>}

// -----

func.func private @negative_gpu_tile_few_steps() attributes {
  // expected-error @below {{'few_steps' expected positive, got -1}}
  tile = #boostr.gpu_tile<kernel = simt, block = [64, 64, 16], stages = 1, group = 1, few_steps = -1>}

// -----

func.func private @negative_gpu_tile_few_steps_of_ger() attributes {
  // expected-error @below {{'few_rows' and 'few_steps' expected of another kernel than ger}}
  tile = #boostr.gpu_tile<kernel = ger, block = [8, 256, 1], stages = 1, group = 1, few_steps = 16>}

// -----

func.func private @negative_gpu_tile_option() attributes {
  // expected-error @below {{expected 'split', 'narrow', 'tall', 'flat', 'small', 'few_rows', 'few_steps', 'warp', 'precision' or 'gemm', got rows}}
  tile = #boostr.gpu_tile<kernel = simt, block = [64, 64, 16], stages = 1, group = 1, rows = [1]>}

// -----

func.func private @negative_gpu_tile_no_warp() attributes {
  // expected-error @below {{'warp' expected 2 sizes [m, n] with kernel mma, those or none with gemv, gemvt and ger, and none with others, got 0}}
  tile = #boostr.gpu_tile<kernel = mma, block = [64, 64, 16], stages = 2, group = 1>}

// -----

func.func private @negative_gpu_tile_warp_of_simt() attributes {
  // expected-error @below {{'warp' expected 2 sizes [m, n] with kernel mma, those or none with gemv, gemvt and ger, and none with others, got 2}}
  tile = #boostr.gpu_tile<kernel = simt, block = [64, 64, 16], stages = 2, group = 1, warp = [32, 32]>}

// -----

func.func private @negative_gpu_tile_precision_of_simt() attributes {
  // expected-error @below {{'precision' expected with kernel mma only}}
  tile = #boostr.gpu_tile<kernel = simt, block = [64, 64, 16], stages = 2, group = 1, precision = tf32>}

// -----

func.func private @negative_gpu_tile_precision() attributes {
  // expected-error @below {{'precision' expected ieee, tf32 or tf32x3, got half}}
  tile = #boostr.gpu_tile<kernel = mma, block = [64, 64, 16], stages = 2, group = 1, warp = [32, 32], precision = half>}

// -----

func.func private @negative_gpu_tile_gemm() attributes {
  // expected-error @below {{'gemm' expected generated, cublaslt or auto, got cublas}}
  tile = #boostr.gpu_tile<kernel = simt, block = [64, 64, 16], stages = 2, group = 1, gemm = cublas>}

// -----

func.func private @negative_gpu_tile_gemm_of_tf32x3() attributes {
  // expected-error @below {{'gemm' expected generated with 'precision' = tf32x3, got auto}}
  tile = #boostr.gpu_tile<kernel = mma, block = [64, 64, 16], stages = 2, group = 1, warp = [32, 32], precision = tf32x3, gemm = auto>}

// -----

func.func @negative_gemm(%a: memref<2x3x8xf32>, %w: memref<4x8xf32>, %r: memref<2x3x4xf32>) {
  // expected-error @below {{'boostr.gemm' expected #boostr.gemm<...>, got "cublaslt"}}
  boostr.out_proj_residual %a, %w residual(%r) outs(%r) {boostr.gemm = "cublaslt"}
      : memref<2x3x8xf32>, memref<4x8xf32>, memref<2x3x4xf32>, memref<2x3x4xf32>
  return
}

// -----

func.func private @negative_gpu_tile_stages() attributes {
  // expected-error @below {{tile sizes expected positive}}
  tile = #boostr.gpu_tile<kernel = simt, block = [64, 64, 16], stages = 0, group = 1>}

// -----

// expected-error @below {{'boostr.gpu_target' expected #boostr.gpu_target<...>, got "sm_90a"}}
module attributes {boostr.gpu_target = "sm_90a"} {}

// -----

func.func @negative_gpu_tiles(%a: memref<2x3x8xf32>, %w: memref<4x8xf32>, %r: memref<2x3x4xf32>) {
  // expected-error @below {{'boostr.gpu_tiles' expected an array of #boostr.gpu_tile<...>, got 7 : i64}}
  boostr.out_proj_residual %a, %w residual(%r) outs(%r) {boostr.gpu_tiles = 7}
      : memref<2x3x8xf32>, memref<4x8xf32>, memref<2x3x4xf32>, memref<2x3x4xf32>
  return
}

// -----

// expected-error @below {{'array' expected two static dimensions of f64, f32, f16 or bf16, got 'tensor<?x64xf32>'}}
#layout = #boostr.packed_layout<array = tensor<?x64xf32>, kernel = fma, side = rows, width = 6, block = [16, 64], lanes = 8, rows = [32]>

// -----

// expected-error @below {{'array' expected two static dimensions of f64, f32, f16 or bf16, got 'tensor<32x64xi8>'}}
#layout = #boostr.packed_layout<array = tensor<32x64xi8>, kernel = fma, side = rows, width = 6, block = [16, 64], lanes = 8, rows = [32]>

// -----

// expected-error @below {{'array' expected elements of type 'bf16' with 'kernel' = amx, got 'f32'}}
#layout = #boostr.packed_layout<array = tensor<32x64xf32>, kernel = amx, side = rows, width = 6, block = [16, 64], lanes = 8, rows = [32]>

// -----

// expected-error @below {{'block' expected 2 sizes [nc, kc], got 3}}
#layout = #boostr.packed_layout<array = tensor<32x64xf32>, kernel = fma, side = rows, width = 6, block = [16, 16, 64], lanes = 8, rows = [32]>

// -----

// expected-error @below {{sizes expected positive}}
#layout = #boostr.packed_layout<array = tensor<32x64xf32>, kernel = fma, side = rows, width = 0, block = [16, 64], lanes = 8, rows = [32]>

// -----

// expected-error @below {{'lanes' expected a power of two that divides nc and kc, got 3}}
#layout = #boostr.packed_layout<array = tensor<32x64xf32>, kernel = fma, side = rows, width = 6, block = [16, 64], lanes = 3, rows = [32]>

// -----

// expected-error @below {{'rows' expected positive}}
#layout = #boostr.packed_layout<array = tensor<32x64xf32>, kernel = fma, side = rows, width = 6, block = [16, 64], lanes = 8, rows = [32, 0]>

// -----

// expected-error @below {{'array' and sizes expected fewer than 2^58 elements, got more}}
#layout = #boostr.packed_layout<array = tensor<32x64xf32>, kernel = fma, side = rows, width = 1152921504606846976, block = [16, 64], lanes = 8, rows = [32]>

// -----

// expected-error @below {{'rows' expected 32 in all, got 24}}
#layout = #boostr.packed_layout<array = tensor<32x64xf32>, kernel = fma, side = rows, width = 6, block = [16, 64], lanes = 8, rows = [16, 8]>

// -----

// expected-error @below {{'boostr.packed_layout' of argument 0 expected #boostr.packed_layout<...>, got "rows"}}
func.func private @layout(tensor<8xi8> {boostr.packed_layout = "rows"})
