// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// NumPy's .npy files. No library that Debian packages reads them into memory of
// a type that is known only at run time, so this is the format's few rules.

#ifndef BOOSTR_TOOLS_BOOSTRRUN_NPYFILE_H
#define BOOSTR_TOOLS_BOOSTRRUN_NPYFILE_H

#include "AlignedBytes.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/Support/Error.h"
#include <cstdint>
#include <string>
#include <vector>

namespace npy {

/// An array in C order. `typeCode` is NumPy's, as in `<f4`.
struct NpyArray {
  std::string typeCode;
  llvm::SmallVector<int64_t> shape;
  AlignedBytes data;
};

/// Reads versions 1 to 3 of the format. Fails, naming the file, on anything
/// that is not a little-endian array in C order of a size that the file has.
llvm::Expected<NpyArray> readNpy(llvm::StringRef path);

/// What goes into a file.
struct NpyOutput {
  llvm::StringRef path;
  llvm::StringRef typeCode;
  llvm::ArrayRef<int64_t> shape;
  llvm::StringRef bytes;
};

/// Writes all files, each whole. If one cannot be written, fails, naming it,
/// and leaves all as they were: none is replaced before all new ones are on
/// disk. Paths must differ, and name nothing but files.
llvm::Error writeNpy(llvm::ArrayRef<NpyOutput> outputs);

} // namespace npy

#endif // BOOSTR_TOOLS_BOOSTRRUN_NPYFILE_H
