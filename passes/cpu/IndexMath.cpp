// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "boostr/passes/cpu/IndexMath.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace mlir::boostr;

Value cpu::toValue(ImplicitLocOpBuilder &b, OpFoldResult value) {
  if (auto known = dyn_cast_if_present<Value>(value))
    return known;
  return constant(b, *getConstantIntValue(value));
}

Value cpu::constant(ImplicitLocOpBuilder &b, int64_t value) {
  return arith::ConstantIndexOp::create(b, value);
}

OpFoldResult cpu::add(ImplicitLocOpBuilder &b, OpFoldResult x, OpFoldResult y) {
  std::optional<int64_t> cx = getConstantIntValue(x),
                         cy = getConstantIntValue(y);
  if (cx && cy)
    return b.getIndexAttr(*cx + *cy);
  if (cx == 0)
    return y;
  if (cy == 0)
    return x;
  return arith::AddIOp::create(b, toValue(b, x), toValue(b, y)).getResult();
}

OpFoldResult cpu::sub(ImplicitLocOpBuilder &b, OpFoldResult x, OpFoldResult y) {
  std::optional<int64_t> cx = getConstantIntValue(x),
                         cy = getConstantIntValue(y);
  if (cx && cy)
    return b.getIndexAttr(*cx - *cy);
  if (cy == 0)
    return x;
  return arith::SubIOp::create(b, toValue(b, x), toValue(b, y)).getResult();
}

OpFoldResult cpu::mul(ImplicitLocOpBuilder &b, OpFoldResult x, OpFoldResult y) {
  std::optional<int64_t> cx = getConstantIntValue(x),
                         cy = getConstantIntValue(y);
  if (cx && cy)
    return b.getIndexAttr(*cx * *cy);
  if (cx == 0 || cy == 0)
    return b.getIndexAttr(0);
  if (cx == 1)
    return y;
  if (cy == 1)
    return x;
  return arith::MulIOp::create(b, toValue(b, x), toValue(b, y)).getResult();
}

OpFoldResult cpu::ceilDiv(ImplicitLocOpBuilder &b, OpFoldResult x, int64_t y) {
  return div(b, add(b, x, b.getIndexAttr(y - 1)), y);
}

OpFoldResult cpu::ceilDiv(ImplicitLocOpBuilder &b, OpFoldResult x,
                          OpFoldResult y) {
  if (std::optional<int64_t> known = getConstantIntValue(y))
    return ceilDiv(b, x, *known);
  return arith::CeilDivUIOp::create(b, toValue(b, x), toValue(b, y))
      .getResult();
}

OpFoldResult cpu::div(ImplicitLocOpBuilder &b, OpFoldResult x, int64_t y) {
  if (std::optional<int64_t> known = getConstantIntValue(x))
    return b.getIndexAttr(*known / y);
  if (y == 1)
    return x;
  return arith::DivUIOp::create(b, toValue(b, x), constant(b, y)).getResult();
}

OpFoldResult cpu::div(ImplicitLocOpBuilder &b, OpFoldResult x, OpFoldResult y) {
  if (std::optional<int64_t> known = getConstantIntValue(y))
    return div(b, x, *known);
  return arith::DivUIOp::create(b, toValue(b, x), toValue(b, y)).getResult();
}

OpFoldResult cpu::rem(ImplicitLocOpBuilder &b, OpFoldResult x, int64_t y) {
  if (std::optional<int64_t> known = getConstantIntValue(x))
    return b.getIndexAttr(*known % y);
  if (y == 1)
    return b.getIndexAttr(0);
  return arith::RemUIOp::create(b, toValue(b, x), constant(b, y)).getResult();
}

OpFoldResult cpu::min(ImplicitLocOpBuilder &b, OpFoldResult x, OpFoldResult y) {
  std::optional<int64_t> cx = getConstantIntValue(x),
                         cy = getConstantIntValue(y);
  if (cx && cy)
    return b.getIndexAttr(std::min(*cx, *cy));
  return arith::MinUIOp::create(b, toValue(b, x), toValue(b, y)).getResult();
}

OpFoldResult cpu::max(ImplicitLocOpBuilder &b, OpFoldResult x, OpFoldResult y) {
  std::optional<int64_t> cx = getConstantIntValue(x),
                         cy = getConstantIntValue(y);
  if (cx && cy)
    return b.getIndexAttr(std::max(*cx, *cy));
  return arith::MaxUIOp::create(b, toValue(b, x), toValue(b, y)).getResult();
}

int64_t cpu::getLineElements(Type elementType) {
  constexpr int64_t kLineBytes = 64;
  return kLineBytes * 8 / elementType.getIntOrFloatBitWidth();
}

void cpu::forLoop(ImplicitLocOpBuilder &b, OpFoldResult count,
                  llvm::function_ref<void(Value)> body, int64_t step) {
  forLoop(b, b.getIndexAttr(0), count, body, step);
}

void cpu::forLoop(ImplicitLocOpBuilder &b, OpFoldResult begin, OpFoldResult end,
                  llvm::function_ref<void(Value)> body, int64_t step) {
  forLoop(b, begin, end, body, OpFoldResult(b.getIndexAttr(step)));
}

void cpu::forLoop(ImplicitLocOpBuilder &b, OpFoldResult begin, OpFoldResult end,
                  llvm::function_ref<void(Value)> body, OpFoldResult step) {
  auto loop = scf::ForOp::create(b, toValue(b, begin), toValue(b, end),
                                 toValue(b, step));
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(loop.getBody()->getTerminator());
  body(loop.getInductionVar());
}

void cpu::ifElse(ImplicitLocOpBuilder &b, Value condition,
                 llvm::function_ref<void()> ifTrue,
                 llvm::function_ref<void()> ifFalse) {
  auto branch =
      scf::IfOp::create(b, condition, /*withElseRegion=*/bool(ifFalse));
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(branch.thenBlock()->getTerminator());
  ifTrue();
  if (!ifFalse)
    return;
  b.setInsertionPoint(branch.elseBlock()->getTerminator());
  ifFalse();
}

Value cpu::convertFloat(ImplicitLocOpBuilder &b, Value value,
                        Type elementType) {
  Type from = getElementTypeOrSelf(value);
  Type to = elementType;
  if (auto vector = dyn_cast<VectorType>(value.getType()))
    to = vector.clone(elementType);
  unsigned fromBits = from.getIntOrFloatBitWidth();
  unsigned toBits = elementType.getIntOrFloatBitWidth();
  if (fromBits < toBits)
    return arith::ExtFOp::create(b, to, value);
  if (fromBits > toBits)
    return arith::TruncFOp::create(b, to, value);
  return value;
}

/// `lanes` times the same word.
static Value createWords(ImplicitLocOpBuilder &b, int64_t lanes,
                         uint32_t value) {
  auto words = VectorType::get({lanes}, b.getI32Type());
  return arith::ConstantOp::create(
      b, DenseElementsAttr::get(words, APInt(32, value)));
}

std::pair<Value, Value> cpu::splitPairs(ImplicitLocOpBuilder &b, Value pairs) {
  auto type = cast<VectorType>(pairs.getType());
  int64_t lanes =
      type.getNumElements() * type.getElementTypeBitWidth() / int64_t(32);
  auto words = VectorType::get({lanes}, b.getI32Type());
  auto floats = VectorType::get({lanes}, b.getF32Type());
  Value both = vector::BitCastOp::create(b, words, pairs);
  Value first = arith::ShLIOp::create(b, both, createWords(b, lanes, 16));
  Value second =
      arith::AndIOp::create(b, both, createWords(b, lanes, 0xffff0000));
  return {vector::BitCastOp::create(b, floats, first),
          vector::BitCastOp::create(b, floats, second)};
}

Value cpu::joinPairs(ImplicitLocOpBuilder &b, Value first, Value second) {
  auto floats = cast<VectorType>(first.getType());
  int64_t lanes = floats.getNumElements();
  auto words = VectorType::get({lanes}, b.getI32Type());
  auto halves = VectorType::get({lanes}, b.getI16Type());
  auto round = [&](Value value) -> Value {
    Value rounded = convertFloat(b, value, b.getBF16Type());
    return arith::ExtUIOp::create(b, words,
                                  arith::BitcastOp::create(b, halves, rounded));
  };
  Value low = round(first);
  Value high =
      arith::ShLIOp::create(b, round(second), createWords(b, lanes, 16));
  return vector::BitCastOp::create(b, floats,
                                   arith::OrIOp::create(b, low, high));
}
