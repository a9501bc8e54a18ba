// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "boostr/passes/driver/SplitAddresses.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Analysis/LoopInfo.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/PatternMatch.h"

using namespace mlir::boostr;

/// The terms of a sum, through sums that have no other use.
static void collectTerms(llvm::Value *value,
                         llvm::SmallVectorImpl<llvm::Value *> &terms) {
  using namespace llvm::PatternMatch;
  llvm::Value *x, *y;
  if (!match(value, m_OneUse(m_Add(m_Value(x), m_Value(y))))) {
    terms.push_back(value);
    return;
  }
  collectTerms(x, terms);
  collectTerms(y, terms);
}

static llvm::Value *addTerms(llvm::IRBuilder<> &builder,
                             llvm::ArrayRef<llvm::Value *> terms) {
  llvm::Value *sum = terms.front();
  for (llvm::Value *term : terms.drop_front())
    sum = builder.CreateAdd(sum, term);
  return sum;
}

static bool splitAddress(llvm::GetElementPtrInst &address,
                         const llvm::Loop &loop) {
  llvm::SmallVector<llvm::Value *> terms;
  if (address.getNumIndices() != 1 || address.getType()->isVectorTy() ||
      !loop.isLoopInvariant(address.getPointerOperand()))
    return false;
  collectTerms(address.getOperand(1), terms);
  auto variant = llvm::partition(
      terms, [&](llvm::Value *term) { return loop.isLoopInvariant(term); });
  if (variant == terms.begin() || variant == terms.end())
    return false;
  llvm::IRBuilder<> builder(&address);
  llvm::Type *type = address.getSourceElementType();
  llvm::Value *base = builder.CreateGEP(
      type, address.getPointerOperand(),
      addTerms(builder, llvm::ArrayRef(terms.begin(), variant)));
  address.replaceAllUsesWith(builder.CreateGEP(
      type, base, addTerms(builder, llvm::ArrayRef(variant, terms.end()))));
  address.eraseFromParent();
  return true;
}

llvm::PreservedAnalyses
SplitAddresses::run(llvm::Function &function,
                    llvm::FunctionAnalysisManager &analyses) {
  const llvm::LoopInfo &loops =
      analyses.getResult<llvm::LoopAnalysis>(function);
  bool isChanged = false;
  for (llvm::Instruction &instruction :
       llvm::make_early_inc_range(llvm::instructions(function)))
    if (auto *address = llvm::dyn_cast<llvm::GetElementPtrInst>(&instruction))
      if (const llvm::Loop *loop = loops.getLoopFor(address->getParent()))
        isChanged |= splitAddress(*address, *loop);
  if (!isChanged)
    return llvm::PreservedAnalyses::all();
  llvm::PreservedAnalyses preserved;
  preserved.preserveSet<llvm::CFGAnalyses>();
  return preserved;
}
