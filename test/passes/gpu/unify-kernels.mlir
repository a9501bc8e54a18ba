// RUN: boostr-opt %s --boostr-unify-kernels | FileCheck %s

// CHECK-LABEL: func.func @layers
// CHECK:         gpu.launch_func @first::@first
// CHECK:         gpu.launch_func @first::@first
// CHECK:         gpu.launch_func @other::@other
// CHECK:       gpu.module @first
// CHECK-NOT:   gpu.module @second
// CHECK:       gpu.module @other
module attributes {gpu.container_module} {
  func.func @layers(%x: memref<4xf32>) {
    %c1 = arith.constant 1 : index
    gpu.launch_func @first::@first blocks in (%c1, %c1, %c1) threads in (%c1, %c1, %c1) args(%x : memref<4xf32>)
    gpu.launch_func @second::@second blocks in (%c1, %c1, %c1) threads in (%c1, %c1, %c1) args(%x : memref<4xf32>)
    gpu.launch_func @other::@other blocks in (%c1, %c1, %c1) threads in (%c1, %c1, %c1) args(%x : memref<4xf32>)
    return
  }
  gpu.module @first {
    gpu.func @first(%x: memref<4xf32>) kernel {
      %i = gpu.thread_id x
      %v = arith.constant 1.0 : f32
      memref.store %v, %x[%i] : memref<4xf32>
      gpu.return
    }
  }
  gpu.module @second {
    gpu.func @second(%x: memref<4xf32>) kernel {
      %i = gpu.thread_id x
      %v = arith.constant 1.0 : f32
      memref.store %v, %x[%i] : memref<4xf32>
      gpu.return
    }
  }
  gpu.module @other {
    gpu.func @other(%x: memref<4xf32>) kernel {
      %i = gpu.thread_id x
      %v = arith.constant 2.0 : f32
      memref.store %v, %x[%i] : memref<4xf32>
      gpu.return
    }
  }
}
