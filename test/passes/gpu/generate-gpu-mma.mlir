// RUN: boostr-opt %s --boostr-generate-gpu --canonicalize --cse | FileCheck %s
//
// The kernel for tensor cores from sm_80 on. test/execution/test_gpu_kernels.py
// runs it.

// Three stages: two are filled before the loop, and the first fragments are loaded.
// Each turn loads the next ones before it multiplies; between the products it asks
// for another stage, and waits for the next, with one barrier. Sums are stored
// through shared memory.

// CHECK-LABEL: func @fused_qkv_bf16(
// CHECK:         gpu.launch blocks({{.+}} in (%{{.+}} = %c256, {{.+}}) dynamic_shared_memory_size %c69632_i32
// CHECK:           memref.view {{.+}} to memref<3x128x40xbf16, #gpu.address_space<workgroup>>
// CHECK:           memref.view {{.+}} to memref<128x136xf32, #gpu.address_space<workgroup>>
// CHECK-COUNT-4:   nvgpu.device_async_copy {{.+}}, 8, %{{.+}} {bypassL1}
// CHECK-NEXT:      nvvm.cp.async.commit.group
// CHECK-COUNT-4:   nvgpu.device_async_copy
// CHECK-NEXT:      nvvm.cp.async.commit.group
// CHECK:           nvvm.cp.async.wait.group 1
// CHECK-NEXT:      gpu.barrier
// CHECK-COUNT-6:   nvgpu.ldmatrix {{.+}} {numTiles = 4 : i32, transpose = false}
// CHECK:           scf.for
// CHECK-NOT:         gpu.barrier
// CHECK-COUNT-6:     nvgpu.ldmatrix {{.+}} {numTiles = 4 : i32, transpose = false}
// CHECK-COUNT-4:     nvgpu.device_async_copy
// CHECK-COUNT-16:    nvvm.mma.sync
// CHECK:             nvvm.cp.async.commit.group
// CHECK-NEXT:        nvvm.cp.async.wait.group 1
// CHECK-NEXT:        gpu.barrier
// CHECK-COUNT-6:     nvgpu.ldmatrix {{.+}} {numTiles = 4 : i32, transpose = false}
// CHECK-COUNT-16:    nvvm.mma.sync
// CHECK-NOT:         gpu.barrier
// CHECK:             scf.yield
// CHECK:           nvvm.cp.async.wait.group 0
// CHECK-NEXT:      gpu.barrier
// CHECK-COUNT-32:  vector.store {{.+}} {alignment = 8 : i64} : memref<128x136xf32, #gpu.address_space<workgroup>>, vector<2xf32>
// CHECK-NEXT:      gpu.barrier
// CHECK:           vector.store {{.+}} {alignment = 16 : i64} : {{.+}}, vector<8xbf16>
// CHECK-NOT:     gpu.launch
// CHECK:         return
func.func @fused_qkv_bf16(%x: memref<?x?x512xbf16>, %w: memref<256x512xbf16>, %b: memref<256xbf16>,
    %q: memref<?x4x?x32xbf16>, %k: memref<?x2x?x32xbf16>, %v: memref<?x2x?x32xbf16>) {
  boostr.fused_qkv %x, %w bias(%b) outs(%q, %k, %v) num_heads = 4 num_kv_heads = 2 head_dim = 32
      {boostr.gpu_tiles = [#boostr.gpu_tile<kernel = mma, block = [128, 128, 32], stages = 3, group = 8, warp = [64, 32]>]}
      : memref<?x?x512xbf16>, memref<256x512xbf16>, memref<256xbf16>, memref<?x4x?x32xbf16>, memref<?x2x?x32xbf16>, memref<?x2x?x32xbf16>
  return
}

// Both operands of the weight's gradient are transposed on the way to registers.
// The bias gradient is a product with ones.

// CHECK-LABEL: func @grad_f16(
// CHECK:         gpu.launch
// CHECK:         gpu.launch
// CHECK:           memref.view {{.+}} to memref<2x32x72xf16, #gpu.address_space<workgroup>>
// CHECK-NOT:       transpose = false
// CHECK-COUNT-4:   nvgpu.ldmatrix {{.+}} {numTiles = 4 : i32, transpose = true}
// CHECK-COUNT-8:   nvvm.mma.sync
// CHECK:           scf.if
// CHECK-COUNT-2:     nvvm.mma.sync
// CHECK:           scf.yield
// CHECK:         return
func.func @grad_f16(%dy: memref<2x3x64xf16>, %a: memref<2x3x64xf16>, %w: memref<64x64xf16>,
    %da: memref<2x3x64xf16>, %dw: memref<64x64xf16>, %db: memref<64xf16>) {
  boostr.out_proj_residual_grad %dy, %a, %w outs(%da, %dw, %db) wrt(attn, weight, bias)
      {boostr.gpu_tiles = [#boostr.gpu_tile<kernel = mma, block = [64, 64, 32], stages = 2, group = 1, warp = [32, 32]>,
                           #boostr.gpu_tile<kernel = mma, block = [64, 64, 32], stages = 2, group = 1, warp = [32, 32]>]}
      : memref<2x3x64xf16>, memref<2x3x64xf16>, memref<64x64xf16>, memref<2x3x64xf16>, memref<64x64xf16>, memref<64xf16>
  return
}

// Whether rows come in pieces of 16 bytes shows when the code runs. Where they do
// not, single elements of 16 bits go through registers: asked for before the
// products, stored after.

// CHECK-LABEL: func @dynamic_f16(
// CHECK:         scf.if
// CHECK:           gpu.launch
// CHECK:             nvgpu.device_async_copy {{.+}}, 8, %{{.+}} {bypassL1}
// CHECK:         } else {
// CHECK:           gpu.launch
// CHECK-NOT:         nvgpu.device_async_copy
// CHECK:             scf.for
// CHECK-NOT:           gpu.barrier
// CHECK:               vector.load {{.+}} vector<1xf16>
// CHECK:               nvvm.mma.sync
// CHECK:               vector.store {{.+}} vector<1xf16>
// CHECK:               gpu.barrier
// CHECK:               nvvm.mma.sync
// CHECK:               scf.yield
func.func @dynamic_f16(%a: memref<?x?x?xf16>, %w: memref<?x?xf16>, %y: memref<?x?x?xf16>) {
  boostr.out_proj_residual %a, %w residual(%y) outs(%y)
      {boostr.gpu_tiles = [#boostr.gpu_tile<kernel = mma, block = [64, 64, 32], stages = 2, group = 1, warp = [32, 32]>]}
      : memref<?x?x?xf16>, memref<?x?xf16>, memref<?x?x?xf16>, memref<?x?x?xf16>
  return
}

// Three products of TF32 for one of f32, the small ones first.

// CHECK-LABEL: func @tf32x3(
// CHECK:           %[[X:.+]] = memref.load {{.+}} : memref<2x64x20xf32, #gpu.address_space<workgroup>>
// CHECK-NEXT:      %[[HIGH:.+]] = nvvm.convert.float.to.tf32 %[[X]] {rnd = #nvvm.fp_rnd_mode<rna>}
// CHECK-NEXT:      %[[ROUNDED:.+]] = arith.bitcast %[[HIGH]] : i32 to f32
// CHECK-NEXT:      %[[REST:.+]] = arith.subf %[[X]], %[[ROUNDED]]
// CHECK-NEXT:      %[[LOW:.+]] = nvvm.convert.float.to.tf32 %[[REST]] {rnd = #nvvm.fp_rnd_mode<rna>}
// CHECK:           scf.for {{.+}} iter_args({{.*}}%[[H:.+]] = %[[HIGH]], {{.*}}%[[L:.+]] = %[[LOW]],
// CHECK:             nvvm.mma.sync A[%[[L]], {{.+}} shape = #nvvm.shape<m = 16, n = 8, k = 8>
// CHECK:             nvvm.mma.sync A[%[[H]],
// CHECK:             nvvm.mma.sync A[%[[H]],
func.func @tf32x3(%a: memref<2x3x64xf32>, %w: memref<64x64xf32>, %y: memref<2x3x64xf32>) {
  boostr.out_proj_residual %a, %w residual(%y) outs(%y)
      {boostr.gpu_tiles = [#boostr.gpu_tile<kernel = mma, block = [64, 64, 16], stages = 2, group = 1, warp = [32, 32], precision = tf32x3>]}
      : memref<2x3x64xf32>, memref<64x64xf32>, memref<2x3x64xf32>, memref<2x3x64xf32>
  return
}

// Of several kernels the host launches that which takes the least time: blocks for
// a multiprocessor times what a step costs, but one alone takes as long.

// CHECK-LABEL: func @small_blocks(
// CHECK-DAG:     %[[LARGE_LEAST:.+]] = arith.constant 180 : index
// CHECK-DAG:     %[[SMALL_LEAST:.+]] = arith.constant 56 : index
// CHECK-DAG:     %[[STEPS:.+]] = arith.constant 512 : index
// CHECK:         %[[LARGE_STEP:.+]] = arith.maxui %{{.+}}, %[[LARGE_LEAST]]
// CHECK:         %[[LARGE:.+]] = arith.muli %[[LARGE_STEP]], %[[STEPS]]
// CHECK:         %[[SMALL_STEP:.+]] = arith.maxui %{{.+}}, %[[SMALL_LEAST]]
// CHECK:         %[[SMALL:.+]] = arith.muli %[[SMALL_STEP]], %[[STEPS]]
// CHECK:         %[[IS_SMALL:.+]] = arith.cmpi ult, %[[SMALL]], %[[LARGE]]
// CHECK:         scf.if %[[IS_SMALL]]
// CHECK:           gpu.launch {{.+}} in (%{{.+}} = %c128,
// CHECK:             memref.view {{.+}} to memref<4x64x72xbf16, #gpu.address_space<workgroup>>
// CHECK:         } else {
// CHECK:           gpu.launch {{.+}} in (%{{.+}} = %c256,
// CHECK:             memref.view {{.+}} to memref<3x128x72xbf16, #gpu.address_space<workgroup>>
func.func @small_blocks(%a: memref<?x?x512xbf16>, %w: memref<512x512xbf16>, %y: memref<?x?x512xbf16>) {
  boostr.out_proj_residual %a, %w residual(%y) outs(%y)
      {boostr.gpu_tiles = [#boostr.gpu_tile<kernel = mma, block = [128, 256, 64], stages = 3, group = 8, small = [[64, 64]], warp = [64, 64]>]}
      : memref<?x?x512xbf16>, memref<512x512xbf16>, memref<?x?x512xbf16>, memref<?x?x512xbf16>
  return
}
