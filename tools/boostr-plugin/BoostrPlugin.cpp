// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// `BoostrPlugin.so`: the dialect, passes and pipelines for a host such as the
// stock mlir-opt, which provides MLIR itself.

#include "boostr/passes/Register.h"
#include "mlir/Tools/Plugins/DialectPlugin.h"
#include "mlir/Tools/Plugins/PassPlugin.h"

static constexpr char kName[] = "Boostr";

extern "C" LLVM_ATTRIBUTE_WEAK mlir::DialectPluginLibraryInfo
mlirGetDialectPluginInfo() {
  return {MLIR_PLUGIN_API_VERSION, kName, BOOSTR_VERSION,
          [](mlir::DialectRegistry *registry) {
            mlir::boostr::registerDialects(*registry);
          }};
}

extern "C" LLVM_ATTRIBUTE_WEAK mlir::PassPluginLibraryInfo
mlirGetPassPluginInfo() {
  return {MLIR_PLUGIN_API_VERSION, kName, BOOSTR_VERSION,
          [] { mlir::boostr::registerPassesAndPipelines(); }};
}
