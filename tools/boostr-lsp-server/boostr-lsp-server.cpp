// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// `boostr-lsp-server`: completions, hover and diagnostics for `.mlir` files
// with all of mlir-opt's dialects and ours, over the Language Server Protocol.

#include "../common/Tools.h"
#include "boostr/passes/driver/Compiler.h"
#include "mlir/Tools/mlir-lsp-server/MlirLspServerMain.h"

int mlir::boostr::lspServerMain(int argc, char **argv) {
  mlir::DialectRegistry registry;
  mlir::boostr::registerCompiler(registry);
  return mlir::failed(mlir::MlirLspServerMain(argc, argv, registry));
}
