// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "boostr/passes/parallel/CapturedValue.h"
#include "mlir/Conversion/LLVMCommon/MemRefBuilder.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

using namespace mlir;
using namespace mlir::boostr;

static Value convert(ImplicitLocOpBuilder &b, Value value, Type type) {
  if (value.getType() == type)
    return value;
  return UnrealizedConversionCastOp::create(b, type, value).getResult(0);
}

std::optional<CapturedType>
CapturedType::get(const LLVMTypeConverter &converter, Type type) {
  CapturedType captured;
  captured.type = type;
  captured.lowered = converter.convertType(type);
  if (!captured.lowered)
    return std::nullopt;
  auto memref = dyn_cast<MemRefType>(type);
  if (!memref ||
      failed(memref.getStridesAndOffset(captured.strides, captured.offset))) {
    captured.fieldTypes = {captured.lowered};
    return captured;
  }
  captured.isArray = true;
  captured.sizes.assign(memref.getShape().begin(), memref.getShape().end());
  auto body = cast<LLVM::LLVMStructType>(captured.lowered).getBody();
  int64_t open = ShapedType::isDynamic(captured.offset) +
                 llvm::count_if(captured.sizes, ShapedType::isDynamic) +
                 llvm::count_if(captured.strides, ShapedType::isDynamic);
  captured.fieldTypes.push_back(body[1]); // The pointer that is used.
  captured.fieldTypes.append(open, converter.getIndexType());
  return captured;
}

SmallVector<Value> CapturedType::split(ImplicitLocOpBuilder &b,
                                       Value value) const {
  Value whole = convert(b, value, lowered);
  if (!isArray)
    return {whole};
  MemRefDescriptor descriptor(whole);
  Location loc = b.getLoc();
  SmallVector<Value> fields = {descriptor.alignedPtr(b, loc)};
  if (ShapedType::isDynamic(offset))
    fields.push_back(descriptor.offset(b, loc));
  for (auto [dim, size] : llvm::enumerate(sizes))
    if (ShapedType::isDynamic(size))
      fields.push_back(descriptor.size(b, loc, dim));
  for (auto [dim, stride] : llvm::enumerate(strides))
    if (ShapedType::isDynamic(stride))
      fields.push_back(descriptor.stride(b, loc, dim));
  return fields;
}

Value CapturedType::join(ImplicitLocOpBuilder &b,
                         ArrayRef<Value> fields) const {
  if (!isArray)
    return convert(b, fields.front(), type);
  Location loc = b.getLoc();
  auto descriptor = MemRefDescriptor::poison(b, loc, lowered);
  descriptor.setAllocatedPtr(b, loc, fields.front());
  descriptor.setAlignedPtr(b, loc, fields.front());
  auto next = fields.begin() + 1;
  if (ShapedType::isDynamic(offset))
    descriptor.setOffset(b, loc, *next++);
  else
    descriptor.setConstantOffset(b, loc, offset);
  for (auto [dim, size] : llvm::enumerate(sizes))
    if (ShapedType::isDynamic(size))
      descriptor.setSize(b, loc, dim, *next++);
    else
      descriptor.setConstantSize(b, loc, dim, size);
  for (auto [dim, stride] : llvm::enumerate(strides))
    if (ShapedType::isDynamic(stride))
      descriptor.setStride(b, loc, dim, *next++);
    else
      descriptor.setConstantStride(b, loc, dim, stride);
  return convert(b, descriptor, type);
}
