// The stock mlir-opt with our plugin knows dialect, passes and pipelines.

// RUN: mlir-opt --load-dialect-plugin=%boostr_build/lib/BoostrPlugin.so \
// RUN:   --load-pass-plugin=%boostr_build/lib/BoostrPlugin.so \
// RUN:   --pass-pipeline='builtin.module(convert-boostr-to-linalg)' %s | FileCheck %s
// RUN: mlir-opt --load-dialect-plugin=%boostr_build/lib/BoostrPlugin.so \
// RUN:   --load-pass-plugin=%boostr_build/lib/BoostrPlugin.so \
// RUN:   --pass-pipeline='builtin.module(boostr-cpu-pipeline{cpu=x86-64-v3})' %s \
// RUN:   | FileCheck %s --check-prefix=LLVM
// UNSUPPORTED: sanitizer

// CHECK: linalg.contract
// LLVM:  llvm.func @{{.*}}project
func.func @project(%attn: tensor<?x?x64xf32>, %weight: tensor<48x64xf32>,
                   %residual: tensor<?x?x48xf32>) -> tensor<?x?x48xf32> {
  %y = boostr.out_proj_residual %attn, %weight residual(%residual)
      : tensor<?x?x64xf32>, tensor<48x64xf32>, tensor<?x?x48xf32>
  return %y : tensor<?x?x48xf32>
}
