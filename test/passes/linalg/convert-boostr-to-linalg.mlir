// RUN: boostr-opt %s --convert-boostr-to-linalg | FileCheck %s
// RUN: boostr-opt %s --convert-boostr-to-linalg | FileCheck %s --check-prefix=PLAIN
// RUN: boostr-opt %s --convert-boostr-to-linalg --one-shot-bufferize="bufferize-function-boundaries function-boundary-type-conversion=identity-layout-map" --cse --canonicalize | FileCheck %s --check-prefix=PLAIN

// Nothing is transposed, concatenated or copied, on tensors or on buffers. (The
// clean-up is for copies of rows to themselves, which bufferization leaves behind.)
// PLAIN-NOT: {{linalg.transpose|tensor.concat|linalg.copy|memref.copy|boostr\.[a-z]}}

// CHECK-DAG: #[[X:.*]] = affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d4)>
// CHECK-DAG: #[[W:.*]] = affine_map<(d0, d1, d2, d3, d4) -> (d2, d3, d4)>
// CHECK-DAG: #[[Y:.*]] = affine_map<(d0, d1, d2, d3, d4) -> (d0, d2, d1, d3)>
// CHECK-DAG: #[[ID4:.*]] = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>
// CHECK-DAG: #[[BIAS:.*]] = affine_map<(d0, d1, d2, d3) -> (d1, d3)>
// CHECK-DAG: #[[DY:.*]] = affine_map<(d0, d1, d2, d3, d4) -> (d0, d3, d1, d4)>
// CHECK-DAG: #[[WT:.*]] = affine_map<(d0, d1, d2, d3, d4) -> (d3, d4, d2)>
// CHECK-DAG: #[[DX:.*]] = affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d2)>

// CHECK-LABEL: func.func @fused_qkv(
// CHECK-SAME: %[[XV:[^:]*]]: tensor<?x?x16xf32>, %[[WV:[^:]*]]: tensor<32x16xf32>
// CHECK: %[[WQ:.*]] = tensor.extract_slice %[[WV]][0, 0] [16, 16] [1, 1]
// CHECK: %[[WQH:.*]] = tensor.expand_shape %[[WQ]] {{\[\[}}0, 1], [2]] output_shape [2, 8, 16]
// CHECK: %[[Q:.*]] = linalg.contract indexing_maps = [#[[X]], #[[W]], #[[Y]]] ins(%[[XV]], %[[WQH]] : {{.*}}) outs(%{{.*}} : tensor<?x2x?x8xf32>)
// CHECK: tensor.extract_slice %[[WV]][16, 0] [8, 16] [1, 1]
// CHECK: %[[K:.*]] = linalg.contract indexing_maps = [#[[X]], #[[W]], #[[Y]]]
// CHECK: tensor.extract_slice %[[WV]][24, 0] [8, 16] [1, 1]
// CHECK: %[[V:.*]] = linalg.contract indexing_maps = [#[[X]], #[[W]], #[[Y]]]
// CHECK: return %[[Q]], %[[K]], %[[V]]
func.func @fused_qkv(%x: tensor<?x?x16xf32>, %w: tensor<32x16xf32>)
    -> (tensor<?x2x?x8xf32>, tensor<?x1x?x8xf32>, tensor<?x1x?x8xf32>) {
  %q, %k, %v = boostr.fused_qkv %x, %w num_heads = 2 num_kv_heads = 1 head_dim = 8
      : tensor<?x?x16xf32>, tensor<32x16xf32>
  return %q, %k, %v : tensor<?x2x?x8xf32>, tensor<?x1x?x8xf32>, tensor<?x1x?x8xf32>
}

// CHECK-LABEL: func.func @fused_qkv_separate(
// CHECK-SAME: %{{[^:]*}}: tensor<?x?x16xf32>, %[[WQ:[^:]*]]: tensor<16x16xf32>, %[[WK:[^:]*]]: tensor<8x16xf32>, %[[WV:[^:]*]]: tensor<8x16xf32>
// CHECK-DAG: tensor.expand_shape %[[WQ]] {{.*}} output_shape [2, 8, 16]
// CHECK-DAG: tensor.expand_shape %[[WK]] {{.*}} output_shape [1, 8, 16]
// CHECK-DAG: tensor.expand_shape %[[WV]] {{.*}} output_shape [1, 8, 16]
// CHECK: return
func.func @fused_qkv_separate(%x: tensor<?x?x16xf32>, %wq: tensor<16x16xf32>, %wk: tensor<8x16xf32>,
    %wv: tensor<8x16xf32>) -> (tensor<?x2x?x8xf32>, tensor<?x1x?x8xf32>, tensor<?x1x?x8xf32>) {
  %q, %k, %v = boostr.fused_qkv %x, %wq, %wk, %wv num_heads = 2 num_kv_heads = 1 head_dim = 8
      : tensor<?x?x16xf32>, tensor<16x16xf32>, tensor<8x16xf32>, tensor<8x16xf32>
  return %q, %k, %v : tensor<?x2x?x8xf32>, tensor<?x1x?x8xf32>, tensor<?x1x?x8xf32>
}

// f32 adds the bias to the sum in place; f16 and bf16 sum in f32 and round once.
// CHECK-LABEL: func.func @fused_qkv_bias(
// CHECK: %[[SUM:.*]] = linalg.contract {{.*}} outs(%{{.*}} : tensor<2x2x3x8xf32>)
// CHECK: linalg.generic {indexing_maps = [#[[BIAS]], #[[ID4]]]{{.*}} ins(%{{.*}} : tensor<2x8xf32>) outs(%[[SUM]] : tensor<2x2x3x8xf32>)
// CHECK: arith.addf
// CHECK-NOT: arith.truncf
// CHECK: return
func.func @fused_qkv_bias(%x: tensor<2x3x16xf32>, %w: tensor<32x16xf32>, %b: tensor<32xf32>)
    -> (tensor<2x2x3x8xf32>, tensor<2x1x3x8xf32>, tensor<2x1x3x8xf32>) {
  %q, %k, %v = boostr.fused_qkv %x, %w bias(%b) num_heads = 2 num_kv_heads = 1 head_dim = 8
      : tensor<2x3x16xf32>, tensor<32x16xf32>, tensor<32xf32>
  return %q, %k, %v : tensor<2x2x3x8xf32>, tensor<2x1x3x8xf32>, tensor<2x1x3x8xf32>
}

// CHECK-LABEL: func.func @fused_qkv_bf16(
// CHECK: %[[ZERO:.*]] = linalg.fill ins(%{{.*}} : f32) outs(%{{.*}} : tensor<2x2x3x8xf32>)
// CHECK: %[[SUM:.*]] = linalg.contract {{.*}} ins(%{{.*}} : tensor<2x3x16xbf16>, tensor<2x8x16xbf16>) outs(%[[ZERO]] : tensor<2x2x3x8xf32>)
// CHECK: linalg.generic {indexing_maps = [#[[ID4]], #[[BIAS]], #[[ID4]]]{{.*}} ins(%[[SUM]], %{{.*}} : tensor<2x2x3x8xf32>, tensor<2x8xbf16>) outs(%{{.*}} : tensor<2x2x3x8xbf16>)
// CHECK: %[[B:.*]] = arith.extf %{{.*}} : bf16 to f32
// CHECK: %[[S:.*]] = arith.addf %{{.*}}, %[[B]] : f32
// CHECK: arith.truncf %[[S]] : f32 to bf16
// CHECK: return
func.func @fused_qkv_bf16(%x: tensor<2x3x16xbf16>, %w: tensor<32x16xbf16>, %b: tensor<32xbf16>)
    -> (tensor<2x2x3x8xbf16>, tensor<2x1x3x8xbf16>, tensor<2x1x3x8xbf16>) {
  %q, %k, %v = boostr.fused_qkv %x, %w bias(%b) num_heads = 2 num_kv_heads = 1 head_dim = 8
      : tensor<2x3x16xbf16>, tensor<32x16xbf16>, tensor<32xbf16>
  return %q, %k, %v : tensor<2x2x3x8xbf16>, tensor<2x1x3x8xbf16>, tensor<2x1x3x8xbf16>
}

// One sum over the three given gradients; rows of the weight gradient one by one.
// CHECK-LABEL: func.func @fused_qkv_grad(
// CHECK: %[[D0:.*]] = linalg.contract indexing_maps = [#[[DY]], #[[WT]], #[[DX]]] {{.*}} outs(%{{.*}} : tensor<?x?x16xf32>)
// CHECK: %[[D1:.*]] = linalg.contract indexing_maps = [#[[DY]], #[[WT]], #[[DX]]] {{.*}} outs(%[[D0]]
// CHECK: %[[D2:.*]] = linalg.contract indexing_maps = [#[[DY]], #[[WT]], #[[DX]]] {{.*}} outs(%[[D1]]
// CHECK-COUNT-3: tensor.insert_slice %{{.*}} : tensor<{{.*}}x16xf32> into tensor<32x16xf32>
// CHECK: return %[[D2]]
func.func @fused_qkv_grad(%dq: tensor<?x2x?x8xf32>, %dk: tensor<?x1x?x8xf32>, %dv: tensor<?x1x?x8xf32>,
    %x: tensor<?x?x16xf32>, %w: tensor<32x16xf32>)
    -> (tensor<?x?x16xf32>, tensor<32x16xf32>, tensor<32xf32>) {
  %dx, %dw, %db = boostr.fused_qkv_grad %dq, %dk, %dv, %x, %w wrt(input, weight, bias)
      num_heads = 2 num_kv_heads = 1 head_dim = 8 : tensor<?x2x?x8xf32>, tensor<?x1x?x8xf32>,
      tensor<?x1x?x8xf32>, tensor<?x?x16xf32>, tensor<32x16xf32>
  return %dx, %dw, %db : tensor<?x?x16xf32>, tensor<32x16xf32>, tensor<32xf32>
}

// In f32 the sum begins with what it accumulates into, rows of it at a time.
// CHECK-LABEL: func.func @accumulate_f32(
// CHECK-SAME: %[[DW0:[^:]*]]: tensor<32x16xf32>
// CHECK-NOT: linalg.fill
// CHECK: %[[ROWS:.*]] = tensor.extract_slice %[[DW0]][0, 0] [16, 16]
// CHECK: %[[VIEW:.*]] = tensor.expand_shape %[[ROWS]]
// CHECK: %[[SUM:.*]] = linalg.contract {{.*}} ins(%{{.*}} : tensor<2x2x3x8xbf16>, tensor<2x3x16xbf16>) outs(%[[VIEW]] : tensor<2x8x16xf32>)
// CHECK: %[[MERGED:.*]] = tensor.collapse_shape %[[SUM]]
// CHECK: %[[DW1:.*]] = tensor.insert_slice %[[MERGED]] into %[[DW0]][0, 0]
// CHECK: tensor.insert_slice %{{.*}} into %[[DW1]][16, 0] [8, 16]
// CHECK-NOT: linalg.fill
// CHECK: return
func.func @accumulate_f32(%dw0: tensor<32x16xf32>, %dq: tensor<2x2x3x8xbf16>, %dk: tensor<2x1x3x8xbf16>,
    %x: tensor<2x3x16xbf16>, %w: tensor<32x16xbf16>) -> tensor<32x16xf32> {
  %dw = boostr.fused_qkv_grad %dq, %dk, %dk, %x, %w accumulate_weight(%dw0) wrt(weight)
      num_heads = 2 num_kv_heads = 1 head_dim = 8 : tensor<2x2x3x8xbf16>, tensor<2x1x3x8xbf16>,
      tensor<2x1x3x8xbf16>, tensor<2x3x16xbf16>, tensor<32x16xbf16>, tensor<32x16xf32>
  return %dw : tensor<32x16xf32>
}

// CHECK-LABEL: func.func @out_proj_residual(
// CHECK-SAME: %[[A:[^:]*]]: tensor<?x?x8xf64>, %[[PW:[^:]*]]: tensor<4x8xf64>, %[[PB:[^:]*]]: tensor<4xf64>, %[[R:[^:]*]]: tensor<?x?x4xf64>
// CHECK: %[[SUM:.*]] = linalg.contract {{.*}} ins(%[[A]], %[[PW]] : {{.*}}) outs(%{{.*}} : tensor<?x?x4xf64>)
// CHECK: %[[OUT:.*]] = linalg.generic {{.*}} ins(%[[PB]], %[[R]] : {{.*}}) outs(%[[SUM]] : tensor<?x?x4xf64>)
// CHECK-COUNT-2: arith.addf
// CHECK: return %[[OUT]]
func.func @out_proj_residual(%a: tensor<?x?x8xf64>, %w: tensor<4x8xf64>, %b: tensor<4xf64>,
    %r: tensor<?x?x4xf64>) -> tensor<?x?x4xf64> {
  %y = boostr.out_proj_residual %a, %w bias(%b) residual(%r)
      : tensor<?x?x8xf64>, tensor<4x8xf64>, tensor<4xf64>, tensor<?x?x4xf64>
  return %y : tensor<?x?x4xf64>
}

// CHECK-LABEL: func.func @out_proj_residual_f16(
// CHECK: linalg.contract {{.*}} outs(%{{.*}} : tensor<2x3x4xf32>)
// CHECK: linalg.generic {{.*}} : tensor<2x3x4xf32>, tensor<2x3x4xf16>) outs(%{{.*}} : tensor<2x3x4xf16>)
// CHECK: arith.extf %{{.*}} : f16 to f32
// CHECK: arith.addf %{{.*}} : f32
// CHECK: arith.truncf %{{.*}} : f32 to f16
func.func @out_proj_residual_f16(%a: tensor<2x3x8xf16>, %w: tensor<4x8xf16>, %r: tensor<2x3x4xf16>)
    -> tensor<2x3x4xf16> {
  %y = boostr.out_proj_residual %a, %w residual(%r)
      : tensor<2x3x8xf16>, tensor<4x8xf16>, tensor<2x3x4xf16>
  return %y : tensor<2x3x4xf16>
}

// A bias gradient is a reduction of the given gradient where it lies.
// CHECK-LABEL: func.func @out_proj_residual_grad(
// CHECK-SAME: %[[GY:[^:]*]]: tensor<2x3x4xf16>, %[[GA:[^:]*]]: tensor<2x3x8xf16>, %[[GW:[^:]*]]: tensor<4x8xf16>
// CHECK: linalg.contract {{.*}} ins(%[[GY]], %[[GW]] : {{.*}}) outs(%{{.*}} : tensor<2x3x8xf32>)
// CHECK: linalg.contract {{.*}} ins(%[[GY]], %[[GA]] : {{.*}}) outs(%{{.*}} : tensor<4x8xf32>)
// CHECK: linalg.generic {{.*}}iterator_types = ["reduction", "reduction", "parallel"]} ins(%[[GY]] : {{.*}}) outs(%{{.*}} : tensor<4xf32>)
func.func @out_proj_residual_grad(%dy: tensor<2x3x4xf16>, %a: tensor<2x3x8xf16>, %w: tensor<4x8xf16>)
    -> (tensor<2x3x8xf16>, tensor<4x8xf16>, tensor<4xf16>) {
  %da, %dw, %db = boostr.out_proj_residual_grad %dy, %a, %w wrt(attn, weight, bias)
      : tensor<2x3x4xf16>, tensor<2x3x8xf16>, tensor<4x8xf16>
  return %da, %dw, %db : tensor<2x3x8xf16>, tensor<4x8xf16>, tensor<4xf16>
}

// An f16 sum into f16 is rounded once, after what it accumulates into is added.
// CHECK-LABEL: func.func @accumulate_f16(
// CHECK-SAME: %[[DB0:[^:]*]]: tensor<4xf16>
// CHECK: %[[SUM:.*]] = linalg.generic {{.*}} outs(%{{.*}} : tensor<4xf32>)
// CHECK: linalg.generic {{.*}} ins(%[[SUM]], %[[DB0]] : tensor<4xf32>, tensor<4xf16>) outs(%[[DB0]] : tensor<4xf16>)
func.func @accumulate_f16(%db0: tensor<4xf16>, %dy: tensor<2x3x4xf16>, %a: tensor<2x3x8xf16>,
    %w: tensor<4x8xf16>) -> tensor<4xf16> {
  %db = boostr.out_proj_residual_grad %dy, %a, %w accumulate_bias(%db0) wrt(bias)
      : tensor<2x3x4xf16>, tensor<2x3x8xf16>, tensor<4x8xf16>, tensor<4xf16>
  return %db : tensor<4xf16>
}

// Only what `wrt` names is computed.
// CHECK-LABEL: func.func @only_attn(
// CHECK-COUNT-1: linalg.contract
// CHECK-NOT: linalg.contract
// CHECK: return
func.func @only_attn(%dy: tensor<2x3x4xf32>, %a: tensor<2x3x8xf32>, %w: tensor<4x8xf32>)
    -> tensor<2x3x8xf32> {
  %da = boostr.out_proj_residual_grad %dy, %a, %w wrt(attn)
      : tensor<2x3x4xf32>, tensor<2x3x8xf32>, tensor<4x8xf32>
  return %da : tensor<2x3x8xf32>
}

// CHECK-LABEL: func.func @untouched(
// CHECK-NEXT: tensor.empty
// CHECK-NEXT: linalg.matmul
// CHECK-NEXT: tensor.empty
// CHECK-NEXT: linalg.softmax
// CHECK-NEXT: return
func.func @untouched(%a: tensor<4x4xf32>) -> tensor<4x4xf32> {
  %0 = tensor.empty() : tensor<4x4xf32>
  %1 = linalg.matmul ins(%a, %a : tensor<4x4xf32>, tensor<4x4xf32>) outs(%0 : tensor<4x4xf32>) -> tensor<4x4xf32>
  %2 = tensor.empty() : tensor<4x4xf32>
  %3 = linalg.softmax dimension(1) ins(%1 : tensor<4x4xf32>) outs(%2 : tensor<4x4xf32>) -> tensor<4x4xf32>
  return %3 : tensor<4x4xf32>
}
