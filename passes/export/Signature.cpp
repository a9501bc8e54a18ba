// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "boostr/passes/export/Signature.h"
#include "boostr/dialect/BoostrDialect.h"
#include "boostr/passes/export/CNames.h"
#include "boostr/runtime/boostr_runtime.h"

using namespace mlir;
using namespace mlir::boostr;

/// `kDLBool` of later versions of DLPack.
static constexpr uint8_t boolCode = 6;

std::optional<ElementCode> mlir::boostr::getElementCode(Type type) {
  if (type.isF64() || type.isF32() || type.isF16())
    return ElementCode{kDLFloat, uint8_t(type.getIntOrFloatBitWidth())};
  if (type.isBF16())
    return ElementCode{kDLBfloat, 16};
  if (auto integer = dyn_cast<IntegerType>(type)) {
    unsigned width = integer.getWidth();
    if (width == 1)
      return ElementCode{boolCode, 8};
    if (width != 8 && width != 16 && width != 32 && width != 64)
      return std::nullopt;
    return ElementCode{uint8_t(integer.isUnsigned() ? kDLUInt : kDLInt),
                       uint8_t(width)};
  }
  return std::nullopt;
}

std::string mlir::boostr::getArgumentName(func::FuncOp function,
                                          unsigned number) {
  if (auto name = function.getArgAttrOfType<StringAttr>(
          number, BoostrDialect::getNameAttrName()))
    return name.str();
  if (!function.isExternal())
    if (auto loc = dyn_cast<NameLoc>(function.getArgument(number).getLoc()))
      return loc.getName().str();
  return ("arg" + Twine(number)).str();
}

std::string mlir::boostr::getResultName(func::FuncOp function,
                                        unsigned number) {
  if (auto name = function.getResultAttrOfType<StringAttr>(
          number, BoostrDialect::getNameAttrName()))
    return name.str();
  return ("result" + Twine(number)).str();
}

/// Why a value of `type` cannot cross the interface; empty if it can.
static std::string explainUnsupported(Type type) {
  std::string text;
  llvm::raw_string_ostream os(text);
  auto tensor = dyn_cast<RankedTensorType>(type);
  if (!tensor) {
    os << "expected a ranked tensor, got " << type;
    if (type.isIntOrIndexOrFloat())
      os << "; pass a tensor of rank 0 instead";
  } else if (tensor.getRank() > BOOSTR_MAX_RANK) {
    os << "expected rank " << BOOSTR_MAX_RANK << " or less, got " << type;
  } else if (tensor.getEncoding()) {
    os << "expected a tensor without encoding, got " << type;
  } else if (!getElementCode(tensor.getElementType())) {
    os << "expected elements of type f64, f32, f16, bf16, or integers of 1, 8, "
          "16, 32 or 64 bits, got "
       << type;
  }
  return text;
}

LogicalResult mlir::boostr::checkSignature(func::FuncOp function) {
  if (StringRef reason = explainUnfitName(function.getName()); !reason.empty())
    return function.emitError() << "cannot export function '"
                                << function.getName() << "': " << reason;
  auto check = [&](StringRef kind, unsigned number, const std::string &name,
                   Type type) -> LogicalResult {
    std::string reason = explainUnsupported(type);
    if (reason.empty())
      return success();
    return function.emitError()
           << "cannot export function '" << function.getName() << "': " << kind
           << " " << number << " '" << name << "': " << reason;
  };
  for (auto [number, type] : llvm::enumerate(function.getArgumentTypes()))
    if (failed(
            check("argument", number, getArgumentName(function, number), type)))
      return failure();
  for (auto [number, type] : llvm::enumerate(function.getResultTypes()))
    if (failed(check("result", number, getResultName(function, number), type)))
      return failure();
  return success();
}

void mlir::boostr::recordSignature(func::FuncOp function) {
  SmallVector<Attribute> names;
  Builder b(function.getContext());
  for (unsigned i = 0, e = function.getNumArguments(); i < e; ++i)
    names.push_back(b.getStringAttr(getArgumentName(function, i)));
  for (unsigned i = 0, e = function.getNumResults(); i < e; ++i)
    names.push_back(b.getStringAttr(getResultName(function, i)));
  SmallVector<Attribute> layouts;
  bool hasLayout = false;
  for (unsigned i = 0, e = function.getNumArguments(); i < e; ++i) {
    Attribute layout =
        function.getArgAttr(i, BoostrDialect::getPackedLayoutAttrName());
    std::string text;
    if (layout)
      llvm::raw_string_ostream(text) << layout;
    hasLayout |= bool(layout);
    layouts.push_back(b.getStringAttr(text));
  }
  if (hasLayout)
    function->setAttr(BoostrDialect::getSignatureLayoutsAttrName(),
                      b.getArrayAttr(layouts));
  function->setAttr(BoostrDialect::getSignatureAttrName(),
                    TypeAttr::get(function.getFunctionType()));
  function->setAttr(BoostrDialect::getSignatureNamesAttrName(),
                    b.getArrayAttr(names));
}

static bool appendTensors(TypeRange types,
                          SmallVectorImpl<RankedTensorType> &tensors) {
  for (Type type : types) {
    tensors.push_back(dyn_cast<RankedTensorType>(type));
    if (!explainUnsupported(type).empty())
      return false;
  }
  return true;
}

std::optional<Signature>
mlir::boostr::readSignature(FunctionOpInterface function) {
  auto attr =
      function->getAttrOfType<TypeAttr>(BoostrDialect::getSignatureAttrName());
  auto names = function->getAttrOfType<ArrayAttr>(
      BoostrDialect::getSignatureNamesAttrName());
  auto type = attr ? dyn_cast<FunctionType>(attr.getValue()) : FunctionType();
  if (!type || !names ||
      names.size() != type.getNumInputs() + type.getNumResults())
    return std::nullopt;
  Signature signature;
  if (!appendTensors(type.getInputs(), signature.inputs) ||
      !appendTensors(type.getResults(), signature.outputs))
    return std::nullopt;
  for (auto [number, name] : llvm::enumerate(names.getAsRange<StringAttr>()))
    (number < type.getNumInputs() ? signature.inputNames
                                  : signature.outputNames)
        .push_back(name);
  if (auto layouts = function->getAttrOfType<ArrayAttr>(
          BoostrDialect::getSignatureLayoutsAttrName())) {
    if (layouts.size() != signature.inputs.size())
      return std::nullopt;
    for (StringAttr layout : layouts.getAsRange<StringAttr>())
      signature.inputLayouts.push_back(layout);
  }
  return signature;
}
