// RUN: boostr-opt %s --boostr-generate-gpu --canonicalize --cse | FileCheck %s
//
// The kernel for few rows. test/execution/test_gpu_kernels.py runs it.

// Eight warps share a row of the weight, all of which is asked for before it is
// used; threads add their sums in five exchanges, those of warps meet in shared
// memory. A block has a row and a column: nothing is clamped.

// CHECK-LABEL: func @one_token(
// CHECK:         gpu.launch {{.+}} threads(%{{.+}}) in (%{{.+}} = %c256, {{.+}}) dynamic_shared_memory_size %c32_i32 {
// CHECK-NOT:       arith.min
// CHECK-COUNT-2:   vector.load {{.+}} {alignment = 16 : i64} : memref<25165824xbf16, {{.+}}>, vector<8xbf16>
// CHECK:           nvvm.bar.warp.sync
// CHECK-COUNT-8:   vector.fma {{.+}} : vector<2xf32>
// CHECK-NOT:       arith.min
// CHECK-COUNT-5:   gpu.shuffle xor
// CHECK-NOT:       gpu.shuffle
// CHECK:           memref.store {{.+}} : memref<8x1x1xf32, #gpu.address_space<workgroup>>
// CHECK:           gpu.barrier
// CHECK-COUNT-8:   vector.load {{.+}} : memref<8x1x1xf32, #gpu.address_space<workgroup>>, vector<1xf32>
// CHECK:           vector.store {{.+}} vector<1xbf16>
// CHECK:         return
func.func @one_token(%a: memref<1x1x4096xbf16>, %w: memref<6144x4096xbf16>, %y: memref<1x1x6144xbf16>) {
  boostr.out_proj_residual %a, %w residual(%y) outs(%y)
      {boostr.gpu_tiles = [#boostr.gpu_tile<kernel = gemv, block = [1, 1, 2048], stages = 2, group = 1>]}
      : memref<1x1x4096xbf16>, memref<6144x4096xbf16>, memref<1x1x6144xbf16>, memref<1x1x6144xbf16>
  return
}

// Which kernel it is shows when the code runs.

// CHECK-LABEL: func @any_tokens(
// CHECK:         %[[ROWS:.+]] = arith.muli
// CHECK:         %[[ONE:.+]] = arith.cmpi ule, %[[ROWS]], %c1
// CHECK:         scf.if %[[ONE]]
// CHECK:           gpu.launch
// CHECK:         } else {
// CHECK:           %[[FEW:.+]] = arith.cmpi ule, %[[ROWS]], %c8
// CHECK:           scf.if %[[FEW]]
// CHECK:             gpu.launch
// CHECK:           } else {
// CHECK:             gpu.launch
// CHECK:         return
func.func @any_tokens(%x: memref<?x?x512xf16>, %w: memref<1024x512xf16>,
    %q: memref<?x4x?x128xf16>, %k: memref<?x2x?x128xf16>, %v: memref<?x2x?x128xf16>) {
  boostr.fused_qkv %x, %w outs(%q, %k, %v) num_heads = 4 num_kv_heads = 2 head_dim = 128
      {boostr.gpu_tiles = [#boostr.gpu_tile<kernel = simt, block = [64, 64, 16], stages = 2, group = 8, few_rows = [1, 8]>]}
      : memref<?x?x512xf16>, memref<1024x512xf16>, memref<?x4x?x128xf16>, memref<?x2x?x128xf16>, memref<?x2x?x128xf16>
  return
}

// Several tokens: eight warps share k. All of a turn's weight is asked for, then
// all of the tokens, then tensor cores multiply; a rest has zeros where there is
// nothing. Sums of all warps meet in shared memory.

// CHECK-LABEL: func @several_tokens(
// CHECK:         gpu.launch {{.+}} threads(%{{.+}}) in (%{{.+}} = %c256, {{.+}}) dynamic_shared_memory_size
// CHECK:           scf.for
// CHECK-COUNT-8:     vector.load {{.+}} {alignment = 16 : i64} : memref<25165824xbf16, {{.+}}>, vector<8xbf16>
// CHECK:             nvvm.bar.warp.sync
// CHECK-COUNT-4:     vector.load {{.+}} {alignment = 16 : i64} : memref<?xbf16, {{.+}}>, vector<8xbf16>
// CHECK:             nvvm.bar.warp.sync
// CHECK-COUNT-8:     nvvm.mma.sync
// CHECK-NOT:         nvvm.mma.sync
// CHECK:             scf.yield
// CHECK-NOT:       gpu.shuffle
// CHECK:           gpu.barrier
// CHECK-COUNT-8:   vector.load {{.+}} : memref<8x8x20xf32, #gpu.address_space<workgroup>>, vector<2xf32>
// CHECK:           vector.store {{.+}} : memref<?xbf16, {{.+}}>, vector<2xbf16>
// CHECK:         return
func.func @several_tokens(%a: memref<1x?x4096xbf16>, %w: memref<6144x4096xbf16>, %y: memref<1x?x6144xbf16>) {
  boostr.out_proj_residual %a, %w residual(%y) outs(%y)
      {boostr.gpu_tiles = [#boostr.gpu_tile<kernel = gemv, block = [8, 16, 256], stages = 4, group = 1, warp = [8, 16]>]}
      : memref<1x?x4096xbf16>, memref<6144x4096xbf16>, memref<1x?x6144xbf16>, memref<1x?x6144xbf16>
  return
}

// CHECK-LABEL: func @elsewhere
// CHECK-NEXT:    return
func.func @elsewhere() {
  return
}
