// Each stage ends with what it is named after.

// RUN: boostr-opt %s --boostr-cuda-pipeline="contractions=linalg stop-after=gradients" | FileCheck %s --check-prefix=GRADIENTS
// RUN: boostr-opt %s --boostr-cuda-pipeline="contractions=linalg stop-after=tensors" | FileCheck %s --check-prefix=TENSORS
// RUN: boostr-opt %s --boostr-cuda-pipeline="contractions=linalg stop-after=buffers" | FileCheck %s --check-prefix=BUFFERS
// RUN: boostr-opt %s --boostr-cuda-pipeline="contractions=linalg stop-after=kernels" | FileCheck %s --check-prefix=KERNELS
// RUN: boostr-opt %s --boostr-cuda-pipeline="contractions=linalg stop-after=loops" | FileCheck %s --check-prefix=LOOPS
// RUN: boostr-opt %s --boostr-cuda-pipeline="contractions=linalg images=ptx stop-after=device" | FileCheck %s --check-prefix=DEVICE
// RUN: boostr-opt %s --boostr-cuda-pipeline="contractions=linalg images=ptx" | FileCheck %s --check-prefix=LLVM
// RUN: not boostr-opt %s --boostr-cuda-pipeline=chip=z80 2>&1 | FileCheck %s --check-prefix=CHIP

// GRADIENTS: func.func @project_vjp
// GRADIENTS: boostr.out_proj_residual_grad
// TENSORS-NOT: boostr.out_proj
// TENSORS:   linalg
// BUFFERS:   func.func @project
// BUFFERS-NOT: tensor.
// KERNELS:   boostr.gpu_target = #boostr.gpu_target<chip = "sm_90a", features = "+ptx83">
// LOOPS-NOT: linalg.
// LOOPS:     gpu.launch_func
// LOOPS:     gpu.func
// DEVICE-NOT: gpu.module
// DEVICE:    gpu.binary
// LLVM-NOT:  gpu.binary
// LLVM-NOT:  func.func
// LLVM:      llvm.call @boostr_cuda_launch
// CHIP:      error: 'chip' expected a name that LLVM knows {{.*}}, got 'z80'

func.func @project(%attn: tensor<?x?x64xf32>, %weight: tensor<48x64xf32>,
                   %residual: tensor<?x?x48xf32>) -> tensor<?x?x48xf32>
    attributes {boostr.differentiate} {
  %y = boostr.out_proj_residual %attn, %weight residual(%residual)
      : tensor<?x?x64xf32>, tensor<48x64xf32>, tensor<?x?x48xf32>
  return %y : tensor<?x?x48xf32>
}
