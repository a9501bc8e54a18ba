// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "boostr/passes/gpu/mma/MmaKernel.h"
#include "boostr/passes/cpu/IndexMath.h"
#include "boostr/passes/gpu/KeepRolled.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/NVGPU/IR/NVGPUDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace mlir::boostr;
using namespace mlir::boostr::cpu;
using namespace mlir::boostr::mma;

/// Rows that a thread stores before it waits for what is added to others.
static constexpr int64_t kRowsAtOnce = 4;
/// Bytes that a thread reads at once.
static constexpr int64_t kLargestAccess = 16;

MmaKernel::MmaKernel(ImplicitLocOpBuilder &b,
                     SegmentedContractionOpInterface op,
                     const SegmentedContraction &contraction,
                     const MmaTile &tile, BlockParts parts,
                     MultipleExtents extents)
    : BlockKernel(b, op, contraction, tile.sumType, extents, parts), tile(tile),
      lhs(planOperand(/*isLhs=*/true, tile.rows, tile.steps, tile.threads())),
      rhs(planOperand(/*isLhs=*/false, tile.columns, tile.steps,
                      tile.threads())) {}

//===----------------------------------------------------------------------===//
// The frame
//===----------------------------------------------------------------------===//

void MmaKernel::emit() {
  Frame frame{tile.rows, tile.columns, tile.threads(), tile.group,
              tile.sharedBytes(lhs.plan.alongSteps, rhs.plan.alongSteps)};
  frame.steps = tile.steps;
  auto [numProducts, numLhs] = countSums();
  frame.sumTypes.assign(numProducts + numLhs,
                        getSumsType(tile.instruction, tile.sumType));
  emitLaunch(frame, [&](const SegmentArrays &segment) { emitBlock(segment); });
}

void MmaKernel::emitBlock(const SegmentArrays &segment) {
  Value warp = quotient(thread, kWarp);
  lane = remainder(thread, kWarp);
  group = quotient(lane, 4);
  inGroup = remainder(lane, 4);
  warpRow = times(quotient(warp, tile.warpsPerRow()), tile.warpRows);
  warpColumn = times(remainder(warp, tile.warpsPerRow()), tile.warpColumns);
  createShared(createSharedBytes());
  Sums sums = createZeros();
  accumulateInto(sums, segment, [&](const TermArrays &term, Sums &begun) {
    accumulateTerm(term, begun);
  });
  storeSumsOfParts(segment, sums.values(), [&](const SegmentArrays &segment) {
    const Extents &extents = segment.terms.front().extents;
    if (segment.lhsSum)
      storeSumsOfLhs(*segment.lhsSum, extents, sums);
    stageSums(sums);
    storeProducts(*segment.product, extents);
  });
}

void MmaKernel::createShared(Value bytes) {
  auto view = [&](const Operand &operand, int64_t offset) {
    return viewShared(bytes, offset,
                      tile.sharedShape(operand.rows, operand.plan.alongSteps),
                      tile.elementType);
  };
  lhs.shared = view(lhs, 0);
  rhs.shared = view(rhs, tile.operandBytes(lhs.rows, lhs.plan.alongSteps));
  // In place of the ring, when that has been read.
  staging = viewShared(bytes, 0, tile.stagingShape(), tile.sumType);
}

/// Vectors that a thread has of the products, and of the sums of lhs.
std::pair<int64_t, int64_t> MmaKernel::countSums() const {
  const Instruction &shape = tile.instruction;
  int64_t rowTiles = tile.warpRows / shape.rows;
  return {rowTiles * tile.warpColumns / shape.columns,
          hasLhsSum() ? rowTiles : 0};
}

MmaKernel::Sums MmaKernel::createZeros() {
  Value zeros = arith::ConstantOp::create(
      b, b.getZeroAttr(getSumsType(tile.instruction, tile.sumType)));
  auto [numProducts, numLhs] = countSums();
  return {SmallVector<Value>(numProducts, zeros),
          SmallVector<Value>(numLhs, zeros)};
}

SmallVector<Value *> MmaKernel::Sums::values() {
  SmallVector<Value *> all;
  carry(all, products);
  carry(all, lhs);
  return all;
}

//===----------------------------------------------------------------------===//
// The products
//===----------------------------------------------------------------------===//

MmaKernel::Fragments MmaKernel::loadStep(Value slot, int64_t step) {
  return {loadFragments(lhs, slot, step), loadFragments(rhs, slot, step)};
}

SmallVector<Value *> MmaKernel::Fragments::values() {
  SmallVector<Value *> all;
  for (SmallVector<Fragment> *fragments : {&lhs, &rhs})
    for (Fragment &fragment : *fragments) {
      carry(all, fragment.high);
      carry(all, fragment.low);
    }
  return all;
}

void MmaKernel::multiply(const Fragments &fragments, Sums &sums) {
  auto *sum = sums.products.begin();
  for (const Fragment &row : fragments.lhs)
    for (const Fragment &column : fragments.rhs) {
      *sum = multiply(row, column, *sum);
      ++sum;
    }
  if (hasLhsSum())
    addLhs(fragments.lhs, sums);
}

/// Sums of lhs are a product with ones, by the first warps of the first column
/// of blocks.
void MmaKernel::addLhs(ArrayRef<Fragment> lhsFragments, Sums &sums) {
  Value isFirst = both(isFirstColumn, isEqual(warpColumn, 0));
  auto branch = scf::IfOp::create(b, ValueRange(sums.lhs).getTypes(), isFirst,
                                  /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(branch.elseBlock());
  scf::YieldOp::create(b, sums.lhs);
  b.setInsertionPointToStart(branch.thenBlock());
  Fragment ones = createOnes();
  for (auto [fragment, sum] : llvm::zip_equal(lhsFragments, sums.lhs)) {
    if (!fragment.low.empty())
      sum = emitInstruction(fragment.low, ones.high, sum);
    sum = emitInstruction(fragment.high, ones.high, sum);
  }
  scf::YieldOp::create(b, sums.lhs);
  sums.lhs = llvm::to_vector_of<Value>(branch.getResults());
}

/// Small products first; that of the two low parts is below the precision of
/// f32.
Value MmaKernel::multiply(const Fragment &row, const Fragment &column,
                          Value sum) {
  if (!row.low.empty()) {
    sum = emitInstruction(row.low, column.high, sum);
    sum = emitInstruction(row.high, column.low, sum);
  }
  return emitInstruction(row.high, column.high, sum);
}

Value MmaKernel::emitInstruction(ArrayRef<Value> row, ArrayRef<Value> column,
                                 Value sum) {
  return emitProduct(b, tile.instruction, tile.elementType, row, column, sum);
}

/// The warp's part of a stage, from `step` on.
SmallVector<MmaKernel::Fragment>
MmaKernel::loadFragments(const Operand &operand, Value slot, int64_t step) {
  return tile.elementBytes() == 2 ? loadMatrices(operand, slot, step)
                                  : loadElements(operand, slot, step);
}

/// By `ldmatrix`, four matrices of 8 x 8 at once: for one instruction's rows of
/// lhs, or two instructions' columns of rhs. Thread i says where line i of them
/// begins. Where memory runs along rows, they are transposed on the way.
SmallVector<MmaKernel::Fragment>
MmaKernel::loadMatrices(const Operand &operand, Value slot, int64_t step) {
  bool alongSteps = operand.plan.alongSteps;
  Value inMatrix = remainder(lane, 8);
  Value second = times(remainder(quotient(lane, 8), 2), 8);
  Value third = times(quotient(lane, 16), 8);
  Value row = operand.isLhs ? second : third;
  Value inStep = operand.isLhs ? third : second;
  Value &line = alongSteps ? row : inStep;
  line = plus(line, inMatrix);
  row = plus(row, operand.isLhs ? warpRow : warpColumn);
  inStep = plus(inStep, step);

  auto type = VectorType::get({4, 2}, tile.elementType);
  Type i32 = b.getI32Type();
  SmallVector<Fragment> fragments;
  int64_t warpRows = operand.isLhs ? tile.warpRows : tile.warpColumns;
  for (int64_t first = 0; first < warpRows; first += 16) {
    Value matrices = nvgpu::LdMatrixOp::create(
        b, type, operand.shared,
        getIndices(operand, slot, plus(row, first), inStep),
        /*transpose=*/!alongSteps, /*numTiles=*/4);
    Fragment fragment;
    for (int64_t i = 0; i < 4; ++i) {
      Value pair = vector::ExtractOp::create(b, matrices, i);
      if (tile.elementType.isBF16())
        pair = vector::ExtractOp::create(
            b, vector::BitCastOp::create(b, VectorType::get({1}, i32), pair),
            0);
      fragment.high.push_back(pair);
      if (!operand.isLhs && i % 2 == 1)
        fragments.push_back(std::exchange(fragment, {}));
    }
    if (operand.isLhs)
      fragments.push_back(fragment);
  }
  return fragments;
}

/// Element by element: `ldmatrix` transposes 16 bits only.
SmallVector<MmaKernel::Fragment>
MmaKernel::loadElements(const Operand &operand, Value slot, int64_t step) {
  const Instruction &shape = tile.instruction;
  int64_t warpRows = operand.isLhs ? tile.warpRows : tile.warpColumns;
  int64_t rowsAtOnce = operand.isLhs ? shape.rows : shape.columns;
  Value row = plus(group, operand.isLhs ? warpRow : warpColumn);
  Value inStep = plus(inGroup, step);
  SmallVector<Fragment> fragments;
  for (int64_t first = 0; first < warpRows; first += rowsAtOnce) {
    Fragment &fragment = fragments.emplace_back();
    for (int64_t q = 0; q < shape.steps; q += 4)
      for (int64_t p = 0; p < rowsAtOnce; p += 8)
        appendElement(fragment,
                      memref::LoadOp::create(b, operand.shared,
                                             getIndices(operand, slot,
                                                        plus(row, first + p),
                                                        plus(inStep, q))));
  }
  return fragments;
}

/// f32 is rounded to TF32, and so is what that leaves.
void MmaKernel::appendElement(Fragment &fragment, Value element) {
  if (!tile.elementType.isF32()) {
    fragment.high.push_back(element);
    return;
  }
  auto round = [&](Value value) -> Value {
    return NVVM::ConvertFloatToTF32Op::create(b, b.getI32Type(), value,
                                              NVVM::FPRoundingMode::RNA);
  };
  fragment.high.push_back(round(element));
  if (tile.precision != F32Precision::Tf32x3)
    return;
  Value high =
      arith::BitcastOp::create(b, b.getF32Type(), fragment.high.back());
  fragment.low.push_back(round(arith::SubFOp::create(b, element, high)));
}

MmaKernel::Fragment MmaKernel::createOnes() {
  const Instruction &shape = tile.instruction;
  int64_t count =
      shape.columns * shape.steps * tile.elementBytes() / (kWarp * 4);
  Value one;
  if (tile.elementType.isF64()) {
    one = arith::ConstantOp::create(b, b.getF64FloatAttr(1.0));
    count = shape.steps / 4;
  } else if (tile.elementType.isF16()) {
    auto type = VectorType::get({2}, tile.elementType);
    one = arith::ConstantOp::create(
        b, DenseElementsAttr::get(type, b.getFloatAttr(tile.elementType, 1.0)));
  } else {
    int64_t bits = tile.elementType.isBF16() ? 0x3f803f80 : 0x3f800000;
    one = arith::ConstantIntOp::create(b, bits, 32);
  }
  return {SmallVector<Value, 8>(count, one), {}};
}

//===----------------------------------------------------------------------===//
// The results
//===----------------------------------------------------------------------===//

/// To shared memory, so that threads that store have neighbours of a row.
void MmaKernel::stageSums(const Sums &sums) {
  const Instruction &shape = tile.instruction;
  auto type = VectorType::get({2}, tile.sumType);
  Value row = plus(warpRow, group);
  Value column = plus(warpColumn, times(inGroup, 2));
  const auto *sum = sums.products.begin();
  for (int64_t i = 0; i < tile.warpRows; i += shape.rows)
    for (int64_t j = 0; j < tile.warpColumns; j += shape.columns, ++sum)
      for (int64_t p = 0; p < shape.rows / 8; ++p) {
        Value pair = vector::FromElementsOp::create(
            b, type,
            ValueRange{vector::ExtractOp::create(b, *sum, 2 * p),
                       vector::ExtractOp::create(b, *sum, 2 * p + 1)});
        vector::StoreOp::create(
            b, pair, staging, ValueRange{plus(row, i + 8 * p), plus(column, j)},
            /*nontemporal=*/false, llvm::MaybeAlign(2 * tile.sumBytes()));
      }
  ::mlir::gpu::BarrierOp::create(b);
}

/// Each thread has some columns of every n-th row. What is added is read for
/// several rows before the first of them is stored.
void MmaKernel::storeProducts(const OutputArrays &output,
                              const Extents &extents) {
  Epilogue epilogue =
      startEpilogue(output, /*isLhsSum=*/false, /*lanes=*/{8, 4, 2, 1});
  int64_t lanes = epilogue.lanes;
  int64_t perRow = tile.columns / lanes;
  Value column = times(remainder(thread, perRow), lanes);
  addColumns(epilogue, extents, plus(columns.start, column));
  Value isColumnThere = epilogue.isColumnThere.front();
  int64_t rowsAtOnce = tile.threads() / perRow;
  int64_t turns = llvm::divideCeil(tile.rows, rowsAtOnce);
  int64_t turnsAtOnce = std::gcd(turns, kRowsAtOnce);
  auto type = VectorType::get({lanes}, tile.sumType);

  auto loop = scf::ForOp::create(b, constant(b, 0), constant(b, turns),
                                 constant(b, turnsAtOnce));
  keepRolled(loop);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(loop.getBody()->getTerminator());
  Value first =
      plus(quotient(thread, perRow), times(loop.getInductionVar(), rowsAtOnce));
  struct Turn {
    Value isThere, sums;
    SmallVector<Value> offsets;
  };
  SmallVector<Turn> all;
  for (int64_t number = 0; number < turnsAtOnce; ++number) {
    Turn &turn = all.emplace_back();
    Value local = plus(first, number * rowsAtOnce);
    Value row = plus(rows.start, local);
    turn.offsets = getRowOffsets(epilogue, extents, row);
    turn.isThere = both(isColumnThere, isLess(row, rows.end));
    // The last turn may have more threads than rows.
    if (tile.rows % rowsAtOnce != 0)
      turn.isThere = both(turn.isThere, isLess(local, constant(b, tile.rows)));
    auto branch = scf::IfOp::create(b, type, turn.isThere,
                                    /*withElseRegion=*/true);
    OpBuilder::InsertionGuard inner(b);
    b.setInsertionPointToStart(branch.thenBlock());
    Value sums = vector::LoadOp::create(
        b, type, staging, ValueRange{local, column}, /*nontemporal=*/false,
        llvm::MaybeAlign(std::min(lanes * tile.sumBytes(), kLargestAccess)));
    scf::YieldOp::create(b,
                         addAddends(epilogue, turn.offsets, /*group=*/0, sums));
    b.setInsertionPointToStart(branch.elseBlock());
    Value zeros = arith::ConstantOp::create(b, b.getZeroAttr(type));
    scf::YieldOp::create(b, zeros);
    turn.sums = branch.getResult(0);
  }
  for (const Turn &turn : all)
    ifElse(b, turn.isThere,
           [&] { storeSums(epilogue, turn.offsets, /*group=*/0, turn.sums); });
}

/// The first of each four threads has sums of rows; they are alike in all
/// columns.
void MmaKernel::storeSumsOfLhs(const OutputArrays &output,
                               const Extents &extents, const Sums &sums) {
  Value isMine =
      both(isFirstColumn, both(isEqual(warpColumn, 0), isEqual(inGroup, 0)));
  const Instruction &shape = tile.instruction;
  ifElse(b, isMine, [&] {
    for (auto [i, sum] : llvm::enumerate(sums.lhs))
      for (int64_t p = 0; p < shape.rows / 8; ++p) {
        Value row = plus(rows.start, plus(warpRow, group));
        row = plus(row, int64_t(i) * shape.rows + 8 * p);
        ifElse(b, isLess(row, rows.end), [&, sum = sum] {
          storeLhsSum(output, extents, row,
                      vector::ExtractOp::create(b, sum, 2 * p));
        });
      }
  });
}
