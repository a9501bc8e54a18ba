// RUN: boostr-opt %s --cse | FileCheck %s --check-prefixes=CHECK,CSE
// RUN: boostr-opt %s --canonicalize | FileCheck %s --check-prefixes=CHECK,DEAD
// RUN: boostr-opt %s --loop-invariant-code-motion | FileCheck %s --check-prefixes=CHECK,MOTION
// RUN: boostr-opt %s --affine-scalrep | FileCheck %s --check-prefixes=CHECK,STORE

// The value form computes nothing but its results: equal ops are one op, unused
// ones none, and invariant ones leave their loop.

// CHECK-LABEL: func.func @value_form
// CSE: %[[Y:.*]] = boostr.out_proj_residual
// CSE-NOT: boostr
// CSE: return %[[Y]], %[[Y]]
func.func @value_form(%a: tensor<2x3x8xf32>, %w: tensor<4x8xf32>, %r: tensor<2x3x4xf32>)
    -> (tensor<2x3x4xf32>, tensor<2x3x4xf32>) {
  %0 = boostr.out_proj_residual %a, %w residual(%r)
      : tensor<2x3x8xf32>, tensor<4x8xf32>, tensor<2x3x4xf32>
  %1 = boostr.out_proj_residual %a, %w residual(%r)
      : tensor<2x3x8xf32>, tensor<4x8xf32>, tensor<2x3x4xf32>
  return %0, %1 : tensor<2x3x4xf32>, tensor<2x3x4xf32>
}

// CHECK-LABEL: func.func @unused
// DEAD-NOT: boostr
// DEAD: return
func.func @unused(%x: tensor<2x3x8xf32>, %w: tensor<12x8xf32>) {
  %q, %k, %v = boostr.fused_qkv %x, %w num_heads = 1 num_kv_heads = 1 head_dim = 4
      : tensor<2x3x8xf32>, tensor<12x8xf32>
  %dx = boostr.fused_qkv_grad %q, %k, %v, %x, %w wrt(input) num_heads = 1 num_kv_heads = 1
      head_dim = 4 : tensor<2x1x3x4xf32>, tensor<2x1x3x4xf32>, tensor<2x1x3x4xf32>,
      tensor<2x3x8xf32>, tensor<12x8xf32>
  return
}

// CHECK-LABEL: func.func @loop
// MOTION: boostr.fused_qkv
// MOTION: scf.for
func.func @loop(%x: tensor<2x3x8xf32>, %w: tensor<12x8xf32>, %n: index, %out: memref<?xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  scf.for %i = %c0 to %n step %c1 {
    %q, %k, %v = boostr.fused_qkv %x, %w num_heads = 1 num_kv_heads = 1 head_dim = 4
        : tensor<2x3x8xf32>, tensor<12x8xf32>
    %e = tensor.extract %k[%c0, %c0, %c0, %c0] : tensor<2x1x3x4xf32>
    memref.store %e, %out[%i] : memref<?xf32>
  }
  return
}

// The buffer form writes its destinations: it stays as often and where it is.

// CHECK-LABEL: func.func @buffer_form
// CHECK-COUNT-2: boostr.fused_qkv
// CHECK: return
func.func @buffer_form(%x: memref<2x3x8xf32>, %w: memref<12x8xf32>, %q: memref<2x1x3x4xf32>,
    %k: memref<2x1x3x4xf32>, %v: memref<2x1x3x4xf32>) {
  boostr.fused_qkv %x, %w outs(%q, %k, %v) num_heads = 1 num_kv_heads = 1 head_dim = 4
      : memref<2x3x8xf32>, memref<12x8xf32>, memref<2x1x3x4xf32>, memref<2x1x3x4xf32>,
        memref<2x1x3x4xf32>
  boostr.fused_qkv %x, %w outs(%q, %k, %v) num_heads = 1 num_kv_heads = 1 head_dim = 4
      : memref<2x3x8xf32>, memref<12x8xf32>, memref<2x1x3x4xf32>, memref<2x1x3x4xf32>,
        memref<2x1x3x4xf32>
  return
}

// CHECK-LABEL: func.func @buffer_loop
// CHECK: scf.for
// CHECK: boostr.out_proj_residual
func.func @buffer_loop(%a: memref<2x3x8xf32>, %w: memref<4x8xf32>, %r: memref<2x3x4xf32>, %n: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  scf.for %i = %c0 to %n step %c1 {
    boostr.out_proj_residual %a, %w residual(%r) outs(%r)
        : memref<2x3x8xf32>, memref<4x8xf32>, memref<2x3x4xf32>, memref<2x3x4xf32>
  }
  return
}

// A load before and one after a write to what it reads are two loads; a load of
// what is only read is one.
// CHECK-LABEL: func.func @written
// CSE: %[[BEFORE:.*]] = memref.load %[[DW:.*]][
// CSE: boostr.out_proj_residual_grad
// CSE: %[[AFTER:.*]] = memref.load %[[DW]][
// CSE: return %[[BEFORE]], %[[AFTER]]
func.func @written(%dy: memref<2x3x4xf32>, %a: memref<2x3x8xf32>, %w: memref<4x8xf32>,
    %dw: memref<4x8xf32>) -> (f32, f32) {
  %c0 = arith.constant 0 : index
  %0 = memref.load %dw[%c0, %c0] : memref<4x8xf32>
  boostr.out_proj_residual_grad %dy, %a, %w accumulate_weight(%dw) wrt(weight)
      : memref<2x3x4xf32>, memref<2x3x8xf32>, memref<4x8xf32>, memref<4x8xf32>
  %1 = memref.load %dw[%c0, %c0] : memref<4x8xf32>
  return %0, %1 : f32, f32
}

// What is written over is still read, as a residual in place or as an accumulator:
// the first of the stores is needed. A store to what is only written is not.
// CHECK-LABEL: func.func @residual_in_place
// STORE: affine.store
// STORE: boostr.out_proj_residual
// STORE: affine.store
func.func @residual_in_place(%a: memref<2x3x8xf32>, %w: memref<4x8xf32>, %x: f32)
    -> memref<2x3x4xf32> {
  %r = memref.alloc() : memref<2x3x4xf32>
  affine.store %x, %r[0, 0, 0] : memref<2x3x4xf32>
  boostr.out_proj_residual %a, %w residual(%r) outs(%r)
      : memref<2x3x8xf32>, memref<4x8xf32>, memref<2x3x4xf32>, memref<2x3x4xf32>
  affine.store %x, %r[0, 0, 0] : memref<2x3x4xf32>
  return %r : memref<2x3x4xf32>
}

// CHECK-LABEL: func.func @accumulate_in_place
// STORE: affine.store
// STORE: boostr.out_proj_residual_grad
// STORE: affine.store
func.func @accumulate_in_place(%dy: memref<2x3x4xf32>, %a: memref<2x3x8xf32>, %w: memref<4x8xf32>,
    %x: f32) -> memref<4xf32> {
  %db = memref.alloc() : memref<4xf32>
  affine.store %x, %db[0] : memref<4xf32>
  boostr.out_proj_residual_grad %dy, %a, %w accumulate_bias(%db) wrt(bias)
      : memref<2x3x4xf32>, memref<2x3x8xf32>, memref<4x8xf32>, memref<4xf32>
  affine.store %x, %db[0] : memref<4xf32>
  return %db : memref<4xf32>
}

// CHECK-LABEL: func.func @only_written
// STORE-NOT: affine.store
// STORE: boostr.out_proj_residual_grad
// STORE: affine.store
func.func @only_written(%dy: memref<2x3x4xf32>, %a: memref<2x3x8xf32>, %w: memref<4x8xf32>, %x: f32)
    -> memref<4xf32> {
  %db = memref.alloc() : memref<4xf32>
  affine.store %x, %db[0] : memref<4xf32>
  boostr.out_proj_residual_grad %dy, %a, %w outs(%db) wrt(bias)
      : memref<2x3x4xf32>, memref<2x3x8xf32>, memref<4x8xf32>, memref<4xf32>
  affine.store %x, %db[0] : memref<4xf32>
  return %db : memref<4xf32>
}
