// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "boostr/passes/gpu/wgmma/WgmmaKernels.h"
#include "boostr/passes/cpu/StridedArray.h"
#include "boostr/passes/gpu/CountIndices.h"
#include "boostr/passes/gpu/wgmma/WgmmaKernel.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace mlir::boostr;
using namespace mlir::boostr::wgmma;

std::optional<WgmmaKernels>
WgmmaKernels::get(const SegmentedContraction &contraction,
                  const WgmmaShape &shape, GpuTileAttr attr, bool leavesRoom,
                  StringRef &reason) {
  SmallVector<std::optional<WgmmaTile>> found;
  auto findAll = [&](int64_t consumers, ArrayRef<int64_t> all) {
    for (int64_t columns : all)
      found.push_back(
          WgmmaTile::getFurther(shape, attr, consumers, columns, reason));
  };
  findAll(kFlatConsumers, attr.getFlat());
  findAll(kConsumers, attr.getNarrow());
  findAll(kTallConsumers, attr.getTall());
  found.push_back(WgmmaTile::get(shape, attr, leavesRoom, reason));
  bool isForFewRows = !attr.getFlat().empty() || !attr.getNarrow().empty();
  WgmmaKernels kernels = {&contraction, shape, {}, isForFewRows, {}, {}};
  for (const std::optional<WgmmaTile> &tile : found) {
    if (!tile)
      return std::nullopt;
    kernels.tiles.push_back(*tile);
  }
  return kernels;
}

void WgmmaKernels::emit(ImplicitLocOpBuilder &b,
                        SegmentedContractionOpInterface op,
                        Workspaces &workspaces) const {
  bool exchangesSums =
      contraction->segments.front().lhsSum ||
      llvm::any_of(tiles, [](const WgmmaTile &tile) { return tile.split > 1; });
  Value workspace = exchangesSums ? workspaces.create() : Value();
  auto launch = [&](size_t number) {
    WgmmaKernel(b, op, *contraction, shape, tiles[number], workspace,
                mayShare.empty() ? Value() : mayShare[number])
        .emit();
  };
  OpBuilder::InsertionGuard guard(b);
  // The least from each kernel on.
  SmallVector<Value> least(costs);
  for (size_t i = tiles.size() - 1; i > 0; --i)
    least[i - 1] = arith::MinUIOp::create(b, costs[i - 1], least[i]);
  for (size_t number = 0; number + 1 < tiles.size(); ++number) {
    Value isLeast = arith::CmpIOp::create(b, arith::CmpIPredicate::eq,
                                          costs[number], least[number]);
    auto branch = scf::IfOp::create(b, isLeast, /*withElseRegion=*/true);
    b.setInsertionPoint(branch.thenBlock()->getTerminator());
    launch(number);
    b.setInsertionPoint(branch.elseBlock()->getTerminator());
  }
  launch(tiles.size() - 1);
}

//===----------------------------------------------------------------------===//
// Costs
//===----------------------------------------------------------------------===//

namespace {

/// Compares kernels of one contraction, or those of two beside each other.
class Comparison {
public:
  Comparison(ImplicitLocOpBuilder &b, Operation *op)
      : math{b},
        multiprocessors(arith::IndexCastOp::create(b, b.getIndexType(),
                                                   countMultiprocessors(b, op))
                            .getResult()) {}

  void compare(WgmmaKernels &kernels);
  void compareTogether(WgmmaKernels &first, WgmmaKernels &second);

private:
  using Costs = SmallVector<OpFoldResult>;
  /// The last but one is the widest tile, the last the same where blocks share
  /// tiles.
  using Times = SmallVector<BlockTimes<OpFoldResult>>;

  Times estimateTimes(const WgmmaKernels &kernels);
  OpFoldResult getLeast(ArrayRef<OpFoldResult> costs);
  Value hasFewRows(const WgmmaKernels &kernels);
  void setCosts(WgmmaKernels &kernels, Costs costs);

  EmittedMath math;
  OpFoldResult multiprocessors;
};

} // namespace

auto Comparison::estimateTimes(const WgmmaKernels &kernels) -> Times {
  CostModel<EmittedMath> model(
      math, *kernels.contraction, kernels.shape, multiprocessors,
      [&](const ContractionTerm &term, ArrayRef<unsigned> dims) {
        return OpFoldResult(
            countIndices(math.b, *kernels.contraction, term, dims));
      });
  Times times = llvm::map_to_vector(kernels.tiles, [&](const WgmmaTile &tile) {
    return model.estimate(tile);
  });
  const WgmmaTile &widest = kernels.tiles.back();
  times.push_back(widest.split > 1 ? model.estimateShared(widest)
                                   : times.back());
  return times;
}

OpFoldResult Comparison::getLeast(ArrayRef<OpFoldResult> costs) {
  OpFoldResult least = costs.front();
  for (OpFoldResult cost : costs.drop_front())
    least = math.min(least, cost);
  return least;
}

/// Whether there are no more rows than one tile has.
Value Comparison::hasFewRows(const WgmmaKernels &kernels) {
  return isAtMost(math.b, countRows(math.b, *kernels.contraction),
                  kernels.tiles.front().rows());
}

/// With few rows reading rhs takes all of the time: the kernel for these costs
/// nothing then.
void Comparison::setCosts(WgmmaKernels &kernels, Costs costs) {
  OpFoldResult shared = costs.pop_back_val();
  costs.back() = math.min(costs.back(), shared);
  if (kernels.isForFewRows)
    costs.front() =
        cpu::select(math.b, hasFewRows(kernels), math.number(0), costs.front());
  kernels.costs = llvm::map_to_vector(
      costs, [&](OpFoldResult cost) { return cpu::toValue(math.b, cost); });
}

void Comparison::compare(WgmmaKernels &kernels) {
  setCosts(kernels,
           llvm::map_to_vector(estimateTimes(kernels),
                               [&](const BlockTimes<OpFoldResult> &times) {
                                 return estimateAlone(math, times);
                               }));
}

void Comparison::compareTogether(WgmmaKernels &first, WgmmaKernels &second) {
  Times ofFirst = estimateTimes(first), ofSecond = estimateTimes(second);
  // By kernel of the first.
  SmallVector<Costs> pairs;
  for (const BlockTimes<OpFoldResult> &times : ofFirst)
    pairs.push_back(llvm::map_to_vector(
        ofSecond, [&](const BlockTimes<OpFoldResult> &others) {
          return estimateTogether(math, times, others, multiprocessors);
        }));
  Costs costs = llvm::map_to_vector(
      pairs, [&](ArrayRef<OpFoldResult> row) { return getLeast(row); });
  setCosts(first, costs);

  // Those of the second beside the kernel of the first that is launched.
  OpFoldResult least = getLeast(llvm::to_vector_of<OpFoldResult>(first.costs));
  Costs beside(pairs[first.tiles.size() - 1]);
  for (size_t number = first.tiles.size() - 1; number-- > 0;)
    for (auto [cost, launched] : llvm::zip_equal(pairs[number], beside))
      launched = math.selectIfLess(least, first.costs[number], launched, cost);
  setCosts(second, beside);

  // The first leaves room. Of the second the widest tiles are shared if that is
  // shorter.
  Value no = arith::ConstantIntOp::create(math.b, math.b.getI1Type(), 0);
  first.mayShare.assign(first.tiles.size(), no);
  second.mayShare.assign(second.tiles.size(), no);
  if (first.isForFewRows)
    first.mayShare.front() = hasFewRows(first);
  OpFoldResult shared = beside.back(), whole = beside[beside.size() - 2];
  second.mayShare.back() = arith::CmpIOp::create(
      math.b, arith::CmpIPredicate::ult, cpu::toValue(math.b, shared),
      cpu::toValue(math.b, whole));
}

void wgmma::estimateCosts(ImplicitLocOpBuilder &b,
                          SegmentedContractionOpInterface op,
                          WgmmaKernels &kernels) {
  if (kernels.tiles.size() > 1)
    Comparison(b, op).compare(kernels);
}

void wgmma::estimateCostsTogether(ImplicitLocOpBuilder &b,
                                  SegmentedContractionOpInterface op,
                                  WgmmaKernels &first, WgmmaKernels &second) {
  Comparison(b, op).compareTogether(first, second);
}
