// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// From sums in registers to results: addends, one rounding, stores.

#include "boostr/passes/cpu/IndexMath.h"
#include "boostr/passes/gpu/BlockKernel.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace mlir::boostr;
using namespace mlir::boostr::cpu;

/// What each segment writes, or adds.
SmallVector<ContractionOperand> BlockKernel::collectResults(bool isLhsSum) {
  SmallVector<Value> destinations = op.getDestinations();
  return llvm::map_to_vector(
      contraction.segments, [&](const ContractionSegment &segment) {
        const ContractionResult &result =
            isLhsSum ? *segment.lhsSum : *segment.product;
        return ContractionOperand{destinations[result.number], result.rows,
                                  result.map};
      });
}

SmallVector<ContractionOperand> BlockKernel::collectAddends(bool isLhsSum,
                                                            size_t number) {
  return llvm::map_to_vector(
      contraction.segments, [&](const ContractionSegment &segment) {
        return (isLhsSum ? segment.lhsSum : segment.product)->addends[number];
      });
}

EpiloguePlan BlockKernel::planEpilogue(ArrayRef<ContractionOperand> arrays,
                                       int64_t lanes) {
  EpiloguePlan plan;
  plan.isFlatInRows = llvm::all_of(
      arrays, [&](const auto &array) { return isFlat(array, contraction.m); });
  plan.isFlatInColumns = llvm::all_of(
      arrays, [&](const auto &array) { return isFlat(array, contraction.n); });
  plan.isContiguous = llvm::all_of(arrays, [&](const auto &array) {
    return lanes == 1 || !hasAny(array, contraction.n) ||
           isContiguousInChunks(array, contraction.n, lanes, multiples);
  });
  return plan;
}

BlockKernel::Epilogue BlockKernel::startEpilogue(const OutputArrays &output,
                                                 bool isLhsSum,
                                                 ArrayRef<int64_t> lanes) {
  Epilogue epilogue;
  auto plan = [&](const StridedArray &array,
                  ArrayRef<ContractionOperand> operands) -> EpilogueArray {
    return {array,
            planEpilogue(operands, lanes.front()),
            array.hasAny(contraction.n),
            {}};
  };
  epilogue.lanes = lanes.front();
  epilogue.result = plan(output.result, collectResults(isLhsSum));
  for (auto [number, addend] : llvm::enumerate(output.addends))
    epilogue.addends.push_back(plan(addend, collectAddends(isLhsSum, number)));
  auto isContiguous = [](const EpilogueArray &array) {
    return array.plan.isContiguous;
  };
  if (isContiguous(epilogue.result) &&
      llvm::all_of(epilogue.addends, isContiguous))
    return epilogue;
  return startEpilogue(output, isLhsSum, lanes.drop_front());
}

void BlockKernel::addColumns(Epilogue &epilogue, const Extents &extents,
                             Value column) {
  epilogue.isColumnThere.push_back(isLess(column, columns.end));
  auto addOffset = [&](EpilogueArray &array) {
    if (array.hasColumns)
      array.columnOffsets.push_back(offsetOf(array.array, contraction.n,
                                             extents, column,
                                             array.plan.isFlatInColumns));
  };
  addOffset(epilogue.result);
  llvm::for_each(epilogue.addends, addOffset);
}

SmallVector<Value> BlockKernel::getRowOffsets(const Epilogue &epilogue,
                                              const Extents &extents,
                                              Value row) {
  SmallVector<Value> offsets;
  auto addOffset = [&](const EpilogueArray &array) {
    offsets.push_back(offsetOf(array.array, contraction.m, extents, row,
                               array.plan.isFlatInRows));
  };
  addOffset(epilogue.result);
  llvm::for_each(epilogue.addends, addOffset);
  return offsets;
}

/// The addend's elements as `type`, that of the sums.
Value BlockKernel::loadAddend(const EpilogueArray &addend, Value rowOffset,
                              int64_t group, Type type) {
  auto sumsType = cast<VectorType>(type);
  Type elementType = addend.array.getElementType();
  int64_t lanes = addend.hasColumns ? sumsType.getNumElements() : 1;
  Value offset = addend.hasColumns
                     ? plus(rowOffset, addend.columnOffsets[group])
                     : rowOffset;
  Value loaded = vector::LoadOp::create(
      b, VectorType::get({lanes}, elementType), addend.array.flat,
      ValueRange{offset}, /*nontemporal=*/false,
      llvm::MaybeAlign(lanes * elementType.getIntOrFloatBitWidth() / 8));
  Value converted = convertFloat(b, loaded, sumType);
  if (lanes == sumsType.getNumElements())
    return converted;
  return vector::BroadcastOp::create(
      b, type, vector::ExtractOp::create(b, converted, 0));
}

SmallVector<Value> BlockKernel::loadAddends(const Epilogue &epilogue,
                                            ArrayRef<Value> rowOffsets,
                                            int64_t group, Type type) {
  SmallVector<Value> loaded;
  for (auto [addend, rowOffset] :
       llvm::zip_equal(epilogue.addends, rowOffsets.drop_front()))
    loaded.push_back(loadAddend(addend, rowOffset, group, type));
  return loaded;
}

Value BlockKernel::addAddends(const Epilogue &epilogue,
                              ArrayRef<Value> rowOffsets, int64_t group,
                              Value sums) {
  for (Value addend : loadAddends(epilogue, rowOffsets, group, sums.getType()))
    sums = arith::AddFOp::create(b, sums, addend);
  return sums;
}

void BlockKernel::storeSums(const Epilogue &epilogue,
                            ArrayRef<Value> rowOffsets, int64_t group,
                            Value sums) {
  const EpilogueArray &result = epilogue.result;
  Type elementType = result.array.getElementType();
  Value offset = rowOffsets.front();
  if (result.hasColumns)
    offset = plus(offset, result.columnOffsets[group]);
  vector::StoreOp::create(
      b, convertFloat(b, sums, elementType), result.array.flat,
      ValueRange{offset}, /*nontemporal=*/false,
      llvm::MaybeAlign(epilogue.lanes * elementType.getIntOrFloatBitWidth() /
                       8));
}

void BlockKernel::storeLhsSum(const OutputArrays &output,
                              const Extents &extents, Value row, Value sum) {
  Epilogue epilogue = startEpilogue(output, /*isLhsSum=*/true, /*lanes=*/{1});
  Value sums =
      vector::FromElementsOp::create(b, VectorType::get({1}, sumType), sum);
  SmallVector<Value> offsets = getRowOffsets(epilogue, extents, row);
  storeSums(epilogue, offsets, /*group=*/0,
            addAddends(epilogue, offsets, /*group=*/0, sums));
}
