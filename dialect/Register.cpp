// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "boostr/dialect/Register.h"
#include "boostr/dialect/BoostrDialect.h"

void mlir::boostr::registerDialect(DialectRegistry &registry) {
  registry.insert<BoostrDialect>();
}
