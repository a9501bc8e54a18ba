// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "boostr/passes/export/ConstantData.h"
#include "boostr/runtime/boostr_runtime.h"

using namespace mlir;
using namespace mlir::boostr;

ConstantData::ConstantData(SymbolTable &symbols)
    : symbols(symbols), context(symbols.getOp()->getContext()),
      pointer(LLVM::LLVMPointerType::get(context)) {}

FlatSymbolRefAttr ConstantData::add(Location loc, StringRef name, Type type,
                                    LLVM::Linkage linkage,
                                    Initialize initialize) {
  OpBuilder builder(context);
  auto global = LLVM::GlobalOp::create(builder, loc, type, /*isConstant=*/true,
                                       linkage, name, /*value=*/Attribute());
  symbols.insert(global);
  ImplicitLocOpBuilder b(loc, context);
  b.setInsertionPointToStart(b.createBlock(&global.getInitializerRegion()));
  LLVM::ReturnOp::create(b, initialize(b));
  return FlatSymbolRefAttr::get(global.getSymNameAttr());
}

Value ConstantData::createPointer(ImplicitLocOpBuilder &b,
                                  FlatSymbolRefAttr symbol) {
  if (!symbol)
    return LLVM::ZeroOp::create(b, pointer);
  return LLVM::AddressOfOp::create(b, pointer, symbol);
}

Value ConstantData::createInteger(ImplicitLocOpBuilder &b, unsigned width,
                                  int64_t value) {
  Type type = b.getIntegerType(width);
  return LLVM::ConstantOp::create(b, type, b.getIntegerAttr(type, value));
}

/// Or an array.
Value ConstantData::createStruct(ImplicitLocOpBuilder &b, Type type,
                                 ValueRange fields) {
  Value value = LLVM::UndefOp::create(b, type);
  for (auto [number, field] : llvm::enumerate(fields))
    value = LLVM::InsertValueOp::create(b, value, field,
                                        static_cast<int64_t>(number));
  return value;
}

FlatSymbolRefAttr ConstantData::addString(Location loc, StringRef name,
                                          StringRef text) {
  std::string terminated = text.str() + '\0';
  auto type =
      LLVM::LLVMArrayType::get(IntegerType::get(context, 8), terminated.size());
  OpBuilder builder(context);
  auto global = LLVM::GlobalOp::create(
      builder, loc, type, /*isConstant=*/true, LLVM::Linkage::Internal, name,
      builder.getStringAttr(terminated), /*alignment=*/1);
  symbols.insert(global);
  return FlatSymbolRefAttr::get(global.getSymNameAttr());
}

FlatSymbolRefAttr ConstantData::addIntegers(Location loc, StringRef name,
                                            ArrayRef<int64_t> values) {
  if (values.empty())
    return {};
  auto type =
      LLVM::LLVMArrayType::get(IntegerType::get(context, 64), values.size());
  return add(loc, name, type, LLVM::Linkage::Internal,
             [&](ImplicitLocOpBuilder &b) -> Value {
               return LLVM::ConstantOp::create(b, type,
                                               b.getI64TensorAttr(values));
             });
}

FlatSymbolRefAttr
ConstantData::addPointers(Location loc, StringRef name,
                          ArrayRef<FlatSymbolRefAttr> pointers,
                          LLVM::Linkage linkage) {
  if (pointers.empty())
    return {};
  auto type = LLVM::LLVMArrayType::get(pointer, pointers.size());
  return add(loc, name, type, linkage, [&](ImplicitLocOpBuilder &b) {
    return createStruct(
        b, type, llvm::map_to_vector(pointers, [&](FlatSymbolRefAttr symbol) {
          return createPointer(b, symbol);
        }));
  });
}

/// `boostr_tensor_spec`; the struct inside is `DLDataType`.
LLVM::LLVMStructType ConstantData::getSpecType() {
  auto i8 = IntegerType::get(context, 8);
  auto i16 = IntegerType::get(context, 16);
  auto i32 = IntegerType::get(context, 32);
  auto dtype = LLVM::LLVMStructType::getLiteral(context, {i8, i8, i16});
  return LLVM::LLVMStructType::getLiteral(context,
                                          {pointer, dtype, i32, pointer});
}

FlatSymbolRefAttr ConstantData::addSpecs(Location loc, StringRef name,
                                         ArrayRef<RankedTensorType> types,
                                         ArrayRef<StringRef> names) {
  if (types.empty())
    return {};
  SmallVector<FlatSymbolRefAttr> strings, shapes;
  for (auto [number, tensor] : llvm::enumerate(types)) {
    std::string prefix = (name + "_" + Twine(number)).str();
    strings.push_back(addString(loc, prefix + "_name", names[number]));
    // In the interface -1 is dynamic, in MLIR another number.
    auto shape = llvm::map_to_vector(tensor.getShape(), [](int64_t extent) {
      return ShapedType::isDynamic(extent) ? int64_t(-1) : extent;
    });
    shapes.push_back(addIntegers(loc, prefix + "_shape", shape));
  }
  LLVM::LLVMStructType specType = getSpecType();
  auto type = LLVM::LLVMArrayType::get(specType, types.size());
  return add(
      loc, name, type, LLVM::Linkage::Internal, [&](ImplicitLocOpBuilder &b) {
        SmallVector<Value> specs;
        for (auto [number, tensor] : llvm::enumerate(types)) {
          ElementCode code =
              getElementCode(tensor.getElementType()).value_or(ElementCode());
          Value dtype = createStruct(b, specType.getBody()[1],
                                     {createInteger(b, 8, code.code),
                                      createInteger(b, 8, code.bits),
                                      createInteger(b, 16, 1 /* lane */)});
          specs.push_back(
              createStruct(b, specType,
                           {createPointer(b, strings[number]), dtype,
                            createInteger(b, 32, tensor.getRank()),
                            createPointer(b, shapes[number])}));
        }
        return createStruct(b, type, specs);
      });
}

FlatSymbolRefAttr ConstantData::addFunction(Location loc, StringRef name,
                                            const Function &function) {
  auto i32 = IntegerType::get(context, 32);
  auto type = LLVM::LLVMStructType::getLiteral(
      context, {i32, pointer, i32, i32, pointer, pointer, pointer, pointer, i32,
                pointer, i32});
  return add(
      loc, name, type, LLVM::Linkage::External, [&](ImplicitLocOpBuilder &b) {
        return createStruct(b, type,
                            {createInteger(b, 32, BOOSTR_ABI_VERSION),
                             createPointer(b, function.name),
                             createInteger(b, 32, function.numInputs),
                             createInteger(b, 32, function.numOutputs),
                             createPointer(b, function.inputs),
                             createPointer(b, function.outputs),
                             createPointer(b, function.packed),
                             createPointer(b, function.shapes),
                             createInteger(b, 32, function.numConstraints),
                             createPointer(b, function.constraints),
                             createInteger(b, 32, function.deviceType)});
      });
}
