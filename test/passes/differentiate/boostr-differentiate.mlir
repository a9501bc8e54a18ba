// RUN: boostr-opt %s --boostr-differentiate | FileCheck %s

// Arguments, then a cotangent; a gradient for each float argument. What only the
// result needs is erased. The mark is removed.

// CHECK-LABEL: func.func @product(
// CHECK-NOT: boostr.differentiate
// CHECK-LABEL: func.func @product_vjp(
// CHECK-SAME: %[[X:.*]]: tensor<4xf32>, %[[W:.*]]: tensor<4xf32>, %[[DY:.*]]: tensor<4xf32>)
// CHECK-SAME: -> (tensor<4xf32>, tensor<4xf32>)
// CHECK-NOT: arith.mulf %[[X]], %[[W]]
// CHECK: %[[DX:.*]] = linalg.generic {{.*}} ins(%[[W]], %[[DY]] :
// CHECK: %[[DW:.*]] = linalg.generic {{.*}} ins(%[[X]], %[[DY]] :
// CHECK: return %[[DX]], %[[DW]]
func.func @product(%x: tensor<4xf32>, %w: tensor<4xf32>) -> tensor<4xf32>
    attributes {boostr.differentiate} {
  %y = arith.mulf %x, %w : tensor<4xf32>
  return %y : tensor<4xf32>
}

// Only the gradients that the mark numbers: one multiplication, not two.

// CHECK-LABEL: func.func @marked_vjp(
// CHECK-SAME: %[[X:.*]]: tensor<4xf32>, %{{.*}}: tensor<4xf32>, %[[DY:.*]]: tensor<4xf32>)
// CHECK-SAME: -> tensor<4xf32>
// CHECK: %[[DW:.*]] = linalg.generic {{.*}} ins(%[[X]], %[[DY]] :
// CHECK-NOT: linalg.generic
// CHECK: return %[[DW]] :
func.func @marked(%x: tensor<4xf32>, %w: tensor<4xf32>) -> tensor<4xf32>
    attributes {boostr.differentiate = array<i64: 1>} {
  %y = arith.mulf %x, %w : tensor<4xf32>
  return %y : tensor<4xf32>
}

// Arguments and results of other types have no gradient and no cotangent.

// CHECK-LABEL: func.func @other_types_vjp(
// CHECK-SAME: %[[I:.*]]: tensor<4xi32>, %[[X:.*]]: tensor<4xf32>, %[[N:.*]]: index, %[[DY:.*]]: tensor<4xf32>)
// CHECK-SAME: -> tensor<4xf32>
// CHECK: return %[[DY]] : tensor<4xf32>
func.func @other_types(%i: tensor<4xi32>, %x: tensor<4xf32>, %n: index)
    -> (tensor<4xi32>, tensor<4xf32>, index) attributes {boostr.differentiate} {
  return %i, %x, %n : tensor<4xi32>, tensor<4xf32>, index
}

// An argument returned twice: its cotangents add.

// CHECK-LABEL: func.func @returned_twice_vjp(
// CHECK-SAME: %[[X:.*]]: tensor<4xf32>, %[[D0:.*]]: tensor<4xf32>, %[[D1:.*]]: tensor<4xf32>)
// CHECK: %[[EMPTY:.*]] = tensor.empty() : tensor<4xf32>
// CHECK: %[[SUM:.*]] = linalg.add ins(%[[D0]], %[[D1]] : {{.*}}) outs(%[[EMPTY]]
// CHECK: return %[[SUM]]
func.func @returned_twice(%x: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>)
    attributes {boostr.differentiate} {
  return %x, %x : tensor<4xf32>, tensor<4xf32>
}

// A value used twice: -dy once and -dy again.

// CHECK-LABEL: func.func @used_twice_vjp(
// CHECK-SAME: %[[X:.*]]: tensor<?xbf16>, %[[DY:.*]]: tensor<?xbf16>)
// CHECK: %[[A:.*]] = linalg.generic {{.*}} ins(%[[DY]] : tensor<?xbf16>)
// CHECK: arith.negf
// CHECK: %[[DIM:.*]] = tensor.dim %[[X]],
// CHECK: %[[EMPTY:.*]] = tensor.empty(%[[DIM]]) : tensor<?xbf16>
// CHECK: %[[SUM:.*]] = linalg.add ins(%[[DY]], %[[A]] : {{.*}}) outs(%[[EMPTY]]
// CHECK: return %[[SUM]]
func.func @used_twice(%x: tensor<?xbf16>) -> tensor<?xbf16>
    attributes {boostr.differentiate} {
  %y = arith.subf %x, %x : tensor<?xbf16>
  return %y : tensor<?xbf16>
}

// An argument that no result depends on has zeros of its own shape.

// CHECK-LABEL: func.func @unused_vjp(
// CHECK-SAME: %{{.*}}: tensor<4xf32>, %[[U:.*]]: tensor<?x3xf16>, %[[S:.*]]: f64, %[[DY:.*]]: tensor<4xf32>)
// CHECK: %[[ZERO:.*]] = arith.constant 0.000000e+00 : f16
// CHECK: %[[DIM:.*]] = tensor.dim %[[U]],
// CHECK: %[[EMPTY:.*]] = tensor.empty(%[[DIM]]) : tensor<?x3xf16>
// CHECK: %[[FILL:.*]] = linalg.fill ins(%[[ZERO]] : f16) outs(%[[EMPTY]]
// CHECK: %[[SCALAR:.*]] = arith.constant 0.000000e+00 : f64
// CHECK: return %[[DY]], %[[FILL]], %[[SCALAR]]
func.func @unused(%x: tensor<4xf32>, %u: tensor<?x3xf16>, %s: f64) -> tensor<4xf32>
    attributes {boostr.differentiate} {
  return %x : tensor<4xf32>
}

// Only what lies between the wanted argument and a result is differentiated: the
// op without a rule does not depend on it, the other reaches no result.

// CHECK-LABEL: func.func @only_active_vjp(
// CHECK-SAME: %[[X:.*]]: tensor<4xf32>, %[[C:.*]]: tensor<4xf32>, %[[DY:.*]]: tensor<4xf32>)
// CHECK: %[[K:.*]] = math.atan2 %[[C]], %[[C]]
// CHECK-NOT: math.atan2
// CHECK: %[[DX:.*]] = linalg.generic {{.*}} ins(%[[K]], %[[DY]] :
// CHECK-NOT: linalg.generic
// CHECK: return %[[DX]]
func.func @only_active(%x: tensor<4xf32>, %c: tensor<4xf32>) -> tensor<4xf32>
    attributes {boostr.differentiate = array<i64: 0>} {
  %k = math.atan2 %c, %c : tensor<4xf32>
  %dead = math.atan2 %x, %x : tensor<4xf32>
  %y = arith.mulf %x, %k : tensor<4xf32>
  return %y : tensor<4xf32>
}

// The shape of a zero is taken from where it comes from: asking for it keeps no
// op alive.

// CHECK-LABEL: func.func @shape_only_vjp(
// CHECK-SAME: %[[X:.*]]: tensor<?xf32>,
// CHECK-NOT: math.exp
// CHECK-NOT: arith.addf
// CHECK: tensor.dim %[[X]]
// CHECK: linalg.fill
// CHECK: return
func.func @shape_only(%x: tensor<?xf32>) -> tensor<?xf32>
    attributes {boostr.differentiate} {
  %a = arith.addf %x, %x : tensor<?xf32>
  %e = math.exp %a {boostr.stop_gradient} : tensor<?xf32>
  return %e : tensor<?xf32>
}

// An op with boostr.stop_gradient is a constant: dx = dy * k, nothing more.

// CHECK-LABEL: func.func @stop_gradient_vjp(
// CHECK-SAME: %[[X:.*]]: tensor<4xf32>, %[[DY:.*]]: tensor<4xf32>)
// CHECK: %[[K:.*]] = math.exp %[[X]]
// CHECK: %[[DX:.*]] = linalg.generic {{.*}} ins(%[[K]], %[[DY]] :
// CHECK-NOT: linalg.generic
// CHECK: return %[[DX]]
func.func @stop_gradient(%x: tensor<4xf32>) -> tensor<4xf32>
    attributes {boostr.differentiate} {
  %k = math.exp %x {boostr.stop_gradient} : tensor<4xf32>
  %y = arith.mulf %x, %k : tensor<4xf32>
  return %y : tensor<4xf32>
}

// Scalars are differentiated as they are.

// CHECK-LABEL: func.func @scalars_vjp(
// CHECK-SAME: %[[A:.*]]: f32, %[[B:.*]]: f32, %[[DY:.*]]: f32) -> (f32, f32)
// CHECK: %[[DP:.*]] = arith.negf %[[DY]]
// CHECK: %[[DA:.*]] = arith.mulf %[[DP]], %[[B]]
// CHECK: %[[DB:.*]] = arith.mulf %[[DP]], %[[A]]
// CHECK: %[[SUM:.*]] = arith.addf %[[DY]], %[[DB]]
// CHECK: return %[[DA]], %[[SUM]]
func.func @scalars(%a: f32, %b: f32) -> f32 attributes {boostr.differentiate} {
  %p = arith.mulf %a, %b : f32
  %y = arith.subf %b, %p : f32
  return %y : f32
}

// The name of the new function, its place, visibility and attributes.

// CHECK-LABEL: func.func private @attributes(
// CHECK-NEXT: return
// CHECK-NEXT: }
// CHECK-NEXT: func.func private @attributes_vjp(
// CHECK-SAME: %{{.*}}: f32 {test.arg}, %{{.*}}: f32) -> f32
// CHECK-SAME: attributes {test.function}
func.func private @attributes(%x: f32 {test.arg}) -> f32
    attributes {boostr.differentiate, test.function} {
  return %x : f32
}

// Functions without a mark stay alone.

// CHECK-LABEL: func.func @not_marked(
// CHECK-NOT: @not_marked_vjp
func.func @not_marked(%x: f32) -> f32 {
  return %x : f32
}
