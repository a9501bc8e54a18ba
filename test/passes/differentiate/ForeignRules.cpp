// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A compiler that brings differentiation rules of its own: what a dialect does
// that implements DifferentiableOpInterface through external models. Used by
// foreign-rules.mlir.

#include "boostr/dialect/DifferentiableOpInterface.h"
#include "boostr/passes/Register.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"

using namespace mlir;

namespace {

/// y = cbrt(x), on scalars: dx = dy / (3 y^2).
struct CbrtModel
    : boostr::DifferentiableOpInterface::ExternalModel<CbrtModel,
                                                       math::CbrtOp> {
  LogicalResult vjp(Operation *op, OpBuilder &builder,
                    ArrayRef<Value> cotangents, const llvm::BitVector &needed,
                    SmallVectorImpl<Value> &gradients) const {
    Value y = op->getResult(0);
    if (!isa<FloatType>(y.getType()))
      return op->emitOpError("has a differentiation rule for scalars only");
    Location loc = op->getLoc();
    Value three = arith::ConstantOp::create(builder, loc,
                                            FloatAttr::get(y.getType(), 3.0));
    Value square = arith::MulFOp::create(builder, loc, y, y);
    Value slope = arith::MulFOp::create(builder, loc, three, square);
    gradients[0] = arith::DivFOp::create(builder, loc, cotangents[0], slope);
    return success();
  }
};

/// A rule that breaks the contract: the gradient has another type.
struct FaultyModel
    : boostr::DifferentiableOpInterface::ExternalModel<FaultyModel,
                                                       math::Atan2Op> {
  LogicalResult vjp(Operation *op, OpBuilder &builder,
                    ArrayRef<Value> cotangents, const llvm::BitVector &needed,
                    SmallVectorImpl<Value> &gradients) const {
    gradients[0] = arith::ConstantIndexOp::create(builder, op->getLoc(), 0);
    return success();
  }
};

} // namespace

int main(int argc, char **argv) {
  DialectRegistry registry;
  registry.insert<arith::ArithDialect, func::FuncDialect, linalg::LinalgDialect,
                  math::MathDialect, tensor::TensorDialect>();
  boostr::registerDialects(registry);
  boostr::registerPassesAndPipelines();
  registry.addExtension(+[](MLIRContext *context, math::MathDialect *) {
    math::CbrtOp::attachInterface<CbrtModel>(*context);
    math::Atan2Op::attachInterface<FaultyModel>(*context);
  });
  return asMainReturnCode(
      MlirOptMain(argc, argv, "host with its own rules\n", registry));
}
