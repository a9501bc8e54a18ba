// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// From MLIR text to machine code: what tools and language bindings share.
//
// A caller parses a source, runs the pipeline, translates the result to LLVM
// IR, and emits an object. The object is loaded in this process (Jit.h) or
// linked into a shared object (LinkSharedObject.h). All errors are diagnostics
// of the context.

#ifndef BOOSTR_PASSES_DRIVER_COMPILER_H
#define BOOSTR_PASSES_DRIVER_COMPILER_H

#include "boostr/passes/driver/TargetOption.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/Module.h"
#include "llvm/Target/TargetMachine.h"

namespace llvm {
class SourceMgr;
} // namespace llvm

namespace mlir::boostr {

/// Registers every dialect and translation that compiling needs.
void registerCompiler(DialectRegistry &registry);

/// Reads `path` ("-" for standard input) into `sources`, which keeps the text
/// that diagnostics quote. An error is reported.
LogicalResult readSourceFile(StringRef path, llvm::SourceMgr &sources,
                             MLIRContext &context);

/// Parses what was read, text or bytecode. Null after an error.
OwningOpRef<ModuleOp> parseSources(llvm::SourceMgr &sources,
                                   MLIRContext &context);

/// Parses `source`, text or bytecode, which is called `name` in locations. Null
/// after an error.
OwningOpRef<ModuleOp> parseSource(StringRef source, StringRef name,
                                  llvm::SourceMgr &sources,
                                  MLIRContext &context);

/// Runs the pipeline of the target up to `stopAfter`. `afterStage`, if given,
/// sees the name of each stage and the module at its end.
LogicalResult runPipeline(
    ModuleOp module, const TargetOptions &options,
    llvm::function_ref<void(StringRef stage, ModuleOp module)> afterStage = {});

/// A form of the kernels of a module that has been through the stage `device`
/// of the pipeline for CUDA devices: PTX or a cubin. Fails if there are no
/// kernels.
FailureOr<std::string> getKernels(ModuleOp module, GpuImages image);

/// A code generator for the `boostr.cpu_target` of `module`. Null after an
/// error.
std::unique_ptr<llvm::TargetMachine> createTargetMachine(ModuleOp module);

/// Translates a module in the LLVM dialect and optimizes it for `machine`. Null
/// after an error.
std::unique_ptr<llvm::Module> translateToLLVMIR(ModuleOp module,
                                                llvm::LLVMContext &context,
                                                llvm::TargetMachine &machine);

/// Machine code: an object file, or assembly. `loc` is where errors are
/// reported.
FailureOr<SmallString<0>> emitCode(llvm::Module &module,
                                   llvm::TargetMachine &machine,
                                   llvm::CodeGenFileType type, Location loc);

/// An object file of a module that has been through the whole pipeline.
FailureOr<SmallString<0>> emitObject(ModuleOp module);

/// Runs the pipeline for each CPU of `options`, and puts the code for all of
/// them in one object file. `options` is what it was afterwards.
FailureOr<SmallString<0>> compileToObject(
    ModuleOp module, TargetOptions &options,
    llvm::function_ref<void(StringRef stage, ModuleOp module)> afterStage = {});

} // namespace mlir::boostr

#endif // BOOSTR_PASSES_DRIVER_COMPILER_H
