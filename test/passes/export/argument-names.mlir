// RUN: boostr-opt %s --boostr-cpu-pipeline=cpu=x86-64-v3 | FileCheck %s
//
// Names of arguments end as strings of the description. LLVM knows no attribute
// for them, and would warn of each one left on a function.

// CHECK-NOT: boostr.name
// CHECK-DAG: "input\00"
// CHECK-DAG: "weight\00"
// CHECK-NOT: boostr.name
func.func @project(%x: tensor<?x?x64xf32> {boostr.name = "input"},
                   %w: tensor<32x64xf32> {boostr.name = "weight"},
                   %r: tensor<?x?x32xf32>) -> tensor<?x?x32xf32> {
  %y = boostr.out_proj_residual %x, %w residual(%r)
      : tensor<?x?x64xf32>, tensor<32x64xf32>, tensor<?x?x32xf32>
  return %y : tensor<?x?x32xf32>
}
