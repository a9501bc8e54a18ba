// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// NVIDIA's assembler, as another process.

#ifndef BOOSTR_PASSES_GPU_PTXAS_H
#define BOOSTR_PASSES_GPU_PTXAS_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/Error.h"
#include <string>

namespace mlir::boostr {

/// Where a CUDA toolkit is: the directory of `ptxas` (as an option names it)
/// and its parent, else those of PATH, CUDA_HOME, CUDA_PATH, CUDA_ROOT and
/// /usr/local/cuda. Empty if there is none.
struct CudaToolkit {
  std::string root;
  std::string ptxas;

  static CudaToolkit find(llvm::StringRef ptxas);
  /// The math library of device code. Empty if it is not there.
  std::string getLibdevice() const;
};

/// What the assembler says of a kernel.
struct KernelResources {
  int64_t registers = 0;
  int64_t stackBytes = 0;
  int64_t spillStoreBytes = 0;
  int64_t spillLoadBytes = 0;
  int64_t sharedBytes = 0;
};

/// What the assembler makes of a module.
struct AssembledModule {
  std::string cubin;
  llvm::StringMap<KernelResources> kernels;
  /// What it warns about, lost performance included.
  llvm::SmallVector<std::string> warnings;
};

/// Assembles `ptx` for `chip`. The error is what the assembler says.
llvm::Expected<AssembledModule> runPtxas(llvm::StringRef ptxas,
                                         llvm::StringRef ptx,
                                         llvm::StringRef chip,
                                         llvm::StringRef options);

/// Reads what `ptxas -v` printed into `module`.
void readPtxasOutput(llvm::StringRef output, AssembledModule &module);

} // namespace mlir::boostr

#endif // BOOSTR_PASSES_GPU_PTXAS_H
