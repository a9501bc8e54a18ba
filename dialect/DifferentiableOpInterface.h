// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The differentiation interface, and what its implementations share.

#ifndef BOOSTR_DIALECT_DIFFERENTIABLEOPINTERFACE_H
#define BOOSTR_DIALECT_DIFFERENTIABLEOPINTERFACE_H

#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/OpDefinition.h"
#include "llvm/ADT/BitVector.h"

#include "boostr/dialect/DifferentiableOpInterface.h.inc"

namespace mlir::boostr {

/// True for what has a gradient: a scalar, or a ranked tensor of elements, of
/// type f64, f32, f16 or bf16.
bool isDifferentiableType(Type type);

/// True for what carries real numbers without having a gradient here, as f8,
/// complex numbers, vectors and buffers: a value of such a type on the way from
/// an argument to a result would lose the derivative without a word.
bool carriesOtherReals(Type type);

/// The extent of dimension `index` of `tensor`, of index type. It is taken from
/// what the tensor was made of where that can be seen, so that asking for a
/// shape keeps no computation alive.
Value createExtent(OpBuilder &builder, Location loc, Value tensor,
                   int64_t index);

/// The extents of the dynamic dimensions of `tensor`, in order, as
/// `tensor.empty` wants them.
SmallVector<Value> createDynamicExtents(OpBuilder &builder, Location loc,
                                        Value tensor);

/// An uninitialized tensor of the shape of `like`, with elements of type
/// `elementType`.
Value createEmptyLike(OpBuilder &builder, Location loc, Value like,
                      Type elementType);

/// A zero of the type and shape of `like`, whose type is differentiable. With
/// `elementType`, the zero has elements of that type.
Value createZeroLike(OpBuilder &builder, Location loc, Value like,
                     Type elementType = {});

} // namespace mlir::boostr

#endif // BOOSTR_DIALECT_DIFFERENTIABLEOPINTERFACE_H
