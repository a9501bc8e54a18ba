// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The program of one tool, which BOOSTR_TOOL_MAIN names.

#include "Tools.h"

int main(int argc, char **argv) {
  return mlir::boostr::BOOSTR_TOOL_MAIN(argc, argv);
}
