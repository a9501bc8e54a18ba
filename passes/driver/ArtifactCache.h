// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Compiled artifacts kept on disk between processes.

#ifndef BOOSTR_PASSES_DRIVER_ARTIFACTCACHE_H
#define BOOSTR_PASSES_DRIVER_ARTIFACTCACHE_H

#include "mlir/Support/LLVM.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include <cstdint>
#include <string>

namespace mlir::boostr {

/// Names what is made of `parts`, by a hash of them and of the program or
/// library that this function is part of: another compiler makes something
/// else.
std::string hashArtifact(ArrayRef<StringRef> parts);

/// A folder of files, each named by a hash of what it was made of. Processes
/// may share it: files appear whole, by renaming, and one that another process
/// removes stays readable to those who opened it.
class ArtifactCache {
public:
  /// `folder` is created when something is put there. At `maximumBytes` in all,
  /// those files go first that were not used for longest.
  ArtifactCache(StringRef folder, uint64_t maximumBytes)
      : folder(folder), maximumBytes(maximumBytes) {}

  /// Where an artifact of this hash is, or is to be put.
  std::string getPath(StringRef hash) const;

  /// True if the artifact is there; it counts as used now.
  static bool isThere(StringRef path);

  /// Creates the folder. False if that fails.
  bool createFolder() const;

  /// Removes what is too much. An error is of no consequence.
  void prune() const;

private:
  std::string folder;
  uint64_t maximumBytes;
};

} // namespace mlir::boostr

#endif // BOOSTR_PASSES_DRIVER_ARTIFACTCACHE_H
