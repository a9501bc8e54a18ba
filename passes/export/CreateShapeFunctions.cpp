// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// `boostr-create-shape-functions`: the shapes of a function's results, and what
// its arguments' shapes must satisfy, as a function that runs before it.

#include "boostr/dialect/BoostrDialect.h"
#include "boostr/passes/Passes.h"
#include "boostr/passes/export/ShapeConstraints.h"
#include "boostr/passes/export/Signature.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "llvm/ADT/ScopeExit.h"
#include "llvm/ADT/SmallPtrSet.h"

namespace mlir::boostr {
#define GEN_PASS_DEF_CREATESHAPEFUNCTIONS
#include "boostr/passes/Passes.h.inc"
} // namespace mlir::boostr

using namespace mlir;
using namespace mlir::boostr;

namespace {

struct CreateShapeFunctions
    : boostr::impl::CreateShapeFunctionsBase<CreateShapeFunctions> {
  void runOnOperation() override;
};

/// Makes the shape function of one function, from a scratch copy of it.
class ShapeFunctionBuilder {
public:
  ShapeFunctionBuilder(SymbolTable &symbols, func::FuncOp function)
      : symbols(symbols), function(function), builder(function.getContext()),
        extents(builder) {}

  LogicalResult build();

private:
  LogicalResult inlineCalls(Region &body,
                            llvm::SmallPtrSetImpl<Operation *> &active);
  func::FuncOp createFunction();
  LogicalResult collectResults(func::FuncOp scratch);
  Value getStatus();
  void finish(func::FuncOp shapes);

  SymbolTable &symbols;
  func::FuncOp function;
  OpBuilder builder;
  ExtentBuilder extents;
  llvm::DenseMap<Value, std::string> names;
  std::optional<ShapeConstraints> constraints;
  SmallVector<OpFoldResult> results;
};

} // namespace

/// Puts the bodies of called functions in place of the calls, so that extents
/// are seen through them.
LogicalResult
ShapeFunctionBuilder::inlineCalls(Region &body,
                                  llvm::SmallPtrSetImpl<Operation *> &active) {
  SmallVector<func::CallOp> calls;
  body.walk([&](func::CallOp call) { calls.push_back(call); });
  for (func::CallOp call : calls) {
    auto callee = symbols.lookup<func::FuncOp>(call.getCallee());
    // What no shape can be seen through matters only if a shape is asked for.
    if (!callee || callee.isExternal() || !callee.getBody().hasOneBlock())
      continue;
    if (!active.insert(callee).second)
      return call.emitOpError("is recursive, so the shapes of what it returns "
                              "are not known before it runs");
    func::FuncOp copy = callee.clone();
    auto erase = llvm::scope_exit([&] { copy.erase(); });
    if (failed(inlineCalls(copy.getBody(), active)))
      return failure();
    active.erase(callee);

    IRMapping mapping;
    mapping.map(copy.getArguments(), call.getOperands());
    OpBuilder b(call);
    Block &block = copy.getBody().front();
    for (Operation &op : block.without_terminator())
      b.clone(op, mapping);
    for (auto [result, value] : llvm::zip_equal(
             call.getResults(), block.getTerminator()->getOperands()))
      result.replaceAllUsesWith(mapping.lookupOrDefault(value));
    call.erase();
  }
  return success();
}

/// `func private @name__shapes(index...) -> (i64, index...)`, without body's
/// end.
func::FuncOp ShapeFunctionBuilder::createFunction() {
  SmallVector<Type> inputs, outputs = {builder.getI64Type()};
  for (Type type : function.getArgumentTypes())
    inputs.append(cast<RankedTensorType>(type).getRank(),
                  builder.getIndexType());
  for (Type type : function.getResultTypes())
    outputs.append(cast<RankedTensorType>(type).getRank(),
                   builder.getIndexType());
  std::string name = (function.getName() + "__shapes").str();
  auto shapes = func::FuncOp::create(function.getLoc(), name,
                                     builder.getFunctionType(inputs, outputs));
  shapes.setPrivate();
  // Renames it if there is such a symbol.
  symbols.insert(shapes, std::next(function->getIterator()));
  builder.setInsertionPointToStart(shapes.addEntryBlock());
  return shapes;
}

/// Extents of the results, from their types if those say all.
LogicalResult ShapeFunctionBuilder::collectResults(func::FuncOp scratch) {
  SmallVector<func::ReturnOp> returns(scratch.getOps<func::ReturnOp>());
  for (auto [number, type] : llvm::enumerate(scratch.getResultTypes())) {
    auto tensor = cast<RankedTensorType>(type);
    for (int64_t dim = 0; dim < tensor.getRank(); ++dim) {
      if (!tensor.isDynamicDim(dim)) {
        results.push_back(builder.getIndexAttr(tensor.getDimSize(dim)));
        continue;
      }
      if (returns.size() != 1)
        return function.emitError()
               << "cannot compute the shape of result " << number
               << " of function '" << function.getName()
               << "': expected one return, got " << returns.size();
      FailureOr<OpFoldResult> extent =
          extents.getExtent(returns.front().getOperand(number), dim);
      if (failed(extent))
        return failure();
      results.push_back(*extent);
    }
  }
  return success();
}

static arith::CmpIPredicate getPredicate(ShapeConstraint::Kind kind) {
  switch (kind) {
  case ShapeConstraint::Equal:
    return arith::CmpIPredicate::eq;
  case ShapeConstraint::AtMost:
    return arith::CmpIPredicate::sle;
  case ShapeConstraint::Differ:
    return arith::CmpIPredicate::ne;
  }
  llvm_unreachable("unknown kind of constraint");
}

/// 0, or 1 + the number of the first constraint that does not hold.
Value ShapeFunctionBuilder::getStatus() {
  ImplicitLocOpBuilder b(function.getLoc(), builder);
  Value status = arith::ConstantIntOp::create(b, 0, 64);
  ArrayRef<ShapeConstraint> all = constraints->get();
  for (size_t number = all.size(); number-- > 0;) {
    const ShapeConstraint &constraint = all[number];
    b.setLoc(constraint.loc);
    auto materialize = [&](OpFoldResult value) -> Value {
      if (auto attr = dyn_cast<Attribute>(value))
        return arith::ConstantOp::create(b, cast<TypedAttr>(attr));
      return cast<Value>(value);
    };
    Value lhs = materialize(constraint.lhs);
    Value rhs = materialize(constraint.rhs);
    arith::CmpIPredicate predicate = getPredicate(constraint.kind);
    Value holds = arith::CmpIOp::create(b, predicate, lhs, rhs);
    Value broken = arith::ConstantIntOp::create(b, number + 1, 64);
    status = arith::SelectOp::create(b, holds, status, broken);
  }
  return status;
}

void ShapeFunctionBuilder::finish(func::FuncOp shapes) {
  SmallVector<Value> values = {getStatus()};
  for (OpFoldResult extent : results)
    values.push_back(
        getValueOrCreateConstantIndexOp(builder, function.getLoc(), extent));
  func::ReturnOp::create(builder, function.getLoc(), values);

  SmallVector<Attribute> texts;
  for (const ShapeConstraint &constraint : constraints->get())
    texts.push_back(builder.getStringAttr(constraint.text));
  shapes->setAttr(BoostrDialect::getConstraintsAttrName(),
                  builder.getArrayAttr(texts));
  shapes->setAttr(BoostrDialect::getShapesOfAttrName(),
                  FlatSymbolRefAttr::get(function.getNameAttr()));
  function->setAttr(BoostrDialect::getShapesAttrName(),
                    FlatSymbolRefAttr::get(shapes.getNameAttr()));
}

LogicalResult ShapeFunctionBuilder::build() {
  func::FuncOp scratch = function.clone();
  auto erase = llvm::scope_exit([&] { scratch.erase(); });
  llvm::SmallPtrSet<Operation *, 8> active = {function};
  if (failed(inlineCalls(scratch.getBody(), active)))
    return failure();

  func::FuncOp shapes = createFunction();
  ArrayRef<BlockArgument> rest = shapes.getArguments();
  for (BlockArgument argument : scratch.getArguments()) {
    unsigned number = argument.getArgNumber();
    int64_t rank = cast<RankedTensorType>(argument.getType()).getRank();
    for (auto [dim, extent] : llvm::enumerate(rest.take_front(rank)))
      names[extent] =
          ("dimension " + Twine(dim) + " of argument " + Twine(number) + " '" +
           getArgumentName(function, number) + "'")
              .str();
    extents.bind(argument, SmallVector<OpFoldResult>(rest.take_front(rank)));
    rest = rest.drop_front(rank);
  }

  constraints.emplace(extents, names);
  // Reification adds ops, which demand nothing new.
  SmallVector<Operation *> ops;
  scratch.getBody().walk<WalkOrder::PreOrder>(
      [&](Operation *op) { ops.push_back(op); });
  for (Operation *op : ops)
    if (failed(constraints->addOp(op)))
      return failure();
  if (failed(collectResults(scratch)))
    return failure();
  constraints->addDivisors();
  finish(shapes);
  return success();
}

void CreateShapeFunctions::runOnOperation() {
  SymbolTable symbols(getOperation());
  SmallVector<func::FuncOp> functions;
  for (auto function : getOperation().getOps<func::FuncOp>())
    if (function.isPublic() && !function.isExternal() &&
        !function->hasAttr(BoostrDialect::getShapesAttrName()) &&
        !function->hasAttr(BoostrDialect::getShapesOfAttrName()))
      functions.push_back(function);
  for (func::FuncOp function : functions) {
    if (failed(checkSignature(function)) ||
        failed(ShapeFunctionBuilder(symbols, function).build()))
      return signalPassFailure();
    recordSignature(function);
  }
}
