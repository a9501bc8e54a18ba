// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The table of derivatives of arith and math ops, and the models that bring it
// to scalars and tensors.

#include "boostr/passes/differentiate/ArithMathRules.h"
#include "boostr/dialect/DifferentiableOpInterface.h"
#include "boostr/passes/differentiate/ExternalModels.h"
#include "boostr/passes/differentiate/ScalarFormula.h"
#include "boostr/passes/differentiate/StructuredVjp.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/DialectRegistry.h"

using namespace mlir;
using namespace mlir::boostr;

//===----------------------------------------------------------------------===//
// Rules
//===----------------------------------------------------------------------===//

namespace {

/// One op as its rule sees it: formulas in the wide type of the result.
struct Context : ScalarFormula {
  Context(OpBuilder &builder, Operation *op, const IRMapping &values,
          Value adjoint, arith::FastMathFlags flags)
      : ScalarFormula(builder, op->getLoc(), flags), dy(adjoint),
        builder(builder), op(op), values(values) {}

  /// The derivative by the result.
  Value dy;

  Operation *getOp() const { return op; }
  /// An operand as the op read it.
  Value exact(unsigned index) {
    return values.lookupOrDefault(op->getOperand(index));
  }
  /// Operands and result in the type of `dy`.
  Value x(unsigned index = 0) { return widen(exact(index)); }
  Value y() { return widen(values.lookupOrDefault(op->getResult(0))); }

private:
  Value widen(Value value) {
    return convertFloat(builder, op->getLoc(), value, dy.getType());
  }

  OpBuilder &builder;
  Operation *op;
  const IRMapping &values;
};

/// The derivative by one operand, in the type of `dy`; null where it is zero.
using Rule = Value (*)(Context &c, unsigned operand);

template <typename OpTy> struct Tag {
  using Op = OpTy;
};

} // namespace

/// `y = max(a, b)` or `min(a, b)`: the operand that was taken has the gradient,
/// and the first of two that are equal.
static Value extremumRule(Context &c, unsigned operand) {
  Value first = c.takes(*Extremum::match(c.getOp()), c.exact(0), c.exact(1),
                        /*onTie=*/true);
  return c.keep(c.dy, first, operand == 0);
}

static Value passRule(Context &c, unsigned) { return c.dy; }
static Value zeroRule(Context &, unsigned) { return {}; }

static Value divideRule(Context &c, unsigned operand) {
  if (operand == 0) // d(a/b)/da = 1/b
    return c.div(c.dy, c.x(1));
  return c.neg(c.div(c.mul(c.dy, c.y()), c.x(1))); // -(a/b)/b
}

static Value powerRule(Context &c, unsigned operand) {
  Value a = c.x(0), b = c.x(1);
  if (operand == 0) // d(a^b)/da = b * a^(b-1)
    return c.mul(c.dy, c.mul(b, c.apply<math::PowFOp>(a, c.offset(-1.0, b))));
  // d(a^b)/db = a^b * log(a), which tends to zero with a.
  Value zero = c.constant(a.getType(), 0.0);
  Value isZero = c.compare(arith::CmpFPredicate::OEQ, a, zero);
  Value slope = c.mul(c.y(), c.apply<math::LogOp>(a));
  return c.mul(c.dy, c.keep(slope, isZero, /*when=*/false));
}

static Value absRule(Context &c, unsigned) { // zero at zero
  Value x = c.exact(0), zero = c.constant(x.getType(), 0.0);
  Value positive = c.compare(arith::CmpFPredicate::OGT, x, zero);
  Value negative = c.compare(arith::CmpFPredicate::OLT, x, zero);
  return c.select(positive, c.dy, c.keep(c.neg(c.dy), negative));
}

/// 2/sqrt(pi) * exp(-x^2) * dy
static Value erfSlope(Context &c, double sign) {
  Value x = c.x();
  Value bell = c.apply<math::ExpOp>(c.neg(c.mul(x, x)));
  return c.mul(c.dy, c.scale(sign * 1.1283791670955126, bell));
}

static constexpr double ln2 = 0.69314718055994531;
static constexpr double ln10 = 2.3025850929940457;

/// Calls `visit(Tag<Op>(), rule)` for each op of arith that has a rule.
template <typename Visitor> static void visitArithRules(Visitor &&visit) {
  visit(Tag<arith::AddFOp>(), passRule);
  visit(Tag<arith::SubFOp>(), [](Context &c, unsigned operand) {
    return operand == 0 ? c.dy : c.neg(c.dy);
  });
  visit(Tag<arith::MulFOp>(), [](Context &c, unsigned operand) {
    return c.mul(c.dy, c.x(1 - operand));
  });
  visit(Tag<arith::DivFOp>(), divideRule);
  visit(Tag<arith::NegFOp>(), [](Context &c, unsigned) { return c.neg(c.dy); });
  visit(Tag<arith::ExtFOp>(), passRule);
  visit(Tag<arith::TruncFOp>(), passRule);
  visit(Tag<arith::MaximumFOp>(), extremumRule);
  visit(Tag<arith::MaxNumFOp>(), extremumRule);
  visit(Tag<arith::MinimumFOp>(), extremumRule);
  visit(Tag<arith::MinNumFOp>(), extremumRule);
  visit(Tag<arith::SelectOp>(), [](Context &c, unsigned operand) {
    return c.keep(c.dy, c.exact(0), operand == 1);
  });
}

/// Calls `visit(Tag<Op>(), rule)` for each op of math that has a rule.
template <typename Visitor> static void visitMathRules(Visitor &&visit) {
  // Where the slope follows from the result, the result is used: it is there
  // already, and the argument can be forgotten.
  visit(Tag<math::ExpOp>(),
        [](Context &c, unsigned) { return c.mul(c.dy, c.y()); });
  visit(Tag<math::Exp2Op>(),
        [](Context &c, unsigned) { return c.mul(c.dy, c.scale(ln2, c.y())); });
  visit(Tag<math::ExpM1Op>(),
        [](Context &c, unsigned) { return c.mul(c.dy, c.offset(1.0, c.y())); });
  visit(Tag<math::LogOp>(),
        [](Context &c, unsigned) { return c.div(c.dy, c.x()); });
  visit(Tag<math::Log2Op>(),
        [](Context &c, unsigned) { return c.div(c.dy, c.scale(ln2, c.x())); });
  visit(Tag<math::Log10Op>(),
        [](Context &c, unsigned) { return c.div(c.dy, c.scale(ln10, c.x())); });
  visit(Tag<math::Log1pOp>(),
        [](Context &c, unsigned) { return c.div(c.dy, c.offset(1.0, c.x())); });
  visit(Tag<math::SqrtOp>(),
        [](Context &c, unsigned) { return c.div(c.scale(0.5, c.dy), c.y()); });
  visit(Tag<math::RsqrtOp>(), [](Context &c, unsigned) {
    Value y = c.y(); // -y^3/2
    return c.mul(c.scale(-0.5, c.dy), c.mul(y, c.mul(y, y)));
  });
  visit(Tag<math::TanhOp>(), [](Context &c, unsigned) {
    Value y = c.y(); // 1 - y^2
    return c.mul(c.dy, c.sub(c.constant(y.getType(), 1.0), c.mul(y, y)));
  });
  visit(Tag<math::TanOp>(), [](Context &c, unsigned) {
    Value y = c.y();
    return c.mul(c.dy, c.offset(1.0, c.mul(y, y)));
  });
  visit(Tag<math::AtanOp>(), [](Context &c, unsigned) {
    Value x = c.x();
    return c.div(c.dy, c.offset(1.0, c.mul(x, x)));
  });
  visit(Tag<math::SinOp>(), [](Context &c, unsigned) {
    return c.mul(c.dy, c.apply<math::CosOp>(c.x()));
  });
  visit(Tag<math::CosOp>(), [](Context &c, unsigned) {
    return c.neg(c.mul(c.dy, c.apply<math::SinOp>(c.x())));
  });
  visit(Tag<math::SinhOp>(), [](Context &c, unsigned) {
    return c.mul(c.dy, c.apply<math::CoshOp>(c.x()));
  });
  visit(Tag<math::CoshOp>(), [](Context &c, unsigned) {
    return c.mul(c.dy, c.apply<math::SinhOp>(c.x()));
  });
  visit(Tag<math::ErfOp>(),
        [](Context &c, unsigned) { return erfSlope(c, 1.0); });
  visit(Tag<math::ErfcOp>(),
        [](Context &c, unsigned) { return erfSlope(c, -1.0); });
  visit(Tag<math::AbsFOp>(), absRule);
  visit(Tag<math::PowFOp>(), powerRule);
  visit(Tag<math::FmaOp>(), [](Context &c, unsigned operand) {
    return operand == 2 ? c.dy : c.mul(c.dy, c.x(1 - operand));
  });
  visit(Tag<math::CeilOp>(), zeroRule);
  visit(Tag<math::FloorOp>(), zeroRule);
  visit(Tag<math::RoundOp>(), zeroRule);
  visit(Tag<math::RoundEvenOp>(), zeroRule);
  visit(Tag<math::TruncOp>(), zeroRule);
}

static Rule lookupRule(Operation *op) {
  Rule found = nullptr;
  auto match = [&](auto tag, Rule rule) {
    if (isa<typename decltype(tag)::Op>(op))
      found = rule;
  };
  visitArithRules(match);
  visitMathRules(match);
  return found;
}

//===----------------------------------------------------------------------===//
// Scalars
//===----------------------------------------------------------------------===//

/// Lets an op outside the table differentiate itself, in its own types.
static LogicalResult
differentiateByInterface(OpBuilder &builder, Operation *op,
                         const IRMapping &values, ArrayRef<Value> adjoints,
                         const llvm::BitVector &needed,
                         SmallVectorImpl<Value> &gradients) {
  // The rule may use the op's results, so it gets the op in this place.
  IRMapping local = values;
  auto here = dyn_cast<DifferentiableOpInterface>(builder.clone(*op, local));
  if (!here)
    return op->emitOpError("has no differentiation rule");
  SmallVector<Value> cotangents;
  for (auto [adjoint, result] : llvm::zip_equal(adjoints, op->getResults()))
    cotangents.push_back(
        adjoint ? convertFloat(builder, op->getLoc(), adjoint, result.getType())
                : Value());
  if (failed(here.vjp(builder, cotangents, needed, gradients)))
    return failure();
  for (Value &gradient : gradients)
    if (gradient)
      gradient = convertFloat(builder, op->getLoc(), gradient,
                              getWideType(gradient.getType()));
  return success();
}

LogicalResult mlir::boostr::differentiateScalarOp(
    OpBuilder &builder, Operation *op, const IRMapping &values,
    ArrayRef<Value> adjoints, const llvm::BitVector &needed,
    SmallVectorImpl<Value> &gradients) {
  gradients.assign(op->getNumOperands(), Value());
  Rule rule = lookupRule(op);
  if (!rule)
    return differentiateByInterface(builder, op, values, adjoints, needed,
                                    gradients);
  if (!adjoints[0])
    return success();
  auto flags = arith::FastMathFlags::none;
  if (auto fast = dyn_cast<arith::ArithFastMathInterface>(op))
    if (arith::FastMathFlagsAttr given = fast.getFastMathFlagsAttr())
      flags = given.getValue();
  Context context(builder, op, values, adjoints[0], flags);
  for (unsigned operand : needed.set_bits())
    if (Value gradient = rule(context, operand))
      gradients[operand] =
          convertFloat(builder, op->getLoc(), gradient,
                       getWideType(op->getOperand(operand).getType()));
  return success();
}

//===----------------------------------------------------------------------===//
// Models
//===----------------------------------------------------------------------===//

/// `op` on tensors as a function of scalars at each point of its result.
static LogicalResult
differentiateElementwise(OpBuilder &builder, Operation *op,
                         RankedTensorType type, ArrayRef<Value> cotangents,
                         const llvm::BitVector &needed,
                         SmallVectorImpl<Value> &gradients) {
  Region scratch;
  Block &body = scratch.emplaceBlock();
  StructuredFunction function;
  function.op = op;
  function.body = &body;
  function.numDims = type.getRank();
  AffineMap identity = builder.getMultiDimIdentityMap(type.getRank());
  AffineMap scalar = AffineMap::get(type.getRank(), 0, op->getContext());
  for (Value operand : op->getOperands()) {
    bool isTensor = isa<RankedTensorType>(operand.getType());
    function.inputs.push_back(operand);
    function.inputMaps.push_back(isTensor ? identity : scalar);
    body.addArgument(getElementTypeOrSelf(operand.getType()), op->getLoc());
  }
  function.results = op->getResults();
  function.resultMaps = {identity};
  function.firstInit = function.inputs.size();

  OpBuilder inside(op->getContext());
  inside.setInsertionPointToEnd(&body);
  Operation *scalarOp = inside.create(
      op->getLoc(), op->getName().getIdentifier(), body.getArguments(),
      {type.getElementType()}, op->getAttrs());
  linalg::YieldOp::create(inside, op->getLoc(), scalarOp->getResults());
  return differentiateStructured(builder, function, cotangents, needed,
                                 gradients);
}

namespace {

template <typename OpTy>
struct ScalarOpModel
    : DifferentiableOpInterface::ExternalModel<ScalarOpModel<OpTy>, OpTy> {
  LogicalResult vjp(Operation *op, OpBuilder &builder,
                    ArrayRef<Value> cotangents, const llvm::BitVector &needed,
                    SmallVectorImpl<Value> &gradients) const {
    if (auto type = dyn_cast<RankedTensorType>(op->getResult(0).getType()))
      return differentiateElementwise(builder, op, type, cotangents, needed,
                                      gradients);
    Location loc = op->getLoc();
    Value adjoint = convertFloat(builder, loc, cotangents[0],
                                 getWideType(cotangents[0].getType()));
    if (failed(differentiateScalarOp(builder, op, IRMapping(), adjoint, needed,
                                     gradients)))
      return failure();
    for (auto [gradient, operand] :
         llvm::zip_equal(gradients, op->getOperands()))
      if (gradient)
        gradient = convertFloat(builder, loc, gradient, operand.getType());
    return success();
  }
};

struct AttachModel {
  template <typename OpTy> void operator()(Tag<OpTy>, Rule) const {
    OpTy::template attachInterface<ScalarOpModel<OpTy>>(*context);
  }
  MLIRContext *context;
};

} // namespace

void mlir::boostr::registerArithMathDifferentiation(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *context, arith::ArithDialect *) {
    visitArithRules(AttachModel{context});
  });
  registry.addExtension(+[](MLIRContext *context, math::MathDialect *) {
    visitMathRules(AttachModel{context});
  });
}
