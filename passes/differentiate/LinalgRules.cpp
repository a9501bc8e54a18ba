// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// linalg: all structured ops share one rule, see StructuredVjp.h.

#include "boostr/dialect/DifferentiableOpInterface.h"
#include "boostr/passes/differentiate/ExternalModels.h"
#include "boostr/passes/differentiate/ScalarFormula.h"
#include "boostr/passes/differentiate/StructuredVjp.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/IR/DialectRegistry.h"

using namespace mlir;
using namespace mlir::boostr;

namespace {

template <typename OpTy>
struct StructuredOpModel
    : DifferentiableOpInterface::ExternalModel<StructuredOpModel<OpTy>, OpTy> {
  LogicalResult vjp(Operation *op, OpBuilder &builder,
                    ArrayRef<Value> cotangents, const llvm::BitVector &needed,
                    SmallVectorImpl<Value> &gradients) const {
    auto structured = cast<linalg::LinalgOp>(op);
    StructuredFunction function;
    function.op = op;
    function.numDims = structured.getNumLoops();
    function.body = structured.getBlock();
    function.inputs = op->getOperands();
    function.inputMaps = structured.getIndexingMapsArray();
    function.results = op->getResults();
    function.firstInit = structured.getNumDpsInputs();
    function.resultMaps = llvm::to_vector(
        ArrayRef(function.inputMaps).drop_front(function.firstInit));
    return differentiateStructured(builder, function, cotangents, needed,
                                   gradients);
  }
};

/// `y = exp(x) / sum exp(x)` along one dimension:
/// `dx = y * (dy - sum(y * dy))`, the sum in the wide type.
struct SoftmaxModel
    : DifferentiableOpInterface::ExternalModel<SoftmaxModel,
                                               linalg::SoftmaxOp> {
  LogicalResult vjp(Operation *op, OpBuilder &builder,
                    ArrayRef<Value> cotangents, const llvm::BitVector &needed,
                    SmallVectorImpl<Value> &gradients) const {
    auto softmax = cast<linalg::SoftmaxOp>(op);
    // The init is overwritten.
    if (!needed.test(0))
      return success();
    Location loc = op->getLoc();
    Value y = op->getResult(0), dy = cotangents[0];
    int64_t dim = softmax.getDimension();
    auto type = cast<RankedTensorType>(y.getType());
    Type wide = getWideType(type.getElementType());
    AffineMap all = builder.getMultiDimIdentityMap(type.getRank());
    AffineMap rows = all.dropResult(dim);

    SmallVector<utils::IteratorType> iterators(type.getRank(),
                                               utils::IteratorType::parallel);
    Value empty = createEmptyLike(builder, loc, y, type.getElementType());
    iterators[dim] = utils::IteratorType::reduction;
    Value sum = createRowZero(builder, loc, y, dim, wide);
    sum = linalg::GenericOp::create(
              builder, loc, sum.getType(), ValueRange{dy, y}, sum,
              {all, all, rows}, iterators,
              [&](OpBuilder &nested, Location loc, ValueRange args) {
                ScalarFormula formula(nested, loc);
                Value product =
                    formula.mul(convertFloat(nested, loc, args[0], wide),
                                convertFloat(nested, loc, args[1], wide));
                linalg::YieldOp::create(nested, loc,
                                        formula.add(args[2], product));
              })
              .getResult(0);
    iterators[dim] = utils::IteratorType::parallel;
    gradients[0] =
        linalg::GenericOp::create(
            builder, loc, empty.getType(), ValueRange{dy, y, sum}, empty,
            {all, all, rows, all}, iterators,
            [&](OpBuilder &nested, Location loc, ValueRange args) {
              ScalarFormula formula(nested, loc);
              Value slope = formula.sub(
                  convertFloat(nested, loc, args[0], wide), args[2]);
              Value gradient =
                  formula.mul(slope, convertFloat(nested, loc, args[1], wide));
              linalg::YieldOp::create(
                  nested, loc,
                  convertFloat(nested, loc, gradient, type.getElementType()));
            })
            .getResult(0);
    return success();
  }

private:
  /// A zero of the shape of `like` without dimension `dim`.
  static Value createRowZero(OpBuilder &builder, Location loc, Value like,
                             int64_t dim, Type elementType) {
    auto type = cast<RankedTensorType>(like.getType());
    SmallVector<int64_t> shape = llvm::to_vector(type.getShape());
    shape.erase(shape.begin() + dim);
    SmallVector<Value> extents;
    for (int64_t index = 0; index < type.getRank(); ++index)
      if (index != dim && type.isDynamicDim(index))
        extents.push_back(createExtent(builder, loc, like, index));
    Value empty =
        tensor::EmptyOp::create(builder, loc, shape, elementType, extents);
    return createZeroLike(builder, loc, empty);
  }
};

} // namespace

template <typename... OpTys>
static void attachStructured(MLIRContext *context) {
  (OpTys::template attachInterface<StructuredOpModel<OpTys>>(*context), ...);
}

void mlir::boostr::registerLinalgDifferentiation(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *context, linalg::LinalgDialect *) {
    using namespace linalg;
    attachStructured<GenericOp, MapOp, ReduceOp, TransposeOp, BroadcastOp,
                     CopyOp, FillOp, ElementwiseOp>(context);
    attachStructured<MatmulOp, BatchMatmulOp, BatchReduceMatmulOp, ContractOp,
                     MatvecOp, VecmatOp, BatchMatvecOp, BatchVecmatOp, DotOp,
                     Mmt4DOp, BatchMmt4DOp>(context);
    attachStructured<AddOp, SubOp, MulOp, DivOp, MaxOp, MinOp, PowFOp,
                     SelectOp>(context);
    attachStructured<ExpOp, LogOp, AbsOp, CeilOp, FloorOp, RoundOp, NegFOp,
                     ReciprocalOp, SqrtOp, RsqrtOp, SquareOp, TanhOp, ErfOp>(
        context);
    SoftmaxOp::attachInterface<SoftmaxModel>(*context);
  });
}
