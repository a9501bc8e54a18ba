// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// All tools in one program, which is the tool that it is called as: they share
// nearly all of their code, and this one has LLVM and MLIR linked in.

#include "../common/Tools.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir::boostr;

int main(int argc, char **argv) {
  using Main = int (*)(int, char **);
  llvm::StringRef name = argc ? llvm::sys::path::filename(argv[0]) : "";
  Main tool = llvm::StringSwitch<Main>(name)
                  .Case("boostr-compile", &compileMain)
                  .Case("boostr-lsp-server", &lspServerMain)
                  .Case("boostr-opt", &optMain)
                  .Case("boostr-run", &runMain)
                  .Default(nullptr);
  if (tool)
    return tool(argc, argv);
  llvm::errs() << "boostr: error: expected to be called as boostr-compile, "
                  "boostr-lsp-server, boostr-opt or boostr-run, got '"
               << name << "'\n";
  return 1;
}
