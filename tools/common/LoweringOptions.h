// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The options by which every tool that compiles says for what and how.

#ifndef BOOSTR_TOOLS_COMMON_LOWERINGOPTIONS_H
#define BOOSTR_TOOLS_COMMON_LOWERINGOPTIONS_H

#include "boostr/passes/driver/TargetOption.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/Location.h"
#include "llvm/Support/CommandLine.h"

namespace mlir::boostr {

struct LoweringOptions {
  explicit LoweringOptions(llvm::cl::OptionCategory &category)
      : target("target",
               llvm::cl::desc(
                   "cpu for this machine, or cpu:NAME,+FEATURE,-FEATURE,... "
                   "with LLVM's names, as in cpu:x86-64-v4 or "
                   "cpu:x86-64,+avx2,+fma; several of these, as in "
                   "cpu:x86-64-v3,cpu:sapphirerapids, for code that takes what "
                   "suits the machine when it is called; cuda, "
                   "cuda:CHIP,+FEATURE,... as in "
                   "cuda:sm_90a, or, to run, cuda:N for a device of this "
                   "machine"),
               llvm::cl::value_desc("target"), llvm::cl::init("cpu"),
               llvm::cl::cat(category)),
        contractions(
            "contractions", llvm::cl::desc("How boostr ops are lowered"),
            llvm::cl::init(ContractionLowering::Generated),
            llvm::cl::values(
                clEnumValN(ContractionLowering::Generated, "generated",
                           "code of our generators"),
                clEnumValN(ContractionLowering::Linalg, "linalg",
                           "plain loops by way of linalg, to compare with")),
            llvm::cl::cat(category)),
        prepack("prepack",
                llvm::cl::desc(
                    "Names of arguments, weights: beside each public function "
                    "f that has one, W, there is f_pack_W, which packs it, and "
                    "f_packed, which takes it packed; for a CPU"),
                llvm::cl::value_desc("W,..."), llvm::cl::CommaSeparated,
                llvm::cl::cat(category)),
        f32Precision(
            "f32-precision",
            llvm::cl::desc("How a GPU multiplies f32 in boostr ops"),
            llvm::cl::init(F32Precision::Ieee),
            llvm::cl::values(
                clEnumValN(F32Precision::Ieee, "ieee",
                           "fused multiply-adds of f32"),
                clEnumValN(F32Precision::Tf32, "tf32",
                           "tensor cores, operands rounded to 11 bits"),
                clEnumValN(F32Precision::Tf32x3, "tf32x3",
                           "tensor cores, three products of 11 bits")),
            llvm::cl::cat(category)),
        gemm("gemm",
             llvm::cl::desc("What computes matrix products of boostr ops on a "
                            "GPU"),
             llvm::cl::init(Gemm::Generated),
             llvm::cl::values(
                 clEnumValN(Gemm::Generated, "generated", "kernels of our own"),
                 clEnumValN(Gemm::Cublaslt, "cublaslt",
                            "cuBLASLt, where it has such products"),
                 clEnumValN(Gemm::Auto, "auto",
                            "whichever was measured to be faster")),
             llvm::cl::cat(category)),
        ptxas("ptxas",
              llvm::cl::desc("NVIDIA's assembler, if it is not in PATH, "
                             "CUDA_HOME or /usr/local/cuda"),
              llvm::cl::value_desc("path"), llvm::cl::cat(category)),
        ptxasOptions("ptxas-options", llvm::cl::desc("Options for ptxas"),
                     llvm::cl::value_desc("options"), llvm::cl::cat(category)),
        reportKernels("report-kernels",
                      llvm::cl::desc("Say which registers and memory the "
                                     "kernels for a GPU use"),
                      llvm::cl::cat(category)) {}

  /// Sets `options` as the command line says; an error is reported.
  LogicalResult apply(TargetOptions &options, MLIRContext *context) const {
    options.setContractions(contractions);
    options.cuda.f32Precision = f32Precision;
    options.cuda.gemm = gemm;
    options.cuda.ptxas = ptxas.getValue();
    options.cuda.ptxasOptions = ptxasOptions.getValue();
    options.cuda.report = reportKernels.getValue();
    for (const std::string &name : prepack)
      options.cpu.prepack.push_back(name);
    if (failed(parseTarget(target, options, context)))
      return failure();
    if (prepack.empty() || (!options.isCuda && options.variants.size() == 1 &&
                            contractions == ContractionLowering::Generated))
      return success();
    return emitError(UnknownLoc::get(context))
           << "--prepack expected one CPU as --target and "
              "--contractions=generated";
  }

  llvm::cl::opt<std::string> target;
  llvm::cl::opt<ContractionLowering> contractions;
  llvm::cl::list<std::string> prepack;
  llvm::cl::opt<F32Precision> f32Precision;
  llvm::cl::opt<Gemm> gemm;
  llvm::cl::opt<std::string> ptxas, ptxasOptions;
  llvm::cl::opt<bool> reportKernels;
};

} // namespace mlir::boostr

#endif // BOOSTR_TOOLS_COMMON_LOWERINGOPTIONS_H
