// Part of boostr-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef BOOSTR_DIALECT_BOOSTROPS_H
#define BOOSTR_DIALECT_BOOSTROPS_H

#include "boostr/dialect/BoostrAttrs.h"
#include "boostr/dialect/BoostrDialect.h"
#include "boostr/dialect/DifferentiableOpInterface.h"
#include "boostr/dialect/SegmentedContraction.h"
#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/Dialect/Bufferization/IR/BufferizableOpInterface.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "mlir/Interfaces/TilingInterface.h"
#include "mlir/Interfaces/ViewLikeInterface.h"

#define GET_OP_CLASSES
#include "boostr/dialect/BoostrOps.h.inc"

#endif // BOOSTR_DIALECT_BOOSTROPS_H
