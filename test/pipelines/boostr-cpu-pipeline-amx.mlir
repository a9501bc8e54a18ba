// Columns that a task packs are loaded with the hint that they are not read again
// soon; packed rows, and sums, are not.

// RUN: boostr-opt %s --boostr-cpu-pipeline=cpu=sapphirerapids | FileCheck %s

// CHECK-NOT:     boostr.streamed
// CHECK-COUNT-2: "llvm.x86.tileloaddt164.internal"
// CHECK:         "llvm.x86.tileloadd64.internal"
// CHECK:         "llvm.x86.tdpbf16ps.internal"
// CHECK-NOT:     "llvm.x86.tileloaddt164.internal"
func.func @weight_gradient(%d_output: tensor<?x?x1024xbf16>, %attn: tensor<?x?x1024xbf16>,
    %weight: tensor<1024x1024xbf16>) -> tensor<1024x1024xbf16> {
  %d_weight = boostr.out_proj_residual_grad %d_output, %attn, %weight wrt(weight)
      : tensor<?x?x1024xbf16>, tensor<?x?x1024xbf16>, tensor<1024x1024xbf16>
  return %d_weight : tensor<1024x1024xbf16>
}
