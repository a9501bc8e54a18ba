// RUN: boostr-opt %s --boostr-decompose-linalg | FileCheck %s
// RUN: boostr-opt %s --boostr-cpu-pipeline | FileCheck %s --check-prefix=LLVM

// LLVM-NOT: linalg

// CHECK-LABEL: func.func @softmax
// CHECK-NOT:     linalg.softmax
// CHECK:         linalg.generic
// CHECK:           arith.maxnumf
// CHECK:         linalg.generic
// CHECK:           math.exp
func.func @softmax(%x: tensor<?x16xf32>, %out: tensor<?x16xf32>) -> tensor<?x16xf32> {
  %y = linalg.softmax dimension(1) ins(%x : tensor<?x16xf32>) outs(%out : tensor<?x16xf32>) -> tensor<?x16xf32>
  return %y : tensor<?x16xf32>
}

// CHECK-LABEL: func.func @untouched_boostr
// CHECK:         boostr.out_proj_residual
func.func @untouched_boostr(%attn: tensor<?x?x8xf32>, %weight: tensor<4x8xf32>,
                            %residual: tensor<?x?x4xf32>) -> tensor<?x?x4xf32> {
  %y = boostr.out_proj_residual %attn, %weight residual(%residual)
      : tensor<?x?x8xf32>, tensor<4x8xf32>, tensor<?x?x4xf32>
  return %y : tensor<?x?x4xf32>
}
