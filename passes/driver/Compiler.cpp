// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "boostr/passes/driver/Compiler.h"
#include "boostr/dialect/BoostrAttrs.h"
#include "boostr/passes/Register.h"
#include "boostr/passes/cpu/CpuTarget.h"
#include "boostr/passes/driver/LinkSharedObject.h"
#include "boostr/passes/driver/LlvmPasses.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/Verifier.h"
#include "mlir/InitAllDialects.h"
#include "mlir/InitAllExtensions.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Support/FileUtilities.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "llvm/ADT/ScopeExit.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Support/SourceMgr.h"
#include "llvm/Support/TargetSelect.h"

using namespace mlir;
using namespace mlir::boostr;

void mlir::boostr::registerCompiler(DialectRegistry &registry) {
  registerAllDialects(registry);
  registerAllExtensions(registry);
  registerDialects(registry);
  registerBuiltinDialectTranslation(registry);
  registerLLVMDialectTranslation(registry);
}

LogicalResult mlir::boostr::readSourceFile(StringRef path,
                                           llvm::SourceMgr &sources,
                                           MLIRContext &context) {
  std::string message;
  std::unique_ptr<llvm::MemoryBuffer> buffer = openInputFile(path, &message);
  if (!buffer)
    return emitError(UnknownLoc::get(&context)) << message;
  sources.AddNewSourceBuffer(std::move(buffer), SMLoc());
  return success();
}

OwningOpRef<ModuleOp> mlir::boostr::parseSources(llvm::SourceMgr &sources,
                                                 MLIRContext &context) {
  return mlir::parseSourceFile<ModuleOp>(sources, ParserConfig(&context));
}

OwningOpRef<ModuleOp> mlir::boostr::parseSource(StringRef source,
                                                StringRef name,
                                                llvm::SourceMgr &sources,
                                                MLIRContext &context) {
  sources.AddNewSourceBuffer(llvm::MemoryBuffer::getMemBufferCopy(source, name),
                             SMLoc());
  return parseSources(sources, context);
}

LogicalResult mlir::boostr::runPipeline(
    ModuleOp module, const TargetOptions &options,
    llvm::function_ref<void(StringRef, ModuleOp)> afterStage) {
  auto runStage = [&](StringRef name,
                      llvm::function_ref<void(OpPassManager &)> addStage) {
    PassManager pm(module.getContext());
    // Once a stage: after each pass it takes a third of the time.
    pm.enableVerifier(false);
    addStage(pm);
    if (failed(pm.run(module)) || failed(verify(module)))
      return failure();
    if (afterStage)
      afterStage(name, module);
    return success();
  };
  if (options.isCuda) {
    for (CudaStage stage : getCudaStages()) {
      if (failed(runStage(stringifyCudaStage(stage), [&](OpPassManager &pm) {
            addCudaStage(pm, stage, options.cuda);
          })))
        return failure();
      if (stage == options.cuda.stopAfter)
        break;
    }
    return success();
  }
  for (CpuStage stage : getCpuStages()) {
    if (failed(runStage(stringifyCpuStage(stage), [&](OpPassManager &pm) {
          addCpuStage(pm, stage, options.cpu);
        })))
      return failure();
    if (stage == options.cpu.stopAfter)
      break;
  }
  return success();
}

FailureOr<std::string> mlir::boostr::getKernels(ModuleOp module,
                                                GpuImages image) {
  auto format = image == GpuImages::Ptx ? gpu::CompilationTarget::Assembly
                                        : gpu::CompilationTarget::Binary;
  SmallVector<StringRef> found;
  for (auto binary : module.getOps<gpu::BinaryOp>())
    for (auto object : binary.getObjects().getAsRange<gpu::ObjectAttr>())
      if (object.getFormat() == format)
        found.push_back(object.getObject().getValue());
  if (found.size() == 1)
    return found.front().str();
  return module.emitError()
         << "expected one module of kernels to write, got " << found.size();
}

std::unique_ptr<llvm::TargetMachine>
mlir::boostr::createTargetMachine(ModuleOp module) {
  auto target = module->getAttrOfType<CpuTargetAttr>(
      BoostrDialect::getCpuTargetAttrName());
  if (!target) {
    module.emitError() << "expected an attribute '"
                       << BoostrDialect::getCpuTargetAttrName() << "'";
    return nullptr;
  }
  LLVMInitializeX86TargetInfo();
  LLVMInitializeX86Target();
  LLVMInitializeX86TargetMC();
  LLVMInitializeX86AsmPrinter();
  llvm::Triple triple(cpu::kTriple);
  std::string message;
  const llvm::Target *generator =
      llvm::TargetRegistry::lookupTarget(triple, message);
  if (!generator) {
    module.emitError() << message;
    return nullptr;
  }
  return std::unique_ptr<llvm::TargetMachine>(generator->createTargetMachine(
      triple, target.getCpu(), target.getFeatures(), llvm::TargetOptions(),
      llvm::Reloc::PIC_, std::nullopt, llvm::CodeGenOptLevel::Aggressive));
}

std::unique_ptr<llvm::Module>
mlir::boostr::translateToLLVMIR(ModuleOp module, llvm::LLVMContext &context,
                                llvm::TargetMachine &machine) {
  std::unique_ptr<llvm::Module> translated =
      translateModuleToLLVMIR(module, context);
  if (!translated) {
    module.emitError("failed to translate to LLVM IR");
    return nullptr;
  }
  translated->setDataLayout(machine.createDataLayout());
  translated->setTargetTriple(machine.getTargetTriple());
  optimize(*translated, machine);
  return translated;
}

FailureOr<SmallString<0>> mlir::boostr::emitCode(llvm::Module &module,
                                                 llvm::TargetMachine &machine,
                                                 llvm::CodeGenFileType type,
                                                 Location loc) {
  SmallString<0> code;
  llvm::raw_svector_ostream os(code);
  CodeGenPasses passes;
  if (machine.addPassesToEmitFile(passes, os, nullptr, type))
    return emitError(loc) << "this target emits no files of that kind";
  passes.run(module);
  return code;
}

FailureOr<SmallString<0>> mlir::boostr::emitObject(ModuleOp module) {
  std::unique_ptr<llvm::TargetMachine> machine = createTargetMachine(module);
  if (!machine)
    return failure();
  llvm::LLVMContext context;
  std::unique_ptr<llvm::Module> ir =
      translateToLLVMIR(module, context, *machine);
  if (!ir)
    return failure();
  return emitCode(*ir, *machine, llvm::CodeGenFileType::ObjectFile,
                  module.getLoc());
}

FailureOr<SmallString<0>> mlir::boostr::compileToObject(
    ModuleOp module, TargetOptions &options,
    llvm::function_ref<void(StringRef, ModuleOp)> afterStage) {
  if (options.isCuda || options.variants.size() <= 1) {
    if (failed(runPipeline(module, options, afterStage)))
      return failure();
    return emitObject(module);
  }
  auto select = [&](size_t number, size_t count) {
    options.cpu.cpu = options.variants[number].cpu;
    options.cpu.features = options.variants[number].features;
    options.cpu.variant = number;
    options.cpu.variants = count;
  };
  auto restore = llvm::scope_exit([&] { select(0, 1); });
  std::vector<SmallString<0>> objects;
  for (size_t number = 0; number < options.variants.size(); ++number) {
    select(number, options.variants.size());
    OwningOpRef<ModuleOp> variant = module.clone();
    if (failed(runPipeline(*variant, options, afterStage)))
      return failure();
    FailureOr<SmallString<0>> object = emitObject(*variant);
    if (failed(object))
      return failure();
    objects.push_back(std::move(*object));
  }
  return linkRelocatable(objects, module.getLoc());
}
