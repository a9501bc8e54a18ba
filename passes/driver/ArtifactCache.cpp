// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "boostr/passes/driver/ArtifactCache.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/CachePruning.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/SHA256.h"
#include <chrono>
#include <dlfcn.h>

using namespace mlir;
using namespace mlir::boostr;

/// The file that holds this code, when it was made and how long it is: a
/// description of the compiler that is cheap and changes with every build.
static std::string describeCompiler() {
  Dl_info info;
  llvm::sys::fs::file_status status;
  if (!dladdr(reinterpret_cast<void *>(&describeCompiler), &info) ||
      llvm::sys::fs::status(info.dli_fname, status))
    return "";
  auto time = status.getLastModificationTime().time_since_epoch().count();
  return (Twine(info.dli_fname) + ":" + Twine(status.getSize()) + ":" +
          Twine(static_cast<int64_t>(time)))
      .str();
}

std::string mlir::boostr::hashArtifact(ArrayRef<StringRef> parts) {
  llvm::SHA256 hash;
  auto add = [&](StringRef part) {
    // With its length, so that no two lists of parts read alike.
    hash.update(std::to_string(part.size()) + ":");
    hash.update(part);
  };
  add(describeCompiler());
  for (StringRef part : parts)
    add(part);
  return llvm::toHex(hash.final(), /*LowerCase=*/true);
}

std::string ArtifactCache::getPath(StringRef hash) const {
  SmallString<128> path(folder);
  // llvm::pruneCache removes files with this prefix only.
  llvm::sys::path::append(path, "llvmcache-" + hash);
  return path.str().str();
}

bool ArtifactCache::isThere(StringRef path) {
  int file = -1;
  if (llvm::sys::fs::openFileForRead(path, file))
    return false;
  auto now = std::chrono::time_point_cast<llvm::sys::TimePoint<>::duration>(
      std::chrono::system_clock::now());
  // A folder that may not be written serves all the same.
  (void)llvm::sys::fs::setLastAccessAndModificationTime(file, now, now);
  llvm::sys::fs::closeFile(file);
  return true;
}

bool ArtifactCache::createFolder() const {
  return !llvm::sys::fs::create_directories(folder, /*IgnoreExisting=*/true,
                                            llvm::sys::fs::owner_all);
}

void ArtifactCache::prune() const {
  llvm::CachePruningPolicy policy;
  policy.Interval = std::chrono::seconds(0);
  policy.Expiration = std::chrono::seconds(0); // Never.
  policy.MaxSizePercentageOfAvailableSpace = 75;
  policy.MaxSizeBytes = maximumBytes;
  llvm::pruneCache(folder, policy);
}
