// RUN: boostr-opt %s --boostr-export-functions="variant=0 variants=3" | FileCheck %s --check-prefix=FIRST
// RUN: boostr-opt %s --boostr-export-functions="variant=2 variants=3" | FileCheck %s --check-prefix=LAST
// RUN: not boostr-opt %s --boostr-export-functions="variant=3 variants=3" 2>&1 | FileCheck %s --check-prefix=RANGE
//
// One of three modules for different CPUs. The first has the entries, and a description that
// lists those of all.

// FIRST: llvm.mlir.global external hidden constant @f__variant_0()
// FIRST: llvm.mlir.constant(31 : i64)
// FIRST: llvm.mlir.global external hidden constant @f__variant_1()
// FIRST: llvm.mlir.global external hidden constant @f__variant_2()
// FIRST: llvm.mlir.global internal constant @f__variants() {{.*}} : !llvm.array<4 x ptr> {
// FIRST: llvm.mlir.addressof @f__variant_0
// FIRST: llvm.mlir.addressof @f__variant_1
// FIRST: llvm.mlir.addressof @f__variant_2
// FIRST: llvm.mlir.zero
// FIRST: llvm.mlir.global external constant @f_function()
// FIRST: llvm.mlir.constant(0 : i64)
// FIRST: llvm.mlir.addressof @f__variants
// FIRST: llvm.func @f()
// FIRST: llvm.func @f_dlpack(
// FIRST: llvm.mlir.global external constant @boostr_module_functions()

// LAST-NOT: llvm.func @f
// LAST: llvm.mlir.global external hidden constant @f__variant_2()
// LAST: llvm.mlir.constant(31 : i64)
// LAST-NOT: @f_function
// LAST-NOT: llvm.func @f
// LAST-NOT: @boostr_module_functions

// RANGE: error: 'variant' expected 0 to 2, got 3

module attributes {boostr.cpu_target = #boostr.cpu_target<cpu = "x86-64-v2",
    features = "", vector_bits = 128, registers = 16, l1_bytes = 32768, l2_bytes = 262144>} {
  llvm.func @f() attributes {boostr.shapes = @f__shapes, boostr.signature = () -> (),
      boostr.signature_names = []} {
    llvm.return
  }
  llvm.func @_mlir_ciface_f() {
    llvm.return
  }
  llvm.func @f__shapes() -> i64 attributes {boostr.constraints = []} {
    %0 = llvm.mlir.constant(0 : i64) : i64
    llvm.return %0 : i64
  }
}
