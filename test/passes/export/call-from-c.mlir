// RUN: boostr-compile %s -o %t.so
// RUN: %cc -std=c11 -Wall -Wextra -Werror -I%boostr_build/include %S/Inputs/call-from-c.c %t.so %boostr_build/lib/libboostr_runtime.so -Wl,-rpath,%boostr_build/lib:'$ORIGIN' -o %t
// RUN: %t | FileCheck %s
// RUN: llvm-nm -D --defined-only %t.so | FileCheck %s --check-prefix=SYMBOLS --implicit-check-not={{.}}

// What a shared object exports, all of it, and how a C program calls it.

// SYMBOLS:      {{^[0-9a-f]+}} D boostr_module_functions{{$}}
// SYMBOLS-NEXT: {{^[0-9a-f]+}} T nothing{{$}}
// SYMBOLS-NEXT: {{^[0-9a-f]+}} T nothing_dlpack{{$}}
// SYMBOLS-NEXT: {{^[0-9a-f]+}} {{[DR]}} nothing_function{{$}}
// SYMBOLS-NEXT: {{^[0-9a-f]+}} T project{{$}}
// SYMBOLS-NEXT: {{^[0-9a-f]+}} T project_dlpack{{$}}
// SYMBOLS-NEXT: {{^[0-9a-f]+}} {{[DR]}} project_function{{$}}

// CHECK:      function 0: project
// CHECK-NEXT: function 1: nothing

// CHECK-NEXT: - fits
// CHECK-NEXT: shapes: BOOSTR_OK [2, 2]
// CHECK-NEXT: call: BOOSTR_OK
// CHECK-NEXT: y: 18 17 30 14

// Nothing is written when a constraint is broken.
// CHECK-NEXT: - weight
// CHECK-NEXT: shapes: BOOSTR_INVALID_ARGUMENT [-1, -1]
// CHECK-NEXT: call: BOOSTR_INVALID_ARGUMENT: expected that dimension 0 of argument 1 'weight' equals dimension 1 of argument 0 'input'
// CHECK-SAME: [4, 2]
// CHECK-NEXT: y: 0 0 0 0
// CHECK-NEXT: - bias
// CHECK-NEXT: shapes: BOOSTR_INVALID_ARGUMENT [-1, -1]
// CHECK-NEXT: call: BOOSTR_INVALID_ARGUMENT: expected that dimension 0 of argument 2 'bias' equals dimension 1 of argument 1 'weight'
// CHECK-NEXT: y: 0 0 0 0
// CHECK-NEXT: - output
// CHECK-NEXT: shapes: BOOSTR_OK [2, 2]
// CHECK-NEXT: call: BOOSTR_INVALID_ARGUMENT: output 0 'result': expected shape [2, 2], got [3, 2]
// CHECK-NEXT: y: 0 0 0 0

// CHECK-NEXT: - plain
// CHECK-NEXT: call: BOOSTR_OK
// CHECK-NEXT: y: 18 17 30 14
// CHECK-NEXT: nothing: BOOSTR_OK

func.func @project(%x: tensor<?x?xf32> {boostr.name = "input"},
                   %w: tensor<?x?xf32> {boostr.name = "weight"},
                   %b: tensor<?xf32> {boostr.name = "bias"})
    -> (tensor<?x?xf32> {boostr.name = "result"}) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %m = tensor.dim %x, %c0 : tensor<?x?xf32>
  %n = tensor.dim %w, %c1 : tensor<?x?xf32>
  %empty = tensor.empty(%m, %n) : tensor<?x?xf32>
  %rows = linalg.broadcast ins(%b : tensor<?xf32>)
      outs(%empty : tensor<?x?xf32>) dimensions = [0]
  %y = linalg.matmul ins(%x, %w : tensor<?x?xf32>, tensor<?x?xf32>)
      outs(%rows : tensor<?x?xf32>) -> tensor<?x?xf32>
  return %y : tensor<?x?xf32>
}

func.func @nothing() {
  return
}
