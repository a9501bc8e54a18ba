// RUN: boostr-opt %s --boostr-set-cpu-target=cpu=x86-64-v3 --boostr-prepack-weights=arguments=weight,wo --split-input-file | FileCheck %s

// The weight is `[N, K]`: rows of query, key and value follow each other, and k in memory.

// CHECK-LABEL: func.func @qkv(
// CHECK: boostr.fused_qkv %{{.*}}, %{{.*}} num_heads = 2 num_kv_heads = 1 head_dim = 8 :

// CHECK-LABEL: func.func @qkv_pack_weight(
// CHECK-SAME: %[[W:.*]]: tensor<32x64xf32> {boostr.name = "weight"}) -> (tensor<[[BYTES:[0-9]+]]xi8> {boostr.name = "weight_packed"})
// CHECK: %[[P:.*]] = boostr.pack_array %[[W]] layout(#boostr.packed_layout<array = tensor<32x64xf32>, kernel = fma, side = rows, width = 6, block = [{{[0-9]+}}, 64], lanes = 8, rows = [16, 8, 8]>) : tensor<32x64xf32> to tensor<[[BYTES]]xi8>
// CHECK: return %[[P]]

// CHECK-LABEL: func.func @qkv_packed(
// CHECK-SAME: %[[X:.*]]: tensor<1x?x64xf32>, %[[P:.*]]: tensor<[[BYTES]]xi8> {boostr.name = "weight", boostr.packed_layout = #boostr.packed_layout<{{.*}}>}
// CHECK: %[[W:.*]] = boostr.packed_array %[[P]] layout(#boostr.packed_layout<{{.*}}>) : tensor<[[BYTES]]xi8> to tensor<32x64xf32>
// CHECK: boostr.fused_qkv %[[X]], %[[W]] {{.*}} {boostr.cpu_tile = #boostr.cpu_tile<{{.*}}>}
func.func @qkv(%x: tensor<1x?x64xf32>, %w: tensor<32x64xf32> {boostr.name = "weight"})
    -> (tensor<1x2x?x8xf32>, tensor<1x1x?x8xf32>, tensor<1x1x?x8xf32>) {
  %q, %k, %v = boostr.fused_qkv %x, %w num_heads = 2 num_kv_heads = 1 head_dim = 8
      : tensor<1x?x64xf32>, tensor<32x64xf32>
  return %q, %k, %v : tensor<1x2x?x8xf32>, tensor<1x1x?x8xf32>, tensor<1x1x?x8xf32>
}

// Its gradient reads columns, and takes steps of k along the rows.

// CHECK-LABEL: func.func @input_gradient_pack_weight(
// CHECK: side = columns, width = 16, block = [{{[0-9]+}}, {{[0-9]+}}], lanes = 8, rows = [16, 8, 8]>
// CHECK-LABEL: func.func @input_gradient_packed(
func.func @input_gradient(%dq: tensor<1x2x?x8xf32>, %dk: tensor<1x1x?x8xf32>, %dv: tensor<1x1x?x8xf32>,
    %x: tensor<1x?x64xf32>, %w: tensor<32x64xf32> {boostr.name = "weight"}) -> tensor<1x?x64xf32> {
  %d = boostr.fused_qkv_grad %dq, %dk, %dv, %x, %w wrt(input) num_heads = 2 num_kv_heads = 1 head_dim = 8
      : tensor<1x2x?x8xf32>, tensor<1x1x?x8xf32>, tensor<1x1x?x8xf32>, tensor<1x?x64xf32>, tensor<32x64xf32>
  return %d : tensor<1x?x64xf32>
}

// Two weights: one function takes both packed, each is packed by one.

// CHECK-DAG: func.func @two_pack_weight(%{{.*}}: tensor<8x8xf32>
// CHECK-DAG: func.func @two_pack_wo(%{{.*}}: tensor<16x8xf32>
// CHECK-DAG: func.func @two_packed(%{{.*}}: tensor<1x?x8xf32>, %{{.*}}: tensor<{{[0-9]+}}xi8> {{{.*}}}, %{{.*}}: tensor<{{[0-9]+}}xi8> {{{.*}}},
func.func @two(%a: tensor<1x?x8xf32>, %w: tensor<8x8xf32> {boostr.name = "weight"},
    %wo: tensor<16x8xf32> {boostr.name = "wo"}, %r: tensor<1x?x16xf32>) -> tensor<1x?x16xf32> {
  %h = boostr.out_proj_residual %a, %w residual(%a)
      : tensor<1x?x8xf32>, tensor<8x8xf32>, tensor<1x?x8xf32>
  %y = boostr.out_proj_residual %h, %wo residual(%r)
      : tensor<1x?x8xf32>, tensor<16x8xf32>, tensor<1x?x16xf32>
  return %y : tensor<1x?x16xf32>
}

// The gradient of the weight does not read it.

// CHECK-LABEL: func.func @untouched_weight_gradient(
// CHECK-NOT: func.func @untouched_weight_gradient_pack
func.func @untouched_weight_gradient(%dy: tensor<1x?x8xf32>, %a: tensor<1x?x8xf32>,
    %w: tensor<8x8xf32> {boostr.name = "weight"}) -> tensor<8x8xf32> {
  %d = boostr.out_proj_residual_grad %dy, %a, %w wrt(weight)
      : tensor<1x?x8xf32>, tensor<1x?x8xf32>, tensor<8x8xf32>
  return %d : tensor<8x8xf32>
}

// CHECK-LABEL: func.func private @untouched_private(
// CHECK-NOT: @untouched_private_pack
func.func private @untouched_private(%a: tensor<1x?x8xf32>, %w: tensor<8x8xf32> {boostr.name = "weight"})
    -> tensor<1x?x8xf32> {
  %y = boostr.out_proj_residual %a, %w residual(%a)
      : tensor<1x?x8xf32>, tensor<8x8xf32>, tensor<1x?x8xf32>
  return %y : tensor<1x?x8xf32>
}
