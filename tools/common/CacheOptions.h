// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Where tools keep what they compiled: an option, and the variables that the
// Python package reads too.

#ifndef BOOSTR_TOOLS_COMMON_CACHEOPTIONS_H
#define BOOSTR_TOOLS_COMMON_CACHEOPTIONS_H

#include "boostr/passes/driver/ArtifactCache.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/Error.h"

namespace mlir::boostr {

struct CacheOptions {
  explicit CacheOptions(llvm::cl::OptionCategory &category)
      : folder("cache",
               llvm::cl::desc(
                   "Where compiled code is kept for the next time; empty "
                   "(--cache=) for nowhere. If not given, the variable "
                   "BOOSTR_CACHE_DIR says it, else it is boostr in "
                   "XDG_CACHE_HOME or ~/.cache. BOOSTR_CACHE_BYTES bounds it, "
                   "to 1 GiB unless set; the longest unused goes first"),
               llvm::cl::value_desc("folder"), llvm::cl::cat(category)) {}

  /// The cache that the command line and the environment name. Fails if
  /// BOOSTR_CACHE_BYTES is no number of bytes.
  llvm::Expected<ArtifactCache> open() const;

  llvm::cl::opt<std::string> folder;
};

} // namespace mlir::boostr

#endif // BOOSTR_TOOLS_COMMON_CACHEOPTIONS_H
