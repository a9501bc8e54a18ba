// RUN: boostr-opt %s --boostr-cpu-pipeline=cpu=x86-64-v3 | FileCheck %s
//
// LLVM rounds f32 to bf16 by a call of __truncsfbf2 on CPUs that have no
// instruction for it, and the C libraries of many systems have no such function.
// Compiled code must need nothing but the runtime.

// CHECK-NOT: llvm.fptrunc
// CHECK:     llvm.intr.fmuladd
// CHECK-NOT: llvm.fptrunc
func.func @out_proj_residual(%attn: tensor<?x?x64xbf16>, %weight: tensor<64x64xbf16>,
    %residual: tensor<?x?x64xbf16>) -> tensor<?x?x64xbf16> {
  %y = boostr.out_proj_residual %attn, %weight residual(%residual)
      : tensor<?x?x64xbf16>, tensor<64x64xbf16>, tensor<?x?x64xbf16>
  return %y : tensor<?x?x64xbf16>
}
