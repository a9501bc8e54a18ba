// RUN: boostr-test-foreign-rules %s --boostr-differentiate -split-input-file -verify-diagnostics | FileCheck %s

// Rules that a host brings along (ForeignRules.cpp) count for its ops like ours.

// CHECK-LABEL: func.func @scalar_vjp(
// CHECK-SAME: %[[X:.*]]: f32, %[[DY:.*]]: f32)
// CHECK: %[[Y:.*]] = math.cbrt %[[X]]
// CHECK: %[[Y2:.*]] = arith.mulf %[[Y]], %[[Y]]
// CHECK: %[[SLOPE:.*]] = arith.mulf %{{.*}}, %[[Y2]]
// CHECK: arith.divf %[[DY]], %[[SLOPE]]
func.func @scalar(%x: f32) -> f32 attributes {boostr.differentiate} {
  %y = math.cbrt %x : f32
  return %y : f32
}

// -----

// In the body of a linalg op, between rules of ours, in the op's own type.

// CHECK-LABEL: func.func @body_vjp(
// CHECK: ^bb0(%[[X:.*]]: bf16, %[[DY:.*]]: bf16, %{{.*}}: bf16):
// CHECK: math.exp %[[X]]
// CHECK: %[[Y:.*]] = math.cbrt %{{.*}} : bf16
// CHECK: %[[Y2:.*]] = arith.mulf %[[Y]], %[[Y]] : bf16
// CHECK: arith.divf %{{.*}}, %{{.*}} : bf16
// CHECK: arith.extf
func.func @body(%x: tensor<4xbf16>) -> tensor<4xbf16> attributes {boostr.differentiate} {
  %e = tensor.empty() : tensor<4xbf16>
  %y = linalg.map ins(%x : tensor<4xbf16>) outs(%e : tensor<4xbf16>) (%a: bf16, %o: bf16) {
    %0 = math.exp %a : bf16
    %1 = math.cbrt %0 : bf16
    %2 = arith.negf %1 : bf16
    linalg.yield %2 : bf16
  }
  return %y : tensor<4xbf16>
}

// -----

// A rule refuses: its own error stands.

func.func @negative_refused(%x: tensor<4xf32>) -> tensor<4xf32> attributes {boostr.differentiate} {
  // expected-error @below {{'math.cbrt' op has a differentiation rule for scalars only}}
  %y = math.cbrt %x : tensor<4xf32>
  return %y : tensor<4xf32>
}

// -----

func.func @negative_faulty(%x: f32) -> f32 attributes {boostr.differentiate} {
  // expected-error @below {{'math.atan2' op has a faulty differentiation rule: expected the gradient of operand #0 to be 'f32', got 'index'}}
  %y = math.atan2 %x, %x : f32
  return %y : f32
}
