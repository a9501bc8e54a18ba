// RUN: boostr-opt %s --boostr-generate-gpu --canonicalize --cse | FileCheck %s
//
// The kernels for few rows where memory of the weight runs along the result's
// columns. test/execution/test_gpu_kernels.py runs them.

// Four threads read 64 bytes of a row of the weight; 256 such groups share k,
// each of which asks for four rows before it uses the first. Of what eight
// threads have, halves are exchanged three times; sums of warps meet in shared
// memory. Terms are in a loop, without a barrier.

// CHECK-LABEL: func @one_token(
// CHECK:         gpu.launch {{.+}} threads(%{{.+}}) in (%{{.+}} = %c1024, {{.+}}) dynamic_shared_memory_size %c4096_i32 {
// CHECK:           scf.for
// CHECK-NOT:         gpu.barrier
// CHECK:             scf.for
// CHECK-COUNT-4:       vector.load {{.+}} {alignment = 16 : i64} : memref<?xbf16, {{.+}}>, vector<8xbf16>
// CHECK:               nvvm.bar.warp.sync
// CHECK:               vector.load {{.+}} {alignment = 8 : i64} : memref<?xbf16, {{.+}}>, vector<4xbf16>
// CHECK-COUNT-4:       vector.fma {{.+}} : vector<8xf32>
// CHECK-NOT:           vector.fma
// CHECK:               scf.yield
// CHECK-COUNT-7:   gpu.shuffle xor
// CHECK-NOT:       gpu.shuffle
// CHECK:           memref.store {{.+}} : memref<32x1x32xf32, #gpu.address_space<workgroup>>
// CHECK:           gpu.barrier
// CHECK-COUNT-32:  vector.load {{.+}} : memref<32x1x32xf32, #gpu.address_space<workgroup>>, vector<2xf32>
// CHECK:           vector.store {{.+}} vector<2xbf16>
// CHECK:         return
func.func @one_token(%dq: memref<1x32x1x128xbf16>, %dk: memref<1x8x1x128xbf16>, %dv: memref<1x8x1x128xbf16>, %x: memref<1x1x4096xbf16>,
    %w: memref<6144x4096xbf16>, %dx: memref<1x1x4096xbf16>) {
  boostr.fused_qkv_grad %dq, %dk, %dv, %x, %w outs(%dx) wrt(input) num_heads = 32 num_kv_heads = 8 head_dim = 128
      {boostr.gpu_tiles = [#boostr.gpu_tile<kernel = gemvt, block = [1, 32, 1024], stages = 4, group = 1>]}
      : memref<1x32x1x128xbf16>, memref<1x8x1x128xbf16>, memref<1x8x1x128xbf16>, memref<1x1x4096xbf16>, memref<6144x4096xbf16>, memref<1x1x4096xbf16>
  return
}

// Several tokens: elements of two rows of the weight are pairs for tensor cores.

// CHECK-LABEL: func @several_tokens(
// CHECK:         gpu.launch {{.+}} threads(%{{.+}}) in (%{{.+}} = %c512, {{.+}}) dynamic_shared_memory_size
// CHECK:           scf.for
// CHECK-COUNT-8:     vector.load {{.+}} {alignment = 8 : i64} : memref<4194304xf16, {{.+}}>, vector<4xf16>
// CHECK:             nvvm.bar.warp.sync
// CHECK-COUNT-2:     vector.load {{.+}} {alignment = 8 : i64} : memref<?xf16, {{.+}}>, vector<4xf16>
// CHECK:             nvvm.bar.warp.sync
// CHECK:             vector.interleave
// CHECK-COUNT-4:     nvvm.mma.sync
// CHECK-NOT:         nvvm.mma.sync
// CHECK:             scf.yield
// CHECK-NOT:       gpu.shuffle
// CHECK:           gpu.barrier
// CHECK-COUNT-16:  vector.load {{.+}} : memref<16x8x36xf32, #gpu.address_space<workgroup>>, vector<2xf32>
// CHECK:           vector.store {{.+}} vector<2xf16>
// CHECK:         return
func.func @several_tokens(%dy: memref<?x?x2048xf16>, %a: memref<?x?x2048xf16>, %w: memref<2048x2048xf16>, %da: memref<?x?x2048xf16>) {
  boostr.out_proj_residual_grad %dy, %a, %w outs(%da) wrt(attn)
      {boostr.gpu_tiles = [#boostr.gpu_tile<kernel = gemvt, block = [8, 32, 256], stages = 2, group = 1, warp = [8, 32]>]}
      : memref<?x?x2048xf16>, memref<?x?x2048xf16>, memref<2048x2048xf16>, memref<?x?x2048xf16>
  return
}
