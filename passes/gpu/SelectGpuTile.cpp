// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// `boostr-select-gpu-tile`: which kernels compute the contractions of an op.

#include "boostr/dialect/BoostrOps.h"
#include "boostr/passes/Passes.h"
#include "boostr/passes/contraction/StaticExtents.h"
#include "boostr/passes/gpu/ArrayLayout.h"
#include "boostr/passes/gpu/GpuTile.h"
#include "boostr/passes/gpu/SmallBlocks.h"
#include "boostr/passes/gpu/cublaslt/CublasltProduct.h"
#include "boostr/passes/gpu/gemv/GemvTile.h"
#include "boostr/passes/gpu/gemv/GerTile.h"
#include "boostr/passes/gpu/gemv/SkinnyTile.h"
#include "boostr/passes/gpu/mma/MmaTile.h"
#include "boostr/passes/gpu/wgmma/ChooseWgmmaTile.h"

namespace mlir::boostr {
#define GEN_PASS_DEF_SELECTGPUTILE
#include "boostr/passes/Passes.h.inc"
} // namespace mlir::boostr

using namespace mlir;
using namespace mlir::boostr;

namespace {

struct SelectGpuTile : boostr::impl::SelectGpuTileBase<SelectGpuTile> {
  using SelectGpuTileBase::SelectGpuTileBase;
  void runOnOperation() override;
};

} // namespace

/// Whether the product of `dims` is known to be at most `limit` in each
/// segment.
static bool isAtMost(const SegmentedContraction &contraction,
                     ArrayRef<unsigned> dims, int64_t limit) {
  return llvm::all_of(
      contraction.segments, [&](const ContractionSegment &segment) {
        int64_t extent = getStaticProduct(segment.terms.front(), dims);
        return !ShapedType::isDynamic(extent) && extent <= limit;
      });
}

static GpuTileAttr chooseSimtTile(MLIRContext *context,
                                  const SegmentedContraction &contraction) {
  Value lhs = contraction.segments.front().terms.front().lhs.array;
  bool isDouble = getAccumulatorType(getElementTypeOrSelf(lhs)).isF64();
  bool isLarge =
      contraction.segments.front().product && hasLargePieces(contraction);
  // Sums of a tile live in the registers of 256 threads: up to 128 of f32 or 16
  // of f64 in each.
  int64_t rows = isDouble || isAtMost(contraction, contraction.m, 64) ? 64
                 : isLarge                                            ? 256
                                                                      : 128;
  int64_t columns =
      isDouble || isAtMost(contraction, contraction.n, 64) ? 64 : 128;
  return GpuTileAttr::get(context, GpuKernel::Simt, {rows, columns, 16},
                          /*stages=*/2, /*group=*/8, /*split=*/1,
                          /*narrow=*/{}, /*fewRows=*/{});
}

/// Up to this many rows a kernel for few rows is faster than others.
static int64_t getMostFewRows(GpuTileAttr tile, GpuTargetAttr target,
                              const SegmentedContraction &contraction) {
  int64_t most = gemv::getMostRows(target, contraction);
  if (tile.getKernel() != GpuKernel::Wgmma)
    return most;
  return std::min(most, gemv::getMostRowsBesideWgmma(contraction));
}

/// `tile` for any number of steps of k, or the ger kernel's if there are known
/// to be few, or both.
static GpuTileAttr addFewSteps(GpuTileAttr tile, GpuTargetAttr target,
                               const SegmentedContraction &contraction) {
  const ContractionTerm &term = contraction.segments.front().terms.front();
  int64_t steps = getStaticProduct(term, contraction.k);
  if (!ShapedType::isDynamic(steps) && steps > gemv::kMostSteps)
    return tile;
  GpuTileAttr few = gemv::chooseGerTile(tile.getContext(), target, contraction);
  if (!few)
    return tile;
  if (!ShapedType::isDynamic(steps))
    return few;
  return tile.withFew(tile.getFewRows(), gemv::kMostSteps);
}

/// The gemv kernel's tile if there are known to be few rows, else `tile`, with
/// kernels for few rows if there may turn out to be few: one of its own for a
/// single row, which is the most frequent number of all, unless that of several
/// is as fast.
static GpuTileAttr addFew(GpuTileAttr tile, GpuTargetAttr target,
                          const SegmentedContraction &contraction) {
  MLIRContext *context = tile.getContext();
  int64_t few = getMostFewRows(tile, target, contraction);
  const ContractionTerm &term = contraction.segments.front().terms.front();
  int64_t rows = getStaticProduct(term, contraction.m);
  if (isAtMost(contraction, contraction.m, few)) {
    GpuTileAttr gemv = gemv::chooseTile(context, target, contraction,
                                        std::max<int64_t>(rows, 1));
    return gemv ? gemv : tile;
  }
  if (!ShapedType::isDynamic(rows) ||
      !gemv::chooseTile(context, target, contraction, few))
    return addFewSteps(tile, target, contraction);
  GpuTileAttr one = gemv::chooseTile(context, target, contraction, 1);
  SmallVector<int64_t, 2> fewRows = {few};
  if (!one || one.getWarp().empty())
    fewRows.insert(fewRows.begin(), 1);
  return tile.withFew(fewRows, tile.getFewSteps());
}

GpuTileAttr mlir::boostr::chooseGpuTile(GpuTargetAttr target,
                                        const SegmentedContraction &contraction,
                                        F32Precision precision) {
  GpuTileAttr tile = mma::chooseTile(target, contraction, precision);
  if (!tile)
    tile = chooseSimtTile(target.getContext(), contraction);
  return addFew(addSmall(tile, contraction), target, contraction);
}

SmallVector<GpuTileAttr, 2> mlir::boostr::chooseGpuTiles(
    GpuTargetAttr target, SegmentedContractionOpInterface op,
    ArrayRef<SegmentedContraction> contractions, F32Precision precision) {
  SmallVector<GpuTileAttr, 2> tiles =
      wgmma::chooseTiles(target, op, contractions);
  for (auto [contraction, tile] : llvm::zip_equal(contractions, tiles))
    tile = tile ? addFew(tile, target, contraction)
                : chooseGpuTile(target, contraction, precision);
  return tiles;
}

//===----------------------------------------------------------------------===//
// cuBLASLt
//===----------------------------------------------------------------------===//

static GpuTileAttr withGemm(GpuTileAttr tile, Gemm gemm) {
  // Few rows or blocks are no concern of kernels of our own if there is a
  // library.
  if (gemm == Gemm::Cublaslt) {
    tile = tile.withFew({}, 0).withSmall({});
    if (tile.getKernel() != GpuKernel::Wgmma)
      tile = tile.withSplit(1);
  }
  return tile.withGemm(gemm);
}

namespace {

/// Whether rows of some array are known to be no multiples of 16 bytes.
enum class RowBytes { Any, MayBeMultiples, AreOdd };
/// Whether memory of both operands runs along k, as in forward products.
enum class Memory { Any, AlongSteps, Other };

/// How fast a kernel was.
struct MeasuredSpeed {
  GpuKernel kernel;
  /// Of an element.
  int64_t bits;
  RowBytes rowBytes;
  Memory memory;
  /// That of cuBLAS on the bare product is 1.
  double speed;
};

} // namespace

/// Measured on an H100: docs/gpu-performance.md. The first line that applies
/// counts.
static constexpr MeasuredSpeed kSpeeds[] = {
    // "Results": geometric means over the training shapes.
    {GpuKernel::Wgmma, 16, RowBytes::Any, Memory::AlongSteps, 0.98},
    {GpuKernel::Wgmma, 16, RowBytes::Any, Memory::Other, 0.95},
    // "Results", decode-1.
    {GpuKernel::Gemv, 16, RowBytes::Any, Memory::Any, 1.06},
    // "`mma`: tensor cores from sm_80 on".
    {GpuKernel::Mma, 16, RowBytes::AreOdd, Memory::AlongSteps, 0.84},
    {GpuKernel::Mma, 16, RowBytes::AreOdd, Memory::Other, 0.97},
    {GpuKernel::Mma, 16, RowBytes::MayBeMultiples, Memory::Any, 0.49},
    {GpuKernel::Mma, 64, RowBytes::Any, Memory::Any, 0.82},
    {GpuKernel::Mma, 32, RowBytes::Any, Memory::Any, 0.38},
    {GpuKernel::Simt, 16, RowBytes::Any, Memory::Any, 0.30},
    {GpuKernel::Simt, 32, RowBytes::Any, Memory::Any, 0.92},
    {GpuKernel::Simt, 64, RowBytes::Any, Memory::Any, 0.25},
};
/// What whole ops by cuBLAS reach, with epilogues and passes around the product
/// (docs/gpu-benchmark.md: 0.87 to 0.95 with 2048 tokens and more).
static constexpr double kLibrarySpeed = 0.9;

static RowBytes getRowBytes(SegmentedContractionOpInterface op) {
  bool areOdd = llvm::any_of(op->getOperandTypes(), [](Type operand) {
    auto type = cast<MemRefType>(operand);
    return type.getRank() > 1 && !type.isDynamicDim(type.getRank() - 1) &&
           type.getShape().back() * type.getElementTypeBitWidth() % 128 != 0;
  });
  return areOdd ? RowBytes::AreOdd : RowBytes::MayBeMultiples;
}

static bool isLibraryFaster(GpuTileAttr tile,
                            SegmentedContractionOpInterface op,
                            const cublaslt::ProductShape &shape) {
  Value array = shape.lhs.parts.front().operand.array;
  int64_t bits = getElementTypeOrSelf(array).getIntOrFloatBitWidth();
  RowBytes rowBytes = getRowBytes(op);
  Memory memory = shape.lhs.runsAlongColumns() && shape.rhs.runsAlongColumns()
                      ? Memory::AlongSteps
                      : Memory::Other;
  for (const MeasuredSpeed &line : kSpeeds)
    if (line.kernel == tile.getKernel() && line.bits == bits &&
        (line.rowBytes == RowBytes::Any || line.rowBytes == rowBytes) &&
        (line.memory == Memory::Any || line.memory == memory))
      return line.speed < kLibrarySpeed;
  return false;
}

/// `tile` with whoever is to compute the product. What the library cannot do is
/// a remark if it was asked for.
static GpuTileAttr chooseGemm(GpuTileAttr tile, Gemm gemm,
                              const SegmentedContraction &contraction,
                              SegmentedContractionOpInterface op) {
  if (auto attr = op->getAttrOfType<GemmAttr>(BoostrDialect::getGemmAttrName()))
    gemm = attr.getValue();
  if (gemm == Gemm::Generated)
    return tile;
  StringRef reason;
  SmallVector<SegmentedContraction, 0> products =
      cublaslt::splitIntoProducts(op, contraction, reason);
  if (!products.empty() && tile.getPrecision() == F32Precision::Tf32x3) {
    products.clear();
    reason = "it has no tf32x3";
  }
  if (gemm == Gemm::Cublaslt) {
    if (!products.empty())
      return withGemm(tile, gemm);
    op->emitRemark() << "'" << op->getName()
                     << "' op is not all left to cuBLASLt: " << reason;
    return tile;
  }
  if (products.empty())
    return tile;
  std::optional<cublaslt::ProductShape> shape =
      cublaslt::ProductShape::match(op, products.front(), reason);
  return isLibraryFaster(tile, op, *shape) ? withGemm(tile, gemm) : tile;
}

void SelectGpuTile::runOnOperation() {
  auto target = getOperation()->getAttrOfType<GpuTargetAttr>(
      BoostrDialect::getGpuTargetAttrName());
  StringRef name = BoostrDialect::getGpuTilesAttrName();
  WalkResult result =
      getOperation()->walk([&](SegmentedContractionOpInterface op) {
        if (!op.isBufferForm() || op->hasAttr(name))
          return WalkResult::advance();
        if (!target) {
          op->emitOpError() << "expected the module to have an attribute '"
                            << BoostrDialect::getGpuTargetAttrName()
                            << "'; run boostr-set-gpu-target before";
          return WalkResult::interrupt();
        }
        SmallVector<SegmentedContraction, 0> contractions =
            op.getContractions();
        SmallVector<Attribute> tiles;
        for (auto [contraction, tile] : llvm::zip_equal(
                 contractions,
                 chooseGpuTiles(target, op, contractions, f32Precision)))
          tiles.push_back(chooseGemm(tile, gemm, contraction, op));
        op->setAttr(name, ArrayAttr::get(&getContext(), tiles));
        return WalkResult::advance();
      });
  if (result.wasInterrupted())
    signalPassFailure();
}
