// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// `boostr-unify-kernels`: one module of kernels, none of them twice.

#include "boostr/passes/Passes.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/IR/SymbolTable.h"
#include "llvm/ADT/StringMap.h"

namespace mlir::boostr {
#define GEN_PASS_DEF_UNIFYKERNELS
#include "boostr/passes/Passes.h.inc"
} // namespace mlir::boostr

using namespace mlir;
using namespace mlir::boostr;

namespace {

struct UnifyKernels : boostr::impl::UnifyKernelsBase<UnifyKernels> {
  void runOnOperation() override;
};

} // namespace

/// The text of a symbol of `module`, its own name aside.
static std::string describe(Operation *symbol) {
  Operation *copy = symbol->clone();
  SymbolTable::setSymbolName(copy, "kernel");
  std::string text;
  llvm::raw_string_ostream os(text);
  copy->print(os, OpPrintingFlags().printGenericOpForm().assumeVerified());
  copy->erase();
  return text;
}

namespace {

/// One module, and what became of the kernels of the others.
class KernelCollector {
public:
  explicit KernelCollector(gpu::GPUModuleOp all) : all(all), symbols(all) {}

  LogicalResult add(gpu::GPUModuleOp module);
  void redirect(gpu::LaunchFuncOp launch);

private:
  SymbolRefAttr getReference(gpu::GPUModuleOp module, Operation *symbol) {
    return SymbolRefAttr::get(
        module.getSymNameAttr(),
        FlatSymbolRefAttr::get(SymbolTable::getSymbolName(symbol)));
  }

  gpu::GPUModuleOp all;
  SymbolTable symbols;
  llvm::StringMap<Operation *> known;
  llvm::DenseMap<Attribute, SymbolRefAttr> replacements;
};

} // namespace

/// Moves what `module` has. What has a name that is taken gets another one.
LogicalResult KernelCollector::add(gpu::GPUModuleOp module) {
  SymbolTable own(module);
  // Renamed first, since kernels are told apart by the names that they use.
  llvm::DenseMap<Operation *, SymbolRefAttr> references;
  for (Operation &op : *module.getBody()) {
    if (!isa<SymbolOpInterface>(op))
      return op.emitOpError("expected a symbol in a module of kernels");
    references[&op] = getReference(module, &op);
    Operation *other = symbols.lookup(SymbolTable::getSymbolName(&op));
    // A function of a library, say.
    if (other && OperationEquivalence::isEquivalentTo(
                     other, &op, OperationEquivalence::IgnoreLocations))
      continue;
    if (other && failed(own.renameToUnique(&op, {&symbols})))
      return op.emitOpError("cannot be renamed");
  }
  for (Operation &op : llvm::make_early_inc_range(*module.getBody())) {
    SymbolRefAttr reference = references.lookup(&op);
    if (gpu::GPUDialect::isKernel(&op)) {
      auto [place, isNew] = known.try_emplace(describe(&op), &op);
      if (isNew) {
        op.remove();
        symbols.insert(&op);
      }
      replacements[reference] = getReference(all, place->second);
    } else if (!symbols.lookup(SymbolTable::getSymbolName(&op))) {
      op.remove();
      symbols.insert(&op);
    }
  }
  module.erase();
  return success();
}

void KernelCollector::redirect(gpu::LaunchFuncOp launch) {
  if (SymbolRefAttr other = replacements.lookup(launch.getKernelAttr()))
    launch.setKernelAttr(other);
}

void UnifyKernels::runOnOperation() {
  ModuleOp module = getOperation();
  SmallVector<gpu::GPUModuleOp> modules(module.getOps<gpu::GPUModuleOp>());
  if (modules.size() < 2)
    return;
  SymbolTable symbols(module);
  OpBuilder builder(modules.front());
  auto all = gpu::GPUModuleOp::create(builder, module.getLoc(), "kernels");
  symbols.insert(all);
  KernelCollector collector(all);
  for (gpu::GPUModuleOp kernels : modules)
    if (failed(collector.add(kernels)))
      return signalPassFailure();
  module.walk([&](gpu::LaunchFuncOp launch) { collector.redirect(launch); });
}
