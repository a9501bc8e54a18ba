// RUN: boostr-opt %s --boostr-unify-kernels --split-input-file --verify-diagnostics | FileCheck %s

// CHECK-LABEL: func.func @layers
// CHECK:         gpu.launch_func @kernels::@f
// CHECK:         gpu.launch_func @kernels::@f
// CHECK:         gpu.launch_func @kernels::@[[OTHER:f_[0-9]+]]
// CHECK-COUNT-1: gpu.module
// CHECK-DAG:     gpu.func @f(
// CHECK-DAG:     llvm.func @library() -> f32
// CHECK-DAG:     gpu.func @[[OTHER]](
// CHECK-NOT:     func
module attributes {gpu.container_module} {
  func.func @layers(%x: memref<4xf32>) {
    %c1 = arith.constant 1 : index
    gpu.launch_func @first::@f blocks in (%c1, %c1, %c1) threads in (%c1, %c1, %c1) args(%x : memref<4xf32>)
    gpu.launch_func @second::@g blocks in (%c1, %c1, %c1) threads in (%c1, %c1, %c1) args(%x : memref<4xf32>)
    gpu.launch_func @other::@f blocks in (%c1, %c1, %c1) threads in (%c1, %c1, %c1) args(%x : memref<4xf32>)
    return
  }
  gpu.module @first {
    gpu.func @f(%x: memref<4xf32>) kernel {
      %i = gpu.thread_id x
      %v = llvm.call @library() : () -> f32
      memref.store %v, %x[%i] : memref<4xf32>
      gpu.return
    }
    llvm.func @library() -> f32
  }
  gpu.module @second {
    gpu.func @g(%x: memref<4xf32>) kernel {
      %i = gpu.thread_id x
      %v = llvm.call @library() : () -> f32
      memref.store %v, %x[%i] : memref<4xf32>
      gpu.return
    }
    llvm.func @library() -> f32
  }
  gpu.module @other {
    gpu.func @f(%x: memref<4xf32>) kernel {
      %i = gpu.thread_id x
      %v = arith.constant 2.0 : f32
      memref.store %v, %x[%i] : memref<4xf32>
      gpu.return
    }
  }
}

// -----

// Globals of the same name stay apart.

// CHECK:       gpu.module @kernels
// CHECK-DAG:     llvm.mlir.global internal constant @data(1 : i32)
// CHECK-DAG:     llvm.mlir.global internal constant @[[DATA:data_[0-9]+]](2 : i32)
// CHECK-DAG:     llvm.mlir.addressof @data :
// CHECK-DAG:     llvm.mlir.addressof @[[DATA]] :
gpu.module @first {
  llvm.mlir.global internal constant @data(1 : i32) : i32
  llvm.func @f() attributes {gpu.kernel} {
    %0 = llvm.mlir.addressof @data : !llvm.ptr
    llvm.return
  }
}
gpu.module @second {
  llvm.mlir.global internal constant @data(2 : i32) : i32
  llvm.func @f() attributes {gpu.kernel} {
    %0 = llvm.mlir.addressof @data : !llvm.ptr
    llvm.return
  }
}

// -----

// CHECK-LABEL: gpu.module @untouched
gpu.module @untouched {
  llvm.func @f() attributes {gpu.kernel} {
    llvm.return
  }
}
