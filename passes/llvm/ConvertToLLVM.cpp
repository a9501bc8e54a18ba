// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// `boostr-convert-to-llvm`: everything at once to the LLVM dialect.

#include "boostr/passes/Passes.h"
#include "mlir/Analysis/DataLayoutAnalysis.h"
#include "mlir/Conversion/ArithToLLVM/ArithToLLVM.h"
#include "mlir/Conversion/ControlFlowToLLVM/ControlFlowToLLVM.h"
#include "mlir/Conversion/FuncToLLVM/ConvertFuncToLLVM.h"
#include "mlir/Conversion/IndexToLLVM/IndexToLLVM.h"
#include "mlir/Conversion/LLVMCommon/ConversionTarget.h"
#include "mlir/Conversion/LLVMCommon/TypeConverter.h"
#include "mlir/Conversion/MathToLLVM/MathToLLVM.h"
#include "mlir/Conversion/MemRefToLLVM/MemRefToLLVM.h"
#include "mlir/Conversion/VectorToLLVM/ConvertVectorToLLVM.h"
#include "mlir/Dialect/AMX/AMXDialect.h"
#include "mlir/Dialect/AMX/Transforms.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/X86Vector/Transforms.h"
#include "mlir/Dialect/X86Vector/X86VectorDialect.h"
#include "mlir/Transforms/DialectConversion.h"

namespace mlir::boostr {
#define GEN_PASS_DEF_CONVERTTOLLVM
#include "boostr/passes/Passes.h.inc"
} // namespace mlir::boostr

using namespace mlir;
using namespace mlir::boostr;

namespace {

struct ConvertToLLVM : boostr::impl::ConvertToLLVMBase<ConvertToLLVM> {
  void runOnOperation() override;
};

} // namespace

static void addPatterns(LLVMTypeConverter &converter,
                        LLVMConversionTarget &target,
                        SymbolTableCollection &symbols,
                        RewritePatternSet &patterns) {
  arith::populateArithToLLVMConversionPatterns(converter, patterns);
  index::populateIndexToLLVMConversionPatterns(converter, patterns);
  populateMathToLLVMConversionPatterns(converter, patterns);
  populateFinalizeMemRefToLLVMConversionPatterns(converter, patterns, &symbols);
  populateFuncToLLVMConversionPatterns(converter, patterns, &symbols);
  cf::populateControlFlowToLLVMConversionPatterns(converter, patterns);
  cf::populateAssertToLLVMConversionPattern(converter, patterns,
                                            /*abortOnFailure=*/true, &symbols);
  populateVectorToLLVMConversionPatterns(converter, patterns,
                                         /*reassociateFPReductions=*/false,
                                         /*force32BitVectorIndices=*/true);
  populateX86VectorLegalizeForLLVMExportPatterns(converter, patterns);
  configureX86VectorLegalizeForExportTarget(target);
  populateAMXLegalizeForLLVMExportPatterns(converter, patterns);
  configureAMXLegalizeForExportTarget(target);
}

void ConvertToLLVM::runOnOperation() {
  MLIRContext *context = &getContext();
  const auto &layouts = getAnalysis<DataLayoutAnalysis>();
  LowerToLLVMOptions options(context, layouts.getAtOrAbove(getOperation()));
  options.useGenericFunctions = true;
  LLVMTypeConverter converter(context, options, &layouts);
  LLVMConversionTarget target(*context);
  SymbolTableCollection symbols;
  RewritePatternSet patterns(context);
  addPatterns(converter, target, symbols, patterns);
  if (failed(
          applyPartialConversion(getOperation(), target, std::move(patterns))))
    signalPassFailure();
}
