// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The compiler, for code that knows nothing of MLIR: this header is what the
// part of the extension with exceptions and RTTI shares with the part without.

#ifndef BOOSTR_PYTHON_EXTENSION_COMPILE_H
#define BOOSTR_PYTHON_EXTENSION_COMPILE_H

#include <cstdint>
#include <string>
#include <vector>

namespace boostr_python {

/// An error, a warning or a remark, and where. Line and column count from 1,
/// and are 0 where there is no place in a file.
struct Diagnostic {
  std::string severity;
  std::string file;
  unsigned line = 0;
  unsigned column = 0;
  std::string message;
};

/// What every answer of the compiler comes with.
struct Diagnostics {
  std::vector<Diagnostic> list;
  /// All of them as tools print them, with the lines that they are about.
  std::string text;
};

struct CompileRequest {
  /// MLIR, text or bytecode, and what diagnostics call it.
  std::string source;
  std::string name;
  /// As the options of the same names of boostr-compile.
  std::string target;
  std::string contractions;
  std::string f32Precision;
  std::string gemm;
  std::string ptxas;
  /// The library that the result needs.
  std::string runtimeLibrary;
  /// Where artifacts are kept, and how many bytes of them; empty for nowhere.
  std::string cacheFolder;
  uint64_t cacheBytes = 0;
  /// Where the result goes if there is no such folder.
  std::string output;
};

struct CompileResult {
  /// A shared object, unless `failed`.
  std::string path;
  bool failed = false;
  /// Compiled earlier, by this process or another.
  bool wasCached = false;
  Diagnostics diagnostics;
};

CompileResult compile(const CompileRequest &request);

struct RunPassesResult {
  /// The module afterwards, unless `failed`.
  std::string text;
  bool failed = false;
  Diagnostics diagnostics;
};

/// Runs a textual pass pipeline, as in "builtin.module(canonicalize)", with all
/// passes that boostr-opt has.
RunPassesResult runPasses(const std::string &source, const std::string &name,
                          const std::string &pipeline);

} // namespace boostr_python

#endif // BOOSTR_PYTHON_EXTENSION_COMPILE_H
