// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "boostr/passes/driver/UndefinedSymbols.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Object/ObjectFile.h"
#include "llvm/Support/DynamicLibrary.h"

static bool isInProcess(llvm::StringRef name) {
  // Makes the process itself part of the search.
  llvm::sys::DynamicLibrary::LoadLibraryPermanently(nullptr);
  return llvm::sys::DynamicLibrary::SearchForAddressOfSymbol(name.str());
}

llvm::Error mlir::boostr::checkUndefinedSymbols(
    llvm::StringRef object,
    llvm::function_ref<bool(llvm::StringRef)> isProvided) {
  auto file = llvm::object::ObjectFile::createObjectFile(
      llvm::MemoryBufferRef(object, "boostr"));
  if (!file)
    return file.takeError();
  std::vector<std::string> missing;
  for (const llvm::object::SymbolRef &symbol : (*file)->symbols()) {
    auto flags = symbol.getFlags();
    if (!flags)
      return flags.takeError();
    if (!(*flags & llvm::object::SymbolRef::SF_Undefined) ||
        (*flags & llvm::object::SymbolRef::SF_FormatSpecific))
      continue;
    auto name = symbol.getName();
    if (!name)
      return name.takeError();
    // Linkers make the table.
    if (*name != "_GLOBAL_OFFSET_TABLE_" && !isProvided(*name) &&
        !isInProcess(*name))
      missing.push_back(("'" + *name + "'").str());
  }
  if (missing.empty())
    return llvm::Error::success();
  return llvm::createStringError(
      "neither the module nor the runtime nor the C library defines " +
      llvm::join(missing, ", "));
}
