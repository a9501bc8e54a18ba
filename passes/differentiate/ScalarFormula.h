// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Writing derivative formulas on scalars.
//
// Derivatives are computed in the *wide* type of a value: f32 for f16 and bf16,
// else its own. So sums of products accumulate in f32, and the gradient of a
// bf16 value is rounded once, when it is stored.

#ifndef BOOSTR_PASSES_DIFFERENTIATE_SCALARFORMULA_H
#define BOOSTR_PASSES_DIFFERENTIATE_SCALARFORMULA_H

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Builders.h"

namespace mlir::boostr {

/// The type in which derivatives of scalars of `type` are computed: f32 for f16
/// and bf16, else `type`.
Type getWideType(Type type);

/// Converts a scalar float to `type`. Extending and rounding back cancel.
Value convertFloat(OpBuilder &builder, Location loc, Value value, Type type);

/// What an op that takes the larger or the smaller of two values does.
struct Extremum {
  bool isMax;
  /// Of a number and a NaN it takes the number (as `arith.maxnumf`), not the
  /// NaN (as `arith.maximumf`).
  bool prefersNumber;

  /// Describes `op`, if it is such an op of arith.
  static std::optional<Extremum> match(Operation *op);
};

/// Writes formulas on scalars of one type, with given flags of fast arithmetic.
class ScalarFormula {
public:
  ScalarFormula(OpBuilder &builder, Location loc,
                arith::FastMathFlags flags = arith::FastMathFlags::none)
      : builder(builder), loc(loc), flags(flags) {}

  Value constant(Type type, double value);
  Value add(Value lhs, Value rhs) { return apply<arith::AddFOp>(lhs, rhs); }
  Value sub(Value lhs, Value rhs) { return apply<arith::SubFOp>(lhs, rhs); }
  Value mul(Value lhs, Value rhs) { return apply<arith::MulFOp>(lhs, rhs); }
  Value div(Value lhs, Value rhs) { return apply<arith::DivFOp>(lhs, rhs); }
  Value neg(Value value) { return apply<arith::NegFOp>(value); }
  /// `factor * value`
  Value scale(double factor, Value value) {
    return mul(constant(value.getType(), factor), value);
  }
  /// `factor + value`
  Value offset(double summand, Value value) {
    return add(constant(value.getType(), summand), value);
  }
  Value compare(arith::CmpFPredicate predicate, Value lhs, Value rhs) {
    return arith::CmpFOp::create(builder, loc, predicate, lhs, rhs);
  }
  Value select(Value condition, Value yes, Value no) {
    return arith::SelectOp::create(builder, loc, condition, yes, no);
  }
  /// `value` where `condition` is `when`, else zero.
  Value keep(Value value, Value condition, bool when = true) {
    Value zero = constant(value.getType(), 0.0);
    return when ? select(condition, value, zero)
                : select(condition, zero, value);
  }
  /// Whether `extremum` takes `value` rather than `other`; `onTie` says what it
  /// takes of two equal values.
  Value takes(Extremum extremum, Value value, Value other, bool onTie);
  /// An op whose operands and result have one type.
  template <typename OpTy, typename... Operands>
  Value apply(Operands... operands) {
    return OpTy::create(builder, loc, operands..., flags);
  }

private:
  OpBuilder &builder;
  Location loc;
  arith::FastMathFlags flags;
};

} // namespace mlir::boostr

#endif // BOOSTR_PASSES_DIFFERENTIATE_SCALARFORMULA_H
