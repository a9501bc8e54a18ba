// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "boostr/passes/driver/ArtifactCache.h"
#include "mlir/IR/MLIRContext.h"
#include "llvm/ADT/ScopeExit.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/CachePruning.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FileUtilities.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/SHA256.h"
#include "llvm/Support/xxhash.h"
#include "llvm/TargetParser/Host.h"
#include <chrono>
#include <dlfcn.h>

using namespace mlir;
using namespace mlir::boostr;
namespace endian = llvm::support::endian;

//===----------------------------------------------------------------------===//
// Names
//===----------------------------------------------------------------------===//

/// The file that holds `code`, when it was made and how long it is: a
/// description that is cheap and changes with every build.
static std::string describeFileOf(void *code) {
  Dl_info info;
  if (!dladdr(code, &info))
    return "";
  // Of a program this is how it was called, which names no file if it was found
  // on PATH.
  std::string path = info.dli_fname;
  if (!StringRef(path).contains('/'))
    path = llvm::sys::fs::getMainExecutable(info.dli_fname, code);
  llvm::sys::fs::file_status status;
  if (llvm::sys::fs::status(path, status))
    return "";
  auto time = status.getLastModificationTime().time_since_epoch().count();
  return (Twine(path) + ":" + Twine(status.getSize()) + ":" +
          Twine(static_cast<int64_t>(time)) + ";")
      .str();
}

static std::string describeCompiler() {
  return describeFileOf(reinterpret_cast<void *>(&describeFileOf)) +
         describeFileOf(
             reinterpret_cast<void *>(&registerMLIRContextCLOptions)) +
         describeFileOf(reinterpret_cast<void *>(&llvm::sys::getHostCPUName));
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

//===----------------------------------------------------------------------===//
// Files: code, messages, and an end that tells whether they are whole
//===----------------------------------------------------------------------===//

static constexpr StringLiteral kMagic = "boostr-1";
/// Sizes of code and messages, their checksum, and the magic.
static constexpr size_t kEndBytes = 3 * sizeof(uint64_t) + kMagic.size();

static std::string makeEnd(uint64_t codeBytes, uint64_t messageBytes,
                           StringRef content) {
  std::string end(3 * sizeof(uint64_t), '\0');
  endian::write64le(&end[0], codeBytes);
  endian::write64le(&end[8], messageBytes);
  endian::write64le(&end[16], llvm::xxh3_64bits(content));
  return end + kMagic.str();
}

/// The parts of a file. Nothing if it is not what was written.
static std::optional<Artifact>
readArtifact(std::unique_ptr<llvm::MemoryBuffer> file) {
  StringRef bytes = file->getBuffer();
  if (bytes.size() < kEndBytes)
    return std::nullopt;
  StringRef content = bytes.drop_back(kEndBytes);
  StringRef end = bytes.take_back(kEndBytes);
  uint64_t codeBytes = endian::read64le(end.data());
  uint64_t messageBytes = endian::read64le(end.data() + 8);
  if (codeBytes > content.size() || messageBytes > content.size() - codeBytes ||
      end != makeEnd(codeBytes, messageBytes, content))
    return std::nullopt;
  return Artifact{std::move(file), content.take_front(codeBytes),
                  content.substr(codeBytes, messageBytes)};
}

std::optional<Artifact> ArtifactCache::get(StringRef hash) const {
  if (!isOn())
    return std::nullopt;
  auto file = llvm::sys::fs::openNativeFileForRead(getPath(hash));
  if (!file) {
    llvm::consumeError(file.takeError());
    return std::nullopt;
  }
  auto close = llvm::scope_exit([&] { llvm::sys::fs::closeFile(*file); });
  llvm::sys::fs::file_status status;
  if (llvm::sys::fs::status(*file, status))
    return std::nullopt;
  // Read and not mapped, since it may be damaged while it is used.
  auto buffer = llvm::MemoryBuffer::getOpenFile(
      *file, folder, status.getSize(), /*RequiresNullTerminator=*/false,
      /*IsVolatile=*/true);
  if (!buffer)
    return std::nullopt;
  std::optional<Artifact> artifact = readArtifact(std::move(*buffer));
  if (!artifact)
    return std::nullopt;
  auto now = std::chrono::time_point_cast<llvm::sys::TimePoint<>::duration>(
      std::chrono::system_clock::now());
  // A folder that may not be written serves all the same.
  (void)llvm::sys::fs::setLastAccessAndModificationTime(*file, now, now);
  return artifact;
}

std::optional<std::string> ArtifactCache::getFile(StringRef hash) const {
  if (get(hash))
    return getPath(hash);
  return std::nullopt;
}

/// Writes what is behind the code to the end of the file `path`.
static bool appendEnd(StringRef path, StringRef messages) {
  auto code = llvm::MemoryBuffer::getFile(path, /*IsText=*/false,
                                          /*RequiresNullTerminator=*/false);
  std::error_code error;
  llvm::raw_fd_ostream os(path, error, llvm::sys::fs::CD_OpenExisting,
                          llvm::sys::fs::FA_Write, llvm::sys::fs::OF_Append);
  if (!code || error)
    return false;
  std::string content = ((*code)->getBuffer() + messages).str();
  os << messages << makeEnd((*code)->getBufferSize(), messages.size(), content);
  os.close();
  bool isWritten = !os.has_error();
  os.clear_error();
  return isWritten;
}

std::optional<std::string>
ArtifactCache::putFile(StringRef hash,
                       llvm::function_ref<bool(StringRef)> write) const {
  SmallString<128> partial;
  std::string path = getPath(hash);
  if (!createFolder() ||
      llvm::sys::fs::createUniqueFile(path + ".%%%%%%.part", partial))
    return std::nullopt;
  llvm::FileRemover remove(partial);
  if (!write(partial) || !appendEnd(partial, /*messages=*/"") ||
      llvm::sys::fs::rename(partial, path))
    return std::nullopt;
  remove.releaseFile();
  prune();
  return path;
}

void ArtifactCache::put(StringRef hash, StringRef code,
                        StringRef messages) const {
  if (!createFolder())
    return;
  std::string path = getPath(hash);
  auto file = llvm::sys::fs::TempFile::create(path + ".%%%%%%.part");
  if (!file)
    return llvm::consumeError(file.takeError());
  llvm::raw_fd_ostream os(file->FD, /*shouldClose=*/false);
  os << code << messages
     << makeEnd(code.size(), messages.size(), (code + messages).str());
  os.flush();
  bool isWritten = !os.has_error();
  os.clear_error();
  llvm::consumeError(isWritten ? file->keep(path) : file->discard());
  prune();
}

bool ArtifactCache::createFolder() const {
  return isOn() &&
         !llvm::sys::fs::create_directories(folder, /*IgnoreExisting=*/true,
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
