// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "boostr/passes/cpu/PackPanels.h"
#include "boostr/passes/cpu/IndexMath.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace mlir::boostr;
using namespace mlir::boostr::cpu;

PackStrategy mlir::boostr::cpu::choosePackStrategy(const StridedArray &array,
                                                   const DimGroup &rows,
                                                   const DimGroup &k,
                                                   int64_t lanes) {
  if (isContiguousInChunks(array, rows, lanes))
    return PackStrategy::AlongRows;
  if (isContiguousInChunks(array, k, lanes))
    return PackStrategy::AlongK;
  return PackStrategy::Gather;
}

namespace {

/// Emits the packing of one block.
class Packer {
public:
  Packer(ImplicitLocOpBuilder &b, const PackSource &source, Value panels)
      : b(b), source(source), panels(panels) {
    auto type = cast<MemRefType>(panels.getType());
    elementType = type.getElementType();
    lanes = type.getDimSize(2);
  }

  void pack();

private:
  void packAlongRows(Value panel);
  void packAlongK(Value panel);
  void gather(Value panel, Value firstStep);

  Value firstRow(Value panel) {
    return toValue(b, mul(b, panel, b.getIndexAttr(lanes)));
  }
  Value loadVector(Value rowOffset, Value kOffset);

  ImplicitLocOpBuilder &b;
  const PackSource &source;
  Value panels;
  Type elementType;
  int64_t lanes;
};

} // namespace

/// `lanes` elements from the sum of the offsets on, converted.
Value Packer::loadVector(Value rowOffset, Value kOffset) {
  auto type = VectorType::get({lanes}, source.array.getElementType());
  Value offset = toValue(b, add(b, rowOffset, kOffset));
  Value loaded =
      vector::LoadOp::create(b, type, source.array.flat, ValueRange{offset});
  return convertFloat(b, loaded, elementType);
}

void Packer::packAlongRows(Value panel) {
  Value row = firstRow(panel);
  Value rowOffset = memref::LoadOp::create(b, source.rowOffsets, row);
  forLoop(b, source.numSteps, [&](Value k) {
    Value kOffset = memref::LoadOp::create(b, source.kOffsets, k);
    vector::StoreOp::create(b, loadVector(rowOffset, kOffset), panels,
                            ValueRange{panel, k, constant(b, 0)});
  });
}

/// Transposes as many vectors as each has elements: in round d, blocks of d x d
/// elements off the diagonal change places, for d = 1, 2, 4, ...
static void transposeSquare(ImplicitLocOpBuilder &b,
                            MutableArrayRef<Value> rows) {
  int64_t size = rows.size();
  for (int64_t distance = 1; distance < size; distance *= 2) {
    SmallVector<int64_t> low, high;
    for (int64_t i = 0; i < size; ++i) {
      bool upper = i & distance;
      low.push_back(upper ? size + i - distance : i);
      high.push_back(upper ? size + i : i + distance);
    }
    for (int64_t i = 0; i < size; ++i) {
      if (i & distance)
        continue;
      Value &first = rows[i], &second = rows[i + distance];
      Value newFirst = vector::ShuffleOp::create(b, first, second, low);
      second = vector::ShuffleOp::create(b, first, second, high);
      first = newFirst;
    }
  }
}

void Packer::packAlongK(Value panel) {
  Value row = firstRow(panel);
  SmallVector<Value> rowOffsets;
  for (int64_t r = 0; r < lanes; ++r)
    rowOffsets.push_back(memref::LoadOp::create(
        b, source.rowOffsets, toValue(b, add(b, row, b.getIndexAttr(r)))));
  Value rest = arith::RemUIOp::create(b, source.numSteps, constant(b, lanes));
  Value wholeSteps = toValue(b, sub(b, source.numSteps, rest));
  forLoop(
      b, wholeSteps,
      [&](Value k) {
        Value kOffset = memref::LoadOp::create(b, source.kOffsets, k);
        SmallVector<Value> square;
        for (Value rowOffset : rowOffsets)
          square.push_back(loadVector(rowOffset, kOffset));
        transposeSquare(b, square);
        for (auto [i, column] : llvm::enumerate(square))
          vector::StoreOp::create(
              b, column, panels,
              ValueRange{panel, toValue(b, add(b, k, b.getIndexAttr(i))),
                         constant(b, 0)});
      },
      /*step=*/lanes);
  gather(panel, wholeSteps);
}

void Packer::gather(Value panel, Value firstStep) {
  Value row = firstRow(panel);
  forLoop(b, firstStep, source.numSteps, [&](Value k) {
    Value kOffset = memref::LoadOp::create(b, source.kOffsets, k);
    forLoop(b, b.getIndexAttr(lanes), [&](Value r) {
      Value rowOffset = memref::LoadOp::create(b, source.rowOffsets,
                                               toValue(b, add(b, row, r)));
      Value element = memref::LoadOp::create(
          b, source.array.flat, toValue(b, add(b, rowOffset, kOffset)));
      memref::StoreOp::create(b, convertFloat(b, element, elementType), panels,
                              ValueRange{panel, k, r});
    });
  });
}

void Packer::pack() {
  forLoop(b, source.numPanels, [&](Value panel) {
    switch (source.strategy) {
    case PackStrategy::AlongRows: {
      // The last panel may have rows that do not exist and so do not follow.
      Value end = toValue(b, add(b, firstRow(panel), b.getIndexAttr(lanes)));
      Value isWhole = arith::CmpIOp::create(b, arith::CmpIPredicate::ule, end,
                                            source.numRows);
      ifElse(
          b, isWhole, [&] { packAlongRows(panel); },
          [&] { gather(panel, constant(b, 0)); });
      return;
    }
    case PackStrategy::AlongK:
      return packAlongK(panel);
    case PackStrategy::Gather:
      return gather(panel, constant(b, 0));
    }
  });
}

void mlir::boostr::cpu::packPanels(ImplicitLocOpBuilder &b,
                                   const PackSource &source, Value panels) {
  Packer(b, source, panels).pack();
}
