// RUN: boostr-opt %s --boostr-differentiate | FileCheck %s

// Formulas of the elementwise ops. On scalars the gradient is bare arithmetic, so
// most are checked there; tensors take the same formulas into a linalg.generic.
// test/execution/test_differentiate.py checks values of every op.

// CHECK-LABEL: func.func @div_vjp(
// CHECK-SAME: %[[A:.*]]: f32, %[[B:.*]]: f32, %[[DY:.*]]: f32)
// CHECK: %[[Y:.*]] = arith.divf %[[A]], %[[B]]
// CHECK: %[[DA:.*]] = arith.divf %[[DY]], %[[B]]
// CHECK: %[[P:.*]] = arith.mulf %[[DY]], %[[Y]]
// CHECK: %[[Q:.*]] = arith.divf %[[P]], %[[B]]
// CHECK: %[[DB:.*]] = arith.negf %[[Q]]
// CHECK: return %[[DA]], %[[DB]]
func.func @div(%a: f32, %b: f32) -> f32 attributes {boostr.differentiate} {
  %y = arith.divf %a, %b : f32
  return %y : f32
}

// CHECK-LABEL: func.func @exp_vjp(
// CHECK-SAME: %[[X:.*]]: f64, %[[DY:.*]]: f64)
// CHECK: %[[Y:.*]] = math.exp %[[X]]
// CHECK: %[[DX:.*]] = arith.mulf %[[DY]], %[[Y]]
// CHECK: return %[[DX]]
func.func @exp(%x: f64) -> f64 attributes {boostr.differentiate} {
  %y = math.exp %x : f64
  return %y : f64
}

// CHECK-LABEL: func.func @rsqrt_vjp(
// CHECK-SAME: %[[X:.*]]: f32, %[[DY:.*]]: f32)
// CHECK: %[[Y:.*]] = math.rsqrt %[[X]]
// CHECK: %[[HALF:.*]] = arith.constant -5.000000e-01 : f32
// CHECK: %[[S:.*]] = arith.mulf %[[HALF]], %[[DY]]
// CHECK: %[[Y2:.*]] = arith.mulf %[[Y]], %[[Y]]
// CHECK: %[[Y3:.*]] = arith.mulf %[[Y]], %[[Y2]]
// CHECK: arith.mulf %[[S]], %[[Y3]]
func.func @rsqrt(%x: f32) -> f32 attributes {boostr.differentiate} {
  %y = math.rsqrt %x : f32
  return %y : f32
}

// CHECK-LABEL: func.func @tanh_vjp(
// CHECK-SAME: %[[X:.*]]: f32, %[[DY:.*]]: f32)
// CHECK: %[[Y:.*]] = math.tanh %[[X]]
// CHECK: %[[ONE:.*]] = arith.constant 1.000000e+00 : f32
// CHECK: %[[Y2:.*]] = arith.mulf %[[Y]], %[[Y]]
// CHECK: %[[S:.*]] = arith.subf %[[ONE]], %[[Y2]]
// CHECK: arith.mulf %[[DY]], %[[S]]
func.func @tanh(%x: f32) -> f32 attributes {boostr.differentiate} {
  %y = math.tanh %x : f32
  return %y : f32
}

// The first of two that are equal has the gradient. Of a number and a NaN, the NaN
// has it for maximumf, the number for maxnumf.

// CHECK-LABEL: func.func @maximum_vjp(
// CHECK-SAME: %[[A:.*]]: f32, %[[B:.*]]: f32, %[[DY:.*]]: f32)
// CHECK-DAG: %[[ORD:.*]] = arith.cmpf ord, %[[B]], %[[B]]
// CHECK-DAG: %[[GE:.*]] = arith.cmpf uge, %[[A]], %[[B]]
// CHECK: %[[FIRST:.*]] = arith.andi %[[GE]], %[[ORD]]
// CHECK: %[[DA:.*]] = arith.select %[[FIRST]], %[[DY]], %{{.*}}
// CHECK: %[[AGAIN:.*]] = arith.andi
// CHECK: %[[DB:.*]] = arith.select %[[AGAIN]], %{{.*}}, %[[DY]]
// CHECK: return %[[DA]], %[[DB]]
func.func @maximum(%a: f32, %b: f32) -> f32 attributes {boostr.differentiate} {
  %y = arith.maximumf %a, %b : f32
  return %y : f32
}

// CHECK-LABEL: func.func @minnum_vjp(
// CHECK-SAME: %[[A:.*]]: f32, %[[B:.*]]: f32, %[[DY:.*]]: f32)
// CHECK-DAG: arith.cmpf ord, %[[A]], %[[A]]
// CHECK-DAG: arith.cmpf ule, %[[A]], %[[B]]
func.func @minnum(%a: f32, %b: f32) -> f32 attributes {boostr.differentiate = array<i64: 0>} {
  %y = arith.minnumf %a, %b : f32
  return %y : f32
}

// CHECK-LABEL: func.func @select_vjp(
// CHECK-SAME: %[[C:.*]]: i1, %[[A:.*]]: f32, %[[B:.*]]: f32, %[[DY:.*]]: f32) -> (f32, f32)
// CHECK: arith.select %[[C]], %[[DY]], %{{.*}} : f32
// CHECK: arith.select %[[C]], %{{.*}}, %[[DY]] : f32
func.func @select(%c: i1, %a: f32, %b: f32) -> f32 attributes {boostr.differentiate} {
  %y = arith.select %c, %a, %b : f32
  return %y : f32
}

// A rule without a slope: the gradient is zero, and nothing of it is computed.

// CHECK-LABEL: func.func @floor_vjp(
// CHECK-NEXT: %[[ZERO:.*]] = arith.constant 0.000000e+00 : f32
// CHECK-NEXT: return %[[ZERO]]
func.func @floor(%x: f32) -> f32 attributes {boostr.differentiate} {
  %0 = math.floor %x : f32
  %1 = math.exp %0 : f32
  return %0 : f32
}

// Flags of fast arithmetic pass to the gradient.

// CHECK-LABEL: func.func @fast_math_vjp(
// CHECK: arith.mulf %{{.*}}, %{{.*}} fastmath<contract>
// CHECK: arith.mulf %{{.*}}, %{{.*}} fastmath<contract>
func.func @fast_math(%a: f32, %b: f32) -> f32 attributes {boostr.differentiate} {
  %y = arith.mulf %a, %b fastmath<contract> : f32
  return %y : f32
}

// Gradients of bf16 values are computed in f32 and rounded once.

// CHECK-LABEL: func.func @bf16_vjp(
// CHECK: linalg.generic
// CHECK-NEXT: ^bb0(%[[Y:.*]]: bf16, %[[DY:.*]]: bf16, %{{.*}}: bf16):
// CHECK-DAG: %[[WY:.*]] = arith.extf %[[Y]] : bf16 to f32
// CHECK-DAG: %[[WDY:.*]] = arith.extf %[[DY]] : bf16 to f32
// CHECK: %[[P:.*]] = arith.mulf %[[WDY]], %[[WY]] : f32
// CHECK: %[[R:.*]] = arith.truncf %[[P]] : f32 to bf16
// CHECK: linalg.yield %[[R]]
func.func @bf16(%x: tensor<4xbf16>, %w: tensor<4xbf16>) -> tensor<4xbf16>
    attributes {boostr.differentiate = array<i64: 0>} {
  %y = arith.mulf %x, %w : tensor<4xbf16>
  return %y : tensor<4xbf16>
}

// CHECK-LABEL: func.func @extension_vjp(
// CHECK: arith.extf %{{.*}} : f32 to f64
// CHECK: arith.truncf %{{.*}} : f32 to bf16
func.func @extension(%x: tensor<4xbf16>, %y: tensor<4xf64>)
    -> (tensor<4xf32>, tensor<4xf32>) attributes {boostr.differentiate} {
  %0 = arith.extf %x : tensor<4xbf16> to tensor<4xf32>
  %1 = arith.truncf %y : tensor<4xf64> to tensor<4xf32>
  return %0, %1 : tensor<4xf32>, tensor<4xf32>
}

// A sum hands the cotangent on: no op at all.

// CHECK-LABEL: func.func @add_vjp(
// CHECK-SAME: %[[A:.*]]: tensor<?xf16>, %[[B:.*]]: tensor<?xf16>, %[[DY:.*]]: tensor<?xf16>)
// CHECK-NEXT: return %[[DY]], %[[DY]]
func.func @add(%a: tensor<?xf16>, %b: tensor<?xf16>) -> tensor<?xf16>
    attributes {boostr.differentiate} {
  %y = arith.addf %a, %b : tensor<?xf16>
  return %y : tensor<?xf16>
}
