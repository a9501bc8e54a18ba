// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// `boostr-gpu-to-binary`: machine code of kernels.

#include "boostr/dialect/BoostrAttrs.h"
#include "boostr/dialect/BoostrDialect.h"
#include "boostr/passes/Passes.h"
#include "boostr/passes/gpu/IndependentKernels.h"
#include "boostr/passes/gpu/Ptxas.h"
#include "mlir/Dialect/GPU/IR/CompilationInterfaces.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/IR/Threading.h"
#include "mlir/Target/LLVM/NVVM/Target.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/GPU/GPUToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/NVVM/NVVMToLLVMIRTranslation.h"

namespace mlir::boostr {
#define GEN_PASS_DEF_GPUTOBINARY
#include "boostr/passes/Passes.h.inc"
} // namespace mlir::boostr

using namespace mlir;
using namespace mlir::boostr;

namespace {

/// A module of kernels on its way to machine code.
struct KernelModule {
  KernelModule(gpu::GPUModuleOp op, GpuTargetAttr target)
      : op(op), target(target) {}

  gpu::GPUModuleOp op;
  GpuTargetAttr target;
  std::string ptx;
  AssembledModule assembled;
  /// Of kernels that spilled registers, the blocks on a multiprocessor that the
  /// assembler was then told to aim at.
  llvm::DenseMap<Operation *, int64_t> blocks;
};

struct GpuToBinary : boostr::impl::GpuToBinaryBase<GpuToBinary> {
  using GpuToBinaryBase::GpuToBinaryBase;
  void getDependentDialects(DialectRegistry &registry) const override;
  void runOnOperation() override;

private:
  LogicalResult translate(KernelModule &module, const CudaToolkit &toolkit);
  LogicalResult assemble(KernelModule &module, const CudaToolkit &toolkit);
  void report(KernelModule &module);
  void createBinary(KernelModule &module, bool hasCubin);
};

} // namespace

/// PTX for a chip whose name ends in a letter uses what only that chip has.
static bool runsOnLaterChips(GpuTargetAttr target) {
  return llvm::isDigit(target.getChip().back());
}

static NVVM::NVVMTargetAttr getNvvmTarget(GpuTargetAttr target) {
  return NVVM::NVVMTargetAttr::get(target.getContext(), /*optLevel=*/3,
                                   "nvptx64-nvidia-cuda", target.getChip(),
                                   target.getFeatures());
}

//===----------------------------------------------------------------------===//
// PTX
//===----------------------------------------------------------------------===//

/// A math function that is declared and defined by libdevice only.
static LLVM::LLVMFuncOp findLibdeviceFunction(gpu::GPUModuleOp module) {
  for (auto function : module.getOps<LLVM::LLVMFuncOp>())
    if (function.isExternal() && function.getName().starts_with("__nv_"))
      return function;
  return {};
}

LogicalResult GpuToBinary::translate(KernelModule &module,
                                     const CudaToolkit &toolkit) {
  SmallVector<Attribute> libraries;
  if (LLVM::LLVMFuncOp function = findLibdeviceFunction(module.op)) {
    std::string libdevice = toolkit.getLibdevice();
    if (libdevice.empty())
      return function.emitError()
             << "'" << function.getName()
             << "' is a function of CUDA's libdevice, which was not found; "
                "name a CUDA toolkit in the environment variable CUDA_HOME";
    libraries.push_back(StringAttr::get(&getContext(), libdevice));
  }
  gpu::TargetOptions options(/*toolkitPath=*/"", libraries,
                             /*cmdOptions=*/"", /*elfSection=*/"",
                             gpu::CompilationTarget::Assembly);
  auto target =
      dyn_cast<gpu::TargetAttrInterface>(getNvvmTarget(module.target));
  if (!target)
    return module.op.emitError(
        "no code generator for NVIDIA GPUs is registered");
  std::optional<SmallVector<char, 0>> text =
      target.serializeToObject(module.op, options);
  if (!text)
    return module.op.emitError("cannot be translated to PTX");
  module.ptx.assign(text->begin(), text->end());
  // Null-terminated or not depending on upstream's version.
  while (!module.ptx.empty() && module.ptx.back() == '\0')
    module.ptx.pop_back();
  return success();
}

//===----------------------------------------------------------------------===//
// Machine code
//===----------------------------------------------------------------------===//

LogicalResult GpuToBinary::assemble(KernelModule &module,
                                    const CudaToolkit &toolkit) {
  llvm::Expected<AssembledModule> assembled = runPtxas(
      toolkit.ptxas, module.ptx, module.target.getChip(), ptxasOptions);
  if (!assembled)
    return module.op.emitError() << llvm::toString(assembled.takeError());
  module.assembled = std::move(*assembled);
  return success();
}

/// How many blocks of a kernel the registers of a multiprocessor are enough
/// for; 0 if the size of a block is not known.
static int64_t countBlocks(LLVM::LLVMFuncOp kernel,
                           const KernelResources &used) {
  constexpr int64_t ofMultiprocessor = 1 << 16, unit = 8;
  auto extents = kernel->getAttrOfType<DenseI32ArrayAttr>(
      NVVM::NVVMDialect::getMaxntidAttrName());
  if (!extents || !used.registers)
    return 0;
  int64_t threads = 1;
  for (int32_t extent : extents.asArrayRef())
    threads *= extent;
  int64_t ofThread = llvm::alignTo(used.registers, unit);
  return ofMultiprocessor / std::max<int64_t>(ofThread * threads, 1);
}

/// For chips from sm_100 on the assembler spills registers to have more blocks
/// on a multiprocessor at once, where shared memory mostly has no room for
/// them. Bounds kernels that it did so for to a block less; false if there are
/// none.
static bool relaxKernels(KernelModule &module) {
  bool isChanged = false;
  for (auto kernel : module.op.getOps<LLVM::LLVMFuncOp>()) {
    auto found = module.assembled.kernels.find(kernel.getName());
    if (found == module.assembled.kernels.end() ||
        !found->second.spillStoreBytes)
      continue;
    StringRef name = NVVM::NVVMDialect::getMinctasmAttrName();
    auto known = module.blocks.find(kernel);
    // What the kernel says by itself counts.
    if (known == module.blocks.end() && kernel->hasAttr(name))
      continue;
    int64_t blocks = countBlocks(kernel, found->second);
    if (known != module.blocks.end())
      blocks = std::min(blocks, known->second);
    if (blocks <= 1)
      continue;
    module.blocks[kernel] = --blocks;
    OpBuilder builder(kernel);
    kernel->setAttr(name, builder.getI32IntegerAttr(blocks));
    isChanged = true;
  }
  return isChanged;
}

/// Says what the assembler said.
void GpuToBinary::report(KernelModule &module) {
  for (StringRef warning : module.assembled.warnings)
    emitWarning(module.op.getLoc()) << "ptxas: " << warning;
  for (auto kernel : module.op.getOps<LLVM::LLVMFuncOp>()) {
    auto found = module.assembled.kernels.find(kernel.getName());
    if (found == module.assembled.kernels.end())
      continue;
    const KernelResources &used = found->second;
    if (used.spillStoreBytes || used.spillLoadBytes)
      emitWarning(kernel.getLoc())
          << "kernel '" << kernel.getName() << "' spills "
          << used.spillStoreBytes << " bytes and reloads "
          << used.spillLoadBytes;
    if (printReport)
      emitRemark(kernel.getLoc())
          << "kernel '" << kernel.getName() << "': " << used.registers
          << " registers, " << used.stackBytes << " bytes of stack, "
          << used.sharedBytes << " bytes of static shared memory";
  }
}

static gpu::KernelTableAttr createKernelTable(KernelModule &module) {
  SmallVector<gpu::KernelMetadataAttr> kernels;
  OpBuilder builder(module.op);
  for (auto kernel : module.op.getOps<LLVM::LLVMFuncOp>()) {
    if (!gpu::GPUDialect::isKernel(kernel))
      continue;
    SmallVector<NamedAttribute> metadata;
    auto found = module.assembled.kernels.find(kernel.getName());
    if (found != module.assembled.kernels.end()) {
      const KernelResources &used = found->second;
      auto attribute = [&](StringRef name, int64_t value) {
        return builder.getNamedAttr(name, builder.getI64IntegerAttr(value));
      };
      metadata = {attribute("registers", used.registers),
                  attribute("stack_bytes", used.stackBytes),
                  attribute("spill_store_bytes", used.spillStoreBytes),
                  attribute("spill_load_bytes", used.spillLoadBytes),
                  attribute("shared_bytes", used.sharedBytes)};
    }
    if (runsWithEarlier(kernel))
      metadata.push_back(
          builder.getNamedAttr(kRunsWithEarlierName, builder.getUnitAttr()));
    kernels.push_back(gpu::KernelMetadataAttr::get(
        kernel, metadata.empty() ? DictionaryAttr()
                                 : builder.getDictionaryAttr(metadata)));
  }
  return gpu::KernelTableAttr::get(builder.getContext(), kernels);
}

void GpuToBinary::createBinary(KernelModule &module, bool hasCubin) {
  OpBuilder builder(module.op);
  gpu::KernelTableAttr kernels = createKernelTable(module);
  NVVM::NVVMTargetAttr target = getNvvmTarget(module.target);
  SmallVector<Attribute> objects;
  auto add = [&](gpu::CompilationTarget format, StringRef text) {
    objects.push_back(gpu::ObjectAttr::get(target, format,
                                           builder.getStringAttr(text),
                                           DictionaryAttr(), kernels));
  };
  if (hasCubin)
    add(gpu::CompilationTarget::Binary, module.assembled.cubin);
  if (!hasCubin ||
      (images != GpuImages::Cubin && runsOnLaterChips(module.target)))
    add(gpu::CompilationTarget::Assembly, module.ptx);
  gpu::BinaryOp::create(builder, module.op.getLoc(), module.op.getName(),
                        /*offloadingHandler=*/Attribute(), objects);
  module.op.erase();
}

//===----------------------------------------------------------------------===//
// The pass
//===----------------------------------------------------------------------===//

void GpuToBinary::getDependentDialects(DialectRegistry &registry) const {
  GpuToBinaryBase::getDependentDialects(registry);
  registerBuiltinDialectTranslation(registry);
  registerGPUDialectTranslation(registry);
  registerLLVMDialectTranslation(registry);
  registerNVVMDialectTranslation(registry);
  NVVM::registerNVVMTargetInterfaceExternalModels(registry);
}

void GpuToBinary::runOnOperation() {
  ModuleOp module = getOperation();
  SmallVector<KernelModule, 0> modules;
  auto target = module->getAttrOfType<GpuTargetAttr>(
      BoostrDialect::getGpuTargetAttrName());
  for (auto op : module.getOps<gpu::GPUModuleOp>()) {
    if (!target) {
      op.emitError() << "expected the module around it to have an attribute '"
                     << BoostrDialect::getGpuTargetAttrName()
                     << "'; run boostr-set-gpu-target before";
      return signalPassFailure();
    }
    modules.emplace_back(op, target);
  }
  if (modules.empty())
    return;

  CudaToolkit toolkit = CudaToolkit::find(ptxas);
  bool hasCubin = images != GpuImages::Ptx && !toolkit.ptxas.empty();
  if (images == GpuImages::Cubin && !hasCubin) {
    module.emitError("found no ptxas to assemble kernels with; name it in the "
                     "option 'ptxas' or a CUDA toolkit in the environment "
                     "variable CUDA_HOME");
    return signalPassFailure();
  }
  if (images == GpuImages::All && !hasCubin)
    emitRemark(module.getLoc(),
               "found no ptxas: kernels are kept as PTX, which the "
               "driver compiles when it loads them");
  // Most of the time of compiling goes here: LLVM, and another process.
  auto compile = [&](KernelModule &kernels) -> LogicalResult {
    do {
      if (failed(translate(kernels, toolkit)) ||
          (hasCubin && failed(assemble(kernels, toolkit))))
        return failure();
    } while (relaxKernels(kernels));
    return success();
  };
  if (failed(failableParallelForEach(&getContext(), modules, compile)))
    return signalPassFailure();
  for (KernelModule &kernels : modules) {
    if (hasCubin)
      report(kernels);
    createBinary(kernels, hasCubin);
  }
}
