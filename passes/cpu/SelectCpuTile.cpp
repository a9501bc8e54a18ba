// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// `boostr-select-cpu-tile`: how the contractions of an op are blocked.

#include "boostr/dialect/BoostrOps.h"
#include "boostr/passes/Passes.h"
#include "boostr/passes/contraction/StaticExtents.h"
#include "boostr/passes/cpu/CpuTarget.h"

namespace mlir::boostr {
#define GEN_PASS_DEF_SELECTCPUTILE
#include "boostr/passes/Passes.h.inc"
} // namespace mlir::boostr

using namespace mlir;
using namespace mlir::boostr;

namespace {

struct SelectCpuTile : boostr::impl::SelectCpuTileBase<SelectCpuTile> {
  void runOnOperation() override;
};

} // namespace

/// The larger of two extents; what is unknown may be the larger.
static int64_t larger(int64_t x, int64_t y) {
  if (ShapedType::isDynamic(x) || ShapedType::isDynamic(y))
    return ShapedType::kDynamic;
  return std::max(x, y);
}

/// The largest extents in any contraction of the op: one tile serves them all.
static cpu::ContractionSize getSize(SegmentedContractionOpInterface op) {
  cpu::ContractionSize size;
  size.segments = std::numeric_limits<int64_t>::max();
  // What counts tokens where the weight, or its gradient, has all of the rest:
  // rows, or steps of a contraction whose steps follow each other in no array.
  SmallVector<int64_t> few;
  for (const SegmentedContraction &contraction : op.getContractions()) {
    size.segments =
        std::min<int64_t>(size.segments, contraction.segments.size());
    int64_t rows = 0, steps = 0;
    bool hasColumns = true;
    for (const ContractionSegment &segment : contraction.segments)
      for (const ContractionTerm &term : segment.terms) {
        rows = larger(rows, getStaticProduct(term, contraction.m));
        steps = larger(steps, getStaticProduct(term, contraction.k));
        size.n = larger(size.n, getStaticProduct(term, contraction.n));
        auto inner = cast<AffineDimExpr>(term.rhs.map.getResults().back());
        if (llvm::is_contained(contraction.k, inner.getPosition()))
          hasColumns = false;
      }
    size.m = larger(size.m, rows);
    size.k = larger(size.k, steps);
    size.isRhsColumns &= hasColumns;
    few.push_back(rows);
    if (hasColumns)
      few.push_back(steps);
  }
  if (!llvm::is_contained(few, ShapedType::kDynamic) && !few.empty())
    size.fewest = *llvm::min_element(few);
  return size;
}

CpuTileAttr mlir::boostr::cpu::getCpuTile(SegmentedContractionOpInterface op,
                                          CpuTargetAttr target,
                                          bool isRhsPacked) {
  if (auto given =
          op->getAttrOfType<CpuTileAttr>(BoostrDialect::getCpuTileAttrName()))
    return given;
  cpu::ContractionSize size = getSize(op);
  size.isRhsPacked = isRhsPacked;
  return chooseCpuTile(target, getElementTypeOrSelf(op->getOperand(0)), size);
}

void SelectCpuTile::runOnOperation() {
  auto target = getOperation()->getAttrOfType<CpuTargetAttr>(
      BoostrDialect::getCpuTargetAttrName());
  StringRef name = BoostrDialect::getCpuTileAttrName();
  WalkResult result =
      getOperation()->walk([&](SegmentedContractionOpInterface op) {
        if (!op.isBufferForm() || op->hasAttr(name))
          return WalkResult::advance();
        if (!target) {
          op->emitOpError() << "expected the module to have an attribute '"
                            << BoostrDialect::getCpuTargetAttrName()
                            << "'; run boostr-set-cpu-target before";
          return WalkResult::interrupt();
        }
        op->setAttr(name, cpu::getCpuTile(op, target));
        return WalkResult::advance();
      });
  if (result.wasInterrupted())
    signalPassFailure();
}
