// RUN: boostr-opt %s --boostr-set-gpu-target=chip=sm_80 --boostr-select-gpu-tile=gemm=cublaslt --boostr-generate-gpu --canonicalize --cse | FileCheck %s
//
// Products by cuBLASLt. test/execution/test_gpu_cublaslt.py runs them.

// One product, with bias, residual and result where they lie, and the kernel for what the
// library is unable to.
// CHECK-LABEL: func @out_proj_residual(
// CHECK-NOT:     memref.alloc
// CHECK:         %[[DONE:.+]] = llvm.call @boostr_cuda_multiply(%{{.+}}) : (!llvm.ptr) -> i32
// CHECK:         %[[NOTHING:.+]] = arith.cmpi eq, %[[DONE]], %c0_i32
// CHECK:         scf.if %[[NOTHING]] {
// CHECK:           gpu.launch
// CHECK-NOT:     gpu.launch blocks
// CHECK-NOT:     scf.parallel
// CHECK:         return
func.func @out_proj_residual(%a: memref<?x?x72xf16>, %w: memref<48x72xf16>, %b: memref<48xf16>, %r: memref<?x?x48xf16>,
    %y: memref<?x?x48xf16>) {
  boostr.out_proj_residual %a, %w bias(%b) residual(%r) outs(%y)
      : memref<?x?x72xf16>, memref<48x72xf16>, memref<48xf16>, memref<?x?x48xf16>, memref<?x?x48xf16>
  return
}

// The columns of query, key and value are one product, which is split in pieces of 16
// bytes.
// CHECK-LABEL: func @fused_qkv(
// CHECK:         %[[PACKED:.+]] = memref.alloc(%{{.+}}) : memref<?xbf16>
// CHECK-COUNT-1: llvm.call @boostr_cuda_multiply
// CHECK-COUNT-3: scf.parallel {{.*}} step (%c1, %c1, {{(%c1, )?}}%c8) {
// CHECK-NOT:     llvm.call
// CHECK:         memref.dealloc %[[PACKED]]
func.func @fused_qkv(%x: memref<?x?x40xbf16>, %w: memref<96x40xbf16>, %b: memref<96xbf16>, %q: memref<?x4x?x16xbf16>,
    %k: memref<?x1x?x16xbf16>, %v: memref<?x1x?x16xbf16>) {
  boostr.fused_qkv %x, %w bias(%b) outs(%q, %k, %v) num_heads = 4 num_kv_heads = 1 head_dim = 16
      : memref<?x?x40xbf16>, memref<96x40xbf16>, memref<96xbf16>, memref<?x4x?x16xbf16>, memref<?x1x?x16xbf16>, memref<?x1x?x16xbf16>
  return
}

// Separate weights: a product each.
// CHECK-LABEL: func @fused_qkv_separate(
// CHECK-COUNT-3: llvm.call @boostr_cuda_multiply
// CHECK-NOT:     llvm.call
// CHECK:         return
func.func @fused_qkv_separate(%x: memref<?x?x40xbf16>, %wq: memref<64x40xbf16>, %wk: memref<16x40xbf16>,
    %wv: memref<16x40xbf16>, %q: memref<?x4x?x16xbf16>, %k: memref<?x1x?x16xbf16>, %v: memref<?x1x?x16xbf16>) {
  boostr.fused_qkv %x, %wq, %wk, %wv outs(%q, %k, %v) num_heads = 4 num_kv_heads = 1 head_dim = 16
      : memref<?x?x40xbf16>, memref<64x40xbf16>, memref<16x40xbf16>, memref<16x40xbf16>, memref<?x4x?x16xbf16>,
        memref<?x1x?x16xbf16>, memref<?x1x?x16xbf16>
  return
}

// Many tokens, and heads as wide as tiles: products of their own for query, key and
// value of each batch, straight into the head layout.
// CHECK-LABEL: func @fused_qkv_batched(
// CHECK:         %[[MANY:.+]] = arith.cmpi uge, %{{.+}}, %c1024
// CHECK:         scf.if %[[MANY]] -> (i32) {
// CHECK:           scf.for {{.*}} iter_args
// CHECK-COUNT-3:     llvm.call @boostr_cuda_multiply
// CHECK:         } else {
// CHECK:           memref.alloc
// CHECK:           llvm.call @boostr_cuda_multiply
// CHECK-COUNT-3:   scf.parallel
// CHECK:           memref.dealloc
func.func @fused_qkv_batched(%x: memref<?x?x40xbf16>, %w: memref<512x40xbf16>, %q: memref<?x2x?x128xbf16>,
    %k: memref<?x1x?x128xbf16>, %v: memref<?x1x?x128xbf16>) {
  boostr.fused_qkv %x, %w outs(%q, %k, %v) num_heads = 2 num_kv_heads = 1 head_dim = 128
      : memref<?x?x40xbf16>, memref<512x40xbf16>, memref<?x2x?x128xbf16>, memref<?x1x?x128xbf16>, memref<?x1x?x128xbf16>
  return
}

// Gradients in head layout are packed once for both products. The bias gradient is
// the library's, or that of a kernel.
// CHECK-LABEL: func @fused_qkv_grad(
// CHECK:         %[[PACKED:.+]] = memref.alloc(%{{.+}}) : memref<?xf32>
// CHECK-COUNT-3: scf.parallel {{.*}} step (%c1, %c1, %c1, %c1) {
// CHECK:         llvm.call @boostr_cuda_multiply
// CHECK-NOT:     memref.alloc
// CHECK-NOT:     scf.parallel
// CHECK:         %[[DONE:.+]] = llvm.call @boostr_cuda_multiply
// CHECK:         %[[NO_SUMS:.+]] = arith.cmpi eq, %[[DONE]], %c1_i32
// CHECK:         scf.if %[[NO_SUMS]] {
// CHECK:           gpu.launch
// CHECK:         memref.dealloc %[[PACKED]]
func.func @fused_qkv_grad(%dq: memref<?x3x?x7xf32>, %dk: memref<?x2x?x7xf32>, %dv: memref<?x2x?x7xf32>,
    %x: memref<?x?x40xf32>, %w: memref<49x40xf32>, %dx: memref<?x?x40xf32>, %dw: memref<49x40xf32>, %db: memref<49xf32>) {
  boostr.fused_qkv_grad %dq, %dk, %dv, %x, %w accumulate_weight(%dw) outs(%dx, %db) wrt(input, weight, bias)
      num_heads = 3 num_kv_heads = 2 head_dim = 7
      : memref<?x3x?x7xf32>, memref<?x2x?x7xf32>, memref<?x2x?x7xf32>, memref<?x?x40xf32>, memref<49x40xf32>, memref<49x40xf32>, memref<?x?x40xf32>, memref<49xf32>
  return
}

// Without a library when the code runs, nothing is packed in vain.
// CHECK-LABEL: func @auto(
// CHECK:         %[[HAS:.+]] = llvm.call @boostr_cuda_has_cublaslt() : () -> i32
// CHECK:         %[[NEEDED:.+]] = arith.trunci %[[HAS]] : i32 to i1
// CHECK-COUNT-3: arith.select %[[NEEDED]]
// CHECK:         llvm.call @boostr_cuda_multiply
func.func @auto(%dq: memref<?x3x?x7xf64>, %dk: memref<?x2x?x7xf64>, %dv: memref<?x2x?x7xf64>,
    %x: memref<?x?x40xf64>, %w: memref<49x40xf64>, %dx: memref<?x?x40xf64>) {
  boostr.fused_qkv_grad %dq, %dk, %dv, %x, %w outs(%dx) wrt(input) num_heads = 3 num_kv_heads = 2 head_dim = 7 {boostr.gemm = #boostr.gemm<auto>}
      : memref<?x3x?x7xf64>, memref<?x2x?x7xf64>, memref<?x2x?x7xf64>, memref<?x?x40xf64>, memref<49x40xf64>, memref<?x?x40xf64>
  return
}
