// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Which of LLVM's passes code goes through. They are most of the time of
// compiling, so what generated code does not gain from is left out.

#ifndef BOOSTR_PASSES_DRIVER_LLVMPASSES_H
#define BOOSTR_PASSES_DRIVER_LLVMPASSES_H

#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/Target/TargetMachine.h"

namespace mlir::boostr {

/// Optimizes a module that was translated from MLIR.
void optimize(llvm::Module &module, llvm::TargetMachine &machine);

/// The passes of code generation but for loop strength reduction, which
/// `optimize` runs where it is wanted.
class CodeGenPasses : public llvm::legacy::PassManager {
public:
  void add(llvm::Pass *pass) override;
};

} // namespace mlir::boostr

#endif // BOOSTR_PASSES_DRIVER_LLVMPASSES_H
