// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "boostr/passes/Register.h"
#include "boostr/dialect/Register.h"
#include "boostr/passes/Passes.h"
#include "boostr/passes/Pipelines.h"
#include "boostr/passes/differentiate/ExternalModels.h"

using namespace mlir;

void mlir::boostr::registerPassesAndPipelines() {
  registerBoostrPasses();
  registerPipelines();
}

void mlir::boostr::registerDialects(DialectRegistry &registry) {
  registerDialect(registry);
  registerDifferentiationExternalModels(registry);
}
