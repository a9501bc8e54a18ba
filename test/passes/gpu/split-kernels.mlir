// RUN: boostr-opt %s --boostr-split-kernels=min-ops=4 --split-input-file | FileCheck %s

// The largest first, in modules of their own; what they use is copied, and goes if it is not
// needed any more. Launches follow.

// CHECK-LABEL: func.func @launches
// CHECK:         gpu.launch_func @kernels::@small
// CHECK:         gpu.launch_func @[[SECOND:kernels_[0-9]+]]::@large
// CHECK:         gpu.launch_func @[[FIRST:kernels_[0-9]+]]::@larger
// CHECK:         gpu.launch_func @[[SECOND]]::@large

// CHECK:       gpu.module @[[FIRST]] attributes {key = "kept"} {
// CHECK-NEXT:    llvm.mlir.global external @memory() {addr_space = 3 : i32}
// CHECK-NEXT:    llvm.func @larger
// CHECK:       gpu.module @[[SECOND]] attributes {key = "kept"} {
// CHECK-DAG:     llvm.func @helper
// CHECK-DAG:     llvm.mlir.global internal constant @table
// CHECK:         llvm.func @large(
// CHECK:       gpu.module @kernels attributes {key = "kept"} {
// CHECK-NOT:     @memory
// CHECK-NOT:     @helper
// CHECK:         llvm.mlir.global internal constant @table
// CHECK-NEXT:    llvm.func @small
// CHECK-NOT:     llvm.func
module attributes {gpu.container_module} {
  func.func @launches() {
    %c1 = arith.constant 1 : index
    gpu.launch_func @kernels::@small blocks in (%c1, %c1, %c1) threads in (%c1, %c1, %c1)
    gpu.launch_func @kernels::@large blocks in (%c1, %c1, %c1) threads in (%c1, %c1, %c1)
    gpu.launch_func @kernels::@larger blocks in (%c1, %c1, %c1) threads in (%c1, %c1, %c1)
    gpu.launch_func @kernels::@large blocks in (%c1, %c1, %c1) threads in (%c1, %c1, %c1)
    return
  }
  gpu.module @kernels attributes {key = "kept"} {
    llvm.mlir.global internal constant @table(7 : i32) : i32
    llvm.mlir.global external @memory() {addr_space = 3 : i32} : !llvm.array<0 x i8>
    llvm.func @small() attributes {gpu.kernel} {
      %0 = llvm.mlir.addressof @table : !llvm.ptr
      llvm.return
    }
    llvm.func @large() attributes {gpu.kernel} {
      llvm.call @helper() : () -> ()
      %0 = llvm.mlir.constant(0 : i32) : i32
      %1 = llvm.mlir.constant(1 : i32) : i32
      llvm.return
    }
    llvm.func @helper() {
      %0 = llvm.mlir.addressof @table : !llvm.ptr
      llvm.return
    }
    llvm.func @larger() attributes {gpu.kernel} {
      %0 = llvm.mlir.addressof @memory : !llvm.ptr<3>
      %1 = llvm.mlir.constant(1 : i32) : i32
      %2 = llvm.mlir.constant(2 : i32) : i32
      %3 = llvm.mlir.constant(3 : i32) : i32
      llvm.return
    }
  }
}

// -----

// One of several large kernels stays where all were.

// CHECK:     gpu.module @kernels_0
// CHECK-NEXT:  llvm.func @f
// CHECK:     gpu.module @kernels
// CHECK-NEXT:  llvm.func @g
// CHECK-NOT: gpu.module
gpu.module @kernels {
  llvm.func @f() attributes {gpu.kernel} {
    %0 = llvm.mlir.constant(0 : i32) : i32
    %1 = llvm.mlir.constant(1 : i32) : i32
    llvm.return
  }
  llvm.func @g() attributes {gpu.kernel} {
    %0 = llvm.mlir.constant(0 : i32) : i32
    %1 = llvm.mlir.constant(1 : i32) : i32
    llvm.return
  }
}

// -----

// CHECK-LABEL: gpu.module @untouched_alone
// CHECK-NEXT:    llvm.func @f
// CHECK-NOT:   gpu.module
gpu.module @untouched_alone {
  llvm.func @f() attributes {gpu.kernel} {
    %0 = llvm.mlir.constant(0 : i32) : i32
    %1 = llvm.mlir.constant(1 : i32) : i32
    llvm.return
  }
}

// -----

// Memory of the device that kernels write is one.

// CHECK-LABEL: gpu.module @untouched_shared_state
// CHECK:         llvm.func @f
// CHECK:         llvm.func @g
// CHECK-NOT:   gpu.module
gpu.module @untouched_shared_state {
  llvm.mlir.global internal @state(7 : i32) {addr_space = 1 : i32} : i32
  llvm.func @f() attributes {gpu.kernel} {
    %0 = llvm.mlir.addressof @state : !llvm.ptr<1>
    %1 = llvm.load %0 : !llvm.ptr<1> -> i32
    llvm.store %1, %0 : i32, !llvm.ptr<1>
    llvm.return
  }
  llvm.func @g() attributes {gpu.kernel} {
    llvm.call @through() : () -> ()
    %1 = llvm.mlir.constant(1 : i32) : i32
    %2 = llvm.mlir.constant(2 : i32) : i32
    llvm.return
  }
  llvm.func @through() {
    %0 = llvm.mlir.addressof @state : !llvm.ptr<1>
    llvm.return
  }
}
