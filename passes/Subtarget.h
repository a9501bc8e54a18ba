// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// LLVM's tables of processors.

#ifndef BOOSTR_PASSES_SUBTARGET_H
#define BOOSTR_PASSES_SUBTARGET_H

#include "mlir/IR/Diagnostics.h"
#include "llvm/MC/MCSubtargetInfo.h"
#include <memory>

namespace mlir::boostr {

/// LLVM's table of an x86-64 CPU with `features`. Null after an error, which
/// is made by `emitError`: a name that LLVM does not know.
std::unique_ptr<llvm::MCSubtargetInfo>
createX86Subtarget(llvm::function_ref<InFlightDiagnostic()> emitError,
                   StringRef cpu, StringRef features);

/// The same of an NVIDIA GPU.
std::unique_ptr<llvm::MCSubtargetInfo>
createNvidiaSubtarget(llvm::function_ref<InFlightDiagnostic()> emitError,
                      StringRef chip, StringRef features);

} // namespace mlir::boostr

#endif // BOOSTR_PASSES_SUBTARGET_H
