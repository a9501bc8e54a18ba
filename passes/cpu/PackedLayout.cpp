// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "boostr/passes/cpu/PackedLayout.h"
#include "boostr/passes/cpu/PackPanels.h"
#include "boostr/passes/cpu/Scratch.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/SymbolTable.h"

using namespace mlir;
using namespace mlir::boostr;
using namespace mlir::boostr::cpu;

PackedLayoutAttr
mlir::boostr::cpu::getPackedLayout(const SegmentedContraction &contraction,
                                   RankedTensorType array, CpuTileAttr tile) {
  SmallVector<int64_t> rows;
  for (const ContractionSegment &segment : contraction.segments)
    for (const ContractionTerm &term : segment.terms)
      rows.push_back(term.rhs.rows ? term.rhs.rows->getNumRows()
                                   : array.getDimSize(0));
  // As the emitter has it: what follows in memory is copied, whether that is k
  // or n.
  AffineMap map = contraction.segments.front().terms.front().rhs.map;
  unsigned inner = map.getDimPosition(map.getNumResults() - 1);
  bool isRows = llvm::is_contained(contraction.k, inner);
  return PackedLayoutAttr::get(
      array.getContext(), array, tile.getKernel(),
      isRows ? CpuPanelSide::Rows : CpuPanelSide::Columns,
      tile.getRegisterTile()[isRows ? 0 : 1], tile.getBlock().drop_front(),
      tile.getLanes(), rows);
}

PanelFormat mlir::boostr::cpu::getPanelFormat(PackedLayoutAttr layout) {
  return {layout.getSide() == CpuPanelSide::Rows ? PanelSide::Rows
                                                 : PanelSide::Columns,
          layout.getWidth(),
          layout.getBlock()[1],
          layout.getLanes(),
          layout.getStepsPerLane(),
          layout.getPanelType()};
}

Value mlir::boostr::cpu::createPanelView(ImplicitLocOpBuilder &b, Value bytes,
                                         PackedLayoutAttr layout) {
  int64_t size =
      layout.getNumBlocks() * layout.getNumSteps() * layout.getBlockSize();
  auto type = MemRefType::get({size}, layout.getPanelType());
  Value start = constant(b, layout.getHeader().size());
  return memref::ViewOp::create(b, type, bytes, start, ValueRange());
}

Value mlir::boostr::cpu::getPackedBlockOffset(ImplicitLocOpBuilder &b,
                                              PackedLayoutAttr layout,
                                              OpFoldResult block,
                                              OpFoldResult steps) {
  OpFoldResult number =
      add(b, mul(b, block, b.getIndexAttr(layout.getNumSteps())), steps);
  return toValue(b, mul(b, number, b.getIndexAttr(layout.getBlockSize())));
}

namespace {

/// Indices [start, start + length) of what ends at `end`.
struct IndexBlock {
  Value start, length, end;
};

class ArrayPacker {
public:
  ArrayPacker(ImplicitLocOpBuilder &b, PackArrayOp op)
      : b(b), op(op), layout(op.getLayout()), format(getPanelFormat(layout)) {}
  void emit();

private:
  void copyHeader();
  IndexBlock getBlock(unsigned dim, Value number, int64_t size);
  void packBlock(Value number);

  ImplicitLocOpBuilder &b;
  PackArrayOp op;
  PackedLayoutAttr layout;
  PanelFormat format;
  StridedArray array;
  SmallVector<OpFoldResult, 2> extents;
  Value panels;
};

} // namespace

void ArrayPacker::copyHeader() {
  std::string header = layout.getHeader();
  auto length = static_cast<int64_t>(header.size());
  auto bytes = RankedTensorType::get({length}, b.getI8Type());
  auto type = MemRefType::get(bytes.getShape(), bytes.getElementType());
  SymbolTable symbols(op->getParentOfType<ModuleOp>());
  ArrayRef<int8_t> values(reinterpret_cast<const int8_t *>(header.data()),
                          header.size());
  OpBuilder detached(b.getContext());
  auto global = memref::GlobalOp::create(
      detached, op.getLoc(), "packed_header", b.getStringAttr("private"), type,
      DenseElementsAttr::get(bytes, values), /*constant=*/true,
      /*alignment=*/IntegerAttr());
  symbols.insert(global);
  Value source = memref::GetGlobalOp::create(b, type, global.getSymNameAttr());
  Value out = op.getOut();
  forLoop(b, b.getIndexAttr(length), [&](Value i) {
    Value byte = memref::LoadOp::create(b, source, i);
    memref::StoreOp::create(b, byte, out, i);
  });
}

/// Block `number` of dimension `dim`, of which the first is cut into ranges.
IndexBlock ArrayPacker::getBlock(unsigned dim, Value number, int64_t size) {
  SmallVector<int64_t> ranges = {layout.getArray().getDimSize(1)};
  if (dim == 0)
    ranges.assign(layout.getRows().begin(), layout.getRows().end());
  int64_t rangeStart = 0, rangeBlock = 0;
  Value first, firstBlock, end;
  for (int64_t count : ranges) {
    Value start = constant(b, rangeStart), block = constant(b, rangeBlock);
    Value stop = constant(b, rangeStart + count);
    if (!first) {
      std::tie(first, firstBlock, end) = std::tie(start, block, stop);
    } else {
      Value isBehind =
          arith::CmpIOp::create(b, arith::CmpIPredicate::uge, number, block);
      first = arith::SelectOp::create(b, isBehind, start, first);
      firstBlock = arith::SelectOp::create(b, isBehind, block, firstBlock);
      end = arith::SelectOp::create(b, isBehind, stop, end);
    }
    rangeStart += count;
    rangeBlock += llvm::divideCeil(count, size);
  }
  OpFoldResult before =
      mul(b, sub(b, number, firstBlock), b.getIndexAttr(size));
  Value start = toValue(b, add(b, first, before));
  Value length = toValue(b, min(b, sub(b, end, start), b.getIndexAttr(size)));
  return {start, length, end};
}

/// The panels of a block of rows or columns for a block of steps, as a task of
/// the contraction would pack them.
void ArrayPacker::packBlock(Value number) {
  Scratch scratch(b);
  Value numSteps = constant(b, layout.getNumSteps());
  Value block = arith::DivUIOp::create(b, number, numSteps);
  Value steps = arith::RemUIOp::create(b, number, numSteps);
  unsigned n = format.side == PanelSide::Rows ? 0 : 1, k = 1 - n;
  auto [nc, kc] = std::pair(layout.getBlock()[0], layout.getBlock()[1]);
  IndexBlock columns = getBlock(n, block, nc), range = getBlock(k, steps, kc);
  DimGroup columnDims{n, extents}, stepDims{k, extents};
  int64_t lanes = layout.getLanes();

  PackSource source;
  source.array = array;
  source.strategy = choosePackStrategy(array, columnDims, stepDims, format);
  source.rowsTogether = countTogether(array, columnDims, format);
  source.firstRow = constant(b, 0);
  source.endRow = columns.length;
  OpFoldResult filled = mul(b, ceilDiv(b, columns.length, format.width),
                            b.getIndexAttr(format.width));
  source.endFill =
      toValue(b, mul(b, ceilDiv(b, filled, lanes), b.getIndexAttr(lanes)));
  source.numSteps = range.length;
  int64_t maxRows = format.countPanels(nc) * format.width;
  source.rowOffsets =
      scratch.allocate(llvm::alignTo(maxRows, lanes) + lanes, b.getIndexType());
  source.kOffsets = scratch.allocate(kc, b.getIndexType());
  fillOffsetTable(b, source.rowOffsets, array, columnDims, columns.start,
                  columns.end,
                  toValue(b, add(b, source.endFill, b.getIndexAttr(lanes))));
  fillOffsetTable(b, source.kOffsets, array, stepDims, range.start, range.end,
                  range.length);
  packPanels(b, source, format, panels,
             getPackedBlockOffset(b, layout, block, steps));
}

void ArrayPacker::emit() {
  copyHeader();
  panels = createPanelView(b, op.getOut(), layout);
  array = StridedArray::get(b, op.getArray(), /*rows=*/std::nullopt,
                            b.getMultiDimIdentityMap(2));
  for (int64_t extent : layout.getArray().getShape())
    extents.push_back(b.getIndexAttr(extent));
  Value count = constant(b, layout.getNumBlocks() * layout.getNumSteps());
  auto tasks =
      scf::ParallelOp::create(b, constant(b, 0), count, constant(b, 1));
  tasks->setAttr(BoostrDialect::getGrainAttrName(), b.getI64IntegerAttr(1));
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(tasks.getBody()->getTerminator());
  packBlock(tasks.getInductionVars().front());
}

void mlir::boostr::cpu::emitPackArray(ImplicitLocOpBuilder &b, PackArrayOp op) {
  ArrayPacker(b, op).emit();
}
