// RUN: boostr-opt %s --split-input-file --verify-diagnostics --boostr-select-cpu-tile

func.func @negative_no_target(%a: memref<1x4x8xf32>, %w: memref<8x8xf32>,
    %y: memref<1x4x8xf32>) {
  // expected-error @below {{'boostr.out_proj_residual' op expected the module to have an attribute 'boostr.cpu_target'; run boostr-set-cpu-target before}}
  boostr.out_proj_residual %a, %w residual(%y) outs(%y)
      : memref<1x4x8xf32>, memref<8x8xf32>, memref<1x4x8xf32>, memref<1x4x8xf32>
  return
}

// -----

// With nothing to choose, no target is needed.
func.func @untouched_nothing_to_choose(%a: memref<1x4x8xf32>,
    %w: memref<8x8xf32>, %y: memref<1x4x8xf32>) {
  boostr.out_proj_residual %a, %w residual(%y) outs(%y) {boostr.cpu_tile =
      #boostr.cpu_tile<kernel = fma, block = [4, 8, 8], register = [2, 4], lanes = 4, packed_bytes = 4096>}
      : memref<1x4x8xf32>, memref<8x8xf32>, memref<1x4x8xf32>, memref<1x4x8xf32>
  return
}
