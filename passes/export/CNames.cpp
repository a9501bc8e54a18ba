// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "boostr/passes/export/CNames.h"
#include "boostr/passes/cpu/CpuTarget.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Analysis/TargetLibraryInfo.h"
#include "llvm/TargetParser/Triple.h"

using namespace mlir;
using namespace mlir::boostr;

/// Keywords of C11 and C++20 that are identifiers otherwise; those that begin
/// with two underscores are reserved with all such names.
static constexpr llvm::StringLiteral keywords[] = {"_Alignas",
                                                   "_Alignof",
                                                   "_Atomic",
                                                   "_Bool",
                                                   "_Complex",
                                                   "_Generic",
                                                   "_Imaginary",
                                                   "_Noreturn",
                                                   "_Static_assert",
                                                   "_Thread_local",
                                                   "alignas",
                                                   "alignof",
                                                   "and",
                                                   "and_eq",
                                                   "asm",
                                                   "auto",
                                                   "bitand",
                                                   "bitor",
                                                   "bool",
                                                   "break",
                                                   "case",
                                                   "catch",
                                                   "char",
                                                   "char16_t",
                                                   "char32_t",
                                                   "char8_t",
                                                   "class",
                                                   "co_await",
                                                   "co_return",
                                                   "co_yield",
                                                   "compl",
                                                   "concept",
                                                   "const",
                                                   "const_cast",
                                                   "consteval",
                                                   "constexpr",
                                                   "constinit",
                                                   "continue",
                                                   "decltype",
                                                   "default",
                                                   "delete",
                                                   "do",
                                                   "double",
                                                   "dynamic_cast",
                                                   "else",
                                                   "enum",
                                                   "explicit",
                                                   "export",
                                                   "extern",
                                                   "false",
                                                   "float",
                                                   "for",
                                                   "friend",
                                                   "goto",
                                                   "if",
                                                   "inline",
                                                   "int",
                                                   "long",
                                                   "mutable",
                                                   "namespace",
                                                   "new",
                                                   "noexcept",
                                                   "not",
                                                   "not_eq",
                                                   "nullptr",
                                                   "operator",
                                                   "or",
                                                   "or_eq",
                                                   "private",
                                                   "protected",
                                                   "public",
                                                   "register",
                                                   "reinterpret_cast",
                                                   "requires",
                                                   "restrict",
                                                   "return",
                                                   "short",
                                                   "signed",
                                                   "sizeof",
                                                   "static",
                                                   "static_assert",
                                                   "static_cast",
                                                   "struct",
                                                   "switch",
                                                   "template",
                                                   "this",
                                                   "thread_local",
                                                   "throw",
                                                   "true",
                                                   "try",
                                                   "typedef",
                                                   "typeid",
                                                   "typename",
                                                   "union",
                                                   "unsigned",
                                                   "using",
                                                   "virtual",
                                                   "void",
                                                   "volatile",
                                                   "wchar_t",
                                                   "while",
                                                   "xor",
                                                   "xor_eq"};

static bool isKeyword(StringRef name) {
  return llvm::is_contained(keywords, name);
}

static bool isIdentifier(StringRef name) {
  return !name.empty() && !llvm::isDigit(name.front()) &&
         llvm::all_of(name,
                      [](char c) { return llvm::isAlnum(c) || c == '_'; });
}

static bool isLibraryFunction(StringRef name) {
  llvm::LibFunc function;
  return llvm::TargetLibraryInfoImpl(llvm::Triple(cpu::kTriple))
      .getLibFunc(name, function);
}

StringRef mlir::boostr::explainUnfitName(StringRef name) {
  if (!isIdentifier(name))
    return "its name is not an identifier of C";
  if (isKeyword(name))
    return "its name is a keyword of C or C++";
  if (name.starts_with("boostr_") || name.starts_with("_mlir_"))
    return "names of this prefix belong to the runtime";
  if (name.starts_with("__") || name == "main" || isLibraryFunction(name))
    return "its name belongs to the C library";
  return {};
}

SmallVector<std::string>
mlir::boostr::getParameterNames(ArrayRef<StringRef> names) {
  SmallVector<std::string> result;
  llvm::StringSet<> taken;
  for (StringRef name : names) {
    std::string parameter;
    for (char c : name)
      parameter += llvm::isAlnum(c) ? c : '_';
    if (parameter.empty() || llvm::isDigit(parameter.front()))
      parameter = "_" + parameter;
    if (isKeyword(parameter))
      parameter += "_";
    std::string unique = parameter;
    for (unsigned number = 1; !taken.insert(unique).second; ++number)
      unique = parameter + "_" + std::to_string(number);
    result.push_back(unique);
  }
  return result;
}
