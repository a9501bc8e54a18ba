// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "Tensors.h"
#include "llvm/ADT/STLExtras.h"

static llvm::Error runtimeError() {
  return llvm::createStringError(boostr_last_error());
}

llvm::Expected<Tensors> Tensors::create(std::vector<Argument> &arguments,
                                        const boostr_tensor_spec *specs,
                                        std::optional<int32_t> device) {
  Tensors result;
  result.arguments = &arguments;
  for (auto [number, argument] : llvm::enumerate(arguments)) {
    DLTensor tensor = argument.getTensor(specs[number].dtype);
    if (device) {
      auto block = std::make_unique<Block>(*device);
      size_t bytes = argument.data.size();
      if (boostr_cuda_allocate(*device, bytes, &block->address) != BOOSTR_OK ||
          boostr_cuda_copy(*device, /*stream=*/nullptr, block->address,
                           argument.data.data(), bytes) != BOOSTR_OK)
        return runtimeError();
      tensor.device = {kDLCUDA, *device};
      tensor.data = block->address;
      result.blocks.push_back(std::move(block));
    }
    result.tensors.push_back(tensor);
  }
  for (DLTensor &tensor : result.tensors)
    result.pointers.push_back(&tensor);
  return result;
}

llvm::Error Tensors::copyBack() {
  for (auto [argument, block] : llvm::zip(*arguments, blocks))
    if (boostr_cuda_copy(block->device, /*stream=*/nullptr,
                         argument.data.data(), block->address,
                         argument.data.size()) != BOOSTR_OK)
      return runtimeError();
  return llvm::Error::success();
}

llvm::Expected<std::string> getCudaChip(int32_t device) {
  int32_t capability = 0;
  if (boostr_cuda_compute_capability(device, &capability) != BOOSTR_OK)
    return runtimeError();
  // From 9.0 on, what is fastest is for the very chip.
  return "sm_" + std::to_string(capability) + (capability >= 90 ? "a" : "");
}
