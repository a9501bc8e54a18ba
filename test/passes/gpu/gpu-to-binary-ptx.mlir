// RUN: boostr-opt %s --boostr-gpu-to-binary=images=ptx | FileCheck %s
// RUN: not boostr-opt %s --boostr-gpu-to-binary=ptxas=/nowhere/ptxas 2>&1 \
// RUN:   | FileCheck %s --check-prefix=MISSING

// MISSING: error: '/nowhere/ptxas' failed:

// Without ptxas: what the driver compiles, also of a chip that is one of its kind.

// CHECK:     gpu.binary @kernels
// CHECK-NOT:   bin =
// CHECK-SAME:  assembly =
// CHECK-SAME:  .target sm_90a
// CHECK-SAME:  .entry nothing
module attributes {boostr.gpu_target = #boostr.gpu_target<chip = "sm_90a", features = "+ptx83">} {
  gpu.module @kernels {
    llvm.func @nothing() attributes {gpu.kernel, nvvm.kernel} {
      llvm.return
    }
  }
}
