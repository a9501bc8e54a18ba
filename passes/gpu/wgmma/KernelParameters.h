// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Kernel parameters: what the host computes before a launch, and what it is
// called in the kernel.

#ifndef BOOSTR_PASSES_GPU_WGMMA_KERNELPARAMETERS_H
#define BOOSTR_PASSES_GPU_WGMMA_KERNELPARAMETERS_H

#include "boostr/passes/cpu/StridedArray.h"
#include "boostr/passes/gpu/wgmma/DeviceBuilder.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

namespace mlir::boostr::wgmma {

/// An array as the copy engine sees it.
struct TensorView {
  cpu::StridedArray array;
  /// By dimension of the contraction.
  SmallVector<OpFoldResult, 5> extents;
  /// The dimensions that the engine walks, innermost first.
  SmallVector<unsigned> dims;
};

/// Collects the parameters of a kernel while host code and kernel are emitted
/// side by side.
class KernelParameters {
public:
  KernelParameters(ImplicitLocOpBuilder &host, DeviceBuilder &device,
                   LLVM::LLVMFuncOp kernel)
      : host(host), device(device), kernel(kernel) {}

  /// A number that the host knows: a constant if static, else a parameter.
  Value addNumber(OpFoldResult value);
  /// The address of the first element, as i64.
  Value addAddress(const cpu::StridedArray &array);
  Value addAddress(Value address);
  /// A tensor map (128 bytes by value) for boxes of `box` elements, by
  /// dimension of the contraction, whose rows of `rowBytes` (32, 64 or 128)
  /// bytes are swizzled.
  Value addTensorMap(const TensorView &view, ArrayRef<OpFoldResult> box,
                     int64_t rowBytes = 128);

  /// Gives the kernel the type that the parameters make. Operands of the
  /// launch are in `operands`.
  void finalize();

  SmallVector<Value> operands;

private:
  Value addParameter(Value operand, Type type, bool byValue = false);
  Value createArray(ArrayRef<OpFoldResult> values, Type elementType);
  Value createAlloca(Type elementType, int64_t count, int64_t alignment);

  ImplicitLocOpBuilder &host;
  DeviceBuilder &device;
  LLVM::LLVMFuncOp kernel;
  SmallVector<bool> isByValue;
};

} // namespace mlir::boostr::wgmma

#endif // BOOSTR_PASSES_GPU_WGMMA_KERNELPARAMETERS_H
