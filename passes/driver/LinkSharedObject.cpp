// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "boostr/passes/driver/LinkSharedObject.h"
#include "boostr/passes/driver/UndefinedSymbols.h"
#include "lld/Common/Driver.h"
#include "mlir/IR/Diagnostics.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Object/ELFObjectFile.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FileUtilities.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Process.h"
#include <dlfcn.h>
#include <memory>
#include <mutex>

LLD_HAS_DRIVER(elf)

using namespace mlir;
using namespace mlir::boostr;

/// The names that the shared library `path` exports.
static llvm::Expected<llvm::StringSet<>> readExports(StringRef path) {
  auto file = llvm::object::ObjectFile::createObjectFile(path);
  if (!file)
    return file.takeError();
  llvm::StringSet<> names;
  auto *elf = dyn_cast<llvm::object::ELFObjectFileBase>(file->getBinary());
  if (!elf)
    return llvm::createStringError("not an ELF file");
  for (const llvm::object::ELFSymbolRef &symbol :
       elf->getDynamicSymbolIterators()) {
    auto flags = symbol.getFlags();
    auto name = symbol.getName();
    if (!flags || !name)
      return llvm::joinErrors(flags.takeError(), name.takeError());
    if (!(*flags & llvm::object::SymbolRef::SF_Undefined))
      names.insert(*name);
  }
  return names;
}

/// Fails if `object` needs more than the runtime library and the C library: no
/// linker would notice before the shared object is loaded.
static llvm::Error checkSymbols(StringRef object, const std::string &runtime) {
  auto exports = readExports(runtime);
  if (!exports)
    return llvm::createStringError("'" + runtime +
                                   "': " + llvm::toString(exports.takeError()));
  // What the runtime needs comes along with it, as libgcc does.
  auto close = [](void *library) { dlclose(library); };
  std::unique_ptr<void, decltype(close)> library(
      dlopen(runtime.c_str(), RTLD_LAZY | RTLD_LOCAL), close);
  return checkUndefinedSymbols(object, [&](StringRef name) {
    return exports->contains(name) ||
           (library && dlsym(library.get(), name.str().c_str()));
  });
}

/// Runs the linker; what it says is in `messages`.
static bool runLinker(ArrayRef<const char *> arguments, std::string &messages) {
  llvm::raw_string_ostream os(messages);
  // lld keeps its state in variables of the process.
  static std::mutex isLinking;
  std::lock_guard<std::mutex> lock(isLinking);
  return lld::lldMain(arguments, os, os, {{lld::Gnu, &lld::elf::link}})
             .retCode == 0;
}

/// Writes `object` to a file that goes away.
static LogicalResult writeTemporary(StringRef object,
                                    llvm::FileRemover &remover,
                                    SmallString<128> &path, Location loc) {
  int descriptor = -1;
  if (std::error_code error =
          llvm::sys::fs::createTemporaryFile("boostr", "o", descriptor, path))
    return emitError(loc) << "cannot create a temporary file: "
                          << error.message();
  remover.setFile(path);
  llvm::raw_fd_ostream os(descriptor, /*shouldClose=*/true);
  os << object;
  os.close();
  if (!os.has_error())
    return success();
  std::error_code error = os.error();
  os.clear_error();
  return emitError(loc) << "cannot write '" << path << "': " << error.message();
}

FailureOr<SmallString<0>>
mlir::boostr::linkRelocatable(ArrayRef<SmallString<0>> objects, Location loc) {
  std::vector<llvm::FileRemover> removers(objects.size() + 1);
  std::vector<SmallString<128>> paths(objects.size() + 1);
  // The first is for the result.
  if (failed(writeTemporary("", removers[0], paths[0], loc)))
    return failure();
  SmallVector<const char *> arguments = {"ld.lld", "-r", "-o",
                                         paths[0].c_str()};
  for (auto [number, object] : llvm::enumerate(objects)) {
    SmallString<128> &path = paths[number + 1];
    if (failed(writeTemporary(object, removers[number + 1], path, loc)))
      return failure();
    arguments.push_back(path.c_str());
  }
  std::string messages;
  if (!runLinker(arguments, messages))
    return emitError(loc) << "cannot link code for several CPUs: " << messages;
  auto file = llvm::MemoryBuffer::getFile(paths[0], /*IsText=*/false,
                                          /*RequiresNullTerminator=*/false,
                                          /*IsVolatile=*/true);
  if (!file)
    return emitError(loc) << "cannot read '" << paths[0]
                          << "': " << file.getError().message();
  return SmallString<0>((*file)->getBuffer());
}

LogicalResult mlir::boostr::linkSharedObject(StringRef object, StringRef path,
                                             StringRef runtime, Location loc) {
  if (runtime.empty())
    return emitError(loc)
           << "the runtime library was not found; name it in the "
              "environment variable BOOSTR_RUNTIME_LIBRARY";
  if (llvm::Error error = checkSymbols(object, runtime.str()))
    return emitError(loc) << "cannot link '" << path
                          << "': " << llvm::toString(std::move(error));
  SmallString<128> objectPath;
  llvm::FileRemover removeObject;
  if (failed(writeTemporary(object, removeObject, objectPath, loc)))
    return failure();

  // Linked beside its place and renamed, so that it appears whole or not at
  // all.
  SmallString<128> partial;
  if (std::error_code error =
          llvm::sys::fs::createUniqueFile(path + ".%%%%%%.part", partial))
    return emitError(loc) << "cannot write '" << path
                          << "': " << error.message();
  llvm::FileRemover removePartial(partial);

  std::string soname = ("-soname=" + llvm::sys::path::filename(path)).str();
  std::string runpath =
      ("-rpath=$ORIGIN:" + llvm::sys::path::parent_path(runtime)).str();
  std::string runtimePath = runtime.str();
  // With "now" all is bound at once, calls to the same copy of the runtime as
  // its address in descriptions.
  const char *arguments[] = {"ld.lld",
                             "-shared",
                             "--hash-style=gnu",
                             "-z",
                             "noexecstack",
                             "-z",
                             "now",
                             "--enable-new-dtags",
                             "--gc-sections",
                             soname.c_str(),
                             runpath.c_str(),
                             objectPath.c_str(),
                             runtimePath.c_str(),
                             "-o",
                             partial.c_str()};
  std::string messages;
  if (!runLinker(arguments, messages))
    return emitError(loc) << "cannot link '" << path << "': " << messages;
  if (std::error_code error = llvm::sys::fs::rename(partial, path))
    return emitError(loc) << "cannot write '" << path
                          << "': " << error.message();
  removePartial.releaseFile();
  return success();
}

std::string mlir::boostr::findRuntimeLibrary(StringRef executable) {
  if (std::optional<std::string> named =
          llvm::sys::Process::GetEnv("BOOSTR_RUNTIME_LIBRARY"))
    return *named;
  SmallString<128> path(llvm::sys::path::parent_path(executable));
  llvm::sys::path::append(path, "..", "lib", "libboostr_runtime.so");
  llvm::sys::path::remove_dots(path, /*remove_dot_dot=*/true);
  return llvm::sys::fs::exists(path) ? path.str().str() : std::string();
}
