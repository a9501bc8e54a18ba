// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The interface through which `boostr-differentiate` asks an op for its
// gradient. Other dialects implement it directly or as an external model.

#ifndef BOOSTR_DIALECT_DIFFERENTIABLEOPINTERFACE_TD
#define BOOSTR_DIALECT_DIFFERENTIABLEOPINTERFACE_TD

include "mlir/IR/OpBase.td"

def DifferentiableOpInterface : OpInterface<"DifferentiableOpInterface"> {
  let cppNamespace = "::mlir::boostr";
  let description = [{
    An op that knows its vector-Jacobian product. For `y = f(x)` and a
    cotangent `dy`, the derivative of some scalar L by `y`, the gradient of an
    operand is `dx = (df/dx)^T dy`, the derivative of L by that operand.

    The interface is the contract between `boostr-differentiate` and any
    dialect: the pass never looks at an op's name, but for `func.call`, whose
    rule needs a function that only a module pass may create.

    What counts as differentiable is a scalar, or a ranked tensor of elements,
    of type f64, f32, f16 or bf16 (see `isDifferentiableType`). Operands and
    results of any other type are constants to the derivative. An op with no
    differentiable operand needs no rule.
  }];
  let methods = [InterfaceMethod<
    [{
      Builds the gradients of the operands at the insertion point of `builder`.

      * `cotangents` holds one value for each result, of the result's type, or
        null, which stands for zero. At least one is not null.
      * `needed` has one bit for each operand. Only those gradients are used;
        a rule computes no other. At least one bit is set, and bits are set for
        differentiable operands only.
      * `gradients` comes in with one null value for each operand. The rule sets
        those that are needed to values of the operand's type; one left null
        means zero. A value may be handed on as it is: the gradient of a residual
        is the cotangent itself.

      A rule may use the op's operands and results, all of which dominate the
      insertion point, and must not change the op. It may create any op of the
      dialects that the op's dialect, `arith`, `math`, `tensor` and `linalg`
      load. Operands are independent: an op which has the same value twice gets
      two gradients, and the pass adds them. Products of f16 or bf16 values that
      are summed should be summed in f32 and rounded once.

      Where there is no gradient (a variant that the rule does not cover), the
      rule emits an error at the op and fails.
    }],
    "::llvm::LogicalResult", "vjp",
    (ins "::mlir::OpBuilder &":$builder,
         "::llvm::ArrayRef<::mlir::Value>":$cotangents,
         "const ::llvm::BitVector &":$needed,
         "::llvm::SmallVectorImpl<::mlir::Value> &":$gradients)>];
}

#endif // BOOSTR_DIALECT_DIFFERENTIABLEOPINTERFACE_TD
