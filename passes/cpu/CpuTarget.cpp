// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "boostr/passes/cpu/CpuTarget.h"
#include "boostr/dialect/SegmentedContraction.h"
#include "boostr/passes/Subtarget.h"
#include "mlir/IR/BuiltinTypes.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/MathExtras.h"
#include "llvm/TargetParser/Host.h"
#include <limits>
#include <numeric>
#include <tuple>
#include <unistd.h>

using namespace mlir;
using namespace mlir::boostr;

//===----------------------------------------------------------------------===//
// Targets
//===----------------------------------------------------------------------===//

/// The features of this machine, as LLVM wants them on a command line.
static std::string getHostFeatures() {
  SmallVector<std::string> features;
  for (const auto &feature : llvm::sys::getHostCPUFeatures())
    features.push_back((feature.second ? "+" : "-") + feature.first().str());
  llvm::sort(features);
  return llvm::join(features, ",");
}

static int64_t getCacheSize(bool isNative, int name, int64_t typical) {
  int64_t size = isNative ? sysconf(name) : 0;
  return size > 0 ? size : typical;
}

CpuTargetAttr mlir::boostr::cpu::getCpuTarget(MLIRContext *context,
                                              EmitError emitError,
                                              StringRef cpu,
                                              StringRef features) {
  bool isNative = cpu == "native";
  std::string name = isNative ? llvm::sys::getHostCPUName().str() : cpu.str();
  std::string allFeatures = isNative ? getHostFeatures() : std::string();
  if (!features.empty())
    allFeatures += (allFeatures.empty() ? "" : ",") + features.str();
  std::unique_ptr<llvm::MCSubtargetInfo> subtarget =
      createX86Subtarget(emitError, name, allFeatures);
  if (!subtarget)
    return {};

  bool hasAvx512 = subtarget->checkFeatures("+avx512f,+avx512vl,+avx512dq,"
                                            "+avx512bw");
  bool hasAvx2 = subtarget->checkFeatures("+avx2,+fma");
  int64_t vectorBits = hasAvx512 ? 512 : hasAvx2 ? 256 : 128;
  int64_t registers = hasAvx512 ? 32 : 16;
  int64_t l1 = getCacheSize(isNative, _SC_LEVEL1_DCACHE_SIZE, 32 << 10);
  int64_t l2 = getCacheSize(isNative, _SC_LEVEL2_CACHE_SIZE,
                            hasAvx512 ? 1 << 20 : 256 << 10);
  return CpuTargetAttr::get(context, name, allFeatures, vectorBits, registers,
                            l1, l2);
}

std::string mlir::boostr::cpu::describeHost() {
  auto getSize = [](int name) { return getCacheSize(true, name, 0); };
  return (llvm::sys::getHostCPUName() + ";" + getHostFeatures() + ";" +
          Twine(getSize(_SC_LEVEL1_DCACHE_SIZE)) + ";" +
          Twine(getSize(_SC_LEVEL2_CACHE_SIZE)))
      .str();
}

//===----------------------------------------------------------------------===//
// Tiles
//===----------------------------------------------------------------------===//

/// The largest multiple of `multiple` that is at most `size`, at least one.
static int64_t roundDown(int64_t size, int64_t multiple) {
  return std::max(size / multiple, int64_t(1)) * multiple;
}

/// Splits `extent` in the fewest blocks of at most `block` and makes these
/// equal.
static int64_t balance(int64_t extent, int64_t block, int64_t multiple) {
  if (ShapedType::isDynamic(extent) || extent == 0)
    return block;
  int64_t blocks = llvm::divideCeil(extent, block);
  int64_t equal = llvm::divideCeil(extent, blocks);
  return llvm::divideCeil(equal, multiple) * multiple;
}

/// Splits `extent`, of which a panel holds `width`, in blocks of at most
/// `block` and makes these equal. Two threads share them, or a multiple of two:
/// so their number is to be even, and panels are to be full.
static int64_t share(int64_t extent, int64_t block, int64_t multiple,
                     int64_t width) {
  if (ShapedType::isDynamic(extent) || extent == 0)
    return block;
  int64_t fewest = llvm::divideCeil(extent, block);
  int64_t best = block, least = std::numeric_limits<int64_t>::max();
  for (int64_t blocks = fewest; blocks <= 2 * fewest; ++blocks) {
    int64_t size = llvm::alignTo(llvm::divideCeil(extent, blocks), multiple);
    int64_t work = llvm::alignTo(llvm::divideCeil(extent, size), 2) *
                   llvm::alignTo(size, width);
    if (size <= block && work < least)
      std::tie(best, least) = std::pair(size, work);
  }
  return best;
}

/// What multiplies elements of this type fastest.
static CpuKernel chooseKernel(CpuTargetAttr target, Type elementType) {
  if (!elementType.isBF16())
    return CpuKernel::Fma;
  // Names and features come from LLVM, which has checked them.
  auto ignore = [&]() -> InFlightDiagnostic { return {}; };
  std::unique_ptr<llvm::MCSubtargetInfo> subtarget =
      createX86Subtarget(ignore, target.getCpu(), target.getFeatures());
  if (!subtarget || target.getVectorBits() < 512)
    return CpuKernel::Fma;
  if (subtarget->checkFeatures("+amx-tile,+amx-bf16,+avx512f"))
    return CpuKernel::Amx;
  // Sapphire Rapids and what came after it, told by avx512fp16, multiply pairs
  // at half of the rate of multiply-adds, as was measured.
  bool hasFastDot = subtarget->checkFeatures("+avx512bf16,+avx512f") &&
                    !subtarget->checkFeatures("+avx512fp16");
  return hasFastDot ? CpuKernel::Dot : CpuKernel::Fma;
}

/// Rows and vectors of columns of the register tile: as many sums as leave
/// registers for the vectors of columns and one broadcast.
static std::pair<int64_t, int64_t> getVectorTile(CpuTargetAttr target) {
  return target.getRegisters() >= 32 ? std::pair<int64_t, int64_t>{12, 2}
                                     : std::pair<int64_t, int64_t>{6, 2};
}

// Larger blocks save nothing more.
static constexpr int64_t kMaxRows = 512, kMaxColumns = 256;
// Blocks of columns that there should be for threads to share. No more: rows of
// lhs come from the third-level cache for each. AMX is faster than that brings
// them, so its blocks are to be wide, and blocks of all segments and rows
// count.
static constexpr int64_t kMinBlocks = 8;

/// Blocks of columns that there should be at least, in each segment.
static int64_t getMinColumnBlocks(const cpu::ContractionSize &size, int64_t mc,
                                  bool isAmx) {
  if (!isAmx)
    return kMinBlocks;
  // What is worth several threads has more than a block of rows.
  int64_t rowBlocks =
      ShapedType::isDynamic(size.m) ? 2 : llvm::divideCeil(size.m, mc);
  return llvm::divideCeil(kMinBlocks,
                          std::max<int64_t>(size.segments * rowBlocks, 1));
}

/// Steps of a panel of rows, of which one takes `bytes`. It takes at most a
/// quarter of the first-level cache, half of it with AMX, so that columns can
/// stream by, or two thirds where these do not stay; longer ones save little.
static int64_t getMaxSteps(CpuTargetAttr target, int64_t bytes, bool isAmx,
                           bool streamsColumns, int64_t chunk) {
  int64_t room = streamsColumns ? target.getL1Bytes() * 2 / 3
                                : target.getL1Bytes() / (isAmx ? 2 : 4);
  return std::min<int64_t>(roundDown(room / bytes, chunk),
                           streamsColumns ? 512 : 256);
}

/// Numbers of rows to have code for that does not pack rhs. AMX makes up for
/// the packing sooner.
static SmallVector<int64_t> getFewRows(int64_t m, bool isAmx) {
  SmallVector<int64_t> counts = {1, 4, isAmx ? 8 : 32};
  if (ShapedType::isDynamic(m))
    return counts;
  for (int64_t count : counts)
    if (m <= count)
      return {count};
  return {};
}

CpuTileAttr mlir::boostr::cpu::chooseCpuTile(CpuTargetAttr target,
                                             Type elementType,
                                             const ContractionSize &size) {
  auto [m, n, k, segments, fewest, isRhsColumns, isRhsPacked] = size;
  CpuKernel kernel = chooseKernel(target, elementType);
  bool isAmx = kernel == CpuKernel::Amx;
  int64_t sumBytes = getAccumulatorType(elementType).getWidth() / 8;
  int64_t bytes = multipliesPairs(kernel) ? 2 : sumBytes;
  int64_t lanes = target.getVectorBits() / 8 / sumBytes;
  auto [rows, vectors] =
      isAmx ? std::pair<int64_t, int64_t>{32, 2} : getVectorTile(target);
  int64_t columns = vectors * lanes;

  int64_t chunk = multipliesPairs(kernel) ? 2 * lanes : lanes;
  auto countSteps = [&, k = k, rows = rows](bool streamsColumns) {
    int64_t most =
        getMaxSteps(target, rows * bytes, isAmx, streamsColumns, chunk);
    return balance(k, most, chunk);
  };
  // Where rhs is the side of rows, packed lhs is read anew for each panel of
  // them: with AMX, which the third-level cache is too slow for, it is to stay
  // in half of the second, if it fits with all its steps.
  int64_t mostRows =
      ShapedType::isDynamic(m)
          ? kMaxRows
          : std::min<int64_t>(llvm::alignTo(m, columns), kMaxRows);
  bool keepsLhs =
      isAmx && !isRhsColumns && !ShapedType::isDynamic(k) &&
      k <= roundDown(target.getL2Bytes() / 2 / (mostRows * bytes), chunk);
  // With AMX columns that lie in the second-level cache can be loaded such that
  // they do not stay in the first, so that more steps of rows do: those that
  // are packed for a task, and those above. Columns from the third-level cache,
  // or for few steps, would take longer that way.
  bool streamsColumns = isAmx && (isRhsColumns || keepsLhs) &&
                        countSteps(true) > countSteps(false);
  int64_t kc = countSteps(streamsColumns);
  // Packed rows of lhs and sums take a quarter of the second each, or a half
  // and an eighth if all steps stay: the rest is for what streams by. With AMX
  // both sides are as wide.
  int64_t width = isRhsColumns ? columns : rows, whole = std::lcm(width, lanes);
  int64_t quarter = target.getL2Bytes() / 4;
  int64_t mc = std::min(roundDown(quarter / (kc * bytes), columns), kMaxRows);
  int64_t nc = std::min<int64_t>(
      llvm::alignTo((keepsLhs ? quarter / 2 : quarter) / (mc * sumBytes),
                    whole),
      roundDown(kMaxColumns, whole));
  // Where rhs is the side of columns, two blocks of it are there at a time, and
  // rows of lhs pass by. More of these share packed columns, as far as there is
  // room for their sums. For an unknown number of rows blocks stay small, as
  // memory is set aside for whole ones; with AMX too, which reads larger sums
  // slower.
  if (isRhsColumns) {
    // Rows come from the third-level cache, which AMX waits for: wider blocks
    // need fewer of them. With twice the steps sums pass by half as often.
    if (isAmx)
      nc = roundDown(streamsColumns ? kMaxColumns : kMaxColumns * 3 / 2, whole);
    nc = std::min(
        nc, roundDown(target.getL2Bytes() * 3 / 8 / (2 * kc * bytes), whole));
    int64_t room = target.getL2Bytes() * 3 / 4 - 2 * nc * kc * bytes;
    if (!isAmx && !ShapedType::isDynamic(m))
      mc = std::max(mc, std::min(roundDown(room / (nc * sumBytes), columns),
                                 2 * kMaxRows));
  }
  mc = balance(m, mc, columns);
  // Where columns pass by for each panel of rows that is packed, both panels
  // are to be in the first-level cache at once, unless columns do not stay.
  if (!isRhsColumns && !streamsColumns)
    kc = balance(k,
                 std::min(kc, roundDown(target.getL1Bytes() * 3 / 4 /
                                            ((rows + columns) * bytes),
                                        4 * chunk)),
                 chunk);
  if (isAmx || isRhsPacked) {
    if (!ShapedType::isDynamic(n))
      nc = std::min(
          nc, std::max<int64_t>(
                  llvm::alignTo(
                      llvm::divideCeil(n, getMinColumnBlocks(size, mc, isAmx)),
                      columns),
                  std::lcm(rows, columns)));
    // Whole panels where these are vectors of columns: few rows go by them.
    int64_t multiple = isAmx || isRhsColumns ? columns : lanes;
    nc = isAmx ? balance(n, nc, multiple) : share(n, nc, multiple, width);
  } else if (!ShapedType::isDynamic(n)) {
    // The code cuts blocks into less if there are too few for all threads.
    nc = std::min<int64_t>(nc, llvm::alignTo(std::max<int64_t>(n, 1), whole));
  }
  return CpuTileAttr::get(
      target.getContext(), kernel, {mc, nc, kc}, {rows, columns}, lanes,
      /*packed_bytes=*/int64_t(16) << 20,
      // With AMX a whole block of 512 rows is half as large: less than what two
      // of these take, so that the next is on its way beside sums.
      /*cached_bytes=*/target.getL2Bytes() *
          (keepsLhs ? 8
           : isAmx  ? 3
                    : 4) /
          16,
      getFewRows(fewest, isAmx), streamsColumns);
}
