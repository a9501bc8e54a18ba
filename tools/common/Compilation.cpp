// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "Compilation.h"
#include "boostr/passes/driver/Compiler.h"
#include "mlir/IR/DialectRegistry.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;
using namespace mlir::boostr;

void mlir::boostr::fixOptions(llvm::cl::OptionCategory &category) {
  llvm::cl::SubCommand &all = llvm::cl::SubCommand::getTopLevel();
  llvm::SmallSetVector<llvm::cl::Option *, 16> ours;
  auto add = [&](llvm::cl::Option *option) {
    if (llvm::is_contained(option->Categories, &category))
      ours.insert(option);
  };
  llvm::for_each(all.PositionalOpts, add);
  for (auto &entry : all.OptionsMap)
    add(entry.second);
  for (llvm::cl::Option *option : ours)
    option->removeArgument();
}

void MessageStream::write_impl(const char *bytes, size_t size) {
  llvm::errs() << StringRef(bytes, size);
  text.append(bytes, size);
}

LogicalResult Compilation::read(StringRef path) {
  return readSourceFile(path, sources, context);
}

void Compilation::readAgain(const Compilation &other) {
  sources.AddNewSourceBuffer(
      llvm::MemoryBuffer::getMemBuffer(other.getSource()), llvm::SMLoc());
}

OwningOpRef<ModuleOp> Compilation::parse() {
  DialectRegistry registry;
  registerCompiler(registry);
  context.appendDialectRegistry(registry);
  return parseSources(sources, context);
}

std::string Compilation::hash(const TargetOptions &options, StringRef form) {
  llvm::MemoryBufferRef source = getSource();
  // The name too: messages have it.
  return hashArtifact({form, describeTarget(options),
                       source.getBufferIdentifier(), source.getBuffer()});
}

std::optional<Artifact> Compilation::find(const ArtifactCache &cache,
                                          const TargetOptions &options,
                                          StringRef form) {
  if (!cache.isOn())
    return std::nullopt;
  std::optional<Artifact> artifact = cache.get(hash(options, form));
  if (artifact)
    messages << artifact->messages;
  return artifact;
}

void Compilation::keep(const ArtifactCache &cache, const TargetOptions &options,
                       StringRef form, StringRef code) {
  if (cache.isOn())
    cache.put(hash(options, form), code, messages.get());
}
