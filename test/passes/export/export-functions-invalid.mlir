// RUN: boostr-opt %s --boostr-export-functions --split-input-file --verify-diagnostics

// expected-error @+1 {{cannot export function 'f': expected it to be lowered with the attribute 'llvm.emit_c_interface', found no function '_mlir_ciface_f'}}
llvm.func @f() attributes {boostr.signature = () -> (), boostr.signature_names = []} {
  llvm.return
}

// -----

// expected-error @+1 {{cannot export function 'f': expected a 'boostr.signature' and names as boostr-create-shape-functions writes them}}
llvm.func @f() attributes {boostr.signature = (f32) -> (), boostr.signature_names = ["x"]} {
  llvm.return
}

// -----

// A result that did not become an out parameter.

llvm.func @f() attributes {boostr.signature = () -> tensor<f32>, boostr.signature_names = ["y"]} {
  llvm.return
}
// expected-error @+1 {{cannot export function 'f': expected pointers to descriptors of 0 inputs and 1 outputs, got '!llvm.func<struct<(ptr, ptr, i64)> ()>'}}
llvm.func @_mlir_ciface_f() -> !llvm.struct<(ptr, ptr, i64)> {
  %0 = llvm.mlir.undef : !llvm.struct<(ptr, ptr, i64)>
  llvm.return %0 : !llvm.struct<(ptr, ptr, i64)>
}

// -----

// expected-error @+1 {{cannot export function 'f': found no function for its shapes}}
llvm.func @f() attributes {boostr.signature = () -> (), boostr.signature_names = []} {
  llvm.return
}
llvm.func @_mlir_ciface_f() {
  llvm.return
}

// -----

llvm.func @f() attributes {boostr.signature = () -> (), boostr.signature_names = [], boostr.shapes = @f__shapes} {
  llvm.return
}
llvm.func @_mlir_ciface_f() {
  llvm.return
}
// expected-error @+1 {{cannot export function 'f': expected its shape function to take 0 and to return 1 numbers of 64 bits, got '!llvm.func<i64 (i64)>'}}
llvm.func @f__shapes(%arg0: i64) -> i64 attributes {boostr.constraints = []} {
  llvm.return %arg0 : i64
}

// -----

// expected-error @+1 {{cannot export function 'f-g': its name is not an identifier of C}}
llvm.func @"f-g"() attributes {boostr.signature = () -> (), boostr.signature_names = [], boostr.shapes = @s} {
  llvm.return
}
llvm.func @"_mlir_ciface_f-g"() {
  llvm.return
}
llvm.func @s() -> i64 attributes {boostr.constraints = []} {
  %0 = llvm.mlir.constant(0 : i64) : i64
  llvm.return %0 : i64
}

// -----

// expected-error @+1 {{cannot export function 'boostr_f': names of this prefix belong to the runtime}}
llvm.func @boostr_f() attributes {boostr.signature = () -> (), boostr.signature_names = [], boostr.shapes = @s} {
  llvm.return
}
llvm.func @_mlir_ciface_boostr_f() {
  llvm.return
}
llvm.func @s() -> i64 attributes {boostr.constraints = []} {
  %0 = llvm.mlir.constant(0 : i64) : i64
  llvm.return %0 : i64
}

// -----

// expected-error @+1 {{cannot export function 'f': the symbol 'f_dlpack' is taken}}
llvm.func @f() attributes {boostr.signature = () -> (), boostr.signature_names = [], boostr.shapes = @s} {
  llvm.return
}
llvm.func @_mlir_ciface_f() {
  llvm.return
}
llvm.func @s() -> i64 attributes {boostr.constraints = []} {
  %0 = llvm.mlir.constant(0 : i64) : i64
  llvm.return %0 : i64
}
// expected-note @+1 {{by this}}
llvm.func @f_dlpack()

// -----

llvm.func @f() attributes {boostr.signature = () -> (), boostr.signature_names = [], boostr.shapes = @s} {
  llvm.return
}
llvm.func @_mlir_ciface_f() {
  llvm.return
}
llvm.func @s() -> i64 attributes {boostr.constraints = []} {
  %0 = llvm.mlir.constant(0 : i64) : i64
  llvm.return %0 : i64
}
// expected-error @+1 {{the symbol 'boostr_invoke' belongs to the runtime}}
llvm.func @boostr_invoke() {
  llvm.return
}

// -----

llvm.func @f() attributes {boostr.signature = () -> (), boostr.signature_names = [], boostr.shapes = @s} {
  llvm.return
}
llvm.func @_mlir_ciface_f() {
  llvm.return
}
llvm.func @s() -> i64 attributes {boostr.constraints = []} {
  %0 = llvm.mlir.constant(0 : i64) : i64
  llvm.return %0 : i64
}
// expected-error @+1 {{the symbol 'boostr_module_functions' belongs to the list of exported functions}}
llvm.func @boostr_module_functions()

// -----

// Generated code calls the library's.
// expected-error @+1 {{cannot export function 'expf': its name belongs to the C library}}
llvm.func @expf() attributes {boostr.signature = () -> (), boostr.signature_names = [], boostr.shapes = @s} {
  llvm.return
}
llvm.func @_mlir_ciface_expf() {
  llvm.return
}
llvm.func @s() -> i64 attributes {boostr.constraints = []} {
  %0 = llvm.mlir.constant(0 : i64) : i64
  llvm.return %0 : i64
}
