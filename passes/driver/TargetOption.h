// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The `--target` option that tools share.

#ifndef BOOSTR_PASSES_DRIVER_TARGETOPTION_H
#define BOOSTR_PASSES_DRIVER_TARGETOPTION_H

#include "boostr/passes/Pipelines.h"
#include "mlir/IR/MLIRContext.h"
#include <optional>

namespace mlir::boostr {

/// One of several CPUs.
struct CpuVariant {
  std::string cpu = "native", features;
};

/// What code is generated for, and how.
struct TargetOptions {
  /// Which of the pipelines runs; the options of the other do nothing.
  bool isCuda = false;
  CpuPipelineOptions cpu;
  CudaPipelineOptions cuda;
  /// All CPUs to generate code for, of which `cpu` has the first.
  SmallVector<CpuVariant> variants;
  /// The device that was named by its number, if any.
  std::optional<int32_t> device;

  void setContractions(ContractionLowering contractions);
};

/// Reads `--target` into `options`:
///  - `cpu`, this machine, or `cpu:NAME,+FEATURE,-FEATURE,...`; without a NAME
///    features are added to plain x86-64; or several of these, separated by
///    commas, for code that chooses when it is called;
///  - `cuda`, the default chip; `cuda:CHIP,+FEATURE,...`; or `cuda:NUMBER`, a
///    device of this machine, whose chip the caller has to find out.
/// Reports an error for any other target; names are checked when the target is
/// set.
LogicalResult parseTarget(StringRef target, TargetOptions &options,
                          MLIRContext *context);

/// What the result of the pipeline depends on beside the source and the
/// options: this machine's CPU if that is the target, and where NVIDIA's
/// assembler is if it is used.
std::string describeSurroundings(const TargetOptions &options);

/// The same and all options.
std::string describeTarget(const TargetOptions &options);

} // namespace mlir::boostr

#endif // BOOSTR_PASSES_DRIVER_TARGETOPTION_H
