// RUN: boostr-opt %s | boostr-opt | FileCheck %s
// RUN: boostr-opt %s --mlir-print-op-generic | boostr-opt | FileCheck %s

// CHECK-LABEL: func.func @fused_qkv
// CHECK: boostr.fused_qkv %{{.*}}, %{{.*}} num_heads = 4 num_kv_heads = 2 head_dim = 8 : tensor<?x?x16xf32>, tensor<64x16xf32>
func.func @fused_qkv(%x: tensor<?x?x16xf32>, %w: tensor<64x16xf32>)
    -> (tensor<?x4x?x8xf32>, tensor<?x2x?x8xf32>, tensor<?x2x?x8xf32>) {
  %q, %k, %v = boostr.fused_qkv %x, %w num_heads = 4 num_kv_heads = 2 head_dim = 8
      : tensor<?x?x16xf32>, tensor<64x16xf32>
  return %q, %k, %v : tensor<?x4x?x8xf32>, tensor<?x2x?x8xf32>, tensor<?x2x?x8xf32>
}

// Heads need not be multiples of each other; every extent may be dynamic.
// CHECK-LABEL: func.func @fused_qkv_bias_dynamic
// CHECK: boostr.fused_qkv %{{.*}}, %{{.*}} bias(%{{.*}}) num_heads = 3 num_kv_heads = 2 head_dim = 5 {note = "kept"} : tensor<?x?x?xbf16>, tensor<?x?xbf16>, tensor<?xbf16>
func.func @fused_qkv_bias_dynamic(%x: tensor<?x?x?xbf16>, %w: tensor<?x?xbf16>, %b: tensor<?xbf16>)
    -> (tensor<?x3x?x5xbf16>, tensor<?x2x?x5xbf16>, tensor<?x2x?x5xbf16>) {
  %q, %k, %v = boostr.fused_qkv %x, %w bias(%b) num_heads = 3 num_kv_heads = 2 head_dim = 5
      {note = "kept"} : tensor<?x?x?xbf16>, tensor<?x?xbf16>, tensor<?xbf16>
  return %q, %k, %v : tensor<?x3x?x5xbf16>, tensor<?x2x?x5xbf16>, tensor<?x2x?x5xbf16>
}

// A weight and a bias for each of query, key and value.
// CHECK-LABEL: func.func @fused_qkv_separate
// CHECK: boostr.fused_qkv %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}} bias(%{{.*}}, %{{.*}}, %{{.*}}) num_heads = 2 num_kv_heads = 1 head_dim = 4 : tensor<?x?x8xf32>, tensor<8x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>, tensor<8xf32>, tensor<4xf32>, tensor<4xf32>
func.func @fused_qkv_separate(%x: tensor<?x?x8xf32>, %wq: tensor<8x8xf32>, %wk: tensor<4x8xf32>,
    %wv: tensor<4x8xf32>, %bq: tensor<8xf32>, %bk: tensor<4xf32>, %bv: tensor<4xf32>)
    -> (tensor<?x2x?x4xf32>, tensor<?x1x?x4xf32>, tensor<?x1x?x4xf32>) {
  %q, %k, %v = boostr.fused_qkv %x, %wq, %wk, %wv bias(%bq, %bk, %bv)
      num_heads = 2 num_kv_heads = 1 head_dim = 4
      : tensor<?x?x8xf32>, tensor<8x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>, tensor<8xf32>,
        tensor<4xf32>, tensor<4xf32>
  return %q, %k, %v : tensor<?x2x?x4xf32>, tensor<?x1x?x4xf32>, tensor<?x1x?x4xf32>
}

// CHECK-LABEL: func.func @fused_qkv_empty
// CHECK: boostr.fused_qkv {{.*}} : tensor<0x0x4xf64>, tensor<6x4xf64>
func.func @fused_qkv_empty(%x: tensor<0x0x4xf64>, %w: tensor<6x4xf64>) -> tensor<0x1x0x2xf64> {
  %q, %k, %v = boostr.fused_qkv %x, %w num_heads = 1 num_kv_heads = 1 head_dim = 2
      : tensor<0x0x4xf64>, tensor<6x4xf64>
  return %q : tensor<0x1x0x2xf64>
}

// CHECK-LABEL: func.func @fused_qkv_buffer
// CHECK: boostr.fused_qkv %{{.*}}, %{{.*}} bias(%{{.*}}) outs(%{{.*}}, %{{.*}}, %{{.*}}) num_heads = 1 num_kv_heads = 1 head_dim = 4 : memref<2x3x8xf16>, memref<12x8xf16>, memref<12xf16>, memref<2x1x3x4xf16>, memref<2x1x3x4xf16>, memref<2x1x3x4xf16, strided<[?, ?, ?, 1], offset: ?>>
func.func @fused_qkv_buffer(%x: memref<2x3x8xf16>, %w: memref<12x8xf16>, %b: memref<12xf16>,
    %q: memref<2x1x3x4xf16>, %k: memref<2x1x3x4xf16>,
    %v: memref<2x1x3x4xf16, strided<[?, ?, ?, 1], offset: ?>>) {
  boostr.fused_qkv %x, %w bias(%b) outs(%q, %k, %v) num_heads = 1 num_kv_heads = 1 head_dim = 4
      : memref<2x3x8xf16>, memref<12x8xf16>, memref<12xf16>, memref<2x1x3x4xf16>,
        memref<2x1x3x4xf16>, memref<2x1x3x4xf16, strided<[?, ?, ?, 1], offset: ?>>
  return
}

// CHECK-LABEL: func.func @fused_qkv_grad
// CHECK: boostr.fused_qkv_grad %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}} accumulate_weight(%{{.*}}) accumulate_bias(%{{.*}}) wrt(input, weight, bias) num_heads = 2 num_kv_heads = 1 head_dim = 4
func.func @fused_qkv_grad(%dq: tensor<?x2x?x4xbf16>, %dk: tensor<?x1x?x4xbf16>,
    %dv: tensor<?x1x?x4xbf16>, %x: tensor<?x?x8xbf16>, %w: tensor<16x8xbf16>,
    %dw0: tensor<16x8xf32>, %db0: tensor<16xf32>)
    -> (tensor<?x?x8xbf16>, tensor<16x8xf32>, tensor<16xf32>) {
  %dx, %dw, %db = boostr.fused_qkv_grad %dq, %dk, %dv, %x, %w accumulate_weight(%dw0)
      accumulate_bias(%db0) wrt(input, weight, bias) num_heads = 2 num_kv_heads = 1 head_dim = 4
      : tensor<?x2x?x4xbf16>, tensor<?x1x?x4xbf16>, tensor<?x1x?x4xbf16>, tensor<?x?x8xbf16>,
        tensor<16x8xbf16>, tensor<16x8xf32>, tensor<16xf32>
  return %dx, %dw, %db : tensor<?x?x8xbf16>, tensor<16x8xf32>, tensor<16xf32>
}

// CHECK-LABEL: func.func @fused_qkv_grad_separate
// CHECK: boostr.fused_qkv_grad %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}} accumulate_weight(%{{.*}}, %{{.*}}, %{{.*}}) wrt(input, weight, bias) num_heads = 2 num_kv_heads = 1 head_dim = 4
func.func @fused_qkv_grad_separate(%dq: tensor<2x2x3x4xbf16>, %dk: tensor<2x1x3x4xbf16>,
    %x: tensor<2x3x8xbf16>, %wq: tensor<8x8xbf16>, %wk: tensor<4x8xbf16>, %wv: tensor<4x8xbf16>,
    %dwq: tensor<8x8xf32>, %dwk: tensor<4x8xf32>, %dwv: tensor<4x8xf32>)
    -> (tensor<2x3x8xbf16>, tensor<8x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>, tensor<8xbf16>,
        tensor<4xbf16>, tensor<4xbf16>) {
  %g:7 = boostr.fused_qkv_grad %dq, %dk, %dk, %x, %wq, %wk, %wv
      accumulate_weight(%dwq, %dwk, %dwv) wrt(input, weight, bias)
      num_heads = 2 num_kv_heads = 1 head_dim = 4
      : tensor<2x2x3x4xbf16>, tensor<2x1x3x4xbf16>, tensor<2x1x3x4xbf16>, tensor<2x3x8xbf16>,
        tensor<8x8xbf16>, tensor<4x8xbf16>, tensor<4x8xbf16>, tensor<8x8xf32>, tensor<4x8xf32>,
        tensor<4x8xf32>
  return %g#0, %g#1, %g#2, %g#3, %g#4, %g#5, %g#6 : tensor<2x3x8xbf16>, tensor<8x8xf32>,
      tensor<4x8xf32>, tensor<4x8xf32>, tensor<8xbf16>, tensor<4xbf16>, tensor<4xbf16>
}

// CHECK-LABEL: func.func @fused_qkv_grad_subset
// CHECK: wrt(bias) num_heads = 1
// CHECK: wrt(weight, bias) num_heads = 1
// CHECK: wrt(none) num_heads = 1
func.func @fused_qkv_grad_subset(%dy: tensor<2x1x3x4xf32>, %x: tensor<2x3x8xf32>, %w: tensor<12x8xf32>)
    -> (tensor<12xf32>, tensor<12x8xf32>) {
  %db = boostr.fused_qkv_grad %dy, %dy, %dy, %x, %w wrt(bias)
      num_heads = 1 num_kv_heads = 1 head_dim = 4 : tensor<2x1x3x4xf32>, tensor<2x1x3x4xf32>,
      tensor<2x1x3x4xf32>, tensor<2x3x8xf32>, tensor<12x8xf32>
  %dw, %db2 = boostr.fused_qkv_grad %dy, %dy, %dy, %x, %w wrt(weight, bias)
      num_heads = 1 num_kv_heads = 1 head_dim = 4 : tensor<2x1x3x4xf32>, tensor<2x1x3x4xf32>,
      tensor<2x1x3x4xf32>, tensor<2x3x8xf32>, tensor<12x8xf32>
  boostr.fused_qkv_grad %dy, %dy, %dy, %x, %w wrt(none)
      num_heads = 1 num_kv_heads = 1 head_dim = 4 : tensor<2x1x3x4xf32>, tensor<2x1x3x4xf32>,
      tensor<2x1x3x4xf32>, tensor<2x3x8xf32>, tensor<12x8xf32>
  return %db, %dw : tensor<12xf32>, tensor<12x8xf32>
}

// A gradient that accumulates has no memref among `outs`.
// CHECK-LABEL: func.func @fused_qkv_grad_buffer
// CHECK: accumulate_weight(%{{.*}}) outs(%{{.*}}, %{{.*}}) wrt(input, weight, bias)
func.func @fused_qkv_grad_buffer(%dy: memref<2x1x3x4xf32>, %x: memref<2x3x8xf32>,
    %w: memref<12x8xf32>, %dw: memref<12x8xf32>, %dx: memref<2x3x8xf32>, %db: memref<12xf32>) {
  boostr.fused_qkv_grad %dy, %dy, %dy, %x, %w accumulate_weight(%dw) outs(%dx, %db)
      wrt(input, weight, bias) num_heads = 1 num_kv_heads = 1 head_dim = 4
      : memref<2x1x3x4xf32>, memref<2x1x3x4xf32>, memref<2x1x3x4xf32>, memref<2x3x8xf32>,
        memref<12x8xf32>, memref<12x8xf32>, memref<2x3x8xf32>, memref<12xf32>
  return
}

// CHECK-LABEL: func.func @out_proj_residual
// CHECK: boostr.out_proj_residual %{{.*}}, %{{.*}} residual(%{{.*}}) : tensor<?x?x?xf16>, tensor<?x?xf16>, tensor<?x?x?xf16>
// CHECK: boostr.out_proj_residual %{{.*}}, %{{.*}} bias(%{{.*}}) residual(%{{.*}}) : tensor<?x?x?xf16>, tensor<?x?xf16>, tensor<?xf16>, tensor<?x?x?xf16>
func.func @out_proj_residual(%a: tensor<?x?x?xf16>, %w: tensor<?x?xf16>, %b: tensor<?xf16>,
    %r: tensor<?x?x?xf16>) -> tensor<?x?x?xf16> {
  %y = boostr.out_proj_residual %a, %w residual(%r)
      : tensor<?x?x?xf16>, tensor<?x?xf16>, tensor<?x?x?xf16>
  %z = boostr.out_proj_residual %a, %w bias(%b) residual(%y)
      : tensor<?x?x?xf16>, tensor<?x?xf16>, tensor<?xf16>, tensor<?x?x?xf16>
  return %z : tensor<?x?x?xf16>
}

// CHECK-LABEL: func.func @out_proj_residual_buffer
// CHECK: boostr.out_proj_residual %{{.*}}, %{{.*}} residual(%[[R:.*]]) outs(%[[R]]) {boostr.cpu_tile = #boostr.cpu_tile<kernel = fma, block = [16, 32, 64], register = [8, 32], lanes = 16, packed_bytes = 4096>} :
func.func @out_proj_residual_buffer(%a: memref<2x3x8xf32>, %w: memref<4x8xf32>, %r: memref<2x3x4xf32>) {
  boostr.out_proj_residual %a, %w residual(%r) outs(%r)
      {boostr.cpu_tile = #boostr.cpu_tile<kernel = fma, block = [16, 32, 64], register = [8, 32], lanes = 16, packed_bytes = 4096>}
      : memref<2x3x8xf32>, memref<4x8xf32>, memref<2x3x4xf32>, memref<2x3x4xf32>
  return
}

// CHECK-LABEL: func.func @out_proj_residual_grad
// CHECK: boostr.out_proj_residual_grad %{{.*}}, %{{.*}}, %{{.*}} wrt(attn, weight, bias) : tensor<2x3x4xf64>, tensor<2x3x8xf64>, tensor<4x8xf64>
// CHECK: boostr.out_proj_residual_grad %{{.*}}, %{{.*}}, %{{.*}} accumulate_bias(%{{.*}}) wrt(bias) :
func.func @out_proj_residual_grad(%dy: tensor<2x3x4xf64>, %a: tensor<2x3x8xf64>, %w: tensor<4x8xf64>)
    -> (tensor<2x3x8xf64>, tensor<4x8xf64>, tensor<4xf64>) {
  %da, %dw, %db = boostr.out_proj_residual_grad %dy, %a, %w wrt(attn, weight, bias)
      : tensor<2x3x4xf64>, tensor<2x3x8xf64>, tensor<4x8xf64>
  %db2 = boostr.out_proj_residual_grad %dy, %a, %w accumulate_bias(%db) wrt(bias)
      : tensor<2x3x4xf64>, tensor<2x3x8xf64>, tensor<4x8xf64>, tensor<4xf64>
  return %da, %dw, %db2 : tensor<2x3x8xf64>, tensor<4x8xf64>, tensor<4xf64>
}

// CHECK-LABEL: func.func @out_proj_residual_grad_buffer
// CHECK: accumulate_weight(%{{.*}}) accumulate_bias(%{{.*}}) wrt(weight, bias)
// CHECK: outs(%{{.*}}) wrt(attn)
func.func @out_proj_residual_grad_buffer(%dy: memref<2x3x4xbf16>, %a: memref<2x3x8xbf16>,
    %w: memref<4x8xbf16>, %dw: memref<4x8xf32>, %db: memref<4xbf16>, %da: memref<2x3x8xbf16>) {
  boostr.out_proj_residual_grad %dy, %a, %w accumulate_weight(%dw) accumulate_bias(%db)
      wrt(weight, bias) : memref<2x3x4xbf16>, memref<2x3x8xbf16>, memref<4x8xbf16>,
      memref<4x8xf32>, memref<4xbf16>
  boostr.out_proj_residual_grad %dy, %a, %w outs(%da) wrt(attn)
      : memref<2x3x4xbf16>, memref<2x3x8xbf16>, memref<4x8xbf16>, memref<2x3x8xbf16>
  return
}

#packed = #boostr.packed_layout<array = tensor<32x64xf32>, kernel = fma, side = rows, width = 6, block = [16, 64], lanes = 8, rows = [32]>

// CHECK-LABEL: func.func @packed_weights
// CHECK: boostr.pack_array %{{.*}} layout(#boostr.packed_layout<array = tensor<32x64xf32>, kernel = fma, side = rows, width = 6, block = [16, 64], lanes = 8, rows = [32]>) : tensor<32x64xf32> to tensor<12480xi8>
// CHECK: boostr.packed_array %{{.*}} layout(#boostr.packed_layout<array = tensor<32x64xf32>, kernel = fma, side = rows, width = 6, block = [16, 64], lanes = 8, rows = [32]>) : tensor<12480xi8> to tensor<32x64xf32>
func.func @packed_weights(%w: tensor<32x64xf32>) -> tensor<32x64xf32> {
  %p = boostr.pack_array %w layout(#packed) : tensor<32x64xf32> to tensor<12480xi8>
  %a = boostr.packed_array %p layout(#packed) : tensor<12480xi8> to tensor<32x64xf32>
  return %a : tensor<32x64xf32>
}

// CHECK-LABEL: func.func @packed_weights_buffer
// CHECK: boostr.pack_array %{{.*}} outs(%{{.*}} : memref<12480xi8>) layout(#boostr.packed_layout<{{.*}}>) : memref<32x64xf32>
func.func @packed_weights_buffer(%w: memref<32x64xf32>, %p: memref<12480xi8>) -> memref<32x64xf32> {
  boostr.pack_array %w outs(%p : memref<12480xi8>) layout(#packed) : memref<32x64xf32>
  %a = boostr.packed_array %p layout(#packed) : memref<12480xi8> to memref<32x64xf32>
  return %a : memref<32x64xf32>
}
