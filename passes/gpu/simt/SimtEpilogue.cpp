// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// From sums in registers to results: addends, one rounding, stores.

#include "boostr/passes/cpu/IndexMath.h"
#include "boostr/passes/gpu/simt/SimtKernel.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace mlir::boostr;
using namespace mlir::boostr::cpu;
using namespace mlir::boostr::simt;

/// What each segment writes, or adds.
SmallVector<ContractionOperand> SimtKernel::collectResults(bool isLhsSum) {
  SmallVector<Value> destinations = op.getDestinations();
  return llvm::map_to_vector(
      contraction.segments, [&](const ContractionSegment &segment) {
        const ContractionResult &result =
            isLhsSum ? *segment.lhsSum : *segment.product;
        return ContractionOperand{destinations[result.number], result.rows,
                                  result.map};
      });
}

SmallVector<ContractionOperand> SimtKernel::collectAddends(bool isLhsSum,
                                                           size_t number) {
  return llvm::map_to_vector(
      contraction.segments, [&](const ContractionSegment &segment) {
        return (isLhsSum ? segment.lhsSum : segment.product)->addends[number];
      });
}

SimtKernel::EpilogueArray
SimtKernel::getEpilogueArray(const StridedArray &array,
                             ArrayRef<ContractionOperand> operands) {
  return {array,
          planEpilogue(contraction, operands, tile.lanes()),
          array.hasAny(contraction.n),
          {}};
}

SimtKernel::Epilogue SimtKernel::startEpilogue(const OutputArrays &output,
                                               const Extents &extents,
                                               bool isLhsSum) {
  Epilogue epilogue;
  epilogue.result = getEpilogueArray(output.result, collectResults(isLhsSum));
  for (auto [number, addend] : llvm::enumerate(output.addends))
    epilogue.addends.push_back(
        getEpilogueArray(addend, collectAddends(isLhsSum, number)));
  auto isContiguous = [](const EpilogueArray &array) {
    return array.plan.isContiguous;
  };
  bool vectorize = !isLhsSum && isContiguous(epilogue.result) &&
                   llvm::all_of(epilogue.addends, isContiguous);
  epilogue.lanes = vectorize ? tile.lanes() : 1;
  if (isLhsSum)
    return epilogue;

  int64_t lanes = tile.lanes();
  for (int64_t i = 0; i < tile.threadColumns(); i += epilogue.lanes) {
    Value column = plus(columns.start, times(threadColumn, lanes));
    column = plus(column, i / lanes * lanes * kSide + i % lanes);
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
  return epilogue;
}

/// Of the result and of each addend.
SmallVector<Value> SimtKernel::getRowOffsets(const Epilogue &epilogue,
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
Value SimtKernel::loadAddend(const EpilogueArray &addend, Value rowOffset,
                             int64_t group, Type type) {
  auto sumType = cast<VectorType>(type);
  Type elementType = addend.array.getElementType();
  int64_t lanes = addend.hasColumns ? sumType.getNumElements() : 1;
  Value offset = addend.hasColumns
                     ? plus(rowOffset, addend.columnOffsets[group])
                     : rowOffset;
  Value loaded = vector::LoadOp::create(
      b, VectorType::get({lanes}, elementType), addend.array.flat,
      ValueRange{offset}, /*nontemporal=*/false,
      llvm::MaybeAlign(lanes * elementType.getIntOrFloatBitWidth() / 8));
  Value converted = convertFloat(b, loaded, tile.sumType);
  if (lanes == sumType.getNumElements())
    return converted;
  return vector::BroadcastOp::create(
      b, type, vector::ExtractOp::create(b, converted, 0));
}

/// Adds to one group of sums (a vector), rounds it and stores it.
void SimtKernel::storeSums(const Epilogue &epilogue, ArrayRef<Value> rowOffsets,
                           int64_t group, Value sums) {
  for (auto [addend, rowOffset] :
       llvm::zip_equal(epilogue.addends, rowOffsets.drop_front()))
    sums = arith::AddFOp::create(
        b, sums, loadAddend(addend, rowOffset, group, sums.getType()));
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

void SimtKernel::storeProducts(const OutputArrays &output,
                               const Extents &extents, const Sums &sums) {
  Epilogue epilogue = startEpilogue(output, extents, /*isLhsSum=*/false);
  int64_t lanes = tile.lanes();
  int64_t vectorsPerRow = tile.threadColumns() / lanes;
  int64_t groupsPerVector = lanes / epilogue.lanes;
  auto groupType = VectorType::get({epilogue.lanes}, tile.sumType);
  for (int64_t i = 0; i < tile.threadRows(); ++i) {
    Value row = plus(rows.start, times(threadRow, lanes));
    row = plus(row, i / lanes * lanes * kSide + i % lanes);
    ifElse(b, isLess(row, rows.end), [&] {
      SmallVector<Value> rowOffsets = getRowOffsets(epilogue, extents, row);
      for (auto [group, isThere] : llvm::enumerate(epilogue.isColumnThere))
        ifElse(b, isThere, [&, group = int64_t(group)] {
          Value vector =
              sums.products[i * vectorsPerRow + group / groupsPerVector];
          if (groupsPerVector > 1)
            vector = vector::FromElementsOp::create(
                b, groupType,
                vector::ExtractOp::create(b, vector, group % groupsPerVector)
                    .getResult());
          storeSums(epilogue, rowOffsets, group, vector);
        });
    });
  }
}

/// Thread i has the sum of row i.
void SimtKernel::storeLhsSum(const OutputArrays &output, const Extents &extents,
                             Value sum) {
  Epilogue epilogue = startEpilogue(output, extents, /*isLhsSum=*/true);
  Value row = plus(rows.start, thread);
  Value isMine = arith::AndIOp::create(b, isFirstColumn,
                                       isLess(thread, constant(b, tile.rows)));
  isMine = arith::AndIOp::create(b, isMine, isLess(row, rows.end));
  ifElse(b, isMine, [&] {
    Value vector = vector::FromElementsOp::create(
        b, VectorType::get({1}, tile.sumType), sum);
    storeSums(epilogue, getRowOffsets(epilogue, extents, row), /*group=*/0,
              vector);
  });
}
