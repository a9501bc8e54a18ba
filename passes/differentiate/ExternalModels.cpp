// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "boostr/passes/differentiate/ExternalModels.h"

void mlir::boostr::registerDifferentiationExternalModels(
    DialectRegistry &registry) {
  registerArithMathDifferentiation(registry);
  registerLinalgDifferentiation(registry);
  registerTensorDifferentiation(registry);
}
