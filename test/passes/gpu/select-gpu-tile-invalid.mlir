// RUN: boostr-opt %s --split-input-file --verify-diagnostics --boostr-select-gpu-tile

func.func @negative_no_target(%a: memref<1x4x8xf32>, %w: memref<8x8xf32>,
    %y: memref<1x4x8xf32>) {
  // expected-error @below {{'boostr.out_proj_residual' op expected the module to have an attribute 'boostr.gpu_target'; run boostr-set-gpu-target before}}
  boostr.out_proj_residual %a, %w residual(%y) outs(%y)
      : memref<1x4x8xf32>, memref<8x8xf32>, memref<1x4x8xf32>, memref<1x4x8xf32>
  return
}

// -----

// With nothing to choose, no target is needed.
func.func @untouched_nothing_to_choose(%a: memref<1x4x8xf32>,
    %w: memref<8x8xf32>, %y: memref<1x4x8xf32>) {
  boostr.out_proj_residual %a, %w residual(%y) outs(%y) {boostr.gpu_tiles =
      [#boostr.gpu_tile<kernel = simt, block = [64, 64, 16], stages = 1, group = 1>]}
      : memref<1x4x8xf32>, memref<8x8xf32>, memref<1x4x8xf32>, memref<1x4x8xf32>
  return
}
