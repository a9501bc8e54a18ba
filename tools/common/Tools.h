// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Where each tool begins: as a program of its own, or in one program for all.

#ifndef BOOSTR_TOOLS_COMMON_TOOLS_H
#define BOOSTR_TOOLS_COMMON_TOOLS_H

namespace mlir::boostr {

int compileMain(int argc, char **argv);
int lspServerMain(int argc, char **argv);
int optMain(int argc, char **argv);
int runMain(int argc, char **argv);

} // namespace mlir::boostr

#endif // BOOSTR_TOOLS_COMMON_TOOLS_H
