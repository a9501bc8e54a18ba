// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "boostr/passes/Subtarget.h"
#include "boostr/passes/cpu/CpuTarget.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Support/TargetSelect.h"

using namespace mlir;
using namespace mlir::boostr;

namespace {

/// What differs between kinds of processors.
struct Family {
  StringRef triple;
  /// A name that is sure to be valid.
  StringRef generic;
  /// What the name of a processor is called in messages.
  StringRef noun;
  StringRef title;
  /// How to list the names.
  StringRef help;
};

} // namespace

static std::unique_ptr<llvm::MCSubtargetInfo>
createSubtarget(function_ref<InFlightDiagnostic()> emitError,
                const Family &family, StringRef name, StringRef features) {
  llvm::Triple triple(family.triple);
  std::string message;
  const llvm::Target *target =
      llvm::TargetRegistry::lookupTarget(triple, message);
  if (!target) {
    emitError() << "this build of LLVM has no " << family.title
                << " code generator: " << message;
    return nullptr;
  }
  // Names are checked first: LLVM itself only warns.
  std::unique_ptr<llvm::MCSubtargetInfo> generic(
      target->createMCSubtargetInfo(triple, family.generic, ""));
  if (!generic->isCPUStringValid(name)) {
    emitError() << "'" << family.noun << "' expected a name that LLVM knows ("
                << family.help << " lists them), got '" << name << "'";
    return nullptr;
  }
  llvm::StringSet<> known;
  for (const llvm::SubtargetFeatureKV &feature :
       generic->getAllProcessorFeatures())
    known.insert(feature.Key);
  SmallVector<StringRef> names;
  features.split(names, ',', /*MaxSplit=*/-1, /*KeepEmpty=*/false);
  for (StringRef feature : names) {
    if ((feature.starts_with("+") || feature.starts_with("-")) &&
        known.contains(feature.drop_front()))
      continue;
    emitError() << "'features' expected names that LLVM knows, each after + or "
                   "-, got '"
                << feature << "'";
    return nullptr;
  }
  return std::unique_ptr<llvm::MCSubtargetInfo>(
      target->createMCSubtargetInfo(triple, name, features));
}

std::unique_ptr<llvm::MCSubtargetInfo>
mlir::boostr::createX86Subtarget(function_ref<InFlightDiagnostic()> emitError,
                                 StringRef cpu, StringRef features) {
  LLVMInitializeX86TargetInfo();
  LLVMInitializeX86TargetMC();
  return createSubtarget(
      emitError,
      {cpu::kTriple, "x86-64", "cpu", "x86-64", "llc -march=x86-64 -mcpu=help"},
      cpu, features);
}

std::unique_ptr<llvm::MCSubtargetInfo> mlir::boostr::createNvidiaSubtarget(
    function_ref<InFlightDiagnostic()> emitError, StringRef chip,
    StringRef features) {
  LLVMInitializeNVPTXTargetInfo();
  LLVMInitializeNVPTXTargetMC();
  return createSubtarget(emitError,
                         {"nvptx64-nvidia-cuda", "sm_75", "chip", "NVIDIA",
                          "llc -march=nvptx64 -mcpu=help"},
                         chip, features);
}
