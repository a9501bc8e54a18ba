// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "boostr/passes/gpu/wgmma/ChooseWgmmaTile.h"
#include "boostr/passes/contraction/StaticExtents.h"
#include "boostr/passes/gpu/GpuTile.h"
#include "boostr/passes/gpu/IndependentKernels.h"
#include "boostr/passes/gpu/wgmma/WgmmaCost.h"

using namespace mlir;
using namespace mlir::boostr;
using namespace mlir::boostr::wgmma;

/// Whether every stride of every array, except along memory, is known to be a
/// multiple of the 16 bytes that the copy engine steps by.
static bool hasAlignedStrides(SegmentedContractionOpInterface op) {
  return llvm::all_of(op->getOperandTypes(), [](Type operand) {
    auto type = cast<MemRefType>(operand);
    int64_t perStep = 128 / type.getElementTypeBitWidth();
    if (type.getLayout().isIdentity())
      return type.getRank() < 2 || (!type.isDynamicDim(type.getRank() - 1) &&
                                    type.getShape().back() % perStep == 0);
    SmallVector<int64_t> strides;
    int64_t offset;
    return succeeded(type.getStridesAndOffset(strides, offset)) &&
           !ShapedType::isDynamic(offset) && offset % perStep == 0 &&
           llvm::all_of(ArrayRef(strides).drop_back(), [&](int64_t stride) {
             return !ShapedType::isDynamic(stride) && stride % perStep == 0;
           });
  });
}

/// What `columns` columns a tile cost, in columns of the result: those computed
/// in vain count too, and every tile costs some time at its ends.
static int64_t getColumnCost(const SegmentedContraction &contraction,
                             const WgmmaShape &shape, int64_t columns) {
  constexpr int64_t ends = 48;
  int64_t cost = 0;
  for (const ContractionSegment &segment : contraction.segments) {
    int64_t extent = getStaticProduct(segment.terms.front(), contraction.n);
    // Of an unknown number of columns the larger tile computes faster.
    if (ShapedType::isDynamic(extent))
      return -columns;
    cost += llvm::divideCeil(extent, columns) * (columns + ends);
    if (shape.segmented != SegmentedAxis::N)
      break;
  }
  return cost;
}

//===----------------------------------------------------------------------===//
// Narrower and taller tiles
//===----------------------------------------------------------------------===//

namespace {

/// Columns of the kernels beside that of a tile.
struct FurtherTiles {
  SmallVector<int64_t, 8> narrow, tall;

  GpuTileAttr addTo(GpuTileAttr tile) const {
    return GpuTileAttr::get(tile.getContext(), tile.getKernel(),
                            tile.getBlock(), tile.getStages(), tile.getGroup(),
                            tile.getSplit(), narrow, /*fewRows=*/{},
                            /*warp=*/{}, F32Precision::Ieee, Gemm::Generated,
                            /*fewSteps=*/0, tall);
  }
};

/// Extents that a contraction may have when it runs: those of the model, and
/// so many steps.
struct Case {
  CostModel model;
  int64_t steps, weight;
};

/// A kernel that may be added, and what it takes in each case.
struct Candidate {
  int64_t columns;
  bool isTall;
  SmallVector<double> costs;
};

/// Chooses the kernels beside that of `tile`.
class FurtherTileChooser {
public:
  FurtherTileChooser(SegmentedContractionOpInterface op,
                     const SegmentedContraction &contraction,
                     const WgmmaShape &shape, GpuTileAttr tile)
      : b(op.getLoc(), op), op(op), contraction(contraction), shape(shape),
        tile(tile) {}

  FurtherTiles choose();

private:
  int64_t sumExtents(ArrayRef<unsigned> dims, SegmentedAxis axis);
  int64_t getFewRowsColumns();
  SmallVector<int64_t> getStepsToTry();
  CostModel createModel(int64_t rows);
  void collectCases(int64_t knownRows);
  SmallVector<double> estimate(const WgmmaTile &candidate);
  SmallVector<Candidate> collectCandidates();

  /// All that is computed with it is constant.
  ImplicitLocOpBuilder b;
  SegmentedContractionOpInterface op;
  const SegmentedContraction &contraction;
  const WgmmaShape &shape;
  GpuTileAttr tile;
  SmallVector<Case, 0> cases;
};

} // namespace

/// Of `dims`, which are m or n, in all segments if these differ along `axis`;
/// `ShapedType::kDynamic` if that is unknown.
int64_t FurtherTileChooser::sumExtents(ArrayRef<unsigned> dims,
                                       SegmentedAxis axis) {
  int64_t sum = 0;
  for (const ContractionSegment &segment : contraction.segments) {
    int64_t extent = getStaticProduct(segment.terms.front(), dims);
    if (ShapedType::isDynamic(extent))
      return ShapedType::kDynamic;
    sum += extent;
    if (shape.segmented != axis)
      break;
  }
  return sum;
}

/// Columns of tiles for few rows, where the time is that of reading rhs: as few
/// as make no more tiles than an H100 has multiprocessors, each of which reads.
int64_t FurtherTileChooser::getFewRowsColumns() {
  int64_t all = sumExtents(contraction.n, SegmentedAxis::N);
  StringRef reason;
  // Boxes of rhs have 64 columns where memory runs along these.
  if (shape.rhsAlongK && !ShapedType::isDynamic(all))
    for (int64_t columns : {32, 64, 96, 128})
      if (llvm::divideCeil(all, columns) <= kMultiprocessors &&
          WgmmaTile::getNarrow(shape, tile, columns, reason))
        return columns;
  int64_t dim = shape.headDim;
  if (dim == 0 || dim % kUnit == 0)
    return kUnit;
  return dim < kUnit ? kUnit / dim * dim : dim;
}

/// Steps of 64 indices of k: few and many if their number is unknown.
SmallVector<int64_t> FurtherTileChooser::getStepsToTry() {
  int64_t steps = 0;
  for (const ContractionTerm &term : contraction.segments.front().terms) {
    int64_t extent = getStaticProduct(term, contraction.k);
    if (ShapedType::isDynamic(extent))
      return {8, 32, 128};
    steps += llvm::divideCeil(extent, kUnit);
  }
  return {steps};
}

/// With `rows` where their number is unknown.
CostModel FurtherTileChooser::createModel(int64_t rows) {
  return CostModel(b, contraction, shape, b.getIndexAttr(kMultiprocessors),
                   mayRunTogether(op),
                   [&](const ContractionTerm &term, ArrayRef<unsigned> dims) {
                     int64_t extent = getStaticProduct(term, dims);
                     bool isKnown = !ShapedType::isDynamic(extent);
                     return OpFoldResult(
                         b.getIndexAttr(isKnown ? extent : rows));
                   });
}

/// Numbers of rows that are not known are some of those that are no more than a
/// few rounds of tiles; powers of two, the most frequent, weigh more.
void FurtherTileChooser::collectCases(int64_t knownRows) {
  constexpr int64_t most = 4096;
  int64_t step = tile.getBlock()[0];
  SmallVector<int64_t> rowsToTry = {knownRows};
  if (ShapedType::isDynamic(knownRows)) {
    rowsToTry.clear();
    for (int64_t rows = 2 * step; rows <= most; rows += step)
      rowsToTry.push_back(rows);
  }
  for (int64_t rows : rowsToTry)
    for (int64_t steps : getStepsToTry())
      cases.push_back(
          {createModel(rows), steps, llvm::isPowerOf2_64(rows) ? 3 : 1});
}

/// What a kernel takes in each case.
SmallVector<double> FurtherTileChooser::estimate(const WgmmaTile &candidate) {
  return llvm::map_to_vector(cases, [&](const Case &each) {
    OpFoldResult cost =
        each.model.estimate(candidate, b.getIndexAttr(each.steps));
    return double(getConstantIntValue(cost).value());
  });
}

/// Kernels that may be the best in some case; the first is for few rows.
SmallVector<Candidate> FurtherTileChooser::collectCandidates() {
  SmallVector<Candidate> candidates;
  FurtherTiles first = {{getFewRowsColumns()}, {}};
  StringRef reason;
  auto add = [&](int64_t columns) {
    std::optional<WgmmaTile> narrow =
        WgmmaTile::getNarrow(shape, first.addTo(tile), columns, reason);
    if (narrow)
      candidates.push_back({columns, /*isTall=*/false, estimate(*narrow)});
    return narrow.has_value();
  };
  add(first.narrow.front());
  // Heads that are no multiples of 32 go with 16 columns more.
  for (int64_t columns = kUnit; columns < tile.getBlock()[1];
       columns += kUnit / 2)
    if (columns > first.narrow.front() && !add(columns) &&
        columns + kLeastBoxColumns < tile.getBlock()[1])
      add(columns + kLeastBoxColumns);
  if (std::optional<WgmmaTile> tall =
          WgmmaTile::getTall(shape, tile, kMaxTallColumns, reason))
    candidates.push_back({kMaxTallColumns, /*isTall=*/true, estimate(*tall)});
  return candidates;
}

/// The sum over all cases of the lesser of two costs, as a multiple of the
/// least that there is.
static double sumCosts(ArrayRef<Case> cases, ArrayRef<double> costs,
                       ArrayRef<double> ofAnother, ArrayRef<double> least) {
  double sum = 0;
  for (auto [each, cost, other, best] :
       llvm::zip_equal(cases, costs, ofAnother, least))
    sum += each.weight * std::min(cost, other) / best;
  return sum;
}

static bool areNearly(ArrayRef<double> costs, ArrayRef<double> least) {
  constexpr double mostExcess = 1.08;
  return llvm::all_of(llvm::zip_equal(costs, least), [](auto pair) {
    auto [cost, best] = pair;
    return cost <= mostExcess * best;
  });
}

static void takeLeast(MutableArrayRef<double> costs, ArrayRef<double> others) {
  for (auto [cost, other] : llvm::zip_equal(costs, others))
    cost = std::min(cost, other);
}

/// Adds the kernel that saves most, until none would save much in any case:
/// each takes time to compile.
FurtherTiles FurtherTileChooser::choose() {
  int64_t rows = sumExtents(contraction.m, SegmentedAxis::M);
  bool areKnown = !ShapedType::isDynamic(rows);
  if ((areKnown && rows <= tile.getBlock()[0]) ||
      ShapedType::isDynamic(sumExtents(contraction.n, SegmentedAxis::N)))
    return {/*narrow=*/{getFewRowsColumns()}, /*tall=*/{}};
  collectCases(rows);
  StringRef reason;
  SmallVector<double> costs = estimate(*WgmmaTile::get(shape, tile, reason));
  SmallVector<Candidate> candidates = collectCandidates();
  SmallVector<double> least = costs;
  for (const Candidate &candidate : candidates)
    takeLeast(least, candidate.costs);

  FurtherTiles chosen;
  auto add = [&](Candidate *candidate) {
    (candidate->isTall ? chosen.tall : chosen.narrow)
        .push_back(candidate->columns);
    takeLeast(costs, candidate->costs);
    candidates.erase(candidate);
  };
  if (!areKnown && !candidates.empty())
    add(candidates.begin());
  while (!areNearly(costs, least))
    add(llvm::min_element(candidates, [&](auto &x, auto &y) {
      return sumCosts(cases, costs, x.costs, least) <
             sumCosts(cases, costs, y.costs, least);
    }));
  llvm::sort(chosen.narrow);
  return chosen;
}

//===----------------------------------------------------------------------===//
// The tile
//===----------------------------------------------------------------------===//

GpuTileAttr wgmma::chooseTile(GpuTargetAttr target,
                              const SegmentedContraction &contraction,
                              SegmentedContractionOpInterface op) {
  if (target.getChip() != "sm_90a" || !hasAlignedStrides(op))
    return {};
  StringRef reason;
  std::optional<WgmmaShape> shape = WgmmaShape::match(op, contraction, reason);
  if (!shape)
    return {};
  GpuTileAttr best;
  int64_t leastCost = 0;
  int64_t step = shape->headDim ? shape->headDim : kUnit;
  for (int64_t columns = kMaxColumns / step * step; columns > 0;
       columns -= step) {
    auto tile = GpuTileAttr::get(target.getContext(), GpuKernel::Wgmma,
                                 {kConsumers * kUnit, columns, kUnit},
                                 /*stages=*/4, /*group=*/16, /*split=*/8);
    int64_t cost = getColumnCost(contraction, *shape, columns);
    if (!WgmmaTile::get(*shape, tile, reason) || (best && cost >= leastCost))
      continue;
    best = tile;
    leastCost = cost;
  }
  if (!best)
    return {};
  return FurtherTileChooser(op, contraction, *shape, best).choose().addTo(best);
}
