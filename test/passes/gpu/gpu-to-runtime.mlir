// RUN: boostr-opt %s --boostr-gpu-to-runtime --split-input-file --verify-diagnostics \
// RUN:   | FileCheck %s

// An image for one chip and PTX for others, two kernels in the order of the table.

#cubin = #gpu.object<#nvvm.target<chip = "sm_80">, kernels = <[
    #gpu.kernel_metadata<"first", !llvm.func<void (ptr, i32)>,
        arg_attrs = [{llvm.byval = !llvm.array<128 x i8>}, {}]>,
    #gpu.kernel_metadata<"second", !llvm.func<void (i64, ptr, ptr, i64, i64, i64)>>]>, bin = "CUBIN">
#ptx = #gpu.object<#nvvm.target<chip = "sm_80">, assembly = "PTX">

// CHECK-NOT:   gpu.
// CHECK:       llvm.func @boostr_cuda_launch(!llvm.ptr, i32, !llvm.ptr, !llvm.ptr)

// The tensor map goes by its own address, the number through the stack. Both
// launches have their memory in the entry block.
// CHECK-LABEL: func.func @launches(
// CHECK-SAME:    %[[MAP:.+]]: !llvm.ptr, %[[NUMBER:.+]]: i32, %[[ARRAY:.+]]: memref<?xf32>, %[[COUNT:.+]]: index, %[[SHARED:.+]]: i32)
// CHECK:         llvm.alloca {{.*}} x !llvm.struct<(array<10 x i32>, array<6 x ptr>, i64, ptr, ptr, i64, i64, i64)>
// CHECK:         %[[MEMORY:.+]] = llvm.alloca {{.*}} x !llvm.struct<(array<10 x i32>, array<2 x ptr>, ptr, i32)>
// CHECK:         %[[GRID:.+]] = arith.index_cast %[[COUNT]] : index to i32
// CHECK:         %[[GRID_X:.+]] = llvm.getelementptr %[[MEMORY]][0, 0, 0]
// CHECK:         llvm.store %[[GRID]], %[[GRID_X]]
// CHECK:         %[[BYTES:.+]] = llvm.getelementptr %[[MEMORY]][0, 0, 9]
// CHECK:         llvm.store %[[SHARED]], %[[BYTES]]
// CHECK:         %[[PARAMETER_0:.+]] = llvm.getelementptr %[[MEMORY]][0, 1, 0]
// CHECK:         llvm.store %[[MAP]], %[[PARAMETER_0]]
// CHECK:         %[[SLOT:.+]] = llvm.getelementptr %[[MEMORY]][0, 3]
// CHECK:         llvm.store %[[NUMBER]], %[[SLOT]]
// CHECK:         %[[PARAMETER_1:.+]] = llvm.getelementptr %[[MEMORY]][0, 1, 1]
// CHECK:         llvm.store %[[SLOT]], %[[PARAMETER_1]]
// CHECK:         %[[MODULE:.+]] = llvm.mlir.addressof @kernels_cuda
// CHECK:         %[[FIRST:.+]] = llvm.mlir.constant(0 : i32)
// CHECK:         llvm.call @boostr_cuda_launch(%[[MODULE]], %[[FIRST]],
// CHECK:         %[[SECOND:.+]] = llvm.mlir.constant(1 : i32)
// CHECK:         llvm.call @boostr_cuda_launch(%{{.+}}, %[[SECOND]],

// CHECK:       llvm.mlir.global internal constant @kernels_cuda_image_0_chip("sm_80\00")
// CHECK:       llvm.mlir.global internal constant @kernels_cuda_image_0("CUBIN") {{.*}}alignment = 64
// CHECK:       llvm.mlir.global internal constant @kernels_cuda_image_1_chip("\00")
// CHECK:       llvm.mlir.global internal constant @kernels_cuda_image_1("PTX\00")
// CHECK:       @kernels_cuda_kernel_name("first\00")
// CHECK:       @kernels_cuda_kernel_name_0("second\00")
// CHECK:       llvm.mlir.global internal constant @kernels_cuda() {{.*}}!llvm.struct<(array<16 x i8>, i32, ptr, i32, ptr)>
module attributes {gpu.container_module} {
  gpu.binary @kernels [#cubin, #ptx]
  func.func @launches(%map: !llvm.ptr, %number: i32, %array: memref<?xf32>, %count: index, %shared: i32) {
    %one = arith.constant 1 : index
    %wide = arith.constant 7 : i64
    gpu.launch_func @kernels::@first clusters in (%one, %one, %one) blocks in (%count, %one, %one)
        threads in (%one, %one, %one) dynamic_shared_memory_size %shared
        args(%map : !llvm.ptr, %number : i32)
    scf.for %i = %one to %count step %one {
      gpu.launch_func @kernels::@second blocks in (%count, %one, %one) threads in (%one, %one, %one)
          args(%wide : i64, %array : memref<?xf32>)
    }
    return
  }
}

// -----

// A kernel that was made for it may begin beside the one before.

// CHECK-LABEL: func.func @together
// CHECK:         llvm.call @boostr_cuda_launch(
// CHECK:         llvm.call @boostr_cuda_launch_beside(
#together = #gpu.object<#nvvm.target<chip = "sm_90a">, kernels = <[
    #gpu.kernel_metadata<"first", !llvm.func<void ()>, metadata = {registers = 8 : i64}>,
    #gpu.kernel_metadata<"later", !llvm.func<void ()>, metadata = {runs_with_earlier}>]>, bin = "CUBIN">
module attributes {gpu.container_module} {
  gpu.binary @kernels [#together]
  func.func @together() {
    %one = arith.constant 1 : index
    gpu.launch_func @kernels::@first blocks in (%one, %one, %one) threads in (%one, %one, %one)
    gpu.launch_func @kernels::@later blocks in (%one, %one, %one) threads in (%one, %one, %one)
    return
  }
}

// -----

// CHECK-LABEL: func.func @untouched
// CHECK-NEXT:    memref.load
func.func @untouched(%array: memref<4xf32>, %i: index) -> f32 {
  %value = memref.load %array[%i] : memref<4xf32>
  return %value : f32
}

// -----

module attributes {gpu.container_module} {
  gpu.binary @kernels [#gpu.object<#nvvm.target, kernels = <[
      #gpu.kernel_metadata<"f", !llvm.func<void (i32)>>]>, bin = "CUBIN">]
  func.func @other_type(%number: i64) {
    %one = arith.constant 1 : index
    // expected-error @below {{passes 'i64' to kernel 'f' of type '!llvm.func<void (i32)>'}}
    gpu.launch_func @kernels::@f blocks in (%one, %one, %one) threads in (%one, %one, %one) args(%number : i64)
    return
  }
}

// -----

module attributes {gpu.container_module} {
  gpu.module @kernels {
    llvm.func @f() attributes {gpu.kernel} {
      llvm.return
    }
  }
  func.func @not_compiled() {
    %one = arith.constant 1 : index
    // expected-error @below {{expected kernel module 'kernels' to be a gpu.binary; run boostr-gpu-to-binary before}}
    gpu.launch_func @kernels::@f blocks in (%one, %one, %one) threads in (%one, %one, %one)
    return
  }
}

// -----

// expected-error @below {{expected a table of kernels in its first object}}
gpu.binary @no_table [#gpu.object<#nvvm.target, bin = "CUBIN">]

// -----

// expected-error @below {{expected objects of the formats 'bin' and 'assembly' for NVIDIA GPUs}}
gpu.binary @for_others [#gpu.object<#rocdl.target, kernels = <>, bin = "BINARY">]
