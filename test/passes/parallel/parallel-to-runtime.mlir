// RUN: boostr-opt %s --boostr-parallel-to-runtime=grain=100 --split-input-file \
// RUN:   --verify-diagnostics | FileCheck %s

// One dimension: iterations are numbered through, `grain` of them make a task.
// CHECK: llvm.func @boostr_parallel_for(!llvm.ptr, !llvm.ptr, i64)
// CHECK-LABEL: func.func @one_dimension
// CHECK-SAME: (%[[MEMREF:.*]]: memref<?xf32>, %[[COUNT:.*]]: index)
// CHECK:         %[[CAPTURES:.*]] = llvm.alloca
// CHECK-NOT:     scf.parallel
// CHECK:         arith.ceildivui %{{.*}}, %{{.*}}
// CHECK:         %[[TASK:.*]] = constant @one_dimension__task_0
// CHECK:         %[[POINTER:.*]] = builtin.unrealized_conversion_cast %[[TASK]]
// CHECK:         llvm.call @boostr_parallel_for(%[[POINTER]], %[[CAPTURES]], %{{.*}})
// CHECK-LABEL: func.func private @one_dimension__task_0
// CHECK-SAME:    (%{{.*}}: !llvm.ptr, %[[NUMBER:.*]]: i64)
// CHECK-SAME:    llvm.linkage = #llvm.linkage<internal>
// CHECK:         %[[INDEX:.*]] = arith.index_cast %[[NUMBER]]
// CHECK:         scf.for
// CHECK:           memref.store
func.func @one_dimension(%memref: memref<?xf32>, %count: index) {
  %zero = arith.constant 0 : index
  %one = arith.constant 1 : index
  %value = arith.constant 1.0 : f32
  scf.parallel (%i) = (%zero) to (%count) step (%one) {
    memref.store %value, %memref[%i] : memref<?xf32>
  }
  return
}

// -----

// Of an array a task gets the pointer and what the type leaves open: here the
// offset, the first extent and its stride.
// CHECK-LABEL: func.func @open_fields
// CHECK:         llvm.alloca %{{.*}} x !llvm.struct<(ptr, i64, i64, i64, i64)>
// CHECK-LABEL: func.func private @open_fields__task_0
// CHECK-COUNT-4: llvm.load
// CHECK-DAG:     %[[EXTENT:.*]] = llvm.mlir.constant(8 : index)
// CHECK-DAG:     llvm.insertvalue %[[EXTENT]], %{{.*}}[3, 1]
// CHECK:         builtin.unrealized_conversion_cast %{{.*}} to memref<?x8xf32, strided<[?, 1], offset: ?>>
func.func @open_fields(%memref: memref<?x8xf32, strided<[?, 1], offset: ?>>, %count: index) {
  %zero = arith.constant 0 : index
  %one = arith.constant 1 : index
  %value = arith.constant 1.0 : f32
  scf.parallel (%i) = (%zero) to (%count) step (%one) {
    memref.store %value, %memref[%i, %zero] : memref<?x8xf32, strided<[?, 1], offset: ?>>
  }
  return
}

// -----

// What two loops use is stored once, for the tasks of both.
// CHECK-LABEL: func.func @two_loops
// CHECK:         %[[FRAME:.*]] = llvm.alloca %{{.*}} x !llvm.struct<(ptr, i64, i64)>
// CHECK-COUNT-3: llvm.store
// CHECK-NOT:     llvm.alloca
// CHECK-NOT:     llvm.store
// CHECK:         llvm.call @boostr_parallel_for(%{{.*}}, %[[FRAME]], %{{.*}})
// CHECK-NOT:     llvm.store
// CHECK:         llvm.call @boostr_parallel_for(%{{.*}}, %[[FRAME]], %{{.*}})
// CHECK-LABEL: func.func private @two_loops__task_0
func.func @two_loops(%memref: memref<?xf32>, %count: index) {
  %zero = arith.constant 0 : index
  %one = arith.constant 1 : index
  %value = arith.constant 1.0 : f32
  scf.parallel (%i) = (%zero) to (%count) step (%one) {
    memref.store %value, %memref[%i] : memref<?xf32>
  }
  scf.parallel (%i) = (%zero) to (%count) step (%one) {
    memref.store %value, %memref[%i] : memref<?xf32>
  }
  return
}

// -----

// Two dimensions: the last stays a loop of its own inside the task.
// CHECK-LABEL: func.func private @two_dimensions__task_0
// CHECK:         scf.for %{{.*}} = %{{.*}} to
// CHECK:           scf.for %{{.*}} = %{{.*}} to
// CHECK:             memref.store
func.func @two_dimensions(%memref: memref<?x?xf32>, %rows: index, %columns: index) {
  %zero = arith.constant 0 : index
  %one = arith.constant 1 : index
  %value = arith.constant 1.0 : f32
  scf.parallel (%i, %j) = (%zero, %zero) to (%rows, %columns) step (%one, %one) {
    memref.store %value, %memref[%i, %j] : memref<?x?xf32>
  }
  return
}

// -----

// `boostr.grain = 1`: each iteration is a task. A loop inside stays where it is.
// CHECK-LABEL: func.func private @own_grain__task_0
// CHECK-NOT:     scf.for
// CHECK:         scf.parallel
// CHECK:           memref.store
func.func @own_grain(%memref: memref<?x?xf32>, %count: index) {
  %zero = arith.constant 0 : index
  %one = arith.constant 1 : index
  %value = arith.constant 1.0 : f32
  scf.parallel (%i) = (%zero) to (%count) step (%one) {
    scf.parallel (%j) = (%zero) to (%count) step (%one) {
      memref.store %value, %memref[%i, %j] : memref<?x?xf32>
    }
  } {boostr.grain = 1 : i64}
  return
}

// -----

// Sequential loops are left alone, and nothing is declared.
// CHECK-NOT:   boostr_parallel_for
// CHECK-LABEL: func.func @untouched
// CHECK:         scf.for
func.func @untouched(%memref: memref<?xf32>, %count: index) {
  %zero = arith.constant 0 : index
  %one = arith.constant 1 : index
  %value = arith.constant 1.0 : f32
  scf.for %i = %zero to %count step %one {
    memref.store %value, %memref[%i] : memref<?xf32>
  }
  return
}

// -----

func.func @negative_reduction(%memref: memref<?xf32>, %count: index) -> f32 {
  %zero = arith.constant 0 : index
  %one = arith.constant 1 : index
  %start = arith.constant 0.0 : f32
  // expected-error @below {{has reductions, which tasks cannot combine}}
  %sum = scf.parallel (%i) = (%zero) to (%count) step (%one) init (%start) -> f32 {
    %value = memref.load %memref[%i] : memref<?xf32>
    scf.reduce(%value : f32) {
    ^bb0(%a: f32, %b: f32):
      %s = arith.addf %a, %b : f32
      scf.reduce.return %s : f32
    }
  }
  return %sum : f32
}
