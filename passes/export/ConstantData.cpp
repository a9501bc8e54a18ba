// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "boostr/passes/export/ConstantData.h"
#include "boostr/runtime/boostr_runtime.h"
#include "llvm/Support/SHA256.h"

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

FlatSymbolRefAttr ConstantData::addText(Location loc, StringRef name,
                                        StringRef text, unsigned alignment) {
  auto type =
      LLVM::LLVMArrayType::get(IntegerType::get(context, 8), text.size());
  OpBuilder builder(context);
  auto global = LLVM::GlobalOp::create(builder, loc, type, /*isConstant=*/true,
                                       LLVM::Linkage::Internal, name,
                                       builder.getStringAttr(text), alignment);
  symbols.insert(global);
  return FlatSymbolRefAttr::get(global.getSymNameAttr());
}

FlatSymbolRefAttr ConstantData::addString(Location loc, StringRef name,
                                          StringRef text) {
  return addText(loc, name, text.str() + '\0', /*alignment=*/1);
}

FlatSymbolRefAttr ConstantData::addBytes(Location loc, StringRef name,
                                         StringRef bytes) {
  return addText(loc, name, bytes, /*alignment=*/64);
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

LLVM::LLVMStructType ConstantData::getFunctionType() {
  auto i32 = IntegerType::get(context, 32), i64 = IntegerType::get(context, 64);
  return LLVM::LLVMStructType::getLiteral(
      context, {i32, pointer, i32, i32, pointer, pointer, pointer, pointer, i32,
                pointer, i32, i64, pointer, pointer, pointer});
}

FlatSymbolRefAttr ConstantData::declareFunction(Location loc, StringRef name) {
  OpBuilder builder(context);
  auto global = LLVM::GlobalOp::create(
      builder, loc, getFunctionType(), /*isConstant=*/true,
      LLVM::Linkage::External, name, /*value=*/Attribute());
  global.setVisibility_(LLVM::Visibility::Hidden);
  symbols.insert(global);
  return FlatSymbolRefAttr::get(global.getSymNameAttr());
}

FlatSymbolRefAttr ConstantData::addFunction(Location loc, StringRef name,
                                            const Function &function,
                                            bool isHidden) {
  LLVM::LLVMStructType type = getFunctionType();
  FlatSymbolRefAttr symbol = add(
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
                             createInteger(b, 32, function.deviceType),
                             createInteger(b, 64, function.cpuFeatures),
                             createPointer(b, function.inputLayouts),
                             createPointer(b, function.variants),
                             createPointer(b, function.runtime)});
      });
  if (isHidden)
    symbols.lookup<LLVM::GlobalOp>(symbol.getAttr())
        .setVisibility_(LLVM::Visibility::Hidden);
  return symbol;
}

//===----------------------------------------------------------------------===//
// Kernels
//===----------------------------------------------------------------------===//

/// Of everything that the runtime loads; equal for equal modules.
static std::array<uint8_t, 32>
hashModule(ArrayRef<ConstantData::CudaImage> images,
           ArrayRef<StringRef> kernels) {
  llvm::SHA256 hash;
  // Sizes first, so that different modules are different sequences of bytes.
  auto add = [&](StringRef text) {
    hash.update(std::to_string(text.size()) + ":");
    hash.update(text);
  };
  for (const ConstantData::CudaImage &image : images) {
    add(image.chip);
    add(image.data);
  }
  for (StringRef kernel : kernels)
    add(kernel);
  return hash.final();
}

FlatSymbolRefAttr ConstantData::addCudaImages(Location loc, StringRef name,
                                              ArrayRef<CudaImage> images) {
  auto imageType = LLVM::LLVMStructType::getLiteral(
      context, {pointer, pointer, IntegerType::get(context, 64)});
  SmallVector<std::array<FlatSymbolRefAttr, 2>> symbols;
  for (auto [number, image] : llvm::enumerate(images)) {
    std::string prefix = (name + "_" + Twine(number)).str();
    // PTX is a string to the driver, which wants its terminating zero.
    std::string terminated = image.data.str() + '\0';
    symbols.push_back(
        {addString(loc, prefix + "_chip", image.chip),
         addBytes(loc, prefix,
                  image.chip.empty() ? StringRef(terminated) : image.data)});
  }
  auto type = LLVM::LLVMArrayType::get(imageType, images.size());
  return add(loc, name, type, LLVM::Linkage::Internal,
             [&](ImplicitLocOpBuilder &b) {
               SmallVector<Value> fields;
               for (auto [image, symbol] : llvm::zip_equal(images, symbols))
                 fields.push_back(createStruct(
                     b, imageType,
                     {createPointer(b, symbol[0]), createPointer(b, symbol[1]),
                      createInteger(b, 64, image.data.size())}));
               return createStruct(b, type, fields);
             });
}

FlatSymbolRefAttr ConstantData::addCudaModule(Location loc, StringRef name,
                                              ArrayRef<CudaImage> images,
                                              ArrayRef<StringRef> kernels) {
  FlatSymbolRefAttr imageList =
      addCudaImages(loc, (name + "_image").str(), images);
  SmallVector<FlatSymbolRefAttr> names;
  for (StringRef kernel : kernels)
    names.push_back(addString(loc, (name + "_kernel_name").str(), kernel));
  FlatSymbolRefAttr kernelList = addPointers(loc, (name + "_kernels").str(),
                                             names, LLVM::Linkage::Internal);
  constexpr size_t keyBytes = 16;
  std::array<uint8_t, 32> hash = hashModule(images, kernels);
  StringRef key(reinterpret_cast<const char *>(hash.data()), keyBytes);
  auto i8 = IntegerType::get(context, 8);
  auto i32 = IntegerType::get(context, 32);
  auto keyType = LLVM::LLVMArrayType::get(i8, keyBytes);
  auto type = LLVM::LLVMStructType::getLiteral(
      context, {keyType, i32, pointer, i32, pointer});
  return add(
      loc, name, type, LLVM::Linkage::Internal, [&](ImplicitLocOpBuilder &b) {
        return createStruct(
            b, type,
            {LLVM::ConstantOp::create(b, keyType, b.getStringAttr(key)),
             createInteger(b, 32, images.size()), createPointer(b, imageList),
             createInteger(b, 32, kernels.size()),
             createPointer(b, kernelList)});
      });
}
