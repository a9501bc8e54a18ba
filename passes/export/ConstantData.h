// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Constants of C types in the LLVM dialect.

#ifndef BOOSTR_PASSES_EXPORT_CONSTANTDATA_H
#define BOOSTR_PASSES_EXPORT_CONSTANTDATA_H

#include "boostr/passes/export/Signature.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/IR/SymbolTable.h"

namespace mlir::boostr {

/// Adds constant globals to a module, laid out as the C declarations of
/// boostr_runtime.h say. Internal ones are renamed if their name is taken.
class ConstantData {
public:
  /// New globals go to the end of the module of `symbols`.
  explicit ConstantData(SymbolTable &symbols);

  /// Every method returns the symbol of a global, or null if there is nothing
  /// to store, in which case C code holds a null pointer.

  /// `const char name[]`, with a terminating zero.
  FlatSymbolRefAttr addString(Location loc, StringRef name, StringRef text);
  /// `const uint8_t name[]`, aligned for whoever loads code from it.
  FlatSymbolRefAttr addBytes(Location loc, StringRef name, StringRef bytes);
  /// `const int64_t name[]`.
  FlatSymbolRefAttr addIntegers(Location loc, StringRef name,
                                ArrayRef<int64_t> values);
  /// `const void *const name[]`.
  FlatSymbolRefAttr addPointers(Location loc, StringRef name,
                                ArrayRef<FlatSymbolRefAttr> pointers,
                                LLVM::Linkage linkage);
  /// `const boostr_tensor_spec name[]`.
  FlatSymbolRefAttr addSpecs(Location loc, StringRef name,
                             ArrayRef<RankedTensorType> types,
                             ArrayRef<StringRef> names);

  /// One compiled form of a module's kernels.
  struct CudaImage {
    StringRef chip, data;
  };
  /// `const boostr_cuda_module name`.
  FlatSymbolRefAttr addCudaModule(Location loc, StringRef name,
                                  ArrayRef<CudaImage> images,
                                  ArrayRef<StringRef> kernels);

  /// A `boostr_function`, field by field.
  struct Function {
    FlatSymbolRefAttr name, inputs, outputs, packed, shapes, constraints,
        inputLayouts, variants, runtime;
    int32_t numInputs = 0, numOutputs = 0, numConstraints = 0;
    int32_t deviceType = 1; // kDLCPU of DLPack.
    uint64_t cpuFeatures = 0;
  };
  /// `const boostr_function name`, exported; hidden from those who load the
  /// artifact if it is one of several variants.
  FlatSymbolRefAttr addFunction(Location loc, StringRef name,
                                const Function &function,
                                bool isHidden = false);
  /// The same, of another module.
  FlatSymbolRefAttr declareFunction(Location loc, StringRef name);

private:
  using Initialize = llvm::function_ref<Value(ImplicitLocOpBuilder &)>;
  FlatSymbolRefAttr add(Location loc, StringRef name, Type type,
                        LLVM::Linkage linkage, Initialize initialize);
  Value createPointer(ImplicitLocOpBuilder &b, FlatSymbolRefAttr symbol);
  Value createInteger(ImplicitLocOpBuilder &b, unsigned width, int64_t value);
  Value createStruct(ImplicitLocOpBuilder &b, Type type, ValueRange fields);
  FlatSymbolRefAttr addText(Location loc, StringRef name, StringRef text,
                            unsigned alignment);
  FlatSymbolRefAttr addCudaImages(Location loc, StringRef name,
                                  ArrayRef<CudaImage> images);
  LLVM::LLVMStructType getSpecType();
  LLVM::LLVMStructType getFunctionType();

  SymbolTable &symbols;
  MLIRContext *context;
  LLVM::LLVMPointerType pointer;
};

} // namespace mlir::boostr

#endif // BOOSTR_PASSES_EXPORT_CONSTANTDATA_H
