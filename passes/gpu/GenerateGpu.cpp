// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// `boostr-generate-gpu`: kernels for boostr ops in buffer form.

#include "boostr/dialect/BoostrOps.h"
#include "boostr/passes/Passes.h"
#include "boostr/passes/cpu/IndexMath.h"
#include "boostr/passes/gpu/CountIndices.h"
#include "boostr/passes/gpu/GpuTile.h"
#include "boostr/passes/gpu/IndependentKernels.h"
#include "boostr/passes/gpu/SmallBlocks.h"
#include "boostr/passes/gpu/Workspaces.h"
#include "boostr/passes/gpu/cublaslt/CublasltProduct.h"
#include "boostr/passes/gpu/gemv/GemvKernel.h"
#include "boostr/passes/gpu/gemv/GemvtKernel.h"
#include "boostr/passes/gpu/gemv/GerKernel.h"
#include "boostr/passes/gpu/gemv/SkinnyGemvtKernel.h"
#include "boostr/passes/gpu/gemv/SkinnyGerKernel.h"
#include "boostr/passes/gpu/gemv/SkinnyKernel.h"
#include "boostr/passes/gpu/mma/MmaKernel.h"
#include "boostr/passes/gpu/simt/SimtKernel.h"
#include "boostr/passes/gpu/wgmma/WgmmaKernels.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/NVGPU/IR/NVGPUDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

namespace mlir::boostr {
#define GEN_PASS_DEF_GENERATEGPU
#include "boostr/passes/Passes.h.inc"
} // namespace mlir::boostr

using namespace mlir;
using namespace mlir::boostr;

namespace {

struct GenerateGpu : boostr::impl::GenerateGpuBase<GenerateGpu> {
  void runOnOperation() override;
};

/// Memory of the device that an op takes while its kernels run.
struct Memory {
  cublaslt::PackedArrays packed;
  Workspaces workspaces;

  void release(Operation *op) {
    packed.release(op);
    workspaces.release();
  }
};

/// A contraction and how it is computed.
struct Part {
  SegmentedContraction contraction;
  GpuTileAttr tile;
  /// Whether its kernel leaves room for a later one.
  bool leavesRoom = false;
  /// Whether its kernel begins while an earlier one still runs.
  bool isBeside = false;
  /// Those of wgmma, with their costs, if these were compared beside those of
  /// another part.
  std::optional<wgmma::WgmmaKernels> kernels = std::nullopt;
};

} // namespace

static InFlightDiagnostic emitMisfit(Operation *op, StringRef reason) {
  return op->emitOpError() << "has a tile that does not fit: " << reason;
}

static FailureOr<wgmma::WgmmaKernels>
getWgmmaKernels(SegmentedContractionOpInterface op, const Part &part) {
  StringRef reason;
  std::optional<wgmma::WgmmaShape> shape =
      wgmma::WgmmaShape::match(op, part.contraction, reason);
  if (!shape)
    return op->emitOpError() << "is nothing for the wgmma kernel: " << reason;
  std::optional<wgmma::WgmmaKernels> kernels = wgmma::WgmmaKernels::get(
      part.contraction, *shape, part.tile, part.leavesRoom, reason);
  if (!kernels)
    return emitMisfit(op, reason);
  return *kernels;
}

static LogicalResult emitWgmma(ImplicitLocOpBuilder &b,
                               SegmentedContractionOpInterface op,
                               const Part &part, Workspaces &workspaces) {
  if (part.kernels) {
    part.kernels->emit(b, op, workspaces);
    return success();
  }
  FailureOr<wgmma::WgmmaKernels> kernels = getWgmmaKernels(op, part);
  if (failed(kernels))
    return failure();
  wgmma::estimateCosts(b, op, *kernels);
  kernels->emit(b, op, workspaces);
  return success();
}

static GpuTargetAttr getTarget(Operation *op) {
  return op->getParentOfType<ModuleOp>()->getAttrOfType<GpuTargetAttr>(
      BoostrDialect::getGpuTargetAttrName());
}

/// For families whose kernel follows from the contraction and the tile alone.
template <typename Tile, typename Kernel, typename... Options>
static LogicalResult emitPlain(ImplicitLocOpBuilder &b,
                               SegmentedContractionOpInterface op,
                               const SegmentedContraction &contraction,
                               GpuTileAttr attr, Options... options) {
  StringRef reason;
  std::optional<Tile> tile = Tile::get(contraction, attr, reason);
  if (!tile)
    return emitMisfit(op, reason);
  Kernel(b, op, contraction, *tile, options...).emit();
  return success();
}

/// The kernels of gemv, gemvt and ger that multiply by tensor cores.
template <typename Tile, typename Kernel, typename... Options>
static LogicalResult emitSkinny(ImplicitLocOpBuilder &b,
                                SegmentedContractionOpInterface op,
                                const SegmentedContraction &contraction,
                                GpuTileAttr attr, Options... options) {
  StringRef reason;
  std::optional<Tile> tile =
      Tile::get(contraction, attr, getTarget(op), reason);
  if (!tile)
    return emitMisfit(op, reason);
  Kernel(b, op, contraction, *tile, options...).emit();
  return success();
}

static LogicalResult emitGemv(ImplicitLocOpBuilder &b,
                              SegmentedContractionOpInterface op,
                              const SegmentedContraction &contraction,
                              GpuTileAttr attr, bool hasOneRowBlock) {
  if (attr.getWarp().empty())
    return emitPlain<gemv::GemvTile, gemv::GemvKernel>(b, op, contraction, attr,
                                                       hasOneRowBlock);
  return emitSkinny<gemv::SkinnyTile, gemv::SkinnyKernel>(b, op, contraction,
                                                          attr, hasOneRowBlock);
}

static LogicalResult emitGemvt(ImplicitLocOpBuilder &b,
                               SegmentedContractionOpInterface op,
                               const SegmentedContraction &contraction,
                               GpuTileAttr attr, bool hasOneRowBlock) {
  if (attr.getWarp().empty())
    return emitPlain<gemv::GemvtTile, gemv::GemvtKernel>(b, op, contraction,
                                                         attr, hasOneRowBlock);
  return emitSkinny<gemv::SkinnyGemvtTile, gemv::SkinnyGemvtKernel>(
      b, op, contraction, attr, hasOneRowBlock);
}

static LogicalResult emitGer(ImplicitLocOpBuilder &b,
                             SegmentedContractionOpInterface op,
                             const SegmentedContraction &contraction,
                             GpuTileAttr attr) {
  if (attr.getWarp().empty())
    return emitPlain<gemv::GerTile, gemv::GerKernel>(b, op, contraction, attr);
  return emitSkinny<gemv::SkinnyGerTile, gemv::SkinnyGerKernel>(
      b, op, contraction, attr);
}

/// Whether the last dimension of each array of `op` is a whole number of pieces
/// of 16 bytes; null if that is known when compiling, one way or the other.
static Value checkMultipleExtents(ImplicitLocOpBuilder &b,
                                  SegmentedContractionOpInterface op) {
  Value areMultiples;
  for (Value array : op->getOperands()) {
    auto type = dyn_cast<MemRefType>(array.getType());
    if (!type || type.getRank() == 0 || !type.isDynamicDim(type.getRank() - 1))
      continue;
    Value extent = memref::DimOp::create(b, array, type.getRank() - 1);
    Value rest = arith::RemUIOp::create(
        b, extent, cpu::constant(b, 128 / type.getElementTypeBitWidth()));
    Value isMultiple = arith::CmpIOp::create(b, arith::CmpIPredicate::eq, rest,
                                             cpu::constant(b, 0));
    areMultiples = areMultiples
                       ? arith::AndIOp::create(b, areMultiples, isMultiple)
                       : isMultiple;
  }
  return areMultiples;
}

/// Where extents show only when the code runs, there are two kernels: one that
/// copies 16 bytes at a time, for extents that allow it, and one for any.
static LogicalResult emitMma(ImplicitLocOpBuilder &b,
                             SegmentedContractionOpInterface op,
                             const SegmentedContraction &contraction,
                             GpuTileAttr attr, BlockParts parts) {
  StringRef reason;
  std::optional<mma::MmaTile> tile =
      mma::MmaTile::get(contraction, attr, getTarget(op), reason);
  if (!tile)
    return emitMisfit(op, reason);
  auto emit = [&](MultipleExtents extents) {
    mma::MmaKernel(b, op, contraction, *tile, parts, extents).emit();
  };
  Value areMultiples = checkMultipleExtents(b, op);
  if (!areMultiples) {
    emit(MultipleExtents::Known);
    return success();
  }
  auto branch = scf::IfOp::create(b, areMultiples, /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(branch.thenBlock()->getTerminator());
  emit(MultipleExtents::Assumed);
  b.setInsertionPoint(branch.elseBlock()->getTerminator());
  emit(MultipleExtents::Known);
  return success();
}

/// One of the kernels of simt and mma.
static LogicalResult emitBlocks(ImplicitLocOpBuilder &b,
                                SegmentedContractionOpInterface op,
                                const SegmentedContraction &contraction,
                                GpuTileAttr tile, BlockParts parts) {
  if (tile.getKernel() == GpuKernel::Mma)
    return emitMma(b, op, contraction, tile, parts);
  return emitPlain<simt::SimtTile, simt::SimtKernel>(b, op, contraction, tile,
                                                     parts);
}

/// The kernels of a tile of simt or mma, for each size of its blocks, and the
/// choice of the one that is estimated to take the least time.
static LogicalResult emitFastest(ImplicitLocOpBuilder &b,
                                 SegmentedContractionOpInterface op,
                                 const Part &part, Workspaces &workspaces) {
  const SegmentedContraction &contraction = part.contraction;
  SmallVector<GpuTileAttr, 3> tiles = listTiles(part.tile, contraction);
  SmallVector<BlockEstimate<Value>, 3> estimates =
      estimateTimes(b, op, contraction, tiles);
  Value workspace = part.tile.getSplit() > 1 ? workspaces.create() : Value();
  // Two of more than half of the memory do not fit on a multiprocessor.
  int64_t leastBytes =
      part.isBeside ? mma::getSharedBytes(getTarget(op)) / 2 : 0;
  auto emit = [&](GpuTileAttr tile, Value numParts) {
    return emitBlocks(
        b, op, contraction, tile,
        {tile.getSplit() > 1 ? numParts : Value(), workspace, leastBytes});
  };
  OpBuilder::InsertionGuard guard(b);
  for (; tiles.size() > 1; tiles.pop_back()) {
    auto [time, parts] = estimates.pop_back_val();
    Value isLeast;
    for (const BlockEstimate<Value> &other : estimates) {
      Value isLess =
          arith::CmpIOp::create(b, arith::CmpIPredicate::ult, time, other.time);
      isLeast = isLeast ? arith::AndIOp::create(b, isLeast, isLess) : isLess;
    }
    auto branch = scf::IfOp::create(b, isLeast, /*withElseRegion=*/true);
    b.setInsertionPoint(branch.thenBlock()->getTerminator());
    if (failed(emit(tiles.back(), parts)))
      return failure();
    b.setInsertionPoint(branch.elseBlock()->getTerminator());
  }
  return emit(tiles.front(), estimates.front().parts);
}

static LogicalResult emitKernel(ImplicitLocOpBuilder &b,
                                SegmentedContractionOpInterface op,
                                const Part &part, Memory &memory,
                                bool hasOneRowBlock = false) {
  const SegmentedContraction &contraction = part.contraction;
  GpuTileAttr tile = part.tile;
  switch (tile.getKernel()) {
  case GpuKernel::Simt:
  case GpuKernel::Mma:
    return emitFastest(b, op, part, memory.workspaces);
  case GpuKernel::Wgmma:
    return emitWgmma(b, op, part, memory.workspaces);
  case GpuKernel::Gemv:
    return emitGemv(b, op, contraction, tile, hasOneRowBlock);
  case GpuKernel::Gemvt:
    return emitGemvt(b, op, contraction, tile, hasOneRowBlock);
  case GpuKernel::Ger:
    return emitGer(b, op, contraction, tile);
  }
  return failure();
}

//===----------------------------------------------------------------------===//
// cuBLASLt
//===----------------------------------------------------------------------===//

/// A kernel for the sums of lhs alone.
static LogicalResult emitSums(ImplicitLocOpBuilder &b,
                              SegmentedContractionOpInterface op,
                              const SegmentedContraction &contraction,
                              GpuTileAttr tile, Memory &memory) {
  SegmentedContraction sums = contraction;
  for (ContractionSegment &segment : sums.segments)
    segment.product.reset();
  GpuTargetAttr target = getTarget(op);
  if (!target)
    return op->emitOpError() << "expected the module to have an attribute '"
                             << BoostrDialect::getGpuTargetAttrName()
                             << "'; run boostr-set-gpu-target before";
  return emitKernel(
      b, op, {sums, chooseGpuTile(target, sums, tile.getPrecision())}, memory);
}

static Value isEqual(ImplicitLocOpBuilder &b, Value number, int64_t other) {
  Value constant = arith::ConstantIntOp::create(b, number.getType(), other);
  return arith::CmpIOp::create(b, arith::CmpIPredicate::eq, number, constant);
}

/// The product by the library, and by the kernel of `tile` what the library
/// says that it cannot do.
static LogicalResult emitProduct(ImplicitLocOpBuilder &b,
                                 SegmentedContractionOpInterface op,
                                 const SegmentedContraction &contraction,
                                 GpuTileAttr tile, Memory &memory) {
  OpBuilder::InsertionGuard guard(b);
  StringRef reason;
  std::optional<cublaslt::ProductShape> shape =
      cublaslt::ProductShape::match(op, contraction, reason);
  cublaslt::CublasltProduct product(b, op, contraction, *shape, tile,
                                    memory.packed);
  Value done = product.emit();
  auto branch =
      scf::IfOp::create(b, isEqual(b, done, 0), /*withElseRegion=*/true);
  b.setInsertionPoint(branch.thenBlock()->getTerminator());
  if (failed(emitKernel(b, op, {contraction, tile}, memory)))
    return failure();
  b.setInsertionPoint(branch.elseBlock()->getTerminator());
  if (!cublaslt::hasSums(contraction))
    return success();
  if (shape->sums) {
    auto withoutSums =
        scf::IfOp::create(b, isEqual(b, done, 1), /*withElseRegion=*/false);
    b.setInsertionPoint(withoutSums.thenBlock()->getTerminator());
  }
  return emitSums(b, op, contraction, tile, memory);
}

static LogicalResult emitCublaslt(ImplicitLocOpBuilder &b,
                                  SegmentedContractionOpInterface op,
                                  const SegmentedContraction &contraction,
                                  GpuTileAttr tile, Memory &memory) {
  StringRef reason;
  SmallVector<SegmentedContraction, 0> products =
      cublaslt::splitIntoProducts(op, contraction, reason);
  if (products.empty())
    return op->emitOpError() << "is nothing for cuBLASLt: " << reason;
  for (const SegmentedContraction &product : products)
    if (failed(emitProduct(b, op, product, tile, memory)))
      return failure();
  return success();
}

//===----------------------------------------------------------------------===//
// Contractions
//===----------------------------------------------------------------------===//

/// The kernel for few steps if there are no more when the code runs; what comes
/// after is for more.
static LogicalResult emitFewSteps(ImplicitLocOpBuilder &b,
                                  SegmentedContractionOpInterface op,
                                  const SegmentedContraction &contraction,
                                  int64_t steps, Memory &memory) {
  GpuTileAttr few =
      gemv::chooseGerTile(op->getContext(), getTarget(op), contraction);
  if (!few)
    return op->emitOpError()
           << "has a tile with 'few_steps', expected a product, and memory of "
              "rhs that is known to run along n in pieces of 16 bytes";
  Value count =
      countIndices(b, contraction, contraction.segments.front().terms.front(),
                   contraction.k);
  auto branch = scf::IfOp::create(b, isAtMost(b, count, steps),
                                  /*withElseRegion=*/true);
  b.setInsertionPoint(branch.thenBlock()->getTerminator());
  if (failed(emitKernel(b, op, {contraction, few}, memory)))
    return failure();
  b.setInsertionPoint(branch.elseBlock()->getTerminator());
  return success();
}

/// The kernel of `tile`, or one for few rows or steps if there are no more when
/// the code runs.
static LogicalResult emit(ImplicitLocOpBuilder &b,
                          SegmentedContractionOpInterface op, const Part &part,
                          Memory &memory) {
  const SegmentedContraction &contraction = part.contraction;
  GpuTileAttr tile = part.tile;
  OpBuilder::InsertionGuard guard(b);
  Value numRows;
  for (int64_t rows : tile.getFewRows()) {
    GpuTileAttr few =
        gemv::chooseTile(op->getContext(), getTarget(op), contraction, rows);
    if (!few)
      return op->emitOpError()
             << "has a tile with 'few_rows', expected at most "
             << gemv::getMostRows(getTarget(op), contraction)
             << " rows, and memory of operands that is known to run along k, "
                "or "
                "of rhs along n, in pieces of 16 bytes";
    if (!numRows)
      numRows = countRows(b, contraction);
    Value isFew = isAtMost(b, numRows, rows);
    auto branch = scf::IfOp::create(b, isFew, /*withElseRegion=*/true);
    b.setInsertionPoint(branch.thenBlock()->getTerminator());
    if (failed(emitKernel(b, op, {contraction, few}, memory,
                          /*hasOneRowBlock=*/true)))
      return failure();
    b.setInsertionPoint(branch.elseBlock()->getTerminator());
  }
  if (tile.getFewSteps() != 0 &&
      failed(emitFewSteps(b, op, contraction, tile.getFewSteps(), memory)))
    return failure();
  if (tile.getGemm() != Gemm::Generated)
    return emitCublaslt(b, op, contraction, tile, memory);
  return emitKernel(b, op, part, memory);
}

//===----------------------------------------------------------------------===//
// Ops
//===----------------------------------------------------------------------===//

/// The contractions of `op`, in its order.
static FailureOr<SmallVector<Part, 2>>
getParts(SegmentedContractionOpInterface op) {
  SmallVector<SegmentedContraction, 0> contractions = op.getContractions();
  StringRef name = BoostrDialect::getGpuTilesAttrName();
  auto tiles = op->getAttrOfType<ArrayAttr>(name);
  if (!tiles || tiles.size() != contractions.size())
    return op->emitOpError() << "expected an attribute '" << name << "' with "
                             << contractions.size()
                             << " tiles; run boostr-select-gpu-tile before";
  SmallVector<Part, 2> parts;
  for (auto [contraction, tile] :
       llvm::zip_equal(contractions, tiles.getAsRange<GpuTileAttr>()))
    parts.push_back(
        {std::move(contraction), tile, leavesRoom(op, parts.size())});
  return parts;
}

/// Whether the kernels of `op` may run at the same time: none needs what
/// another computes, but a copy for cuBLASLt is made by a kernel, too.
static bool areIndependent(SegmentedContractionOpInterface op,
                           ArrayRef<Part> parts) {
  return parts.size() > 1 && canRunTogether(getTarget(op)) &&
         llvm::all_of(parts, [](const Part &part) {
           return part.tile.getGemm() == Gemm::Generated;
         });
}

/// Sets what kernels of wgmma cost beside each other.
static LogicalResult compareTogether(ImplicitLocOpBuilder &b,
                                     SegmentedContractionOpInterface op,
                                     MutableArrayRef<Part> parts) {
  if (parts.size() != 2 || !llvm::all_of(parts, [](const Part &part) {
        return part.tile.getKernel() == GpuKernel::Wgmma;
      }))
    return success();
  for (Part &part : parts) {
    FailureOr<wgmma::WgmmaKernels> kernels = getWgmmaKernels(op, part);
    if (failed(kernels))
      return failure();
    part.kernels.emplace(*kernels);
  }
  wgmma::estimateCostsTogether(b, op, *parts[0].kernels, *parts[1].kernels);
  return success();
}

/// Emits parts that may run at the same time. What has to be done before the
/// launch of a later one is done before that of the first: it would stand
/// between both.
static LogicalResult emitTogether(ImplicitLocOpBuilder &b,
                                  SegmentedContractionOpInterface op,
                                  MutableArrayRef<Part> parts, Memory &memory) {
  if (failed(compareTogether(b, op, parts)))
    return failure();
  Operation *firstOfAll = nullptr;
  auto getFirst = [&](Operation *before) {
    return before ? std::next(before->getIterator()) : op->getBlock()->begin();
  };
  for (auto [number, part] : llvm::enumerate(parts)) {
    Operation *before = op->getPrevNode();
    part.isBeside = number > 0;
    if (failed(emit(b, op, part, memory)))
      return failure();
    if (number == 0)
      firstOfAll = &*getFirst(before);
    letRunTogether(getFirst(before), op->getIterator(),
                   /*withLater=*/number + 1 < parts.size(),
                   /*withEarlier=*/number > 0);
    if (number > 0)
      memory.workspaces.allocateAhead(getFirst(before), op->getIterator(),
                                      firstOfAll->getIterator());
  }
  return success();
}

static LogicalResult generate(SegmentedContractionOpInterface op) {
  if (!op.isBufferForm())
    return op->emitOpError(
        "expected the buffer form, on memrefs, got the value "
        "form; bufferize before generating code");
  FailureOr<SmallVector<Part, 2>> parts = getParts(op);
  if (failed(parts))
    return failure();
  ImplicitLocOpBuilder b(op.getLoc(), op);
  bool isOptional = llvm::any_of(*parts, [](const Part &part) {
    return part.tile.getGemm() == Gemm::Auto;
  });
  Memory memory = {{b, isOptional ? cublaslt::emitHasLibrary(b, op) : Value()},
                   {b, op}};
  if (areIndependent(op, *parts)) {
    if (failed(emitTogether(b, op, *parts, memory)))
      return failure();
  } else {
    for (const Part &part : *parts)
      if (failed(emit(b, op, part, memory)))
        return failure();
  }
  memory.release(op);
  op->erase();
  return success();
}

void GenerateGpu::runOnOperation() {
  SmallVector<SegmentedContractionOpInterface> ops;
  getOperation()->walk(
      [&](SegmentedContractionOpInterface op) { ops.push_back(op); });
  for (SegmentedContractionOpInterface op : ops)
    if (failed(generate(op)))
      return signalPassFailure();
}
