// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "boostr/passes/cpu/CpuTarget.h"
#include "boostr/passes/Subtarget.h"
#include "mlir/IR/BuiltinTypes.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/MathExtras.h"
#include "llvm/TargetParser/Host.h"
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

CpuTileAttr mlir::boostr::cpu::chooseCpuTile(CpuTargetAttr target,
                                             unsigned sumBits, int64_t m,
                                             int64_t n, int64_t k) {
  int64_t lanes = target.getVectorBits() / sumBits;
  int64_t bytes = sumBits / 8;
  // mr rows times three vectors of columns, next to three vectors of rhs and
  // one of lhs: 8 x 3 of 32 registers, 4 x 3 of 16.
  int64_t mr = std::min<int64_t>(target.getRegisters() >= 32 ? 8 : 4, lanes);
  int64_t nr = 3 * lanes;

  // The rhs panels of a register tile fill the first-level cache; both packed
  // blocks and the sums, with room for what streams by, the second.
  int64_t kc = std::min<int64_t>(
      roundDown(target.getL1Bytes() / (nr * bytes), lanes), 512);
  kc = balance(k, kc, lanes);
  int64_t budget = target.getL2Bytes() / 2 / bytes;
  // With nc = 3 mc: mc*kc + 3*mc*kc + 3*mc*mc = budget.
  int64_t mc = lanes;
  while (4 * (mc + lanes) * kc + 3 * (mc + lanes) * (mc + lanes) <= budget)
    mc += lanes;
  int64_t nc = roundDown(3 * mc, nr);
  mc = balance(m, mc, lanes);
  nc = balance(n, nc, nr);
  return CpuTileAttr::get(target.getContext(), {mc, nc, kc}, {mr, nr}, lanes);
}
