// RUN: boostr-opt %s --boostr-lower-deallocations --canonicalize --cse | FileCheck %s

// Freed if it is owned.
// CHECK-LABEL: func.func @one(
// CHECK-SAME:    %[[M:.+]]: memref<4xf32>, %[[OWNED:.+]]: i1)
// CHECK-NEXT:    scf.if %[[OWNED]] {
// CHECK-NEXT:      memref.dealloc %[[M]]
func.func @one(%m: memref<4xf32>, %owned: i1) {
  bufferization.dealloc (%m : memref<4xf32>) if (%owned)
  return
}

// Kept if it is what is retained, which then is owned.
// CHECK-LABEL: func.func @retained(
// CHECK-SAME:    %[[M:.+]]: memref<4xf32>, %[[OWNED:.+]]: i1, %[[R:.+]]: memref<4xf32>)
// CHECK-DAG:     %[[M_AT:.+]] = memref.extract_aligned_pointer_as_index %[[M]]
// CHECK-DAG:     %[[R_AT:.+]] = memref.extract_aligned_pointer_as_index %[[R]]
// CHECK-DAG:     %[[SAME:.+]] = arith.cmpi eq, %[[M_AT]], %[[R_AT]]
// CHECK-DAG:     %[[RESULT:.+]] = arith.andi %[[SAME]], %[[OWNED]]
// CHECK-DAG:     %[[OTHER:.+]] = arith.cmpi ne, %[[M_AT]], %[[R_AT]]
// CHECK-DAG:     %[[FREED:.+]] = arith.andi %[[OWNED]], %[[OTHER]]
// CHECK:         scf.if %[[FREED]] {
// CHECK:         return %[[RESULT]]
func.func @retained(%m: memref<4xf32>, %owned: i1, %r: memref<4xf32>) -> i1 {
  %0 = bufferization.dealloc (%m : memref<4xf32>) if (%owned) retain (%r : memref<4xf32>)
  return %0 : i1
}

// Two names of one buffer: the first that owns it frees it.
// CHECK-LABEL: func.func @two(
// CHECK-SAME:    %[[A:.+]]: memref<4xf32>, %[[B:.+]]: memref<4xf32>, %[[OWNS_A:.+]]: i1, %[[OWNS_B:.+]]: i1)
// CHECK-NOT:     memref.alloc
// CHECK-NOT:     memref.store
// CHECK:         scf.if %[[OWNS_A]] {
// CHECK-NEXT:      memref.dealloc %[[A]]
// CHECK:         scf.if %{{.+}} {
// CHECK-NEXT:      memref.dealloc %[[B]]
func.func @two(%a: memref<4xf32>, %b: memref<4xf32>, %owns_a: i1, %owns_b: i1) {
  bufferization.dealloc (%a, %b : memref<4xf32>, memref<4xf32>) if (%owns_a, %owns_b)
  return
}

// CHECK-LABEL: func.func @untouched
// CHECK-NEXT:    memref.dealloc
func.func @untouched(%m: memref<4xf32>) {
  memref.dealloc %m : memref<4xf32>
  return
}
