// RUN: boostr-opt %s --boostr-map-loops-to-gpu=block-size=128 --split-input-file --verify-diagnostics \
// RUN:   | FileCheck %s
// RUN: boostr-opt %s --boostr-map-loops-to-gpu --convert-parallel-loops-to-gpu --split-input-file \
// RUN:   --verify-diagnostics | FileCheck %s --check-prefix=LAUNCH
// RUN: not boostr-opt %s --split-input-file --boostr-map-loops-to-gpu=block-size=2048 2>&1 | FileCheck %s --check-prefix=SIZE

// SIZE: error: 'block-size' expected 1 to 1024 threads, got 2048

// CHECK-LABEL: func.func @two_dimensions
// CHECK:         scf.parallel (%{{.+}}) = (%c0{{.*}}) to (%{{.+}}) step (%{{.+}}) {
// CHECK:           scf.parallel (%{{.+}}) = (%{{.+}}) to (%{{.+}}) step (%{{.+}}) {
// CHECK:             scf.if
// CHECK:               memref.store
// CHECK:           {mapping = [#gpu.loop_dim_map<processor = thread_x,
// CHECK:         {mapping = [#gpu.loop_dim_map<processor = block_x,
// LAUNCH-LABEL: func.func @two_dimensions
// LAUNCH:         gpu.launch
// LAUNCH:           memref.store
func.func @two_dimensions(%a: memref<?x?xf32>, %m: index, %n: index, %v: f32) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  scf.parallel (%i, %j) = (%c0, %c0) to (%m, %n) step (%c1, %c1) {
    memref.store %v, %a[%i, %j] : memref<?x?xf32>
  }
  return
}

// -----

// One thread runs what is inside; what is mapped is left alone.

// CHECK-LABEL: func.func @inside
// CHECK-COUNT-3: scf.parallel
// CHECK-NOT:     scf.parallel
// CHECK-LABEL: func.func @untouched
// CHECK-COUNT-1: scf.parallel
// CHECK-NOT:     scf.parallel
func.func @inside(%a: memref<?x?xf32>, %m: index, %v: f32) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  scf.parallel (%i) = (%c0) to (%m) step (%c1) {
    scf.parallel (%j) = (%c0) to (%m) step (%c1) {
      memref.store %v, %a[%i, %j] : memref<?x?xf32>
    }
  }
  return
}
func.func @untouched(%a: memref<?xf32>, %m: index, %v: f32) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  scf.parallel (%i) = (%c0) to (%m) step (%c1) {
    memref.store %v, %a[%i] : memref<?xf32>
  } {mapping = [#gpu.loop_dim_map<processor = block_x, map = (d0) -> (d0), bound = (d0) -> (d0)>]}
  return
}

// -----

func.func @reduction(%m: index, %v: f32) -> f32 {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  // expected-error @below {{has reductions, which threads cannot combine}}
  %0 = scf.parallel (%i) = (%c0) to (%m) step (%c1) init (%v) -> f32 {
    scf.reduce(%v : f32) {
    ^bb0(%x: f32, %y: f32):
      %1 = arith.addf %x, %y : f32
      scf.reduce.return %1 : f32
    }
  }
  return %0 : f32
}
