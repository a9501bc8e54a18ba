// RUN: boostr-opt %s --boostr-differentiate | FileCheck %s

// The callee's VJP is private, made once for the gradients that are needed, and
// computes forward again. The forward call whose result nobody reads is erased.

// CHECK-LABEL: func.func private @square(
// CHECK-LABEL: func.func private @square_vjp(
// CHECK-SAME: %[[X:.*]]: tensor<4xf32>, %[[DY:.*]]: tensor<4xf32>) -> tensor<4xf32>
// CHECK-NOT: func.func private @square_vjp
func.func private @square(%x: tensor<4xf32>) -> tensor<4xf32> {
  %y = arith.mulf %x, %x : tensor<4xf32>
  return %y : tensor<4xf32>
}

// CHECK-LABEL: func.func @fourth_power_vjp(
// CHECK-SAME: %[[X:.*]]: tensor<4xf32>, %[[DY:.*]]: tensor<4xf32>)
// CHECK: %[[S:.*]] = call @square(%[[X]])
// CHECK-NOT: call @square(
// CHECK: %[[DS:.*]] = call @square_vjp(%[[S]], %[[DY]])
// CHECK: %[[DX:.*]] = call @square_vjp(%[[X]], %[[DS]])
// CHECK: return %[[DX]]
func.func @fourth_power(%x: tensor<4xf32>) -> tensor<4xf32>
    attributes {boostr.differentiate} {
  %s = call @square(%x) : (tensor<4xf32>) -> tensor<4xf32>
  %y = call @square(%s) : (tensor<4xf32>) -> tensor<4xf32>
  return %y : tensor<4xf32>
}

// Each set of gradients makes a function: first that of input and weight, then
// that of the weight alone. A cotangent that is zero is no argument.

// CHECK-LABEL: func.func @layer(
// CHECK-DAG: func.func private @layer_vjp({{.*}}: f32, {{.*}}: f32, {{.*}}: f32) -> (f32, f32)
// CHECK-DAG: func.func private @layer_vjp_0({{.*}}: f32, {{.*}}: f32, {{.*}}: f32) -> f32
func.func @layer(%x: f32, %w: f32) -> (f32, f32) {
  %y = arith.mulf %x, %w : f32
  return %y, %x : f32, f32
}

// CHECK-LABEL: func.func @two_layers_vjp(
// CHECK-SAME: %[[X:.*]]: f32, %[[W:.*]]: f32, %[[DY:.*]]: f32) -> f32
// CHECK: %[[H:.*]]:2 = call @layer(%[[X]], %[[W]])
// CHECK: %[[D:.*]]:2 = call @layer_vjp(%[[H]]#0, %[[W]], %[[DY]])
// CHECK: %[[DW:.*]] = call @layer_vjp_0(%[[X]], %[[W]], %[[D]]#0)
// CHECK: %[[SUM:.*]] = arith.addf %[[D]]#1, %[[DW]]
// CHECK: return %[[SUM]]
func.func @two_layers(%x: f32, %w: f32) -> f32
    attributes {boostr.differentiate = array<i64: 1>} {
  %h:2 = call @layer(%x, %w) : (f32, f32) -> (f32, f32)
  %y:2 = call @layer(%h#0, %w) : (f32, f32) -> (f32, f32)
  return %y#0 : f32
}

// A function that is differentiated by itself and called shares the one VJP,
// which keeps its name and visibility.

// CHECK-LABEL: func.func @caller_vjp(
// CHECK: call @shared_vjp(
func.func @caller(%x: f32) -> f32 attributes {boostr.differentiate} {
  %y = call @shared(%x) : (f32) -> f32
  return %y : f32
}
// CHECK: func.func @shared(
// CHECK: func.func @shared_vjp(
// CHECK-NOT: shared_vjp_
func.func @shared(%x: f32) -> f32 attributes {boostr.differentiate} {
  %y = math.exp %x : f32
  return %y : f32
}

// Nothing is asked of a callee that does not lie on the way: it may be external.

func.func private @external(tensor<4xf32>) -> tensor<4xf32>

// CHECK-LABEL: func.func @constant_call_vjp(
// CHECK-SAME: %[[X:.*]]: tensor<4xf32>, %[[C:.*]]: tensor<4xf32>, %[[DY:.*]]: tensor<4xf32>)
// CHECK: %[[K:.*]] = call @external(%[[C]])
// CHECK: linalg.generic {{.*}} ins(%[[K]], %[[DY]] :
func.func @constant_call(%x: tensor<4xf32>, %c: tensor<4xf32>) -> tensor<4xf32>
    attributes {boostr.differentiate = array<i64: 0>} {
  %k = call @external(%c) : (tensor<4xf32>) -> tensor<4xf32>
  %y = arith.mulf %x, %k : tensor<4xf32>
  return %y : tensor<4xf32>
}
