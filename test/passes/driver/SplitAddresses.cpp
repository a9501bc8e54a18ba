// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Reads LLVM IR, runs SplitAddresses alone, checks and prints the result.
//
// usage: boostr-test-split-addresses FILE

#include "boostr/passes/driver/SplitAddresses.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/Module.h"
#include "llvm/IR/Verifier.h"
#include "llvm/IRReader/IRReader.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/SourceMgr.h"
#include "llvm/Support/raw_ostream.h"

int main(int argc, char **argv) {
  llvm::LLVMContext context;
  llvm::SMDiagnostic error;
  std::unique_ptr<llvm::Module> module =
      llvm::parseIRFile(argc == 2 ? argv[1] : "-", error, context);
  if (!module) {
    error.print(argv[0], llvm::errs());
    return 1;
  }
  llvm::PassBuilder builder;
  llvm::FunctionAnalysisManager analyses;
  builder.registerFunctionAnalyses(analyses);
  for (llvm::Function &function : *module)
    if (!function.isDeclaration())
      mlir::boostr::SplitAddresses().run(function, analyses);
  module->print(llvm::outs(), nullptr);
  return llvm::verifyModule(*module, &llvm::errs());
}
