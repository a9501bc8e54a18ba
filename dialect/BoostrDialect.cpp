// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "boostr/dialect/BoostrDialect.h"
#include "boostr/dialect/BoostrAttrs.h"
#include "boostr/dialect/BoostrOps.h"
#include "mlir/Bytecode/BytecodeImplementation.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Interfaces/FunctionInterfaces.h"

using namespace mlir;
using namespace mlir::boostr;

#include "boostr/dialect/BoostrDialect.cpp.inc"

namespace {

/// Version of the dialect's bytecode. It grows by one when an op or attribute
/// changes its encoding; readers of a later version must go on reading all
/// earlier ones.
struct BoostrDialectVersion : DialectVersion {
  static constexpr uint64_t current = 1;
  explicit BoostrDialectVersion(uint64_t number) : number(number) {}
  uint64_t number;
};

struct BoostrBytecodeInterface : BytecodeDialectInterface {
  explicit BoostrBytecodeInterface(Dialect *dialect)
      : BytecodeDialectInterface(dialect) {}

  void writeVersion(DialectBytecodeWriter &writer) const final {
    writer.writeVarInt(BoostrDialectVersion::current);
  }

  std::unique_ptr<DialectVersion>
  readVersion(DialectBytecodeReader &reader) const final {
    uint64_t number = 0;
    if (failed(reader.readVarInt(number)))
      return nullptr;
    if (number > BoostrDialectVersion::current) {
      reader.emitError() << "boostr dialect bytecode of version " << number
                         << " is newer than this build reads, expected at most "
                         << BoostrDialectVersion::current;
      return nullptr;
    }
    return std::make_unique<BoostrDialectVersion>(number);
  }
};

} // namespace

void BoostrDialect::initialize() {
  registerAttributes();
  addOperations<
#define GET_OP_LIST
#include "boostr/dialect/BoostrOps.cpp.inc"
      >();
  addInterfaces<BoostrBytecodeInterface>();
}

static LogicalResult verifyDifferentiateAttr(Operation *op,
                                             NamedAttribute attribute) {
  if (!isa<FunctionOpInterface>(op))
    return op->emitOpError()
           << "'" << attribute.getName().strref() << "' expected on a function";
  if (!isa<UnitAttr, DenseI64ArrayAttr>(attribute.getValue()))
    return op->emitOpError()
           << "'" << attribute.getName().strref()
           << "' expected unit or array<i64: ...> of argument numbers, got "
           << attribute.getValue();
  return success();
}

/// The attributes by which `boostr-create-shape-functions` tells
/// `boostr-export-functions` what functions were.
static LogicalResult verifyExportAttr(FunctionOpInterface function,
                                      NamedAttribute attribute) {
  StringRef name = attribute.getName();
  Attribute value = attribute.getValue();
  auto expected = [&](bool isValid, StringRef what) -> LogicalResult {
    if (isValid)
      return success();
    return function->emitOpError()
           << "'" << name << "' expected " << what << ", got " << value;
  };
  auto isStrings = [](Attribute array) {
    auto strings = dyn_cast<ArrayAttr>(array);
    return strings && llvm::all_of(strings, llvm::IsaPred<StringAttr>);
  };
  if (name == BoostrDialect::getSignatureAttrName()) {
    auto type = dyn_cast<TypeAttr>(value);
    return expected(type && isa<FunctionType>(type.getValue()),
                    "a function type");
  }
  if (name != BoostrDialect::getSignatureNamesAttrName())
    return name == BoostrDialect::getConstraintsAttrName() ||
                   name == BoostrDialect::getSignatureLayoutsAttrName()
               ? expected(isStrings(value), "an array of strings")
               : expected(isa<FlatSymbolRefAttr>(value), "a symbol");
  if (failed(expected(isStrings(value), "an array of strings")))
    return failure();
  auto type =
      function->getAttrOfType<TypeAttr>(BoostrDialect::getSignatureAttrName());
  auto signature = type ? dyn_cast<FunctionType>(type.getValue()) : nullptr;
  if (!signature)
    return function->emitOpError()
           << "'" << name << "' expected beside '"
           << BoostrDialect::getSignatureAttrName() << "'";
  size_t count = signature.getNumInputs() + signature.getNumResults();
  if (cast<ArrayAttr>(value).size() != count)
    return function->emitOpError()
           << "'" << name << "' expected " << count << " names, got "
           << cast<ArrayAttr>(value).size();
  return success();
}

static bool isExportAttr(StringRef name) {
  return llvm::is_contained({BoostrDialect::getSignatureAttrName(),
                             BoostrDialect::getSignatureNamesAttrName(),
                             BoostrDialect::getSignatureLayoutsAttrName(),
                             BoostrDialect::getShapesAttrName(),
                             BoostrDialect::getShapesOfAttrName(),
                             BoostrDialect::getConstraintsAttrName()},
                            name);
}

/// An argument that is a packed weight is the bytes of its layout.
static LogicalResult verifyPackedArgument(Operation *op, unsigned number,
                                          NamedAttribute attribute) {
  auto layout = dyn_cast<PackedLayoutAttr>(attribute.getValue());
  if (layout)
    return success();
  return op->emitOpError() << "'" << attribute.getName().strref()
                           << "' of argument " << number
                           << " expected #boostr.packed_layout<...>, got "
                           << attribute.getValue();
}

/// Arguments and results of functions may have a name, and nothing else.
static LogicalResult verifyNameAttr(Operation *op, NamedAttribute attribute) {
  StringRef name = attribute.getName();
  if (name != BoostrDialect::getNameAttrName())
    return op->emitOpError() << "has unknown attribute '" << name
                             << "' of the boostr dialect on an argument or "
                                "result";
  auto value = dyn_cast<StringAttr>(attribute.getValue());
  if (value && !value.empty())
    return success();
  return op->emitOpError() << "'" << name
                           << "' expected a string that is not empty, got "
                           << attribute.getValue();
}

LogicalResult BoostrDialect::verifyRegionArgAttribute(
    Operation *op, unsigned, unsigned number, NamedAttribute attribute) {
  if (attribute.getName() == getPackedLayoutAttrName())
    return verifyPackedArgument(op, number, attribute);
  return verifyNameAttr(op, attribute);
}

LogicalResult
BoostrDialect::verifyRegionResultAttribute(Operation *op, unsigned, unsigned,
                                           NamedAttribute attribute) {
  return verifyNameAttr(op, attribute);
}

LogicalResult
BoostrDialect::verifyOperationAttribute(Operation *op,
                                        NamedAttribute attribute) {
  StringRef name = attribute.getName();
  if (name == getDifferentiateAttrName())
    return verifyDifferentiateAttr(op, attribute);
  if (isExportAttr(name)) {
    if (auto function = dyn_cast<FunctionOpInterface>(op))
      return verifyExportAttr(function, attribute);
    return op->emitOpError() << "'" << name << "' expected on a function";
  }
  if (name == getStopGradientAttrName() || name == getStreamedAttrName()) {
    if (isa<UnitAttr>(attribute.getValue()))
      return success();
    return op->emitOpError()
           << "'" << name << "' expected unit, got " << attribute.getValue();
  }
  if (name == getCpuTileAttrName()) {
    if (isa<CpuTileAttr>(attribute.getValue()))
      return success();
    return op->emitOpError()
           << "'" << name << "' expected #boostr.cpu_tile<...>, got "
           << attribute.getValue();
  }
  if (name == getCpuTargetAttrName()) {
    if (isa<CpuTargetAttr>(attribute.getValue()))
      return success();
    return op->emitOpError()
           << "'" << name << "' expected #boostr.cpu_target<...>, got "
           << attribute.getValue();
  }
  if (name == getGpuTilesAttrName()) {
    auto tiles = dyn_cast<ArrayAttr>(attribute.getValue());
    if (tiles && llvm::all_of(tiles, llvm::IsaPred<GpuTileAttr>))
      return success();
    return op->emitOpError()
           << "'" << name
           << "' expected an array of #boostr.gpu_tile<...>, got "
           << attribute.getValue();
  }
  if (name == getGemmAttrName()) {
    if (isa<GemmAttr>(attribute.getValue()))
      return success();
    return op->emitOpError()
           << "'" << name << "' expected #boostr.gemm<...>, got "
           << attribute.getValue();
  }
  if (name == getGpuTargetAttrName()) {
    if (isa<GpuTargetAttr>(attribute.getValue()))
      return success();
    return op->emitOpError()
           << "'" << name << "' expected #boostr.gpu_target<...>, got "
           << attribute.getValue();
  }
  if (name == getGrainAttrName()) {
    auto grain = dyn_cast<IntegerAttr>(attribute.getValue());
    if (grain && grain.getInt() > 0)
      return success();
    return op->emitOpError()
           << "'" << name << "' expected a positive integer, got "
           << attribute.getValue();
  }
  return op->emitOpError() << "has unknown attribute '" << name
                           << "' of the boostr dialect";
}
