// RUN: boostr-opt %s --boostr-strided-copy-to-linalg | FileCheck %s

// CHECK-LABEL: func.func @slice(
// CHECK-SAME: %[[FROM:.*]]: memref<4x?xf32, strided<[8, 1], offset: ?>>, %[[TO:.*]]: memref<4x?xf32>)
// CHECK-NOT: memref.copy
// CHECK: linalg.copy ins(%[[FROM]] : {{.*}}) outs(%[[TO]] : memref<4x?xf32>)
func.func @slice(%from: memref<4x?xf32, strided<[8, 1], offset: ?>>, %to: memref<4x?xf32>) {
  memref.copy %from, %to : memref<4x?xf32, strided<[8, 1], offset: ?>> to memref<4x?xf32>
  return
}

// CHECK-LABEL: func.func @contiguous(
// CHECK: memref.copy
func.func @contiguous(%from: memref<4x?xf32>, %to: memref<4x?xf32>) {
  memref.copy %from, %to : memref<4x?xf32> to memref<4x?xf32>
  return
}

// CHECK-LABEL: func.func @unranked(
// CHECK: memref.copy
func.func @unranked(%from: memref<*xf32>, %to: memref<*xf32>) {
  memref.copy %from, %to : memref<*xf32> to memref<*xf32>
  return
}
