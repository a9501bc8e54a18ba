// RUN: boostr-opt %s --boostr-check-device-memory --split-input-file --verify-diagnostics | FileCheck %s

// CHECK-LABEL: func.func @allowed
// CHECK:         memref.alloc
func.func @allowed(%x: memref<?x4xf32>, %v: f32) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %n = memref.dim %x, %c0 : memref<?x4xf32>
  %y = memref.alloc(%n) : memref<?x4xf32>
  %z = memref.subview %y[0, 0] [%n, 2] [1, 1] : memref<?x4xf32> to memref<?x2xf32, strided<[4, 1]>>
  gpu.launch blocks(%bx, %by, %bz) in (%gx = %n, %gy = %c1, %gz = %c1)
             threads(%tx, %ty, %tz) in (%nx = %c1, %ny = %c1, %nz = %c1) {
    memref.store %v, %z[%bx, %tx] : memref<?x2xf32, strided<[4, 1]>>
    gpu.terminator
  }
  memref.dealloc %y : memref<?x4xf32>
  return
}

// -----

func.func @load(%x: memref<4xf32>, %i: index) -> f32 {
  // expected-error @below {{runs on the host, which cannot read or write the memory of the device that arrays are in}}
  %0 = memref.load %x[%i] : memref<4xf32>
  return %0 : f32
}

// -----

func.func @several(%x: memref<4xf32>, %y: memref<4xf32>, %v: f32) {
  // expected-error @below {{runs on the host}}
  linalg.fill ins(%v : f32) outs(%x : memref<4xf32>)
  // expected-error @below {{runs on the host}}
  memref.copy %x, %y : memref<4xf32> to memref<4xf32>
  // expected-error @below {{is memory of the host}}
  %0 = memref.alloca() : memref<4xf32>
  return
}
