// RUN: boostr-opt %s --boostr-differentiate | FileCheck %s

// CHECK-LABEL: func.func @expand_vjp(
// CHECK-SAME: %[[DY:[^:]*]]: tensor<?x2x3xf32>)
// CHECK: %[[DX:.*]] = tensor.collapse_shape %[[DY]] {{\[\[}}0], [1, 2]] : tensor<?x2x3xf32> into tensor<?x6xf32>
// CHECK: return %[[DX]]
func.func @expand(%x: tensor<?x6xf32>, %n: index) -> tensor<?x2x3xf32>
    attributes {boostr.differentiate} {
  %y = tensor.expand_shape %x [[0], [1, 2]] output_shape [%n, 2, 3] : tensor<?x6xf32> into tensor<?x2x3xf32>
  return %y : tensor<?x2x3xf32>
}

// CHECK-LABEL: func.func @collapse_vjp(
// CHECK-SAME: %[[X:.*]]: tensor<?x?xf32>, %[[DY:.*]]: tensor<?xf32>)
// CHECK-DAG: %[[D0:.*]] = tensor.dim %[[X]], %c0
// CHECK-DAG: %[[D1:.*]] = tensor.dim %[[X]], %c1
// CHECK: %[[DX:.*]] = tensor.expand_shape %[[DY]] {{\[\[}}0, 1]] output_shape [%[[D0]], %[[D1]]]
// CHECK: return %[[DX]]
func.func @collapse(%x: tensor<?x?xf32>) -> tensor<?xf32>
    attributes {boostr.differentiate} {
  %y = tensor.collapse_shape %x [[0, 1]] : tensor<?x?xf32> into tensor<?xf32>
  return %y : tensor<?xf32>
}

// CHECK-LABEL: func.func @extract_slice_vjp(
// CHECK-SAME: %[[DY:[^:]*]]: tensor<2xf32>)
// CHECK: %[[ZERO:.*]] = linalg.fill
// CHECK: %[[DX:.*]] = tensor.insert_slice %[[DY]] into %[[ZERO]][1, 1] [1, 2] [1, 3] : tensor<2xf32> into tensor<4x9xf32>
// CHECK: return %[[DX]]
func.func @extract_slice(%x: tensor<4x9xf32>) -> tensor<2xf32>
    attributes {boostr.differentiate} {
  %y = tensor.extract_slice %x[1, 1] [1, 2] [1, 3] : tensor<4x9xf32> to tensor<2xf32>
  return %y : tensor<2xf32>
}

// Slices of one value: one tensor of zeros, to which each slice is added in place.

// CHECK-LABEL: func.func @split_vjp(
// CHECK-SAME: %[[D0:[^:]*]]: tensor<2x4xf32>, %[[D1:[^:]*]]: tensor<2x4xf32>)
// CHECK: %[[ZERO:.*]] = linalg.fill
// CHECK: %[[S1:.*]] = tensor.insert_slice %[[D1]] into %[[ZERO]][0, 4]
// CHECK: %[[PART:.*]] = tensor.extract_slice %[[S1]][0, 0] [2, 4] [1, 1]
// CHECK: %[[SUM:.*]] = linalg.add ins(%[[PART]], %[[D0]] :
// CHECK: %[[S0:.*]] = tensor.insert_slice %[[SUM]] into %[[S1]][0, 0] [2, 4] [1, 1]
// CHECK: return %[[S0]]
func.func @split(%x: tensor<2x8xf32>) -> (tensor<2x4xf32>, tensor<2x4xf32>)
    attributes {boostr.differentiate} {
  %0 = tensor.extract_slice %x[0, 0] [2, 4] [1, 1] : tensor<2x8xf32> to tensor<2x4xf32>
  %1 = tensor.extract_slice %x[0, 4] [2, 4] [1, 1] : tensor<2x8xf32> to tensor<2x4xf32>
  return %0, %1 : tensor<2x4xf32>, tensor<2x4xf32>
}

// CHECK-LABEL: func.func @insert_slice_vjp(
// CHECK-SAME: %[[S:[^:]*]]: tensor<2x?xf32>, %[[I:[^:]*]]: tensor<4x?xf32>, %[[N:[^:]*]]: index, %[[DY:[^:]*]]: tensor<4x?xf32>)
// CHECK: %[[DS:.*]] = tensor.extract_slice %[[DY]][1, 0] [2, %[[N]]] [1, 1] : tensor<4x?xf32> to tensor<2x?xf32>
// CHECK: %[[ZERO:.*]] = linalg.fill
// CHECK: %[[DI:.*]] = tensor.insert_slice %[[ZERO]] into %[[DY]][1, 0] [2, %[[N]]] [1, 1]
// CHECK: return %[[DS]], %[[DI]]
func.func @insert_slice(%s: tensor<2x?xf32>, %i: tensor<4x?xf32>, %n: index) -> tensor<4x?xf32>
    attributes {boostr.differentiate} {
  %y = tensor.insert_slice %s into %i[1, 0] [2, %n] [1, 1] : tensor<2x?xf32> into tensor<4x?xf32>
  return %y : tensor<4x?xf32>
}

// CHECK-LABEL: func.func @cast_vjp(
// CHECK: tensor.cast %{{.*}} : tensor<?xf32> to tensor<4xf32>
func.func @cast(%x: tensor<4xf32>) -> tensor<?xf32> attributes {boostr.differentiate} {
  %y = tensor.cast %x : tensor<4xf32> to tensor<?xf32>
  return %y : tensor<?xf32>
}

// CHECK-LABEL: func.func @pad_vjp(
// CHECK: tensor.extract_slice %{{.*}}[1, 2] [3, 4] [1, 1] : tensor<5x7xf32> to tensor<3x4xf32>
func.func @pad(%x: tensor<3x4xf32>) -> tensor<5x7xf32> attributes {boostr.differentiate} {
  %zero = arith.constant 0.0 : f32
  %y = tensor.pad %x low[1, 2] high[1, 1] {
  ^bb0(%i: index, %j: index):
    tensor.yield %zero : f32
  } : tensor<3x4xf32> to tensor<5x7xf32>
  return %y : tensor<5x7xf32>
}

// CHECK-LABEL: func.func @concat_vjp(
// CHECK-SAME: %[[A:[^:]*]]: tensor<2x?xf32>, %[[B:[^:]*]]: tensor<2x3xf32>, %[[DY:[^:]*]]: tensor<2x?xf32>)
// CHECK: tensor.extract_slice %[[DY]][0, 0] [2, %{{.*}}] [1, 1] : tensor<2x?xf32> to tensor<2x?xf32>
// CHECK: %[[AFTER:.*]] = tensor.dim %[[A]], %c1{{.*}}
// CHECK: tensor.extract_slice %[[DY]][0, %[[AFTER]]] [2, 3] [1, 1] : tensor<2x?xf32> to tensor<2x3xf32>
func.func @concat(%a: tensor<2x?xf32>, %b: tensor<2x3xf32>) -> tensor<2x?xf32>
    attributes {boostr.differentiate} {
  %y = tensor.concat dim(1) %a, %b : (tensor<2x?xf32>, tensor<2x3xf32>) -> tensor<2x?xf32>
  return %y : tensor<2x?xf32>
}

// CHECK-LABEL: func.func @elements_vjp(
// CHECK-SAME: %[[R:[^:]*]]: tensor<f32>, %[[DY:[^:]*]]: tensor<3xf32>)
// CHECK: %[[SUM:.*]] = linalg.generic {{.*}} iterator_types = ["reduction"]
// CHECK: %[[DS:.*]] = tensor.extract %[[SUM]][] : tensor<f32>
// CHECK: %[[ZERO:.*]] = linalg.fill {{.*}} -> tensor<f32>
// CHECK: %[[DR:.*]] = tensor.insert %[[DS]] into %[[ZERO]][]
// CHECK: return %[[DR]]
func.func @elements(%r: tensor<f32>) -> tensor<3xf32> attributes {boostr.differentiate} {
  %s = tensor.extract %r[] : tensor<f32>
  %y = tensor.splat %s : tensor<3xf32>
  return %y : tensor<3xf32>
}
