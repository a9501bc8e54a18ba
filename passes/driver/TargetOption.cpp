// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "boostr/passes/driver/TargetOption.h"
#include "boostr/passes/cpu/CpuTarget.h"
#include "boostr/passes/gpu/Ptxas.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/Location.h"
#include "llvm/Support/FileSystem.h"

using namespace mlir;
using namespace mlir::boostr;

void TargetOptions::setContractions(ContractionLowering contractions) {
  cpu.contractions = contractions;
  cuda.contractions = contractions;
}

static bool isCpu(StringRef part) {
  return part == "cpu" || part.starts_with("cpu:");
}

static CpuVariant parseVariant(StringRef details) {
  if (details.empty())
    return {};
  if (details.starts_with("+") || details.starts_with("-"))
    return {"x86-64", details.str()};
  auto [name, features] = details.split(',');
  return {name.str(), features.str()};
}

static void parseCpus(StringRef target, TargetOptions &options) {
  SmallVector<std::string> all;
  for (StringRef part : llvm::split(target, ',')) {
    if (isCpu(part))
      all.push_back(part.split(':').second.str());
    else
      all.back() += (all.back().empty() ? "" : ",") + part.str();
  }
  options.variants.clear();
  for (StringRef details : all)
    options.variants.push_back(parseVariant(details));
  options.cpu.cpu = options.variants.front().cpu;
  options.cpu.features = options.variants.front().features;
}

static void parseCuda(StringRef details, TargetOptions &options) {
  options.isCuda = true;
  int32_t device = 0;
  if (details.empty())
    return;
  if (!details.getAsInteger(10, device)) {
    options.device = device;
    return;
  }
  auto [chip, features] = details.split(',');
  options.cuda.chip = chip.str();
  options.cuda.features = features.str();
}

LogicalResult mlir::boostr::parseTarget(StringRef target,
                                        TargetOptions &options,
                                        MLIRContext *context) {
  if (isCpu(target.split(',').first)) {
    parseCpus(target, options);
    return success();
  }
  auto [kind, details] = target.split(':');
  if (kind == "cuda") {
    parseCuda(details, options);
    return success();
  }
  return emitError(UnknownLoc::get(context))
         << "target expected cpu, cpu:NAME,+FEATURE,..., cuda or cuda:CHIP, "
            "got '"
         << target << "'";
}

/// Where the assembler is, and when it came there. Empty if there is none.
static std::string describePtxas(StringRef named) {
  CudaToolkit toolkit = CudaToolkit::find(named);
  llvm::sys::fs::file_status status;
  if (toolkit.ptxas.empty() || llvm::sys::fs::status(toolkit.ptxas, status))
    return "";
  auto time = status.getLastModificationTime().time_since_epoch().count();
  return toolkit.ptxas + ":" + std::to_string(status.getSize()) + ":" +
         std::to_string(static_cast<int64_t>(time));
}

std::string mlir::boostr::describeSurroundings(const TargetOptions &options) {
  if (options.isCuda)
    return describePtxas(options.cuda.ptxas);
  bool isNative = options.variants.empty() && options.cpu.cpu == "native";
  for (const CpuVariant &variant : options.variants)
    isNative |= variant.cpu == "native";
  return isNative ? cpu::describeHost() : "";
}

std::string mlir::boostr::describeTarget(const TargetOptions &options) {
  std::string text = options.isCuda ? "cuda" : "cpu";
  llvm::raw_string_ostream os(text);
  if (options.isCuda)
    options.cuda.print(os);
  else
    options.cpu.print(os);
  for (const CpuVariant &variant : options.variants)
    os << ";" << variant.cpu << "," << variant.features;
  return text + describeSurroundings(options);
}
