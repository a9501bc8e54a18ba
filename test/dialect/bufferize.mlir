// RUN: boostr-opt %s --one-shot-bufferize="bufferize-function-boundaries function-boundary-type-conversion=identity-layout-map allow-return-allocs-from-loops" --canonicalize --cse | FileCheck %s --check-prefixes=CHECK,LOOP

// Results get new buffers; the rest of the op is as it was.
// CHECK-LABEL: func.func @fused_qkv(
// CHECK-SAME: %[[X:[^:]*]]: memref<?x?x8xf32>, %[[W:[^:]*]]: memref<12x8xf32>, %[[B:[^:]*]]: memref<12xf32>
// CHECK-DAG: %[[BATCH:.*]] = memref.dim %[[X]], %c0
// CHECK-DAG: %[[TOKENS:.*]] = memref.dim %[[X]], %c1
// CHECK-DAG: %[[Q:.*]] = memref.alloc(%[[BATCH]], %[[TOKENS]]) {alignment = 64 : i64} : memref<?x1x?x4xf32>
// CHECK: boostr.fused_qkv %[[X]], %[[W]] bias(%[[B]]) outs(%{{.*}}, %{{.*}}, %{{.*}}) num_heads = 1 num_kv_heads = 1 head_dim = 4 {note} :
// CHECK-NOT: memref.copy
// CHECK: return
func.func @fused_qkv(%x: tensor<?x?x8xf32>, %w: tensor<12x8xf32>, %b: tensor<12xf32>)
    -> (tensor<?x1x?x4xf32>, tensor<?x1x?x4xf32>, tensor<?x1x?x4xf32>) {
  %q, %k, %v = boostr.fused_qkv %x, %w bias(%b) num_heads = 1 num_kv_heads = 1 head_dim = 4 {note}
      : tensor<?x?x8xf32>, tensor<12x8xf32>, tensor<12xf32>
  return %q, %k, %v : tensor<?x1x?x4xf32>, tensor<?x1x?x4xf32>, tensor<?x1x?x4xf32>
}

// A gradient that accumulates is added where it is.
// CHECK-LABEL: func.func @accumulate(
// CHECK-SAME: %[[DW:[^:]*]]: memref<4x8xf32>, %[[DB:[^:]*]]: memref<4xf32>
// CHECK-NOT: memref.alloc
// CHECK-NOT: memref.copy
// CHECK: boostr.out_proj_residual_grad %{{.*}} accumulate_weight(%[[DW]]) accumulate_bias(%[[DB]]) wrt(weight, bias)
// CHECK: return %[[DW]], %[[DB]]
func.func @accumulate(%dw0: tensor<4x8xf32>, %db0: tensor<4xf32>, %dy: tensor<2x3x4xbf16>,
    %a: tensor<2x3x8xbf16>, %w: tensor<4x8xbf16>) -> (tensor<4x8xf32>, tensor<4xf32>) {
  %dw, %db = boostr.out_proj_residual_grad %dy, %a, %w accumulate_weight(%dw0)
      accumulate_bias(%db0) wrt(weight, bias) : tensor<2x3x4xbf16>, tensor<2x3x8xbf16>,
      tensor<4x8xbf16>, tensor<4x8xf32>, tensor<4xf32>
  return %dw, %db : tensor<4x8xf32>, tensor<4xf32>
}

// Each of separate gradients is added where it is.
// CHECK-LABEL: func.func @accumulate_separate(
// CHECK-SAME: %[[Q:[^:]*]]: memref<8x8xf32>, %[[K:[^:]*]]: memref<4x8xf32>, %[[V:[^:]*]]: memref<4x8xf32>
// CHECK-COUNT-3: memref.alloc() {alignment = 64 : i64} : memref<{{[48]}}xf32>
// CHECK-NOT: memref.copy
// CHECK: boostr.fused_qkv_grad %{{.*}} accumulate_weight(%[[Q]], %[[K]], %[[V]]) outs(%{{.*}}, %{{.*}}, %{{.*}}) wrt(weight, bias)
// CHECK: return %[[V]], %[[K]], %[[Q]]
func.func @accumulate_separate(%q: tensor<8x8xf32>, %k: tensor<4x8xf32>, %v: tensor<4x8xf32>,
    %dq: tensor<2x2x3x4xf32>, %dk: tensor<2x1x3x4xf32>, %x: tensor<2x3x8xf32>,
    %wq: tensor<8x8xf32>, %wk: tensor<4x8xf32>)
    -> (tensor<4x8xf32>, tensor<4x8xf32>, tensor<8x8xf32>, tensor<8xf32>, tensor<4xf32>, tensor<4xf32>) {
  %g:6 = boostr.fused_qkv_grad %dq, %dk, %dk, %x, %wq, %wk, %wk accumulate_weight(%q, %k, %v)
      wrt(weight, bias) num_heads = 2 num_kv_heads = 1 head_dim = 4
      : tensor<2x2x3x4xf32>, tensor<2x1x3x4xf32>, tensor<2x1x3x4xf32>, tensor<2x3x8xf32>,
        tensor<8x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>, tensor<8x8xf32>, tensor<4x8xf32>,
        tensor<4x8xf32>
  return %g#2, %g#1, %g#0, %g#3, %g#4, %g#5 : tensor<4x8xf32>, tensor<4x8xf32>, tensor<8x8xf32>,
      tensor<8xf32>, tensor<4xf32>, tensor<4xf32>
}

// What somebody else still reads, or nobody may write, is copied first.
// CHECK-LABEL: func.func @accumulate_read_later(
// CHECK-SAME: %[[DW0:[^:]*]]: memref<4x8xf32>
// CHECK: %[[DW:.*]] = memref.alloc() {alignment = 64 : i64} : memref<4x8xf32>
// CHECK: memref.copy %[[DW0]], %[[DW]]
// CHECK: accumulate_weight(%[[DW]])
// CHECK-NOT: memref.copy
// CHECK: return %[[DW]], %[[DW0]]
func.func @accumulate_read_later(%dw0: tensor<4x8xf32>, %dy: tensor<2x3x4xf32>,
    %a: tensor<2x3x8xf32>, %w: tensor<4x8xf32>) -> (tensor<4x8xf32>, tensor<4x8xf32>) {
  %dw = boostr.out_proj_residual_grad %dy, %a, %w accumulate_weight(%dw0) wrt(weight)
      : tensor<2x3x4xf32>, tensor<2x3x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>
  return %dw, %dw0 : tensor<4x8xf32>, tensor<4x8xf32>
}

// CHECK-LABEL: func.func @accumulate_into_constant(
// CHECK: %[[DB:.*]] = memref.alloc
// CHECK: memref.copy %{{.*}}, %[[DB]]
// CHECK: accumulate_bias(%[[DB]])
func.func @accumulate_into_constant(%dy: tensor<2x3x4xf32>, %a: tensor<2x3x8xf32>, %w: tensor<4x8xf32>)
    -> tensor<4xf32> {
  %db0 = arith.constant dense<1.0> : tensor<4xf32>
  %db = boostr.out_proj_residual_grad %dy, %a, %w accumulate_bias(%db0) wrt(bias)
      : tensor<2x3x4xf32>, tensor<2x3x8xf32>, tensor<4x8xf32>, tensor<4xf32>
  return %db : tensor<4xf32>
}

// The gradient of the weight into the weight itself would be read while it is
// written.
// CHECK-LABEL: func.func @accumulate_into_operand(
// CHECK-SAME: %[[W:[^:]*]]: memref<4x8xf32>
// CHECK: %[[DW:.*]] = memref.alloc
// CHECK: memref.copy %[[W]], %[[DW]]
// CHECK: boostr.out_proj_residual_grad %{{.*}}, %{{.*}}, %[[W]] accumulate_weight(%[[DW]]) outs(%{{.*}}) wrt(attn, weight)
func.func @accumulate_into_operand(%w: tensor<4x8xf32>, %dy: tensor<2x3x4xf32>, %a: tensor<2x3x8xf32>)
    -> (tensor<2x3x8xf32>, tensor<4x8xf32>) {
  %da, %dw = boostr.out_proj_residual_grad %dy, %a, %w accumulate_weight(%w) wrt(attn, weight)
      : tensor<2x3x4xf32>, tensor<2x3x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>
  return %da, %dw : tensor<2x3x8xf32>, tensor<4x8xf32>
}

// A chain of layers over which a weight is shared: every step adds in place.
// CHECK-LABEL: func.func @chain(
// CHECK-SAME: %[[DW:[^:]*]]: memref<4x8xf32>
// CHECK-NOT: memref.alloc
// CHECK-NOT: memref.copy
// CHECK-COUNT-2: accumulate_weight(%[[DW]])
// CHECK: return %[[DW]]
func.func @chain(%dw0: tensor<4x8xf32>, %dy: tensor<2x3x4xf32>, %a: tensor<2x3x8xf32>,
    %w: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %dw1 = boostr.out_proj_residual_grad %dy, %a, %w accumulate_weight(%dw0) wrt(weight)
      : tensor<2x3x4xf32>, tensor<2x3x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>
  %dw2 = boostr.out_proj_residual_grad %dy, %a, %w accumulate_weight(%dw1) wrt(weight)
      : tensor<2x3x4xf32>, tensor<2x3x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>
  return %dw2 : tensor<4x8xf32>
}

// CHECK-LABEL: func.func @loop(
// CHECK-SAME: %[[DB:[^:]*]]: memref<4xf32>
// CHECK-NOT: memref.alloc
// CHECK: scf.for
// CHECK-NOT: memref.copy
// CHECK: accumulate_bias(%[[DB]])
// CHECK: return %[[DB]]
func.func @loop(%db0: tensor<4xf32>, %dy: tensor<2x3x4xf32>, %a: tensor<2x3x8xf32>,
    %w: tensor<4x8xf32>, %n: index) -> tensor<4xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %db = scf.for %i = %c0 to %n step %c1 iter_args(%acc = %db0) -> tensor<4xf32> {
    %next = boostr.out_proj_residual_grad %dy, %a, %w accumulate_bias(%acc) wrt(bias)
        : tensor<2x3x4xf32>, tensor<2x3x8xf32>, tensor<4x8xf32>, tensor<4xf32>
    scf.yield %next : tensor<4xf32>
  }
  return %db : tensor<4xf32>
}

// Slices are read where they lie.
// CHECK-LABEL: func.func @slice(
// CHECK-SAME: %[[A:[^:]*]]: memref<2x3x16xf32>
// CHECK: %[[VIEW:.*]] = memref.subview %[[A]]
// CHECK-NOT: memref.copy
// CHECK: boostr.out_proj_residual %[[VIEW]]
// CHECK-NOT: memref.copy
// CHECK: return
func.func @slice(%a: tensor<2x3x16xf32>, %w: tensor<4x8xf32>, %r: tensor<2x3x4xf32>) -> tensor<2x3x4xf32> {
  %0 = tensor.extract_slice %a[0, 0, 4] [2, 3, 8] [1, 1, 1] : tensor<2x3x16xf32> to tensor<2x3x8xf32>
  %y = boostr.out_proj_residual %0, %w residual(%r)
      : tensor<2x3x8xf32>, tensor<4x8xf32>, tensor<2x3x4xf32>
  return %y : tensor<2x3x4xf32>
}

// CHECK-LABEL: func.func @untouched_buffers(
// CHECK-NEXT: boostr.out_proj_residual
// CHECK-NEXT: return
func.func @untouched_buffers(%a: memref<2x3x8xf32>, %w: memref<4x8xf32>, %r: memref<2x3x4xf32>) {
  boostr.out_proj_residual %a, %w residual(%r) outs(%r)
      : memref<2x3x8xf32>, memref<4x8xf32>, memref<2x3x4xf32>, memref<2x3x4xf32>
  return
}

// A loop over layers carries a new buffer; nothing is copied.
// LOOP-LABEL: func.func @layers(
// LOOP: scf.for %{{.*}} iter_args(%[[X:[a-z0-9]+]] = %{{.*}})
// LOOP-NEXT: %[[Y:.*]] = memref.alloc
// LOOP-NEXT: boostr.out_proj_residual %[[X]], %{{.*}} residual(%[[X]]) outs(%[[Y]]) : memref<2x3x8xf32>
// LOOP-NEXT: scf.yield %[[Y]]
func.func @layers(%x: tensor<2x3x8xf32>, %w: tensor<8x8xf32>, %n: index) -> tensor<2x3x8xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %y = scf.for %i = %c0 to %n step %c1 iter_args(%layer = %x) -> tensor<2x3x8xf32> {
    %next = boostr.out_proj_residual %layer, %w residual(%layer)
        : tensor<2x3x8xf32>, tensor<8x8xf32>, tensor<2x3x8xf32>
    scf.yield %next : tensor<2x3x8xf32>
  }
  return %y : tensor<2x3x8xf32>
}

// A packed weight is written to a new buffer; the weight that it stands for is a name for that.
// CHECK-LABEL: func.func @packed_weights(
// CHECK-SAME: %[[W:[^:]*]]: memref<32x64xf32>
// CHECK: %[[P:.*]] = memref.alloc() {alignment = 64 : i64} : memref<12480xi8>
// CHECK: boostr.pack_array %[[W]] outs(%[[P]] : memref<12480xi8>) layout(
// CHECK: %[[A:.*]] = boostr.packed_array %[[P]] layout({{.*}}) : memref<12480xi8> to memref<32x64xf32>
// CHECK-NOT: memref.copy
// CHECK: boostr.out_proj_residual %{{.*}}, %[[A]]
func.func @packed_weights(%w: tensor<32x64xf32>, %a: tensor<1x2x64xf32>, %r: tensor<1x2x32xf32>)
    -> tensor<1x2x32xf32> {
  %p = boostr.pack_array %w layout(#boostr.packed_layout<array = tensor<32x64xf32>, kernel = fma, side = rows, width = 6, block = [16, 64], lanes = 8, rows = [32]>) : tensor<32x64xf32> to tensor<12480xi8>
  %v = boostr.packed_array %p layout(#boostr.packed_layout<array = tensor<32x64xf32>, kernel = fma, side = rows, width = 6, block = [16, 64], lanes = 8, rows = [32]>) : tensor<12480xi8> to tensor<32x64xf32>
  %y = boostr.out_proj_residual %a, %v residual(%r)
      : tensor<1x2x64xf32>, tensor<32x64xf32>, tensor<1x2x32xf32>
  return %y : tensor<1x2x32xf32>
}
