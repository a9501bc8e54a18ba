// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "boostr/passes/gpu/mma/Instruction.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace mlir::boostr;
using namespace mlir::boostr::mma;

int64_t mma::getGeneration(GpuTargetAttr target) {
  if (!target)
    return 0;
  StringRef chip = target.getChip();
  int64_t number = 0;
  return chip.consume_front("sm_") && !chip.consumeInteger(10, number) ? number
                                                                       : 0;
}

VectorType mma::getSumsType(const Instruction &shape, Type sumType) {
  constexpr int64_t warp = 32;
  return VectorType::get({shape.rows * shape.columns / warp}, sumType);
}

Value mma::getPair(ImplicitLocOpBuilder &b, Value elements, int64_t number) {
  auto type = cast<VectorType>(elements.getType());
  auto bits = VectorType::get({type.getNumElements() / 2}, b.getI32Type());
  Value pair = vector::ExtractOp::create(
      b, vector::BitCastOp::create(b, bits, elements), number);
  if (type.getElementType().isBF16())
    return pair;
  return LLVM::BitcastOp::create(b, VectorType::get({2}, type.getElementType()),
                                 pair);
}

Value mma::emitProduct(ImplicitLocOpBuilder &b, const Instruction &shape,
                       Type elementType, ArrayRef<Value> lhs,
                       ArrayRef<Value> rhs, Value sums) {
  auto type = cast<VectorType>(sums.getType());
  SmallVector<Value> elements;
  for (int64_t i = 0; i < type.getNumElements(); ++i)
    elements.push_back(vector::ExtractOp::create(b, sums, i));
  auto structType = LLVM::LLVMStructType::getLiteral(
      b.getContext(),
      SmallVector<Type>(elements.size(), type.getElementType()));
  auto finish = [&](Value result) {
    for (int64_t i = 0; i < type.getNumElements(); ++i)
      elements[i] = LLVM::ExtractValueOp::create(b, result, i);
    return vector::FromElementsOp::create(b, type, elements);
  };
  if (elementType.isF64() && shape.rows == 16) {
    // nvvm.mma.sync does not know it.
    SmallVector<Value> operands(lhs);
    llvm::append_range(operands, rhs);
    llvm::append_range(operands, elements);
    auto call = LLVM::CallIntrinsicOp::create(
        b, structType, b.getStringAttr("llvm.nvvm.mma.m16n8k16.row.col.f64"),
        operands);
    return finish(call.getResult(0));
  }
  std::optional<std::array<NVVM::MMATypes, 2>> types;
  auto both = [](NVVM::MMATypes type) { return std::array{type, type}; };
  if (elementType.isBF16())
    types = both(NVVM::MMATypes::bf16);
  else if (elementType.isF32())
    types = both(NVVM::MMATypes::tf32);
  return finish(NVVM::MmaOp::create(
      b, structType, lhs, rhs, elements,
      ArrayRef<int64_t>{shape.rows, shape.columns, shape.steps},
      /*b1Op=*/std::nullopt, /*intOverflow=*/std::nullopt, types,
      std::array{NVVM::MMALayout::row, NVVM::MMALayout::col}));
}
