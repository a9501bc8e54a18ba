// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef BOOSTR_PASSES_DRIVER_SPLITADDRESSES_H
#define BOOSTR_PASSES_DRIVER_SPLITADDRESSES_H

#include "llvm/IR/PassManager.h"

namespace mlir::boostr {

/// Turns `base[invariant + variant]` in a loop into
/// `(&base[invariant])[variant]`, so that the part that does not change can be
/// hoisted and the rest is what an instruction can address. Sums with other
/// uses are kept, for they are there anyway. It is what loop strength reduction
/// would do with these loops, in a tenth of the time.
struct SplitAddresses : llvm::PassInfoMixin<SplitAddresses> {
  llvm::PreservedAnalyses run(llvm::Function &function,
                              llvm::FunctionAnalysisManager &analyses);
};

} // namespace mlir::boostr

#endif // BOOSTR_PASSES_DRIVER_SPLITADDRESSES_H
