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
  SmallVector<int64_t> strides;
  int64_t offset;
  if (!memref || failed(memref.getStridesAndOffset(strides, offset))) {
    captured.fieldTypes = {captured.lowered};
    return captured;
  }
  captured.parts.push_back({Part::Offset, 0, offset});
  for (auto [dim, size] : llvm::enumerate(memref.getShape()))
    captured.parts.push_back({Part::Size, unsigned(dim), size});
  for (auto [dim, stride] : llvm::enumerate(strides))
    captured.parts.push_back({Part::Stride, unsigned(dim), stride});
  auto body = cast<LLVM::LLVMStructType>(captured.lowered).getBody();
  captured.fieldTypes.push_back(body[1]); // The pointer that is used.
  captured.fieldTypes.append(
      llvm::count_if(
          captured.parts,
          [](const Part &part) { return ShapedType::isDynamic(part.known); }),
      converter.getIndexType());
  return captured;
}

SmallVector<Value> CapturedType::split(ImplicitLocOpBuilder &b,
                                       Value value) const {
  Value whole = convert(b, value, lowered);
  if (parts.empty())
    return {whole};
  MemRefDescriptor descriptor(whole);
  Location loc = b.getLoc();
  SmallVector<Value> fields = {descriptor.alignedPtr(b, loc)};
  for (const Part &part : parts) {
    if (!ShapedType::isDynamic(part.known))
      continue;
    fields.push_back(part.kind == Part::Offset ? descriptor.offset(b, loc)
                     : part.kind == Part::Size
                         ? descriptor.size(b, loc, part.dim)
                         : descriptor.stride(b, loc, part.dim));
  }
  return fields;
}

Value CapturedType::join(ImplicitLocOpBuilder &b,
                         ArrayRef<Value> fields) const {
  if (parts.empty())
    return convert(b, fields.front(), type);
  Location loc = b.getLoc();
  auto descriptor = MemRefDescriptor::poison(b, loc, lowered);
  descriptor.setAllocatedPtr(b, loc, fields.front());
  descriptor.setAlignedPtr(b, loc, fields.front());
  Type index = descriptor.getIndexType();
  auto next = fields.begin() + 1;
  for (const Part &part : parts) {
    Value number =
        ShapedType::isDynamic(part.known)
            ? *next++
            : LLVM::ConstantOp::create(b, index, b.getIndexAttr(part.known));
    if (part.kind == Part::Offset)
      descriptor.setOffset(b, loc, number);
    else if (part.kind == Part::Size)
      descriptor.setSize(b, loc, part.dim, number);
    else
      descriptor.setStride(b, loc, part.dim, number);
  }
  return convert(b, descriptor, type);
}
