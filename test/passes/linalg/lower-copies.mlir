// RUN: boostr-opt %s --boostr-lower-copies | FileCheck %s

// CHECK-LABEL: func.func @strided
// CHECK-NOT:     memref.copy
// CHECK:         linalg.generic
// CHECK-SAME:      ins(%{{.*}} : memref<?x4xf32, strided<[?, 1], offset: ?>>)
// CHECK-SAME:      outs(%{{.*}} : memref<?x4xf32>)
// CHECK:           linalg.yield
func.func @strided(%source: memref<?x4xf32, strided<[?, 1], offset: ?>>, %target: memref<?x4xf32>) {
  memref.copy %source, %target : memref<?x4xf32, strided<[?, 1], offset: ?>> to memref<?x4xf32>
  return
}

// CHECK-LABEL: func.func @untouched_unranked
// CHECK:         memref.copy
func.func @untouched_unranked(%source: memref<*xf32>, %target: memref<*xf32>) {
  memref.copy %source, %target : memref<*xf32> to memref<*xf32>
  return
}
