// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef BOOSTR_PASSES_PARALLEL_CAPTUREDVALUE_H
#define BOOSTR_PASSES_PARALLEL_CAPTUREDVALUE_H

#include "mlir/Conversion/LLVMCommon/TypeConverter.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mlir::boostr {

/// How a value of some type goes into a task: a scalar as it is, of an array
/// the pointer and what the type leaves open of offset, extents and strides,
/// which is a quarter of all of them. A task frees no array of its caller, so
/// the pointer that it was allocated with stays behind.
class CapturedType {
public:
  /// Nothing if the LLVM lowering has no such type.
  static std::optional<CapturedType> get(const LLVMTypeConverter &converter,
                                         Type type);

  ArrayRef<Type> getFieldTypes() const { return fieldTypes; }
  /// The fields of `value`.
  SmallVector<Value> split(ImplicitLocOpBuilder &b, Value value) const;
  /// The value of these fields.
  Value join(ImplicitLocOpBuilder &b, ArrayRef<Value> fields) const;

private:
  /// A number of an array's descriptor.
  struct Part {
    enum { Offset, Size, Stride } kind;
    unsigned dim;
    /// What the type says; dynamic if it leaves the number open, which is then
    /// a field.
    int64_t known;
  };

  Type type, lowered;
  SmallVector<Type> fieldTypes;
  /// All numbers of an array whose type has strides; none for anything else.
  SmallVector<Part> parts;
};

} // namespace mlir::boostr

#endif // BOOSTR_PASSES_PARALLEL_CAPTUREDVALUE_H
