// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Checks of shapes and element types that verifiers share. Messages have one
// form: 'weight' expected [6144, 4096], got [6144, 4095].

#ifndef BOOSTR_DIALECT_SHAPECHECK_H
#define BOOSTR_DIALECT_SHAPECHECK_H

#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Diagnostics.h"
#include "llvm/ADT/STLFunctionalExtras.h"

namespace mlir::boostr {

/// Starts a diagnostic; lets verifiers (which have an op) and type inference
/// (which has at most a location) share the checks.
using EmitError = llvm::function_ref<InFlightDiagnostic()>;

/// `[6144, ?]`
std::string formatShape(ArrayRef<int64_t> shape);

/// The first static extent, or dynamic if there is none. Extents that must be
/// equal are merged so that each operand is checked against all that is known.
int64_t mergeExtents(ArrayRef<int64_t> extents);

/// Dimension `index` of `type`, or dynamic where `type` is null or not of the
/// `rank` that it should have (which another check reports): dimensions of a
/// type of another rank mean something else.
int64_t getExtent(Type type, unsigned index, int64_t rank);

/// Fails unless `type` has the rank of `expected` and its static extents agree.
LogicalResult expectShape(EmitError emitError, StringRef name, Type type,
                          ArrayRef<int64_t> expected);

/// Fails unless the elements of `type` are of type `expected`.
LogicalResult expectElementType(EmitError emitError, StringRef name, Type type,
                                Type expected);

/// As above, or f32 where `expected` is f16 or bf16.
LogicalResult expectAccumulatorElementType(EmitError emitError, StringRef name,
                                           Type type, Type expected);

} // namespace mlir::boostr

#endif // BOOSTR_DIALECT_SHAPECHECK_H
