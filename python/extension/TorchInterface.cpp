// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "TorchInterface.h"
#include "LoadedLibrary.h"

using namespace boostr_python;

static bool findFunctions(const LoadedLibrary &torch, TorchInterface &into) {
  return torch.find("aoti_torch_library_init_impl", into.libraryInitImpl) &&
         torch.find("torch_library_impl", into.libraryImpl) &&
         torch.find("aoti_torch_delete_tensor_object", into.deleteTensor) &&
         torch.find("aoti_torch_get_dim", into.getDim) &&
         torch.find("aoti_torch_get_sizes", into.getSizes) &&
         torch.find("aoti_torch_get_strides", into.getStrides) &&
         torch.find("aoti_torch_get_data_ptr", into.getDataPointer) &&
         torch.find("aoti_torch_get_dtype", into.getDtype) &&
         torch.find("aoti_torch_get_device_type", into.getDeviceType) &&
         torch.find("aoti_torch_get_device_index", into.getDeviceIndex) &&
         torch.find("aoti_torch_is_contiguous", into.isContiguous) &&
         torch.find("aoti_torch_empty_strided", into.emptyStrided) &&
         torch.find("aoti_torch_copy_", into.copy) &&
         torch.find("torch_get_num_threads", into.getNumThreads) &&
         torch.find("torch_new_list_reserve_size", into.newList) &&
         torch.find("torch_list_push_back", into.pushBack);
}

static bool readConstants(const LoadedLibrary &torch, TorchInterface &into) {
  return torch.read("aoti_torch_dtype_float64", into.float64) &&
         torch.read("aoti_torch_dtype_float32", into.float32) &&
         torch.read("aoti_torch_dtype_float16", into.float16) &&
         torch.read("aoti_torch_dtype_bfloat16", into.bfloat16) &&
         torch.read("aoti_torch_device_type_cpu", into.cpu) &&
         torch.read("aoti_torch_device_type_cuda", into.cuda);
}

std::optional<TorchInterface> TorchInterface::load() {
  TorchInterface found = {};
  LoadedLibrary torch("libtorch_cpu.so");
  if (!findFunctions(torch, found) || !readConstants(torch, found))
    return std::nullopt;
  LoadedLibrary("libtorch_cuda.so")
      .find("aoti_torch_get_current_cuda_stream", found.getCudaStream);
  return found;
}

std::optional<DLDataType> TorchInterface::getElement(int32_t dtype) const {
  if (dtype == float32)
    return DLDataType{kDLFloat, 32, 1};
  if (dtype == bfloat16)
    return DLDataType{kDLBfloat, 16, 1};
  if (dtype == float16)
    return DLDataType{kDLFloat, 16, 1};
  if (dtype == float64)
    return DLDataType{kDLFloat, 64, 1};
  return std::nullopt;
}
