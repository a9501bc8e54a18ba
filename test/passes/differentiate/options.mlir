// RUN: boostr-opt %s --boostr-differentiate="functions=f" | FileCheck %s --check-prefixes=CHECK,NAMED
// RUN: boostr-opt %s --boostr-differentiate="functions=f,h wrt=1" | FileCheck %s --check-prefixes=CHECK,WRT
// RUN: boostr-opt %s --boostr-differentiate --boostr-differentiate | FileCheck %s --check-prefix=AGAIN
// RUN: boostr-opt %s --boostr-differentiate --boostr-differentiate=functions=g_vjp | FileCheck %s --check-prefix=SECOND

// CHECK-LABEL: func.func @f(
// CHECK-LABEL: func.func @f_vjp(
// NAMED-SAME: -> (f32, f32)
// WRT-SAME: -> f32
// AGAIN-NOT: @f_vjp
func.func @f(%a: f32, %b: f32) -> f32 {
  %0 = arith.mulf %a, %b : f32
  return %0 : f32
}

// A mark counts beside the option, and both restrict. Another run does nothing.

// CHECK-LABEL: func.func @g(
// CHECK-LABEL: func.func @g_vjp(
// NAMED-SAME: -> (f32, f32)
// WRT-SAME: -> f32
// WRT: arith.mulf %{{.*}}, %arg0
// AGAIN: @g_vjp
// AGAIN-NOT: @g_vjp
// SECOND: func.func @g_vjp(
// SECOND: func.func @g_vjp_vjp(%{{.*}}: f32, %{{.*}}: f32, %{{.*}}: f32, %{{.*}}: f32, %{{.*}}: f32, %{{.*}}: f32) -> (f32, f32, f32, f32)
func.func @g(%a: f32, %b: f32, %c: f32) -> f32
    attributes {boostr.differentiate = array<i64: 0, 1>} {
  %0 = arith.mulf %a, %b : f32
  %1 = arith.mulf %0, %c : f32
  return %1 : f32
}

// CHECK-LABEL: func.func @h(
// NAMED-NOT: @h_vjp
// WRT: func.func @h_vjp(
func.func @h(%a: f32, %b: f32) -> f32 {
  return %b : f32
}
