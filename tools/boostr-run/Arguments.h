// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Arguments of a compiled function, from and to .npy files.

#ifndef BOOSTR_TOOLS_BOOSTRRUN_ARGUMENTS_H
#define BOOSTR_TOOLS_BOOSTRRUN_ARGUMENTS_H

#include "NpyFile.h"
#include "boostr/runtime/boostr_runtime.h"
#include "llvm/Support/raw_ostream.h"

/// A tensor with its memory.
struct Argument {
  std::string typeCode;
  llvm::SmallVector<int64_t> shape;
  AlignedBytes data;

  /// Points into this argument.
  DLTensor getTensor(DLDataType dtype);
};

/// NumPy's type code of the elements, bf16 as `<u2`. Empty if there is none.
std::string getTypeCode(DLDataType dtype);

/// `[2, ?, 4]`
std::string formatShape(llvm::ArrayRef<int64_t> shape);

/// Reads one file for each input of `function`; fails if number or element
/// types differ. Shapes are for the runtime to check.
llvm::Expected<std::vector<Argument>>
readInputs(const boostr_function &function, llvm::ArrayRef<std::string> paths);

/// Zero-filled outputs of the shapes that the inputs lead to.
llvm::Expected<std::vector<Argument>>
createOutputs(const boostr_function &function,
              llvm::ArrayRef<const DLTensor *> inputs);

/// Prints shape and values, the middle of long arrays left out.
void printArgument(llvm::raw_ostream &os, llvm::StringRef name,
                   const Argument &argument, DLDataType dtype);

#endif // BOOSTR_TOOLS_BOOSTRRUN_ARGUMENTS_H
