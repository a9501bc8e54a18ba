// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "boostr/dialect/ShapeCheck.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;
using namespace mlir::boostr;

std::string mlir::boostr::formatShape(ArrayRef<int64_t> shape) {
  std::string text;
  llvm::raw_string_ostream os(text);
  os << '[';
  llvm::interleaveComma(shape, os, [&](int64_t extent) {
    if (ShapedType::isDynamic(extent))
      os << '?';
    else
      os << extent;
  });
  os << ']';
  return text;
}

int64_t mlir::boostr::mergeExtents(ArrayRef<int64_t> extents) {
  for (int64_t extent : extents)
    if (!ShapedType::isDynamic(extent))
      return extent;
  return ShapedType::kDynamic;
}

int64_t mlir::boostr::getExtent(Type type, unsigned index, int64_t rank) {
  auto shaped = dyn_cast_if_present<ShapedType>(type);
  if (!shaped || !shaped.hasRank() || shaped.getRank() != rank)
    return ShapedType::kDynamic;
  return shaped.getDimSize(index);
}

LogicalResult mlir::boostr::expectShape(EmitError emitError, StringRef name,
                                        Type type, ArrayRef<int64_t> expected) {
  ArrayRef<int64_t> shape = cast<ShapedType>(type).getShape();
  bool fits = shape.size() == expected.size() &&
              llvm::all_of(llvm::zip_equal(shape, expected), [](auto extents) {
                auto [found, wanted] = extents;
                return ShapedType::isDynamic(found) ||
                       ShapedType::isDynamic(wanted) || found == wanted;
              });
  if (fits)
    return success();
  return emitError() << "'" << name << "' expected " << formatShape(expected)
                     << ", got " << formatShape(shape);
}

LogicalResult mlir::boostr::expectElementType(EmitError emitError,
                                              StringRef name, Type type,
                                              Type expected) {
  Type found = cast<ShapedType>(type).getElementType();
  if (found == expected)
    return success();
  return emitError() << "'" << name << "' expected element type " << expected
                     << ", got " << found;
}

LogicalResult mlir::boostr::expectAccumulatorElementType(EmitError emitError,
                                                         StringRef name,
                                                         Type type,
                                                         Type expected) {
  Type found = cast<ShapedType>(type).getElementType();
  bool isNarrow = expected.isF16() || expected.isBF16();
  if (found == expected || (isNarrow && found.isF32()))
    return success();
  InFlightDiagnostic diagnostic = emitError();
  diagnostic << "'" << name << "' expected element type " << expected;
  if (isNarrow)
    diagnostic << " or 'f32'";
  return diagnostic << ", got " << found;
}
