// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef BOOSTR_PASSES_RUNWHERE_H
#define BOOSTR_PASSES_RUNWHERE_H

#include "mlir/Pass/PassManager.h"
#include <functional>

namespace mlir::boostr {

/// Adds `pass` to `pm`, to run only where there is an op that it is for. A pass
/// of rewrites folds and visits every op of a module even if none of its
/// patterns can match.
void addPassWhere(OpPassManager &pm, std::function<bool(Operation *)> isFor,
                  std::unique_ptr<Pass> pass);

/// The same for ops of some classes.
template <typename... Ops>
void addPassFor(OpPassManager &pm, std::unique_ptr<Pass> pass) {
  addPassWhere(
      pm, [](Operation *op) { return isa<Ops...>(op); }, std::move(pass));
}

/// The same for ops of a dialect.
template <typename Dialect>
void addPassForDialect(OpPassManager &pm, std::unique_ptr<Pass> pass) {
  addPassWhere(
      pm,
      [](Operation *op) { return isa_and_nonnull<Dialect>(op->getDialect()); },
      std::move(pass));
}

} // namespace mlir::boostr

#endif // BOOSTR_PASSES_RUNWHERE_H
