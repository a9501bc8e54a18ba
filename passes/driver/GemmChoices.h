// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What was measured for `gemm=auto`, kept on disk between processes. The Python
// package reads and writes the same files (python/boostr/_measured.py).

#ifndef BOOSTR_PASSES_DRIVER_GEMMCHOICES_H
#define BOOSTR_PASSES_DRIVER_GEMMCHOICES_H

#include "boostr/passes/driver/TargetOption.h"

namespace mlir::boostr {

/// What a choice is for: a function, and shapes whose extents lie between the
/// same powers of two, as in `project(2x4096;8192)`.
std::string getMeasuredKey(StringRef function,
                           ArrayRef<SmallVector<int64_t>> shapes);

/// Which way to compute matrix products was faster, by keys of the functions of
/// one source. The file is `measured-HASH.json`, one JSON object from keys to
/// `generated` or `cublaslt`. HASH has the first 32 hexadecimal digits of the
/// SHA-256 of source, chip (with features, if any, after a comma),
/// `contractions`, `f32-precision` and the version of this project, each behind
/// its number of bytes in decimal and a colon. Files appear whole, by renaming;
/// what goes wrong with them is of no consequence but that nothing is kept.
class GemmChoices {
public:
  /// In `folder`; if that is empty, nothing is kept.
  GemmChoices(StringRef folder, StringRef source, const TargetOptions &options);

  std::optional<Gemm> get(StringRef key) const;
  void set(StringRef key, Gemm way) const;

private:
  std::string path;
};

} // namespace mlir::boostr

#endif // BOOSTR_PASSES_DRIVER_GEMMCHOICES_H
