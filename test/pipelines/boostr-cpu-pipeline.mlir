// Each stage ends with what it is named after.

// RUN: boostr-opt %s --boostr-cpu-pipeline=stop-after=gradients | FileCheck %s --check-prefix=GRADIENTS
// RUN: boostr-opt %s --boostr-cpu-pipeline=stop-after=tensors | FileCheck %s --check-prefix=TENSORS
// RUN: boostr-opt %s --boostr-cpu-pipeline="stop-after=tensors contractions=linalg" | FileCheck %s --check-prefix=LINALG
// RUN: boostr-opt %s --boostr-cpu-pipeline="stop-after=tensors prepack=arg1" | FileCheck %s --check-prefix=PREPACK
// RUN: boostr-opt %s --boostr-cpu-pipeline=prepack=arg1 | FileCheck %s --check-prefix=LLVM
// RUN: boostr-opt %s --boostr-cpu-pipeline=stop-after=buffers | FileCheck %s --check-prefix=BUFFERS
// RUN: boostr-opt %s --boostr-cpu-pipeline=stop-after=kernels | FileCheck %s --check-prefix=KERNELS
// RUN: boostr-opt %s --boostr-cpu-pipeline=stop-after=loops | FileCheck %s --check-prefix=LOOPS
// RUN: boostr-opt %s --boostr-cpu-pipeline=stop-after=tasks | FileCheck %s --check-prefix=TASKS
// RUN: boostr-opt %s --boostr-cpu-pipeline | FileCheck %s --check-prefix=LLVM
// RUN: boostr-opt %s --boostr-cpu-pipeline=contractions=linalg | FileCheck %s --check-prefix=LLVM
// RUN: not boostr-opt %s --boostr-cpu-pipeline=cpu=z80 2>&1 | FileCheck %s --check-prefix=CPU
// RUN: not boostr-opt %s --boostr-cpu-pipeline=features=+flux 2>&1 | FileCheck %s --check-prefix=FEATURES

// GRADIENTS: func.func @project_vjp
// GRADIENTS: boostr.out_proj_residual_grad
// TENSORS:   boostr.out_proj_residual
// TENSORS-SAME: tensor
// LINALG-NOT: boostr.out_proj
// LINALG:    linalg
// PREPACK-DAG: func.func @project_pack_arg1(
// PREPACK-DAG: func.func @project_packed(
// PREPACK-DAG: func.func @project_vjp_packed(
// BUFFERS:   func.func @project
// BUFFERS-NOT: tensor.
// BUFFERS-NOT: memref.copy
// BUFFERS:   boostr.out_proj_residual %{{.*}} outs(%{{.*}})
// KERNELS-NOT: boostr.out_proj
// KERNELS:   vector.fma
// LOOPS-NOT: linalg.
// LOOPS:     scf.parallel
// TASKS-NOT: scf.parallel
// TASKS:     @boostr_parallel_for
// LLVM-NOT:  func.func
// LLVM:      llvm.func
// CPU:       error: 'cpu' expected a name that LLVM knows {{.*}}, got 'z80'
// FEATURES:  error: 'features' expected names that LLVM knows, each after + or -, got '+flux'

func.func @project(%attn: tensor<?x?x64xf32>, %weight: tensor<48x64xf32>,
                   %residual: tensor<?x?x48xf32>) -> tensor<?x?x48xf32>
    attributes {boostr.differentiate} {
  %y = boostr.out_proj_residual %attn, %weight residual(%residual)
      : tensor<?x?x64xf32>, tensor<48x64xf32>, tensor<?x?x48xf32>
  return %y : tensor<?x?x48xf32>
}
