// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the host computes for a kernel: how axes are cut in boxes, the ring, the
// arrays of all segments and terms, and how many tiles there are.

#include "boostr/passes/cpu/IndexMath.h"
#include "boostr/passes/gpu/GpuTile.h"
#include "boostr/passes/gpu/wgmma/WgmmaKernel.h"

using namespace mlir;
using namespace mlir::boostr;
using namespace mlir::boostr::wgmma;

/// The extent of the axis' inner dimension with what is folded in.
static OpFoldResult getInnerExtent(ImplicitLocOpBuilder &host, const Axis &axis,
                                   ArrayRef<OpFoldResult> extents) {
  OpFoldResult extent = extents[axis.inner];
  return axis.folded ? cpu::mul(host, extents[*axis.folded], extent) : extent;
}

/// The least power of two, up to 64, that is not less than `extent`.
static OpFoldResult roundUpToPowerOf2(ImplicitLocOpBuilder &host,
                                      OpFoldResult extent) {
  if (std::optional<int64_t> known = getConstantIntValue(extent)) {
    int64_t power = llvm::PowerOf2Ceil(std::max<int64_t>(*known, 1));
    return host.getIndexAttr(std::min(power, kUnit));
  }
  Value power = cpu::constant(host, kUnit);
  for (int64_t smaller = kUnit / 2; smaller > 0; smaller /= 2) {
    Value bound = cpu::constant(host, smaller);
    Value fits = arith::CmpIOp::create(host, arith::CmpIPredicate::ule,
                                       cpu::toValue(host, extent), bound);
    power = arith::SelectOp::create(host, fits, bound, power);
  }
  return power;
}

/// A unit is 64 indices of the inner dimension or, where these are fewer and
/// memory does not run along them, some of each of several outer ones.
WgmmaKernel::Walk WgmmaKernel::getWalk(const Axis &axis,
                                       ArrayRef<OpFoldResult> extents) {
  Walk walk;
  OpFoldResult inner = getInnerExtent(host, axis, extents);
  OpFoldResult outer =
      axis.outer ? extents[*axis.outer] : OpFoldResult(host.getIndexAttr(1));
  bool canSpan = axis.outer && !axis.isContiguous;
  OpFoldResult unit = host.getIndexAttr(kUnit);
  walk.innerBox = canSpan ? roundUpToPowerOf2(host, inner) : unit;
  walk.outerBox = canSpan ? cpu::ceilDiv(host, unit, walk.innerBox)
                          : OpFoldResult(host.getIndexAttr(1));
  walk.perOuter = cpu::ceilDiv(host, inner, walk.innerBox);
  walk.count =
      cpu::mul(host, walk.perOuter, cpu::ceilDiv(host, outer, walk.outerBox));
  return walk;
}

/// The fewest pieces of at most `most` that `extent` is cut in, as equal as can
/// be: how many, none if there is nothing, and the length of the longest.
static std::pair<OpFoldResult, OpFoldResult>
cutEqually(ImplicitLocOpBuilder &host, OpFoldResult extent, OpFoldResult most) {
  auto atLeastOne = [&](OpFoldResult number) {
    return cpu::max(host, number, host.getIndexAttr(1));
  };
  OpFoldResult count = cpu::ceilDiv(host, extent, most);
  return {count, cpu::ceilDiv(host, atLeastOne(extent), atLeastOne(count))};
}

/// That of m. Boxes of a narrow tile have no more rows than there are, since
/// the copy engine takes as long for a row outside of the array as for others.
WgmmaKernel::Walk WgmmaKernel::getRowWalk(ArrayRef<OpFoldResult> extents) {
  if (!tile.isNarrow || shape.m.isContiguous)
    return getWalk(shape.m, extents);
  Walk walk;
  OpFoldResult unit = host.getIndexAttr(kUnit);
  std::tie(walk.perOuter, walk.innerBox) =
      cutEqually(host, getInnerExtent(host, shape.m, extents), unit);
  OpFoldResult outer = shape.m.outer ? extents[*shape.m.outer]
                                     : OpFoldResult(host.getIndexAttr(1));
  OpFoldResult most = cpu::div(host, unit, walk.innerBox);
  OpFoldResult pieces;
  std::tie(pieces, walk.outerBox) = cutEqually(host, outer, most);
  walk.count = cpu::mul(host, walk.perOuter, pieces);
  return walk;
}

WgmmaKernel::DeviceWalk WgmmaKernel::addWalk(const Walk &walk) {
  return {parameters.addNumber(walk.innerBox),
          parameters.addNumber(walk.outerBox),
          parameters.addNumber(walk.perOuter)};
}

WgmmaKernel::Extents WgmmaKernel::getBox(
    std::initializer_list<std::pair<const Axis *, Walk>> walks) {
  Extents box(contraction.dims.size());
  for (const auto &[axis, walk] : walks) {
    box[axis->inner] = walk.innerBox;
    if (axis->outer)
      box[*axis->outer] = walk.outerBox;
  }
  return box;
}

TensorView WgmmaKernel::getView(Value array,
                                const std::optional<HeadRows> &rows,
                                AffineMap map, ArrayRef<OpFoldResult> extents) {
  TensorView view;
  view.array = cpu::StridedArray::get(host, array, rows, map);
  llvm::append_range(view.extents, extents);
  for (const Axis *axis : {&shape.m, &shape.n, &shape.k})
    view.extents[axis->inner] = getInnerExtent(host, *axis, extents);
  view.dims = getViewDims(shape, map);
  return view;
}

/// Bytes of rhs that all blocks together have under way if there are few rows:
/// with fewer the memory waits, and more make it slower
/// (docs/gpu-performance.md, steps 26 and 28).
static constexpr int64_t kBytesUnderWay = (int64_t(13) << 20) / 2;

/// Stages of a narrow tile hold the units of rows that there are, in whole
/// groups of 8 rows; what the tensor cores read behind them are rows that are
/// not stored.
WgmmaKernel::Ring WgmmaKernel::createRing(OpFoldResult tiles) {
  if (!tile.isNarrow)
    return {b.number(kBoxBytes), b.number(tile.lhsBytes()),
            b.number(tile.stageBytes()), b.number(tile.stages)};
  auto number = [&](int64_t value) -> OpFoldResult {
    return host.getIndexAttr(value);
  };
  constexpr int64_t groupRows = 8;
  OpFoldResult rows = cpu::mul(host, mWalk.innerBox, mWalk.outerBox);
  OpFoldResult unitBytes = cpu::mul(host, cpu::ceilDiv(host, rows, groupRows),
                                    number(groupRows * kRowBytes));
  OpFoldResult units = cpu::min(host, mWalk.count, number(numConsumers));
  OpFoldResult lhsBytes = cpu::mul(host, units, unitBytes);
  OpFoldResult stageBytes = cpu::add(host, lhsBytes, number(tile.rhsBytes()));
  OpFoldResult fitting = cpu::div(host, number(tile.ringBytes()), stageBytes);
  OpFoldResult blocks = cpu::max(
      host, cpu::min(host, tiles, number(kMultiprocessors)), number(1));
  // A stage is released when the next one is being multiplied.
  constexpr int64_t leastStages = 4;
  OpFoldResult needed = cpu::max(
      host, cpu::div(host, number(kBytesUnderWay / tile.rhsBytes()), blocks),
      number(leastStages));
  int64_t fewUnits = std::max(numConsumers, kConsumers);
  Value areFew = arith::CmpIOp::create(host, arith::CmpIPredicate::ult,
                                       cpu::toValue(host, mWalk.count),
                                       cpu::constant(host, fewUnits));
  OpFoldResult most =
      arith::SelectOp::create(host, areFew, cpu::toValue(host, needed),
                              cpu::constant(host, tile.stages))
          .getResult();
  OpFoldResult numStages =
      cpu::min(host, fitting, cpu::min(host, most, number(tile.stages)));
  return {parameters.addNumber(unitBytes), parameters.addNumber(lhsBytes),
          parameters.addNumber(stageBytes), parameters.addNumber(numStages)};
}

/// Operands of term `number` of each segment.
void WgmmaKernel::collectTerm(unsigned number) {
  Term term;
  for (auto [segment, description] : llvm::enumerate(contraction.segments)) {
    const ContractionTerm &source = description.terms[number];
    Extents termExtents(getExtents(host, host.getLoc(), contraction, source));
    Walk k = getWalk(shape.k, termExtents);
    if (segment == 0) {
      term.numSteps = parameters.addNumber(k.count);
      hostSteps = number == 0 ? k.count : cpu::add(host, hostSteps, k.count);
      term.k = addWalk(k);
    }
    if (segment == 0 || shape.segmented == SegmentedAxis::M)
      term.lhs.push_back(
          parameters.addTensorMap(getView(source.lhs.array, source.lhs.rows,
                                          source.lhs.map, termExtents),
                                  getBox({{&shape.m, mWalk}, {&shape.k, k}})));
    else
      term.lhs.push_back(term.lhs.front());
    if (segment == 0 || shape.segmented == SegmentedAxis::N) {
      Walk n;
      n.innerBox = host.getIndexAttr(tile.heads > 0 ? shape.headDim
                                                    : tile.rhsBoxColumns());
      n.outerBox = host.getIndexAttr(std::max<int64_t>(tile.heads, 1));
      term.rhs.push_back(
          parameters.addTensorMap(getView(source.rhs.array, source.rhs.rows,
                                          source.rhs.map, termExtents),
                                  getBox({{&shape.n, n}, {&shape.k, k}})));
    } else {
      term.rhs.push_back(term.rhs.front());
    }
    lhsDims = getViewDims(shape, source.lhs.map);
    rhsDims = getViewDims(shape, source.rhs.map);
  }
  terms.push_back(std::move(term));
}

void WgmmaKernel::collectResults() {
  SmallVector<Value> destinations = op.getDestinations();
  for (auto [number, segment] : llvm::enumerate(contraction.segments)) {
    ArrayRef<OpFoldResult> segmentExtents = extents[number];
    const ContractionResult &product = *segment.product;
    Value destination = destinations[product.number];
    resultType = getElementTypeOrSelf(destination);
    resultDims = getViewDims(shape, product.map);
    int64_t rowBytes = tile.boxRowBytes(shape.resultBytes);
    Walk columns;
    columns.innerBox = host.getIndexAttr(tile.boxColumns(shape.resultBytes));
    columns.outerBox = host.getIndexAttr(1);
    Extents box = getBox({{&shape.m, mWalk}, {&shape.n, columns}});
    results.push_back(parameters.addTensorMap(
        getView(destination, product.rows, product.map, segmentExtents), box,
        rowBytes));
    for (const ContractionOperand &addend : product.addends) {
      if (!isTileAddend(addend, product)) {
        bias.push_back(parameters.addAddress(cpu::StridedArray::get(
            host, addend.array, addend.rows, addend.map)));
        numColumns.push_back(
            parameters.addNumber(countColumns(segmentExtents)));
      } else if (shape.readsAddend) {
        addends.push_back(parameters.addTensorMap(
            getView(addend.array, addend.rows, addend.map, segmentExtents), box,
            rowBytes));
      }
    }
    if (!segment.lhsSum)
      continue;
    const ContractionResult &lhsSum = *segment.lhsSum;
    Value sumDestination = destinations[lhsSum.number];
    lhsSumType = getElementTypeOrSelf(sumDestination);
    lhsSumAccumulates = lhsSum.accumulatesInPlace;
    lhsSums.push_back(parameters.addAddress(
        cpu::StridedArray::get(host, sumDestination, lhsSum.rows, lhsSum.map)));
    innerRows =
        parameters.addNumber(getInnerExtent(host, shape.m, segmentExtents));
    if (shape.m.outer)
      outerRows.push_back(parameters.addNumber(segmentExtents[*shape.m.outer]));
  }
}

OpFoldResult WgmmaKernel::countColumns(ArrayRef<OpFoldResult> segmentExtents) {
  OpFoldResult count = getInnerExtent(host, shape.n, segmentExtents);
  return shape.n.outer ? cpu::mul(host, count, segmentExtents[*shape.n.outer])
                       : count;
}

OpFoldResult
WgmmaKernel::countColumnTiles(ArrayRef<OpFoldResult> segmentExtents) {
  if (!shape.n.outer)
    return cpu::ceilDiv(host, countColumns(segmentExtents), tile.columns);
  OpFoldResult heads = segmentExtents[*shape.n.outer];
  if (tile.partsOfHead)
    return cpu::mul(host, heads, host.getIndexAttr(tile.partsOfHead));
  return cpu::ceilDiv(host, heads, tile.heads);
}

void WgmmaKernel::collectParameters() {
  for (const ContractionSegment &segment : contraction.segments)
    extents.push_back(Extents(
        getExtents(host, host.getLoc(), contraction, segment.terms.front())));
  mWalk = getRowWalk(extents.front());
  if (tile.isNarrow) {
    numUnits = parameters.addNumber(mWalk.count);
    unitRows =
        parameters.addNumber(cpu::mul(host, mWalk.innerBox, mWalk.outerBox));
  }
  m = addWalk(mWalk);
  for (unsigned term = 0; term < contraction.segments.front().terms.size();
       ++term)
    collectTerm(term);
  collectResults();

  // Tiles along both axes, of all segments; columns if tiles span these.
  OpFoldResult rowTiles = host.getIndexAttr(0),
               columnTiles = host.getIndexAttr(0);
  for (auto [number, segmentExtents] : llvm::enumerate(extents)) {
    Walk walk = getRowWalk(segmentExtents);
    OpFoldResult rows = cpu::ceilDiv(host, walk.count, numConsumers);
    OpFoldResult columns = tile.spansSegments
                               ? countColumns(segmentExtents)
                               : countColumnTiles(segmentExtents);
    bool isFirst = number == 0;
    if (isFirst || shape.segmented == SegmentedAxis::M)
      rowTiles = cpu::add(host, rowTiles, rows);
    if (isFirst || shape.segmented == SegmentedAxis::N)
      columnTiles = cpu::add(host, columnTiles, columns);
    if (number + 1 < extents.size())
      segmentEnds.push_back(parameters.addNumber(
          shape.segmented == SegmentedAxis::M ? rowTiles : columnTiles));
  }
  if (tile.spansSegments)
    columnTiles = cpu::ceilDiv(host, columnTiles, tile.columns);
  numRowTiles = parameters.addNumber(rowTiles);
  lastRowsReciprocal = parameters.addNumber(getLastRowsReciprocal(rowTiles));
  numColumnTiles = parameters.addNumber(columnTiles);
  if (sumsByWarps())
    numLhsParts = parameters.addNumber(countLhsParts(columnTiles));
  numSteps = b.number(0);
  for (Term &term : terms) {
    term.firstStep = numSteps;
    numSteps = b.add(numSteps, term.numSteps);
  }
  OpFoldResult tiles = cpu::mul(host, rowTiles, columnTiles);
  ring = createRing(tiles);
  launch(tiles, hostSteps);
}
