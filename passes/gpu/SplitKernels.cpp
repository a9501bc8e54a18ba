// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// `boostr-split-kernels`: modules of kernels that can be compiled side by side.

#include "boostr/passes/Passes.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/IR/SymbolTable.h"
#include "llvm/ADT/SetVector.h"

namespace mlir::boostr {
#define GEN_PASS_DEF_SPLITKERNELS
#include "boostr/passes/Passes.h.inc"
} // namespace mlir::boostr

using namespace mlir;
using namespace mlir::boostr;

namespace {

struct SplitKernels : boostr::impl::SplitKernelsBase<SplitKernels> {
  using SplitKernelsBase::SplitKernelsBase;
  void runOnOperation() override;
};

/// Moves kernels out of one module.
class KernelMover {
public:
  KernelMover(gpu::GPUModuleOp module, SymbolTable &modules)
      : module(module), symbols(module), modules(modules) {}

  void run(int64_t minOps);

  /// Where launches find what was moved.
  llvm::DenseMap<Attribute, SymbolRefAttr> replacements;

private:
  using Used = llvm::SetVector<Operation *>;
  bool collectUsed(Operation *op, Used &used);
  void move(Operation *kernel, const Used &used);
  void eraseUnused();

  gpu::GPUModuleOp module;
  SymbolTable symbols;
  Used copied;
  SymbolTable &modules;
};

} // namespace

static int64_t countOps(Operation *op) {
  int64_t count = 0;
  op->walk([&](Operation *) { ++count; });
  return count;
}

/// Whether two modules can have one each and nobody can tell.
static bool canCopy(Operation *symbol) {
  if (gpu::GPUDialect::isKernel(symbol))
    return false;
  auto global = dyn_cast<LLVM::GlobalOp>(symbol);
  return !global || global.getConstant() ||
         global.getAddrSpace() ==
             static_cast<unsigned>(NVVM::NVVMMemorySpace::Shared);
}

/// Adds what `op` needs of its module; false if it needs what cannot be copied.
bool KernelMover::collectUsed(Operation *op, Used &used) {
  std::optional<SymbolTable::UseRange> uses = SymbolTable::getSymbolUses(op);
  if (!uses)
    return false;
  for (const SymbolTable::SymbolUse &use : *uses) {
    Operation *symbol =
        symbols.lookup(use.getSymbolRef().getLeafReference().getValue());
    if (!symbol || !canCopy(symbol))
      return false;
    if (used.insert(symbol) && !collectUsed(symbol, used))
      return false;
  }
  return true;
}

void KernelMover::move(Operation *kernel, const Used &used) {
  auto place = cast<gpu::GPUModuleOp>(module->cloneWithoutRegions());
  place.getBodyRegion().emplaceBlock();
  modules.insert(place, Block::iterator(module));
  StringAttr name = SymbolTable::getSymbolName(kernel);
  replacements[SymbolRefAttr::get(module.getSymNameAttr(),
                                  FlatSymbolRefAttr::get(name))] =
      SymbolRefAttr::get(place.getSymNameAttr(), FlatSymbolRefAttr::get(name));
  for (Operation *symbol : used)
    place.getBody()->push_back(symbol->clone());
  symbols.remove(kernel);
  kernel->moveBefore(place.getBody(), place.getBody()->end());
}

/// Users come before what they use.
void KernelMover::eraseUnused() {
  bool isChanged = true;
  while (isChanged) {
    isChanged = copied.remove_if([&](Operation *symbol) {
      bool isUnused =
          SymbolTable::symbolKnownUseEmpty(symbol, module.getOperation());
      if (isUnused)
        symbols.erase(symbol);
      return isUnused;
    });
  }
}

void KernelMover::run(int64_t minOps) {
  struct Kernel {
    Operation *op;
    int64_t numOps, number;
    Used used;
  };
  SmallVector<Kernel, 0> large;
  int64_t numKernels = 0;
  for (Operation &op : *module.getBody()) {
    if (!gpu::GPUDialect::isKernel(&op))
      continue;
    Kernel kernel{&op, countOps(&op), numKernels++, {}};
    if (kernel.numOps >= minOps && collectUsed(&op, kernel.used))
      large.push_back(std::move(kernel));
  }
  llvm::sort(large, [](const Kernel &first, const Kernel &second) {
    return std::pair(-first.numOps, first.number) <
           std::pair(-second.numOps, second.number);
  });
  // One stays if none else does.
  if (int64_t(large.size()) == numKernels && !large.empty())
    large.pop_back();
  for (const Kernel &kernel : large)
    move(kernel.op, kernel.used);
  // What was copied, if nobody here needs it any more.
  for (const Kernel &kernel : large)
    for (Operation *symbol : kernel.used)
      copied.insert(symbol);
  eraseUnused();
}

void SplitKernels::runOnOperation() {
  ModuleOp module = getOperation();
  SymbolTable symbols(module);
  llvm::DenseMap<Attribute, SymbolRefAttr> replacements;
  SmallVector<gpu::GPUModuleOp> modules(module.getOps<gpu::GPUModuleOp>());
  for (gpu::GPUModuleOp kernels : modules) {
    KernelMover mover(kernels, symbols);
    mover.run(minOps);
    replacements.insert(mover.replacements.begin(), mover.replacements.end());
  }
  if (replacements.empty())
    return;
  module.walk([&](gpu::LaunchFuncOp launch) {
    if (SymbolRefAttr place = replacements.lookup(launch.getKernelAttr()))
      launch.setKernelAttr(place);
  });
}
