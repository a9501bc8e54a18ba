// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "boostr/passes/driver/TargetOption.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/Location.h"

using namespace mlir;
using namespace mlir::boostr;

LogicalResult mlir::boostr::parseTarget(StringRef target,
                                        CpuPipelineOptions &options,
                                        MLIRContext *context) {
  auto [kind, details] = target.split(':');
  if (kind != "cpu")
    return emitError(UnknownLoc::get(context))
           << "target expected cpu or cpu:NAME,+FEATURE,..., got '" << target
           << "'";
  if (details.empty())
    return success();
  StringRef name, features;
  if (details.starts_with("+") || details.starts_with("-")) {
    name = "x86-64";
    features = details;
  } else {
    std::tie(name, features) = details.split(',');
  }
  options.cpu = name.str();
  options.features = features.str();
  return success();
}
