// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "boostr/passes/driver/LlvmPasses.h"
#include "boostr/passes/driver/SplitAddresses.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/Instructions.h"
#include "llvm/PassInfo.h"
#include "llvm/PassRegistry.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Transforms/IPO/GlobalDCE.h"
#include "llvm/Transforms/InstCombine/InstCombine.h"
#include "llvm/Transforms/Scalar/EarlyCSE.h"
#include "llvm/Transforms/Scalar/GVN.h"
#include "llvm/Transforms/Scalar/LICM.h"
#include "llvm/Transforms/Scalar/LoopPassManager.h"
#include "llvm/Transforms/Scalar/LoopRotation.h"
#include "llvm/Transforms/Scalar/LoopStrengthReduce.h"
#include "llvm/Transforms/Scalar/SROA.h"
#include "llvm/Transforms/Scalar/SimplifyCFG.h"
#include "llvm/Transforms/Vectorize/LoopVectorize.h"

using namespace mlir::boostr;

static llvm::FunctionToLoopPassAdaptor hoist(bool rotate) {
  llvm::LoopPassManager loops;
  if (rotate)
    loops.addPass(llvm::LoopRotatePass());
  loops.addPass(llvm::LICMPass(llvm::LICMOptions()));
  return llvm::createFunctionToLoopPassAdaptor(std::move(loops),
                                               /*UseMemorySSA=*/true);
}

/// True for what the generator wrote: it blocks, unrolls and vectorizes.
static bool hasVectors(const llvm::Function &function) {
  return llvm::any_of(
      llvm::instructions(function), [](const llvm::Instruction &instruction) {
        auto *store = llvm::dyn_cast<llvm::StoreInst>(&instruction);
        const llvm::Value &value =
            store ? *store->getValueOperand() : instruction;
        return value.getType()->isVectorTy() || value.getType()->isX86_AMXTy();
      });
}

namespace {

/// Vectorizes loops of functions that have no vectors: those of linalg ops.
/// What is scalar in generated code is so because it runs seldom; as vectors,
/// with all that goes before and after them, it is a third of the code.
struct VectorizeScalarCode : llvm::PassInfoMixin<VectorizeScalarCode> {
  VectorizeScalarCode() {
    passes.addPass(llvm::LoopVectorizePass());
    passes.addPass(llvm::InstCombinePass());
    passes.addPass(llvm::GVNPass());
    passes.addPass(hoist(/*rotate=*/false));
    passes.addPass(
        llvm::createFunctionToLoopPassAdaptor(llvm::LoopStrengthReducePass()));
  }

  llvm::PreservedAnalyses run(llvm::Function &function,
                              llvm::FunctionAnalysisManager &analyses) {
    if (hasVectors(function))
      return llvm::PreservedAnalyses::all();
    return passes.run(function, analyses);
  }

private:
  llvm::FunctionPassManager passes;
};

} // namespace

/// What LLVM does for code of a CPU. There is nothing to inline, unroll or pack
/// into vectors: what is left is to clean up.
static llvm::ModulePassManager buildCpuPasses() {
  llvm::FunctionPassManager passes;
  passes.addPass(llvm::SROAPass(llvm::SROAOptions::ModifyCFG));
  passes.addPass(llvm::EarlyCSEPass(/*UseMemorySSA=*/true));
  passes.addPass(llvm::SimplifyCFGPass());
  passes.addPass(llvm::InstCombinePass());
  passes.addPass(llvm::EarlyCSEPass());
  passes.addPass(SplitAddresses());
  passes.addPass(hoist(/*rotate=*/true));
  passes.addPass(VectorizeScalarCode());
  passes.addPass(llvm::EarlyCSEPass());
  passes.addPass(llvm::SimplifyCFGPass());
  llvm::ModulePassManager all;
  all.addPass(llvm::GlobalDCEPass());
  all.addPass(llvm::createModuleToFunctionPassAdaptor(std::move(passes)));
  return all;
}

void mlir::boostr::optimize(llvm::Module &module,
                            llvm::TargetMachine &machine) {
  // What launches kernels has no loops worth the time.
  bool isHost = module.getFunction("boostr_cuda_launch") != nullptr;
  llvm::PipelineTuningOptions tuning;
  tuning.LoopVectorization = false;
  tuning.SLPVectorization = false;
  llvm::PassBuilder builder(&machine, tuning);
  llvm::LoopAnalysisManager loops;
  llvm::FunctionAnalysisManager functions;
  llvm::CGSCCAnalysisManager components;
  llvm::ModuleAnalysisManager modules;
  builder.registerModuleAnalyses(modules);
  builder.registerCGSCCAnalyses(components);
  builder.registerFunctionAnalyses(functions);
  builder.registerLoopAnalyses(loops);
  builder.crossRegisterProxies(loops, functions, components, modules);
  llvm::ModulePassManager passes =
      isHost
          ? builder.buildPerModuleDefaultPipeline(llvm::OptimizationLevel::O1)
          : buildCpuPasses();
  passes.run(module, modules);
}

void CodeGenPasses::add(llvm::Pass *pass) {
  const llvm::PassInfo *info =
      llvm::PassRegistry::getPassRegistry()->getPassInfo(pass->getPassID());
  // The second prepares for the first.
  bool isLeftOut = info && llvm::StringSwitch<bool>(info->getPassArgument())
                               .Cases({"loop-reduce", "canon-freeze"}, true)
                               .Default(false);
  if (isLeftOut)
    delete pass;
  else
    llvm::legacy::PassManager::add(pass);
}
