// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "boostr/passes/driver/LinkSharedObject.h"
#include "lld/Common/Driver.h"
#include "mlir/IR/Diagnostics.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FileUtilities.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Process.h"

LLD_HAS_DRIVER(elf)

using namespace mlir;
using namespace mlir::boostr;

LogicalResult mlir::boostr::linkSharedObject(StringRef object, StringRef path,
                                             StringRef runtime, Location loc) {
  if (runtime.empty())
    return emitError(loc)
           << "the runtime library was not found; name it in the "
              "environment variable BOOSTR_RUNTIME_LIBRARY";
  SmallString<128> objectPath;
  int descriptor = -1;
  if (std::error_code error = llvm::sys::fs::createTemporaryFile(
          "boostr", "o", descriptor, objectPath))
    return emitError(loc) << "cannot create a temporary file: "
                          << error.message();
  llvm::FileRemover removeObject(objectPath);
  llvm::raw_fd_ostream(descriptor, /*shouldClose=*/true) << object;

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
  const char *arguments[] = {"ld.lld",
                             "-shared",
                             "--hash-style=gnu",
                             "-z",
                             "noexecstack",
                             "--enable-new-dtags",
                             "--gc-sections",
                             soname.c_str(),
                             runpath.c_str(),
                             objectPath.c_str(),
                             runtimePath.c_str(),
                             "-o",
                             partial.c_str()};
  std::string messages;
  llvm::raw_string_ostream os(messages);
  lld::Result result =
      lld::lldMain(arguments, os, os, {{lld::Gnu, &lld::elf::link}});
  if (result.retCode != 0)
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
