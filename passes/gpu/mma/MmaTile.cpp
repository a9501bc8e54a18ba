// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "boostr/passes/gpu/mma/MmaTile.h"
#include "boostr/passes/contraction/StaticExtents.h"
#include "boostr/passes/gpu/ArrayLayout.h"

using namespace mlir;
using namespace mlir::boostr;
using namespace mlir::boostr::mma;

/// The most that a block of any chip has.
static constexpr int64_t kMaxSharedBytes = 227 * 1024;
static constexpr int64_t kMaxThreads = 512;
/// Registers of a thread that sums may take.
static constexpr int64_t kMaxSumRegisters = 128;

/// The instruction that multiplies operands of `type`, if there is one.
static std::optional<Instruction>
getInstruction(Type type, F32Precision precision, GpuTargetAttr target) {
  if (type.isF16() || type.isBF16())
    return Instruction{16, 8, 16};
  if (type.isF64())
    // Half the rate is what sm_90 has left of the instruction of sm_80.
    return getGeneration(target) == 90 ? Instruction{16, 8, 16}
                                       : Instruction{8, 8, 4};
  if (type.isF32() && precision != F32Precision::Ieee)
    return Instruction{16, 8, 8};
  return std::nullopt;
}

//===----------------------------------------------------------------------===//
// Shared memory
//===----------------------------------------------------------------------===//

/// Lines of 16-bit elements are read 16 bytes from each of 8 lines: these must
/// be an odd number of 16 bytes apart. Else threads read single elements, of 8
/// neighbours along rows and 4 along steps (or 4 and 4 of 64 bits).
SmallVector<int64_t, 3> MmaTile::sharedShape(int64_t rows,
                                             bool alongSteps) const {
  int64_t padding = elementBytes() == 4 && !alongSteps ? 8
                    : elementBytes() == 2              ? 8
                                                       : 4;
  if (alongSteps)
    return {stages, rows, steps + padding};
  return {stages, steps, rows + padding};
}

SmallVector<int64_t, 2> MmaTile::stagingShape() const {
  return {rows, columns + 8};
}

int64_t MmaTile::operandBytes(int64_t rows, bool alongSteps) const {
  return llvm::product_of(sharedShape(rows, alongSteps)) * elementBytes();
}

int64_t MmaTile::sharedBytes(bool lhsAlongSteps, bool rhsAlongSteps) const {
  return std::max(operandBytes(rows, lhsAlongSteps) +
                      operandBytes(columns, rhsAlongSteps),
                  llvm::product_of(stagingShape()) * sumBytes());
}

//===----------------------------------------------------------------------===//
// Tiles
//===----------------------------------------------------------------------===//

std::optional<MmaTile> MmaTile::get(const SegmentedContraction &contraction,
                                    GpuTileAttr attr, GpuTargetAttr target,
                                    StringRef &reason) {
  auto fail = [&](StringRef why) {
    reason = why;
    return std::nullopt;
  };
  MmaTile tile;
  tile.elementType = getOperandType(contraction);
  tile.sumType = getAccumulatorType(tile.elementType);
  tile.precision = attr.getPrecision();
  std::optional<Instruction> instruction =
      getInstruction(tile.elementType, tile.precision, target);
  if (!instruction)
    return fail("mma multiplies f32 with a precision of tf32 or tf32x3 only");
  if (!contraction.segments.front().product)
    return fail("there is no product for mma to compute");
  tile.instruction = *instruction;
  tile.rows = attr.getBlock()[0];
  tile.columns = attr.getBlock()[1];
  tile.steps = attr.getBlock()[2];
  tile.warpRows = attr.getWarp()[0];
  tile.warpColumns = attr.getWarp()[1];
  tile.stages = attr.getStages();
  tile.group = attr.getGroup();
  if (tile.warpRows % 16 != 0 || tile.warpColumns % 16 != 0)
    return fail("rows and columns of a warp of mma are multiples of 16");
  if (tile.rows % tile.warpRows != 0 || tile.columns % tile.warpColumns != 0 ||
      tile.threads() > kMaxThreads)
    return fail("a block of mma is 1 to 16 whole warps");
  if (tile.warpRows * tile.warpColumns / kWarp * tile.sumBytes() / 4 >
      kMaxSumRegisters)
    return fail("sums of a warp of mma are at most 64 x 64 (32 x 64 for f64)");
  if (!llvm::isPowerOf2_64(tile.columns) || tile.threads() % tile.columns != 0)
    return fail("columns of a block of mma are a power of two and at most as "
                "many as its threads");
  if (tile.steps % 16 != 0 || tile.steps * tile.rows % tile.threads() != 0 ||
      tile.steps * tile.columns % tile.threads() != 0)
    return fail("steps of a block of mma are a multiple of 16, and its threads "
                "share them evenly");
  if (tile.stages < 2 ||
      tile.sharedBytes(runsAlongSteps(contraction, /*isLhs=*/true),
                       runsAlongSteps(contraction, /*isLhs=*/false)) >
          kMaxSharedBytes)
    return fail("two to as many stages of mma as shared memory holds are "
                "possible");
  return tile;
}

int64_t mma::getSharedBytes(GpuTargetAttr target) {
  int64_t generation = getGeneration(target);
  if (generation < 80)
    return 0;
  switch (generation) {
  case 80:
  case 87:
    return 163 * 1024;
  case 90:
  case 100:
  case 101:
  case 103:
  case 110:
    return 227 * 1024;
  default:
    return 99 * 1024;
  }
}

/// Chips for graphics have a 32nd or 64th of the f64 rate in tensor cores too.
static bool hasFastDoubles(int64_t sharedBytes) {
  return sharedBytes > 99 * 1024;
}

static bool isAtMost(const SegmentedContraction &contraction,
                     ArrayRef<unsigned> dims, int64_t limit) {
  return llvm::all_of(contraction.segments, [&](const auto &segment) {
    int64_t extent = getStaticProduct(segment.terms.front(), dims);
    return !ShapedType::isDynamic(extent) && extent <= limit;
  });
}

namespace {

struct Candidate {
  int64_t rows, columns, steps, warpRows, warpColumns, stages;
};

} // namespace

/// What was fastest on an H100 (docs/gpu-performance.md); with as many stages,
/// if shared memory holds them.
static Candidate chooseCandidate(const SegmentedContraction &contraction,
                                 F32Precision precision, int64_t sharedBytes,
                                 int64_t generation) {
  Type type = getOperandType(contraction);
  int64_t bytes = type.getIntOrFloatBitWidth() / 8;
  if (isAtMost(contraction, contraction.m, 64) ||
      isAtMost(contraction, contraction.n, 64))
    return {64, 64, 128 / bytes, 32, 32, 4};
  if (type.isF64())
    return {64, 64, 16, 32, 32, 4};
  // Large blocks leave no registers for small pieces, nor for the second parts
  // of tf32x3.
  constexpr int64_t middleShared = 163 * 1024, largeShared = 227 * 1024;
  if (precision != F32Precision::Tf32x3 && sharedBytes >= middleShared &&
      hasLargePieces(contraction)) {
    // Fragments of f32 and two operands that are copied row by row, each row at
    // an address of its own, are more than there are registers for. So are sums
    // of lhs.
    bool hasFewerSteps = sharedBytes < largeShared ||
                         contraction.segments.front().lhsSum ||
                         (type.isF32() && runsAlongSteps(contraction, true) &&
                          runsAlongSteps(contraction, false));
    if (hasFewerSteps)
      return {128, 256, 64 / bytes, 64, 64, 4};
    return {128, 256, 128 / bytes, 64, 64, 3};
  }
  // Nor, on these chips, are there registers for 16 elements of each operand
  // that a thread copies one by one.
  if (generation >= 120 && bytes == 2 && !hasLargePieces(contraction))
    return {128, 128, 16, 64, 32, 4};
  return {128, 128, 64 / bytes, 64, 32, 4};
}

GpuTileAttr mma::getSmallTile(GpuTileAttr tile, ArrayRef<int64_t> small,
                              const SegmentedContraction &contraction) {
  int64_t bytes = getOperandType(contraction).getIntOrFloatBitWidth() / 8;
  bool isMiddle = small[0] >= 128 && small[1] >= 128;
  // Of small pieces as many as there are registers for.
  int64_t steps = (hasLargePieces(contraction) && !isMiddle ? 128 : 64) / bytes;
  std::array<int64_t, 2> most = {isMiddle ? 64 : 32, 32};
  return GpuTileAttr::get(
      tile.getContext(), GpuKernel::Mma, {small[0], small[1], steps},
      /*stages=*/4, tile.getGroup(), tile.getSplit(), /*narrow=*/{},
      /*fewRows=*/{},
      {std::min(small[0], most[0]), std::min(small[1], most[1])},
      tile.getPrecision(), tile.getGemm());
}

GpuTileAttr mma::chooseTile(GpuTargetAttr target,
                            const SegmentedContraction &contraction,
                            F32Precision precision) {
  Type type = getOperandType(contraction);
  int64_t sharedBytes = getSharedBytes(target);
  if (!type.isF32())
    precision = F32Precision::Ieee;
  if (sharedBytes == 0 || !contraction.segments.front().product ||
      !getInstruction(type, precision, target) ||
      (type.isF64() && !hasFastDoubles(sharedBytes)))
    return {};

  Candidate candidate = chooseCandidate(contraction, precision, sharedBytes,
                                        getGeneration(target));
  for (int64_t stages = candidate.stages; stages > 1; --stages) {
    auto attr = GpuTileAttr::get(
        target.getContext(), GpuKernel::Mma,
        {candidate.rows, candidate.columns, candidate.steps}, stages,
        /*group=*/8, /*split=*/1, /*narrow=*/{}, /*fewRows=*/{},
        {candidate.warpRows, candidate.warpColumns}, precision);
    StringRef reason;
    std::optional<MmaTile> tile =
        MmaTile::get(contraction, attr, target, reason);
    if (tile &&
        tile->sharedBytes(runsAlongSteps(contraction, true),
                          runsAlongSteps(contraction, false)) <= sharedBytes)
      return attr;
  }
  return {};
}
