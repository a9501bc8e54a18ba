// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "CacheOptions.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Process.h"

using namespace mlir::boostr;
using llvm::StringRef;

static std::string getDefaultFolder() {
  using llvm::sys::Process;
  if (auto named = Process::GetEnv("BOOSTR_CACHE_DIR"))
    return *named;
  llvm::SmallString<128> path(
      Process::GetEnv("XDG_CACHE_HOME").value_or(std::string()));
  if (path.empty()) {
    if (!llvm::sys::path::home_directory(path))
      return "";
    llvm::sys::path::append(path, ".cache");
  }
  llvm::sys::path::append(path, "boostr");
  return path.str().str();
}

llvm::Expected<ArtifactCache> CacheOptions::open() const {
  std::string text =
      llvm::sys::Process::GetEnv("BOOSTR_CACHE_BYTES").value_or(std::string());
  uint64_t bytes = uint64_t(1) << 30;
  if (!text.empty() && (StringRef(text).getAsInteger(10, bytes) || bytes == 0))
    return llvm::createStringError(
        "BOOSTR_CACHE_BYTES: expected a whole number above 0, got '" + text +
        "'");
  return ArtifactCache(folder.getNumOccurrences() ? folder.getValue()
                                                  : getDefaultFolder(),
                       bytes);
}
