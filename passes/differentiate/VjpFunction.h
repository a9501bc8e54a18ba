// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Reverse-mode differentiation of functions. What a caller wants of a function
// is a `VjpRequest`; each distinct request makes one function.

#ifndef BOOSTR_PASSES_DIFFERENTIATE_VJPFUNCTION_H
#define BOOSTR_PASSES_DIFFERENTIATE_VJPFUNCTION_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/SymbolTable.h"
#include "llvm/ADT/BitVector.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/StringSet.h"
#include <map>
#include <string>

namespace mlir::boostr {

/// Which derivatives of a function are wanted.
struct VjpRequest {
  func::FuncOp function;
  /// The arguments whose gradients are returned, in their order.
  llvm::BitVector wrt;
  /// The results that have a cotangent, which follow the arguments in order.
  llvm::BitVector cotangents;
};

/// The arguments of `function` that can have a gradient, and the results that
/// can have a cotangent.
llvm::BitVector getDifferentiableArguments(func::FuncOp function);
llvm::BitVector getDifferentiableResults(func::FuncOp function);

/// Makes the VJP functions of one module.
class VjpModule {
public:
  explicit VjpModule(ModuleOp module) : symbols(module) {}

  /// Announces a function to be made under a name of its own, with the
  /// visibility of its original. Announce all before making any, so that calls
  /// share them and no private function takes such a name. Fails if the name is
  /// taken.
  LogicalResult announce(const VjpRequest &request);

  /// Returns the function of `request`, making it and those it calls as needed;
  /// null after an error, which was emitted.
  func::FuncOp getOrCreate(const VjpRequest &request);

  /// True if calling `function` does nothing but compute its results.
  bool isPure(func::FuncOp function);

  func::FuncOp lookup(StringRef name) {
    return symbols.lookup<func::FuncOp>(name);
  }
  /// True while the VJP of `function` is being made.
  bool isInProgress(func::FuncOp function) const {
    return inProgress.contains(function);
  }

private:
  struct Entry {
    func::FuncOp vjp;
    std::string name;
    bool isAnnounced = false;
  };
  Entry &getEntry(const VjpRequest &request);
  func::FuncOp create(const VjpRequest &request, StringRef name,
                      bool isAnnounced);

  SymbolTable symbols;
  /// By function and the bits of the request. Only looked up in, never walked.
  std::map<std::pair<Operation *, std::string>, Entry> entries;
  llvm::StringSet<llvm::MallocAllocator> announcedNames;
  llvm::SetVector<Operation *> inProgress;
  llvm::DenseMap<Operation *, bool> purity;
};

} // namespace mlir::boostr

#endif // BOOSTR_PASSES_DIFFERENTIATE_VJPFUNCTION_H
