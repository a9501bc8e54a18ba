// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "boostr/passes/differentiate/ScalarFormula.h"

using namespace mlir;
using namespace mlir::boostr;

Type mlir::boostr::getWideType(Type type) {
  if (isa<Float16Type, BFloat16Type>(type))
    return Float32Type::get(type.getContext());
  return type;
}

Value mlir::boostr::convertFloat(OpBuilder &builder, Location loc, Value value,
                                 Type type) {
  if (value.getType() == type)
    return value;
  if (auto extension = value.getDefiningOp<arith::ExtFOp>())
    if (extension.getIn().getType() == type)
      return extension.getIn();
  unsigned from = value.getType().getIntOrFloatBitWidth();
  unsigned to = type.getIntOrFloatBitWidth();
  if (from < to)
    return arith::ExtFOp::create(builder, loc, type, value);
  if (from > to)
    return arith::TruncFOp::create(builder, loc, type, value);
  // f16 and bf16 have no conversion but through f32.
  Value wide = arith::ExtFOp::create(builder, loc, builder.getF32Type(), value);
  return arith::TruncFOp::create(builder, loc, type, wide);
}

Value ScalarFormula::constant(Type type, double value) {
  return arith::ConstantOp::create(
      builder, loc, FloatAttr::get(cast<FloatType>(type), value));
}

std::optional<Extremum> Extremum::match(Operation *op) {
  if (isa<arith::MaximumFOp>(op))
    return Extremum{/*isMax=*/true, /*prefersNumber=*/false};
  if (isa<arith::MaxNumFOp>(op))
    return Extremum{/*isMax=*/true, /*prefersNumber=*/true};
  if (isa<arith::MinimumFOp>(op))
    return Extremum{/*isMax=*/false, /*prefersNumber=*/false};
  if (isa<arith::MinNumFOp>(op))
    return Extremum{/*isMax=*/false, /*prefersNumber=*/true};
  return std::nullopt;
}

Value ScalarFormula::takes(Extremum extremum, Value value, Value other,
                           bool onTie) {
  // Unordered comparisons hold for any NaN; the second one excludes the NaN
  // that would not be taken.
  using arith::CmpFPredicate;
  CmpFPredicate better =
      extremum.isMax ? (onTie ? CmpFPredicate::UGE : CmpFPredicate::UGT)
                     : (onTie ? CmpFPredicate::ULE : CmpFPredicate::ULT);
  Value loser = extremum.prefersNumber ? value : other;
  Value isNumber = compare(CmpFPredicate::ORD, loser, loser);
  return arith::AndIOp::create(builder, loc, compare(better, value, other),
                               isNumber);
}
