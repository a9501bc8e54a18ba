// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Arguments as a compiled function takes them: where they are, or on a CUDA
// device.

#ifndef BOOSTR_TOOLS_BOOSTRRUN_TENSORS_H
#define BOOSTR_TOOLS_BOOSTRRUN_TENSORS_H

#include "Arguments.h"
#include <memory>
#include <optional>

/// Tensors of arguments, which must outlive it.
class Tensors {
public:
  /// With a `device`, copies of the arguments on that CUDA device.
  static llvm::Expected<Tensors> create(std::vector<Argument> &arguments,
                                        const boostr_tensor_spec *specs,
                                        std::optional<int32_t> device);

  /// For a call.
  llvm::ArrayRef<const DLTensor *> getPointers() const { return pointers; }

  /// Brings what a call wrote back into the arguments, when it is done.
  llvm::Error copyBack();

private:
  /// Memory of a device.
  struct Block {
    int32_t device = 0;
    void *address = nullptr;
    explicit Block(int32_t device) : device(device) {}
    ~Block() { boostr_cuda_release(device, address); }
  };

  std::vector<Argument> *arguments = nullptr;
  std::vector<DLTensor> tensors;
  llvm::SmallVector<const DLTensor *> pointers;
  std::vector<std::unique_ptr<Block>> blocks;
};

/// LLVM's name of the chip of a CUDA device, as in sm_90a. Fails if there is no
/// such device.
llvm::Expected<std::string> getCudaChip(int32_t device);

#endif // BOOSTR_TOOLS_BOOSTRRUN_TENSORS_H
