// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// `boostr-differentiate`: which functions, by which arguments.

#include "boostr/dialect/BoostrDialect.h"
#include "boostr/dialect/DifferentiableOpInterface.h"
#include "boostr/passes/Passes.h"
#include "boostr/passes/differentiate/VjpFunction.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace mlir::boostr {
#define GEN_PASS_DEF_DIFFERENTIATE
#include "boostr/passes/Passes.h.inc"
} // namespace mlir::boostr

using namespace mlir;
using namespace mlir::boostr;
using llvm::BitVector;

/// The bits of `indices`, each of which must name an argument with a gradient.
/// `origin` says where the list comes from.
static FailureOr<BitVector> selectArguments(func::FuncOp function,
                                            ArrayRef<int64_t> indices,
                                            StringRef origin) {
  BitVector possible = getDifferentiableArguments(function);
  BitVector selected(possible.size());
  for (int64_t index : indices) {
    if (index < 0 || index >= static_cast<int64_t>(possible.size()))
      return function.emitOpError("'")
             << function.getName() << "' has " << possible.size()
             << " arguments, got number " << index << " in " << origin;
    if (!possible.test(index))
      return function.emitOpError("'")
             << function.getName() << "' expected argument #" << index << " of "
             << origin
             << " to be a scalar or ranked tensor of f64, f32, f16 or bf16, "
                "got "
             << function.getArgumentTypes()[index];
    selected.set(index);
  }
  return selected;
}

namespace {

struct Differentiate : mlir::boostr::impl::DifferentiateBase<Differentiate> {
  using DifferentiateBase::DifferentiateBase;

  void runOnOperation() override {
    FailureOr<SmallVector<func::FuncOp>> selected = selectFunctions();
    if (failed(selected))
      return signalPassFailure();
    VjpModule module(getOperation());
    SmallVector<VjpRequest> requests;
    for (func::FuncOp function : *selected) {
      FailureOr<VjpRequest> request = createRequest(function);
      if (failed(request) || failed(module.announce(*request)))
        return signalPassFailure();
      requests.push_back(*request);
    }
    for (const VjpRequest &request : requests) {
      if (!module.getOrCreate(request))
        return signalPassFailure();
      // Done: another run must not do it again.
      func::FuncOp(request.function)
          ->removeDiscardableAttr(BoostrDialect::getDifferentiateAttrName());
    }
  }

private:
  /// The marked functions and those of the option, in the order of the module.
  FailureOr<SmallVector<func::FuncOp>> selectFunctions() {
    ModuleOp module = getOperation();
    llvm::StringSet<llvm::MallocAllocator> named;
    for (const std::string &name : functions) {
      if (!module.lookupSymbol<func::FuncOp>(name))
        return module.emitError("option 'functions' of boostr-differentiate "
                                "names '")
               << name << "', which is no function of the module";
      named.insert(name);
    }
    SmallVector<func::FuncOp> selected;
    for (auto function : module.getOps<func::FuncOp>())
      if (named.contains(function.getName()) ||
          function->hasAttr(BoostrDialect::getDifferentiateAttrName()))
        selected.push_back(function);
    return selected;
  }

  /// Every float argument, but for those that mark or option leave out.
  FailureOr<VjpRequest> createRequest(func::FuncOp function) {
    VjpRequest request{function, getDifferentiableArguments(function),
                       getDifferentiableResults(function)};
    auto restrict = [&](ArrayRef<int64_t> indices,
                        StringRef origin) -> LogicalResult {
      FailureOr<BitVector> some = selectArguments(function, indices, origin);
      if (failed(some))
        return failure();
      request.wrt &= *some;
      return success();
    };
    auto marked = function->getAttrOfType<DenseI64ArrayAttr>(
        BoostrDialect::getDifferentiateAttrName());
    if (marked && failed(restrict(marked.asArrayRef(), "boostr.differentiate")))
      return failure();
    if (!wrt.empty() && failed(restrict(llvm::to_vector(wrt), "option 'wrt'")))
      return failure();
    if (request.wrt.none())
      return function.emitOpError("'")
             << function.getName() << "' has no argument to differentiate by";
    if (request.cotangents.none())
      return function.emitOpError("'")
             << function.getName() << "' has no float result to differentiate";
    return request;
  }
};

} // namespace
