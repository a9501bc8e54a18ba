// RUN: boostr-opt %s --boostr-differentiate | FileCheck %s

// CHECK-DAG: #[[ID:.*]] = affine_map<(d0, d1) -> (d0, d1)>
// CHECK-DAG: #[[ROW:.*]] = affine_map<(d0, d1) -> (d0)>
// CHECK-DAG: #[[COL:.*]] = affine_map<(d0, d1) -> (d1)>
// CHECK-DAG: #[[ALL:.*]] = affine_map<(d0, d1) -> ()>
// CHECK-DAG: #[[FIRST:.*]] = affine_map<(d0, d1) -> (d0, 0)>

// CHECK-LABEL: func.func @transpose_vjp(
// CHECK-SAME: %[[DY:[^:]*]]: tensor<4x2x3xf32>)
// CHECK: %[[DX:.*]] = linalg.transpose ins(%[[DY]] : tensor<4x2x3xf32>) outs(%{{.*}} : tensor<2x3x4xf32>) permutation = [1, 2, 0]
// CHECK: return %[[DX]]
func.func @transpose(%x: tensor<2x3x4xf32>) -> tensor<4x2x3xf32> attributes {boostr.differentiate} {
  %e = tensor.empty() : tensor<4x2x3xf32>
  %y = linalg.transpose ins(%x : tensor<2x3x4xf32>) outs(%e : tensor<4x2x3xf32>) permutation = [2, 0, 1]
  return %y : tensor<4x2x3xf32>
}

// A broadcast's gradient is a sum, a sum's a broadcast.

// CHECK-LABEL: func.func @broadcast_vjp(
// CHECK: linalg.generic {indexing_maps = [#[[ID]], #[[COL]]], iterator_types = ["reduction", "parallel"]}
// CHECK: arith.addf
func.func @broadcast(%x: tensor<3xf32>) -> tensor<4x3xf32> attributes {boostr.differentiate} {
  %e = tensor.empty() : tensor<4x3xf32>
  %y = linalg.broadcast ins(%x : tensor<3xf32>) outs(%e : tensor<4x3xf32>) dimensions = [0]
  return %y : tensor<4x3xf32>
}

// CHECK-LABEL: func.func @sum_vjp(
// CHECK-SAME: %[[X:[^:]*]]: tensor<2x?x4xf32>, %[[I:[^:]*]]: tensor<2x4xf32>, %[[DY:[^:]*]]: tensor<2x4xf32>)
// CHECK: %[[DX:.*]] = linalg.broadcast ins(%[[DY]] : tensor<2x4xf32>) outs(%{{.*}} : tensor<2x?x4xf32>) dimensions = [1]
// CHECK: return %[[DX]], %[[DY]]
func.func @sum(%x: tensor<2x?x4xf32>, %i: tensor<2x4xf32>) -> tensor<2x4xf32> attributes {boostr.differentiate} {
  %y = linalg.reduce { arith.addf } ins(%x : tensor<2x?x4xf32>) outs(%i : tensor<2x4xf32>) dimensions = [1]
  return %y : tensor<2x4xf32>
}

// f16 sums accumulate in f32.

// CHECK-LABEL: func.func @bias_f16_vjp(
// CHECK: %[[SUM:.*]] = linalg.generic {{.*}} ins(%{{.*}} : tensor<4x3xf16>) outs(%{{.*}} : tensor<3xf32>)
// CHECK: linalg.generic {{.*}} ins(%[[SUM]] : tensor<3xf32>) outs(%{{.*}} : tensor<3xf16>)
func.func @bias_f16(%x: tensor<3xf16>) -> tensor<4x3xf16> attributes {boostr.differentiate} {
  %e = tensor.empty() : tensor<4x3xf16>
  %y = linalg.broadcast ins(%x : tensor<3xf16>) outs(%e : tensor<4x3xf16>) dimensions = [0]
  return %y : tensor<4x3xf16>
}

// CHECK-LABEL: func.func @named_vjp(
// CHECK-SAME: %[[A:[^:]*]]: tensor<4xf32>, %[[B:[^:]*]]: tensor<4xf32>, %[[DY:[^:]*]]: tensor<4xf32>)
// CHECK: %[[Y:.*]] = linalg.exp
// CHECK: %[[D:.*]] = linalg.generic {{.*}} ins(%[[DY]], %[[Y]] :
// CHECK: %[[DB:.*]] = linalg.generic {{.*}} ins(%[[D]] :
// CHECK: arith.negf
// CHECK: return %[[D]], %[[DB]]
func.func @named(%a: tensor<4xf32>, %b: tensor<4xf32>) -> tensor<4xf32> attributes {boostr.differentiate} {
  %e = tensor.empty() : tensor<4xf32>
  %s = linalg.sub ins(%a, %b : tensor<4xf32>, tensor<4xf32>) outs(%e : tensor<4xf32>) -> tensor<4xf32>
  %y = linalg.exp ins(%s : tensor<4xf32>) outs(%e : tensor<4xf32>) -> tensor<4xf32>
  return %y : tensor<4xf32>
}

// The scalar of a fill: the sum of all. The tensor that is filled: zeros.

// CHECK-LABEL: func.func @fill_vjp(
// CHECK-SAME: %[[S:[^:]*]]: f32, %[[T:[^:]*]]: tensor<2x3xf32>, %[[DY:[^:]*]]: tensor<2x3xf32>)
// CHECK: %[[SUM:.*]] = linalg.generic {indexing_maps = [#[[ID]], #[[ALL]]], iterator_types = ["reduction", "reduction"]} ins(%[[DY]] :
// CHECK: %[[DS:.*]] = tensor.extract %[[SUM]][]
// CHECK: %[[DT:.*]] = linalg.fill
// CHECK: return %[[DS]], %[[DT]]
func.func @fill(%s: f32, %t: tensor<2x3xf32>) -> tensor<2x3xf32> attributes {boostr.differentiate} {
  %y = linalg.fill ins(%s : f32) outs(%t : tensor<2x3xf32>) -> tensor<2x3xf32>
  return %y : tensor<2x3xf32>
}

// Each gradient of a generic sums over the dimensions that its operand is not read
// by, and reads only what its formula has: the exponential is read from the result.

// CHECK-LABEL: func.func @generic_vjp(
// CHECK-SAME: %[[X:[^:]*]]: tensor<2x3xf32>, %[[R:[^:]*]]: tensor<2xf32>, %[[K:[^:]*]]: tensor<2x1xf32>, %[[DE:[^:]*]]: tensor<2x3xf32>, %[[DP:[^:]*]]: tensor<2x3xf32>)
// CHECK: %[[Y:.*]]:2 = linalg.generic
// CHECK: %[[DX:.*]] = linalg.generic {indexing_maps = [#[[FIRST]], #[[ID]], #[[ID]], #[[ID]], #[[ID]]], iterator_types = ["parallel", "parallel"]} ins(%[[K]], %[[DE]], %[[Y]]#0, %[[DP]] :
// CHECK-NOT: math.exp
// CHECK: %[[DR:.*]] = linalg.generic {indexing_maps = [#[[FIRST]], #[[ID]], #[[ID]], #[[ID]], #[[ROW]]], iterator_types = ["parallel", "reduction"]}
// CHECK-NOT: math.exp
// CHECK: %[[DK:.*]] = linalg.generic {indexing_maps = [#[[ID]], #[[ID]], #[[FIRST]]], iterator_types = ["parallel", "reduction"]} ins(%[[Y]]#0, %[[DP]] :
// CHECK: return %[[DX]], %[[DR]], %[[DK]]
func.func @generic(%x: tensor<2x3xf32>, %r: tensor<2xf32>, %k: tensor<2x1xf32>) -> (tensor<2x3xf32>, tensor<2x3xf32>)
    attributes {boostr.differentiate} {
  %e = tensor.empty() : tensor<2x3xf32>
  %y:2 = linalg.generic {
      indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>, affine_map<(i, j) -> (i, 0)>,
                       affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>],
      iterator_types = ["parallel", "parallel"]}
      ins(%x, %r, %k : tensor<2x3xf32>, tensor<2xf32>, tensor<2x1xf32>) outs(%e, %e : tensor<2x3xf32>, tensor<2x3xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32, %o0: f32, %o1: f32):
    %0 = arith.subf %a, %b : f32
    %1 = math.exp %0 : f32
    %2 = arith.mulf %1, %c : f32
    linalg.yield %1, %2 : f32, f32
  } -> (tensor<2x3xf32>, tensor<2x3xf32>)
  return %y#0, %y#1 : tensor<2x3xf32>, tensor<2x3xf32>
}

// A maximum has one winner: first its position is found, -1 if it is the init, then
// each point asks whether it is that.

// CHECK-LABEL: func.func @max_vjp(
// CHECK-SAME: %[[X:[^:]*]]: tensor<3x?xf32>, %[[I:[^:]*]]: tensor<3xf32>, %[[DY:[^:]*]]: tensor<3xf32>)
// CHECK: %[[NONE:.*]] = linalg.fill ins(%c-1_i64 : i64) {{.*}} -> tensor<3xi64>
// CHECK: %[[W:.*]]:2 = linalg.generic {{.*}} iterator_types = ["parallel", "reduction"]} ins(%[[X]] : {{.*}}) outs(%[[I]], %[[NONE]] :
// CHECK: %[[BETTER:.*]] = arith.cmpf ugt
// CHECK: %[[WINS:.*]] = arith.andi %[[BETTER]],
// CHECK: linalg.index 1
// CHECK: arith.select %[[WINS]]
// CHECK: %[[DX:.*]] = linalg.generic {indexing_maps = [#[[ROW]], #[[ROW]], #[[ID]]], iterator_types = ["parallel", "parallel"]} ins(%[[DY]], %[[W]]#1 :
// CHECK: arith.cmpi eq
// CHECK: arith.select
// CHECK: %[[DI:.*]] = linalg.generic {{.*}} ins(%[[DY]], %[[W]]#1 :
// CHECK: return %[[DX]], %[[DI]]
func.func @max(%x: tensor<3x?xf32>, %i: tensor<3xf32>) -> tensor<3xf32> attributes {boostr.differentiate} {
  %y = linalg.reduce { arith.maximumf } ins(%x : tensor<3x?xf32>) outs(%i : tensor<3xf32>) dimensions = [1]
  return %y : tensor<3xf32>
}

// An operand that no formula reads stays where it alone says how long a dimension
// is.

// CHECK-LABEL: func.func @extent_vjp(
// CHECK-SAME: %[[A:[^:]*]]: tensor<2xf32>, %[[S:[^:]*]]: tensor<?xf32>,
// CHECK: linalg.generic {indexing_maps = [#[[COL]], #[[ROW]], #[[ROW]]], iterator_types = ["parallel", "reduction"]} ins(%[[S]], %{{.*}} :
func.func @extent(%a: tensor<2xf32>, %shape: tensor<?xf32>, %i: tensor<2xf32>) -> tensor<2xf32>
    attributes {boostr.differentiate = array<i64: 0>} {
  %y = linalg.generic {
      indexing_maps = [affine_map<(i, j) -> (i)>, affine_map<(i, j) -> (j)>, affine_map<(i, j) -> (i)>],
      iterator_types = ["parallel", "reduction"]}
      ins(%a, %shape : tensor<2xf32>, tensor<?xf32>) outs(%i : tensor<2xf32>) {
  ^bb0(%x: f32, %s: f32, %acc: f32):
    %0 = arith.addf %acc, %x : f32
    linalg.yield %0 : f32
  } -> tensor<2xf32>
  return %y : tensor<2xf32>
}

// CHECK-LABEL: func.func @softmax_vjp(
// CHECK-SAME: %[[X:[^:]*]]: tensor<2x?xbf16>, %[[DY:[^:]*]]: tensor<2x?xbf16>)
// CHECK: %[[Y:.*]] = linalg.softmax
// CHECK: %[[SUM:.*]] = linalg.generic {indexing_maps = [#[[ID]], #[[ID]], #[[ROW]]], iterator_types = ["parallel", "reduction"]} ins(%[[DY]], %[[Y]] : {{.*}} outs(%{{.*}} : tensor<2xf32>)
// CHECK: %[[DX:.*]] = linalg.generic {indexing_maps = [#[[ID]], #[[ID]], #[[ROW]], #[[ID]]], iterator_types = ["parallel", "parallel"]} ins(%[[DY]], %[[Y]], %[[SUM]] :
// CHECK: return %[[DX]]
func.func @softmax(%x: tensor<2x?xbf16>) -> tensor<2x?xbf16> attributes {boostr.differentiate} {
  %c1 = arith.constant 1 : index
  %d = tensor.dim %x, %c1 : tensor<2x?xbf16>
  %e = tensor.empty(%d) : tensor<2x?xbf16>
  %y = linalg.softmax dimension(1) ins(%x : tensor<2x?xbf16>) outs(%e : tensor<2x?xbf16>) -> tensor<2x?xbf16>
  return %y : tensor<2x?xbf16>
}
