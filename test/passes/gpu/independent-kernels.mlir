// RUN: boostr-opt %s --boostr-generate-gpu --split-input-file > %t
// RUN: FileCheck %s < %t
// RUN: grep -B 7 -A 2 "griddepcontrol *wait" %t | FileCheck %s --check-prefix=WAIT
//
// Kernels of one op that may run at the same time: the first lets the others
// begin, whose last block waits for it when that is done.

// Blocks share the tiles of the weight's gradient alone. What they exchange sums
// through is allocated before both launches and released behind them.

// CHECK-LABEL: func.func @shared_tiles(
// CHECK:         %[[BLOCK:.+]] = llvm.call @boostr_allocate
// CHECK:         llvm.store %[[BLOCK]], %[[WORKSPACE:.+]] : !llvm.ptr, !llvm.ptr
// CHECK-NOT:     llvm.call @boostr_allocate
// CHECK:         gpu.launch_func @[[FIRST:.+]]::@out_proj_residual_grad
// CHECK-NOT:     llvm.call @boostr_allocate
// CHECK-NOT:     llvm.call @boostr_release
// CHECK:         %[[ALLOCATED:.+]] = llvm.load %[[WORKSPACE]]
// CHECK:         llvm.ptrtoint %[[ALLOCATED]]
// CHECK-NEXT:    llvm.call @boostr_cuda_token
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
// CHECK:             nvvm.griddepcontrol wait

// WAIT:        %[[NUMBER:.+]] = nvvm.read.ptx.sreg.ctaid.x
// WAIT-NEXT:   %[[COUNT:.+]] = nvvm.read.ptx.sreg.nctaid.x
// WAIT-NEXT:   %[[ONE:.+]] = arith.constant 1 : i32
// WAIT-NEXT:   %[[NEXT:.+]] = arith.addi %[[NUMBER]], %[[ONE]]
// WAIT-NEXT:   %[[IS_LAST:.+]] = arith.cmpi eq, %[[NEXT]], %[[COUNT]]
// WAIT-NEXT:   scf.if %[[IS_LAST]] {
// WAIT-NEXT:     nvvm.barrier0
// WAIT-NEXT:     nvvm.griddepcontrol wait
// WAIT-NEXT:   }
// WAIT-NEXT:   llvm.return
module attributes {boostr.gpu_target = #boostr.gpu_target<chip = "sm_90a", features = "+ptx83">} {
  func.func @shared_tiles(%dy: memref<?x?x256xbf16>, %a: memref<?x?x256xbf16>,
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

// What is allocated ahead is allocated where the launch that needs it is: not for
// few steps, by another kernel.

// CHECK-LABEL: func.func @allocated_where_needed(
// CHECK:         %[[FEW:.+]] = arith.cmpi ule, %{{.+}}, %{{.+}} : index
// CHECK-NEXT:    scf.if %[[FEW]] {
// CHECK-NEXT:    } else {
// CHECK-NOT:     gpu.launch
// CHECK:           scf.if
// CHECK:             llvm.call @boostr_allocate
// CHECK-NOT:       llvm.call @boostr_cuda_token
// CHECK:         gpu.launch blocks
// CHECK:         gpu.launch_func
// CHECK:         gpu.launch blocks
// CHECK-NOT:     llvm.call @boostr_allocate
// CHECK:         llvm.call @boostr_cuda_token
// CHECK:         gpu.launch_func
// CHECK:         llvm.call @boostr_release
module attributes {boostr.gpu_target = #boostr.gpu_target<chip = "sm_90a", features = "+ptx83">} {
  func.func @allocated_where_needed(%dy: memref<?x?x256xbf16>, %a: memref<?x?x256xbf16>,
      %w: memref<256x256xbf16>, %da: memref<?x?x256xbf16>, %dw: memref<256x256xbf16>) {
    boostr.out_proj_residual_grad %dy, %a, %w outs(%da, %dw) wrt(attn, weight)
        {boostr.gpu_tiles = [
          #boostr.gpu_tile<kernel = wgmma, block = [128, 128, 64], stages = 4, group = 8, few_rows = [16]>,
          #boostr.gpu_tile<kernel = wgmma, block = [128, 128, 64], stages = 4, group = 8, split = 8, few_steps = 16>]}
        : memref<?x?x256xbf16>, memref<?x?x256xbf16>, memref<256x256xbf16>, memref<?x?x256xbf16>,
          memref<256x256xbf16>
    return
  }
}

// -----

// The same of bodies that are not outlined yet.

// CHECK-LABEL: func.func @before_outlining(
// CHECK:         gpu.launch
// CHECK:           nvvm.griddepcontrol launch_dependents
// CHECK-NOT:       nvvm.griddepcontrol wait
// CHECK:           gpu.terminator
// CHECK:         gpu.launch
// CHECK-NOT:       nvvm.griddepcontrol launch_dependents
// CHECK:             nvvm.griddepcontrol wait

// WAIT:        %[[IS_LAST:.+]] = arith.cmpi eq, %{{.+}}, %{{.+}} : index
// WAIT-NEXT:   scf.if %[[IS_LAST]] {
// WAIT-NEXT:     gpu.barrier
// WAIT-NEXT:     nvvm.griddepcontrol wait
// WAIT-NEXT:   }
// WAIT-NEXT:   gpu.terminator
module attributes {boostr.gpu_target = #boostr.gpu_target<chip = "sm_90", features = "+ptx83">} {
  func.func @before_outlining(%dy: memref<?x?x32xf32>, %a: memref<?x?x32xf32>, %w: memref<32x32xf32>,
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
