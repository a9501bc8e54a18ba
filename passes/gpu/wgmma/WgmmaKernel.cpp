// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "boostr/passes/gpu/wgmma/WgmmaKernel.h"
#include "boostr/passes/cpu/IndexMath.h"
#include "boostr/passes/gpu/GpuTile.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/FunctionCallUtils.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/SymbolTable.h"

using namespace mlir;
using namespace mlir::boostr;
using namespace mlir::boostr::wgmma;

static constexpr StringLiteral kSharedName = "shared_memory";
static constexpr unsigned kShared = 3;

//===----------------------------------------------------------------------===//
// The frame
//===----------------------------------------------------------------------===//

/// A module with a kernel that has no parameters and no body yet.
static LLVM::LLVMFuncOp createKernel(ImplicitLocOpBuilder &host,
                                     SegmentedContractionOpInterface op,
                                     int64_t numThreads) {
  MLIRContext *context = host.getContext();
  auto module = op->getParentOfType<ModuleOp>();
  SymbolTable symbols(module);
  std::string name = op->getName().stripDialect().str();
  OpBuilder detached(context);
  auto gpuModule =
      ::mlir::gpu::GPUModuleOp::create(detached, op.getLoc(), name);
  // Renamed if there is one already.
  symbols.insert(gpuModule);
  module->setAttr(::mlir::gpu::GPUDialect::getContainerModuleAttrName(),
                  host.getUnitAttr());

  OpBuilder inside = OpBuilder::atBlockBegin(gpuModule.getBody());
  auto memory = LLVM::LLVMArrayType::get(inside.getI8Type(), 0);
  LLVM::GlobalOp::create(inside, op.getLoc(), memory, /*isConstant=*/false,
                         LLVM::Linkage::External, kSharedName, Attribute(),
                         /*alignment=*/1024, kShared);
  auto kernel = LLVM::LLVMFuncOp::create(
      inside, op.getLoc(), name,
      LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(context), {}));
  kernel->setAttr(::mlir::gpu::GPUDialect::getKernelFuncAttrName(),
                  inside.getUnitAttr());
  kernel->setAttr(NVVM::NVVMDialect::getKernelFuncAttrName(),
                  inside.getUnitAttr());
  kernel->setAttr(NVVM::NVVMDialect::getMaxntidAttrName(),
                  inside.getDenseI32ArrayAttr({int32_t(numThreads)}));
  // One block owns the registers of the multiprocessor: without this the
  // warpgroups could not trade them.
  kernel->setAttr(NVVM::NVVMDialect::getMinctasmAttrName(),
                  inside.getI32IntegerAttr(1));
  kernel.addEntryBlock(inside);
  return kernel;
}

WgmmaKernel::WgmmaKernel(ImplicitLocOpBuilder &host,
                         SegmentedContractionOpInterface op,
                         const SegmentedContraction &contraction,
                         const WgmmaShape &shape, const WgmmaTile &tile,
                         Value workspace)
    : host(host), b(host.getLoc(), host.getContext()), op(op),
      contraction(contraction), shape(shape), tile(tile),
      numConsumers(tile.consumers), workspace(workspace),
      kernel(createKernel(host, op, tile.threads())),
      parameters(host, b, kernel) {
  b.setInsertionPointToStart(&kernel.getBody().front());
}

void WgmmaKernel::emit() {
  collectParameters();
  registers = divideRegisters();
  initShared();
  Value warpgroup =
      b.div(NVVM::ThreadIdXOp::create(b, b.getI32Type()), kWarpgroup);
  auto role = scf::IfOp::create(b, b.isEqual(warpgroup, 0),
                                /*withElseRegion=*/true);
  LLVM::ReturnOp::create(b, ValueRange());
  b.setInsertionPoint(role.thenBlock()->getTerminator());
  emitProducer();
  b.setInsertionPoint(role.elseBlock()->getTerminator());
  consumer = b.sub(warpgroup, b.number(1));
  emitConsumer();
  parameters.finalize();
}

/// Where a kernel waits for another one (IndependentKernels.h), ptxas takes a
/// few registers more for what loads, as do small boxes of narrow tiles and
/// several terms, and sums need some. Large tiles are 0.5 % slower where what
/// multiplies has 232 registers.
WgmmaKernel::Registers WgmmaKernel::divideRegisters() {
  if (sumsByWarps())
    return {48, 224};
  if (numConsumers == kTallConsumers)
    return {56, 152};
  bool mayWait = op.getContractions().size() > 1;
  bool loadsMuch = tile.isNarrow || terms.size() > 1;
  return mayWait || loadsMuch ? Registers{40, 232} : Registers{24, 240};
}

/// Addresses, barriers and the matrix of ones.
void WgmmaKernel::initShared() {
  auto pointer = LLVM::LLVMPointerType::get(b.getContext(), kShared);
  Value start = LLVM::AddressOfOp::create(b, pointer, kSharedName);
  Value number = LLVM::PtrToIntOp::create(b, b.getI32Type(), start);
  shared = b.bitAnd(b.add(number, 1023), -1024);
  Value id = b.threadId();
  thread = b.rem(id, kWarpgroup);
  // Consumers, and the warps that sum their rows.
  int64_t numReaders = sumsByWarps() ? 2 * numConsumers : numConsumers;
  b.when(b.isEqual(id, 0), [&] {
    for (int64_t slot = 0; slot < tile.stages; ++slot) {
      b.initBarrier(fullBarrier(b.number(slot)), 1);
      b.initBarrier(emptyBarrier(b.number(slot)), numReaders);
    }
    if (shape.readsAddend && overlapsEpilogue())
      for (int64_t i = 0; i < numConsumers * kMaxOverlappedBoxes; ++i)
        b.initBarrier(b.add(shared, tile.addendBarrierOffset() + i * 8), 1);
    NVVM::FenceMbarrierInitOp::create(b);
  });
  if (sumsByOnes()) {
    // 512 ones, two by each of 256 threads.
    int64_t one = shape.elementType.isBF16() ? 0x3f80 : 0x3c00;
    Value address = b.add(b.add(shared, tile.extraOffset()), b.mul(id, 4));
    b.when(b.isLess(id, b.number(256)), [&] {
      LLVM::StoreOp::create(b, b.number(one << 16 | one),
                            b.sharedPointer(address));
      b.fenceForAsync();
    });
  }
  b.syncBlock();
}

Value wgmma::countMultiprocessors(ImplicitLocOpBuilder &host, Operation *op) {
  FailureOr<LLVM::LLVMFuncOp> count = LLVM::lookupOrCreateFn(
      host, op->getParentOfType<ModuleOp>(), "boostr_cuda_multiprocessors", {},
      host.getI32Type());
  return LLVM::CallOp::create(host, *count, ValueRange()).getResult();
}

/// A block for each multiprocessor, or for each tile if there are fewer.
void WgmmaKernel::launch(OpFoldResult tiles, OpFoldResult steps) {
  Type i32 = host.getI32Type();
  Value processors = arith::IndexCastOp::create(host, host.getIndexType(),
                                                countMultiprocessors(host, op));
  Value numTilesOnHost = cpu::toValue(host, tiles), numBlocks;
  Value pieces = cpu::constant(host, 0);
  if (canShareTiles()) {
    std::tie(numBlocks, pieces) =
        divideTiles(numTilesOnHost, cpu::toValue(host, steps), processors);
  } else {
    numTiles = parameters.addNumber(tiles);
    numBlocks = arith::MinUIOp::create(host, processors, numTilesOnHost);
  }
  if (canShareTiles() || sumsByWarps())
    createWorkspace(numTilesOnHost, pieces);
  Value one = cpu::constant(host, 1);
  ::mlir::gpu::KernelDim3 blocks{numBlocks, one, one},
      threads{cpu::constant(host, tile.threads()), one, one};
  ::mlir::gpu::LaunchFuncOp::create(
      host,
      SymbolRefAttr::get(
          kernel->getParentOfType<::mlir::gpu::GPUModuleOp>().getNameAttr(),
          {FlatSymbolRefAttr::get(kernel.getNameAttr())}),
      blocks, threads,
      Value(arith::ConstantIntOp::create(host, i32, tile.sharedBytes())),
      parameters.operands);
}

//===----------------------------------------------------------------------===//
// Parameters
//===----------------------------------------------------------------------===//

/// The extent of the axis' inner dimension with what is folded in.
static OpFoldResult getInnerExtent(ImplicitLocOpBuilder &host, const Axis &axis,
                                   ArrayRef<OpFoldResult> extents) {
  OpFoldResult extent = extents[axis.inner];
  return axis.folded ? cpu::mul(host, extents[*axis.folded], extent) : extent;
}

/// The least power of two, up to 64, that is not less than `extent`.
static OpFoldResult roundUpToPowerOf2(ImplicitLocOpBuilder &host,
                                      OpFoldResult extent) {
  if (std::optional<int64_t> known = getConstantIntValue(extent)) {
    int64_t power = llvm::PowerOf2Ceil(std::max<int64_t>(*known, 1));
    return host.getIndexAttr(std::min(power, kUnit));
  }
  Value power = cpu::constant(host, kUnit);
  for (int64_t smaller = kUnit / 2; smaller > 0; smaller /= 2) {
    Value bound = cpu::constant(host, smaller);
    Value fits = arith::CmpIOp::create(host, arith::CmpIPredicate::ule,
                                       cpu::toValue(host, extent), bound);
    power = arith::SelectOp::create(host, fits, bound, power);
  }
  return power;
}

/// A unit is 64 indices of the inner dimension or, where these are fewer and
/// memory does not run along them, some of each of several outer ones.
WgmmaKernel::Walk WgmmaKernel::getWalk(const Axis &axis,
                                       ArrayRef<OpFoldResult> extents) {
  Walk walk;
  OpFoldResult inner = getInnerExtent(host, axis, extents);
  OpFoldResult outer =
      axis.outer ? extents[*axis.outer] : OpFoldResult(host.getIndexAttr(1));
  bool canSpan = axis.outer && !axis.isContiguous;
  OpFoldResult unit = host.getIndexAttr(kUnit);
  walk.innerBox = canSpan ? roundUpToPowerOf2(host, inner) : unit;
  walk.outerBox = canSpan ? cpu::ceilDiv(host, unit, walk.innerBox)
                          : OpFoldResult(host.getIndexAttr(1));
  walk.perOuter = cpu::ceilDiv(host, inner, walk.innerBox);
  walk.count =
      cpu::mul(host, walk.perOuter, cpu::ceilDiv(host, outer, walk.outerBox));
  return walk;
}

/// The fewest pieces of at most `most` that `extent` is cut in, as equal as can
/// be: how many, none if there is nothing, and the length of the longest.
static std::pair<OpFoldResult, OpFoldResult>
cutEqually(ImplicitLocOpBuilder &host, OpFoldResult extent, OpFoldResult most) {
  auto atLeastOne = [&](OpFoldResult number) {
    return cpu::max(host, number, host.getIndexAttr(1));
  };
  OpFoldResult count = cpu::ceilDiv(host, extent, most);
  return {count, cpu::ceilDiv(host, atLeastOne(extent), atLeastOne(count))};
}

/// That of m. Boxes of a narrow tile have no more rows than there are, since
/// the copy engine takes as long for a row outside of the array as for others.
WgmmaKernel::Walk WgmmaKernel::getRowWalk(ArrayRef<OpFoldResult> extents) {
  if (!tile.isNarrow || shape.m.isContiguous)
    return getWalk(shape.m, extents);
  Walk walk;
  OpFoldResult unit = host.getIndexAttr(kUnit);
  std::tie(walk.perOuter, walk.innerBox) =
      cutEqually(host, getInnerExtent(host, shape.m, extents), unit);
  OpFoldResult outer = shape.m.outer ? extents[*shape.m.outer]
                                     : OpFoldResult(host.getIndexAttr(1));
  OpFoldResult most = cpu::div(host, unit, walk.innerBox);
  OpFoldResult pieces;
  std::tie(pieces, walk.outerBox) = cutEqually(host, outer, most);
  walk.count = cpu::mul(host, walk.perOuter, pieces);
  return walk;
}

WgmmaKernel::DeviceWalk WgmmaKernel::addWalk(const Walk &walk) {
  return {parameters.addNumber(walk.innerBox),
          parameters.addNumber(walk.outerBox),
          parameters.addNumber(walk.perOuter)};
}

WgmmaKernel::Extents WgmmaKernel::getBox(
    std::initializer_list<std::pair<const Axis *, Walk>> walks) {
  Extents box(contraction.dims.size());
  for (const auto &[axis, walk] : walks) {
    box[axis->inner] = walk.innerBox;
    if (axis->outer)
      box[*axis->outer] = walk.outerBox;
  }
  return box;
}

TensorView WgmmaKernel::getView(Value array,
                                const std::optional<HeadRows> &rows,
                                AffineMap map, ArrayRef<OpFoldResult> extents) {
  TensorView view;
  view.array = cpu::StridedArray::get(host, array, rows, map);
  llvm::append_range(view.extents, extents);
  for (const Axis *axis : {&shape.m, &shape.n, &shape.k})
    view.extents[axis->inner] = getInnerExtent(host, *axis, extents);
  view.dims = getViewDims(shape, map);
  return view;
}

/// Bytes of rhs that all blocks together have under way if there are few rows:
/// with fewer the memory waits, and more make it slower
/// (docs/gpu-performance.md, steps 26 and 28).
static constexpr int64_t kBytesUnderWay = (int64_t(13) << 20) / 2;

/// Stages of a narrow tile hold the units of rows that there are, in whole
/// groups of 8 rows; what the tensor cores read behind them are rows that are
/// not stored.
WgmmaKernel::Ring WgmmaKernel::createRing(OpFoldResult tiles) {
  if (!tile.isNarrow)
    return {b.number(kBoxBytes), b.number(tile.lhsBytes()),
            b.number(tile.stageBytes()), b.number(tile.stages)};
  auto number = [&](int64_t value) -> OpFoldResult {
    return host.getIndexAttr(value);
  };
  constexpr int64_t groupRows = 8;
  OpFoldResult rows = cpu::mul(host, mWalk.innerBox, mWalk.outerBox);
  OpFoldResult unitBytes = cpu::mul(host, cpu::ceilDiv(host, rows, groupRows),
                                    number(groupRows * kRowBytes));
  OpFoldResult units = cpu::min(host, mWalk.count, number(numConsumers));
  OpFoldResult lhsBytes = cpu::mul(host, units, unitBytes);
  OpFoldResult stageBytes = cpu::add(host, lhsBytes, number(tile.rhsBytes()));
  OpFoldResult fitting = cpu::div(host, number(tile.ringBytes()), stageBytes);
  OpFoldResult blocks = cpu::max(
      host, cpu::min(host, tiles, number(kMultiprocessors)), number(1));
  // A stage is released when the next one is being multiplied.
  constexpr int64_t leastStages = 4;
  OpFoldResult needed = cpu::max(
      host, cpu::div(host, number(kBytesUnderWay / tile.rhsBytes()), blocks),
      number(leastStages));
  Value areFew = arith::CmpIOp::create(host, arith::CmpIPredicate::ult,
                                       cpu::toValue(host, mWalk.count),
                                       cpu::constant(host, numConsumers));
  OpFoldResult most =
      arith::SelectOp::create(host, areFew, cpu::toValue(host, needed),
                              cpu::constant(host, tile.stages))
          .getResult();
  OpFoldResult numStages =
      cpu::min(host, fitting, cpu::min(host, most, number(tile.stages)));
  return {parameters.addNumber(unitBytes), parameters.addNumber(lhsBytes),
          parameters.addNumber(stageBytes), parameters.addNumber(numStages)};
}

/// Operands of term `number` of each segment.
void WgmmaKernel::collectTerm(unsigned number) {
  Term term;
  for (auto [segment, description] : llvm::enumerate(contraction.segments)) {
    const ContractionTerm &source = description.terms[number];
    Extents termExtents(getExtents(host, host.getLoc(), contraction, source));
    Walk k = getWalk(shape.k, termExtents);
    if (segment == 0) {
      term.numSteps = parameters.addNumber(k.count);
      hostSteps = number == 0 ? k.count : cpu::add(host, hostSteps, k.count);
      term.k = addWalk(k);
    }
    if (segment == 0 || shape.segmented == SegmentedAxis::M)
      term.lhs.push_back(
          parameters.addTensorMap(getView(source.lhs.array, source.lhs.rows,
                                          source.lhs.map, termExtents),
                                  getBox({{&shape.m, mWalk}, {&shape.k, k}})));
    else
      term.lhs.push_back(term.lhs.front());
    if (segment == 0 || shape.segmented == SegmentedAxis::N) {
      Walk n;
      n.innerBox = host.getIndexAttr(tile.heads > 0 ? shape.headDim
                                                    : tile.rhsBoxColumns());
      n.outerBox = host.getIndexAttr(std::max<int64_t>(tile.heads, 1));
      term.rhs.push_back(
          parameters.addTensorMap(getView(source.rhs.array, source.rhs.rows,
                                          source.rhs.map, termExtents),
                                  getBox({{&shape.n, n}, {&shape.k, k}})));
    } else {
      term.rhs.push_back(term.rhs.front());
    }
    lhsDims = getViewDims(shape, source.lhs.map);
    rhsDims = getViewDims(shape, source.rhs.map);
  }
  terms.push_back(std::move(term));
}

void WgmmaKernel::collectResults() {
  SmallVector<Value> destinations = op.getDestinations();
  for (auto [number, segment] : llvm::enumerate(contraction.segments)) {
    ArrayRef<OpFoldResult> segmentExtents = extents[number];
    const ContractionResult &product = *segment.product;
    Value destination = destinations[product.number];
    resultType = getElementTypeOrSelf(destination);
    resultDims = getViewDims(shape, product.map);
    int64_t rowBytes = tile.boxRowBytes(shape.resultBytes);
    Walk columns;
    columns.innerBox = host.getIndexAttr(tile.boxColumns(shape.resultBytes));
    columns.outerBox = host.getIndexAttr(1);
    Extents box = getBox({{&shape.m, mWalk}, {&shape.n, columns}});
    results.push_back(parameters.addTensorMap(
        getView(destination, product.rows, product.map, segmentExtents), box,
        rowBytes));
    for (const ContractionOperand &addend : product.addends) {
      if (!isTileAddend(addend, product)) {
        bias.push_back(parameters.addAddress(cpu::StridedArray::get(
            host, addend.array, addend.rows, addend.map)));
        numColumns.push_back(
            parameters.addNumber(countColumns(segmentExtents)));
      } else if (shape.readsAddend) {
        addends.push_back(parameters.addTensorMap(
            getView(addend.array, addend.rows, addend.map, segmentExtents), box,
            rowBytes));
      }
    }
    if (!segment.lhsSum)
      continue;
    const ContractionResult &lhsSum = *segment.lhsSum;
    Value sumDestination = destinations[lhsSum.number];
    lhsSumType = getElementTypeOrSelf(sumDestination);
    lhsSumAccumulates = lhsSum.accumulatesInPlace;
    lhsSums.push_back(parameters.addAddress(
        cpu::StridedArray::get(host, sumDestination, lhsSum.rows, lhsSum.map)));
    innerRows =
        parameters.addNumber(getInnerExtent(host, shape.m, segmentExtents));
    if (shape.m.outer)
      outerRows.push_back(parameters.addNumber(segmentExtents[*shape.m.outer]));
  }
}

OpFoldResult WgmmaKernel::countColumns(ArrayRef<OpFoldResult> segmentExtents) {
  OpFoldResult count = getInnerExtent(host, shape.n, segmentExtents);
  return shape.n.outer ? cpu::mul(host, count, segmentExtents[*shape.n.outer])
                       : count;
}

OpFoldResult
WgmmaKernel::countColumnTiles(ArrayRef<OpFoldResult> segmentExtents) {
  if (!shape.n.outer)
    return cpu::ceilDiv(host, countColumns(segmentExtents), tile.columns);
  OpFoldResult heads = segmentExtents[*shape.n.outer];
  if (tile.partsOfHead)
    return cpu::mul(host, heads, host.getIndexAttr(tile.partsOfHead));
  return cpu::ceilDiv(host, heads, tile.heads);
}

/// A division takes long where every thread waits for it. By a small number it
/// is a product with this and a shift, exact for numbers below 2^27.
static constexpr int64_t kReciprocalOne = int64_t(1) << 31;

static int64_t getReciprocal(int64_t divisor) {
  return llvm::divideCeil(kReciprocalOne, divisor);
}

static Value divide(DeviceBuilder &b, Value x, Value reciprocal) {
  auto widen = [&](Value value) {
    return arith::ExtUIOp::create(b, b.getI64Type(), value);
  };
  Value product = arith::MulIOp::create(b, widen(x), widen(reciprocal));
  Value quotient = arith::ShRUIOp::create(b, product, b.number64(31));
  return arith::TruncIOp::create(b, b.getI32Type(), quotient);
}

/// That of the rows of the last group, if these are fewer than `group`.
static OpFoldResult getLastRowsReciprocal(ImplicitLocOpBuilder &host,
                                          OpFoldResult rowTiles,
                                          int64_t group) {
  Value rows = cpu::toValue(host, cpu::rem(host, rowTiles, group));
  Value divisor = arith::MaxUIOp::create(host, rows, cpu::constant(host, 1));
  return arith::CeilDivUIOp::create(host, cpu::constant(host, kReciprocalOne),
                                    divisor)
      .getResult();
}

void WgmmaKernel::collectParameters() {
  for (const ContractionSegment &segment : contraction.segments)
    extents.push_back(Extents(
        getExtents(host, host.getLoc(), contraction, segment.terms.front())));
  mWalk = getRowWalk(extents.front());
  if (tile.isNarrow) {
    numUnits = parameters.addNumber(mWalk.count);
    unitRows =
        parameters.addNumber(cpu::mul(host, mWalk.innerBox, mWalk.outerBox));
  }
  m = addWalk(mWalk);
  for (unsigned term = 0; term < contraction.segments.front().terms.size();
       ++term)
    collectTerm(term);
  collectResults();

  // Tiles along both axes, of all segments; columns if tiles span these.
  OpFoldResult rowTiles = host.getIndexAttr(0),
               columnTiles = host.getIndexAttr(0);
  for (auto [number, segmentExtents] : llvm::enumerate(extents)) {
    Walk walk = getRowWalk(segmentExtents);
    OpFoldResult rows = cpu::ceilDiv(host, walk.count, numConsumers);
    OpFoldResult columns = tile.spansSegments
                               ? countColumns(segmentExtents)
                               : countColumnTiles(segmentExtents);
    bool isFirst = number == 0;
    if (isFirst || shape.segmented == SegmentedAxis::M)
      rowTiles = cpu::add(host, rowTiles, rows);
    if (isFirst || shape.segmented == SegmentedAxis::N)
      columnTiles = cpu::add(host, columnTiles, columns);
    if (number + 1 < extents.size())
      segmentEnds.push_back(parameters.addNumber(
          shape.segmented == SegmentedAxis::M ? rowTiles : columnTiles));
  }
  if (tile.spansSegments)
    columnTiles = cpu::ceilDiv(host, columnTiles, tile.columns);
  numRowTiles = parameters.addNumber(rowTiles);
  lastRowsReciprocal =
      parameters.addNumber(getLastRowsReciprocal(host, rowTiles, tile.group));
  numColumnTiles = parameters.addNumber(columnTiles);
  constexpr int64_t mostLhsParts = 4;
  if (sumsByWarps())
    numLhsParts = parameters.addNumber(
        cpu::min(host, columnTiles, host.getIndexAttr(mostLhsParts)));
  numSteps = b.number(0);
  for (Term &term : terms) {
    term.firstStep = numSteps;
    numSteps = b.add(numSteps, term.numSteps);
  }
  OpFoldResult tiles = cpu::mul(host, rowTiles, columnTiles);
  ring = createRing(tiles);
  launch(tiles, hostSteps);
}

//===----------------------------------------------------------------------===//
// Tiles
//===----------------------------------------------------------------------===//

SmallVector<Value> WgmmaKernel::forEachTile(
    ValueRange carried,
    llvm::function_ref<SmallVector<Value>(const Tile &, ValueRange)> body) {
  Value first = b.blockId(), step = b.numBlocks();
  SmallVector<Value> last = b.loop(first, getWholeTilesEnd(), step, carried,
                                   [&](Value number, ValueRange values) {
                                     return body(decodeTile(number), values);
                                   });
  if (!canShareTiles())
    return last;
  // Code of its own, so that whole tiles are not slowed down.
  return forEachUnit(last, [&](Value number, ValueRange values) {
    return body(decodeUnit(number), values);
  });
}

/// Tiles are numbered through groups of rows: all of the rows of a group in one
/// column, then the next column. Blocks that run at a time then share operands
/// in the L2 cache.
WgmmaKernel::Tile WgmmaKernel::decodeTile(Value number) {
  Tile decoded;
  Value perGroup = b.mul(numColumnTiles, tile.group);
  Value firstRow = b.mul(b.div(number, perGroup), tile.group);
  Value inGroup = b.rem(number, perGroup);
  Value rowsThere = b.sub(numRowTiles, firstRow);
  Value isWhole = b.isLess(b.number(tile.group - 1), rowsThere);
  Value rows = b.select(isWhole, b.number(tile.group), rowsThere);
  Value reciprocal =
      b.select(isWhole, b.number(int32_t(getReciprocal(tile.group))),
               lastRowsReciprocal);
  decoded.n = divide(b, inGroup, reciprocal);
  decoded.m = b.add(firstRow, b.sub(inGroup, b.mul(decoded.n, rows)));
  decoded.row = decoded.m;
  if (shape.segmented != SegmentedAxis::None && !tile.spansSegments)
    findSegment(shape.segmented == SegmentedAxis::M ? decoded.m : decoded.n,
                decoded.isInFirst);
  return decoded;
}

/// Makes `index`, along the segmented axis, count from the start of its
/// segment.
void WgmmaKernel::findSegment(Value &index, SmallVectorImpl<Value> &isInFirst) {
  Value start = b.number(0);
  for (Value end : segmentEnds) {
    Value isBefore = b.isLess(index, end);
    isInFirst.push_back(isBefore);
    start = b.select(isBefore, start, end);
  }
  index = b.sub(index, start);
}

Value WgmmaKernel::select(ArrayRef<Value> isInFirst, const PerSegment &values) {
  Value chosen = values.back();
  // Values that all segments share have no segment to be chosen by.
  if (isInFirst.empty())
    return chosen;
  for (auto [isBefore, value] :
       llvm::reverse(llvm::zip_equal(isInFirst, ArrayRef(values).drop_back())))
    chosen = b.select(isBefore, value, chosen);
  return chosen;
}

//===----------------------------------------------------------------------===//
// The ring and coordinates
//===----------------------------------------------------------------------===//

Value WgmmaKernel::fullBarrier(Value slot) {
  return b.add(b.add(shared, b.mul(slot, 8)), tile.barrierOffset());
}

Value WgmmaKernel::emptyBarrier(Value slot) {
  return b.add(fullBarrier(slot), tile.stages * 8);
}

Value WgmmaKernel::stageAddress(Value slot) {
  return b.add(shared, b.mul(slot, ring.stageBytes));
}

WgmmaKernel::Position WgmmaKernel::next(const Position &position) {
  Value isLast = b.isEqual(position.slot, b.sub(ring.numStages, b.number(1)));
  return {b.select(isLast, b.number(0), b.add(position.slot, 1)),
          b.select(isLast, b.bitXor(position.parity, b.number(1)),
                   position.parity)};
}

Value WgmmaKernel::previous(Value slot) {
  Value after = b.select(b.isEqual(slot, 0), ring.numStages, slot);
  return b.sub(after, b.number(1));
}

WgmmaKernel::Coordinates WgmmaKernel::noCoordinates() {
  return Coordinates(contraction.dims.size());
}

/// The coordinates of a unit: the inner one, then the outer one if there is.
SmallVector<Value> WgmmaKernel::getPlace(const Axis &axis,
                                         const DeviceWalk &walk, Value unit) {
  if (!axis.outer)
    return {b.mul(unit, walk.innerBox)};
  return {b.mul(b.rem(unit, walk.perOuter), walk.innerBox),
          b.mul(b.div(unit, walk.perOuter), walk.outerBox)};
}

/// Those of the unit after `place`, without a division: this is for loops.
SmallVector<Value> WgmmaKernel::getNextPlace(const Axis &axis,
                                             const DeviceWalk &walk,
                                             ValueRange place) {
  if (!axis.outer)
    return {b.add(place[0], walk.innerBox)};
  Value inner = b.add(place[0], walk.innerBox);
  Value isEnd = b.isEqual(inner, b.mul(walk.perOuter, walk.innerBox));
  return {b.select(isEnd, b.number(0), inner),
          b.select(isEnd, b.add(place[1], walk.outerBox), place[1])};
}

void WgmmaKernel::setPlace(Coordinates &coordinates, const Axis &axis,
                           ValueRange place) {
  coordinates[axis.inner] = place[0];
  if (axis.outer)
    coordinates[*axis.outer] = place[1];
}

void WgmmaKernel::setUnit(Coordinates &coordinates, const Axis &axis,
                          const DeviceWalk &walk, Value unit) {
  setPlace(coordinates, axis, getPlace(axis, walk, unit));
}

WgmmaKernel::Columns WgmmaKernel::locateColumns(const Tile &tile,
                                                const ColumnBox &box) {
  Columns columns = {tile.isInFirst, {}};
  Value column = b.add(b.mul(tile.n, this->tile.columns), box.column);
  if (this->tile.spansSegments)
    findSegment(column, columns.isInFirst);
  if (!shape.n.outer)
    columns.place = {column};
  else if (this->tile.spansSegments)
    columns.place = {b.rem(column, shape.headDim),
                     b.div(column, shape.headDim)};
  else if (int64_t parts = this->tile.partsOfHead)
    columns.place = {
        b.add(b.mul(b.rem(tile.n, parts), this->tile.columns), box.inner),
        b.div(tile.n, parts)};
  else
    columns.place = {b.number(box.inner),
                     b.add(b.mul(tile.n, this->tile.heads), box.outer)};
  return columns;
}

SmallVector<Value>
WgmmaKernel::getMapCoordinates(ArrayRef<unsigned> dims,
                               const Coordinates &coordinates) {
  return llvm::map_to_vector(dims,
                             [&](unsigned dim) { return coordinates[dim]; });
}
