// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Calls of a compiled function on one set of arguments, and their time.

#ifndef BOOSTR_TOOLS_BOOSTRRUN_CALL_H
#define BOOSTR_TOOLS_BOOSTRRUN_CALL_H

#include "Tensors.h"
#include "llvm/ADT/STLFunctionalExtras.h"

/// Arguments of a function, where it takes them, and a context to call it in.
class Call {
public:
  /// Reads inputs from files and makes outputs for them, on a CUDA device or in
  /// memory.
  static llvm::Expected<std::unique_ptr<Call>>
  create(const boostr_function &function, llvm::ArrayRef<std::string> paths,
         std::optional<int32_t> device, int32_t threads);

  /// Calls `function`, which takes what that of `create` does. A CUDA device
  /// may be at work when it returns.
  llvm::Error start(const boostr_function &function);
  /// Waits for the device.
  llvm::Error wait();
  llvm::Error run(const boostr_function &function);

  llvm::SmallVector<llvm::SmallVector<int64_t>> getShapes() const;
  /// The outputs, brought back from where they were written.
  llvm::Expected<llvm::ArrayRef<Argument>> getOutputs();

private:
  explicit Call(std::optional<int32_t> device) : device(device) {}
  llvm::Error prepare(const boostr_function &function,
                      llvm::ArrayRef<std::string> paths, int32_t threads);

  std::optional<int32_t> device;
  std::vector<Argument> inputs, outputs;
  std::optional<Tensors> inputTensors, outputTensors;
  std::unique_ptr<boostr_context, decltype(&boostr_context_destroy)> context{
      nullptr, &boostr_context_destroy};
};

/// The median of the times of `count` calls, in seconds.
llvm::Expected<double> measureMedian(unsigned count,
                                     llvm::function_ref<llvm::Error()> run);

/// Seconds that each of some functions takes on the arguments of `call`: the
/// least of some rounds, in turn, in which calls follow each other as they do
/// in use.
llvm::Expected<llvm::SmallVector<double>>
compareFunctions(Call &call, llvm::ArrayRef<const boostr_function *> functions);

#endif // BOOSTR_TOOLS_BOOSTRRUN_CALL_H
