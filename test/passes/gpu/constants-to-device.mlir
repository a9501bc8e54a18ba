// RUN: boostr-opt %s --boostr-constants-to-device | FileCheck %s

memref.global "private" constant @table : memref<2x3xf32> = dense<[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]>

// The kernel brings the constant along.

// CHECK-LABEL: func.func @read(
// CHECK-SAME:    %[[OUT:.+]]: memref<2x3xf32>)
// CHECK:         %[[COPY:.+]] = memref.alloc() : memref<2x3xf32>
// CHECK:         gpu.launch
// CHECK:           scf.if
// CHECK:             %[[AT:.+]]:2 = affine.delinearize_index
// CHECK:             %[[TABLE:.+]] = memref.get_global @table
// CHECK:             %[[VALUE:.+]] = memref.load %[[TABLE]][%[[AT]]#0, %[[AT]]#1]
// CHECK:             memref.store %[[VALUE]], %[[COPY]][%[[AT]]#0, %[[AT]]#1]
// CHECK:         memref.copy %[[COPY]], %[[OUT]]
// CHECK:         memref.dealloc %[[COPY]]
// CHECK:         return
func.func @read(%out: memref<2x3xf32>) {
  %0 = memref.get_global @table : memref<2x3xf32>
  memref.copy %0, %out : memref<2x3xf32> to memref<2x3xf32>
  return
}

// CHECK-LABEL: gpu.module @untouched
// CHECK-NOT:     gpu.launch
gpu.module @untouched {
  memref.global "private" constant @own : memref<f32> = dense<1.0>
  gpu.func @f(%out: memref<f32>) kernel {
    %0 = memref.get_global @own : memref<f32>
    %1 = memref.load %0[] : memref<f32>
    memref.store %1, %out[] : memref<f32>
    gpu.return
  }
}
