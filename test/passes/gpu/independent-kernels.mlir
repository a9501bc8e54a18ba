// RUN: boostr-opt %s --boostr-generate-gpu --split-input-file | FileCheck %s
//
// Kernels of one op that may run at the same time: the first lets the others
// begin, those wait for it when they are done.

// The kernel of the weight's gradient has 4 tiles, which blocks share: it comes
// first, and its workspace is released behind both launches.

// CHECK-LABEL: func.func @shared_tiles_first(
// CHECK:         llvm.call @boostr_allocate
// CHECK:         gpu.launch_func @[[FIRST:.+]]::@out_proj_residual_grad
// CHECK-NOT:     llvm.call @boostr_release
// CHECK:         gpu.launch_func @[[LATER:.+]]::@out_proj_residual_grad
// CHECK:         llvm.call @boostr_release

// CHECK:       gpu.module @[[FIRST]] {
// CHECK:         llvm.func @out_proj_residual_grad(
// CHECK:           nvvm.griddepcontrol launch_dependents
// CHECK-NOT:       nvvm.griddepcontrol
// CHECK:           nvvm.setmaxregister decrease 40
// CHECK:           nvvm.setmaxregister increase 232
// CHECK-NOT:       nvvm.griddepcontrol
// CHECK:       gpu.module @[[LATER]] {
// CHECK-NOT:       nvvm.griddepcontrol launch_dependents
// CHECK-COUNT-2:   nvvm.barrier0
// CHECK-NEXT:      nvvm.griddepcontrol wait
// CHECK-NEXT:      llvm.return
module attributes {boostr.gpu_target = #boostr.gpu_target<chip = "sm_90a", features = "+ptx83">} {
  func.func @shared_tiles_first(%dy: memref<?x?x256xbf16>, %a: memref<?x?x256xbf16>,
      %w: memref<256x256xbf16>, %da: memref<?x?x256xbf16>, %dw: memref<256x256xbf16>) {
    boostr.out_proj_residual_grad %dy, %a, %w outs(%da, %dw) wrt(attn, weight)
        {boostr.gpu_tiles = [
          #boostr.gpu_tile<kernel = wgmma, block = [128, 128, 64], stages = 4, group = 8>,
          #boostr.gpu_tile<kernel = wgmma, block = [128, 128, 64], stages = 4, group = 8, split = 8>]}
        : memref<?x?x256xbf16>, memref<?x?x256xbf16>, memref<256x256xbf16>, memref<?x?x256xbf16>,
          memref<256x256xbf16>
    return
  }
}

// -----

// Others keep the order of the op; so do bodies that are not outlined yet.

// CHECK-LABEL: func.func @in_order(
// CHECK:         gpu.launch
// CHECK:           nvvm.griddepcontrol launch_dependents
// CHECK-NOT:       nvvm.griddepcontrol wait
// CHECK:           gpu.terminator
// CHECK:         gpu.launch
// CHECK-NOT:       nvvm.griddepcontrol launch_dependents
// CHECK:           nvvm.griddepcontrol wait
// CHECK-NEXT:      gpu.terminator
module attributes {boostr.gpu_target = #boostr.gpu_target<chip = "sm_90", features = "+ptx83">} {
  func.func @in_order(%dy: memref<?x?x32xf32>, %a: memref<?x?x32xf32>, %w: memref<32x32xf32>,
      %da: memref<?x?x32xf32>, %dw: memref<32x32xf32>) {
    boostr.out_proj_residual_grad %dy, %a, %w outs(%da, %dw) wrt(attn, weight)
        {boostr.gpu_tiles = [#boostr.gpu_tile<kernel = simt, block = [64, 64, 16], stages = 1, group = 1>,
                             #boostr.gpu_tile<kernel = simt, block = [64, 64, 16], stages = 1, group = 1>]}
        : memref<?x?x32xf32>, memref<?x?x32xf32>, memref<32x32xf32>, memref<?x?x32xf32>, memref<32x32xf32>
    return
  }
}

// -----

// One kernel has no other.

// CHECK-LABEL: func.func @alone(
// CHECK:         gpu.launch
// CHECK-NOT:     nvvm.griddepcontrol
module attributes {boostr.gpu_target = #boostr.gpu_target<chip = "sm_90", features = "+ptx83">} {
  func.func @alone(%dy: memref<?x?x32xf32>, %a: memref<?x?x32xf32>, %w: memref<32x32xf32>,
      %dw: memref<32x32xf32>) {
    boostr.out_proj_residual_grad %dy, %a, %w outs(%dw) wrt(weight)
        {boostr.gpu_tiles = [#boostr.gpu_tile<kernel = simt, block = [64, 64, 16], stages = 1, group = 1>]}
        : memref<?x?x32xf32>, memref<?x?x32xf32>, memref<32x32xf32>, memref<32x32xf32>
    return
  }
}

// -----

// Chips before sm_90 run one after the other.

// CHECK-LABEL: func.func @earlier_chip(
// CHECK-COUNT-2: gpu.launch
// CHECK-NOT:     nvvm.griddepcontrol
module attributes {boostr.gpu_target = #boostr.gpu_target<chip = "sm_80", features = "">} {
  func.func @earlier_chip(%dy: memref<?x?x32xf32>, %a: memref<?x?x32xf32>, %w: memref<32x32xf32>,
      %da: memref<?x?x32xf32>, %dw: memref<32x32xf32>) {
    boostr.out_proj_residual_grad %dy, %a, %w outs(%da, %dw) wrt(attn, weight)
        {boostr.gpu_tiles = [#boostr.gpu_tile<kernel = simt, block = [64, 64, 16], stages = 1, group = 1>,
                             #boostr.gpu_tile<kernel = simt, block = [64, 64, 16], stages = 1, group = 1>]}
        : memref<?x?x32xf32>, memref<?x?x32xf32>, memref<32x32xf32>, memref<?x?x32xf32>, memref<32x32xf32>
    return
  }
}

// -----

// Copies for cuBLASLt are kernels too, which products need.

// CHECK-LABEL: func.func @cublaslt(
// CHECK:         llvm.call @boostr_cuda_multiply
// CHECK-NOT:     nvvm.griddepcontrol
module attributes {boostr.gpu_target = #boostr.gpu_target<chip = "sm_90", features = "+ptx83">} {
  func.func @cublaslt(%dy: memref<?x?x32xf32>, %a: memref<?x?x32xf32>, %w: memref<32x32xf32>,
      %da: memref<?x?x32xf32>, %dw: memref<32x32xf32>) {
    boostr.out_proj_residual_grad %dy, %a, %w outs(%da, %dw) wrt(attn, weight)
        {boostr.gpu_tiles = [#boostr.gpu_tile<kernel = simt, block = [64, 64, 16], stages = 1, group = 1, gemm = cublaslt>,
                             #boostr.gpu_tile<kernel = simt, block = [64, 64, 16], stages = 1, group = 1, gemm = cublaslt>]}
        : memref<?x?x32xf32>, memref<?x?x32xf32>, memref<32x32xf32>, memref<?x?x32xf32>, memref<32x32xf32>
    return
  }
}
