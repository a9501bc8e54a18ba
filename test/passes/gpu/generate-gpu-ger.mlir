// RUN: boostr-opt %s --boostr-generate-gpu --canonicalize --cse | FileCheck %s
//
// The kernel for few steps. test/execution/test_gpu_kernels.py runs it.

// A thread has 8 columns of 8 rows; one load of each operand serves all of them.
// What is added to is read before the first is written.

// CHECK-LABEL: func @one_token(
// CHECK:         gpu.launch {{.+}} threads(%{{.+}}) in (%{{.+}} = %c128, {{.+}}) dynamic_shared_memory_size %c0_i32 {
// CHECK-COUNT-2:   vector.load {{.+}} {alignment = 16 : i64} : {{.+}}, vector<8xbf16>
// CHECK-COUNT-8:   vector.fma {{.+}} : vector<8xf32>
// CHECK-NOT:       vector.store
// CHECK-COUNT-8:   vector.load {{.+}} {alignment = 16 : i64} : {{.+}}, vector<8xbf16>
// CHECK-COUNT-8:   vector.store {{.+}} {alignment = 16 : i64} : {{.+}}, vector<8xbf16>
// CHECK-NOT:       vector.store
// CHECK:         return
func.func @one_token(%dy: memref<1x1x2048xbf16>, %a: memref<1x1x4096xbf16>, %w: memref<2048x4096xbf16>, %dw: memref<2048x4096xbf16>) {
  boostr.out_proj_residual_grad %dy, %a, %w accumulate_weight(%dw) wrt(weight)
      {boostr.gpu_tiles = [#boostr.gpu_tile<kernel = ger, block = [8, 1024, 2], stages = 1, group = 1>]}
      : memref<1x1x2048xbf16>, memref<1x1x4096xbf16>, memref<2048x4096xbf16>, memref<2048x4096xbf16>
  return
}

// Two steps at a time, then a rest; 4 columns of f32 at a time; the bias's gradient
// by 8 threads of the blocks of the first columns. Rows of the last block that do not
// exist are not written.

// CHECK-LABEL: func @any_tokens(
// CHECK:         %[[FEW:.+]] = arith.cmpi ule, %{{.+}}, %c16
// CHECK:         scf.if %[[FEW]] {
// CHECK:           gpu.launch
// CHECK:             scf.for
// CHECK-COUNT-16:      vector.fma {{.+}} : vector<8xf32>
// CHECK-NOT:           vector.fma
// CHECK:             scf.for
// CHECK-COUNT-8:       vector.fma {{.+}} : vector<8xf32>
// CHECK-NOT:           vector.fma
// CHECK:             scf.if
// CHECK-COUNT-2:       vector.store {{.+}}, vector<4xf32>
// CHECK:             scf.if
// CHECK-COUNT-2:       vector.store {{.+}}, vector<4xf32>
// CHECK:             scf.for
// CHECK:               arith.addf
// CHECK:             vector.store {{.+}}, vector<1xf16>
// CHECK:         } else {
// CHECK:           gpu.launch
// CHECK:         return
func.func @any_tokens(%dy: memref<?x?x2050xf16>, %a: memref<?x?x4096xf16>, %w: memref<2050x4096xf16>, %dw: memref<2050x4096xf32>, %db: memref<2050xf16>) {
  boostr.out_proj_residual_grad %dy, %a, %w accumulate_weight(%dw) outs(%db) wrt(weight, bias)
      {boostr.gpu_tiles = [#boostr.gpu_tile<kernel = simt, block = [64, 64, 16], stages = 2, group = 8, few_steps = 16>]}
      : memref<?x?x2050xf16>, memref<?x?x4096xf16>, memref<2050x4096xf16>, memref<2050x4096xf32>, memref<2050xf16>
  return
}

// Steps are found by a division once, and counted from there.

// CHECK-LABEL: func @batches(
// CHECK:         gpu.launch
// CHECK:           scf.for
// CHECK-NOT:         arith.{{div|rem}}ui
// CHECK-COUNT-16:    vector.fma
// CHECK:             scf.yield
func.func @batches(%dq: memref<?x4x?x8xf32>, %dk: memref<?x2x?x8xf32>, %x: memref<?x?x1024xf32>, %w: memref<64x1024xf32>, %dw: memref<64x1024xf32>) {
  boostr.fused_qkv_grad %dq, %dk, %dk, %x, %w outs(%dw) wrt(weight) num_heads = 4 num_kv_heads = 2 head_dim = 8
      {boostr.gpu_tiles = [#boostr.gpu_tile<kernel = ger, block = [8, 512, 2], stages = 1, group = 1>]}
      : memref<?x4x?x8xf32>, memref<?x2x?x8xf32>, memref<?x2x?x8xf32>, memref<?x?x1024xf32>, memref<64x1024xf32>, memref<64x1024xf32>
  return
}

// By tensor cores: a thread reads 4 steps if they are there, 4 rows and 8 columns of each,
// and has 8 rows of sums, in pieces of 16 bytes.

// CHECK-LABEL: func @by_tensor_cores(
// CHECK:         gpu.launch {{.+}} threads(%{{.+}}) in (%{{.+}} = %c128, {{.+}}) dynamic_shared_memory_size %c0_i32 {
// CHECK:             scf.if
// CHECK:               vector.load {{.+}} {alignment = 8 : i64} : {{.+}}, vector<4xbf16>
// CHECK:               vector.load {{.+}} {alignment = 16 : i64} : {{.+}}, vector<8xbf16>
// CHECK:             } else {
// CHECK-COUNT-3:     scf.if
// CHECK-COUNT-16:    nvvm.mma.sync
// CHECK-NOT:         nvvm.mma.sync
// CHECK-COUNT-8:   vector.store {{.+}} {alignment = 16 : i64} : {{.+}}, vector<8xbf16>
// CHECK-NOT:       vector.store
// CHECK:         return
func.func @by_tensor_cores(%dy: memref<1x16x2048xbf16>, %a: memref<1x16x4096xbf16>, %w: memref<2048x4096xbf16>, %dw: memref<2048x4096xbf16>) {
  boostr.out_proj_residual_grad %dy, %a, %w outs(%dw) wrt(weight)
      {boostr.gpu_tiles = [#boostr.gpu_tile<kernel = ger, block = [32, 256, 16], stages = 1, group = 1, warp = [32, 64]>]}
      : memref<1x16x2048xbf16>, memref<1x16x4096xbf16>, memref<2048x4096xbf16>, memref<2048x4096xbf16>
  return
}
