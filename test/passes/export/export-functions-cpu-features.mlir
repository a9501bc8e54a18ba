// RUN: boostr-opt %s --split-input-file --boostr-export-functions | FileCheck %s
//
// What the CPU of `boostr.cpu_target` has goes into the description, as bits of
// runtime/CpuFeatures.def, for the runtime to check.

// sse3 (0), ssse3 (1), sse4.1 (2), sse4.2 (3), popcnt (4).
// CHECK-LABEL: @v2
// CHECK:       @f_function
// CHECK:       llvm.mlir.constant(1 : i32) : i32
// CHECK-NEXT:  llvm.mlir.constant(31 : i64)
module @v2 attributes {boostr.cpu_target = #boostr.cpu_target<cpu = "x86-64-v2",
    features = "", vector_bits = 128, registers = 16, l1_bytes = 32768, l2_bytes = 262144>} {
  llvm.func @f() attributes {boostr.shapes = @f__shapes, boostr.signature = () -> (),
      boostr.signature_names = []} {
    llvm.return
  }
  llvm.func @_mlir_ciface_f() {
    llvm.return
  }
  llvm.func @f__shapes() -> i64 attributes {boostr.constraints = []} {
    %zero = llvm.mlir.constant(0 : i64) : i64
    llvm.return %zero : i64
  }
}

// -----

// AMX has to be permitted by the system, so it is asked for where it is used.
// CHECK-LABEL: @amx_that_is_not_used
// CHECK:       @f_function
// CHECK:       llvm.mlir.constant(1 : i32) : i32
// CHECK-NEXT:  llvm.mlir.constant(0 : i64) : i64
module @amx_that_is_not_used attributes {boostr.cpu_target = #boostr.cpu_target<cpu = "x86-64",
    features = "+amx-bf16", vector_bits = 128, registers = 16, l1_bytes = 32768, l2_bytes = 262144>} {
  llvm.func @f() attributes {boostr.shapes = @f__shapes, boostr.signature = () -> (),
      boostr.signature_names = []} {
    llvm.return
  }
  llvm.func @_mlir_ciface_f() {
    llvm.return
  }
  llvm.func @f__shapes() -> i64 attributes {boostr.constraints = []} {
    %zero = llvm.mlir.constant(0 : i64) : i64
    llvm.return %zero : i64
  }
}

// -----

// amx-tile (48) and amx-bf16 (49).
// CHECK-LABEL: @amx_that_is_used
// CHECK:       @f_function
// CHECK:       llvm.mlir.constant(844424930131968 : i64)
module @amx_that_is_used attributes {boostr.cpu_target = #boostr.cpu_target<cpu = "x86-64",
    features = "+amx-bf16", vector_bits = 128, registers = 16, l1_bytes = 32768, l2_bytes = 262144>} {
  llvm.func @f() attributes {boostr.shapes = @f__shapes, boostr.signature = () -> (),
      boostr.signature_names = []} {
    %rows = llvm.mlir.constant(16 : i16) : i16
    %bytes = llvm.mlir.constant(64 : i16) : i16
    %zero = llvm.call_intrinsic "llvm.x86.tilezero.internal"(%rows, %bytes) : (i16, i16) -> !llvm.x86_amx
    %product = llvm.call_intrinsic "llvm.x86.tdpbf16ps.internal"(%rows, %bytes, %bytes, %zero, %zero, %zero)
        : (i16, i16, i16, !llvm.x86_amx, !llvm.x86_amx, !llvm.x86_amx) -> !llvm.x86_amx
    llvm.return
  }
  llvm.func @_mlir_ciface_f() {
    llvm.return
  }
  llvm.func @f__shapes() -> i64 attributes {boostr.constraints = []} {
    %zero = llvm.mlir.constant(0 : i64) : i64
    llvm.return %zero : i64
  }
}
