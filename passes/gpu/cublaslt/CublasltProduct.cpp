// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "boostr/passes/gpu/cublaslt/CublasltProduct.h"
#include "boostr/passes/cpu/IndexMath.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/FunctionCallUtils.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Interfaces/FunctionInterfaces.h"

using namespace mlir;
using namespace mlir::boostr;
using namespace mlir::boostr::cpu;
using namespace mlir::boostr::cublaslt;

// Of boostr_runtime.h.
static constexpr int64_t kTf32 = 1, kOptional = 2;

//===----------------------------------------------------------------------===//
// ProductShape
//===----------------------------------------------------------------------===//

static bool isSame(const ContractionOperand &one,
                   const ContractionOperand &other) {
  auto rowsOf = [](const ContractionOperand &operand) {
    return operand.rows ? operand.rows->offset : 0;
  };
  return one.array == other.array && rowsOf(one) == rowsOf(other) &&
         one.map == other.map;
}

/// Collects all terms, and along what they differ; empty if all is well.
static StringRef matchTerms(const SegmentedContraction &contraction,
                            ProductShape &shape) {
  const ContractionTerm &first = contraction.segments.front().terms.front();
  bool lhsDiffers = false, rhsDiffers = false;
  for (const ContractionSegment &segment : contraction.segments) {
    if (!segment.product)
      return "there is no product to compute";
    if (segment.terms.size() > 1 && contraction.segments.size() > 1)
      return "there are segments of several terms";
    for (const ContractionTerm &term : segment.terms) {
      shape.terms.push_back(&term);
      lhsDiffers |= !isSame(term.lhs, first.lhs);
      rhsDiffers |= !isSame(term.rhs, first.rhs);
    }
  }
  if (contraction.segments.size() == 1)
    return {};
  if (lhsDiffers && rhsDiffers)
    return "segments differ in both operands";
  shape.axis =
      lhsDiffers ? ProductShape::Axis::Rows : ProductShape::Axis::Columns;
  return {};
}

/// Parts of one side: of all terms if they are told apart along it.
static void collectOperand(ProductShape &shape, MatrixParts &side,
                           ContractionOperand ContractionTerm::*operand,
                           ProductShape::Axis axis) {
  bool hasAll = shape.axis == axis || shape.axis == ProductShape::Axis::Steps;
  for (const ContractionTerm *term : shape.terms) {
    side.parts.push_back({term->*operand, term});
    if (!hasAll)
      return;
  }
}

static ContractionOperand getDestination(SegmentedContractionOpInterface op,
                                         const ContractionResult &result) {
  return {op.getDestinations()[result.number], result.rows, result.map};
}

static Type getElementType(const MatrixParts &side) {
  return getElementTypeOrSelf(side.parts.front().operand.array);
}

static StringRef matchTypes(const ProductShape &shape) {
  Type element = getElementType(shape.lhs),
       result = getElementType(shape.result);
  if (element != getElementType(shape.rhs))
    return "operands are of different types";
  bool isShort = element.isF16() || element.isBF16();
  if (!isShort && !element.isF32() && !element.isF64())
    return "there are no products of this type";
  if (result != element && !(isShort && result.isF32()))
    return "the result is of another type";
  return {};
}

static bool hasAny(AffineMap map, ArrayRef<unsigned> dims) {
  return llvm::any_of(dims,
                      [&](unsigned dim) { return map.isFunctionOfDim(dim); });
}

/// What is added to the product, part by part.
static StringRef matchAddends(const SegmentedContraction &contraction,
                              ProductShape &shape) {
  for (auto [number, segment] : llvm::enumerate(contraction.segments)) {
    for (const ContractionOperand &operand : segment.product->addends) {
      bool isVector = !hasAny(operand.map, contraction.m);
      std::optional<MatrixParts> &side = isVector ? shape.bias : shape.addend;
      if (!side)
        side = MatrixParts{contraction.m, contraction.n, {}};
      side->parts.push_back({operand, &segment.terms.front()});
      if (side->parts.size() != number + 1)
        return "there is more to add than a bias and a matrix";
      if (getElementType(*side) != getElementType(shape.result))
        return "what is added is of another type than the result";
    }
  }
  if (shape.addend && !shape.addend->isMatrix())
    return "what is added is no matrix in memory";
  if (shape.bias && !followEachOther(shape.bias->parts))
    return "the bias is no vector in memory";
  return {};
}

/// Sums that the library may compute: those that are not added to anything.
static void matchSums(SegmentedContractionOpInterface op,
                      const SegmentedContraction &contraction,
                      ProductShape &shape) {
  MatrixParts sums{contraction.m, contraction.n, {}};
  for (const ContractionSegment &segment : contraction.segments) {
    if (!segment.lhsSum || !segment.lhsSum->addends.empty())
      return;
    sums.parts.push_back(
        {getDestination(op, *segment.lhsSum), &segment.terms.front()});
  }
  if (followEachOther(sums.parts) && !shape.bias &&
      !getElementType(sums).isF64())
    shape.sums = sums;
}

/// Whether `side` can be given to the library; its parts, if several, are told
/// apart along `dims`.
static bool canBeMatrix(const MatrixParts &side, ArrayRef<unsigned> dims) {
  if (side.isMatrix())
    return true;
  ArrayRef<unsigned> along = side.runsAlongColumns() ? side.columns : side.rows;
  return side.canBePacked() && (side.parts.size() == 1 || along == dims);
}

std::optional<ProductShape>
ProductShape::match(SegmentedContractionOpInterface op,
                    const SegmentedContraction &contraction,
                    StringRef &reason) {
  ProductShape shape;
  reason = matchTerms(contraction, shape);
  if (!reason.empty())
    return std::nullopt;
  shape.lhs = {contraction.m, contraction.k, {}};
  shape.rhs = {contraction.n, contraction.k, {}};
  shape.result = {contraction.m, contraction.n, {}};
  collectOperand(shape, shape.lhs, &ContractionTerm::lhs, Axis::Rows);
  collectOperand(shape, shape.rhs, &ContractionTerm::rhs, Axis::Columns);
  for (const ContractionSegment &segment : contraction.segments)
    shape.result.parts.push_back(
        {getDestination(op, *segment.product), &segment.terms.front()});
  ArrayRef<unsigned> dims = shape.axis == Axis::Rows      ? contraction.m
                            : shape.axis == Axis::Columns ? contraction.n
                                                          : contraction.k;
  if (!canBeMatrix(shape.lhs, dims) || !canBeMatrix(shape.rhs, dims) ||
      !canBeMatrix(shape.result, dims) || !shape.result.runsAlongColumns()) {
    reason = "arrays lie in memory as no matrices do";
    return std::nullopt;
  }
  reason = matchTypes(shape);
  if (reason.empty())
    reason = matchAddends(contraction, shape);
  // It would have to be unpacked before the product adds to it.
  if (reason.empty() && shape.addend && !shape.result.isMatrix())
    reason = "the result is no matrix in memory, and is added to";
  if (!reason.empty())
    return std::nullopt;
  matchSums(op, contraction, shape);
  return shape;
}

SmallVector<SegmentedContraction, 0> mlir::boostr::cublaslt::splitIntoProducts(
    SegmentedContractionOpInterface op, const SegmentedContraction &contraction,
    StringRef &reason) {
  if (ProductShape::match(op, contraction, reason))
    return {contraction};
  SmallVector<SegmentedContraction, 0> products;
  for (const ContractionSegment &segment : contraction.segments) {
    SegmentedContraction product = contraction;
    product.segments = {segment};
    StringRef otherReason;
    if (!ProductShape::match(op, product, otherReason))
      return {};
    products.push_back(std::move(product));
  }
  return products;
}

bool ProductShape::hasSeparateBias() const {
  return bias && getElementType(*bias).isF64();
}

bool mlir::boostr::cublaslt::hasSums(const SegmentedContraction &contraction) {
  return llvm::any_of(
      contraction.segments,
      [](const ContractionSegment &segment) { return !!segment.lhsSum; });
}

//===----------------------------------------------------------------------===//
// CublasltProduct: the call
//===----------------------------------------------------------------------===//

static Value getAddress(ImplicitLocOpBuilder &b, Value flat,
                        OpFoldResult first) {
  auto metadata = memref::ExtractStridedMetadataOp::create(b, flat);
  Value base = memref::ExtractAlignedPointerAsIndexOp::create(b, flat);
  OpFoldResult offset = metadata.getConstifiedMixedOffset();
  if (first)
    offset = add(b, offset, first);
  int64_t bytes = getElementTypeOrSelf(flat).getIntOrFloatBitWidth() / 8;
  return toValue(b, add(b, base, mul(b, offset, b.getIndexAttr(bytes))));
}

static Value emitCallOf(ImplicitLocOpBuilder &b, Operation *op, StringRef name,
                        ValueRange arguments) {
  FailureOr<LLVM::LLVMFuncOp> callee = LLVM::lookupOrCreateFn(
      b, op->getParentOfType<ModuleOp>(), name,
      llvm::to_vector(arguments.getTypes()), b.getI32Type());
  return LLVM::CallOp::create(b, *callee, arguments).getResult();
}

void CublasltProduct::addNumber(OpFoldResult number) {
  if (!number)
    number = b.getIndexAttr(0);
  if (std::optional<int64_t> known = getConstantIntValue(number)) {
    words.push_back(arith::ConstantIntOp::create(b, b.getI64Type(), *known));
    return;
  }
  words.push_back(
      arith::IndexCastOp::create(b, b.getI64Type(), toValue(b, number)));
}

/// A `boostr_cuda_matrix`.
void CublasltProduct::addMatrix(const std::optional<Matrix> &matrix) {
  if (!matrix) {
    for (int i = 0; i < 4; ++i)
      addNumber({});
    return;
  }
  addNumber(getAddress(b, matrix->flat, matrix->first));
  addNumber(matrix->rowStride);
  addNumber(matrix->columnStride);
  addNumber(matrix->batchStride);
}

void CublasltProduct::addVector(const std::optional<MatrixParts> &vector) {
  if (!vector)
    return addNumber({});
  const ContractionOperand &operand = vector->parts.front().operand;
  StridedArray array =
      StridedArray::get(b, operand.array, operand.rows, operand.map);
  addNumber(getAddress(b, array.flat, {}));
}

/// A `DLDataType`, as the number that its bytes are.
static int64_t getTypeCode(Type type) {
  constexpr int64_t isFloat = 2, isBFloat = 4, lanes = 1;
  return (type.isBF16() ? isBFloat : isFloat) |
         int64_t{type.getIntOrFloatBitWidth()} << 8 | lanes << 16;
}

/// Four fields of 32 bits.
void CublasltProduct::addTypes() {
  int64_t sums = shape.sums ? getTypeCode(getElementType(*shape.sums)) : 0;
  int64_t flags = tile.getPrecision() == F32Precision::Tf32 ? kTf32 : 0;
  if (tile.getGemm() == Gemm::Auto)
    flags |= kOptional;
  addNumber(b.getIndexAttr(getTypeCode(getElementType(shape.lhs)) |
                           getTypeCode(getElementType(shape.result)) << 32));
  addNumber(b.getIndexAttr(sums | flags << 32));
}

Value CublasltProduct::emitCall() {
  Type i64 = b.getI64Type();
  auto pointer = LLVM::LLVMPointerType::get(b.getContext());
  Value memory;
  {
    // In the entry block, so that a loop around takes no more stack.
    OpBuilder::InsertionGuard guard(b);
    auto function = op->getParentOfType<FunctionOpInterface>();
    b.setInsertionPointToStart(&function.getFunctionBody().front());
    Value count =
        LLVM::ConstantOp::create(b, i64, b.getI64IntegerAttr(words.size()));
    memory = LLVM::AllocaOp::create(b, pointer, i64, count, /*alignment=*/8);
  }
  for (auto [number, word] : llvm::enumerate(words)) {
    Value address = LLVM::GEPOp::create(
        b, pointer, i64, memory,
        ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(number)});
    LLVM::StoreOp::create(b, word, address);
  }
  words.clear();
  return emitCallOf(b, op, "boostr_cuda_multiply", memory);
}

//===----------------------------------------------------------------------===//
// CublasltProduct: one product for all
//===----------------------------------------------------------------------===//

Matrix CublasltProduct::getOperand(const MatrixParts &parts) {
  return parts.isMatrix() ? getMatrix(b, parts)
                          : packed.pack(contraction, parts);
}

/// The extent of the product along `dims`: those of all terms, if they are told
/// apart along it.
OpFoldResult CublasltProduct::getExtent(ArrayRef<unsigned> dims, Axis axis) {
  OpFoldResult sum = b.getIndexAttr(0);
  for (const ContractionTerm *term : shape.terms) {
    SmallVector<OpFoldResult> extents = getExtentsOf(term);
    OpFoldResult product = b.getIndexAttr(1);
    for (unsigned dim : dims)
      product = mul(b, product, extents[dim]);
    sum = add(b, sum, product);
    if (shape.axis != axis)
      break;
  }
  return sum;
}

Value CublasltProduct::emitPacked() {
  Matrix lhs = getOperand(shape.lhs), rhs = getOperand(shape.rhs);
  bool isInPlace = shape.result.isMatrix();
  Matrix result = isInPlace ? getMatrix(b, shape.result)
                            : packed.allocate(contraction, shape.result);
  std::optional<Matrix> addend;
  if (shape.addend)
    addend = getMatrix(b, *shape.addend);
  addNumber(getExtent(contraction.m, Axis::Rows));
  addNumber(getExtent(contraction.n, Axis::Columns));
  addNumber(getExtent(contraction.k, Axis::Steps));
  addNumber(b.getIndexAttr(1));
  addMatrix(lhs);
  addMatrix(rhs);
  addMatrix(result);
  addMatrix(addend);
  bool addsBias = shape.hasSeparateBias();
  addVector(addsBias ? std::nullopt : shape.bias);
  addNumber({});
  addVector(shape.sums);
  addTypes();
  Value done = emitCall();
  if (isInPlace && !addsBias)
    return done;
  Value zero = arith::ConstantIntOp::create(b, done.getType(), 0);
  Value isDone = arith::CmpIOp::create(b, arith::CmpIPredicate::ne, done, zero);
  auto branch = scf::IfOp::create(b, isDone, /*withElseRegion=*/false);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(branch.thenBlock()->getTerminator());
  if (addsBias)
    addBias(result);
  if (!isInPlace)
    packed.unpack(contraction, shape.result, result);
  return done;
}

/// A kernel that adds the bias to each row of the result.
void CublasltProduct::addBias(const Matrix &result) {
  const ContractionOperand &operand = shape.bias->parts.front().operand;
  Value bias =
      StridedArray::get(b, operand.array, operand.rows, operand.map).flat;
  SmallVector<Value> lower(2, constant(b, 0)), step(2, constant(b, 1));
  SmallVector<Value> upper = {
      toValue(b, getExtent(contraction.m, Axis::Rows)),
      toValue(b, getExtent(contraction.n, Axis::Columns))};
  auto loop = scf::ParallelOp::create(b, lower, upper, step);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  Value row = loop.getInductionVars()[0], column = loop.getInductionVars()[1];
  Value place =
      toValue(b, add(b, mul(b, row, result.rowStride), OpFoldResult(column)));
  Value product = memref::LoadOp::create(b, result.flat, place);
  Value addend = memref::LoadOp::create(b, bias, column);
  Value sum = arith::AddFOp::create(b, product, addend);
  memref::StoreOp::create(b, sum, result.flat, place);
}

//===----------------------------------------------------------------------===//
// CublasltProduct: products of their own for batch and head
//===----------------------------------------------------------------------===//

// Where docs/gpu-benchmark.md has such products ahead of one product and a pass
// that splits heads: heads of 128 without bias, from 2048 tokens on.
static constexpr int64_t kBatchedHeadDim = 128, kBatchedTokens = 1024;

Value CublasltProduct::checkBatched() {
  if (shape.axis != Axis::Columns || shape.result.isMatrix() || shape.bias ||
      shape.addend || shape.sums || contraction.m.size() != 2 ||
      contraction.n.size() != 2 || !shape.lhs.isMatrix() ||
      !shape.rhs.isMatrix())
    return {};
  SmallVector<OpFoldResult> extents = getExtentsOf(shape.terms.front());
  std::optional<int64_t> headDim =
      getConstantIntValue(extents[contraction.n[1]]);
  OpFoldResult tokens = extents[contraction.m[1]];
  std::optional<int64_t> numTokens = getConstantIntValue(tokens);
  if (!headDim || *headDim % kBatchedHeadDim != 0 ||
      (numTokens && *numTokens < kBatchedTokens))
    return {};
  return arith::CmpIOp::create(b, arith::CmpIPredicate::uge, toValue(b, tokens),
                               constant(b, kBatchedTokens));
}

/// Those of the heads of a segment, for index `outer` of the batch.
Value CublasltProduct::emitBatched(size_t segment, Value outer) {
  const ContractionTerm *term = shape.terms[segment];
  SmallVector<OpFoldResult> extents = getExtentsOf(term);
  unsigned batch = contraction.m[0], token = contraction.m[1],
           head = contraction.n[0], column = contraction.n[1],
           step = contraction.k.back();
  auto getArray = [&](const ContractionOperand &operand) {
    return StridedArray::get(b, operand.array, operand.rows, operand.map);
  };
  StridedArray lhs = getArray(term->lhs), rhs = getArray(term->rhs),
               result = getArray(shape.result.parts[segment].operand);
  addNumber(extents[token]);
  addNumber(extents[column]);
  addNumber(getExtent(contraction.k, Axis::Steps));
  addNumber(extents[head]);
  addMatrix(Matrix{lhs.flat, lhs.strides[token], lhs.strides[step],
                   mul(b, outer, lhs.strides[batch]), b.getIndexAttr(0)});
  addMatrix(Matrix{
      rhs.flat, rhs.strides[column], rhs.strides[step], {}, rhs.strides[head]});
  addMatrix(Matrix{result.flat, result.strides[token], result.strides[column],
                   mul(b, outer, result.strides[batch]), result.strides[head]});
  addMatrix(std::nullopt);
  for (int i = 0; i < 3; ++i)
    addNumber({});
  addTypes();
  return emitCall();
}

Value CublasltProduct::emitBatched() {
  SmallVector<OpFoldResult> extents = getExtentsOf(shape.terms.front());
  Value all = arith::ConstantIntOp::create(b, b.getI32Type(), 1);
  auto loop = scf::ForOp::create(b, constant(b, 0),
                                 toValue(b, extents[contraction.m[0]]),
                                 constant(b, 1), all);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  Value done = loop.getRegionIterArgs().front();
  for (size_t segment = 0; segment < shape.terms.size(); ++segment)
    done = arith::MinSIOp::create(b, done,
                                  emitBatched(segment, loop.getInductionVar()));
  scf::YieldOp::create(b, done);
  return loop.getResult(0);
}

Value CublasltProduct::emit() {
  Value isBatched = checkBatched();
  if (!isBatched)
    return emitPacked();
  auto branch = scf::IfOp::create(b, TypeRange{b.getI32Type()}, isBatched,
                                  /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(branch.thenBlock());
  scf::YieldOp::create(b, emitBatched());
  b.setInsertionPointToStart(branch.elseBlock());
  scf::YieldOp::create(b, emitPacked());
  return branch.getResult(0);
}

Value mlir::boostr::cublaslt::emitHasLibrary(ImplicitLocOpBuilder &b,
                                             Operation *op) {
  Value has = emitCallOf(b, op, "boostr_cuda_has_cublaslt", {});
  return arith::TruncIOp::create(b, b.getI1Type(), has);
}
