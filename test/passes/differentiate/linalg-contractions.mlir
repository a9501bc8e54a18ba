// RUN: boostr-opt %s --boostr-differentiate | FileCheck %s

// One rule: the maps of a contraction permuted. Nothing is transposed in memory,
// and an init passes its cotangent on.

// CHECK-DAG: #[[MK:.*]] = affine_map<(d0, d1, d2) -> (d0, d2)>
// CHECK-DAG: #[[KM:.*]] = affine_map<(d0, d1, d2) -> (d2, d0)>
// CHECK-DAG: #[[KN:.*]] = affine_map<(d0, d1, d2) -> (d2, d1)>
// CHECK-DAG: #[[NK:.*]] = affine_map<(d0, d1, d2) -> (d1, d2)>
// CHECK-DAG: #[[MN:.*]] = affine_map<(d0, d1, d2) -> (d0, d1)>
// CHECK-DAG: #[[BMK:.*]] = affine_map<(d0, d1, d2, d3) -> (d0, d1, d3)>
// CHECK-DAG: #[[BKN:.*]] = affine_map<(d0, d1, d2, d3) -> (d0, d3, d2)>
// CHECK-DAG: #[[BNK:.*]] = affine_map<(d0, d1, d2, d3) -> (d0, d2, d3)>
// CHECK-DAG: #[[BMN:.*]] = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2)>

// CHECK-LABEL: func.func @matmul_vjp(
// CHECK-SAME: %[[A:[^:]*]]: tensor<?x4xf32>, %[[B:[^:]*]]: tensor<4x5xf32>, %[[C:[^:]*]]: tensor<?x5xf32>, %[[DY:[^:]*]]: tensor<?x5xf32>)
// CHECK-NOT: linalg.matmul
// CHECK-NOT: linalg.transpose
// CHECK: %[[DA:.*]] = linalg.contract indexing_maps = [#[[MN]], #[[KN]], #[[MK]]] ins(%[[DY]], %[[B]] : {{.*}} -> tensor<?x4xf32>
// CHECK: %[[DB:.*]] = linalg.contract indexing_maps = [#[[MN]], #[[MK]], #[[KN]]] ins(%[[DY]], %[[A]] : {{.*}} -> tensor<4x5xf32>
// CHECK: return %[[DA]], %[[DB]], %[[DY]]
func.func @matmul(%a: tensor<?x4xf32>, %b: tensor<4x5xf32>, %c: tensor<?x5xf32>) -> tensor<?x5xf32>
    attributes {boostr.differentiate} {
  %y = linalg.matmul ins(%a, %b : tensor<?x4xf32>, tensor<4x5xf32>) outs(%c : tensor<?x5xf32>) -> tensor<?x5xf32>
  return %y : tensor<?x5xf32>
}

// CHECK-LABEL: func.func @matmul_transposed_vjp(
// CHECK-SAME: %[[A:[^:]*]]: tensor<4x3xf32>, %[[B:[^:]*]]: tensor<5x4xf32>,
// CHECK: linalg.contract indexing_maps = [#[[MN]], #[[NK]], #[[KM]]] ins(%{{.*}}, %[[B]] : {{.*}} -> tensor<4x3xf32>
// CHECK: linalg.contract indexing_maps = [#[[MN]], #[[KM]], #[[NK]]] ins(%{{.*}}, %[[A]] : {{.*}} -> tensor<5x4xf32>
func.func @matmul_transposed(%a: tensor<4x3xf32>, %b: tensor<5x4xf32>, %c: tensor<3x5xf32>) -> tensor<3x5xf32>
    attributes {boostr.differentiate} {
  %y = linalg.matmul
      indexing_maps = [affine_map<(m, n, k) -> (k, m)>, affine_map<(m, n, k) -> (n, k)>, affine_map<(m, n, k) -> (m, n)>]
      ins(%a, %b : tensor<4x3xf32>, tensor<5x4xf32>) outs(%c : tensor<3x5xf32>) -> tensor<3x5xf32>
  return %y : tensor<3x5xf32>
}

// bf16 operands accumulate in f32, and the gradient is rounded once.

// CHECK-LABEL: func.func @matmul_bf16_vjp(
// CHECK: %[[ACC:.*]] = linalg.fill {{.*}} -> tensor<3x4xf32>
// CHECK: %[[SUM:.*]] = linalg.contract {{.*}} ins(%{{.*}} : tensor<3x5xbf16>, tensor<4x5xbf16>) outs(%[[ACC]] : tensor<3x4xf32>)
// CHECK: %[[DA:.*]] = linalg.generic {{.*}} ins(%[[SUM]] : tensor<3x4xf32>)
// CHECK: arith.truncf
// CHECK: return %[[DA]] : tensor<3x4xbf16>
func.func @matmul_bf16(%a: tensor<3x4xbf16>, %b: tensor<4x5xbf16>, %c: tensor<3x5xbf16>) -> tensor<3x5xbf16>
    attributes {boostr.differentiate = array<i64: 0>} {
  %y = linalg.matmul ins(%a, %b : tensor<3x4xbf16>, tensor<4x5xbf16>) outs(%c : tensor<3x5xbf16>) -> tensor<3x5xbf16>
  return %y : tensor<3x5xbf16>
}

// Of mixed types, each operand is read as it is.

// CHECK-LABEL: func.func @matmul_mixed_vjp(
// CHECK: linalg.contract {{.*}} ins(%{{.*}} : tensor<3x5xf32>, tensor<4x5xf16>) {{.*}} -> tensor<3x4xf32>
// CHECK: arith.truncf %{{.*}} : f32 to f16
func.func @matmul_mixed(%a: tensor<3x4xf16>, %b: tensor<4x5xf16>, %c: tensor<3x5xf32>) -> tensor<3x5xf32>
    attributes {boostr.differentiate = array<i64: 0>} {
  %y = linalg.matmul ins(%a, %b : tensor<3x4xf16>, tensor<4x5xf16>) outs(%c : tensor<3x5xf32>) -> tensor<3x5xf32>
  return %y : tensor<3x5xf32>
}

// CHECK-LABEL: func.func @batch_matmul_vjp(
// CHECK-SAME: %[[A:[^:]*]]: tensor<2x3x4xf32>, %[[B:[^:]*]]: tensor<2x4x5xf32>,
// CHECK: linalg.contract indexing_maps = [#[[BMN]], #[[BKN]], #[[BMK]]] ins(%{{.*}}, %[[B]] :
// CHECK: linalg.contract indexing_maps = [#[[BMN]], #[[BMK]], #[[BKN]]] ins(%{{.*}}, %[[A]] :
func.func @batch_matmul(%a: tensor<2x3x4xf32>, %b: tensor<2x4x5xf32>, %c: tensor<2x3x5xf32>) -> tensor<2x3x5xf32>
    attributes {boostr.differentiate} {
  %y = linalg.batch_matmul ins(%a, %b : tensor<2x3x4xf32>, tensor<2x4x5xf32>) outs(%c : tensor<2x3x5xf32>) -> tensor<2x3x5xf32>
  return %y : tensor<2x3x5xf32>
}

// CHECK-LABEL: func.func @batch_matmul_transposed_vjp(
// CHECK: linalg.contract indexing_maps = [#[[BMN]], #[[BNK]], #[[BMK]]]
// CHECK: linalg.contract indexing_maps = [#[[BMN]], #[[BMK]], #[[BNK]]]
func.func @batch_matmul_transposed(%a: tensor<2x3x4xf32>, %b: tensor<2x5x4xf32>, %c: tensor<2x3x5xf32>) -> tensor<2x3x5xf32>
    attributes {boostr.differentiate} {
  %y = linalg.batch_matmul
      indexing_maps = [affine_map<(b, m, n, k) -> (b, m, k)>, affine_map<(b, m, n, k) -> (b, n, k)>, affine_map<(b, m, n, k) -> (b, m, n)>]
      ins(%a, %b : tensor<2x3x4xf32>, tensor<2x5x4xf32>) outs(%c : tensor<2x3x5xf32>) -> tensor<2x3x5xf32>
  return %y : tensor<2x3x5xf32>
}

// A generic that is a contraction has the same gradient.

// CHECK-LABEL: func.func @generic_contraction_vjp(
// CHECK: linalg.contract indexing_maps = [#[[MN]], #[[NK]], #[[MK]]]
// CHECK: linalg.contract indexing_maps = [#[[MN]], #[[MK]], #[[NK]]]
func.func @generic_contraction(%a: tensor<3x4xf32>, %b: tensor<5x4xf32>, %c: tensor<3x5xf32>) -> tensor<3x5xf32>
    attributes {boostr.differentiate} {
  %y = linalg.generic {
      indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n, k)>, affine_map<(m, n, k) -> (m, n)>],
      iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a, %b : tensor<3x4xf32>, tensor<5x4xf32>) outs(%c : tensor<3x5xf32>) {
  ^bb0(%x: f32, %w: f32, %acc: f32):
    %p = arith.mulf %w, %x : f32
    %s = arith.addf %p, %acc : f32
    linalg.yield %s : f32
  } -> tensor<3x5xf32>
  return %y : tensor<3x5xf32>
}

// linalg.contract needs a dimension to contract; an outer product has none.

// CHECK-LABEL: func.func @dot_vjp(
// CHECK-NOT: linalg.contract
// CHECK: linalg.generic {{.*}} iterator_types = ["parallel"]
// CHECK: linalg.generic {{.*}} iterator_types = ["parallel"]
// CHECK: return
func.func @dot(%a: tensor<4xf32>, %b: tensor<4xf32>, %c: tensor<f32>) -> tensor<f32>
    attributes {boostr.differentiate} {
  %y = linalg.dot ins(%a, %b : tensor<4xf32>, tensor<4xf32>) outs(%c : tensor<f32>) -> tensor<f32>
  return %y : tensor<f32>
}
