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
#include "llvm/Support/MemoryBuffer.h"
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace mlir::boostr {

/// Names what is made of `parts`, by a hash of them and of the compiler (the
/// files that hold this code, MLIR and LLVM): another one makes something else.
std::string hashArtifact(ArrayRef<StringRef> parts);

/// What was compiled, and what the compiler said while it did.
struct Artifact {
  /// Owns the bytes.
  std::unique_ptr<llvm::MemoryBuffer> file;
  StringRef code, messages;
};

/// A folder of files, each named by a hash of what it was made of, with a
/// checksum at its end: one that is damaged or cut short counts as absent.
/// Processes may share the folder: files appear whole, by renaming, and one
/// that another process removes stays readable to those who opened it. What
/// goes wrong with the folder is of no consequence but that nothing is kept.
class ArtifactCache {
public:
  /// `folder` is created when something is put there; if it is empty, nothing
  /// ever is. At `maximumBytes` in all, those files go first that were not used
  /// for longest.
  ArtifactCache(StringRef folder, uint64_t maximumBytes)
      : folder(folder), maximumBytes(maximumBytes) {}

  /// True if it may keep anything.
  bool isOn() const { return !folder.empty(); }

  /// Empty if nothing is kept.
  StringRef getFolder() const { return folder; }

  /// The artifact, which counts as used now.
  std::optional<Artifact> get(StringRef hash) const;
  void put(StringRef hash, StringRef code, StringRef messages) const;

  /// The same for artifacts that are files for others to open, such as shared
  /// objects, which begin with the code. `put` has `write` make the file at the
  /// path that it is given; nothing if that or the folder fails.
  std::optional<std::string> getFile(StringRef hash) const;
  std::optional<std::string>
  putFile(StringRef hash, llvm::function_ref<bool(StringRef path)> write) const;

  /// Creates the folder. False if that fails, or if there is none.
  bool createFolder() const;

private:
  std::string getPath(StringRef hash) const;
  void prune() const;

  std::string folder;
  uint64_t maximumBytes;
};

} // namespace mlir::boostr

#endif // BOOSTR_PASSES_DRIVER_ARTIFACTCACHE_H
