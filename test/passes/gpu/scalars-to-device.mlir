// RUN: boostr-opt %s --boostr-scalars-to-device | FileCheck %s

// One kernel of one thread; the other kernel finds the value in memory.

// CHECK-LABEL: func.func @shared(
// CHECK-SAME:    %[[X:.+]]: memref<4xf32>, %[[Y:.+]]: memref<?xf32>)
// CHECK:         %[[SUM:.+]] = memref.alloc() : memref<f32>
// CHECK:         gpu.launch
// CHECK:           %[[A:.+]] = memref.load %[[X]][%c0]
// CHECK:           %[[B:.+]] = memref.load %[[X]][%c1]
// CHECK:           %[[C:.+]] = arith.addf %[[A]], %[[B]]
// CHECK:           memref.store %[[C]], %[[SUM]][]
// CHECK:           memref.store %[[C]], %[[X]][%c1]
// CHECK:         gpu.launch
// CHECK:           %[[D:.+]] = memref.load %[[SUM]][]
// CHECK:           memref.store %[[D]], %[[Y]]
// CHECK:         memref.dealloc %[[SUM]]
// CHECK-NEXT:    return
func.func @shared(%x: memref<4xf32>, %y: memref<?xf32>) {
  %c0 = arith.constant 0 : index
  %a = memref.load %x[%c0] : memref<4xf32>
  %c1 = arith.constant 1 : index
  %b = memref.load %x[%c1] : memref<4xf32>
  %n = memref.dim %y, %c0 : memref<?xf32>
  %c = arith.addf %a, %b : f32
  memref.store %c, %x[%c1] : memref<4xf32>
  gpu.launch blocks(%bx, %by, %bz) in (%gx = %n, %gy = %c1, %gz = %c1)
             threads(%tx, %ty, %tz) in (%nx = %c1, %ny = %c1, %nz = %c1) {
    memref.store %c, %y[%bx] : memref<?xf32>
    gpu.terminator
  }
  return
}

// The host has to know this one.
// CHECK-LABEL: func.func @untouched(
// CHECK-NOT:     gpu.launch
// CHECK:         return
func.func @untouched(%x: memref<4xindex>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %n = memref.load %x[%c0] : memref<4xindex>
  scf.for %i = %c0 to %n step %c1 {
    memref.store %i, %x[%c1] : memref<4xindex>
  }
  return
}
