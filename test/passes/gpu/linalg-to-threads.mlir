// RUN: boostr-opt %s --boostr-linalg-to-threads --canonicalize --split-input-file --verify-diagnostics \
// RUN:   | FileCheck %s
// RUN: boostr-opt %s --boostr-linalg-to-threads --split-input-file --verify-diagnostics \
// RUN:   | FileCheck %s --check-prefix=ONE

// Sums stay in registers. The loops of the result come first, in its own order.

// CHECK-LABEL: func.func @sum(
// CHECK-SAME:    %[[A:.+]]: memref<4x?x8xf32>, %[[B:.+]]: memref<8x4xf32>)
// CHECK:         scf.parallel (%[[J:.+]], %[[I:.+]]) = (%c0, %c0) to (%c8, %c4) step (%c1, %c1) {
// CHECK:           %[[INIT:.+]] = memref.load %[[B]][%[[J]], %[[I]]]
// CHECK:           %[[SUM:.+]] = scf.for %[[K:.+]] = {{.+}} iter_args(%[[SO_FAR:.+]] = %[[INIT]])
// CHECK:             %[[X:.+]] = memref.load %[[A]][%[[I]], %[[K]], %[[J]]]
// CHECK:             arith.addf %[[SO_FAR]], %[[X]] fastmath<contract>
// CHECK:           memref.store %[[SUM]], %[[B]][%[[J]], %[[I]]]
func.func @sum(%a: memref<4x?x8xf32>, %b: memref<8x4xf32>) {
  linalg.generic {
      indexing_maps = [affine_map<(i, k, j) -> (i, k, j)>, affine_map<(i, k, j) -> (j, i)>],
      iterator_types = ["parallel", "reduction", "parallel"]}
      ins(%a : memref<4x?x8xf32>) outs(%b : memref<8x4xf32>) {
  ^bb0(%x: f32, %so_far: f32):
    %0 = arith.addf %so_far, %x : f32
    linalg.yield %0 : f32
  }
  return
}

// -----

// A value, an index, a named op; nothing is loaded that is not used.

// CHECK-LABEL: func.func @fill(
// CHECK:         scf.parallel
// CHECK-NOT:       memref.load
// CHECK:           memref.store
// CHECK-LABEL: func.func @indices(
// CHECK:         scf.parallel (%[[I:.+]]) =
// CHECK:           %[[NUMBER:.+]] = arith.index_cast %[[I]]
// CHECK:           memref.store %[[NUMBER]]
// ONE-LABEL: func.func @all(
// ONE:         scf.parallel (%{{.+}}) = (%c0{{.*}}) to (%c1{{.*}}) step (%c1{{.*}})
// ONE:           scf.for
func.func @fill(%a: memref<?x?xf32>, %v: f32) {
  linalg.fill ins(%v : f32) outs(%a : memref<?x?xf32>)
  return
}
func.func @indices(%a: memref<?xi32>) {
  linalg.generic {indexing_maps = [affine_map<(i) -> (i)>], iterator_types = ["parallel"]}
      outs(%a : memref<?xi32>) {
  ^bb0(%o: i32):
    %i = linalg.index 0 : index
    %0 = arith.index_cast %i : index to i32
    linalg.yield %0 : i32
  }
  return
}
func.func @all(%a: memref<?xf32>, %b: memref<f32>) {
  linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> ()>], iterator_types = ["reduction"]}
      ins(%a : memref<?xf32>) outs(%b : memref<f32>) {
  ^bb0(%x: f32, %so_far: f32):
    %0 = arith.maximumf %so_far, %x : f32
    linalg.yield %0 : f32
  }
  return
}

// -----

// CHECK-LABEL: func.func @untouched
// CHECK:         linalg.fill
func.func @untouched(%a: tensor<4xf32>, %v: f32) -> tensor<4xf32> {
  %0 = linalg.fill ins(%v : f32) outs(%a : tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

func.func @race(%a: memref<4x8xf32>, %b: memref<4xf32>) {
  // expected-error @below {{has loop 1, expected all results to depend on it}}
  linalg.generic {
      indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>],
      iterator_types = ["parallel", "parallel"]}
      ins(%a : memref<4x8xf32>) outs(%b : memref<4xf32>) {
  ^bb0(%x: f32, %o: f32):
    linalg.yield %x : f32
  }
  return
}
