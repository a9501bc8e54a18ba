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
// Narrower, flatter and taller tiles
//===----------------------------------------------------------------------===//

namespace {

/// Columns of the kernels beside that of a tile.
struct FurtherTiles {
  SmallVector<int64_t, 8> narrow, tall, flat;

  /// Those with so many consumers.
  SmallVector<int64_t, 8> &getAll(int64_t consumers) {
    if (consumers == kFlatConsumers)
      return flat;
    return consumers == kTallConsumers ? tall : narrow;
  }
  GpuTileAttr addTo(GpuTileAttr tile) const {
    return tile.withFurtherTiles(narrow, tall, flat);
  }
};

/// A contraction and its widest tile.
struct Product {
  const SegmentedContraction &contraction;
  WgmmaShape shape;
  GpuTileAttr tile;
  /// Whether its kernels leave room for those of another one.
  bool leavesRoom;
};

/// A kernel of the product `product`, and what its blocks take in each case.
struct Candidate {
  unsigned product;
  int64_t consumers, columns;
  bool isNeeded;
  SmallVector<BlockTimes<int64_t>, 0> times;
};

/// Chooses the kernels beside those of the tiles of one product, or of two that
/// run at the same time. A case is a number of tokens, of what is not known of
/// the extents.
class FurtherTileChooser {
public:
  explicit FurtherTileChooser(ArrayRef<Product> products)
      : products(products) {}

  SmallVector<FurtherTiles, 2> choose();

private:
  using Kernels = SmallVector<const Candidate *>;

  void collectCases();
  void collectCandidates(unsigned number);
  void collectColumns(unsigned number, int64_t least, int64_t end,
                      llvm::function_ref<bool(int64_t columns)> add);
  bool addCandidate(unsigned number, bool isNeeded,
                    const std::optional<WgmmaTile> &tile,
                    bool isShared = false);
  SmallVector<double> estimate(ArrayRef<const Candidate *> kernels);
  double sumCosts(ArrayRef<double> costs);
  bool areNearlyLeast(ArrayRef<double> costs);
  const Candidate *findMostUseful(Kernels taken);
  void dropNeedless(Kernels &taken);

  ArrayRef<Product> products;
  SmallVector<int64_t> cases;
  std::vector<Candidate> candidates;
  /// What the best of all kernels take in each case.
  SmallVector<double> least;
};

} // namespace

/// Of `dims`, which are m or n, in all segments if these differ along `axis`;
/// `ShapedType::kDynamic` if that is unknown.
static int64_t sumExtents(const Product &product, ArrayRef<unsigned> dims,
                          SegmentedAxis axis) {
  int64_t sum = 0;
  for (const ContractionSegment &segment : product.contraction.segments) {
    int64_t extent = getStaticProduct(segment.terms.front(), dims);
    if (ShapedType::isDynamic(extent))
      return ShapedType::kDynamic;
    sum += extent;
    if (product.shape.segmented != axis)
      break;
  }
  return sum;
}

static int64_t countRows(const Product &product) {
  return sumExtents(product, product.contraction.m, SegmentedAxis::M);
}

static int64_t countColumns(const Product &product) {
  return sumExtents(product, product.contraction.n, SegmentedAxis::N);
}

static bool hasKnownSteps(const Product &product) {
  ArrayRef<ContractionTerm> terms = product.contraction.segments.front().terms;
  return llvm::none_of(terms, [&](const ContractionTerm &term) {
    return ShapedType::isDynamic(getStaticProduct(term, product.contraction.k));
  });
}

/// Whether there are flat tiles, of which one is for few rows then. Where
/// memory of rhs runs along columns, as in gradients, they have not been
/// measured.
static bool hasFlatTiles(const Product &product) {
  return product.shape.rhsAlongK;
}

/// Consumers of the tile for few rows.
static int64_t getFewRowsConsumers(const Product &product) {
  return hasFlatTiles(product) ? kFlatConsumers : kConsumers;
}

/// Columns of tiles for few rows, where the time is that of reading rhs: as few
/// as make no more tiles than an H100 has multiprocessors, each of which reads.
static int64_t getFewRowsColumns(const Product &product) {
  int64_t all = countColumns(product);
  StringRef reason;
  // Boxes of rhs have 64 columns where memory runs along these.
  if (product.shape.rhsAlongK && !ShapedType::isDynamic(all))
    for (int64_t columns : {32, 64, 96, 128})
      if (llvm::divideCeil(all, columns) <= kMultiprocessors &&
          WgmmaTile::getFurther(product.shape, product.tile,
                                getFewRowsConsumers(product), columns, reason))
        return columns;
  int64_t dim = product.shape.headDim;
  if (dim == 0 || dim % kUnit == 0)
    return kUnit;
  return dim < kUnit ? kUnit / dim * dim : dim;
}

/// The tile for few rows.
static FurtherTiles chooseFewRowsTile(const Product &product) {
  FurtherTiles tiles;
  tiles.getAll(getFewRowsConsumers(product))
      .push_back(getFewRowsColumns(product));
  return tiles;
}

/// Tokens that are not known are some of those that make no more than a few
/// rounds of tiles.
void FurtherTileChooser::collectCases() {
  constexpr int64_t few = 512, most = 4096, step = 128;
  bool areKnown = llvm::all_of(products, [](const Product &product) {
    return !ShapedType::isDynamic(countRows(product)) && hasKnownSteps(product);
  });
  bool haveFlatTiles = llvm::all_of(products, hasFlatTiles);
  int64_t least = haveFlatTiles ? 128 : 256;
  for (int64_t tokens = least; tokens <= (areKnown ? least : most);
       tokens += haveFlatTiles && tokens < few ? kUnit : step)
    cases.push_back(tokens);
}

/// Whether there is such a kernel; then it is a candidate.
bool FurtherTileChooser::addCandidate(unsigned number, bool isNeeded,
                                      const std::optional<WgmmaTile> &tile,
                                      bool isShared) {
  if (!tile)
    return false;
  const Product &product = products[number];
  Candidate candidate = {number, tile->consumers, tile->columns, isNeeded, {}};
  for (int64_t tokens : cases) {
    auto count = [&](const ContractionTerm &term, ArrayRef<unsigned> dims) {
      int64_t extent = getStaticProduct(term, dims);
      return ShapedType::isDynamic(extent) ? tokens : extent;
    };
    CostModel<KnownMath> model(KnownMath(), product.contraction, product.shape,
                               kMultiprocessors, count);
    candidate.times.push_back(isShared ? model.estimateShared(*tile)
                                       : model.estimate(*tile));
  }
  candidates.push_back(std::move(candidate));
  return true;
}

/// Calls `add` for numbers of columns more than `least` and less than `end`; it
/// returns whether there is such a tile. Heads that are no multiples of 32 go
/// with 16 columns more. Boxes of rhs have 64 columns where memory runs along
/// these.
void FurtherTileChooser::collectColumns(
    unsigned number, int64_t least, int64_t end,
    llvm::function_ref<bool(int64_t columns)> add) {
  int64_t step = products[number].shape.rhsAlongK ? kUnit / 2 : kUnit;
  for (int64_t columns = kUnit; columns < end; columns += step)
    if (columns > least && !add(columns) && columns + kLeastBoxColumns < end)
      add(columns + kLeastBoxColumns);
}

/// The kernel of the tile, that for few rows if there may be few, and others
/// that may be the best in some case.
void FurtherTileChooser::collectCandidates(unsigned number) {
  const Product &product = products[number];
  const WgmmaShape &shape = product.shape;
  StringRef reason;
  std::optional<WgmmaTile> widest =
      WgmmaTile::get(shape, product.tile, product.leavesRoom, reason);
  for (bool isShared : {false, true})
    if (!isShared || widest->split > 1)
      addCandidate(number, /*isNeeded=*/true, widest, isShared);
  FurtherTiles few = chooseFewRowsTile(product);
  int64_t fewConsumers = getFewRowsConsumers(product);
  int64_t fewColumns = few.getAll(fewConsumers).front();
  GpuTileAttr tile = few.addTo(product.tile);
  auto getTile = [&](int64_t consumers, int64_t columns) {
    return WgmmaTile::getFurther(shape, tile, consumers, columns, reason);
  };
  int64_t rows = countRows(product);
  bool hasFewRows =
      !ShapedType::isDynamic(rows) && rows <= fewConsumers * kUnit;
  addCandidate(number, ShapedType::isDynamic(rows) || hasFewRows,
               getTile(fewConsumers, fewColumns));
  if (hasFewRows)
    return;

  auto collect = [&](int64_t consumers, int64_t end) {
    int64_t least = consumers == fewConsumers ? fewColumns : 0;
    collectColumns(number, least, end, [&](int64_t columns) {
      return addCandidate(number, /*isNeeded=*/false,
                          getTile(consumers, columns));
    });
  };
  collect(kConsumers, widest->columns);
  // With more columns what waits for one consumer's results is too long.
  if (hasFlatTiles(product))
    collect(kFlatConsumers, kMaxTallColumns + 1);
  addCandidate(number, /*isNeeded=*/false,
               getTile(kTallConsumers, kMaxTallColumns));
}

/// What the best of `kernels` take in each case.
SmallVector<double>
FurtherTileChooser::estimate(ArrayRef<const Candidate *> kernels) {
  SmallVector<double> costs(cases.size(),
                            std::numeric_limits<double>::infinity());
  for (auto [number, cost] : llvm::enumerate(costs))
    for (const Candidate *first : kernels) {
      if (first->product != 0)
        continue;
      const BlockTimes<int64_t> &times = first->times[number];
      if (products.size() == 1)
        cost = std::min(cost, double(estimateAlone(KnownMath(), times)));
      for (const Candidate *second : kernels)
        if (second->product == 1)
          cost = std::min(cost, double(estimateTogether(KnownMath(), times,
                                                        second->times[number],
                                                        kMultiprocessors)));
    }
  return costs;
}

/// As multiples of the least that there is; powers of two, the most frequent,
/// weigh more.
double FurtherTileChooser::sumCosts(ArrayRef<double> costs) {
  double sum = 0;
  for (auto [tokens, cost, best] : llvm::zip_equal(cases, costs, least))
    sum += (llvm::isPowerOf2_64(tokens) ? 3 : 1) * cost / best;
  return sum;
}

bool FurtherTileChooser::areNearlyLeast(ArrayRef<double> costs) {
  constexpr double mostExcess = 1.08;
  return llvm::all_of(llvm::zip_equal(costs, least), [](auto pair) {
    auto [cost, best] = pair;
    return cost <= mostExcess * best;
  });
}

/// The kernel that saves most beside those `taken`.
const Candidate *FurtherTileChooser::findMostUseful(Kernels taken) {
  const Candidate *best = nullptr;
  double leastSum = std::numeric_limits<double>::infinity();
  for (const Candidate &candidate : candidates) {
    if (llvm::is_contained(taken, &candidate))
      continue;
    taken.push_back(&candidate);
    double sum = sumCosts(estimate(taken));
    taken.pop_back();
    if (sum < leastSum) {
      best = &candidate;
      leastSum = sum;
    }
  }
  return best;
}

/// Drops those that others, which were taken later, made needless.
void FurtherTileChooser::dropNeedless(Kernels &taken) {
  for (const Candidate *kernel : Kernels(taken)) {
    Kernels others;
    llvm::copy_if(taken, std::back_inserter(others),
                  [&](const Candidate *other) { return other != kernel; });
    if (!kernel->isNeeded && areNearlyLeast(estimate(others)))
      taken = others;
  }
}

/// Adds the kernel that saves most, until none would save much in any case:
/// each takes time to compile.
SmallVector<FurtherTiles, 2> FurtherTileChooser::choose() {
  collectCases();
  for (unsigned number = 0; number < products.size(); ++number)
    collectCandidates(number);
  Kernels all, taken;
  for (const Candidate &candidate : candidates) {
    all.push_back(&candidate);
    if (candidate.isNeeded)
      taken.push_back(&candidate);
  }
  least = estimate(all);
  while (!areNearlyLeast(estimate(taken)))
    taken.push_back(findMostUseful(taken));
  dropNeedless(taken);

  SmallVector<FurtherTiles, 2> chosen(products.size());
  for (const Candidate *kernel : taken) {
    FurtherTiles &tiles = chosen[kernel->product];
    if (kernel->consumers != kConsumers ||
        kernel->columns != products[kernel->product].tile.getBlock()[1])
      tiles.getAll(kernel->consumers).push_back(kernel->columns);
  }
  for (FurtherTiles &tiles : chosen) {
    llvm::sort(tiles.narrow);
    llvm::sort(tiles.flat);
  }
  return chosen;
}

//===----------------------------------------------------------------------===//
// The tile
//===----------------------------------------------------------------------===//

/// The contraction with the tile that costs least with many rows; none if it is
/// nothing for the kernel.
static std::optional<Product>
chooseWidestTile(GpuTargetAttr target, const SegmentedContraction &contraction,
                 SegmentedContractionOpInterface op, bool leavesRoom) {
  StringRef reason;
  std::optional<WgmmaShape> shape = WgmmaShape::match(op, contraction, reason);
  if (!shape)
    return std::nullopt;
  GpuTileAttr best;
  int64_t leastCost = 0;
  int64_t step = shape->headDim ? shape->headDim : kUnit;
  for (int64_t columns = kMaxColumns / step * step; columns > 0;
       columns -= step) {
    auto tile = GpuTileAttr::get(target.getContext(), GpuKernel::Wgmma,
                                 {kConsumers * kUnit, columns, kUnit},
                                 /*stages=*/4, /*group=*/16, /*split=*/8);
    int64_t cost = getColumnCost(contraction, *shape, columns);
    if (!WgmmaTile::get(*shape, tile, leavesRoom, reason) ||
        (best && cost >= leastCost))
      continue;
    best = tile;
    leastCost = cost;
  }
  if (!best)
    return std::nullopt;
  return Product{contraction, *shape, best, leavesRoom};
}

/// What is known of `products` says which further tiles are worth it; of an
/// unknown number of columns only how many a tile for few rows has.
static SmallVector<FurtherTiles, 2>
chooseFurtherTiles(ArrayRef<Product> products) {
  bool areKnown = llvm::none_of(products, [](const Product &product) {
    return ShapedType::isDynamic(countColumns(product));
  });
  if (areKnown)
    return FurtherTileChooser(products).choose();
  return llvm::map_to_vector<2>(products, chooseFewRowsTile);
}

SmallVector<GpuTileAttr, 2>
wgmma::chooseTiles(GpuTargetAttr target, SegmentedContractionOpInterface op,
                   ArrayRef<SegmentedContraction> contractions) {
  SmallVector<GpuTileAttr, 2> tiles(contractions.size());
  if (target.getChip() != "sm_90a" || !hasAlignedStrides(op))
    return tiles;
  SmallVector<Product, 2> products;
  SmallVector<size_t, 2> numbers;
  for (auto [number, contraction] : llvm::enumerate(contractions))
    if (std::optional<Product> product =
            chooseWidestTile(target, contraction, op, leavesRoom(op, number))) {
      products.push_back(*product);
      numbers.push_back(number);
    }
  SmallVector<FurtherTiles, 2> further = chooseFurtherTiles(products);
  for (auto [number, product, more] :
       llvm::zip_equal(numbers, products, further))
    tiles[number] = more.addTo(product.tile);
  return tiles;
}
