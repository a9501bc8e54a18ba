// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The frame of a kernel, and its launch.

#include "boostr/passes/gpu/wgmma/WgmmaKernel.h"
#include "boostr/passes/cpu/IndexMath.h"
#include "boostr/passes/gpu/IndependentKernels.h"
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
                         Value workspace, Value mayShare)
    : host(host), b(host.getLoc(), host.getContext()), op(op),
      contraction(contraction), shape(shape), tile(tile),
      numConsumers(tile.consumers), workspace(workspace), mayShare(mayShare),
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
  bool loadsMuch = tile.isNarrow || terms.size() > 1;
  return mayRunTogether(op) || loadsMuch ? Registers{40, 232}
                                         : Registers{24, 240};
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
