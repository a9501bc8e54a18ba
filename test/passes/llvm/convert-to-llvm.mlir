// RUN: boostr-opt %s --boostr-convert-to-llvm | FileCheck %s

// CHECK-LABEL: llvm.func @sum_of_products
// CHECK-NOT:   unrealized_conversion_cast
// CHECK:       llvm.br ^bb1
// CHECK:       llvm.icmp "slt"
// CHECK:       llvm.cond_br
// CHECK:       llvm.load %{{.*}} : !llvm.ptr -> vector<4xf32>
// CHECK:       llvm.intr.fmuladd
// CHECK:       llvm.intr.vector.reduce.fadd
// CHECK:       llvm.return
func.func @sum_of_products(%x: memref<?xf32>, %y: vector<4xf32>, %n: index) -> f32 {
  %zero = arith.constant 0 : index
  %four = arith.constant 4 : index
  %start = arith.constant dense<0.0> : vector<4xf32>
  cf.br ^loop(%zero, %start : index, vector<4xf32>)
^loop(%i: index, %sum: vector<4xf32>):
  %more = arith.cmpi slt, %i, %n : index
  cf.cond_br %more, ^body, ^end
^body:
  %v = vector.load %x[%i] : memref<?xf32>, vector<4xf32>
  %next = vector.fma %v, %y, %sum : vector<4xf32>
  %j = arith.addi %i, %four : index
  cf.br ^loop(%j, %next : index, vector<4xf32>)
^end:
  %all = vector.reduction <add>, %sum : vector<4xf32> into f32
  return %all : f32
}

// Tiles of AMX are converted with the branches that carry them.
// CHECK-LABEL: llvm.func @tile
// CHECK:       llvm.br ^bb1(%{{.*}} : !llvm.x86_amx)
// CHECK:       "llvm.x86.tilestored64
func.func @tile(%out: memref<16x16xf32>) {
  %zero = arith.constant 0 : index
  %tile = amx.tile_zero : !amx.tile<16x16xf32>
  cf.br ^next(%tile : !amx.tile<16x16xf32>)
^next(%carried: !amx.tile<16x16xf32>):
  amx.tile_store %out[%zero, %zero], %carried : memref<16x16xf32>, !amx.tile<16x16xf32>
  return
}

// CHECK-LABEL: llvm.func @pairs
// CHECK:       x86.avx512bf16.dpbf16ps.512
func.func @pairs(%sum: vector<16xf32>, %x: vector<32xbf16>) -> vector<16xf32> {
  %y = x86vector.avx512.dot %sum, %x, %x : vector<32xbf16> -> vector<16xf32>
  return %y : vector<16xf32>
}

// CHECK-LABEL: llvm.func @scratch
// CHECK:       llvm.call @_mlir_memref_to_llvm_alloc
// CHECK:       llvm.intr.fma
// CHECK:       llvm.call @_mlir_memref_to_llvm_free
func.func @scratch(%n: index, %x: f32) {
  %memory = memref.alloc(%n) : memref<?xf32>
  %y = math.fma %x, %x, %x : f32
  memref.store %y, %memory[%n] : memref<?xf32>
  memref.dealloc %memory : memref<?xf32>
  return
}

// CHECK-LABEL: llvm.func @untouched_function_without_intrinsic
// CHECK:       math.erf
func.func @untouched_function_without_intrinsic(%x: f32) -> f32 {
  %y = math.erf %x : f32
  return %y : f32
}
