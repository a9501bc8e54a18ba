// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// `boostr-unify-kernels`: modules of kernels that are alike become one.

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

static SmallVector<SymbolOpInterface> getKernels(gpu::GPUModuleOp module) {
  SmallVector<SymbolOpInterface> kernels;
  for (auto symbol : module.getOps<SymbolOpInterface>())
    if (gpu::GPUDialect::isKernel(symbol))
      kernels.push_back(symbol);
  return kernels;
}

/// The text of `module` without the names that tell it from others.
static std::string describe(gpu::GPUModuleOp module) {
  auto copy = cast<gpu::GPUModuleOp>(module->clone());
  copy.setName("m");
  for (auto [number, kernel] : llvm::enumerate(getKernels(copy)))
    SymbolTable::setSymbolName(kernel, "kernel_" + std::to_string(number));
  std::string text;
  llvm::raw_string_ostream os(text);
  copy->print(os, OpPrintingFlags().printGenericOpForm().assumeVerified());
  copy->erase();
  return text;
}

void UnifyKernels::runOnOperation() {
  ModuleOp module = getOperation();
  llvm::StringMap<gpu::GPUModuleOp> known;
  llvm::DenseMap<Attribute, SymbolRefAttr> replacements;
  SmallVector<gpu::GPUModuleOp> copies;
  for (auto op : module.getOps<gpu::GPUModuleOp>()) {
    auto [place, isNew] = known.try_emplace(describe(op), op);
    if (isNew)
      continue;
    gpu::GPUModuleOp first = place->second;
    for (auto [kernel, same] :
         llvm::zip_equal(getKernels(op), getKernels(first))) {
      auto reference = [](gpu::GPUModuleOp owner, SymbolOpInterface symbol) {
        return SymbolRefAttr::get(owner.getSymNameAttr(),
                                  FlatSymbolRefAttr::get(symbol.getNameAttr()));
      };
      replacements[reference(op, kernel)] = reference(first, same);
    }
    copies.push_back(op);
  }
  if (copies.empty())
    return;
  module.walk([&](gpu::LaunchFuncOp launch) {
    if (SymbolRefAttr other = replacements.lookup(launch.getKernelAttr()))
      launch.setKernelAttr(other);
  });
  for (gpu::GPUModuleOp copy : copies)
    copy.erase();
}
