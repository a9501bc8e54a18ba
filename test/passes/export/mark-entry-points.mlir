// RUN: boostr-opt %s --boostr-mark-entry-points | FileCheck %s

// CHECK-LABEL: func.func @public(
// CHECK-SAME: %{{.*}}: tensor<4xf32> {bufferization.writable = false}, %{{.*}}: tensor<4xf32> {bufferization.writable = true}, %{{.*}}: f32)
// CHECK-SAME: llvm.emit_c_interface
func.func @public(%x: tensor<4xf32>, %y: tensor<4xf32> {bufferization.writable = true}, %s: f32) -> tensor<4xf32> {
  return %x : tensor<4xf32>
}

// CHECK-LABEL: func.func private @private(
// CHECK-NOT: writable
// CHECK-NOT: llvm.emit_c_interface
func.func private @private(%x: tensor<4xf32>) -> tensor<4xf32> {
  return %x : tensor<4xf32>
}

// A result returned twice is copied, so that each has a buffer of its own.

// CHECK-LABEL: func.func @returned_twice(
// CHECK: %[[Y:.*]] = arith.addf
// CHECK: %[[COPY:.*]] = bufferization.alloc_tensor() copy(%[[Y]]) : tensor<?xf32>
// CHECK: return %[[Y]], %[[COPY]]
func.func @returned_twice(%x: tensor<?xf32>) -> (tensor<?xf32>, tensor<?xf32>) {
  %y = arith.addf %x, %x : tensor<?xf32>
  return %y, %y : tensor<?xf32>, tensor<?xf32>
}
