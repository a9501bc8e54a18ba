// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "Arguments.h"
#include "llvm/ADT/APFloat.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Format.h"

using llvm::StringRef;
using llvm::Twine;

DLTensor Argument::getTensor(DLDataType dtype) {
  DLTensor tensor = {};
  tensor.data = data.data();
  tensor.device = {kDLCPU, 0};
  tensor.ndim = static_cast<int32_t>(shape.size());
  tensor.dtype = dtype;
  tensor.shape = shape.data();
  return tensor;
}

std::string getTypeCode(DLDataType dtype) {
  if (dtype.lanes != 1)
    return {};
  std::string bytes = std::to_string(dtype.bits / 8);
  switch (dtype.code) {
  case kDLFloat:
    return "<f" + bytes;
  case kDLBfloat:
    return "<u" + bytes;
  case kDLInt:
    return (dtype.bits == 8 ? "|i" : "<i") + bytes;
  case kDLUInt:
    return (dtype.bits == 8 ? "|u" : "<u") + bytes;
  default:
    return {};
  }
}

std::string formatShape(llvm::ArrayRef<int64_t> shape) {
  auto extents = llvm::map_range(shape, [](int64_t extent) {
    return extent < 0 ? std::string("?") : std::to_string(extent);
  });
  return "[" + llvm::join(extents, ", ") + "]";
}

static size_t countElements(llvm::ArrayRef<int64_t> shape) {
  size_t count = 1;
  for (int64_t extent : shape)
    count *= static_cast<size_t>(extent);
  return count;
}

llvm::Expected<std::vector<Argument>>
readInputs(const boostr_function &function, llvm::ArrayRef<std::string> paths) {
  if (paths.size() != static_cast<size_t>(function.num_inputs))
    return llvm::createStringError(Twine("function '") + function.name +
                                   "' expected " + Twine(function.num_inputs) +
                                   " inputs (--in), got " +
                                   Twine(paths.size()));
  std::vector<Argument> inputs;
  for (auto [number, path] : llvm::enumerate(paths)) {
    auto array = npy::readNpy(path);
    if (!array)
      return array.takeError();
    const boostr_tensor_spec &spec = function.inputs[number];
    std::string expected = getTypeCode(spec.dtype);
    if (array->typeCode != expected)
      return llvm::createStringError(
          "argument " + Twine(number) + " '" + spec.name +
          "': expected elements of type " + expected + ", got " +
          array->typeCode + " in '" + path + "'");
    inputs.push_back({expected, array->shape, std::move(array->data)});
  }
  return inputs;
}

llvm::Expected<std::vector<Argument>>
createOutputs(const boostr_function &function,
              llvm::ArrayRef<const DLTensor *> inputs) {
  size_t numExtents = 0;
  for (int32_t i = 0; i < function.num_outputs; ++i)
    numExtents += function.outputs[i].rank;
  std::vector<int64_t> extents(numExtents + 1);
  if (boostr_output_shapes(&function, inputs.data(),
                           static_cast<int32_t>(inputs.size()),
                           extents.data()) != BOOSTR_OK)
    return llvm::createStringError(boostr_last_error());

  std::vector<Argument> outputs;
  const int64_t *next = extents.data();
  for (int32_t i = 0; i < function.num_outputs; ++i) {
    const boostr_tensor_spec &spec = function.outputs[i];
    Argument output;
    output.typeCode = getTypeCode(spec.dtype);
    output.shape.assign(next, next + spec.rank);
    next += spec.rank;
    output.data.resize(countElements(output.shape) * (spec.dtype.bits / 8));
    outputs.push_back(std::move(output));
  }
  return outputs;
}

/// The value of one element, for people.
static std::string formatElement(const char *data, DLDataType dtype) {
  unsigned bits = dtype.bits;
  uint64_t raw = 0;
  memcpy(&raw, data, bits / 8);
  if (dtype.code == kDLInt)
    return std::to_string(llvm::SignExtend64(raw, bits));
  if (dtype.code != kDLFloat && dtype.code != kDLBfloat)
    return std::to_string(raw);
  const llvm::fltSemantics &semantics =
      dtype.code == kDLBfloat ? llvm::APFloat::BFloat()
      : bits == 16            ? llvm::APFloat::IEEEhalf()
      : bits == 32            ? llvm::APFloat::IEEEsingle()
                              : llvm::APFloat::IEEEdouble();
  llvm::APFloat value(semantics, llvm::APInt(bits, raw));
  bool losesInfo = false;
  value.convert(llvm::APFloat::IEEEdouble(), llvm::APFloat::rmNearestTiesToEven,
                &losesInfo);
  std::string text;
  llvm::raw_string_ostream(text)
      << llvm::format(bits == 64 ? "%.10g" : "%.6g", value.convertToDouble());
  return text;
}

void printArgument(llvm::raw_ostream &os, StringRef name,
                   const Argument &argument, DLDataType dtype) {
  constexpr size_t kEdge = 8;
  size_t count = countElements(argument.shape);
  os << name << " " << formatShape(argument.shape) << ":";
  for (size_t i = 0; i < count; ++i) {
    if (count > 2 * kEdge && i == kEdge) {
      os << " ...";
      i = count - kEdge;
    }
    os << ' '
       << formatElement(argument.data.data() + i * (dtype.bits / 8), dtype);
  }
  os << '\n';
}
