// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "Call.h"
#include "llvm/ADT/STLExtras.h"
#include <chrono>
#include <limits>

using llvm::ArrayRef;
using llvm::Error;
using llvm::SmallVector;

static Error runtimeError() {
  return llvm::createStringError(boostr_last_error());
}

//===----------------------------------------------------------------------===//
// Call
//===----------------------------------------------------------------------===//

llvm::Expected<std::unique_ptr<Call>>
Call::create(const boostr_function &function, ArrayRef<std::string> paths,
             std::optional<int32_t> device, int32_t threads) {
  std::unique_ptr<Call> call(new Call(device));
  if (Error error = call->prepare(function, paths, threads))
    return std::move(error);
  return call;
}

Error Call::prepare(const boostr_function &function,
                    ArrayRef<std::string> paths, int32_t threads) {
  auto read = readInputs(function, paths);
  if (!read)
    return read.takeError();
  inputs = std::move(*read);
  auto onDevice = Tensors::create(inputs, function.inputs, device);
  if (!onDevice)
    return onDevice.takeError();
  inputTensors = std::move(*onDevice);
  auto created = createOutputs(function, inputTensors->getPointers());
  if (!created)
    return created.takeError();
  outputs = std::move(*created);
  onDevice = Tensors::create(outputs, function.outputs, device);
  if (!onDevice)
    return onDevice.takeError();
  outputTensors = std::move(*onDevice);

  boostr_context_options options = {};
  options.num_threads = threads;
  boostr_context *made = nullptr;
  if (boostr_context_create(&options, &made) != BOOSTR_OK)
    return runtimeError();
  context.reset(made);
  return Error::success();
}

Error Call::start(const boostr_function &function) {
  ArrayRef<const DLTensor *> from = inputTensors->getPointers(),
                             to = outputTensors->getPointers();
  if (boostr_call(context.get(), &function, from.data(), from.size(), to.data(),
                  to.size()) != BOOSTR_OK)
    return runtimeError();
  return Error::success();
}

Error Call::wait() {
  if (device &&
      boostr_cuda_synchronize(*device, /*stream=*/nullptr) != BOOSTR_OK)
    return runtimeError();
  return Error::success();
}

Error Call::run(const boostr_function &function) {
  if (Error error = start(function))
    return error;
  return wait();
}

SmallVector<SmallVector<int64_t>> Call::getShapes() const {
  SmallVector<SmallVector<int64_t>> shapes;
  for (const Argument &input : inputs)
    shapes.push_back(input.shape);
  return shapes;
}

llvm::Expected<ArrayRef<Argument>> Call::getOutputs() {
  if (Error error = outputTensors->copyBack())
    return std::move(error);
  return ArrayRef(outputs);
}

//===----------------------------------------------------------------------===//
// Time
//===----------------------------------------------------------------------===//

static llvm::Expected<double> measure(llvm::function_ref<Error()> run) {
  auto start = std::chrono::steady_clock::now();
  if (Error error = run())
    return std::move(error);
  std::chrono::duration<double> time = std::chrono::steady_clock::now() - start;
  return time.count();
}

llvm::Expected<double> measureMedian(unsigned count,
                                     llvm::function_ref<Error()> run) {
  std::vector<double> seconds;
  for (unsigned i = 0; i < count; ++i) {
    auto time = measure(run);
    if (!time)
      return time.takeError();
    seconds.push_back(*time);
  }
  llvm::sort(seconds);
  return seconds[seconds.size() / 2];
}

/// Calls that follow each other without waiting, and rounds of them.
static constexpr int kCalls = 10, kRounds = 5;

llvm::Expected<SmallVector<double>>
compareFunctions(Call &call, ArrayRef<const boostr_function *> functions) {
  SmallVector<double> least(functions.size(),
                            std::numeric_limits<double>::infinity());
  // The first call loads kernels and makes plans.
  for (const boostr_function *function : functions)
    if (Error error = call.run(*function))
      return std::move(error);
  for (int round = 0; round < kRounds; ++round)
    for (auto [function, best] : llvm::zip_equal(functions, least)) {
      auto time = measure([&, called = function]() -> Error {
        for (int i = 0; i < kCalls; ++i)
          if (Error error = call.start(*called))
            return error;
        return call.wait();
      });
      if (!time)
        return time.takeError();
      best = std::min(best, *time / kCalls);
    }
  return least;
}
