// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "boostr/passes/gpu/gemv/StreamedLoad.h"
#include "boostr/dialect/BoostrOps.h"
#include "boostr/passes/cpu/IndexMath.h"
#include "boostr/passes/gpu/mma/Instruction.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace mlir::boostr;
using namespace mlir::boostr::cpu;

bool gemv::hasStreamedLoads(Operation *op) {
  auto target = op->getParentOfType<ModuleOp>()->getAttrOfType<GpuTargetAttr>(
      BoostrDialect::getGpuTargetAttrName());
  return target && mma::getGeneration(target) >= 89;
}

/// That of element `offset`, counted from the first one of the array: an array
/// may begin within its memory.
static Value getAddress(ImplicitLocOpBuilder &b, const StridedArray &array,
                        Value offset, int64_t bytes) {
  auto metadata = memref::ExtractStridedMetadataOp::create(b, array.flat);
  Value base = memref::ExtractAlignedPointerAsIndexOp::create(b, array.flat);
  OpFoldResult place = add(b, metadata.getConstifiedMixedOffset(), offset);
  OpFoldResult address = add(b, base, mul(b, place, b.getIndexAttr(bytes)));
  return arith::IndexCastOp::create(b, b.getI64Type(), toValue(b, address));
}

// LLVM has no load with these hints. It must not be `nc`: such loads cross the
// barriers that keep many of them together (keepLoadsBefore).
static constexpr StringLiteral kLoad =
    "ld.global.L1::no_allocate.L2::256B.v4.b32 {$0, $1, $2, $3}, [$4];";
static constexpr StringLiteral kLoadHalf =
    "ld.global.L1::no_allocate.L2::256B.v2.b32 {$0, $1}, [$2];";

Value gemv::loadStreamed(ImplicitLocOpBuilder &b, const StridedArray &array,
                         VectorType type, Value offset) {
  int64_t bytes = type.getElementTypeBitWidth() / 8;
  int64_t numWords = type.getNumElements() * bytes / 4;
  bool isWhole = numWords == 4;
  Type i32 = b.getI32Type();
  auto words = LLVM::LLVMStructType::getLiteral(
      b.getContext(), SmallVector<Type>(numWords, i32));
  Value loaded =
      LLVM::InlineAsmOp::create(
          b, words, ValueRange{getAddress(b, array, offset, bytes)},
          isWhole ? kLoad : kLoadHalf, isWhole ? "=r,=r,=r,=r,l" : "=r,=r,l",
          /*has_side_effects=*/true,
          /*is_align_stack=*/false, LLVM::tailcallkind::TailCallKind::None,
          LLVM::AsmDialectAttr(), ArrayAttr())
          .getResult(0);
  SmallVector<Value, 4> parts;
  for (int64_t i = 0; i < numWords; ++i)
    parts.push_back(LLVM::ExtractValueOp::create(b, loaded, i));
  Value bits = vector::FromElementsOp::create(
      b, VectorType::get({numWords}, i32), parts);
  return vector::BitCastOp::create(b, type, bits);
}
