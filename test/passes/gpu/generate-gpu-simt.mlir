// RUN: boostr-opt %s --boostr-generate-gpu --canonicalize --cse | FileCheck %s
//
// The kernel that fits everything. test/execution/test_gpu_kernels.py runs it.

// One launch for all segments; a block selects its arrays. Two copies of both
// blocks of operands make one barrier for each step enough.

// CHECK-LABEL: func @fused_qkv_f32(
// CHECK:         gpu.launch blocks(%[[BLOCK:.+]], %{{.+}}, %{{.+}}) in ({{.+}}) threads(%{{.+}}) in (%{{.+}} = %c256, {{.+}}) dynamic_shared_memory_size %c17408_i32
// CHECK:           arith.cmpi ult, %[[BLOCK]],
// CHECK:           gpu.dynamic_shared_memory
// CHECK:           memref.view {{.+}} to memref<2x16x68xf32, #gpu.address_space<workgroup>>
// CHECK:           scf.for
// CHECK-COUNT-1:     gpu.barrier
// CHECK-COUNT-64:    vector.fma {{.+}} : vector<4xf32>
// CHECK-NOT:         gpu.barrier
// CHECK-NOT:     gpu.launch
// CHECK:         return
func.func @fused_qkv_f32(%x: memref<?x?x?xf32>, %w: memref<?x?xf32>, %b: memref<?xf32>,
    %q: memref<?x4x?x32xf32>, %k: memref<?x2x?x32xf32>, %v: memref<?x2x?x32xf32>) {
  boostr.fused_qkv %x, %w bias(%b) outs(%q, %k, %v) num_heads = 4 num_kv_heads = 2 head_dim = 32
      {boostr.gpu_tiles = [#boostr.gpu_tile<kernel = simt, block = [64, 64, 16], stages = 2, group = 8>]}
      : memref<?x?x?xf32>, memref<?x?xf32>, memref<?xf32>, memref<?x4x?x32xf32>, memref<?x2x?x32xf32>, memref<?x2x?x32xf32>
  return
}

// Extents that are known to come in fours are read and written in fours, and
// converted on the way.

// CHECK-LABEL: func @out_proj_residual_bf16(
// CHECK:         gpu.launch
// CHECK:           vector.load {{.+}} {alignment = 8 : i64} : memref<?xbf16{{.*}}>, vector<4xbf16>
// CHECK:           arith.extf {{.+}} : vector<4xbf16> to vector<4xf32>
// CHECK:           arith.truncf {{.+}} : vector<4xf32> to vector<4xbf16>
// CHECK:           vector.store {{.+}} {alignment = 8 : i64} : memref<?xbf16{{.*}}>, vector<4xbf16>
func.func @out_proj_residual_bf16(%a: memref<?x?x64xbf16>, %w: memref<128x64xbf16>, %y: memref<?x?x128xbf16>) {
  boostr.out_proj_residual %a, %w residual(%y) outs(%y)
      {boostr.gpu_tiles = [#boostr.gpu_tile<kernel = simt, block = [64, 64, 16], stages = 2, group = 8>]}
      : memref<?x?x64xbf16>, memref<128x64xbf16>, memref<?x?x128xbf16>, memref<?x?x128xbf16>
  return
}

// A loop over terms and in it one over steps; one stage takes two barriers for
// each step. The bias gradient is summed by the blocks of the first column.

// CHECK-LABEL: func @fused_qkv_grad_f64(
// CHECK:         gpu.launch
// CHECK:           scf.for
// CHECK-NEXT:        gpu.barrier
// CHECK:             scf.for
// CHECK-COUNT-2:       gpu.barrier
// CHECK-NOT:           gpu.barrier
// CHECK:         gpu.launch
// CHECK:           scf.for
// CHECK:             scf.if
// CHECK:               arith.addf {{.+}} : f64
// CHECK:             vector.fma {{.+}} : vector<2xf64>
// CHECK:         return
func.func @fused_qkv_grad_f64(%dq: memref<2x4x?x64xf64>, %dk: memref<2x1x?x64xf64>,
    %dv: memref<2x1x?x64xf64>, %x: memref<2x?x512xf64>, %w: memref<384x512xf64>,
    %dx: memref<2x?x512xf64>, %dw: memref<384x512xf64>, %db: memref<384xf64>) {
  boostr.fused_qkv_grad %dq, %dk, %dv, %x, %w accumulate_weight(%dw) outs(%dx, %db)
      wrt(input, weight, bias) num_heads = 4 num_kv_heads = 1 head_dim = 64
      {boostr.gpu_tiles = [#boostr.gpu_tile<kernel = simt, block = [64, 64, 16], stages = 1, group = 1>,
                           #boostr.gpu_tile<kernel = simt, block = [64, 64, 16], stages = 2, group = 8>]}
      : memref<2x4x?x64xf64>, memref<2x1x?x64xf64>, memref<2x1x?x64xf64>, memref<2x?x512xf64>,
        memref<384x512xf64>, memref<384x512xf64>, memref<2x?x512xf64>, memref<384xf64>
  return
}

// CHECK-LABEL: func @elsewhere
// CHECK-NEXT:    return
func.func @elsewhere() {
  return
}
