// RUN: boostr-opt %s --boostr-export-functions --split-input-file | FileCheck %s

// A lowered function of one dynamic and one static input, with one output.

// CHECK-LABEL: module {

// Implementation: internal, without our attributes; calls still reach it.
// CHECK:       llvm.func internal @add__body(%{{.*}}: !llvm.ptr
// CHECK-NOT:   boostr.
// CHECK:       llvm.func internal @_mlir_ciface_add(
// CHECK:         llvm.call @add__body(
// CHECK:       llvm.func internal @add__shapes(%{{.*}}: i64, %{{.*}}: i64) -> !llvm.struct<(i64, i64)>
// CHECK-NOT:   boostr.
// CHECK:       llvm.func internal @helper()
// CHECK:       llvm.func @other()

// Description.
// CHECK:       llvm.mlir.global internal constant @add__constraint_0("dimension 0 of argument 0 'x' equals 4\00")
// CHECK:       llvm.mlir.global internal constant @add__layout_1("#layout\00")
// CHECK:       llvm.mlir.global internal constant @add__name("add\00")
// CHECK:       llvm.mlir.global internal constant @add__inputs_0_name("x\00")
// CHECK:       llvm.mlir.global internal constant @add__inputs_0_shape() {{.*}} : !llvm.array<1 x i64> {
// CHECK:         llvm.mlir.constant(dense<-1> : tensor<1xi64>)
// CHECK:       llvm.mlir.global internal constant @add__inputs_1_name("arg1\00")
// CHECK:       llvm.mlir.global internal constant @add__inputs_1_shape()
// CHECK:         llvm.mlir.constant(dense<4> : tensor<1xi64>)
// CHECK:       llvm.mlir.global internal constant @add__inputs() {{.*}} : !llvm.array<2 x struct<(ptr, struct<(i8, i8, i16)>, i32, ptr)>> {
// CHECK:         %[[CODE:.*]] = llvm.mlir.constant(4 : i8)
// CHECK:         %[[BITS:.*]] = llvm.mlir.constant(16 : i8)
// CHECK:         llvm.insertvalue %[[CODE]], %{{.*}}[0]
// CHECK:         llvm.insertvalue %[[BITS]], %{{.*}}[1]
// CHECK:       llvm.mlir.global internal constant @add__outputs_0_name("sum\00")
// CHECK:       llvm.mlir.global internal constant @add__outputs()

// CHECK:       llvm.func internal @add__packed(%[[LIST:.*]]: !llvm.ptr) {
// CHECK:         %[[A0:.*]] = llvm.getelementptr %[[LIST]][0]
// CHECK:         %[[P0:.*]] = llvm.load %[[A0]] : !llvm.ptr -> !llvm.ptr
// CHECK:         %[[A1:.*]] = llvm.getelementptr %[[LIST]][1]
// CHECK:         %[[P1:.*]] = llvm.load %[[A1]]
// CHECK:         %[[A2:.*]] = llvm.getelementptr %[[LIST]][2]
// CHECK:         %[[P2:.*]] = llvm.load %[[A2]]
// CHECK:         llvm.call @_mlir_ciface_add(%[[P0]], %[[P1]], %[[P2]])
// CHECK:       llvm.func internal @add__extents(%[[IN:.*]]: !llvm.ptr, %[[OUT:.*]]: !llvm.ptr) -> i64 {
// CHECK:         %[[S:.*]] = llvm.call @add__shapes(
// CHECK:         %[[STATUS:.*]] = llvm.extractvalue %[[S]][0]
// CHECK:         %[[EXTENT:.*]] = llvm.extractvalue %[[S]][1]
// CHECK:         %[[TO:.*]] = llvm.getelementptr %[[OUT]][0]
// CHECK:         llvm.store %[[EXTENT]], %[[TO]]
// CHECK:         llvm.return %[[STATUS]]

// CHECK:       llvm.mlir.global internal constant @add__constraints()
// CHECK:       llvm.mlir.global internal constant @add__layouts() {{.*}} : !llvm.array<2 x ptr> {
// CHECK:         llvm.mlir.zero
// CHECK:         llvm.mlir.addressof @add__layout_1
// CHECK:       llvm.mlir.global external constant @add_function() {{.*}} : !llvm.struct<(i32, ptr, i32, i32, ptr, ptr, ptr, ptr, i32, ptr, i32, i64, ptr, ptr, ptr)> {
// CHECK:         llvm.mlir.constant(1007 : i32)
// CHECK:         llvm.mlir.addressof @add__name
// CHECK:         llvm.mlir.addressof @add__packed
// CHECK:         llvm.mlir.addressof @add__extents
// CHECK:         llvm.mlir.addressof @add__constraints
// CHECK:         llvm.mlir.constant(1 : i32)
// No 'boostr.cpu_target', no features that a CPU must have.
// CHECK:         llvm.mlir.constant(0 : i64)
// CHECK:         llvm.mlir.addressof @add__layouts
// CHECK:         llvm.mlir.addressof @boostr_runtime_copy

// Entries run on any CPU: they find out whether it has what the code needs.
// CHECK:       llvm.func @boostr_invoke(!llvm.ptr, !llvm.ptr, !llvm.ptr) -> i32
// CHECK:       llvm.func @add(%[[X:.*]]: !llvm.ptr, %[[Y:.*]]: !llvm.ptr, %[[Z:.*]]: !llvm.ptr) -> i32 attributes {target_cpu = "x86-64", target_features = #llvm.target_features<["+sse2"]>} {
// CHECK:         %[[NULL:.*]] = llvm.mlir.zero : !llvm.ptr
// CHECK:         %[[POINTERS:.*]] = llvm.alloca
// CHECK:         llvm.store %[[X]]
// CHECK:         llvm.store %[[Y]]
// CHECK:         llvm.store %[[Z]]
// CHECK:         %[[SELF:.*]] = llvm.mlir.addressof @add_function
// CHECK:         %[[RESULT:.*]] = llvm.call @boostr_invoke(%[[NULL]], %[[SELF]], %[[POINTERS]])
// CHECK:         llvm.return %[[RESULT]] : i32
// CHECK:       llvm.func @boostr_call(!llvm.ptr, !llvm.ptr, !llvm.ptr, i32, !llvm.ptr, i32) -> i32
// CHECK:       llvm.func @add_dlpack(%[[CONTEXT:.*]]: !llvm.ptr, %[[INS:.*]]: !llvm.ptr, %[[N:.*]]: i32, %[[OUTS:.*]]: !llvm.ptr, %[[M:.*]]: i32) -> i32 attributes {target_cpu = "x86-64", target_features = #llvm.target_features<["+sse2"]>} {
// CHECK:         %[[SELF:.*]] = llvm.mlir.addressof @add_function
// CHECK:         llvm.call @boostr_call(%[[CONTEXT]], %[[SELF]], %[[INS]], %[[N]], %[[OUTS]], %[[M]])

// CHECK:       llvm.mlir.global external constant @boostr_module_functions() {{.*}} : !llvm.array<2 x ptr> {
// CHECK:         llvm.mlir.addressof @add_function
// CHECK:         llvm.mlir.zero

module {
  llvm.func @add(%arg0: !llvm.ptr, %arg1: !llvm.ptr, %arg2: !llvm.ptr)
      attributes {
        boostr.shapes = @add__shapes,
        boostr.signature = (tensor<?xbf16>, tensor<4xbf16>) -> tensor<?xbf16>,
        boostr.signature_names = ["x", "arg1", "sum"],
        boostr.signature_layouts = ["", "#layout"],
        llvm.emit_c_interface} {
    llvm.return
  }
  llvm.func @_mlir_ciface_add(%arg0: !llvm.ptr, %arg1: !llvm.ptr, %arg2: !llvm.ptr)
      attributes {
        boostr.shapes = @add__shapes,
        boostr.signature = (tensor<?xbf16>, tensor<4xbf16>) -> tensor<?xbf16>,
        boostr.signature_names = ["x", "arg1", "sum"],
        llvm.emit_c_interface} {
    llvm.call @add(%arg0, %arg1, %arg2) : (!llvm.ptr, !llvm.ptr, !llvm.ptr) -> ()
    llvm.return
  }
  llvm.func @add__shapes(%arg0: i64, %arg1: i64) -> !llvm.struct<(i64, i64)>
      attributes {
        boostr.constraints = ["dimension 0 of argument 0 'x' equals 4"],
        boostr.shapes_of = @add, sym_visibility = "private"} {
    %0 = llvm.mlir.undef : !llvm.struct<(i64, i64)>
    llvm.return %0 : !llvm.struct<(i64, i64)>
  }
  llvm.func @helper() attributes {sym_visibility = "private"} {
    llvm.return
  }
  // Public, but not a function that had been through our passes.
  llvm.func @other() {
    llvm.call @helper() : () -> ()
    llvm.return
  }
}

// -----

// No tensors: null pointers. Rank 0: no shape. Every element type.

// CHECK-LABEL: module {
// CHECK:       llvm.mlir.global internal constant @types__inputs()
// f64
// CHECK:         llvm.mlir.constant(2 : i8)
// CHECK-NEXT:    llvm.mlir.constant(64 : i8)
// f16
// CHECK:         llvm.mlir.constant(2 : i8)
// CHECK-NEXT:    llvm.mlir.constant(16 : i8)
// i1
// CHECK:         llvm.mlir.constant(6 : i8)
// CHECK-NEXT:    llvm.mlir.constant(8 : i8)
// i32
// CHECK:         llvm.mlir.constant(0 : i8)
// CHECK-NEXT:    llvm.mlir.constant(32 : i8)
// ui8
// CHECK:         llvm.mlir.constant(1 : i8)
// CHECK-NEXT:    llvm.mlir.constant(8 : i8)
// CHECK-NOT:   @types__outputs
// CHECK-NOT:   @types__constraints
// CHECK:       llvm.mlir.global external constant @types_function()
// CHECK:       llvm.mlir.global external constant @nothing_function()
// CHECK:       llvm.func @nothing() -> i32
// CHECK-NOT:     llvm.alloca
// CHECK:         llvm.call @boostr_invoke
// CHECK:       llvm.mlir.global external constant @boostr_module_functions() {{.*}} : !llvm.array<3 x ptr> {

module {
  llvm.func @types(%arg0: !llvm.ptr)
      attributes {
        boostr.shapes = @types__shapes,
        boostr.signature = (tensor<f64>, tensor<f16>, tensor<i1>, tensor<i32>, tensor<ui8>) -> (),
        boostr.signature_names = ["a", "b", "c", "d", "e"]} {
    llvm.return
  }
  llvm.func @_mlir_ciface_types(%arg0: !llvm.ptr, %arg1: !llvm.ptr, %arg2: !llvm.ptr, %arg3: !llvm.ptr, %arg4: !llvm.ptr) {
    llvm.return
  }
  llvm.func @types__shapes() -> i64 attributes {boostr.constraints = []} {
    %0 = llvm.mlir.constant(0 : i64) : i64
    llvm.return %0 : i64
  }
  llvm.func @nothing()
      attributes {
        boostr.shapes = @nothing__shapes, boostr.signature = () -> (),
        boostr.signature_names = []} {
    llvm.return
  }
  llvm.func @_mlir_ciface_nothing() {
    llvm.call @nothing() : () -> ()
    llvm.return
  }
  llvm.func @nothing__shapes() -> i64 attributes {boostr.constraints = []} {
    %0 = llvm.mlir.constant(0 : i64) : i64
    llvm.return %0 : i64
  }
}

// -----

// Nothing to export: nothing is added.

// CHECK-LABEL: module {
// CHECK-NEXT:    llvm.func @plain() {
// CHECK-NEXT:      llvm.return
// CHECK-NEXT:    }
// CHECK-NEXT:  }
module {
  llvm.func @plain() {
    llvm.return
  }
}
