// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a tool compiles: a file, what is said about it, and what is kept of it.

#ifndef BOOSTR_TOOLS_COMMON_COMPILATION_H
#define BOOSTR_TOOLS_COMMON_COMPILATION_H

#include "boostr/passes/driver/ArtifactCache.h"
#include "boostr/passes/driver/TargetOption.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/OwningOpRef.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/SourceMgr.h"

namespace mlir::boostr {

/// What an object file of a source is called in the cache, which tools share.
inline constexpr llvm::StringLiteral kObjectForm = "object";

/// Leaves the options of a tool as they were parsed: lld, which links in this
/// process, resets all that are registered.
void fixOptions(llvm::cl::OptionCategory &category);

/// Writes to standard error, and remembers what.
class MessageStream : public llvm::raw_ostream {
public:
  MessageStream() : raw_ostream(/*unbuffered=*/true) {}
  StringRef get() const { return text; }

  // Colors are for the terminal alone.
  bool has_colors() const override { return llvm::errs().has_colors(); }
  raw_ostream &changeColor(Colors color, bool bold, bool background) override {
    llvm::errs().changeColor(color, bold, background);
    return *this;
  }
  raw_ostream &resetColor() override {
    llvm::errs().resetColor();
    return *this;
  }

private:
  void write_impl(const char *bytes, size_t size) override;
  uint64_t current_pos() const override { return text.size(); }

  std::string text;
};

/// The source is read first and parsed only if there is need to: dialects are
/// loaded by parsing, and what is in the cache needs none.
class Compilation {
public:
  Compilation() : printer(sources, &context, messages) {}

  MLIRContext &getContext() { return context; }

  /// Reads `path`. An error is reported.
  LogicalResult read(StringRef path);
  /// Takes what `other` has read, which must live as long.
  void readAgain(const Compilation &other);
  /// What was read, and what it is called.
  llvm::MemoryBufferRef getSource() const {
    return *sources.getMemoryBuffer(sources.getMainFileID());
  }

  /// A new module of what was read. Null after an error.
  OwningOpRef<ModuleOp> parse();

  /// What the cache has of this source compiled with `options` into `form`;
  /// what the compiler said then is said again.
  std::optional<Artifact> find(const ArtifactCache &cache,
                               const TargetOptions &options, StringRef form);
  /// Keeps `code` for `find`, with all that was said up to now.
  void keep(const ArtifactCache &cache, const TargetOptions &options,
            StringRef form, StringRef code);

private:
  std::string hash(const TargetOptions &options, StringRef form);

  MLIRContext context;
  llvm::SourceMgr sources;
  MessageStream messages;
  SourceMgrDiagnosticHandler printer;
};

} // namespace mlir::boostr

#endif // BOOSTR_TOOLS_COMMON_COMPILATION_H
