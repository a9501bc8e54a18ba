// RUN: boostr-opt %s --convert-to-llvm=filter-dialects=amx --boostr-hint-tile-loads | FileCheck %s

// Only a load that says so does not stay in the first-level cache.

// CHECK-LABEL: func @loads(
// CHECK-NOT:     boostr.streamed
// CHECK:         llvm.call_intrinsic "llvm.x86.tileloaddt164.internal"({{.*}}) : (i16, i16, !llvm.ptr, i64) -> !llvm.x86_amx
// CHECK:         llvm.call_intrinsic "llvm.x86.tileloadd64.internal"({{.*}}) : (i16, i16, !llvm.ptr, i64) -> !llvm.x86_amx
// CHECK-NOT:     boostr.streamed
func.func @loads(%columns: memref<?xbf16>, %rows: memref<?xbf16>, %sums: memref<?xf32>) {
  %zero = arith.constant 0 : index
  %stride = arith.constant 32 : index
  %column = amx.tile_load %columns[%zero], %stride {boostr.streamed} : memref<?xbf16> into !amx.tile<16x32xbf16>
  %row = amx.tile_load %rows[%zero], %stride : memref<?xbf16> into !amx.tile<16x32xbf16>
  %none = amx.tile_zero : !amx.tile<16x16xf32>
  %sum = amx.tile_mulf %row, %column, %none : !amx.tile<16x32xbf16>, !amx.tile<16x32xbf16>, !amx.tile<16x16xf32>
  amx.tile_store %sums[%zero], %sum, %stride : memref<?xf32>, !amx.tile<16x16xf32>
  return
}
