// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The options by which every tool that compiles says for what and how.

#ifndef BOOSTR_TOOLS_COMMON_LOWERINGOPTIONS_H
#define BOOSTR_TOOLS_COMMON_LOWERINGOPTIONS_H

#include "boostr/passes/driver/TargetOption.h"
#include "llvm/Support/CommandLine.h"

namespace mlir::boostr {

struct LoweringOptions {
  explicit LoweringOptions(llvm::cl::OptionCategory &category)
      : target("target",
               llvm::cl::desc(
                   "cpu for this machine, or cpu:NAME,+FEATURE,-FEATURE,... "
                   "with LLVM's names, as in cpu:x86-64-v4 or "
                   "cpu:x86-64,+avx2,+fma"),
               llvm::cl::value_desc("target"), llvm::cl::init("cpu"),
               llvm::cl::cat(category)),
        contractions(
            "contractions", llvm::cl::desc("How boostr ops are lowered"),
            llvm::cl::init(ContractionLowering::Generated),
            llvm::cl::values(
                clEnumValN(ContractionLowering::Generated, "generated",
                           "packed, tiled vector code"),
                clEnumValN(ContractionLowering::Linalg, "linalg",
                           "plain loops by way of linalg, to compare with")),
            llvm::cl::cat(category)) {}

  /// Sets `options` as the command line says; an error is reported.
  LogicalResult apply(CpuPipelineOptions &options, MLIRContext *context) const {
    options.contractions = contractions;
    return parseTarget(target, options, context);
  }

  llvm::cl::opt<std::string> target;
  llvm::cl::opt<ContractionLowering> contractions;
};

} // namespace mlir::boostr

#endif // BOOSTR_TOOLS_COMMON_LOWERINGOPTIONS_H
